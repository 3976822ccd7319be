//! What is asked of the server. For PostgreSQL 13 and newer.
//!
//! Each query gives one kind of definition; OIDs below 16384 are PostgreSQL's own. They run with an empty
//! `search_path`, so that the server writes out the schema of every name in a definition.
//!
//! Where the server writes out a text, it locks the tables in it as reading them does (`get_query_def` and
//! `deparse_context_for` in its `ruleutils.c`), and so waits for whoever has one of them locked, as a migration has that
//! is open. Such a query is a [`Locking`].

/// Before the others: a snapshot of one moment, and an answer in bounded time.
pub(super) const BEGIN: [&str; 5] = [
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    crate::upstream::CURRENT_SCHEMAS,
    "SET LOCAL search_path = ''",
    "SET LOCAL statement_timeout = '30s'",
    "SET LOCAL lock_timeout = '500ms'",
];

/// The relations of this database that somebody has locked against being read, or waits for to lock.
const LOCKED: &str = "\
(SELECT l.relation FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_database b ON b.oid = l.database \
  WHERE b.datname = pg_catalog.current_database() AND l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock')";

/// A query of which one column is a text that the server locks tables for.
pub(super) struct Locking {
    /// The query, with `{text}` in that column's place.
    query: &'static str,
    text: &'static str,
    /// Whether a table that is locked would be waited for, with `{locked}` for those.
    waits: &'static str,
}

impl Locking {
    /// With all the texts; waits for whoever has a table of theirs locked.
    pub(super) fn whole(&self) -> String {
        self.query.replace("{text}", self.text)
    }

    /// With NULL for the texts that would have to wait. What is locked meanwhile is waited for.
    pub(super) fn of_unlocked(&self) -> String {
        let waits = self.waits.replace("{locked}", LOCKED);
        let text = format!("CASE WHEN NOT ({waits}) THEN {} END", self.text);
        self.query.replace("{text}", &text)
    }

    /// With NULL for all texts; never waits.
    pub(super) fn without(&self) -> String {
        self.query.replace("{text}", "NULL")
    }
}

/// Functions, aggregates and window functions: OID, schema, name, volatility, language, least and most
/// arguments, source, whether it is bound, whether it sets a search path, and whether its first argument can be a
/// row. Of PostgreSQL's own those alone that have to do with types between which somebody has made a cast, and one that
/// compares the bounds of partitions. A body in standard SQL (PostgreSQL 14) is not in `prosrc`.
pub(super) const FUNCTIONS: Locking = Locking {
    query: "\
SELECT p.oid, n.nspname, p.proname, p.provolatile, l.lanname, \
  greatest(0, p.pronargs - p.pronargdefaults - (p.provariadic <> 0)::int), \
  CASE WHEN p.provariadic <> 0 THEN 32767 ELSE p.pronargs END, \
  CASE WHEN p.provolatile = 'v' OR l.lanname NOT IN ('sql', 'plpgsql', 'internal', 'c') THEN '' \
    WHEN p.prosrc = '' THEN {text} ELSE p.prosrc END, \
  p.prosrc = '', coalesce(p.proconfig::pg_catalog.text LIKE '%search_path=%', false), \
  p.provariadic <> 0 \
    OR EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.oid = p.proargtypes[0] AND t.typtype IN ('c', 'd', 'p')) \
    OR EXISTS (SELECT FROM pg_catalog.pg_cast c JOIN pg_catalog.pg_type t ON t.oid = c.castsource \
      WHERE t.typtype IN ('c', 'p') AND c.oid >= 16384) \
FROM pg_catalog.pg_proc p \
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
JOIN pg_catalog.pg_language l ON l.oid = p.prolang \
WHERE p.prokind <> 'p' AND (p.oid >= 16384 OR p.proname = 'pg_get_partition_constraintdef' \
  OR (SELECT p.proargtypes::pg_catalog.oid[] || p.prorettype && m.types FROM ( \
    SELECT pg_catalog.array_agg(t) AS types FROM pg_catalog.pg_cast c, \
      LATERAL pg_catalog.unnest(ARRAY[c.castsource, c.casttarget]) t \
      WHERE c.oid >= 16384 AND c.castfunc <> 0 AND c.castsource < 16384 AND c.casttarget < 16384) m))",
    text: "pg_catalog.pg_get_functiondef(p.oid)",
    waits: "EXISTS (SELECT FROM pg_catalog.pg_depend d \
      WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid \
        AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid IN {locked})",
};

/// What is behind functions in the language `internal`: the C function, OID, schema and name of PostgreSQL's own.
pub(super) const SYMBOLS: &str = "\
SELECT p.prosrc, p.oid, n.nspname, p.proname \
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
WHERE p.prolang = 12 AND p.oid < 16384 \
  AND p.prosrc IN (SELECT u.prosrc FROM pg_catalog.pg_proc u WHERE u.prolang = 12 AND u.oid >= 16384)";

/// Tables, views and the like: OID, schema, name, kind, and a view's query.
pub(super) const RELATIONS: Locking = Locking {
    query: "\
SELECT c.oid, n.nspname, c.relname, c.relkind, CASE WHEN c.relkind = 'v' AND c.oid >= 16384 THEN {text} END \
FROM pg_catalog.pg_class c \
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') \
  AND (c.oid >= 16384 OR n.nspname IN ('pg_catalog', 'information_schema')) \
  AND n.nspname NOT LIKE 'pg\\_toast%'",
    text: "pg_catalog.pg_get_viewdef(c.oid)",
    // Among what a view's rule depends on is the view itself.
    waits: "EXISTS (SELECT FROM pg_catalog.pg_rewrite r \
      JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid \
      WHERE r.ev_class = c.oid \
        AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid IN {locked})",
};

/// Types: OID, schema, name, whether values of others become such without a word (a constant or a text does, or what a cast takes
/// by itself), and whether they have parts, which are made when a constant is read.
pub(super) const TYPES: &str = "\
SELECT t.oid, n.nspname, t.typname, EXISTS (SELECT FROM pg_catalog.pg_type e \
    WHERE e.oid IN (t.oid, CASE t.typcategory WHEN 'A' THEN t.typelem ELSE 0 END) \
      AND (e.typtype = 'd' OR e.typcategory = 'S' OR EXISTS (SELECT FROM pg_catalog.pg_cast c \
        WHERE c.casttarget = e.oid AND c.castcontext = 'i'))), \
  t.typtype IN ('c', 'r', 'm') OR t.typelem <> 0 OR EXISTS (SELECT FROM pg_catalog.pg_type b \
    WHERE t.typtype = 'd' AND b.oid = t.typbasetype AND (b.typtype <> 'b' OR b.typelem <> 0)) \
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace \
WHERE t.oid >= 16384 \
  OR t.oid IN (SELECT u FROM pg_catalog.pg_cast c, LATERAL pg_catalog.unnest(ARRAY[c.castsource, c.casttarget]) u \
    WHERE c.oid >= 16384 AND c.castfunc <> 0)";

/// Operators: OID, schema, name, the types of both operands, and whether one of PostgreSQL's own has the same name, and in the same
/// place the same type.
pub(super) const OPERATORS: &str = "\
SELECT o.oid, n.nspname, o.oprname, o.oprleft, o.oprright, EXISTS (SELECT FROM pg_catalog.pg_operator w \
    WHERE w.oid < 16384 AND w.oprname = o.oprname \
      AND (w.oprleft = o.oprleft AND w.oprleft <> 0 OR w.oprright = o.oprright)) \
FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace \
WHERE o.oid >= 16384";

/// Tables of which a change runs more than itself: OID, and what. Triggers and rules; defaults and row security that call
/// functions of users; what is stored elsewhere, or behind a view. Before PostgreSQL 15, a partition's copy of a trigger is
/// said to be internal; those of foreign keys have functions of PostgreSQL's own.
pub(super) const WRITING: &str = "\
SELECT t.tgrelid, 'its trigger ' || t.tgname FROM pg_catalog.pg_trigger t \
  WHERE t.tgenabled <> 'D' AND t.tgfoid >= 16384 \
UNION ALL \
SELECT r.ev_class, 'its rule ' || r.rulename FROM pg_catalog.pg_rewrite r \
  WHERE r.ev_type <> '1' AND r.ev_class >= 16384 \
UNION ALL \
SELECT c.oid, CASE c.relkind WHEN 'v' THEN 'what is behind the view' ELSE 'the server that it is stored on' END \
  FROM pg_catalog.pg_class c WHERE c.relkind IN ('v', 'f') AND c.oid >= 16384 \
UNION ALL \
SELECT a.adrelid, 'the default of a column' FROM pg_catalog.pg_attrdef a JOIN pg_catalog.pg_depend d ON d.objid = a.oid \
  WHERE d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass \
    AND d.refclassid IN ('pg_catalog.pg_proc'::pg_catalog.regclass, 'pg_catalog.pg_operator'::pg_catalog.regclass) \
    AND d.refobjid >= 16384 \
UNION ALL \
SELECT a.attrelid, 'the default of the type ' || t.typname FROM pg_catalog.pg_attribute a \
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
  WHERE t.oid >= 16384 AND t.typdefaultbin IS NOT NULL AND a.attrelid >= 16384 \
UNION ALL \
SELECT p.polrelid, 'its row security' FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_depend d ON d.objid = p.oid \
  WHERE d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass \
    AND d.refclassid IN ('pg_catalog.pg_proc'::pg_catalog.regclass, 'pg_catalog.pg_operator'::pg_catalog.regclass) \
    AND d.refobjid >= 16384";

/// Tables that are changed with others, as partitions and children are, and what a foreign key cascades to: OIDs of the one that
/// is named, and of the one that is changed with it.
pub(super) const CHANGED_WITH: &str = "\
SELECT i.inhparent, i.inhrelid FROM pg_catalog.pg_inherits i \
UNION \
SELECT c.confrelid, c.conrelid FROM pg_catalog.pg_constraint c \
  WHERE c.contype = 'f' AND (c.confdeltype IN ('c', 'n', 'd') OR c.confupdtype IN ('c', 'n', 'd'))";

/// Which functions are called by what: kind and OID of what calls, OID, schema and name of the function. The
/// functions of a type that are in C read and write its values; they are trusted.
pub(super) const CALLS: &str = "\
SELECT x.kind, x.oid, p.oid, n.nspname, p.proname FROM ( \
  SELECT 'f' AS kind, a.aggfnoid::pg_catalog.oid AS oid, m AS fn FROM pg_catalog.pg_aggregate a, \
    LATERAL pg_catalog.unnest(ARRAY[a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn, \
      a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn]::pg_catalog.oid[]) m \
    WHERE a.aggfnoid::pg_catalog.oid >= 16384 \
  UNION ALL \
  SELECT 'o', o.oid, m FROM pg_catalog.pg_operator o, \
    LATERAL pg_catalog.unnest(ARRAY[o.oprcode, o.oprrest, o.oprjoin]::pg_catalog.oid[]) m WHERE o.oid >= 16384 \
  UNION ALL \
  SELECT 't', t.oid, m FROM pg_catalog.pg_type t, \
    LATERAL pg_catalog.unnest(ARRAY[t.typinput, t.typoutput, t.typreceive, t.typsend, t.typmodin, t.typmodout] \
      ::pg_catalog.oid[]) m \
    JOIN pg_catalog.pg_proc f ON f.oid = m JOIN pg_catalog.pg_language l ON l.oid = f.prolang \
    WHERE t.oid >= 16384 AND l.lanname NOT IN ('c', 'internal') \
  UNION ALL \
  SELECT 't', r.rngtypid, m FROM pg_catalog.pg_range r, \
    LATERAL pg_catalog.unnest(ARRAY[r.rngcanonical, r.rngsubdiff]::pg_catalog.oid[]) m WHERE r.rngtypid >= 16384 \
  UNION ALL \
  SELECT 't', c.opcintype, a.amproc::pg_catalog.oid FROM pg_catalog.pg_opclass c \
    JOIN pg_catalog.pg_amproc a ON a.amprocfamily = c.opcfamily \
      AND c.opcintype IN (a.amproclefttype, a.amprocrighttype) \
    WHERE c.oid >= 16384 AND c.opcintype >= 16384 \
  UNION ALL \
  SELECT 'r', x.relation, a.amproc::pg_catalog.oid FROM ( \
    SELECT i.indrelid AS relation, pg_catalog.unnest(i.indclass::pg_catalog.oid[]) AS class FROM pg_catalog.pg_index i \
    UNION ALL \
    SELECT t.partrelid, pg_catalog.unnest(t.partclass::pg_catalog.oid[]) FROM pg_catalog.pg_partitioned_table t \
  ) x JOIN pg_catalog.pg_opclass c ON c.oid = x.class AND c.oid >= 16384 \
    JOIN pg_catalog.pg_amproc a ON a.amprocfamily = c.opcfamily \
) x JOIN pg_catalog.pg_proc p ON p.oid = x.fn JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace";

/// Casts by a function: both types, OID, schema and name of the function.
pub(super) const CASTS: &str = "\
SELECT c.castsource, c.casttarget, p.oid, n.nspname, p.proname \
FROM pg_catalog.pg_cast c JOIN pg_catalog.pg_proc p ON p.oid = c.castfunc \
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
WHERE c.oid >= 16384";

/// Expressions that calling runs: default arguments; that reading runs: row security, checks of domains, partition
/// keys; and planning: those of indexes, of partial ones
/// and of checks (with `constraint_exclusion`). Kind and OID of what is read, the text.
pub(super) const EXPRESSIONS: Locking = Locking {
    query: "\
SELECT x.kind, x.oid, {text} FROM ( \
  SELECT 'r' AS kind, polrelid AS oid, polqual AS tree, polrelid AS relation, oid AS policy FROM pg_catalog.pg_policy \
    WHERE polcmd IN ('*', 'r') AND polqual IS NOT NULL \
  UNION ALL \
  SELECT 'f', oid, proargdefaults, 0, 0 FROM pg_catalog.pg_proc WHERE oid >= 16384 AND proargdefaults IS NOT NULL \
  UNION ALL \
  SELECT 'r', partrelid, partexprs, partrelid, 0 FROM pg_catalog.pg_partitioned_table WHERE partexprs IS NOT NULL \
  UNION ALL \
  SELECT 't', contypid, conbin, 0, 0 FROM pg_catalog.pg_constraint WHERE contypid >= 16384 AND conbin IS NOT NULL \
  UNION ALL \
  SELECT 'r', conrelid, conbin, conrelid, 0 FROM pg_catalog.pg_constraint WHERE conrelid >= 16384 AND contype = 'c' \
  UNION ALL \
  SELECT 'r', indrelid, indpred, indrelid, 0 FROM pg_catalog.pg_index \
    WHERE indrelid >= 16384 AND indpred IS NOT NULL \
  UNION ALL \
  SELECT 'r', indrelid, indexprs, indrelid, 0 FROM pg_catalog.pg_index \
    WHERE indrelid >= 16384 AND indexprs IS NOT NULL \
) x",
    text: "pg_catalog.pg_get_expr(x.tree, x.relation)",
    waits: "x.relation IN {locked} OR EXISTS (SELECT FROM pg_catalog.pg_depend d \
      WHERE d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass AND d.objid = x.policy \
        AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid IN {locked})",
};

/// What uses what: kind and OID of both. By dependencies: views and row security through their rules and
/// policies, functions with a body in standard SQL, domains through their checks, types and the columns of
/// tables by themselves. A table's children are read with it, and its row is a value of a type.
pub(super) const USES: &str = "\
SELECT x.kind, x.oid, x.used, d FROM ( \
  SELECT 'r' AS kind, r.ev_class AS oid, d.refclassid AS class, d.refobjid AS d FROM pg_catalog.pg_depend d \
    JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid AND r.ev_type = '1' \
    WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass \
  UNION ALL \
  SELECT 'r', p.polrelid, d.refclassid, d.refobjid FROM pg_catalog.pg_depend d \
    JOIN pg_catalog.pg_policy p ON p.oid = d.objid AND p.polcmd IN ('*', 'r') \
    WHERE d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass \
  UNION ALL \
  SELECT 't', c.contypid, d.refclassid, d.refobjid FROM pg_catalog.pg_depend d \
    JOIN pg_catalog.pg_constraint c ON c.oid = d.objid AND c.contypid <> 0 \
    WHERE d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass \
  UNION ALL \
  SELECT 'r', c.conrelid, d.refclassid, d.refobjid FROM pg_catalog.pg_depend d \
    JOIN pg_catalog.pg_constraint c ON c.oid = d.objid AND c.contype = 'c' AND c.conrelid <> 0 \
    WHERE d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass \
      AND d.refclassid <> 'pg_catalog.pg_class'::pg_catalog.regclass \
  UNION ALL \
  SELECT 'r', i.indrelid, d.refclassid, d.refobjid FROM pg_catalog.pg_depend d \
    JOIN pg_catalog.pg_index i ON i.indexrelid = d.objid \
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass \
      AND d.refclassid <> 'pg_catalog.pg_class'::pg_catalog.regclass \
  UNION ALL \
  SELECT 'f', d.objid, d.refclassid, d.refobjid FROM pg_catalog.pg_depend d \
    WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.deptype IN ('n', 'a') \
  UNION ALL \
  SELECT 't', d.objid, d.refclassid, d.refobjid FROM pg_catalog.pg_depend d \
    WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass \
      AND d.refclassid IN ('pg_catalog.pg_type'::pg_catalog.regclass, 'pg_catalog.pg_class'::pg_catalog.regclass) \
  UNION ALL \
  SELECT 'r', d.objid, d.refclassid, d.refobjid FROM pg_catalog.pg_depend d \
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass \
      AND d.refclassid IN ('pg_catalog.pg_type'::pg_catalog.regclass, 'pg_catalog.pg_proc'::pg_catalog.regclass, \
        'pg_catalog.pg_operator'::pg_catalog.regclass) \
  UNION ALL \
  SELECT 'r', s.stxrelid, d.refclassid, d.refobjid FROM pg_catalog.pg_depend d \
    JOIN pg_catalog.pg_statistic_ext s ON s.oid = d.objid \
    WHERE d.classid = 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass \
      AND d.refclassid <> 'pg_catalog.pg_class'::pg_catalog.regclass \
  UNION ALL \
  SELECT 'o', o.oid, 'pg_catalog.pg_operator'::pg_catalog.regclass, u FROM pg_catalog.pg_operator o, \
    LATERAL pg_catalog.unnest(ARRAY[o.oprnegate, o.oprcom]) u WHERE o.oid >= 16384 AND u <> 0 \
  UNION ALL \
  SELECT 'r', a.attrelid, 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid FROM pg_catalog.pg_attribute a \
    JOIN pg_catalog.pg_type e ON e.oid = a.atttypid \
    JOIN pg_catalog.pg_type t ON t.oid IN (e.oid, e.typelem) \
    WHERE a.attrelid >= 16384 AND t.oid IN (SELECT u FROM pg_catalog.pg_cast c, \
      LATERAL pg_catalog.unnest(ARRAY[c.castsource, c.casttarget]) u \
      WHERE c.oid >= 16384 AND c.castfunc <> 0 AND c.castsource < 16384 AND c.casttarget < 16384) \
  UNION ALL \
  SELECT 'f', p.oid, 'pg_catalog.pg_type'::pg_catalog.regclass, t FROM pg_catalog.pg_proc p, \
    LATERAL pg_catalog.unnest(p.proargtypes::pg_catalog.oid[] || p.prorettype) t \
    WHERE p.oid < 16384 AND t IN (SELECT u FROM pg_catalog.pg_cast c, \
      LATERAL pg_catalog.unnest(ARRAY[c.castsource, c.casttarget]) u \
      WHERE c.oid >= 16384 AND c.castfunc <> 0 AND c.castsource < 16384 AND c.casttarget < 16384) \
  UNION ALL \
  SELECT 'f', p.oid, 'pg_catalog.pg_class'::pg_catalog.regclass, c.oid \
    FROM pg_catalog.pg_proc p, pg_catalog.pg_class c \
    WHERE p.proname = 'pg_get_partition_constraintdef' AND c.relkind = 'p' \
  UNION ALL \
  SELECT 't', t.oid, 'pg_catalog.pg_class'::pg_catalog.regclass, t.typrelid FROM pg_catalog.pg_type t \
    WHERE t.typrelid >= 16384 \
  UNION ALL \
  SELECT 'r', c.oid, 'pg_catalog.pg_type'::pg_catalog.regclass, c.reltype FROM pg_catalog.pg_class c \
  UNION ALL \
  SELECT 'r', i.inhparent, 'pg_catalog.pg_class'::pg_catalog.regclass, i.inhrelid FROM pg_catalog.pg_inherits i \
) y JOIN LATERAL (SELECT y.kind, y.oid, CASE y.class WHEN 'pg_catalog.pg_proc'::pg_catalog.regclass THEN 'f' \
    WHEN 'pg_catalog.pg_class'::pg_catalog.regclass THEN 'r' \
    WHEN 'pg_catalog.pg_operator'::pg_catalog.regclass THEN 'o' \
    WHEN 'pg_catalog.pg_type'::pg_catalog.regclass THEN 't' END AS used) x ON x.used IS NOT NULL \
WHERE (y.d >= 16384 OR x.used = 't') AND y.oid > 0";
