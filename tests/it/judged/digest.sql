-- All that the texts of corpus.txt could change and that outlives them, as one text: a line for each kind of
-- thing. For a superuser, in the database of the text; the connection must have a search_path of its own making
-- only. Sequences and tables of pg_temp are the session's; so are its settings, prepared statements and cursors.
WITH spaces AS (
    SELECT oid, nspname, nspowner, nspacl FROM pg_catalog.pg_namespace
    WHERE nspname !~ '^pg_(toast|temp)'
), owned AS (
    SELECT oid, nspname FROM spaces WHERE nspname NOT IN ('pg_catalog', 'information_schema')
), relations AS (
    SELECT c.oid, format('%I.%I', s.nspname, c.relname) AS named, c.relkind, c.relispopulated
    FROM pg_catalog.pg_class c JOIN owned s ON s.oid = c.relnamespace
), facts(kind, fact) AS (
    -- Rows by their output functions: a cast to text could be a user's. Not those in the schema `planned`, whose
    -- tables run code as soon as a query over them is planned.
    SELECT 'rows', format('%s %s', r.named, pg_catalog.query_to_xml(
        format('SELECT md5(string_agg(line, chr(10) ORDER BY line COLLATE "C")) '
            'FROM (SELECT textin(record_out(row_of_it)) AS line FROM ONLY %s AS row_of_it) AS l', r.named), false, true, ''))
    FROM relations r WHERE r.relkind IN ('r', 'p', 'm') AND r.relispopulated AND r.named NOT LIKE 'planned.%'
    UNION ALL
    SELECT 'sequences', format('%s %s', r.named, pg_catalog.query_to_xml(
        format('SELECT last_value, is_called FROM %s', r.named), false, true, ''))
    FROM relations r WHERE r.relkind = 'S'
    UNION ALL
    SELECT 'pg_class', row(s.nspname, c.relname, c.relkind, c.relacl, c.reloptions, c.relrowsecurity,
        c.relforcerowsecurity, c.relowner, c.relpersistence, c.relispartition, c.relreplident,
        c.reltablespace, c.relam, c.relispopulated)::text
    FROM pg_catalog.pg_class c JOIN spaces s ON s.oid = c.relnamespace
    UNION ALL
    SELECT 'pg_attribute', row(r.named, a.attname, a.attnum, a.atttypid, a.atttypmod, a.attnotnull, a.attstorage,
        a.attcompression, a.attidentity, a.attgenerated, a.attisdropped, a.attstattarget, a.attacl, a.attoptions,
        a.attcollation)::text
    FROM pg_catalog.pg_attribute a JOIN relations r ON r.oid = a.attrelid
    UNION ALL
    SELECT 'pg_attribute acl', row(a.attrelid, a.attname, a.attacl)::text
    FROM pg_catalog.pg_attribute a WHERE a.attacl IS NOT NULL
    UNION ALL
    SELECT 'pg_attrdef', row(r.named, d.adnum, pg_catalog.md5(d.adbin::text))::text
    FROM pg_catalog.pg_attrdef d JOIN relations r ON r.oid = d.adrelid
    UNION ALL
    SELECT 'pg_proc', row(s.nspname, p.proname, p.proargtypes, p.prosrc, p.proacl, p.proowner, p.prokind,
        p.prosecdef, p.provolatile, p.proleakproof, p.proisstrict, p.proparallel, p.procost, p.proconfig,
        p.prorettype, p.proargnames)::text
    FROM pg_catalog.pg_proc p JOIN spaces s ON s.oid = p.pronamespace
    UNION ALL
    SELECT 'pg_type', row(s.nspname, t.typname, t.typowner, t.typtype, t.typnotnull, t.typacl, t.typstorage,
        t.typdefault)::text
    FROM pg_catalog.pg_type t JOIN spaces s ON s.oid = t.typnamespace
    UNION ALL
    SELECT 'pg_enum', row(e.enumtypid, e.enumlabel, e.enumsortorder)::text FROM pg_catalog.pg_enum e
    UNION ALL
    SELECT 'pg_authid', a::text FROM pg_catalog.pg_authid a
    UNION ALL
    SELECT 'pg_auth_members', m::text FROM pg_catalog.pg_auth_members m
    UNION ALL
    SELECT 'pg_database', row(d.datname, d.datdba, d.datacl, d.datallowconn, d.datconnlimit, d.datistemplate,
        d.dattablespace)::text
    FROM pg_catalog.pg_database d WHERE d.datname = current_database() OR d.datname LIKE 'trap%'
    UNION ALL
    SELECT 'pg_db_role_setting', s::text FROM pg_catalog.pg_db_role_setting s
    UNION ALL
    SELECT 'pg_parameter_acl', p::text FROM pg_catalog.pg_parameter_acl p
    UNION ALL
    SELECT 'pg_tablespace', row(t.spcname, t.spcowner, t.spcacl, t.spcoptions)::text
    FROM pg_catalog.pg_tablespace t
    UNION ALL
    SELECT 'pg_namespace', row(nspname, nspowner, nspacl)::text FROM spaces
    UNION ALL
    SELECT 'pg_largeobject_metadata', m::text FROM pg_catalog.pg_largeobject_metadata m
    UNION ALL
    SELECT 'pg_largeobject', row(l.loid, l.pageno, pg_catalog.md5(l.data))::text FROM pg_catalog.pg_largeobject l
    UNION ALL
    SELECT 'pg_trigger', row(r.named, t.tgname, t.tgenabled, t.tgtype, t.tgfoid)::text
    FROM pg_catalog.pg_trigger t JOIN relations r ON r.oid = t.tgrelid
    UNION ALL
    SELECT 'pg_rewrite', row(r.named, w.rulename, w.ev_type, w.ev_enabled, pg_catalog.md5(w.ev_action::text))::text
    FROM pg_catalog.pg_rewrite w JOIN relations r ON r.oid = w.ev_class
    UNION ALL
    SELECT 'pg_policy', row(r.named, p.polname, p.polcmd, p.polroles, pg_catalog.md5(p.polqual::text),
        pg_catalog.md5(p.polwithcheck::text))::text
    FROM pg_catalog.pg_policy p JOIN relations r ON r.oid = p.polrelid
    UNION ALL
    SELECT 'pg_constraint', row(s.nspname, c.conname, c.contype, c.condeferrable, c.condeferred, c.convalidated,
        pg_catalog.md5(c.conbin::text))::text
    FROM pg_catalog.pg_constraint c JOIN spaces s ON s.oid = c.connamespace
    UNION ALL
    SELECT 'pg_index', row(r.named, i.indisunique, i.indisprimary, i.indisclustered, i.indisvalid, i.indisready,
        i.indislive, i.indisreplident, i.indimmediate)::text
    FROM pg_catalog.pg_index i JOIN relations r ON r.oid = i.indexrelid
    UNION ALL
    SELECT 'pg_inherits', i::text FROM pg_catalog.pg_inherits i
    UNION ALL
    SELECT 'pg_publication', p::text FROM pg_catalog.pg_publication p
    UNION ALL
    SELECT 'pg_publication_rel', row(p.prpubid, p.prrelid)::text FROM pg_catalog.pg_publication_rel p
    UNION ALL
    SELECT 'pg_subscription', row(s.subname, s.subenabled)::text FROM pg_catalog.pg_subscription s
    UNION ALL
    SELECT 'pg_event_trigger', e::text FROM pg_catalog.pg_event_trigger e
    UNION ALL
    SELECT 'pg_foreign_data_wrapper', w::text FROM pg_catalog.pg_foreign_data_wrapper w
    UNION ALL
    SELECT 'pg_foreign_server', f::text FROM pg_catalog.pg_foreign_server f
    UNION ALL
    SELECT 'pg_user_mapping', m::text FROM pg_catalog.pg_user_mapping m
    UNION ALL
    SELECT 'pg_extension', row(e.extname, e.extversion, e.extnamespace)::text FROM pg_catalog.pg_extension e
    UNION ALL
    SELECT 'pg_language', row(l.lanname, l.lanowner, l.lanpltrusted, l.lanacl)::text FROM pg_catalog.pg_language l
    UNION ALL
    SELECT 'pg_description', d::text FROM pg_catalog.pg_description d WHERE d.objoid >= 16384
    UNION ALL
    SELECT 'pg_shdescription', d::text FROM pg_catalog.pg_shdescription d
    UNION ALL
    SELECT 'pg_seclabel', l::text FROM pg_catalog.pg_seclabel l
    UNION ALL
    SELECT 'pg_prepared_xacts', p.gid FROM pg_catalog.pg_prepared_xacts p WHERE p.database = current_database()
    UNION ALL
    SELECT 'pg_replication_slots', s.slot_name::text FROM pg_catalog.pg_replication_slots s
    UNION ALL
    SELECT 'pg_replication_origin', o.roname FROM pg_catalog.pg_replication_origin o
    UNION ALL
    SELECT 'pg_operator', row(s.nspname, o.oprname, o.oprleft, o.oprright, o.oprcode, o.oprowner, o.oprrest)::text
    FROM pg_catalog.pg_operator o JOIN spaces s ON s.oid = o.oprnamespace
    UNION ALL
    SELECT 'pg_cast', row(c.castsource, c.casttarget, c.castfunc, c.castcontext, c.castmethod)::text
    FROM pg_catalog.pg_cast c
    UNION ALL
    SELECT 'pg_opclass', row(s.nspname, o.opcname, o.opcmethod, o.opcdefault, o.opcowner)::text
    FROM pg_catalog.pg_opclass o JOIN spaces s ON s.oid = o.opcnamespace
    UNION ALL
    SELECT 'pg_opfamily', row(s.nspname, o.opfname, o.opfmethod, o.opfowner)::text
    FROM pg_catalog.pg_opfamily o JOIN spaces s ON s.oid = o.opfnamespace
    UNION ALL
    SELECT 'pg_conversion', row(s.nspname, c.conname, c.condefault)::text
    FROM pg_catalog.pg_conversion c JOIN spaces s ON s.oid = c.connamespace
    UNION ALL
    SELECT 'pg_collation', row(s.nspname, c.collname, c.collowner, c.collversion)::text
    FROM pg_catalog.pg_collation c JOIN spaces s ON s.oid = c.collnamespace
    UNION ALL
    SELECT 'pg_ts_config', row(s.nspname, c.cfgname, c.cfgowner)::text
    FROM pg_catalog.pg_ts_config c JOIN spaces s ON s.oid = c.cfgnamespace
    UNION ALL
    SELECT 'pg_ts_config_map', m::text FROM pg_catalog.pg_ts_config_map m
    UNION ALL
    SELECT 'pg_ts_dict', row(s.nspname, d.dictname, d.dictinitoption)::text
    FROM pg_catalog.pg_ts_dict d JOIN spaces s ON s.oid = d.dictnamespace
    UNION ALL
    SELECT 'pg_statistic_ext', row(s.nspname, e.stxname, e.stxstattarget)::text
    FROM pg_catalog.pg_statistic_ext e JOIN spaces s ON s.oid = e.stxnamespace
    UNION ALL
    SELECT 'pg_default_acl', a::text FROM pg_catalog.pg_default_acl a
    UNION ALL
    SELECT 'advisory locks', count(*)::text FROM pg_catalog.pg_locks
    WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
    UNION ALL
    SELECT 'postgresql.auto.conf', pg_catalog.pg_read_file('postgresql.auto.conf')
    UNION ALL
    SELECT 'files', count(*)::text FROM pg_catalog.pg_ls_dir('.')
    UNION ALL
    SELECT 'marker files', f FROM pg_catalog.pg_ls_dir('.') f WHERE f LIKE 'trap%'
), kinds AS (
    SELECT kind, count(*) AS facts, pg_catalog.md5(string_agg(fact, chr(10) ORDER BY fact COLLATE "C")) AS digest
    FROM facts GROUP BY kind
)
SELECT string_agg(format('%s: %s %s', kind, facts, digest), chr(10) ORDER BY kind COLLATE "C") FROM kinds
