//! What StartupMessage may ask for, and what of it goes to the server.

use super::super::Fault;
use super::refused;
use crate::model::{Decision, Effect, Facts};
use crate::policy::{Policy, Subject};
use crate::sql::settings;
use crate::wire::startup::Startup;
use crate::wire::{Report, sqlstate};

/// The parameters that go upstream, in their order.
pub(super) fn passed_on(startup: &Startup) -> Vec<(&str, &str)> {
    startup
        .parameters
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| {
            !matches!(*name, "user" | "database" | "replication") && !name.starts_with("_pq_.")
        })
        .collect()
}

/// What a client asks for.
#[derive(Debug)]
pub(super) struct Asked<'s> {
    /// The name of its database.
    pub(super) database: &'s str,
    /// Settings that do more than touch the session: they are policy's to decide.
    beyond: Vec<Beyond>,
}

/// A setting that does more.
#[derive(Debug, PartialEq)]
struct Beyond {
    effect: Effect,
    /// The error where policy does not let it pass.
    report: Report,
}

impl Asked<'_> {
    /// Refuses what policy does not let pass. Nothing is held: a login cannot wait for people.
    pub(super) fn decide(self, policy: &Policy, subject: &Subject<'_>) -> Result<(), Fault> {
        for Beyond { effect, report } in self.beyond {
            let facts = Facts {
                effect,
                commands: vec!["SET".to_owned()],
                ..Facts::unknown("it is set at connection start")
            };
            if policy.decide_facts(subject, &facts) != Decision::Allow {
                return Err(refused(report));
            }
        }
        Ok(())
    }
}

/// Checks what the client asks for.
pub(super) fn check(startup: &Startup) -> Result<Asked<'_>, Fault> {
    let Some(user) = startup.parameter("user").filter(|u| !u.is_empty()) else {
        return Err(refused(Report::fatal(
            sqlstate::INVALID_AUTHORIZATION,
            "no PostgreSQL user name specified in startup packet",
        )));
    };
    let mut beyond = Vec::new();
    for (name, value) in &startup.parameters {
        check_parameter(name, value, &mut beyond)?;
    }
    // As PostgreSQL: the user's name where no database is named.
    let database = startup.parameter("database").filter(|d| !d.is_empty());
    Ok(Asked {
        database: database.unwrap_or(user),
        beyond,
    })
}

fn check_parameter(name: &str, value: &str, beyond: &mut Vec<Beyond>) -> Result<(), Fault> {
    match name {
        "user" | "database" => {}
        "replication" if matches!(value, "false" | "off" | "no" | "0") => {}
        "replication" => {
            return Err(refused(
                Report::fatal(
                    sqlstate::FEATURE_NOT_SUPPORTED,
                    "replication connections are not allowed",
                )
                .detail("A replication stream cannot be reviewed.")
                .hint("Connect replicas and backup tools to the database server directly."),
            ));
        }
        "options" => check_options(value, beyond),
        name if name.starts_with("_pq_.") => {}
        name => beyond.extend(check_setting(name, value)),
    }
    Ok(())
}

/// A setting at startup is what `SET` would be: what touches this session alone passes (`None`).
fn check_setting(name: &str, value: &str) -> Option<Beyond> {
    let effect = settings::effect_of_assignment(name, value);
    if effect == Effect::Session {
        return None;
    }
    let report = if name.eq_ignore_ascii_case("client_encoding") {
        Report::fatal(
            sqlstate::FEATURE_NOT_SUPPORTED,
            format!("client_encoding \"{value}\" is not supported: statements in it cannot be judged safely"),
        )
        .hint("Use UTF8.")
    } else {
        Report::fatal(
            sqlstate::INSUFFICIENT_PRIVILEGE,
            format!("parameter \"{name}\" cannot be set at connection start"),
        )
        .hint("Connect without it, and SET it in the session, where it can be reviewed.")
    };
    Some(Beyond { effect, report })
}

/// `options`: switches as for the server's command line. Those other than `-c name=value` and `--name=value` are
/// not known here.
/// Source: PostgreSQL manual, "Connection Control Functions", `options`; `pg_split_opts` in
/// `src/backend/utils/init/postinit.c`.
fn check_options(options: &str, beyond: &mut Vec<Beyond>) {
    let mut words = split_options(options).into_iter();
    while let Some(word) = words.next() {
        let setting = match word.as_str() {
            "-c" | "--" => words.next(),
            _ => word
                .strip_prefix("--")
                .or_else(|| word.strip_prefix("-c"))
                .map(str::to_owned),
        };
        let pair = setting.as_deref().and_then(|s| s.split_once('='));
        let Some((name, value)) = pair else {
            let report = Report::fatal(
                sqlstate::INSUFFICIENT_PRIVILEGE,
                format!("option \"{word}\" cannot be given at connection start"),
            )
            .hint("Only -c name=value and --name=value are taken.");
            let effect = Effect::Unknown;
            beyond.push(Beyond { effect, report });
            continue;
        };
        beyond.extend(check_setting(&name.replace('-', "_"), value));
    }
}

/// Splits at white space; a backslash takes the next character as it is.
fn split_options(options: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut inside = false;
    let mut characters = options.chars();
    while let Some(c) = characters.next() {
        if c.is_ascii_whitespace() || c == '\u{b}' {
            if std::mem::take(&mut inside) {
                words.push(std::mem::take(&mut word));
            }
            continue;
        }
        inside = true;
        match c {
            '\\' => word.extend(characters.next()),
            c => word.push(c),
        }
    }
    if inside {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_split_as_postgresql_splits_them() {
        assert_eq!(split_options("  -c a=b\t--c=d\\ e  "), ["-c", "a=b", "--c=d e"]);
        assert_eq!(split_options(""), [""; 0]);
    }

    fn beyond(options: &str) -> Vec<Beyond> {
        let mut beyond = Vec::new();
        check_options(options, &mut beyond);
        beyond
    }

    #[test]
    fn options_take_settings_of_the_session_alone() {
        for good in [
            "",
            "-c statement_timeout=5s",
            "-cstatement_timeout=5s",
            "--statement-timeout=5s",
        ] {
            assert_eq!(beyond(good), [], "{good}");
        }
        for bad in [
            "-d 5",
            "-c session_preload_libraries=x",
            "--session-preload-libraries=x",
            "-c role=postgres",
            "-c",
            "-c statement_timeout",
            "-csession_preload_libraries=x",
            "-c client_encoding=SJIS",
            "-S 5",
        ] {
            assert_ne!(beyond(bad), [], "{bad}");
        }
    }
}
