-- Large objects: libpq reads and writes them by function calls of the protocol's own.
\set VERBOSITY verbose
\echo '== large objects: psql'
SELECT repeat('0123456789', 100000) AS big \g (format=unaligned tuples_only=on) big.txt
-- Their numbers differ.
\o numbers.txt
\lo_import big.txt 'a comment'
\o
\set number :LASTOID
\lo_export :number back.txt
\! cmp big.txt back.txt && echo the same
SELECT length(lo_get(:number)), obj_description(:number, 'pg_largeobject');
\lo_export 4711 nothing.txt
BEGIN;
SELECT 1/0;
\lo_export :number nothing.txt
ROLLBACK;
\o numbers.txt
\lo_unlink :number
\o
SELECT count(*) FROM pg_largeobject_metadata;
\lo_unlink 4711
