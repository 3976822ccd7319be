//! From a policy file as written to rules that can be evaluated.

mod access;
mod conditions;
mod contradictions;
mod hold;

use std::path::Path;
use std::sync::Arc;

use toml::Spanned;

use super::NO_RULE;
use super::condition::When;
use super::error::PolicyProblem;
use super::file::{Names, RawFile, RawRule, RawThen, Reader};
use super::rule::{Action, Rule};

pub(super) use access::read_all as access;

/// A rule, and the line of its name.
pub(super) struct Compiled {
    pub(super) rule: Rule,
    pub(super) line: usize,
}

/// Compiles the rules of a file; those with a problem are missing from the result.
pub(super) fn rules(
    file: &Path,
    text: &str,
    raw: Vec<RawRule>,
    problems: &mut Vec<PolicyProblem>,
) -> Vec<Compiled> {
    let mut reader = Reader { file, text, problems };
    raw.into_iter().filter_map(|raw| rule(&mut reader, raw)).collect()
}

/// The file's `default_groups` and their line.
pub(super) fn default_groups(
    file: &Path,
    text: &str,
    raw: &RawFile,
    problems: &mut Vec<PolicyProblem>,
) -> Option<(Vec<String>, usize)> {
    let names = raw.default_groups.as_ref()?;
    let mut reader = Reader { file, text, problems };
    let line = reader.line(names.span().start);
    let groups = groups(&mut reader, "default_groups", names)?;
    Some((groups, line))
}

/// `None` where something is wrong with it: the problems say what.
fn rule(reader: &mut Reader<'_, '_>, raw: RawRule) -> Option<Compiled> {
    let name = name(reader, &raw.name);
    let when = match raw.when {
        None => Some(When::default()),
        Some(when) => conditions::read(reader, &when),
    };
    let action = action(reader, raw.then);
    let line = reader.line(raw.name.span().start);
    Some(Compiled {
        rule: Rule {
            name: name?,
            when: when?,
            action: action?,
            place: format!("{}:{line}", reader.file.display()),
        },
        line,
    })
}

fn name(reader: &mut Reader<'_, '_>, raw: &Spanned<String>) -> Option<Arc<str>> {
    let name = raw.as_ref().as_str();
    let problem = if name.trim().is_empty() {
        "a rule's name is empty: say in a few words what the rule is for"
    } else if name.contains(char::is_control) {
        "a rule's name is one line of text"
    } else if name == NO_RULE {
        "this name is kept for statements that no rule matches"
    } else {
        return Some(Arc::from(name));
    };
    reader.fail(raw.span().start, problem);
    None
}

fn action(reader: &mut Reader<'_, '_>, raw: RawThen) -> Option<Action> {
    match raw {
        RawThen::Allow => Some(Action::Allow),
        RawThen::Observe => Some(Action::Observe),
        RawThen::Hold(raw) => hold::read(reader, *raw).map(Action::Hold),
        RawThen::Deny(deny) => {
            let reason = deny.reason.as_ref().trim();
            if reason.is_empty() {
                let message =
                    "the reason is empty: the requester reads it, so say why, and what to do instead";
                reader.fail(deny.reason.span().start, message);
                return None;
            }
            Some(Action::Deny {
                reason: Arc::from(reason),
            })
        }
    }
}

/// Sorted, without duplicates.
fn groups(reader: &mut Reader<'_, '_>, key: &str, names: &Names) -> Option<Vec<String>> {
    let mut groups = plain_names(reader, key, Some(names))?;
    groups.sort();
    groups.dedup();
    Some(groups)
}

/// Names that are compared as they are.
fn plain_names(reader: &mut Reader<'_, '_>, key: &str, names: Option<&Names>) -> Option<Vec<String>> {
    list(reader, key, names, |name| {
        if name.trim() != name || name.is_empty() {
            Err("a name is empty, or has spaces at its ends".to_owned())
        } else if name.contains('*') {
            Err(format!(
                "\"{name}\": `*` works in commands, tables, columns, functions and application_names only; \
                 list the names"
            ))
        } else {
            Ok(name.to_owned())
        }
    })
}

/// `None` where the list is not there, or anything in it is wrong: the problems tell the two apart.
fn list<T>(
    reader: &mut Reader<'_, '_>,
    key: &str,
    names: Option<&Names>,
    read: impl Fn(&str) -> Result<T, String>,
) -> Option<Vec<T>> {
    let names = names?;
    if names.as_ref().is_empty() {
        let message = format!("`{key}` is empty: name something, or leave it out");
        reader.fail(names.span().start, message);
        return None;
    }
    let mut values = Vec::with_capacity(names.as_ref().len());
    for name in names.as_ref() {
        match read(name.as_ref()) {
            Ok(value) => values.push(value),
            Err(message) => reader.fail(name.span().start, format!("{key}: {message}")),
        }
    }
    (values.len() == names.as_ref().len()).then_some(values)
}
