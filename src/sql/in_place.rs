//! Whether a text gives rows, which are then seen, whatever becomes of its transaction; and whether the server counts all
//! that it changes.

use pg_query::NodeEnum;

use super::tree::Value;
use super::walk::{Extent, tree_of};

/// Whether the text is one statement that gives its client no rows: a change of rows without RETURNING, or of
/// definitions.
#[must_use]
pub fn gives_no_rows(text: &str) -> bool {
    let Ok(parsed) = pg_query::parse(text, pg_query::ParserOptions::DEFAULT) else {
        return false;
    };
    let [only] = &parsed.protobuf.stmts[..] else {
        return false;
    };
    match only.stmt.as_ref().and_then(|stmt| stmt.node.as_ref()) {
        Some(NodeEnum::InsertStmt(insert)) => insert.returning_clause.is_none(),
        Some(NodeEnum::UpdateStmt(update)) => update.returning_clause.is_none(),
        Some(NodeEnum::DeleteStmt(delete)) => delete.returning_clause.is_none(),
        Some(NodeEnum::MergeStmt(merge)) => merge.returning_clause.is_none(),
        Some(
            NodeEnum::TruncateStmt(_)
            | NodeEnum::CreateStmt(_)
            | NodeEnum::AlterTableStmt(_)
            | NodeEnum::DropStmt(_)
            | NodeEnum::IndexStmt(_)
            | NodeEnum::GrantStmt(_)
            | NodeEnum::CommentStmt(_),
        ) => true,
        _ => false,
    }
}

/// A longer text is not looked at by [`counts_its_rows`], bytes.
const COUNTED_MAX: usize = 256 * 1024;

/// Whether the text is one INSERT, UPDATE, DELETE or MERGE whose command tag counts all rows that it changes by itself:
/// it gives its client no rows, and changes none in its WITH. A text of more than 256 KiB is not. (What triggers, rules
/// and foreign keys change is counted by no tag.)
#[must_use]
pub fn counts_its_rows(text: &str) -> bool {
    if text.len() > COUNTED_MAX {
        return false;
    }
    let Ok(parsed) = pg_query::parse(text, pg_query::ParserOptions::DEFAULT) else {
        return false;
    };
    let [only] = &parsed.protobuf.stmts[..] else {
        return false;
    };
    let Some(stmt) = &only.stmt else {
        return false;
    };
    let is_one = match stmt.node.as_ref() {
        Some(NodeEnum::InsertStmt(insert)) => insert.returning_clause.is_none(),
        Some(NodeEnum::UpdateStmt(update)) => update.returning_clause.is_none(),
        Some(NodeEnum::DeleteStmt(delete)) => delete.returning_clause.is_none(),
        Some(NodeEnum::MergeStmt(merge)) => merge.returning_clause.is_none(),
        _ => false,
    };
    is_one && tree_of(stmt, &Extent::default()).is_ok_and(|tree| changes_in(&tree) == 1)
}

/// How many changes of rows there are in a tree.
fn changes_in(value: &Value) -> usize {
    match value {
        Value::Node(tree) => {
            let is_change = matches!(
                tree.kind,
                "InsertStmt" | "UpdateStmt" | "DeleteStmt" | "MergeStmt"
            );
            usize::from(is_change) + tree.fields().map(|(_, value)| changes_in(value)).sum::<usize>()
        }
        Value::List(values) => values.iter().map(changes_in).sum(),
        Value::Nothing | Value::Yes | Value::Number(_) | Value::Text(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gives_rows_is_told_from_what_does_not() {
        for (text, expected) in [
            ("DELETE FROM t WHERE id = $1", true),
            ("UPDATE t SET a = $1 -- RETURNING", true),
            ("INSERT INTO t VALUES ($1)", true),
            ("TRUNCATE t", true),
            ("DELETE FROM t RETURNING *", false),
            (
                "WITH d AS (DELETE FROM t RETURNING *) INSERT INTO u SELECT * FROM d",
                true,
            ),
            ("SELECT 1", false),
            ("DELETE FROM t; DELETE FROM u", false),
            ("EXPLAIN DELETE FROM t", false),
            ("no SQL", false),
            ("", false),
        ] {
            assert_eq!(gives_no_rows(text), expected, "{text}");
        }
    }

    #[test]
    fn a_tag_that_counts_all_is_told_from_one_that_does_not() {
        for (text, expected) in [
            ("DELETE FROM t WHERE id = $1", true),
            ("UPDATE t SET a = 'RETURNING' FROM u WHERE t.id = u.id;", true),
            (
                "INSERT INTO t SELECT * FROM u ON CONFLICT (id) DO UPDATE SET a = 1",
                true,
            ),
            (
                "MERGE INTO t USING u ON t.id = u.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (1)",
                true,
            ),
            ("WITH w AS (SELECT 1) DELETE FROM t USING w", true),
            ("DELETE FROM t RETURNING id", false),
            ("WITH d AS (DELETE FROM u) DELETE FROM t", false),
            (
                "WITH d AS (INSERT INTO u VALUES (1) RETURNING *) INSERT INTO t SELECT * FROM d",
                false,
            ),
            (
                "WITH d AS (MERGE INTO u USING v ON true WHEN MATCHED THEN DELETE) UPDATE t SET a = 1",
                false,
            ),
            ("WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d", false),
            ("DELETE FROM t; DELETE FROM t", false),
            ("EXPLAIN ANALYZE DELETE FROM t", false),
            ("EXECUTE p", false),
            ("COPY t FROM STDIN", false),
            ("TRUNCATE t", false),
            ("SELECT 1", false),
            ("no SQL", false),
        ] {
            assert_eq!(counts_its_rows(text), expected, "{text}");
        }
        let long = format!("DELETE FROM t WHERE a = '{}'", "x".repeat(COUNTED_MAX));
        assert!(!counts_its_rows(&long));
    }
}
