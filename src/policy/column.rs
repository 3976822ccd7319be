//! Patterns for columns: `table.column` or `schema.table.column`, each part as in [`super::pattern`].

use std::fmt;

use super::pattern::{Glob, NamePattern, split_identifiers};
use crate::model::ColumnWrite;

/// A pattern for columns of tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ColumnPattern {
    table: NamePattern,
    column: Glob,
}

impl ColumnPattern {
    /// The error says what is wrong, without the pattern.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut parts = split_identifiers(text)?;
        let column = parts.pop().map(Glob::of);
        match (NamePattern::of_parts(parts), column) {
            (Some(table), Some(column)) => Ok(Self { table, column }),
            _ => Err("write \"table.column\" or \"schema.table.column\""),
        }
    }

    /// Whether what is written is one of the columns meant, whatever the session's `search_path`.
    pub(super) fn surely(&self, written: &ColumnWrite) -> bool {
        let is_meant = match &written.column {
            Some(column) => self.column.matches(column),
            None => self.column.is_any(),
        };
        is_meant && self.table.surely(written.schema.as_deref(), &written.table)
    }

    /// Whether what is written could be one of them: any column could.
    pub(super) fn possibly(&self, written: &ColumnWrite) -> bool {
        written
            .column
            .as_ref()
            .is_none_or(|column| self.column.matches(column))
            && self.table.possibly(written.schema.as_deref(), &written.table)
    }
}

impl fmt::Display for ColumnPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.table, self.column.as_identifier())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn written(name: &str) -> ColumnWrite {
        let mut parts: Vec<&str> = name.split('.').collect();
        let column = parts.pop().filter(|column| *column != "?").map(str::to_owned);
        let table = parts.pop().unwrap().to_owned();
        let schema = parts.pop().map(str::to_owned);
        ColumnWrite {
            schema,
            table,
            column,
        }
    }

    #[test]
    fn columns_match_surely_or_possibly() {
        // pattern, what is written (`?`: any column), surely, possibly
        for (pattern, name, surely, possibly) in [
            ("users.email", "users.email", true, true),
            ("users.email", "public.users.email", true, true),
            ("users.email", "users.name", false, false),
            ("users.email", "orders.email", false, false),
            ("users.email", "users.?", false, true),
            ("users.*", "users.?", true, true),
            ("users.*", "orders.?", false, false),
            ("public.users.email", "users.email", false, true),
            ("public.users.email", "sales.users.email", false, false),
            ("public.users.password*", "public.users.password_hash", true, true),
            ("*.salary", "people.salary", true, true),
            ("*.salary", "hr.people.salary", true, true),
            ("*.salary", "people.name", false, false),
            ("*.*", "people.?", true, true),
            ("hr.*.*", "people.?", false, true),
            ("Users.Email", "users.email", true, true),
            ("users.\"Email\"", "users.email", false, false),
            ("users.\"*\"", "users.?", false, true),
        ] {
            let parsed = ColumnPattern::parse(pattern).unwrap();
            let of = written(name);
            assert_eq!(parsed.surely(&of), surely, "{pattern} on {name}");
            assert_eq!(parsed.possibly(&of), possibly, "{pattern} on {name}");
            assert_eq!(ColumnPattern::parse(&parsed.to_string()).as_ref(), Ok(&parsed));
        }
    }

    #[test]
    fn what_is_no_column_of_a_table_is_refused() {
        for pattern in [
            "",
            "email",
            "a.b.c.d",
            ".email",
            "users.",
            "users.\"e",
            "my users.email",
        ] {
            assert!(ColumnPattern::parse(pattern).is_err(), "{pattern}");
        }
    }
}
