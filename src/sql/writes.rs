//! Which columns a statement writes, and whether a query hands out all of its rows.

use super::findings::Findings;
use super::tree::{Tree, Value};

/// Notes the columns that an INSERT, UPDATE, DELETE or MERGE writes.
pub(super) fn note(change: &Tree, findings: &mut Findings) {
    let Some(table) = change.node("relation") else {
        return;
    };
    let mut target = Target { table, findings };
    match change.kind {
        "InsertStmt" => {
            target.inserted(change.list("cols"));
            if let Some(conflict) = change.node("on_conflict_clause") {
                target.named(conflict.list("target_list"));
            }
        }
        "UpdateStmt" => target.named(change.list("target_list")),
        "MergeStmt" => change
            .list("merge_when_clauses")
            .iter()
            .filter_map(Value::as_node)
            .for_each(|clause| target.merged(clause)),
        _ => target.any(),
    }
}

/// Notes that a statement writes any column of a table, or those of a list.
pub(super) fn note_listed(table: &Tree, columns: &[Value], findings: &mut Findings) {
    let names = super::tree::names(columns);
    let mut target = Target { table, findings };
    if names.is_empty() {
        target.any();
    }
    for name in names {
        target.column(Some(name));
    }
}

struct Target<'t, 'f> {
    table: &'t Tree,
    findings: &'f mut Findings,
}

impl Target<'_, '_> {
    /// Those that an INSERT names; without a list it may be all.
    fn inserted(&mut self, columns: &[Value]) {
        if columns.is_empty() {
            self.any();
        }
        self.named(columns);
    }

    fn merged(&mut self, clause: &Tree) {
        let targets = clause.list("target_list");
        // A deletion, and an insertion without a list of columns, have none; DO NOTHING neither, and it writes none.
        if targets.is_empty() {
            self.any();
        }
        self.named(targets);
    }

    fn named(&mut self, columns: &[Value]) {
        for column in columns.iter().filter_map(Value::as_node) {
            self.column(Some(column.text("name")).filter(|name| !name.is_empty()));
        }
    }

    fn any(&mut self) {
        self.column(None);
    }

    fn column(&mut self, name: Option<&str>) {
        let (schema, table) = (self.table.text("schemaname"), self.table.text("relname"));
        self.findings.column(schema, table, name);
    }
}

/// Aggregates that give one value of a size that does not grow with the rows.
const SUMS: [&str; 14] = [
    "avg",
    "bool_and",
    "bool_or",
    "count",
    "every",
    "max",
    "min",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "sum",
    "var_pop",
    "var_samp",
    "variance",
];

/// Whether a query hands out all rows that its tables have for it: it reads some, and neither a LIMIT nor being
/// nothing but sums bounds what it gives.
pub(super) fn is_unlimited(select: &Tree) -> bool {
    if let Some(limit) = select.node("limit_count") {
        // LIMIT ALL is a NULL.
        return limit.kind == "AConst" && limit.is("isnull") && reads_tables(select);
    }
    reads_tables(select) && !is_one_row(select)
}

fn reads_tables(select: &Tree) -> bool {
    !select.list("from_clause").is_empty()
        || ["larg", "rarg"]
            .iter()
            .any(|side| select.node(side).is_some_and(reads_tables))
}

fn is_one_row(select: &Tree) -> bool {
    let targets = select.list("target_list");
    select.list("group_clause").is_empty()
        && select.node("larg").is_none()
        && !targets.is_empty()
        && targets.iter().all(|target| {
            target
                .as_node()
                .and_then(|target| target.node("val"))
                .is_some_and(is_sum)
        })
}

fn is_sum(value: &Tree) -> bool {
    match (value.kind, &value.names("funcname")[..]) {
        ("FuncCall", [name] | ["pg_catalog", name]) => value.node("over").is_none() && SUMS.contains(name),
        _ => false,
    }
}
