//! The names of commands: what a statement can be called, and what it then does at the least.
//!
//! Judging makes the names, one by one; this is all of them, so that a policy which names another can be told.
//! `src/sql/tests/commands.rs` holds the two together.

use super::Effect;
use super::Effect::{Privilege, Read, Schema, Server, Session, Unknown, Write};
use super::nearest::{nearest, nearest_within};

/// Every name that a statement can have, as in [`super::Facts::commands`], and the mildest effect of a statement
/// that has it; by name.
pub const COMMANDS: &[(&str, Effect)] = &[
    ("ALTER AGGREGATE", Schema),
    ("ALTER COLLATION", Schema),
    ("ALTER CONVERSION", Schema),
    ("ALTER DATABASE", Server),
    ("ALTER DEFAULT PRIVILEGES", Privilege),
    ("ALTER DOMAIN", Schema),
    ("ALTER EVENT TRIGGER", Privilege),
    ("ALTER EXTENSION", Server),
    ("ALTER FOREIGN DATA WRAPPER", Server),
    ("ALTER FOREIGN TABLE", Server),
    ("ALTER FUNCTION", Schema),
    ("ALTER INDEX", Schema),
    ("ALTER LANGUAGE", Server),
    ("ALTER LARGE OBJECT", Schema),
    ("ALTER MATERIALIZED VIEW", Schema),
    ("ALTER OPERATOR", Schema),
    ("ALTER OPERATOR CLASS", Schema),
    ("ALTER OPERATOR FAMILY", Schema),
    ("ALTER POLICY", Privilege),
    ("ALTER PROCEDURE", Schema),
    ("ALTER PUBLICATION", Server),
    ("ALTER ROLE", Privilege),
    ("ALTER ROUTINE", Schema),
    ("ALTER RULE", Schema),
    ("ALTER SCHEMA", Schema),
    ("ALTER SEQUENCE", Schema),
    ("ALTER SERVER", Server),
    ("ALTER STATISTICS", Schema),
    ("ALTER SUBSCRIPTION", Server),
    ("ALTER SYSTEM", Server),
    ("ALTER TABLE", Schema),
    ("ALTER TABLESPACE", Server),
    ("ALTER TEXT SEARCH CONFIGURATION", Schema),
    ("ALTER TEXT SEARCH DICTIONARY", Schema),
    ("ALTER TEXT SEARCH PARSER", Schema),
    ("ALTER TEXT SEARCH TEMPLATE", Schema),
    ("ALTER TRIGGER", Schema),
    ("ALTER TYPE", Schema),
    ("ALTER USER MAPPING", Server),
    ("ALTER VIEW", Schema),
    ("ANALYZE", Write),
    ("BEGIN", Session),
    ("CALL", Unknown),
    ("CHECKPOINT", Server),
    ("CLOSE CURSOR", Session),
    ("CLUSTER", Schema),
    ("COMMENT", Schema),
    ("COMMIT", Session),
    ("COMMIT PREPARED", Write),
    ("COPY", Read),
    ("COPY FILE", Server),
    ("COPY PROGRAM", Server),
    ("CREATE ACCESS METHOD", Server),
    ("CREATE AGGREGATE", Schema),
    ("CREATE CAST", Schema),
    ("CREATE COLLATION", Schema),
    ("CREATE CONVERSION", Schema),
    ("CREATE DATABASE", Server),
    ("CREATE DOMAIN", Schema),
    ("CREATE EVENT TRIGGER", Privilege),
    ("CREATE EXTENSION", Server),
    ("CREATE FOREIGN DATA WRAPPER", Server),
    ("CREATE FOREIGN TABLE", Server),
    ("CREATE FUNCTION", Schema),
    ("CREATE INDEX", Schema),
    ("CREATE LANGUAGE", Server),
    ("CREATE MATERIALIZED VIEW", Schema),
    ("CREATE OPERATOR", Schema),
    ("CREATE OPERATOR CLASS", Schema),
    ("CREATE OPERATOR FAMILY", Schema),
    ("CREATE POLICY", Privilege),
    ("CREATE PROCEDURE", Schema),
    ("CREATE PUBLICATION", Server),
    ("CREATE ROLE", Privilege),
    ("CREATE RULE", Schema),
    ("CREATE SCHEMA", Schema),
    ("CREATE SEQUENCE", Schema),
    ("CREATE SERVER", Server),
    ("CREATE STATISTICS", Schema),
    ("CREATE SUBSCRIPTION", Server),
    ("CREATE TABLE", Schema),
    ("CREATE TABLE AS", Schema),
    ("CREATE TABLESPACE", Server),
    ("CREATE TEXT SEARCH CONFIGURATION", Schema),
    ("CREATE TEXT SEARCH DICTIONARY", Schema),
    ("CREATE TEXT SEARCH PARSER", Schema),
    ("CREATE TEXT SEARCH TEMPLATE", Schema),
    ("CREATE TRANSFORM", Schema),
    ("CREATE TRIGGER", Schema),
    ("CREATE TYPE", Schema),
    ("CREATE USER MAPPING", Server),
    ("CREATE VIEW", Schema),
    ("DEALLOCATE", Session),
    ("DECLARE CURSOR", Read),
    ("DELETE", Write),
    ("DISCARD", Session),
    ("DO", Unknown),
    ("DROP ACCESS METHOD", Server),
    ("DROP AGGREGATE", Schema),
    ("DROP CAST", Schema),
    ("DROP COLLATION", Schema),
    ("DROP CONVERSION", Schema),
    ("DROP DATABASE", Server),
    ("DROP DOMAIN", Schema),
    ("DROP EVENT TRIGGER", Privilege),
    ("DROP EXTENSION", Server),
    ("DROP FOREIGN DATA WRAPPER", Server),
    ("DROP FOREIGN TABLE", Server),
    ("DROP FUNCTION", Schema),
    ("DROP INDEX", Schema),
    ("DROP LANGUAGE", Server),
    ("DROP MATERIALIZED VIEW", Schema),
    ("DROP OPERATOR", Schema),
    ("DROP OPERATOR CLASS", Schema),
    ("DROP OPERATOR FAMILY", Schema),
    ("DROP OWNED", Privilege),
    ("DROP POLICY", Privilege),
    ("DROP PROCEDURE", Schema),
    ("DROP PUBLICATION", Server),
    ("DROP ROLE", Privilege),
    ("DROP ROUTINE", Schema),
    ("DROP RULE", Schema),
    ("DROP SCHEMA", Schema),
    ("DROP SEQUENCE", Schema),
    ("DROP SERVER", Server),
    ("DROP STATISTICS", Schema),
    ("DROP SUBSCRIPTION", Server),
    ("DROP TABLE", Schema),
    ("DROP TABLESPACE", Server),
    ("DROP TEXT SEARCH CONFIGURATION", Schema),
    ("DROP TEXT SEARCH DICTIONARY", Schema),
    ("DROP TEXT SEARCH PARSER", Schema),
    ("DROP TEXT SEARCH TEMPLATE", Schema),
    ("DROP TRANSFORM", Schema),
    ("DROP TRIGGER", Schema),
    ("DROP TYPE", Schema),
    ("DROP USER MAPPING", Server),
    ("DROP VIEW", Schema),
    ("EMPTY", Session),
    ("EXECUTE", Session),
    ("EXPLAIN", Read),
    ("FETCH", Session),
    ("GRANT", Privilege),
    ("GRANT ROLE", Privilege),
    ("IMPORT FOREIGN SCHEMA", Server),
    ("INSERT", Write),
    ("LISTEN", Session),
    ("LOAD", Server),
    ("LOCK TABLE", Write),
    ("MERGE", Write),
    ("MOVE", Session),
    ("NOTIFY", Write),
    ("PREPARE", Session),
    ("PREPARE TRANSACTION", Write),
    ("REASSIGN OWNED", Privilege),
    ("REFRESH MATERIALIZED VIEW", Write),
    ("REINDEX", Schema),
    ("RELEASE", Session),
    ("RESET", Session),
    ("REVOKE", Privilege),
    ("REVOKE ROLE", Privilege),
    ("ROLLBACK", Session),
    ("ROLLBACK PREPARED", Write),
    ("SAVEPOINT", Session),
    ("SECURITY LABEL", Privilege),
    ("SELECT", Read),
    ("SELECT INTO", Schema),
    ("SET", Session),
    ("SET CONSTRAINTS", Session),
    ("SHOW", Session),
    ("START TRANSACTION", Session),
    ("TRUNCATE TABLE", Write),
    ("UNKNOWN", Unknown),
    ("UNLISTEN", Session),
    ("UNPARSED", Unknown),
    ("UPDATE", Write),
    ("VACUUM", Write),
];

/// More would not be read.
const MOST: usize = 3;

/// Names that may have been meant by one that is none (in upper case), the likeliest first.
#[must_use]
pub fn near(name: &str) -> Vec<&'static str> {
    let names = || COMMANDS.iter().map(|(name, _)| *name);
    // Users and groups are roles: PostgreSQL's commands for them are called so, too.
    let as_role: Vec<&str> = name
        .split(' ')
        .map(|word| {
            if matches!(word, "USER" | "GROUP") {
                "ROLE"
            } else {
                word
            }
        })
        .collect();
    let as_role = as_role.join(" ");
    let mut near: Vec<&str> = names().filter(|known| *known == as_role).collect();
    near.extend(names().filter(|known| begins_with_words(known, name)));
    let known: Vec<&str> = names().collect();
    if near.is_empty() {
        // A slip of the fingers.
        near.extend(nearest_within(name, &known, |letters| letters.div_ceil(3).min(2)));
    }
    if near.is_empty() {
        near.extend(names().filter(|known| begins_with_words(name, known)));
    }
    if near.is_empty() {
        near.extend(nearest(name, &known));
    }
    near.truncate(MOST);
    near
}

fn begins_with_words(text: &str, words: &str) -> bool {
    text.strip_prefix(words).is_some_and(|rest| rest.starts_with(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_sorted_and_told_once() {
        assert!(COMMANDS.is_sorted_by(|(a, _), (b, _)| a < b));
        for (name, _) in COMMANDS {
            assert_eq!(*name, name.to_uppercase());
        }
    }

    #[test]
    fn what_may_have_been_meant_is_found() {
        for (name, expected) in [
            ("TRUNCATE", &["TRUNCATE TABLE"] as &[_]),
            ("LOCK", &["LOCK TABLE"]),
            ("REFRESH", &["REFRESH MATERIALIZED VIEW"]),
            ("CREATE USER", &["CREATE ROLE", "CREATE USER MAPPING"]),
            ("DROP GROUP", &["DROP ROLE"]),
            ("UPDTAE", &["UPDATE"]),
            ("DROP TABEL", &["DROP TABLE"]),
            ("COPY FIEL", &["COPY FILE"]),
            ("INSERT INTO", &["INSERT"]),
            ("DELETE FROM", &["DELETE"]),
            ("XYZZY", &[]),
        ] {
            assert_eq!(near(name), expected, "{name}");
        }
    }
}
