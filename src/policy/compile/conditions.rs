//! The conditions of a rule: from `when` as written to what can be compared.

use toml::Spanned;

use super::{contradictions, list, plain_names};
use crate::model::command::{self, COMMANDS};
use crate::model::{Effect, Shape};
use crate::policy::column::ColumnPattern;
use crate::policy::condition::When;
use crate::policy::file::{Names, RawWhen, Reader};
use crate::policy::network::Network;
use crate::policy::pattern::{Glob, NamePattern};
use crate::policy::schedule::{self, Days, Schedule, Span};

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
        columns: list(reader, "columns", raw.columns.as_ref(), |pattern| {
            ColumnPattern::parse(pattern)
                .map_err(|why| format!("\"{pattern}\" is no column of a table: {why}"))
        }),
        functions: patterns(reader, "functions", raw.functions.as_ref()),
        filtered: raw.r#where,
        limited: raw.limit,
        shapes: list(reader, "shapes", raw.shapes.as_ref(), |shape| {
            shape
                .parse::<Shape>()
                .map_err(|why| format!("\"{shape}\": {why}"))
        }),
        application_names: list(
            reader,
            "application_names",
            raw.application_names.as_ref(),
            |name| Ok(Glob::new(name)),
        ),
        clients: list(reader, "clients", raw.clients.as_ref(), Network::parse),
        schedule: schedule(reader, start, raw),
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
    if let Some(why) = contradictions::find(&when) {
        reader.fail(start, format!("this can never match: {why}"));
        return None;
    }
    Some(when)
}

/// `None` where the rule is there at all times, or something is wrong: the problems tell the two apart.
fn schedule(reader: &mut Reader<'_, '_>, start: usize, raw: &RawWhen) -> Option<Schedule> {
    let days = list(reader, "days", raw.days.as_ref(), Days::parse).map(|days| days.into_iter().collect());
    let hours = list(reader, "hours", raw.hours.as_ref(), Span::parse);
    let is_timed = raw.days.is_some() || raw.hours.is_some();
    let Some(zone) = &raw.time_zone else {
        if is_timed {
            let message = "`days` and `hours` need a `time_zone`, as in time_zone = \"Europe/Berlin\": the machine's \
                           own is none that a policy should hang on";
            reader.fail(start, message);
        }
        return None;
    };
    let at = zone.span().start;
    if !is_timed {
        reader.fail(at, "`time_zone` goes with `days` or `hours`");
        return None;
    }
    match schedule::time_zone(zone.as_ref()) {
        Ok(zone) => Some(Schedule { days, hours, zone }),
        Err(message) => {
            reader.fail(at, format!("time_zone: {message}"));
            None
        }
    }
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
    let name = words.join(" ").to_uppercase();
    let glob = Glob::new(&name);
    if COMMANDS.iter().any(|(known, _)| glob.matches(known)) {
        return Ok(glob);
    }
    let near = command::near(name.replace('*', " ").trim());
    let hint = if near.is_empty() {
        String::new()
    } else {
        format!("; did you mean {}?", near.join(" or "))
    };
    Err(format!("no statement is called \"{name}\"{hint}"))
}
