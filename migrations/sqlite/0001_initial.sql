-- Times are microseconds since 1970-01-01 UTC; lists are JSON.

CREATE TABLE requests (
    id               TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 12),
    state            TEXT    NOT NULL CHECK (state IN (
        'pending', 'approved', 'running', 'executed', 'failed',
        'rejected', 'expired', 'withdrawn', 'abandoned', 'denied')),
    -- Why it was withdrawn, abandoned or denied.
    note             TEXT    CHECK ((note IS NOT NULL) = (state IN ('withdrawn', 'abandoned', 'denied'))),
    -- JSON; what came of running it.
    outcome          TEXT    CHECK ((outcome IS NOT NULL) = (state IN ('executed', 'failed'))),
    settled_at       INTEGER CHECK ((settled_at IS NULL) = (state IN ('pending', 'approved', 'running'))),
    database_name    TEXT    NOT NULL,
    user_name        TEXT    NOT NULL,
    application_name TEXT    NOT NULL,
    client_addr      TEXT    NOT NULL,
    in_transaction   INTEGER NOT NULL CHECK (in_transaction IN (0, 1)),
    statement        TEXT    NOT NULL,
    parameters       TEXT    NOT NULL,
    digest           BLOB    NOT NULL CHECK (length(digest) = 32),
    command          TEXT    NOT NULL,
    effect           TEXT    NOT NULL,
    tables           TEXT    NOT NULL,
    functions        TEXT    NOT NULL,
    signals          TEXT    NOT NULL,
    unfiltered       INTEGER NOT NULL CHECK (unfiltered IN (0, 1)),
    rule             TEXT    NOT NULL,
    group_names      TEXT    NOT NULL,
    created_at       INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL
) STRICT;

-- The history, newest first; and the same for one state (the queue).
CREATE INDEX requests_newest ON requests (created_at DESC, id DESC);
CREATE INDEX requests_by_state ON requests (state, created_at DESC, id DESC);
CREATE INDEX requests_due ON requests (expires_at, id) WHERE state = 'pending';

-- model::StateKind::may_become, once more: not even a faulty release can run what nobody approved.
CREATE TRIGGER requests_transition BEFORE UPDATE OF state ON requests
WHEN NOT (
       (OLD.state = 'pending'  AND NEW.state IN ('approved', 'rejected', 'expired', 'withdrawn', 'abandoned'))
    OR (OLD.state = 'approved' AND NEW.state IN ('running', 'withdrawn', 'abandoned'))
    OR (OLD.state = 'running'  AND NEW.state IN ('executed', 'failed', 'abandoned'))
)
BEGIN
    SELECT RAISE(ABORT, 'a request cannot go from this state to that one');
END;

-- What was asked never changes after it was recorded.
CREATE TRIGGER requests_asked BEFORE UPDATE OF
    id, database_name, user_name, application_name, client_addr, in_transaction, statement, parameters,
    digest, command, effect, tables, functions, signals, unfiltered, rule, group_names, created_at, expires_at
ON requests
BEGIN
    SELECT RAISE(ABORT, 'what was asked cannot be changed');
END;

CREATE TABLE reviews (
    id          INTEGER NOT NULL PRIMARY KEY,
    request_id  TEXT    NOT NULL REFERENCES requests (id) ON DELETE CASCADE,
    reviewer    TEXT    NOT NULL,
    group_names TEXT    NOT NULL,
    verdict     TEXT    NOT NULL CHECK (verdict IN ('approve', 'reject')),
    comment     TEXT    NOT NULL,
    at          INTEGER NOT NULL,
    UNIQUE (request_id, reviewer, verdict)
) STRICT;

CREATE TABLE users (
    name           TEXT    NOT NULL PRIMARY KEY,
    group_names    TEXT    NOT NULL,
    admin          INTEGER NOT NULL CHECK (admin IN (0, 1)),
    scram_verifier TEXT    NOT NULL,
    disabled       INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    created_at     INTEGER NOT NULL
) STRICT;

CREATE TABLE api_tokens (
    token_hash BLOB    NOT NULL PRIMARY KEY CHECK (length(token_hash) = 32),
    user_name  TEXT    NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX api_tokens_by_user ON api_tokens (user_name);

CREATE TABLE web_sessions (
    token_hash BLOB    NOT NULL PRIMARY KEY CHECK (length(token_hash) = 32),
    user_name  TEXT    NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    csrf       TEXT    NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX web_sessions_by_user ON web_sessions (user_name);
CREATE INDEX web_sessions_by_end ON web_sessions (expires_at);

-- Secrets of this installation, made when the database is first opened.
CREATE TABLE secrets (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

-- One row, changed to learn whether the store can be written.
CREATE TABLE liveness (
    id     INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    checks INTEGER NOT NULL
) STRICT;
INSERT INTO liveness (id, checks) VALUES (1, 0);

-- What happened, in the order in which it was committed. Rows are only ever added.
CREATE TABLE audit_events (
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at         INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    -- The request, where the event is about one.
    request_id TEXT,
    -- Who did it; NULL is holdpoint itself or its command line.
    actor      TEXT,
    detail     TEXT    NOT NULL
) STRICT;
CREATE INDEX audit_events_by_request ON audit_events (request_id) WHERE request_id IS NOT NULL;

CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events
BEGIN
    SELECT RAISE(ABORT, 'audit_events is append-only');
END;
CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events
BEGIN
    SELECT RAISE(ABORT, 'audit_events is append-only');
END;
-- INSERT OR REPLACE deletes without the trigger above.
CREATE TRIGGER audit_events_no_replace BEFORE INSERT ON audit_events
WHEN EXISTS (SELECT 1 FROM audit_events WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'audit_events is append-only');
END;
