//! What `holdpoint access` and `holdpoint standing` have in common: both are of grants, and do the same with them.

mod render;
mod view;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::model::{Clock, RequestId, SystemClock, duration};

use super::remote::client::{Client, understood};
use super::remote::{Server, connect, print_json, tell_of_more, terminal_width};
use super::{Failure, Global, block_on, output};
use view::Grant;

/// Which of the two.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Window,
    Standing,
}

impl Kind {
    /// The collection's part of a path.
    const fn path(self) -> &'static str {
        match self {
            Self::Window => "grants",
            Self::Standing => "standing-approvals",
        }
    }

    /// The collection's name in a list.
    const fn field(self) -> &'static str {
        match self {
            Self::Window => "grants",
            Self::Standing => "standing_approvals",
        }
    }
}

/// One grant, and where it is.
#[derive(Debug, Args)]
pub(super) struct One {
    #[command(flatten)]
    server: Server,
    /// Its identifier
    id: RequestId,
}

/// What is done with grants of either kind.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List those that wait or count, newest first
    List {
        #[command(flatten)]
        server: Server,
        /// Those that have ended, too
        #[arg(long)]
        all: bool,
        /// At most this many
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
        limit: u32,
        /// Print JSON, as the API answers
        #[arg(long)]
        json: bool,
    },
    /// Show one: what it is for, until when, reviews
    Show {
        #[command(flatten)]
        one: One,
        /// Print JSON, as the API answers
        #[arg(long)]
        json: bool,
    },
    /// Approve one that waits
    Approve {
        #[command(flatten)]
        one: One,
        /// For no longer than this, as in 30m
        #[arg(long = "for", value_name = "LENGTH", value_parser = length)]
        length: Option<String>,
        /// What who asked and the audit trail shall read
        #[arg(long, value_name = "TEXT", default_value = "")]
        comment: String,
    },
    /// Reject one that waits
    Reject {
        #[command(flatten)]
        one: One,
        /// Why; who asked reads it
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Take one back: withdraw it while it waits, end it while it counts
    End {
        #[command(flatten)]
        one: One,
        /// Why, for the audit trail
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
}

/// A length of time that the API will understand.
pub(super) fn length(text: &str) -> Result<String, String> {
    match duration::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Does what the subcommand says.
pub(super) fn run(verb: Verb, kind: Kind, global: &Global) -> Result<(), Failure> {
    match verb {
        Verb::List {
            server,
            all,
            limit,
            json,
        } => {
            let client = connect(&server, global)?;
            list(&client, kind, all, limit, json)
        }
        Verb::Show { one, json } => {
            let client = connect(&one.server, global)?;
            let path = [kind.path(), one.id.as_str()];
            let answer = block_on(async { Ok(client.get(&path, &[]).await?) })?;
            if json {
                return print_json(&answer);
            }
            output::print(&render::whole(&understood(answer)?, SystemClock.now()))
        }
        Verb::Approve { one, length, comment } => {
            let body = json!({ "length": length, "comment": comment });
            decide(&one, kind, "approve", body, global)
        }
        Verb::Reject { one, reason } => {
            if reason.trim().is_empty() {
                return Err(Failure::Refused(
                    "--reason must say why: who asked reads it".into(),
                ));
            }
            decide(&one, kind, "reject", json!({ "reason": reason }), global)
        }
        Verb::End { one, reason } => decide(&one, kind, "end", json!({ "reason": reason }), global),
    }
}

/// Makes a new one, and says how it stands.
pub(super) fn create(server: &Server, kind: Kind, body: Value, global: &Global) -> Result<(), Failure> {
    let client = connect(server, global)?;
    let answer = block_on(async { Ok(client.post(&[kind.path()], body).await?) })?;
    output::print(&render::standing(&understood(answer)?))
}

fn list(client: &Client, kind: Kind, all: bool, most: u32, json: bool) -> Result<(), Failure> {
    let limit = most.to_string();
    let mut query = vec![("limit", limit.as_str())];
    if !all {
        query.extend([("state", "pending"), ("state", "active")]);
    }
    let answer = block_on(async { Ok(client.get(&[kind.path()], &query).await?) })?;
    if json {
        return print_json(&answer);
    }
    let mut answer: Map<String, Value> = understood(answer)?;
    let grants: Vec<Grant> = understood(answer.remove(kind.field()).unwrap_or_default())?;
    output::print(&render::list(&grants, SystemClock.now(), terminal_width()))?;
    tell_of_more(answer.get("next").and_then(Value::as_str), most);
    Ok(())
}

fn decide(one: &One, kind: Kind, verb: &str, body: Value, global: &Global) -> Result<(), Failure> {
    let client = connect(&one.server, global)?;
    let path = [kind.path(), one.id.as_str(), verb];
    let answer = block_on(async { Ok(client.post(&path, body).await?) })?;
    output::print(&render::standing(&understood(answer)?))
}
