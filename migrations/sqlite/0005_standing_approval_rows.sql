-- How many rows a statement under a standing approval may change; what changes more is rolled back, and held. NULL: as
-- many as it changes.
ALTER TABLE grants ADD COLUMN max_rows INTEGER CHECK (max_rows IS NULL OR (max_rows > 0 AND kind = 'shape'));

CREATE TRIGGER grants_asked_max_rows BEFORE UPDATE OF max_rows ON grants
BEGIN
    SELECT RAISE(ABORT, 'what was asked cannot be changed');
END;
