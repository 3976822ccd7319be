-- Since when the transaction block has been open in which a statement is held; NULL where there is none, and
-- for requests from before this was recorded. Microseconds since 1970-01-01 UTC.
ALTER TABLE requests ADD COLUMN transaction_since INTEGER;

CREATE TRIGGER requests_asked_in_transaction_since BEFORE UPDATE OF transaction_since ON requests
BEGIN
    SELECT RAISE(ABORT, 'what was asked cannot be changed');
END;
