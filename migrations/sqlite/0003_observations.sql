-- What was let pass and observed, counted by the hour: a statement that a program asks a thousand times a second is
-- one row an hour. Times are microseconds since 1970-01-01 UTC; hours are counted from there; lists are JSON.
-- The statements carry their literals.
CREATE TABLE observations (
    -- Grows, so that last − first is a bound on how many rows there are.
    id               INTEGER NOT NULL PRIMARY KEY,
    hour             INTEGER NOT NULL,
    -- SHA-256 over everything that follows, up to `rules`.
    digest           BLOB    NOT NULL CHECK (length(digest) = 32),
    database_name    TEXT    NOT NULL,
    user_name        TEXT    NOT NULL,
    group_names      TEXT    NOT NULL,
    application_name TEXT    NOT NULL,
    -- Without the port; NULL where there was none.
    client_addr      TEXT,
    statement        TEXT    NOT NULL,
    facts            TEXT    NOT NULL,
    -- What would have become of it.
    decision         TEXT    NOT NULL CHECK (decision IN ('allow', 'hold', 'deny')),
    rules            TEXT    NOT NULL,
    sightings        INTEGER NOT NULL CHECK (sightings > 0),
    first_seen       INTEGER NOT NULL,
    last_seen        INTEGER NOT NULL CHECK (last_seen >= first_seen),
    UNIQUE (hour, digest)
) STRICT;
