-- Takes back what texts of corpus.txt change beside their database. For a superuser in another database, each
-- statement on its own; before it, the copy of `judged` is dropped, prepared transactions in it rolled back,
-- replication slots and databases called trap_* dropped, and files called trap_* in the data folder removed.
ALTER SYSTEM RESET ALL;
ALTER ROLE app RESET ALL;
ALTER ROLE app WITH NOSUPERUSER NOCREATEDB NOCREATEROLE INHERIT LOGIN NOREPLICATION NOBYPASSRLS CONNECTION LIMIT -1 VALID UNTIL 'infinity';
ALTER ROLE trap_role RESET ALL;
ALTER ROLE trap_role WITH NOSUPERUSER NOCREATEDB NOCREATEROLE INHERIT NOLOGIN NOREPLICATION NOBYPASSRLS CONNECTION LIMIT -1 PASSWORD NULL;
ALTER ROLE ALL RESET ALL;
DROP ROLE IF EXISTS trap_new;
DROP ROLE IF EXISTS trap_renamed;
GRANT trap_role TO app;
REVOKE trap_other FROM app, trap_role;
REVOKE trap_role FROM trap_other;
REVOKE pg_read_all_data, pg_monitor FROM app, trap_role, trap_other;
REVOKE ALL ON PARAMETER work_mem FROM app, trap_role;
SELECT pg_replication_origin_drop(roname) FROM pg_replication_origin WHERE roname LIKE 'trap%'
