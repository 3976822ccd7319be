//! Words that are coloured. What is not here is a name.

/// Words that begin a statement which changes something.
const VERBS: &[&str] = &[
    "ALTER", "CALL", "CLUSTER", "COPY", "CREATE", "DELETE", "DO", "DROP", "EXECUTE", "GRANT", "IMPORT",
    "INSERT", "LOCK", "MERGE", "REASSIGN", "REFRESH", "REINDEX", "REVOKE", "TRUNCATE", "UPDATE", "VACUUM",
];

/// Other words of PostgreSQL's grammar that are seldom names; sorted.
const KEYWORDS: &[&str] = &[
    "ABORT",
    "ADD",
    "ALL",
    "ANALYZE",
    "AND",
    "ANY",
    "ARRAY",
    "AS",
    "ASC",
    "BEGIN",
    "BETWEEN",
    "BY",
    "CASCADE",
    "CASE",
    "CAST",
    "CHECK",
    "CLOSE",
    "COLLATE",
    "COLUMN",
    "COMMIT",
    "CONCURRENTLY",
    "CONFLICT",
    "CONSTRAINT",
    "CROSS",
    "CURRENT_DATE",
    "CURRENT_TIMESTAMP",
    "CURRENT_USER",
    "CURSOR",
    "DATABASE",
    "DEALLOCATE",
    "DECLARE",
    "DEFAULT",
    "DESC",
    "DISCARD",
    "DISTINCT",
    "ELSE",
    "END",
    "EXCEPT",
    "EXISTS",
    "EXPLAIN",
    "EXTENSION",
    "FALSE",
    "FETCH",
    "FILTER",
    "FOR",
    "FOREIGN",
    "FROM",
    "FULL",
    "FUNCTION",
    "GROUP",
    "HAVING",
    "IF",
    "ILIKE",
    "IN",
    "INDEX",
    "INNER",
    "INTERSECT",
    "INTERVAL",
    "INTO",
    "IS",
    "JOIN",
    "KEY",
    "LANGUAGE",
    "LATERAL",
    "LEFT",
    "LIKE",
    "LIMIT",
    "LISTEN",
    "MATCHED",
    "MATERIALIZED",
    "NATURAL",
    "NOT",
    "NOTHING",
    "NOTIFY",
    "NULL",
    "OFFSET",
    "ON",
    "ONLY",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "OWNER",
    "PARTITION",
    "POLICY",
    "PREPARE",
    "PRIMARY",
    "PROCEDURE",
    "PROGRAM",
    "REFERENCES",
    "RELEASE",
    "RENAME",
    "REPLACE",
    "RESET",
    "RESTRICT",
    "RETURNING",
    "RETURNS",
    "RIGHT",
    "ROLE",
    "ROLLBACK",
    "SAVEPOINT",
    "SCHEMA",
    "SECURITY",
    "SELECT",
    "SEQUENCE",
    "SET",
    "SHOW",
    "SOME",
    "STDIN",
    "STDOUT",
    "SYSTEM",
    "TABLE",
    "TEMPORARY",
    "THEN",
    "TO",
    "TRANSACTION",
    "TRIGGER",
    "TRUE",
    "TYPE",
    "UNION",
    "UNIQUE",
    "UNLISTEN",
    "USER",
    "USING",
    "VALUES",
    "VIEW",
    "WHEN",
    "WHERE",
    "WINDOW",
    "WITH",
];

/// How long the longest of them is.
const LONGEST: usize = 17;

/// What a bare word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Verb,
    Keyword,
    Name,
}

/// Sorts a bare word, in any case.
pub(super) fn sort(word: &str) -> Word {
    if word.len() > LONGEST || !word.is_ascii() {
        return Word::Name;
    }
    let upper = word.to_ascii_uppercase();
    if VERBS.binary_search(&upper.as_str()).is_ok() {
        Word::Verb
    } else if KEYWORDS.binary_search(&upper.as_str()).is_ok() {
        Word::Keyword
    } else {
        Word::Name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_can_be_searched() {
        assert!(VERBS.is_sorted());
        assert!(KEYWORDS.is_sorted());
        assert_eq!(VERBS.iter().chain(KEYWORDS).map(|w| w.len()).max(), Some(LONGEST));
    }

    #[test]
    fn case_does_not_matter() {
        assert_eq!(sort("delete"), Word::Verb);
        assert_eq!(sort("Where"), Word::Keyword);
        assert_eq!(sort("payments"), Word::Name);
    }
}
