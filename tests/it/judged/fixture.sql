-- The database in which the texts of corpus.txt run: tables with a little data, honest objects, and traps. A trap
-- looks like part of a read and writes a line to audit_log, or does something else that outlives the text.
--
-- Run once by a superuser, in an empty database `judged` that the role `app` owns. Everything belongs to app
-- unless it takes a superuser. Nothing but plpgsql and the server itself is needed.

SET client_min_messages = warning;
SET search_path = public;

-- Of the cluster, not of the database: roles that texts may change without locking anybody out.
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'trap_role') THEN CREATE ROLE trap_role; END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'trap_other') THEN CREATE ROLE trap_other; END IF;
END $$;
GRANT trap_role TO app;

SET ROLE app;

-- ---------------------------------------------------------------- Data

CREATE TYPE order_status AS ENUM ('new', 'paid', 'shipped');
CREATE TABLE accounts (
    id      int PRIMARY KEY,
    owner   text NOT NULL,
    balance numeric NOT NULL,
    opened  date NOT NULL,
    tags    text[] NOT NULL DEFAULT '{}',
    profile jsonb NOT NULL DEFAULT '{}'
);
INSERT INTO accounts VALUES
    (1, 'ann', 10.50, '2026-01-01', '{a,b}', '{"age": 30, "city": "Bern"}'),
    (2, 'bob', 20.00, '2026-01-02', '{b}', '{"age": 40, "likes": ["x", "y"]}'),
    (3, 'eve', 0.00, '2026-02-01', '{}', '{}');
CREATE TABLE orders (
    id         int PRIMARY KEY,
    account_id int NOT NULL REFERENCES accounts,
    amount     numeric NOT NULL,
    quantity   int NOT NULL DEFAULT 1,
    status     order_status NOT NULL DEFAULT 'new',
    placed     timestamptz NOT NULL,
    during     tstzrange,
    words      tsvector
);
INSERT INTO orders
SELECT g, 1 + g % 3, g * 1.5, g, (enum_range(NULL::order_status))[1 + g % 3], timestamptz '2026-03-01 00:00+00' + g * interval '1 day',
    tstzrange('2026-03-01', timestamptz '2026-03-01' + g * interval '1 day'), to_tsvector('simple', 'order number ' || g)
FROM generate_series(1, 12) g;
CREATE TABLE secrets (name text PRIMARY KEY, value text NOT NULL);
INSERT INTO secrets VALUES ('door', '1234'), ('safe', '9876');
CREATE TABLE employees (id int PRIMARY KEY, name text NOT NULL, boss int REFERENCES employees);
INSERT INTO employees VALUES (1, 'ada', NULL), (2, 'ben', 1), (3, 'cem', 1), (4, 'dot', 2);
CREATE TABLE people (id int PRIMARY KEY, nick varchar(20) NOT NULL);
INSERT INTO people VALUES (1, 'Ann'), (2, 'Bob');
CREATE TABLE docs (id int PRIMARY KEY, body xml, blob bytea);
INSERT INTO docs VALUES (1, '<a><b>1</b><b>2</b></a>', '\x0102');
CREATE TABLE audit_log (what text NOT NULL);
CREATE SEQUENCE ticket;
SELECT nextval('ticket');
CREATE TABLE parent (id int, note text);
CREATE TABLE child (extra int) INHERITS (parent);
INSERT INTO parent VALUES (1, 'p');
INSERT INTO child VALUES (2, 'c', 3);
CREATE TABLE parted (id int NOT NULL, at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE parted_2025 PARTITION OF parted FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE parted_2026 PARTITION OF parted FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO parted VALUES (1, '2025-05-05'), (2, '2026-05-05');

-- ---------------------------------------------------------------- Functions that write

CREATE FUNCTION note(what text) RETURNS int LANGUAGE plpgsql AS $$
BEGIN INSERT INTO public.audit_log VALUES (what); RETURN 1; END $$;
CREATE FUNCTION note_sql(what text) RETURNS int LANGUAGE sql AS
$$ INSERT INTO public.audit_log VALUES (what) RETURNING 1 $$;
CREATE FUNCTION note_atomic(what text) RETURNS int LANGUAGE sql
BEGIN ATOMIC INSERT INTO public.audit_log VALUES (what) RETURNING 1; END;
CREATE FUNCTION note_void() RETURNS void LANGUAGE sql AS $$ INSERT INTO public.audit_log VALUES ('void') $$;
CREATE FUNCTION refund(account int) RETURNS int LANGUAGE sql AS
$$ UPDATE public.accounts SET balance = balance + 1 WHERE id = account RETURNING id $$;
CREATE FUNCTION note_true(value anyelement) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN PERFORM public.note('note_true'); RETURN true; END $$;
CREATE FUNCTION note_rows() RETURNS SETOF int LANGUAGE plpgsql AS $$
BEGIN PERFORM public.note('rows'); RETURN QUERY SELECT 1 UNION ALL SELECT 2; END $$;
CREATE FUNCTION note_table() RETURNS TABLE (a int, b text) LANGUAGE sql AS
$$ INSERT INTO public.audit_log VALUES ('table') RETURNING 1, 'x' $$;
CREATE FUNCTION note_accounts() RETURNS SETOF accounts LANGUAGE sql AS
$$ UPDATE public.accounts SET balance = balance + 1 RETURNING * $$;
CREATE FUNCTION note_all(VARIADIC texts text[]) RETURNS int LANGUAGE sql AS $$ SELECT public.note(texts[1]) $$;
CREATE FUNCTION note_as_owner() RETURNS int LANGUAGE sql SECURITY DEFINER AS $$ SELECT public.note('definer') $$;
CREATE FUNCTION note_and_set() RETURNS int LANGUAGE sql SET work_mem = '1MB' AS $$ SELECT public.note('set') $$;
CREATE FUNCTION run_text(command text) RETURNS int LANGUAGE plpgsql AS
$$ BEGIN EXECUTE command; RETURN 1; END $$;
CREATE FUNCTION note_or_default(a int DEFAULT 1, b text DEFAULT 'b') RETURNS int LANGUAGE sql AS
$$ SELECT public.note(b) $$;
CREATE PROCEDURE note_procedure(what text DEFAULT 'procedure') LANGUAGE sql AS
$$ INSERT INTO public.audit_log VALUES (what) $$;
CREATE PROCEDURE commit_procedure() LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO public.audit_log VALUES ('committed'); COMMIT; RAISE 'after'; END $$;

-- Lies: they say STABLE or IMMUTABLE and call what writes.
CREATE FUNCTION stable_lie(n int) RETURNS int STABLE LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('stable_lie'); RETURN n; END $$;
CREATE FUNCTION stable_lie_sql(n int) RETURNS int STABLE LANGUAGE sql AS $$ SELECT public.note('stable_lie_sql') + n $$;
CREATE FUNCTION stable_lie_atomic(n int) RETURNS int STABLE LANGUAGE sql RETURN public.note('stable_lie_atomic') + n;
CREATE FUNCTION immutable_lie(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('immutable_lie'); RETURN n; END $$;
CREATE FUNCTION immutable_lie_sql(n int) RETURNS int IMMUTABLE LANGUAGE sql AS
$$ SELECT public.note('immutable_lie_sql') + n $$;
CREATE FUNCTION deep_lie(n int) RETURNS int IMMUTABLE PARALLEL SAFE LANGUAGE sql AS $$ SELECT public.stable_lie(n) $$;
CREATE FUNCTION dynamic_lie(command text) RETURNS int STABLE LANGUAGE plpgsql AS
$$ DECLARE n int; BEGIN EXECUTE command INTO n; RETURN n; END $$;
CREATE FUNCTION hidden_lie(n int) RETURNS int STABLE LANGUAGE plpgsql AS
$$ DECLARE r int; BEGIN EXECUTE 'SELECT public.no' || 'te(''hidden'')' INTO r; RETURN n; END $$;
CREATE FUNCTION lying_true(n int) RETURNS boolean STABLE COST 0.1 LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('lying_true'); RETURN true; END $$;
CREATE FUNCTION lying_rows() RETURNS SETOF int STABLE ROWS 2 LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('lying_rows'); RETURN NEXT 1; RETURN NEXT 2; END $$;

-- STABLE, and none of them writes a table.
CREATE FUNCTION stable_notify() RETURNS int STABLE LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_notify('trap_a', 'stable'); RETURN 1; END $$;
CREATE FUNCTION stable_lock() RETURNS int STABLE LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_advisory_lock(4711); RETURN 1; END $$;
CREATE FUNCTION stable_setting() RETURNS text STABLE LANGUAGE sql AS
$$ SELECT set_config('work_mem', '2MB', false) $$;
CREATE FUNCTION stable_role() RETURNS text STABLE LANGUAGE sql AS $$ SELECT set_config('role', 'trap_role', false) $$;
CREATE FUNCTION stable_path() RETURNS text STABLE LANGUAGE sql AS
$$ SELECT set_config('search_path', 'evil, pg_catalog, public', false) $$;
CREATE FUNCTION stable_sequence() RETURNS bigint STABLE LANGUAGE sql AS $$ SELECT nextval('public.ticket') $$;
CREATE FUNCTION stable_blob() RETURNS oid STABLE LANGUAGE sql AS $$ SELECT lo_create(0) $$;
CREATE FUNCTION stable_xml() RETURNS xml STABLE LANGUAGE sql AS
$$ SELECT query_to_xml('SELECT public.note(''xml'')', true, true, '') $$;
CREATE FUNCTION stable_kill() RETURNS int STABLE LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sentinel'; RETURN 1; END $$;

-- ---------------------------------------------------------------- Honest functions

CREATE FUNCTION vat(n numeric) RETURNS numeric IMMUTABLE LANGUAGE sql AS $$ SELECT n * 0.2 $$;
CREATE FUNCTION vat_atomic(n numeric) RETURNS numeric IMMUTABLE LANGUAGE sql RETURN n * 0.2;
CREATE FUNCTION order_total(account int) RETURNS numeric STABLE LANGUAGE sql AS
$$ SELECT sum(amount) FROM public.orders WHERE account_id = account $$;
CREATE FUNCTION order_total_plpgsql(account int) RETURNS numeric STABLE LANGUAGE plpgsql AS
$$ BEGIN RETURN (SELECT sum(amount) FROM public.orders WHERE account_id = account); END $$;
CREATE FUNCTION greeting(name text DEFAULT 'you') RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT 'hello ' || name $$;
CREATE FUNCTION account_orders(account int) RETURNS SETOF orders STABLE LANGUAGE sql AS
$$ SELECT * FROM public.orders WHERE account_id = account $$;
CREATE FUNCTION initial(account accounts) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT substr(account.owner, 1, 1) $$;
CREATE AGGREGATE product(numeric) (SFUNC = numeric_mul, STYPE = numeric, INITCOND = '1');

-- Honest themselves; what is around them is not.
CREATE FUNCTION echo(n int DEFAULT public.note('default')) RETURNS int IMMUTABLE LANGUAGE sql AS $$ SELECT n $$;
CREATE FUNCTION helper() RETURNS int IMMUTABLE LANGUAGE sql AS $$ SELECT 1 $$;
CREATE FUNCTION calls_helper() RETURNS int STABLE LANGUAGE sql AS $$ SELECT helper() $$;
CREATE FUNCTION calls_helper_plpgsql() RETURNS int STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN helper(); END $$;

-- Named like PostgreSQL's own, with other argument types.
CREATE FUNCTION lower(value varchar) RETURNS text STABLE LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('lower'); RETURN pg_catalog.lower(value::text); END $$;
CREATE FUNCTION "substring"(value varchar, n int) RETURNS text LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('substring'); RETURN pg_catalog.substring(value::text, n); END $$;
CREATE FUNCTION concat(a text, b text) RETURNS text LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('concat'); RETURN a || b; END $$;
CREATE FUNCTION "coalesce"(a int, b int) RETURNS int LANGUAGE sql AS $$ SELECT public.note('coalesce') $$;

-- Calls on this server, syntax on newer ones.
CREATE FUNCTION json_scalar(value int) RETURNS json LANGUAGE sql AS $$ SELECT to_json(public.note('json_scalar')) $$;
CREATE FUNCTION json_exists(value jsonb, path text) RETURNS boolean LANGUAGE sql AS
$$ SELECT public.note('json_exists') = 1 $$;
CREATE FUNCTION json_value(value jsonb, path text) RETURNS int LANGUAGE sql AS $$ SELECT public.note('json_value') $$;
CREATE FUNCTION json_query(value jsonb, path text) RETURNS int LANGUAGE sql AS $$ SELECT public.note('json_query') $$;
CREATE FUNCTION json_serialize(value json) RETURNS text LANGUAGE sql AS $$ SELECT public.note('json_serialize')::text $$;
CREATE FUNCTION json_array(a int, b int) RETURNS int LANGUAGE sql AS $$ SELECT public.note('json_array') $$;
CREATE FUNCTION json_array() RETURNS int LANGUAGE sql AS $$ SELECT public.note('json_array') $$;
CREATE FUNCTION json_object() RETURNS int LANGUAGE sql AS $$ SELECT public.note('json_object') $$;
CREATE FUNCTION json_object(a int, b int) RETURNS int LANGUAGE sql AS $$ SELECT public.note('json_object') $$;
CREATE FUNCTION json_arrayagg(a int) RETURNS int LANGUAGE sql AS $$ SELECT public.note('json_arrayagg') $$;
CREATE FUNCTION json(a text) RETURNS int LANGUAGE sql AS $$ SELECT public.note('json') $$;
CREATE FUNCTION merge_action() RETURNS int LANGUAGE sql AS $$ SELECT public.note('merge_action') $$;
CREATE FUNCTION any_value(a int) RETURNS int LANGUAGE sql AS $$ SELECT public.note('any_value') $$;
CREATE FUNCTION date_add(a date, b interval) RETURNS int LANGUAGE sql AS $$ SELECT public.note('date_add') $$;
CREATE VIEW system_user AS SELECT public.note('system_user') AS n;

-- Column-style: `a.balance_due` of a row of accounts.
CREATE FUNCTION balance_due(account accounts) RETURNS int STABLE LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('balance_due'); RETURN account.id; END $$;
CREATE FUNCTION audit(account accounts) RETURNS int LANGUAGE sql AS $$ SELECT public.note('audit') $$;
CREATE FUNCTION doubled(n int) RETURNS int LANGUAGE sql AS $$ SELECT public.note('doubled') $$;
CREATE FUNCTION any_row(r record) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN public.note('any_row'); END $$;

-- ---------------------------------------------------------------- Operators

CREATE FUNCTION note_operator(a int, b int) RETURNS boolean LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('operator'); RETURN a = b; END $$;
CREATE OPERATOR <~> (LEFTARG = int, RIGHTARG = int, FUNCTION = note_operator);
CREATE FUNCTION note_prefix(a int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('prefix'); RETURN a; END $$;
CREATE OPERATOR @# (RIGHTARG = int, FUNCTION = note_prefix);
CREATE FUNCTION distance(a int, b int) RETURNS int IMMUTABLE LANGUAGE sql AS $$ SELECT abs(a - b) $$;
CREATE OPERATOR <=> (LEFTARG = int, RIGHTARG = int, FUNCTION = distance);

-- A type of which every comparison writes.
CREATE TYPE weight AS (grams int);
CREATE FUNCTION weight_cmp(a weight, b weight) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('weight_cmp'); RETURN a.grams - b.grams; END $$;
CREATE FUNCTION weight_lt(a weight, b weight) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('weight_lt'); RETURN a.grams < b.grams; END $$;
CREATE FUNCTION weight_le(a weight, b weight) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('weight_le'); RETURN a.grams <= b.grams; END $$;
CREATE FUNCTION weight_eq(a weight, b weight) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('weight_eq'); RETURN a.grams = b.grams; END $$;
CREATE FUNCTION weight_ne(a weight, b weight) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('weight_ne'); RETURN a.grams <> b.grams; END $$;
CREATE FUNCTION weight_ge(a weight, b weight) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('weight_ge'); RETURN a.grams >= b.grams; END $$;
CREATE FUNCTION weight_gt(a weight, b weight) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('weight_gt'); RETURN a.grams > b.grams; END $$;
CREATE FUNCTION weight_sum(a weight, b weight) RETURNS weight IMMUTABLE LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('weight_sum'); RETURN ROW(a.grams + b.grams)::public.weight; END $$;
CREATE FUNCTION weight_like(a weight, b text) RETURNS boolean LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('weight_like'); RETURN true; END $$;
CREATE FUNCTION weight_at(a weight, b text) RETURNS int LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('weight_at'); RETURN 1; END $$;
CREATE OPERATOR < (LEFTARG = weight, RIGHTARG = weight, FUNCTION = weight_lt, COMMUTATOR = >, NEGATOR = >=,
    RESTRICT = scalarltsel);
CREATE OPERATOR <= (LEFTARG = weight, RIGHTARG = weight, FUNCTION = weight_le, COMMUTATOR = >=, NEGATOR = >,
    RESTRICT = scalarlesel);
CREATE OPERATOR = (LEFTARG = weight, RIGHTARG = weight, FUNCTION = weight_eq, COMMUTATOR = =, NEGATOR = <>,
    RESTRICT = eqsel, JOIN = eqjoinsel, MERGES);
CREATE OPERATOR <> (LEFTARG = weight, RIGHTARG = weight, FUNCTION = weight_ne, COMMUTATOR = <>, NEGATOR = =);
CREATE OPERATOR >= (LEFTARG = weight, RIGHTARG = weight, FUNCTION = weight_ge, COMMUTATOR = <=, NEGATOR = <,
    RESTRICT = scalargesel);
CREATE OPERATOR > (LEFTARG = weight, RIGHTARG = weight, FUNCTION = weight_gt, COMMUTATOR = <, NEGATOR = <=,
    RESTRICT = scalargtsel);
CREATE OPERATOR + (LEFTARG = weight, RIGHTARG = weight, FUNCTION = weight_sum);
CREATE OPERATOR ~~ (LEFTARG = weight, RIGHTARG = text, FUNCTION = weight_like);
CREATE OPERATOR -> (LEFTARG = weight, RIGHTARG = text, FUNCTION = weight_at);
CREATE FUNCTION lower(value weight) RETURNS int LANGUAGE sql AS $$ SELECT public.note('lower weight') $$;
CREATE FUNCTION length(value weight) RETURNS int STABLE LANGUAGE sql AS $$ SELECT public.note('length weight') $$;
CREATE FUNCTION variance_step(a int, b weight) RETURNS int LANGUAGE sql AS $$ SELECT public.note('variance') $$;
CREATE AGGREGATE variance(weight) (SFUNC = variance_step, STYPE = int, INITCOND = '0');

-- A type that is hashed by what writes.
CREATE TYPE parcel AS (code int);
CREATE FUNCTION parcel_hash(a parcel) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('parcel_hash'); RETURN a.code; END $$;
CREATE FUNCTION parcel_eq(a parcel, b parcel) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS
$$ BEGIN RETURN a.code = b.code; END $$;
CREATE OPERATOR = (LEFTARG = parcel, RIGHTARG = parcel, FUNCTION = parcel_eq, COMMUTATOR = =, HASHES);

-- An honest type with honest operators.
CREATE TYPE celsius AS (degrees numeric);
CREATE FUNCTION celsius_eq(a celsius, b celsius) RETURNS boolean IMMUTABLE LANGUAGE sql AS
$$ SELECT a.degrees = b.degrees $$;
CREATE OPERATOR === (LEFTARG = celsius, RIGHTARG = celsius, FUNCTION = celsius_eq, COMMUTATOR = ===);
CREATE FUNCTION celsius_to_numeric(a celsius) RETURNS numeric IMMUTABLE LANGUAGE sql AS $$ SELECT a.degrees $$;
CREATE CAST (celsius AS numeric) WITH FUNCTION celsius_to_numeric(celsius) AS IMPLICIT;

-- ---------------------------------------------------------------- Casts

CREATE FUNCTION text_to_weight(a text) RETURNS weight IMMUTABLE LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('text_to_weight'); RETURN ROW(1)::public.weight; END $$;
CREATE CAST (text AS weight) WITH FUNCTION text_to_weight(text);
CREATE FUNCTION weight_to_json(a weight) RETURNS json LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('weight_to_json'); RETURN '1'; END $$;
CREATE CAST (weight AS json) WITH FUNCTION weight_to_json(weight);
-- What makes JSON looks for such a cast, and only for types that are no rows.
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE FUNCTION mood_to_json(a mood) RETURNS json LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('mood_to_json'); RETURN '1'; END $$;
CREATE CAST (mood AS json) WITH FUNCTION mood_to_json(mood);
CREATE TABLE moods (id int, m mood);
INSERT INTO moods VALUES (1, 'ok'), (2, 'happy');
CREATE TYPE label AS (t text);
CREATE FUNCTION int_to_label(a int) RETURNS label LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('int_to_label'); RETURN ROW(a::text)::public.label; END $$;
CREATE CAST (int AS label) WITH FUNCTION int_to_label(int) AS ASSIGNMENT;
CREATE TYPE code AS (n int);
CREATE FUNCTION code_to_int(a code) RETURNS int STABLE LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('code_to_int'); RETURN a.n; END $$;
CREATE CAST (code AS int) WITH FUNCTION code_to_int(code) AS IMPLICIT;
CREATE FUNCTION code_to_text(a code) RETURNS text STABLE LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('code_to_text'); RETURN a.n; END $$;
CREATE CAST (code AS text) WITH FUNCTION code_to_text(code) AS ASSIGNMENT;
CREATE TABLE codes (id int, c code, l label);
INSERT INTO codes VALUES (1, ROW(1), ROW('a')), (2, ROW(2), ROW('b'));
CREATE FUNCTION int_to_macaddr(a int) RETURNS macaddr STABLE LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('int_to_macaddr'); RETURN '08:00:2b:01:02:03'; END $$;
CREATE FUNCTION macaddr_to_int(a macaddr) RETURNS int STABLE LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('macaddr_to_int'); RETURN 1; END $$;
CREATE FUNCTION text_to_macaddr8(a text) RETURNS macaddr8 STABLE LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('text_to_macaddr8'); RETURN NULL; END $$;
CREATE TABLE machines (id int, mac macaddr, mac_text text);
INSERT INTO machines VALUES (1, '08:00:2b:01:02:03', '08:00:2b:01:02:03');

-- ---------------------------------------------------------------- Domains

CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%');
CREATE DOMAIN evil_int AS int CHECK (public.note_true(VALUE));
CREATE DOMAIN evil_text AS text CHECK (public.note_true(VALUE));
CREATE DOMAIN evil_over_evil AS evil_int;
CREATE DOMAIN evil_list AS int[] CHECK (public.note_true(VALUE));
CREATE DOMAIN list_of_evil AS evil_int[];
CREATE TYPE boxed AS (n evil_int, t text);
CREATE TYPE boxed_twice AS (b boxed);
CREATE TYPE evil_range AS RANGE (SUBTYPE = evil_int);
CREATE FUNCTION takes_domain(n evil_int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$;
CREATE FUNCTION takes_domain_inlined(n evil_int) RETURNS int IMMUTABLE LANGUAGE sql AS $$ SELECT 1 $$;
CREATE FUNCTION gives_domain(n int) RETURNS evil_int STABLE LANGUAGE sql AS $$ SELECT n $$;
CREATE FUNCTION declares_domain(n int) RETURNS int STABLE LANGUAGE plpgsql AS
$$ DECLARE x public.evil_int := n; BEGIN RETURN 1; END $$;
CREATE FUNCTION takes_positive(n positive) RETURNS int IMMUTABLE LANGUAGE sql AS $$ SELECT n + 1 $$;
CREATE TABLE boxes (id int, b boxed, n evil_int, list evil_int[]);
INSERT INTO boxes VALUES (1, ROW(1, 'x'), 1, '{1,2}');

-- ---------------------------------------------------------------- Views

CREATE VIEW balances AS SELECT id, owner, balance FROM accounts WHERE balance >= 0;
CREATE VIEW richest AS SELECT * FROM balances ORDER BY balance DESC LIMIT 1;
CREATE VIEW totals AS SELECT account_id, sum(amount) AS total, public.vat(sum(amount)) AS tax FROM orders GROUP BY account_id;
CREATE VIEW evil_view AS SELECT id, public.note('view') AS n FROM accounts;
CREATE VIEW evil_view_over AS SELECT n FROM evil_view;
CREATE VIEW evil_view_filter AS SELECT id FROM accounts WHERE public.stable_lie(id) > 0;
CREATE VIEW evil_view_operator AS SELECT id FROM accounts WHERE id <~> 1;
CREATE VIEW evil_view_cast AS SELECT 1::evil_int AS n;
CREATE VIEW evil_view_rows AS SELECT * FROM public.note_rows() AS r;
CREATE VIEW evil_view_sequence AS SELECT nextval('ticket') AS n;
CREATE VIEW evil_view_system_user AS SELECT * FROM system_user;
-- They say STABLE and call no function; the operator, the domain and the view in them do.
CREATE FUNCTION uses_operator(n int) RETURNS boolean STABLE LANGUAGE sql RETURN n <~> 1;
CREATE FUNCTION uses_operator_text(n int) RETURNS boolean STABLE LANGUAGE sql AS $$ SELECT n OPERATOR(public.<~>) 1 $$;
CREATE FUNCTION uses_domain(n int) RETURNS int STABLE LANGUAGE sql RETURN n::evil_int;
CREATE FUNCTION uses_view() RETURNS bigint STABLE LANGUAGE sql RETURN (SELECT sum(n) FROM evil_view);
CREATE FUNCTION uses_view_text() RETURNS bigint STABLE LANGUAGE sql AS $$ SELECT sum(n) FROM public.evil_view $$;
CREATE FUNCTION uses_view_plpgsql() RETURNS bigint STABLE LANGUAGE plpgsql AS
$$ BEGIN RETURN (SELECT sum(n) FROM public.evil_view); END $$;
CREATE FUNCTION uses_operator_plpgsql(n int) RETURNS boolean STABLE LANGUAGE plpgsql AS
$$ BEGIN RETURN n OPERATOR(public.<~>) 1; END $$;
CREATE FUNCTION uses_comparison(n int) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS
$$ DECLARE a public.weight := ROW(n); BEGIN RETURN a = a; END $$;
CREATE FUNCTION calls_upper(v varchar) RETURNS text STABLE LANGUAGE sql AS $$ SELECT upper(v) $$;
CREATE FUNCTION reads_accounts() RETURNS text STABLE LANGUAGE sql AS $$ SELECT max(owner::text) FROM accounts $$;
CREATE FUNCTION opens_cursor() RETURNS refcursor STABLE LANGUAGE plpgsql AS
$$ DECLARE c refcursor := 'opened'; BEGIN OPEN c FOR SELECT public.note('cursor'); RETURN c; END $$;
-- What a read-only transaction lets pass.
CREATE VIEW notifying_view AS SELECT id, public.stable_notify() AS n FROM accounts;
CREATE VIEW locking_view AS SELECT id, public.stable_lock() AS n FROM accounts;
CREATE VIEW blob_view AS SELECT id, public.stable_blob() AS n FROM accounts;
CREATE VIEW killing_view AS SELECT id, public.stable_kill() AS n FROM accounts;
CREATE VIEW role_view AS SELECT public.stable_role() AS n;
CREATE VIEW path_view AS SELECT public.stable_path() AS n;
CREATE VIEW evil_barrier WITH (security_barrier) AS SELECT id FROM accounts WHERE public.lying_true(id);
CREATE VIEW ruled AS SELECT id, owner FROM accounts;
CREATE RULE ruled_insert AS ON INSERT TO ruled DO INSTEAD INSERT INTO audit_log VALUES ('rule');
CREATE VIEW triggered AS SELECT id, owner FROM accounts;
CREATE FUNCTION note_instead() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('instead'); RETURN NEW; END $$;
CREATE TRIGGER instead INSTEAD OF INSERT OR UPDATE OR DELETE ON triggered FOR EACH ROW EXECUTE FUNCTION note_instead();
CREATE MATERIALIZED VIEW account_totals AS SELECT account_id, sum(amount) AS total FROM orders GROUP BY account_id;
CREATE MATERIALIZED VIEW evil_mv AS SELECT public.note('mv') AS n WITH NO DATA;
CREATE TABLE turned (n int);
CREATE RULE "_RETURN" AS ON SELECT TO turned DO INSTEAD SELECT public.note('turned') AS n;

-- ---------------------------------------------------------------- Tables with code around them

CREATE TABLE tickets (id int DEFAULT public.note('column default'), t text);
CREATE TABLE measured (id int, n int, twice int GENERATED ALWAYS AS (public.immutable_lie(2)) STORED);
INSERT INTO measured VALUES (1, 1), (2, 2);
CREATE INDEX measured_lie ON measured (public.immutable_lie(n));
CREATE TABLE watched (id int);
CREATE FUNCTION note_trigger() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('trigger'); RETURN NULL; END $$;
CREATE TRIGGER watch AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON watched EXECUTE FUNCTION note_trigger();
CREATE CONSTRAINT TRIGGER watch_later AFTER INSERT ON watched DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION note_trigger();
CREATE TABLE forced (id int);
INSERT INTO forced VALUES (1), (2);
ALTER TABLE forced ENABLE ROW LEVEL SECURITY;
ALTER TABLE forced FORCE ROW LEVEL SECURITY;
CREATE POLICY forced_policy ON forced USING (public.lying_true(id));
CREATE TABLE fair (id int, owner text);
INSERT INTO fair VALUES (1, 'app'), (2, 'other');
ALTER TABLE fair ENABLE ROW LEVEL SECURITY;
ALTER TABLE fair FORCE ROW LEVEL SECURITY;
CREATE POLICY fair_policy ON fair USING (owner = current_user);

-- ---------------------------------------------------------------- Aggregates

CREATE FUNCTION evil_step(a int, b int) RETURNS int STRICT LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('step'); RETURN a + b; END $$;
CREATE AGGREGATE evil_sum(int) (SFUNC = evil_step, STYPE = int, INITCOND = '0');
CREATE FUNCTION evil_final(a int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN public.note('final'); END $$;
CREATE AGGREGATE evil_end(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0', FINALFUNC = evil_final);
CREATE AGGREGATE evil_moving(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0',
    MSFUNC = evil_step, MINVFUNC = int4mi, MSTYPE = int, MINITCOND = '0');
CREATE FUNCTION evil_ordered_final(a int, b int) RETURNS int LANGUAGE plpgsql AS
$$ BEGIN RETURN public.note('ordered'); END $$;
CREATE AGGREGATE evil_ordered(int ORDER BY int) (SFUNC = int4pl, STYPE = int, INITCOND = '0', FINALFUNC = evil_ordered_final);

-- ---------------------------------------------------------------- Other schemas, other names

CREATE SCHEMA "weird schema";
CREATE TABLE "weird schema"."Weird Table" ("select" text, "a.b" int, "Ünïcödé" int, "semi;colon" int, "quo""te" int);
INSERT INTO "weird schema"."Weird Table" VALUES ('x', 1, 2, 3, 4);
CREATE FUNCTION "weird schema"."Note It"() RETURNS int LANGUAGE sql AS $$ SELECT public.note('weird') $$;
CREATE FUNCTION "SELECT"() RETURNS int LANGUAGE sql AS $$ SELECT public.note('SELECT') $$;
CREATE FUNCTION "Lower"(a text) RETURNS int LANGUAGE sql AS $$ SELECT public.note('Lower') $$;
CREATE FUNCTION "zähle"() RETURNS int LANGUAGE sql AS $$ SELECT public.note('zähle') $$;
CREATE FUNCTION "now "() RETURNS int LANGUAGE sql AS $$ SELECT public.note('now') $$;
CREATE FUNCTION "pg_catalog.now"() RETURNS int LANGUAGE sql AS $$ SELECT public.note('dotted') $$;
CREATE VIEW "weird schema"."select" AS SELECT * FROM public.evil_view;
CREATE VIEW "weird schema"."Honest View" AS SELECT "a.b" FROM "weird schema"."Weird Table";

-- Comes before pg_catalog only if a search_path says so; with other argument types, at any place in it.
CREATE SCHEMA evil;
CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('evil.now'); RETURN pg_catalog.now(); END $$;
CREATE FUNCTION evil.upper(a text) RETURNS text LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('evil.upper'); RETURN a; END $$;
CREATE FUNCTION evil.abs(a int) RETURNS int LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('evil.abs'); RETURN a; END $$;
CREATE FUNCTION evil.upper(a varchar) RETURNS text LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('evil.upper varchar'); RETURN a; END $$;
CREATE FUNCTION evil.count_step(a int, b text) RETURNS int LANGUAGE sql AS $$ SELECT public.note('evil.count') $$;
CREATE AGGREGATE evil.count(text) (SFUNC = evil.count_step, STYPE = int, INITCOND = '0');
CREATE FUNCTION evil.helper() RETURNS int LANGUAGE sql AS $$ SELECT public.note('evil.helper') $$;
CREATE FUNCTION evil.times(a int, b numeric) RETURNS numeric LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('evil.*'); RETURN a::numeric * b; END $$;
CREATE OPERATOR evil.* (LEFTARG = int, RIGHTARG = numeric, FUNCTION = evil.times);
CREATE FUNCTION evil.equal(a varchar, b varchar) RETURNS boolean LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('evil.='); RETURN a::text = b::text; END $$;
CREATE OPERATOR evil.= (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = evil.equal);
CREATE FUNCTION evil.plus(a int, b int) RETURNS int LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('evil.+'); RETURN a; END $$;
CREATE OPERATOR evil.+ (LEFTARG = int, RIGHTARG = int, FUNCTION = evil.plus);
CREATE VIEW evil.accounts AS SELECT id, public.note('evil.accounts') AS owner FROM public.accounts;
CREATE VIEW evil.pg_class AS SELECT public.note('evil.pg_class') AS oid;
CREATE DOMAIN evil.uuid AS text CHECK (public.note_true(VALUE));

CREATE COLLATION plain FROM "C";
CREATE TEXT SEARCH CONFIGURATION plain_words (COPY = simple);

-- ---------------------------------------------------------------- What takes a superuser

RESET ROLE;

CREATE OPERATOR CLASS weight_ops DEFAULT FOR TYPE weight USING btree AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 weight_cmp(weight, weight);
CREATE OPERATOR CLASS parcel_ops DEFAULT FOR TYPE parcel USING hash AS
    OPERATOR 1 =, FUNCTION 1 parcel_hash(parcel);
-- Of a type and with operators that are PostgreSQL's own; only the function in the index is not.
CREATE FUNCTION evil.int_cmp(a int, b int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('int_cmp'); RETURN btint4cmp(a, b); END $$;
CREATE OPERATOR CLASS evil.int_ops FOR TYPE int USING btree AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 evil.int_cmp(int, int);
CREATE FUNCTION evil.int_hash(a int, seed bigint) RETURNS bigint IMMUTABLE LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('int_hash'); RETURN a; END $$;
CREATE OPERATOR CLASS evil.int_hash_ops FOR TYPE int USING hash AS
    OPERATOR 1 =, FUNCTION 2 evil.int_hash(int, bigint);
CREATE CAST (int AS macaddr) WITH FUNCTION int_to_macaddr(int);
CREATE CAST (macaddr AS int) WITH FUNCTION macaddr_to_int(macaddr) AS IMPLICIT;
CREATE CAST (text AS macaddr8) WITH FUNCTION text_to_macaddr8(text);

GRANT USAGE ON SCHEMA evil TO PUBLIC;
SET ROLE app;
CREATE FUNCTION weight_distance(a weight, b weight) RETURNS float8 IMMUTABLE LANGUAGE plpgsql AS
$$ BEGIN PERFORM public.note('weight_distance'); RETURN a.grams - b.grams; END $$;
CREATE TYPE weight_range AS RANGE (SUBTYPE = weight, SUBTYPE_OPCLASS = weight_ops, SUBTYPE_DIFF = weight_distance);
CREATE TABLE goods (id int, w weight, p parcel, band weight_range);
INSERT INTO goods SELECT g, ROW(g)::weight, ROW(g)::parcel, weight_range(ROW(g)::weight, ROW(g + 5)::weight)
FROM generate_series(1, 40) g;
CREATE TABLE listed (a int, b text) PARTITION BY LIST (a evil.int_ops);
CREATE TABLE listed_1 PARTITION OF listed FOR VALUES IN (1, 2, 3);
CREATE TABLE listed_2 PARTITION OF listed FOR VALUES IN (4, 5, 6);
CREATE TABLE listed_rest PARTITION OF listed DEFAULT;
INSERT INTO listed VALUES (1, 'x'), (5, 'y');
CREATE TABLE hashed (a int, b text) PARTITION BY HASH (a evil.int_hash_ops);
CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE indexed (a int, b text);
INSERT INTO indexed SELECT g, 'b' || g FROM generate_series(1, 2000) g;
CREATE INDEX indexed_a ON indexed (a evil.int_ops);
-- Planning a query over these folds what their index, constraint or key says about a constant.
CREATE SCHEMA planned;
CREATE TABLE planned.partial (id int, t text);
INSERT INTO planned.partial VALUES (1, 'x');
CREATE INDEX partial_lie ON planned.partial (id) WHERE public.immutable_lie(1) = 1;
CREATE TABLE planned.expression (id int, t text);
INSERT INTO planned.expression VALUES (1, 'x');
CREATE INDEX expression_lie ON planned.expression ((id + public.immutable_lie(1)));
CREATE TABLE planned.checked (id int CHECK (id > public.immutable_lie(0)));
INSERT INTO planned.checked VALUES (1);
CREATE VIEW planned.over_partial AS SELECT * FROM planned.partial;
RESET ROLE;
ANALYZE goods, indexed;

CREATE TABLE guarded (id int, value text);
INSERT INTO guarded VALUES (1, 'a'), (2, 'b');
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY guarded_policy ON guarded FOR SELECT USING (public.lying_true(id));
GRANT SELECT ON guarded TO app;
CREATE VIEW guarded_as_invoker WITH (security_invoker) AS SELECT * FROM guarded;
GRANT SELECT ON guarded_as_invoker TO app;
CREATE FUNCTION note_as_superuser() RETURNS int STABLE LANGUAGE sql SECURITY DEFINER AS
$$ SELECT public.note('superuser') $$;
CREATE TABLE only_superuser (n int);
INSERT INTO only_superuser VALUES (1);
CREATE FUNCTION drop_as_superuser() RETURNS int LANGUAGE sql SECURITY DEFINER AS
$$ DELETE FROM public.only_superuser RETURNING 1 $$;
CREATE FUNCTION note_event() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM public.note('event'); END $$;
CREATE EVENT TRIGGER trap_event ON ddl_command_end WHEN TAG IN ('CREATE TABLE AS', 'SELECT INTO')
    EXECUTE FUNCTION note_event();
CREATE FOREIGN DATA WRAPPER trap_wrapper;
CREATE SERVER trap_server FOREIGN DATA WRAPPER trap_wrapper;

DELETE FROM audit_log;
INSERT INTO audit_log VALUES ('the fixture');
