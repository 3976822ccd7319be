-- Times are microseconds since 1970-01-01 UTC; lists are JSON. As in SQLite, so that the store's statements are the same;
-- what is ordered by is ordered by its bytes.

CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0];
END
$$;

-- The elements of a list, by SQLite's name for it.
CREATE FUNCTION json_each(list text) RETURNS TABLE (value text) LANGUAGE sql IMMUTABLE STRICT
    AS $$ SELECT json_array_elements_text(list::json) $$;

-- The proxies that share this store. One whose beats stand still is no more.
CREATE TABLE proxies (
    id         TEXT   NOT NULL PRIMARY KEY COLLATE "C",
    console    TEXT   NOT NULL,
    started_at BIGINT NOT NULL,
    beats      BIGINT NOT NULL
);

CREATE TABLE requests (
    id               TEXT    NOT NULL PRIMARY KEY COLLATE "C" CHECK (length(id) = 12),
    state            TEXT    NOT NULL CHECK (state IN (
        'pending', 'approved', 'running', 'executed', 'failed',
        'rejected', 'expired', 'withdrawn', 'abandoned', 'denied')),
    -- Why it was withdrawn, abandoned or denied.
    note             TEXT    CHECK ((note IS NOT NULL) = (state IN ('withdrawn', 'abandoned', 'denied'))),
    -- JSON; what came of running it.
    outcome          TEXT    CHECK ((outcome IS NOT NULL) = (state IN ('executed', 'failed'))),
    settled_at       BIGINT  CHECK ((settled_at IS NULL) = (state IN ('pending', 'approved', 'running'))),
    database_name    TEXT    NOT NULL,
    user_name        TEXT    NOT NULL,
    application_name TEXT    NOT NULL,
    client_addr      TEXT    NOT NULL,
    in_transaction   BOOLEAN NOT NULL,
    statement        TEXT    NOT NULL,
    parameters       TEXT    NOT NULL,
    digest           BYTEA   NOT NULL CHECK (length(digest) = 32),
    command          TEXT    NOT NULL,
    effect           TEXT    NOT NULL,
    tables           TEXT    NOT NULL,
    functions        TEXT    NOT NULL,
    signals          TEXT    NOT NULL,
    unfiltered       BOOLEAN NOT NULL,
    rule             TEXT    NOT NULL,
    group_names      TEXT    NOT NULL,
    created_at       BIGINT  NOT NULL,
    expires_at       BIGINT  NOT NULL,
    -- Since when the transaction block has been open in which the statement is held; NULL where there is none.
    transaction_since BIGINT,
    -- The seats to be filled, each a list of groups (JSON).
    quorum           TEXT    NOT NULL,
    -- Whether the requester may be among those who approve.
    self_approval    BOOLEAN NOT NULL,
    justification    TEXT,
    ticket           TEXT,
    -- What the statement is when its constants are masked; 64 hexadecimal digits, NULL where there is none.
    shape            TEXT,
    -- Why it ran without its quorum (JSON); NULL where the quorum decided.
    basis            TEXT,
    -- What the request's session sent before it, oldest first (JSON).
    earlier          TEXT    NOT NULL,
    -- The proxy that holds it: each says its name on its connections.
    proxy            TEXT    NOT NULL COLLATE "C" DEFAULT current_setting('holdpoint.proxy') CHECK (proxy <> '')
);

-- The history, newest first; and the same for one state (the queue).
CREATE INDEX requests_newest ON requests (created_at DESC, id DESC);
CREATE INDEX requests_by_state ON requests (state, created_at DESC, id DESC);
CREATE INDEX requests_due ON requests (expires_at, id) WHERE state = 'pending';
CREATE INDEX requests_by_shape ON requests (database_name, shape, created_at DESC) WHERE shape IS NOT NULL;
CREATE INDEX requests_to_review ON requests (created_at DESC, id DESC) WHERE basis = '{"kind":"break_glass"}';

-- model::StateKind::may_become, once more: not even a faulty release can run what nobody approved.
CREATE TRIGGER requests_transition BEFORE UPDATE OF state ON requests FOR EACH ROW
WHEN (NOT (
       (OLD.state = 'pending'  AND NEW.state IN ('approved', 'rejected', 'expired', 'withdrawn', 'abandoned'))
    OR (OLD.state = 'approved' AND NEW.state IN ('running', 'withdrawn', 'abandoned'))
    OR (OLD.state = 'running'  AND NEW.state IN ('executed', 'failed', 'abandoned'))
))
EXECUTE FUNCTION refuse('a request cannot go from this state to that one');

-- What was asked never changes after it was recorded.
CREATE TRIGGER requests_asked BEFORE UPDATE OF
    id, database_name, user_name, application_name, client_addr, in_transaction, statement, parameters,
    digest, command, effect, tables, functions, signals, unfiltered, rule, group_names, created_at, expires_at,
    transaction_since, quorum, self_approval, justification, ticket, shape, basis, earlier, proxy
ON requests FOR EACH ROW EXECUTE FUNCTION refuse('what was asked cannot be changed');

CREATE TABLE edits (
    id             BIGINT  NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_id     TEXT    NOT NULL COLLATE "C" REFERENCES requests (id) ON DELETE CASCADE,
    editor         TEXT    NOT NULL,
    statement      TEXT    NOT NULL,
    digest         BYTEA   NOT NULL CHECK (length(digest) = 32),
    command        TEXT    NOT NULL,
    effect         TEXT    NOT NULL,
    comment        TEXT    NOT NULL,
    -- How many reviews there were before it.
    reviews_before BIGINT  NOT NULL CHECK (reviews_before >= 0),
    at             BIGINT  NOT NULL
);
CREATE INDEX edits_by_request ON edits (request_id);
CREATE TRIGGER edits_no_update BEFORE UPDATE ON edits FOR EACH ROW
EXECUTE FUNCTION refuse('an edit cannot be changed');

CREATE TABLE reviews (
    id          BIGINT  NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_id  TEXT    NOT NULL COLLATE "C" REFERENCES requests (id) ON DELETE CASCADE,
    reviewer    TEXT    NOT NULL,
    group_names TEXT    NOT NULL,
    verdict     TEXT    NOT NULL CHECK (verdict IN ('approve', 'reject')),
    comment     TEXT    NOT NULL,
    at          BIGINT  NOT NULL,
    -- How often the statement had been changed by then.
    edits       BIGINT  NOT NULL DEFAULT 0,
    UNIQUE (request_id, edits, reviewer, verdict)
);

-- What somebody said afterwards to a statement that ran because its requester broke the glass.
CREATE TABLE followups (
    request_id  TEXT    NOT NULL PRIMARY KEY COLLATE "C" REFERENCES requests (id) ON DELETE CASCADE,
    reviewer    TEXT    NOT NULL,
    group_names TEXT    NOT NULL,
    verdict     TEXT    NOT NULL CHECK (verdict IN ('approve', 'reject')),
    comment     TEXT    NOT NULL,
    at          BIGINT  NOT NULL
);

-- What may run without being held, for a while: a time window for one person, or statements of one shape.
CREATE TABLE grants (
    id            TEXT    NOT NULL PRIMARY KEY COLLATE "C" CHECK (length(id) = 12),
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
    length        BIGINT  NOT NULL CHECK (length > 0),
    -- How often; NULL: as often as is wanted.
    times         BIGINT  CHECK (times > 0),
    used          BIGINT  NOT NULL DEFAULT 0 CHECK (used >= 0 AND (times IS NULL OR used <= times)),
    rule          TEXT    NOT NULL,
    quorum        TEXT    NOT NULL,
    group_names   TEXT    NOT NULL,
    self_approval BOOLEAN NOT NULL,
    asked_by      TEXT    NOT NULL,
    created_at    BIGINT  NOT NULL,
    expires_at    BIGINT  NOT NULL,
    starts_at     BIGINT  CHECK ((starts_at IS NOT NULL) = (state IN ('active', 'revoked', 'ended'))),
    ends_at       BIGINT  CHECK ((ends_at IS NULL) = (starts_at IS NULL)),
    settled_at    BIGINT  CHECK ((settled_at IS NULL) = (state IN ('pending', 'active'))),
    -- Who took it back, and why.
    settled_by    TEXT,
    note          TEXT,
    -- How many rows a statement under a standing approval may change; NULL: as many as it changes.
    max_rows      BIGINT  CHECK (max_rows IS NULL OR (max_rows > 0 AND kind = 'shape'))
);
CREATE INDEX grants_newest ON grants (created_at DESC, id DESC);
CREATE INDEX grants_active ON grants (database_name, ends_at) WHERE state = 'active';
CREATE INDEX grants_pending ON grants (expires_at) WHERE state = 'pending';

CREATE TRIGGER grants_transition BEFORE UPDATE OF state ON grants FOR EACH ROW
WHEN (NOT (
       (OLD.state = 'pending' AND NEW.state IN ('active', 'rejected', 'expired', 'withdrawn'))
    OR (OLD.state = 'active'  AND NEW.state IN ('revoked', 'ended'))
))
EXECUTE FUNCTION refuse('a grant cannot go from this state to that one');
CREATE TRIGGER grants_asked BEFORE UPDATE OF
    id, kind, database_name, holder_kind, holder, scope, shape, justification, ticket, times, rule, quorum,
    group_names, self_approval, asked_by, created_at, expires_at, max_rows
ON grants FOR EACH ROW EXECUTE FUNCTION refuse('what was asked cannot be changed');
-- It may be made shorter, never longer.
CREATE TRIGGER grants_length BEFORE UPDATE OF length ON grants FOR EACH ROW WHEN (NEW.length > OLD.length)
EXECUTE FUNCTION refuse('a grant cannot be made longer');

CREATE TABLE grant_reviews (
    id          BIGINT  NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    grant_id    TEXT    NOT NULL COLLATE "C" REFERENCES grants (id) ON DELETE CASCADE,
    reviewer    TEXT    NOT NULL,
    group_names TEXT    NOT NULL,
    verdict     TEXT    NOT NULL CHECK (verdict IN ('approve', 'reject')),
    comment     TEXT    NOT NULL,
    at          BIGINT  NOT NULL,
    UNIQUE (grant_id, reviewer, verdict)
);

CREATE TABLE users (
    name           TEXT    NOT NULL PRIMARY KEY COLLATE "C",
    group_names    TEXT    NOT NULL,
    admin          BOOLEAN NOT NULL,
    scram_verifier TEXT    NOT NULL,
    disabled       BOOLEAN NOT NULL,
    created_at     BIGINT  NOT NULL
);

CREATE TABLE api_tokens (
    token_hash BYTEA  NOT NULL PRIMARY KEY CHECK (length(token_hash) = 32),
    user_name  TEXT   NOT NULL COLLATE "C" REFERENCES users (name) ON DELETE CASCADE,
    created_at BIGINT NOT NULL
);
CREATE INDEX api_tokens_by_user ON api_tokens (user_name);

CREATE TABLE web_sessions (
    token_hash BYTEA  NOT NULL PRIMARY KEY CHECK (length(token_hash) = 32),
    user_name  TEXT   NOT NULL COLLATE "C" REFERENCES users (name) ON DELETE CASCADE,
    csrf       TEXT   NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX web_sessions_by_user ON web_sessions (user_name);
CREATE INDEX web_sessions_by_end ON web_sessions (expires_at);

-- Secrets of this installation, made when the database is first opened.
CREATE TABLE secrets (
    name  TEXT  NOT NULL PRIMARY KEY,
    value BYTEA NOT NULL
);

-- One row, changed to learn whether the store can be written.
CREATE TABLE liveness (
    id     INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    checks BIGINT  NOT NULL
);
INSERT INTO liveness (id, checks) VALUES (1, 0);

-- What was let pass and observed, counted by the hour: a statement that a program asks a thousand times a second is
-- one row an hour. Hours are counted from 1970-01-01 UTC. The statements carry their literals.
CREATE TABLE observations (
    -- Grows, so that last − first is a bound on how many rows there are.
    id               BIGINT  NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hour             BIGINT  NOT NULL,
    -- SHA-256 over everything that follows, up to `rules`.
    digest           BYTEA   NOT NULL CHECK (length(digest) = 32),
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
    sightings        BIGINT  NOT NULL CHECK (sightings > 0),
    first_seen       BIGINT  NOT NULL,
    last_seen        BIGINT  NOT NULL CHECK (last_seen >= first_seen),
    UNIQUE (hour, digest)
);

-- What happened, in the order in which it was committed: writers follow one another. Rows are only ever added.
CREATE TABLE audit_events (
    id         BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         BIGINT NOT NULL,
    kind       TEXT   NOT NULL,
    -- The request, where the event is about one.
    request_id TEXT   COLLATE "C",
    -- Who did it; NULL is holdpoint itself or its command line.
    actor      TEXT,
    detail     TEXT   NOT NULL
);
CREATE INDEX audit_events_by_request ON audit_events (request_id) WHERE request_id IS NOT NULL;

CREATE TRIGGER audit_events_only_grow BEFORE UPDATE OR DELETE ON audit_events FOR EACH ROW
EXECUTE FUNCTION refuse('audit_events is append-only');
CREATE TRIGGER audit_events_not_emptied BEFORE TRUNCATE ON audit_events FOR EACH STATEMENT
EXECUTE FUNCTION refuse('audit_events is append-only');

-- A statement that an approver at one proxy would have run in the place of a held one: the proxy that holds the session says
-- whether it can run there. Rows go with the answer, or with the request.
CREATE TABLE proposals (
    id         BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_id TEXT   NOT NULL COLLATE "C" REFERENCES requests (id) ON DELETE CASCADE,
    statement  TEXT   NOT NULL,
    -- JSON; NULL while it is not answered.
    answer     TEXT
);

-- What changes is told to the proxies that listen, with the name of the one that has changed it: "PROXY ID".
CREATE FUNCTION tell(changed text) RETURNS void LANGUAGE sql AS $$
    SELECT pg_notify('holdpoint', coalesce(current_setting('holdpoint.proxy', true), '') || ' ' || changed)
$$;
CREATE FUNCTION tell_id() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tell(NEW.id);
    RETURN NULL;
END
$$;
CREATE FUNCTION tell_request() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tell(NEW.request_id);
    RETURN NULL;
END
$$;
CREATE FUNCTION tell_grant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tell(NEW.grant_id);
    RETURN NULL;
END
$$;
-- "PROXY ?ID" is a question to who holds the session, "PROXY !ID" its answer.
CREATE FUNCTION tell_proposal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tell(TG_ARGV[0] || NEW.id);
    RETURN NULL;
END
$$;
CREATE TRIGGER proposals_ask AFTER INSERT ON proposals FOR EACH ROW EXECUTE FUNCTION tell_proposal('?');
CREATE TRIGGER proposals_answer AFTER UPDATE OF answer ON proposals FOR EACH ROW EXECUTE FUNCTION tell_proposal('!');
CREATE TRIGGER requests_tell AFTER INSERT OR UPDATE ON requests FOR EACH ROW EXECUTE FUNCTION tell_id();
CREATE TRIGGER grants_tell AFTER INSERT OR UPDATE ON grants FOR EACH ROW EXECUTE FUNCTION tell_id();
CREATE TRIGGER edits_tell AFTER INSERT ON edits FOR EACH ROW EXECUTE FUNCTION tell_request();
CREATE TRIGGER reviews_tell AFTER INSERT ON reviews FOR EACH ROW EXECUTE FUNCTION tell_request();
CREATE TRIGGER followups_tell AFTER INSERT ON followups FOR EACH ROW EXECUTE FUNCTION tell_request();
CREATE TRIGGER grant_reviews_tell AFTER INSERT ON grant_reviews FOR EACH ROW EXECUTE FUNCTION tell_grant();
