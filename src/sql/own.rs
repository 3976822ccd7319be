//! `SET holdpoint.…`: statements that are holdpoint's own to answer.
//!
//! Read by the server's own grammar, so that whatever it would take for such a SET is taken for one here.

use std::fmt;

use pg_query::NodeEnum;
use pg_query::protobuf::{ParseResult, VariableSetKind, VariableSetStmt, a_const};

/// What all such settings begin with.
pub const PREFIX: &str = "holdpoint.";

/// A longer text is not looked at: nobody gives so long a reason.
const LONGEST: usize = 16 * 1024;

/// A statement that holdpoint answers itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnStatement {
    /// `SET holdpoint.NAME = 'value'`.
    Set {
        /// Without the prefix, in lower case.
        name: String,
        /// As written.
        value: String,
    },
    /// `RESET holdpoint.NAME`, or `SET … TO DEFAULT`.
    Reset {
        /// Likewise.
        name: String,
    },
    /// `SHOW holdpoint.NAME`.
    Show {
        /// Likewise.
        name: String,
    },
}

/// Why a text that has to do with a setting of holdpoint's cannot be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnFault {
    /// It stands among other statements.
    NotAlone,
    /// It is `SET LOCAL`.
    Local,
    /// It has no value, or several.
    NoValue,
}

impl fmt::Display for OwnFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAlone => "a setting of holdpoint's must be set by a statement of its own",
            Self::Local => "settings of holdpoint's cannot be set LOCAL",
            Self::NoValue => "a setting of holdpoint's takes one value, a string",
        })
    }
}

/// Whether the text may be such a statement: a look at its first letters, for nearly every text that comes.
#[must_use]
pub fn may_be_own(text: &[u8]) -> bool {
    let mut rest = text.trim_ascii_start();
    // Only such a text is looked at more closely, so the end of a comment need not be found exactly.
    while rest.starts_with(b"/*") || rest.starts_with(b"--") {
        let end: &[u8] = if rest.starts_with(b"--") { b"\n" } else { b"*/" };
        let Some(at) = rest[2..].windows(end.len()).position(|window| window == end) else {
            return false;
        };
        rest = rest[2 + at + end.len()..].trim_ascii_start();
    }
    let begins = |word: &[u8]| {
        rest.get(..word.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(word))
    };
    (begins(b"SET") || begins(b"RESET") || begins(b"SHOW"))
        && text.len() <= LONGEST
        && rest.windows(4).any(|window| window.eq_ignore_ascii_case(b"hold"))
}

/// The statement of holdpoint's own that the text is; `None` where it is none.
///
/// # Errors
/// It has to do with such a setting, and cannot be answered.
pub fn own_statement(text: &[u8]) -> Result<Option<OwnStatement>, OwnFault> {
    if !may_be_own(text) {
        return Ok(None);
    }
    let Ok(text) = std::str::from_utf8(text) else {
        return Ok(None);
    };
    let Ok(parsed) = pg_query::parse(text, pg_query::ParserOptions::DEFAULT) else {
        return Ok(None);
    };
    of_tree(&parsed.protobuf)
}

fn of_tree(tree: &ParseResult) -> Result<Option<OwnStatement>, OwnFault> {
    let nodes = tree
        .stmts
        .iter()
        .filter_map(|raw| raw.stmt.as_ref().and_then(|stmt| stmt.node.as_ref()));
    let mut own = None;
    for node in nodes {
        own = own.or(of_statement(node));
    }
    match own {
        Some(_) if tree.stmts.len() > 1 => Err(OwnFault::NotAlone),
        Some(statement) => statement.map(Some),
        None => Ok(None),
    }
}

fn of_statement(node: &NodeEnum) -> Option<Result<OwnStatement, OwnFault>> {
    match node {
        NodeEnum::VariableShowStmt(show) => {
            let name = own_name(&show.name)?;
            Some(Ok(OwnStatement::Show { name }))
        }
        NodeEnum::VariableSetStmt(set) => {
            let name = own_name(&set.name)?;
            if set.is_local {
                return Some(Err(OwnFault::Local));
            }
            let kind = VariableSetKind::try_from(set.kind).unwrap_or(VariableSetKind::Undefined);
            Some(match kind {
                VariableSetKind::VarReset | VariableSetKind::VarSetDefault => {
                    Ok(OwnStatement::Reset { name })
                }
                VariableSetKind::VarSetValue => value(set)
                    .map(|value| OwnStatement::Set { name, value })
                    .ok_or(OwnFault::NoValue),
                _ => Err(OwnFault::NoValue),
            })
        }
        _ => None,
    }
}

fn own_name(name: &str) -> Option<String> {
    // As the server compares names of settings.
    let name = name.to_ascii_lowercase();
    name.strip_prefix(PREFIX).map(str::to_owned)
}

/// The one value; a number or a word is taken as it is written.
fn value(set: &VariableSetStmt) -> Option<String> {
    let [only] = &set.args[..] else {
        return None;
    };
    let Some(NodeEnum::AConst(constant)) = only.node.as_ref() else {
        return None;
    };
    match constant.val.as_ref()? {
        a_const::Val::Sval(text) => Some(text.sval.clone()),
        a_const::Val::Ival(number) => Some(number.ival.to_string()),
        a_const::Val::Fval(number) => Some(number.fval.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, value: &str) -> OwnStatement {
        OwnStatement::Set {
            name: name.to_owned(),
            value: value.to_owned(),
        }
    }

    #[test]
    fn settings_are_read_as_the_server_reads_them() {
        for (text, expected) in [
            ("SET holdpoint.reason = 'it''s late'", set("reason", "it's late")),
            ("set Session HoldPoint.Reason to E'a\\'b';", set("reason", "a'b")),
            (
                "/* x */ SET \"holdpoint\".\"reason\" = $$a;b$$",
                set("reason", "a;b"),
            ),
            ("SET holdpoint.ticket = 42", set("ticket", "42")),
            ("SET holdpoint.ticket = ops", set("ticket", "ops")),
            (
                "RESET holdpoint.reason",
                OwnStatement::Reset {
                    name: "reason".to_owned(),
                },
            ),
            (
                "SET holdpoint.reason TO DEFAULT",
                OwnStatement::Reset {
                    name: "reason".to_owned(),
                },
            ),
            (
                "show holdpoint.reason",
                OwnStatement::Show {
                    name: "reason".to_owned(),
                },
            ),
        ] {
            let read = own_statement(text.as_bytes());
            assert_eq!(read, Ok(Some(expected)), "{text}");
        }
    }

    #[test]
    fn others_are_left_alone() {
        for text in [
            "SELECT 'SET holdpoint.reason'",
            "SET work_mem = '1MB' -- holdpoint.reason",
            "SET holdpoint_reason = 'a'",
            "SET holdpoint.reason = ",
            "SELECT 1; SET holdpoint.reason = 'a'",
            "SELECT set_config('holdpoint.reason', 'a', false)",
            "",
        ] {
            assert_eq!(own_statement(text.as_bytes()), Ok(None), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_answered_is_told() {
        for (text, fault) in [
            ("SET holdpoint.reason = 'a'; DELETE FROM t", OwnFault::NotAlone),
            ("SET LOCAL holdpoint.reason = 'a'", OwnFault::Local),
            ("SET holdpoint.reason = 'a', 'b'", OwnFault::NoValue),
            ("SET holdpoint.reason FROM CURRENT", OwnFault::NoValue),
        ] {
            assert_eq!(own_statement(text.as_bytes()), Err(fault), "{text}");
        }
    }
}
