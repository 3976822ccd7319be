-- What psql can do that reaches the server in ways of its own. Run directly and through holdpoint; what is printed
-- must be the same, so nothing stands here that differs by nature.
\set VERBOSITY verbose
\set SHOW_CONTEXT always
\echo '== simple queries, errors, notices'
SELECT 1 AS one, NULL AS nothing, 'élève' AS text;
SELECT 1 \; SELECT 2, 3 \; SELECT 'x';
;
SELEC 1;
SELECT 'é', nothing;
SELECT 1/0;
SELECT 1 \; SELECT 1/0 \; SELECT 3;
INSERT INTO items VALUES (1, 'again');
INSERT INTO items VALUES (99, NULL);
DO $$ BEGIN RAISE NOTICE 'one' USING DETAIL = 'd', HINT = 'h'; RAISE WARNING 'two'; END $$;
DO $$ BEGIN RAISE EXCEPTION 'raised' USING ERRCODE = 'HP001', DETAIL = 'd', HINT = 'h', TABLE = 't', COLUMN = 'c'; END $$;
SET client_min_messages = debug1;
DROP TABLE IF EXISTS nowhere;
RESET client_min_messages;
SELECT * FROM pg_authid;
PREPARE twice (int) AS SELECT 2 * $1;
EXECUTE twice (21);
DEALLOCATE twice;
SELECT 1/0;
\errverbose

\echo '== variables, gset, gexec, gdesc, crosstabview, if'
SELECT count(*) AS items, max(name) AS last FROM items \gset it_
\echo :it_items :'it_last' :SQLSTATE :ROW_COUNT :ERROR
SELECT :it_items + 1, :'it_last';
SELECT format('SELECT %s AS number', g) FROM generate_series(1, 3) g \gexec
SELECT id, name, price, added FROM items \gdesc
SELECT 1 / \gdesc
SELECT id % 2 AS odd, id % 3 AS third, count(*) FROM items GROUP BY 1, 2 ORDER BY 1, 2 \crosstabview
SELECT count(*) > 5 AS many FROM items \gset
\if :many
    SELECT 'many' AS so;
\else
    SELECT 'few' AS so;
\endif
SELECT id FROM items WHERE id < 3 ORDER BY id \gx
SELECT id FROM items ORDER BY id \g (format=csv tuples_only=on)
\pset null '(null)'
SELECT tag FROM items WHERE id = 1;

\echo '== FETCH_COUNT: a cursor in a transaction of its own'
\set FETCH_COUNT 7
SELECT g, repeat('x', g) FROM generate_series(1, 30) g;
SELECT 10 / (15 - g) FROM generate_series(1, 30) g;
\set FETCH_COUNT 0

\echo '== transactions, ON_ERROR_ROLLBACK, AUTOCOMMIT'
BEGIN;
INSERT INTO items VALUES (11, 'eleven');
SELECT 1/0;
SELECT 2;
COMMIT;
SELECT count(*) FROM items;
\set ON_ERROR_ROLLBACK on
BEGIN;
INSERT INTO items VALUES (11, 'eleven');
SELECT 1/0;
SELECT count(*) FROM items;
COMMIT;
\set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT off
DELETE FROM items WHERE id = 11;
ROLLBACK;
DELETE FROM items WHERE id = 11;
COMMIT;
\set AUTOCOMMIT on
SAVEPOINT nowhere;
BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE;
DELETE FROM items;
ROLLBACK;
SET statement_timeout = '50ms';
SELECT pg_sleep(60);
RESET statement_timeout;

\echo '== COPY, from the script and from files'
CREATE TABLE copied (i int, t text);
COPY copied FROM STDIN;
1	one
2	\N
3	t\tt
\.
COPY copied FROM STDIN (FORMAT csv, HEADER);
i,t
4,"f,f"
5,
\.
COPY copied FROM STDIN;
6	six
seven	7
\.
\copy copied to 'copied.bin' with (format binary)
\copy copied from 'copied.bin' with (format binary)
\copy (SELECT * FROM copied ORDER BY i, t) to stdout csv header
COPY copied TO STDOUT;
\copy nowhere from 'copied.bin'
\copy copied from 'copied.bin' csv
COPY copied TO STDOUT \; SELECT 1;
SELECT count(*) FROM copied;
COPY (SELECT g FROM generate_series(1, 100000) g) TO STDOUT \g copied.txt

\echo '== LISTEN and NOTIFY'
LISTEN channel;
UNLISTEN channel;
NOTIFY channel, 'nobody listens';

\echo '== what it asks the catalogue'
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE VIEW names AS SELECT id, name FROM items;
CREATE FUNCTION double(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2 * i';
CREATE INDEX ON items (name) WHERE price > 3;
COMMENT ON TABLE items IS 'things — with a price';
CREATE TABLE parts (id int, day date) PARTITION BY RANGE (day);
CREATE TABLE parts_2026 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
\d
\d items
\d+ items
\d+ names
\d parts
\dt+ parts*
\df double
\sf double
\sv names
\dT mood
\dn
\dp items
\dx
\ddp
\d nowhere
\encoding
\encoding LATIN1
SELECT 'é', U&'\0416';
\encoding UTF8

\echo '== settings'
SET application_name = 'other';
SET TimeZone = 'Asia/Tokyo';
SHOW application_name;
SET TimeZone = 'Nowhere/None';
SET LOCAL work_mem = '77kB';
DISCARD ALL;
SHOW TimeZone;

\echo '== big values'
SELECT length(repeat('0123456789', 1000000)), md5(repeat('0123456789', 1000000));
SELECT repeat('0123456789', 1000000) AS big \gset
SELECT length(:'big'), md5(:'big');
SELECT g, md5(g::text) FROM generate_series(1, 20000) g \g big.txt
\! md5sum < big.txt
