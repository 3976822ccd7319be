//! What PostgreSQL's own names mean: functions, operators and types of `pg_catalog`.
//!
//! A name on no list is a user's, or of a server newer than the lists. A bare name counts as
//! PostgreSQL's own although `search_path` could find a user's object with better fitting
//! argument types, or one in a schema set before `pg_catalog`: the second is refused where it
//! is set ([`super::set`]), the first takes a definition, which is not a read, and is for the
//! catalogue of the upstream to see. On a server older than PostgreSQL 15, a few bare names of
//! the lists (`date_bin`, `regexp_count`) may be a user's, too.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use crate::model::Effect;

static READING: LazyLock<HashSet<&str>> =
    LazyLock::new(|| words(include_str!("lists/functions_reading.txt")));
static NEWER: LazyLock<HashSet<&str>> = LazyLock::new(|| words(include_str!("lists/functions_newer.txt")));
static COMPOSITE: LazyLock<HashSet<&str>> =
    LazyLock::new(|| words(include_str!("lists/functions_composite.txt")));
static INFORMATION_SCHEMA: LazyLock<HashSet<&str>> =
    LazyLock::new(|| words(include_str!("lists/functions_information_schema.txt")));
static ACTING: LazyLock<HashMap<&str, Acting>> =
    LazyLock::new(|| acting(include_str!("lists/functions_acting.txt")));
static OPERATORS: LazyLock<HashSet<&str>> = LazyLock::new(|| words(include_str!("lists/operators.txt")));
static TYPES: LazyLock<HashSet<&str>> = LazyLock::new(|| words(include_str!("lists/types.txt")));

/// What calling a function of some name does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    /// It only reads.
    Reading,
    /// It does more.
    Acting(Acting),
    /// `set_config`: by what it sets.
    SetConfig,
    /// A user's, as far as the name tells.
    Foreign,
}

/// What a function of PostgreSQL does besides reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Acting {
    pub(super) effect: Effect,
    /// Completes "the function f …".
    pub(super) does: &'static str,
}

/// What the function of this name does, as written: bare or with a schema (and the database).
pub(super) fn function(name: &[&str]) -> Function {
    let (schema, name) = match name {
        [name] => (None, *name),
        [schema, name] | [_, schema, name] => (Some(*schema), *name),
        _ => return Function::Foreign,
    };
    match schema {
        None | Some("pg_catalog") => {
            if name == "set_config" {
                Function::SetConfig
            } else if let Some(acting) = ACTING.get(name) {
                Function::Acting(*acting)
            } else if READING.contains(name) || (schema.is_some() && NEWER.contains(name)) {
                Function::Reading
            } else {
                Function::Foreign
            }
        }
        Some("information_schema") if INFORMATION_SCHEMA.contains(name) => Function::Reading,
        Some(_) => Function::Foreign,
    }
}

/// Whether this view of `pg_catalog` reads files of the server: those over functions that do.
pub(super) fn shows_files(view: &str) -> bool {
    matches!(
        view,
        "pg_file_settings" | "pg_hba_file_rules" | "pg_ident_file_mappings"
    )
}

/// Whether calls of this function always give rows of several columns.
pub(super) fn returns_rows(name: &[&str]) -> bool {
    match name {
        [name] | ["pg_catalog", name] => COMPOSITE.contains(name),
        ["information_schema", "_pg_expandarray"] => true,
        _ => false,
    }
}

/// Whether an operator is one of PostgreSQL's own. The words that the parser puts in an
/// operator's place (`BETWEEN SYMMETRIC`) are: no operator has letters.
pub(super) fn is_own_operator(name: &[&str]) -> bool {
    match name {
        [name] | ["pg_catalog", name] => {
            OPERATORS.contains(name) || name.bytes().all(|b| b.is_ascii_uppercase() || b == b' ')
        }
        _ => false,
    }
}

/// Whether a type is one of PostgreSQL's own.
pub(super) fn is_own_type(name: &[&str]) -> bool {
    match name {
        [name] | ["pg_catalog", name] => TYPES.contains(name.strip_prefix('_').unwrap_or(name)),
        ["information_schema", name] => matches!(
            *name,
            "cardinal_number" | "character_data" | "sql_identifier" | "time_stamp" | "yes_or_no"
        ),
        _ => false,
    }
}

/// Lines of one word; the others are comments.
fn words(list: &'static str) -> HashSet<&'static str> {
    list.lines()
        .filter(|line| !line.contains(' ') && !line.is_empty())
        .collect()
}

fn acting(list: &'static str) -> HashMap<&'static str, Acting> {
    list.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let (name, rest) = line.split_once(' ')?;
            let (effect, does) = rest.split_once(' ')?;
            // An effect that does not parse is a slip of the list: the most severe, then.
            let effect = effect.parse().unwrap_or(Effect::Unknown);
            Some((name, Acting { effect, does }))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_and_do_not_overlap() {
        for list in [
            include_str!("lists/functions_reading.txt"),
            include_str!("lists/functions_newer.txt"),
            include_str!("lists/functions_composite.txt"),
            include_str!("lists/types.txt"),
        ] {
            let lines: Vec<_> = list.lines().filter(|line| !line.contains(' ')).collect();
            assert!(
                lines.is_sorted_by(|a, b| a < b),
                "{:?}",
                lines.windows(2).find(|w| w[0] >= w[1])
            );
        }
        assert!(READING.len() > 1700 && ACTING.len() > 100 && OPERATORS.len() > 70 && TYPES.len() > 90);
        assert_eq!(READING.iter().find(|name| ACTING.contains_key(*name)), None);
        assert_eq!(NEWER.intersection(&READING).next(), None);
    }

    #[test]
    fn every_line_of_the_acting_list_says_an_effect_above_read() {
        let lines = include_str!("lists/functions_acting.txt")
            .lines()
            .filter(|line| !line.starts_with('#'));
        assert_eq!(lines.clone().count(), ACTING.len());
        for line in lines {
            let effect = line.split(' ').nth(1).map(str::parse::<Effect>);
            assert!(matches!(effect, Some(Ok(e)) if e > Effect::Read), "{line}");
        }
    }

    #[test]
    fn names_count_with_their_schema() {
        assert_eq!(function(&["lower"]), Function::Reading);
        assert_eq!(function(&["pg_catalog", "lower"]), Function::Reading);
        assert_eq!(function(&["shop", "pg_catalog", "lower"]), Function::Reading);
        assert_eq!(function(&["app", "lower"]), Function::Foreign);
        assert_eq!(function(&["LOWER"]), Function::Foreign);
        assert_eq!(function(&["uuidv7"]), Function::Foreign);
        assert_eq!(function(&["pg_catalog", "uuidv7"]), Function::Reading);
        assert_eq!(
            function(&["information_schema", "_pg_expandarray"]),
            Function::Reading
        );
        assert_eq!(function(&[]), Function::Foreign);
        assert!(is_own_operator(&["#"]) && is_own_operator(&["NOT BETWEEN SYMMETRIC"]));
        assert!(!is_own_operator(&["app", "="]) && !is_own_operator(&["<#>"]));
        assert!(is_own_type(&["_int4"]) && !is_own_type(&["app", "int4"]));
    }
}
