-- What the request's session sent before it, oldest first (JSON); NULL for requests from before this was recorded.
ALTER TABLE requests ADD COLUMN earlier TEXT;

CREATE TRIGGER requests_asked_earlier BEFORE UPDATE OF earlier ON requests
BEGIN
    SELECT RAISE(ABORT, 'what was asked cannot be changed');
END;
