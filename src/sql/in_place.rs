//! Whether a text gives rows: what it gave was seen, whatever becomes of its transaction.

use pg_query::NodeEnum;

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
}
