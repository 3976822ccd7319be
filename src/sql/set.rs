//! `SET`, `RESET` and `set_config()`: judged by what they set.
//!
//! `SET TRANSACTION READ WRITE` and `default_transaction_read_only` touch the session alone: a
//! read-only transaction is no boundary that judging rests on. Where the server is asked to
//! refuse writes behind a read, that must not hang on these settings staying as they were.

use pg_query::NodeEnum;
use pg_query::protobuf::{Node, VariableSetKind, VariableSetStmt, a_const};

use super::findings::{Findings, Runs};
use super::references::Eyes;
use super::settings::{effect_of_assignment, effect_of_setting, hides_pg_catalog};
use super::tree::Tree;
use crate::model::{Effect, Facts};

/// Where a setting may not exist, `pg_dump` takes its name from `pg_settings` and sets it to this
/// value. No other setting does harm with it: no role or library is called so.
const PG_DUMP_S_VALUE: &str = "view, foreign-table";

/// A `SET` or `RESET` statement.
pub(super) fn judge_set(set: &VariableSetStmt) -> Facts {
    let kind = VariableSetKind::try_from(set.kind).unwrap_or(VariableSetKind::Undefined);
    let command = match kind {
        VariableSetKind::VarReset | VariableSetKind::VarResetAll => "RESET",
        _ => "SET",
    };
    let mut findings = Findings::new(command, Effect::Session, Runs::Now);
    match kind {
        // SET TRANSACTION and SET SESSION CHARACTERISTICS: isolation, read only, snapshot.
        // RESET ALL leaves role and session_authorization as they are.
        VariableSetKind::VarSetMulti => findings.sets("transaction_read_only"),
        VariableSetKind::VarResetAll => findings.sets("*"),
        // Back to what the session began with, which the startup packet settled.
        VariableSetKind::VarReset | VariableSetKind::VarSetDefault => {
            note(&set.name, effect_of_default(&set.name), &mut findings);
        }
        VariableSetKind::VarSetValue => {
            note(&set.name, effect_of_values(&set.name, &set.args), &mut findings);
        }
        VariableSetKind::VarSetCurrent | VariableSetKind::Undefined => {
            note(&set.name, Effect::Unknown, &mut findings);
        }
    }
    findings.into_facts(Eyes::Blind)
}

/// A setting of the startup packet: the facts of the `SET` that it stands for.
#[must_use]
pub fn judge_startup_setting(name: &str, value: &str) -> Facts {
    let mut findings = Findings::new("SET", Effect::Session, Runs::Now);
    note(name, effect_of_assignment(name, value), &mut findings);
    findings.into_facts(Eyes::Blind)
}

/// A call of `set_config(name, value, is_local)`.
pub(super) fn judge_set_config(call: &Tree, findings: &mut Findings) {
    let arguments: Vec<_> = call
        .list("args")
        .iter()
        .filter_map(|argument| argument.as_node())
        .collect();
    let [name, value, _] = arguments[..] else {
        findings.sets("*");
        return findings.calls(
            Effect::Unknown,
            "set_config is called with other than its three arguments",
        );
    };
    if constant(value) == Some(PG_DUMP_S_VALUE) {
        findings.sets("*");
        return;
    }
    let Some(name) = constant(name) else {
        findings.sets("*");
        return findings.calls(
            Effect::Unknown,
            "set_config is called with a name that is not a constant",
        );
    };
    findings.sets(name);
    let effect = match constant(value) {
        Some(value) => effect_of_assignment(name, value),
        // What is only harmless with some values.
        None if name.eq_ignore_ascii_case("search_path") => Effect::Unknown,
        None => effect_of_setting(name),
    };
    if effect > Effect::Session {
        findings.calls(effect, signal(name, effect));
    }
}

fn effect_of_default(name: &str) -> Effect {
    if name.eq_ignore_ascii_case("client_encoding") {
        return Effect::Session;
    }
    effect_of_setting(name)
}

fn effect_of_values(name: &str, values: &[Node]) -> Effect {
    let texts: Vec<&str> = values
        .iter()
        .map(|value| text(value).unwrap_or_default())
        .collect();
    if name.eq_ignore_ascii_case("search_path") {
        // A list, or (in one string) what the server quotes as one name.
        let joined = texts.join(",");
        return if hides_pg_catalog(joined.split(',')) {
            Effect::Unknown
        } else {
            effect_of_setting(name)
        };
    }
    match texts[..] {
        [value] => effect_of_assignment(name, value),
        _ => effect_of_setting(name),
    }
}

fn note(name: &str, effect: Effect, findings: &mut Findings) {
    findings.sets(name);
    if effect > Effect::Session {
        findings.does_since(effect, signal(name, effect));
    }
}

fn signal(name: &str, effect: Effect) -> String {
    let name = name.to_ascii_lowercase();
    match (name.as_str(), effect) {
        ("client_encoding", _) => {
            "it changes client_encoding to one in which texts cannot be judged".to_owned()
        }
        ("search_path", _) => {
            "it changes search_path so that other schemas may come before pg_catalog".to_owned()
        }
        (_, Effect::Privilege) => format!("it sets {name}: the session acts as another role"),
        _ => format!("the setting {name} is not known to touch this session alone"),
    }
}

/// The text of a constant in the tree.
fn constant(node: &Tree) -> Option<&str> {
    let value = node
        .node("val")
        .filter(|value| node.kind == "AConst" && value.kind == "String")?;
    Some(value.text("sval"))
}

fn text(node: &Node) -> Option<&str> {
    match node.node.as_ref()? {
        NodeEnum::AConst(constant) => match constant.val.as_ref()? {
            a_const::Val::Sval(text) => Some(&text.sval),
            _ => None,
        },
        _ => None,
    }
}
