-- What an approval needs, and what the requester gave with the statement.
--
-- `quorum`: the seats to be filled, each a list of groups (JSON). NULL for requests from before this was recorded:
-- one member of each of `group_names`.
ALTER TABLE requests ADD COLUMN quorum TEXT;
-- Whether the requester may be among those who approve.
ALTER TABLE requests ADD COLUMN self_approval INTEGER NOT NULL DEFAULT 0 CHECK (self_approval IN (0, 1));
ALTER TABLE requests ADD COLUMN justification TEXT;
ALTER TABLE requests ADD COLUMN ticket TEXT;
-- What the statement is when its constants are masked; 64 hexadecimal digits, NULL where there is none.
ALTER TABLE requests ADD COLUMN shape TEXT;
-- Why it ran without its quorum (JSON); NULL where the quorum decided.
ALTER TABLE requests ADD COLUMN basis TEXT;

CREATE INDEX requests_by_shape ON requests (database_name, shape, created_at DESC) WHERE shape IS NOT NULL;

CREATE TRIGGER requests_asked_terms BEFORE UPDATE OF
    quorum, self_approval, justification, ticket, shape, basis
ON requests
BEGIN
    SELECT RAISE(ABORT, 'what was asked cannot be changed');
END;

-- What somebody said afterwards to a statement that ran because its requester broke the glass.
CREATE TABLE followups (
    request_id  TEXT    NOT NULL PRIMARY KEY REFERENCES requests (id) ON DELETE CASCADE,
    reviewer    TEXT    NOT NULL,
    group_names TEXT    NOT NULL,
    verdict     TEXT    NOT NULL CHECK (verdict IN ('approve', 'reject')),
    comment     TEXT    NOT NULL,
    at          INTEGER NOT NULL
) STRICT;
CREATE INDEX requests_to_review ON requests (created_at DESC, id DESC) WHERE basis = '{"kind":"break_glass"}';

-- What may run without being held, for a while: a time window for one person, or statements of one shape.
CREATE TABLE grants (
    id            TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 12),
    kind          TEXT    NOT NULL CHECK (kind IN ('window', 'shape')),
    state         TEXT    NOT NULL CHECK (state IN (
        'pending', 'active', 'rejected', 'expired', 'withdrawn', 'revoked', 'ended')),
    database_name TEXT    NOT NULL,
    -- Whose statements: a user's, or those of a group's members.
    holder_kind   TEXT    NOT NULL CHECK (holder_kind IN ('user', 'group')),
    holder        TEXT    NOT NULL,
    -- JSON: what they may do.
    scope         TEXT    NOT NULL,
    shape         TEXT    CHECK ((shape IS NOT NULL) = (kind = 'shape')),
    justification TEXT,
    ticket        TEXT,
    -- For how long, microseconds; approvers may shorten it.
    length        INTEGER NOT NULL CHECK (length > 0),
    -- How often; NULL: as often as is wanted.
    times         INTEGER CHECK (times > 0),
    used          INTEGER NOT NULL DEFAULT 0 CHECK (used >= 0 AND (times IS NULL OR used <= times)),
    rule          TEXT    NOT NULL,
    quorum        TEXT    NOT NULL,
    group_names   TEXT    NOT NULL,
    self_approval INTEGER NOT NULL CHECK (self_approval IN (0, 1)),
    asked_by      TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    starts_at     INTEGER CHECK ((starts_at IS NOT NULL) = (state IN ('active', 'revoked', 'ended'))),
    ends_at       INTEGER CHECK ((ends_at IS NULL) = (starts_at IS NULL)),
    settled_at    INTEGER CHECK ((settled_at IS NULL) = (state IN ('pending', 'active'))),
    -- Who took it back, and why.
    settled_by    TEXT,
    note          TEXT
) STRICT;
CREATE INDEX grants_newest ON grants (created_at DESC, id DESC);
CREATE INDEX grants_active ON grants (database_name, ends_at) WHERE state = 'active';
CREATE INDEX grants_pending ON grants (expires_at) WHERE state = 'pending';

CREATE TRIGGER grants_transition BEFORE UPDATE OF state ON grants
WHEN NOT (
       (OLD.state = 'pending' AND NEW.state IN ('active', 'rejected', 'expired', 'withdrawn'))
    OR (OLD.state = 'active'  AND NEW.state IN ('revoked', 'ended'))
)
BEGIN
    SELECT RAISE(ABORT, 'a grant cannot go from this state to that one');
END;
CREATE TRIGGER grants_asked BEFORE UPDATE OF
    id, kind, database_name, holder_kind, holder, scope, shape, justification, ticket, times, rule, quorum,
    group_names, self_approval, asked_by, created_at, expires_at
ON grants
BEGIN
    SELECT RAISE(ABORT, 'what was asked cannot be changed');
END;
-- It may be made shorter, never longer.
CREATE TRIGGER grants_length BEFORE UPDATE OF length ON grants WHEN NEW.length > OLD.length
BEGIN
    SELECT RAISE(ABORT, 'a grant cannot be made longer');
END;

CREATE TABLE grant_reviews (
    id          INTEGER NOT NULL PRIMARY KEY,
    grant_id    TEXT    NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    reviewer    TEXT    NOT NULL,
    group_names TEXT    NOT NULL,
    verdict     TEXT    NOT NULL CHECK (verdict IN ('approve', 'reject')),
    comment     TEXT    NOT NULL,
    at          INTEGER NOT NULL,
    UNIQUE (grant_id, reviewer, verdict)
) STRICT;

-- A statement as an approver has changed it. Approvals from before a change count no more.
CREATE TABLE edits (
    id             INTEGER NOT NULL PRIMARY KEY,
    request_id     TEXT    NOT NULL REFERENCES requests (id) ON DELETE CASCADE,
    editor         TEXT    NOT NULL,
    statement      TEXT    NOT NULL,
    digest         BLOB    NOT NULL CHECK (length(digest) = 32),
    command        TEXT    NOT NULL,
    effect         TEXT    NOT NULL,
    comment        TEXT    NOT NULL,
    -- How many reviews there were before it.
    reviews_before INTEGER NOT NULL CHECK (reviews_before >= 0),
    at             INTEGER NOT NULL
) STRICT;
CREATE INDEX edits_by_request ON edits (request_id);
CREATE TRIGGER edits_no_update BEFORE UPDATE ON edits
BEGIN
    SELECT RAISE(ABORT, 'an edit cannot be changed');
END;

-- One person may approve a statement, and again what somebody made of it.
CREATE TABLE reviews_with_edits (
    id          INTEGER NOT NULL PRIMARY KEY,
    request_id  TEXT    NOT NULL REFERENCES requests (id) ON DELETE CASCADE,
    reviewer    TEXT    NOT NULL,
    group_names TEXT    NOT NULL,
    verdict     TEXT    NOT NULL CHECK (verdict IN ('approve', 'reject')),
    comment     TEXT    NOT NULL,
    at          INTEGER NOT NULL,
    -- How often the statement had been changed by then.
    edits       INTEGER NOT NULL DEFAULT 0,
    UNIQUE (request_id, edits, reviewer, verdict)
) STRICT;
INSERT INTO reviews_with_edits (id, request_id, reviewer, group_names, verdict, comment, at)
    SELECT id, request_id, reviewer, group_names, verdict, comment, at FROM reviews;
DROP TABLE reviews;
ALTER TABLE reviews_with_edits RENAME TO reviews;
