//! `holdpoint policy explain`: what would become of a statement, and why.
//!
//! Judges and decides as a running holdpoint does, except that the server's catalogue is asked only with `--connect`,
//! and no session stands behind the statement. Whatever the decision, the exit code is 0.

mod render;

use std::io::Read as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use clap::Args;
use jiff::Timestamp;

use crate::app;
use crate::config::Config;
use crate::model::{Clock as _, Judged, SystemClock};
use crate::policy::{Policy, Subject};
use crate::sql::{Judge, JudgeLimits};

use super::super::output::print;
use super::super::{Failure, Global, block_on};
use super::people::{self, People};
use super::{AS_DEFAULT, surroundings};

/// Who asks for what.
#[derive(Debug, Args)]
pub(in crate::cli) struct Asked {
    /// Who asks
    #[arg(long, value_name = "NAME")]
    user: String,
    /// Which database is asked, by its name in the configuration
    #[arg(long, value_name = "NAME")]
    database: String,
    /// Group that the user is a member of; repeat it for several [default: those in the store]
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// What the client calls itself
    #[arg(long, value_name = "NAME", default_value = "")]
    application_name: String,
    /// Address that the client connects from
    #[arg(long, value_name = "ADDRESS")]
    client: Option<IpAddr>,
    /// When it asks, as in 2026-01-31T22:15:00Z [default: now]
    #[arg(long, value_name = "TIMESTAMP")]
    at: Option<Timestamp>,
    /// Folder of policies [default: `policy.dir` of the configuration file]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Ask the database's server what views, functions and other names stand for
    #[arg(long)]
    connect: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// The statement, or several; `-` reads it from standard input
    #[arg(value_name = "SQL")]
    sql: String,
}

/// Prints what would become of it.
pub(super) fn run(asked: Asked, global: &Global) -> Result<(), Failure> {
    let (dir, config) = surroundings(asked.dir, global)?;
    let mut policy = Policy::load(&dir)?;
    if let Some(config) = &config {
        policy = policy.with_default_timeout(config.hold.timeout);
    }
    let groups = if asked.groups.is_empty() {
        groups_of(&asked.user, people::read(config.as_ref())?)?
    } else {
        asked.groups
    };
    let sql = if asked.sql == "-" {
        standard_input()?
    } else {
        asked.sql
    };
    let asked_of = match (&config, asked.connect) {
        (_, false) => None,
        (Some(config), true) => Some((config, asked.database.as_str())),
        (None, true) => {
            return Err(Failure::Refused(
                "--connect needs a configuration, which says where the database is".to_owned(),
            ));
        }
    };
    let judged = judge(sql, config.as_ref(), asked_of)?;
    if judged.statements.is_empty() {
        return Err(Failure::Refused("there is no statement in that".to_owned()));
    }
    let subject = Subject {
        application_name: &asked.application_name,
        client: asked.client,
        at: asked.at.unwrap_or_else(|| SystemClock.now()),
        ..Subject::new(&asked.database, &asked.user, &groups)
    };
    let decision = if is_observed(config.as_ref(), &asked.database) {
        policy.observed(&subject, &judged)
    } else {
        policy.decide(&subject, &judged)
    };
    print(&if asked.json {
        render::as_json(&policy, &subject, &judged, &decision, asked.connect)
    } else {
        render::as_text(&policy, &subject, &judged, &decision, asked.connect)
    })
}

/// Whether the whole database is observed. One that the configuration does not have is said: it may be a slip.
fn is_observed(config: Option<&Config>, database: &str) -> bool {
    let Some(config) = config else {
        return false;
    };
    let Some(known) = config.databases.get(database) else {
        let names: Vec<&str> = config.databases.keys().map(String::as_str).collect();
        eprintln!(
            "holdpoint: the configuration has no database \"{database}\", but {}",
            names.join(", ")
        );
        return false;
    };
    known.observe
}

/// A user's groups, from the store.
fn groups_of(user: &str, people: People) -> Result<Vec<String>, Failure> {
    let refused = |why: &str| {
        Err(Failure::Refused(format!(
            "{why}: say which groups the user is in, with --group"
        )))
    };
    match people {
        People::Unknown(why) => refused(why),
        People::Known(users) => {
            let found = users.into_iter().find(|record| record.principal.name == user);
            match found {
                Some(record) => Ok(record.principal.groups),
                None => refused(&format!("there is no user \"{user}\"")),
            }
        }
    }
}

fn standard_input() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|source| Failure::File {
            path: "standard input".into(),
            source,
        })?;
    Ok(text)
}

/// As the configuration has it judged, and with what a database's names stand for, if its server is to be asked.
fn judge(
    sql: String,
    config: Option<&Config>,
    asked_of: Option<(&Config, &str)>,
) -> Result<Arc<Judged>, Failure> {
    let limits = config.map_or_else(JudgeLimits::default, |config| JudgeLimits {
        max_text: config.judge.max_text,
        cache_bytes: config.judge.cache,
        parse_threads: 1,
    });
    block_on(async {
        let judge = Judge::new(limits);
        let sight = match asked_of {
            None => None,
            Some((config, database)) => Some(app::sight_of(config, database, &judge).await?),
        };
        Ok(judge.judge_in(Bytes::from(sql), AS_DEFAULT, sight).await)
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::model::Principal;
    use crate::store::UserRecord;

    #[test]
    fn groups_come_from_the_store_or_must_be_said() {
        let alice = UserRecord {
            principal: Principal {
                name: "alice".to_owned(),
                groups: vec!["dba".to_owned()],
                admin: false,
            },
            scram_verifier: String::new(),
            disabled: false,
            created_at: Timestamp::UNIX_EPOCH,
        };
        let known = || People::Known(vec![alice.clone()]);
        assert_eq!(groups_of("alice", known()).unwrap(), ["dba"]);
        let nobody = groups_of("bob", known()).unwrap_err().to_string();
        assert_eq!(
            nobody,
            "there is no user \"bob\": say which groups the user is in, with --group"
        );
        let nowhere = groups_of("alice", People::Unknown("there is no store yet")).unwrap_err();
        assert!(
            nowhere
                .to_string()
                .starts_with("there is no store yet: say which groups")
        );
    }

    #[test]
    fn a_text_of_any_length_is_judged() {
        let long = format!("SELECT '{}'", "x".repeat(100_000));
        for text in ["SELECT 1", &long] {
            let judged = judge(text.to_owned(), None, None).unwrap();
            assert_eq!(judged.statements[0].facts.commands, ["SELECT"]);
        }
    }
}
