//! Whether a text can run in the place of another whose program counts on its parameters and columns.
//!
//! Only texts that give no rows are compared: their columns are none, before and after.

use pg_query::NodeEnum;
use pg_query::protobuf::Token;

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

/// The highest number of a parameter in the text (`$3` is 3); `None` where it cannot be told.
#[must_use]
pub fn highest_parameter(text: &str) -> Option<usize> {
    let scanned = pg_query::scan(text).ok()?;
    let mut highest = 0;
    for token in &scanned.tokens {
        if token.token == Token::Param as i32 {
            let (start, end) = (
                usize::try_from(token.start).ok()?,
                usize::try_from(token.end).ok()?,
            );
            let number = text.get(start..end)?.strip_prefix('$')?.parse().ok()?;
            highest = highest.max(number);
        }
    }
    Some(highest)
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
    fn parameters_are_counted_outside_of_strings() {
        for (text, expected) in [
            ("DELETE FROM t WHERE id = $1 AND x = $12", Some(12)),
            ("SELECT '$5', $$ $6 $$ -- $7", Some(0)),
            ("SELECT $99999999999999999999", None),
        ] {
            assert_eq!(highest_parameter(text), expected, "{text}");
        }
    }
}
