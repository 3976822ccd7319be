//! What clients ask the catalogue is a read: psql 15's backslash commands and `pg_dump`,
//! captured against a database with objects of most kinds, and what drivers and ORMs ask.

use super::{effect, judged, on_a_large_stack};
use crate::model::{Effect, NameOp};

const DRIVERS: &[&str] = &[
    // JDBC: primary keys, types, tables.
    "SELECT result.TABLE_CAT, result.COLUMN_NAME FROM (SELECT NULL AS TABLE_CAT, a.attname AS COLUMN_NAME, \
     (information_schema._pg_expandarray(i.indkey)).n AS KEY_SEQ, \
     information_schema._pg_expandarray(i.indkey) AS KEYS, a.attnum AS A_ATTNUM FROM pg_catalog.pg_class ct \
     JOIN pg_catalog.pg_attribute a ON (ct.oid = a.attrelid) JOIN pg_catalog.pg_index i ON (a.attrelid = i.indrelid) \
     WHERE true AND ct.relname = 'x') result WHERE result.A_ATTNUM = (result.KEYS).x ORDER BY 1",
    "SELECT typinput='pg_catalog.array_in'::regproc as is_array, typtype, typname, pg_type.oid FROM pg_catalog.pg_type \
     LEFT JOIN (select ns.oid as nspoid, ns.nspname, r.r from pg_namespace as ns join (select s.r, \
     (current_schemas(false))[s.r] as nspname from generate_series(1, array_upper(current_schemas(false), 1)) as s(r)) \
     as r using (nspname)) as sp ON sp.nspoid = typnamespace WHERE pg_type.oid = $1 ORDER BY sp.r, pg_type.oid DESC",
    // Rails.
    "SELECT a.attname, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid), a.attnotnull, \
     a.atttypid, a.atttypmod, c.collname, col_description(a.attrelid, a.attnum) AS comment FROM pg_attribute a \
     LEFT JOIN pg_attrdef d ON a.attrelid = d.adrelid AND a.attnum = d.adnum LEFT JOIN pg_type t ON a.atttypid = t.oid \
     LEFT JOIN pg_collation c ON a.attcollation = c.oid WHERE a.attrelid = '\"users\"'::regclass AND a.attnum > 0 \
     AND NOT a.attisdropped ORDER BY a.attnum",
    // Django, SQLAlchemy, asyncpg, psycopg, npgsql.
    "SELECT c.relname, CASE WHEN c.relispartition THEN 'p' WHEN c.relkind IN ('m', 'v') THEN 'v' ELSE 't' END, \
     obj_description(c.oid, 'pg_class') FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = \
     c.relnamespace WHERE c.relkind IN ('f', 'm', 'p', 'r', 'v') AND n.nspname NOT IN ('pg_catalog', 'pg_toast') AND \
     pg_catalog.pg_table_is_visible(c.oid)",
    "select pg_catalog.version()",
    "select current_schema()",
    "show standard_conforming_strings",
    "SELECT pg_catalog.pg_class.relname FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON \
     pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace WHERE pg_catalog.pg_class.relname = \
     'orders'::VARCHAR AND pg_catalog.pg_class.relkind = ANY (ARRAY['r'::VARCHAR, 'p'::VARCHAR])",
    "SELECT t.oid, t.typname, t.typelem, (SELECT array_agg(ia.attname ORDER BY ia.attnum) FROM pg_attribute ia \
     WHERE ia.attrelid = t.typrelid) FROM pg_type t WHERE t.oid = any($1::oid[])",
    "WITH RECURSIVE typeinfo_tree(oid, ns, name) AS (SELECT ti.oid, ti.ns, ti.name FROM (SELECT t.oid, ns.nspname AS \
     ns, t.typname AS name FROM pg_type t JOIN pg_namespace ns ON ns.oid = t.typnamespace) ti WHERE ti.oid = ANY($1) \
     UNION ALL SELECT ti.oid, ti.ns, ti.name FROM pg_type ti, typeinfo_tree tt WHERE ti.oid = tt.oid) \
     SELECT DISTINCT *, basetype::regtype::text AS basetype_name FROM typeinfo_tree ORDER BY oid DESC",
    "SELECT ns.nspname, t.oid, t.typname FROM pg_type t JOIN pg_namespace ns ON t.typnamespace = ns.oid WHERE \
     (t.typrelid = 0 OR (SELECT c.relkind = 'c' FROM pg_class c WHERE c.oid = t.typrelid))",
    // Monitoring and pgAdmin.
    "SELECT pid, now() - query_start AS age, pg_blocking_pids(pid), wait_event, left(query, 60) FROM \
     pg_stat_activity WHERE state <> 'idle' ORDER BY age DESC",
    "SELECT pg_size_pretty(pg_total_relation_size(c.oid)), pg_stat_get_live_tuples(c.oid) FROM pg_class c",
    "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END",
    "/*pga4dash*/ SELECT 'session_stats' AS chart_name, row_to_json(t) AS chart_data FROM (SELECT (SELECT count(*) \
     FROM pg_catalog.pg_stat_activity) AS \"Total\") t",
    "SELECT e.key, e.value FROM jsonb_each('{}'::jsonb) AS e",
    "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'",
];

#[test]
fn what_clients_ask_the_catalogue_is_a_read() {
    let psql = include_str!("psql.sql").split("\n-- next\n");
    let pg_dump = include_str!("pg_dump.sql").split("\n-- next\n");
    let texts: Vec<&str> = psql.chain(pg_dump).chain(DRIVERS.iter().copied()).collect();
    assert!(texts.len() > 200, "{}", texts.len());
    on_a_large_stack(|| {
        let mut held = Vec::new();
        for text in &texts {
            let judged = judged(text);
            let facts = judged.joined_facts();
            if facts.effect > Effect::Read {
                held.push(format!("{text}\n  {}: {:?}", facts.effect, facts.signals));
            }
            for statement in &judged.statements {
                if let Some(NameOp::Prepare { prepared, .. }) = &statement.name_op
                    && prepared.facts.effect > Effect::Read
                {
                    held.push(format!("{text}\n  prepared: {:?}", prepared.facts));
                }
            }
        }
        assert!(held.is_empty(), "{} held:\n{}", held.len(), held.join("\n"));
    });
}

#[test]
fn pg_dump_s_way_to_set_what_may_not_exist_is_no_way_to_set_anything_else() {
    on_a_large_stack(|| {
        let set = |value: &str| {
            format!("SELECT set_config(name, {value}, false) FROM pg_settings WHERE name = 'role'")
        };
        assert_eq!(effect(&set("'view, foreign-table'")), Effect::Read);
        for value in [
            "'postgres'",
            "'view'",
            "$1",
            "'view, foreign-table' || 'x'",
            "note",
        ] {
            assert_eq!(effect(&set(value)), Effect::Unknown, "{value}");
        }
    });
}
