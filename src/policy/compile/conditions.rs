//! The conditions of a rule: from `when` as written to what can be compared.

use toml::Spanned;

use super::{list, plain_names};
use crate::model::Effect;
use crate::policy::condition::When;
use crate::policy::file::{Names, RawWhen, Reader};
use crate::policy::pattern::{Glob, NamePattern};

/// `None` where something is wrong with them: the problems say what.
pub(super) fn read(reader: &mut Reader<'_, '_>, raw: &Spanned<RawWhen>) -> Option<When> {
    let start = raw.span().start;
    let raw = raw.as_ref();
    let before = reader.problems.len();
    let when = When {
        databases: plain_names(reader, "databases", raw.databases.as_ref()),
        users: plain_names(reader, "users", raw.users.as_ref()),
        groups: plain_names(reader, "groups", raw.groups.as_ref()),
        not_groups: plain_names(reader, "not_groups", raw.not_groups.as_ref()),
        effects: list(reader, "effects", raw.effects.as_ref(), |effect| {
            effect.parse::<Effect>().map_err(|error| error.to_string())
        })
        .map(|effects| effects.into_iter().collect()),
        commands: list(reader, "commands", raw.commands.as_ref(), command),
        tables: patterns(reader, "tables", raw.tables.as_ref()),
        functions: patterns(reader, "functions", raw.functions.as_ref()),
        filtered: raw.r#where,
    };
    if reader.problems.len() > before {
        return None;
    }
    if when == When::default() {
        reader.fail(
            start,
            "an empty `when`: leave it out where the rule is for everything",
        );
        return None;
    }
    if let (Some(groups), Some(excluded)) = (&when.groups, &when.not_groups)
        && groups.iter().all(|group| excluded.contains(group))
    {
        reader.fail(
            start,
            "this can never match: each of `groups` is also in `not_groups`",
        );
        return None;
    }
    Some(when)
}

fn patterns(reader: &mut Reader<'_, '_>, key: &str, names: Option<&Names>) -> Option<Vec<NamePattern>> {
    list(reader, key, names, |pattern| {
        NamePattern::parse(pattern)
            .map_err(|why| format!("\"{pattern}\" is no name of a table or function: {why}"))
    })
}

fn command(text: &str) -> Result<Glob, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.is_empty() {
        return Err("a command is empty".to_owned());
    }
    Ok(Glob::new(&words.join(" ").to_uppercase()))
}
