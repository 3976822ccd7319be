//! `holdpoint requests`: held statements, over the API of a running holdpoint.

mod calls;
mod render;
mod view;

use clap::Subcommand;

use crate::model::{Clock, RequestId, StateKind, SystemClock};

use super::remote::client::{Client, understood};
use super::remote::{Server, connect, print_json, tell_of_more, terminal_width};
use super::{Failure, Global, block_on, output};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List requests, newest first
    List {
        #[command(flatten)]
        server: Server,
        /// States to list, comma-separated, or `all`
        #[arg(long, value_name = "STATE", value_delimiter = ',', default_value = "pending", value_parser = parse_state)]
        state: Vec<States>,
        /// Only what ran because somebody broke the glass, and nobody has looked at since; in every state
        #[arg(long, conflicts_with = "state")]
        to_review: bool,
        /// At most this many
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
        limit: u32,
        /// Print JSON, as the API answers
        #[arg(long)]
        json: bool,
    },
    /// Show one request: statement, facts, reviews, outcome
    Show {
        #[command(flatten)]
        server: Server,
        /// Identifier of the request
        id: RequestId,
        /// Print JSON, as the API answers
        #[arg(long)]
        json: bool,
    },
    /// Approve a pending request
    Approve {
        #[command(flatten)]
        server: Server,
        /// Identifier of the request
        id: RequestId,
        /// What the requester and the audit trail shall read
        #[arg(long, value_name = "TEXT", default_value = "")]
        comment: String,
        /// How often the statement had been changed when you looked at it, as `show` says
        #[arg(long, value_name = "N", default_value_t = 0)]
        edits: u32,
    },
    /// Change the statement of a pending request, and approve it so; the new text is read from standard input
    Edit {
        #[command(flatten)]
        server: Server,
        /// Identifier of the request
        id: RequestId,
        /// Why; the requester reads it
        #[arg(long, value_name = "TEXT", default_value = "")]
        comment: String,
        /// How often the statement had been changed when you looked at it, as `show` says
        #[arg(long, value_name = "N", default_value_t = 0)]
        edits: u32,
    },
    /// Reject a pending request
    Reject {
        #[command(flatten)]
        server: Server,
        /// Identifier of the request
        id: RequestId,
        /// Why; the requester reads it
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Say that you have looked at what ran because somebody broke the glass, and that it was right
    Review {
        #[command(flatten)]
        server: Server,
        /// Identifier of the request
        id: RequestId,
        /// Say that it was not right
        #[arg(long)]
        object: bool,
        /// What the requester and the audit trail shall read
        #[arg(long, value_name = "TEXT", default_value = "")]
        comment: String,
    },
}

/// One value of `--state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum States {
    All,
    One(StateKind),
}

fn parse_state(name: &str) -> Result<States, String> {
    if name == "all" {
        return Ok(States::All);
    }
    StateKind::parse(name).map(States::One).ok_or_else(|| {
        let names: Vec<&str> = StateKind::ALL.iter().map(|s| s.as_str()).collect();
        format!("no such state; there are {} and all", names.join(", "))
    })
}

/// Does what the subcommand says.
pub(super) fn run(command: Command, global: &Global) -> Result<(), Failure> {
    match command {
        Command::List {
            server,
            state,
            to_review,
            limit,
            json,
        } => {
            let state = if to_review { vec![States::All] } else { state };
            let client = connect(&server, global)?;
            list(&client, &state_names(&state), to_review, limit, json)
        }
        Command::Show { server, id, json } => {
            let client = connect(&server, global)?;
            let answer = block_on(async { Ok(calls::show(&client, id).await?) })?;
            if json {
                return print_json(&answer);
            }
            output::print(&render::whole(&understood(answer)?, SystemClock.now()))
        }
        Command::Edit {
            server,
            id,
            comment,
            edits,
        } => {
            let statement = std::io::read_to_string(std::io::stdin()).map_err(|error| {
                Failure::Refused(format!(
                    "the statement cannot be read from standard input: {error}"
                ))
            })?;
            let statement = statement.trim_end_matches(['\n', '\r']);
            let client = connect(&server, global)?;
            let answer = block_on(async { Ok(calls::edit(&client, id, statement, &comment, edits).await?) })?;
            output::print(&render::decided(&understood(answer)?, "changed and approved"))
        }
        Command::Approve {
            server,
            id,
            comment,
            edits,
        } => {
            let client = connect(&server, global)?;
            let answer = block_on(async { Ok(calls::approve(&client, id, &comment, edits).await?) })?;
            output::print(&render::decided(&understood(answer)?, "approved"))
        }
        Command::Reject { server, id, reason } => {
            if reason.trim().is_empty() {
                return Err(Failure::Refused(
                    "--reason must say why: the requester reads it".into(),
                ));
            }
            let client = connect(&server, global)?;
            let answer = block_on(async { Ok(calls::reject(&client, id, &reason).await?) })?;
            output::print(&render::decided(&understood(answer)?, "rejected"))
        }
        Command::Review {
            server,
            id,
            object,
            comment,
        } => {
            let client = connect(&server, global)?;
            block_on(async { Ok(calls::review(&client, id, object, &comment).await?) })?;
            let verdict = if object { "objected to" } else { "accepted" };
            output::print(&format!("{verdict} {id}\n"))
        }
    }
}

fn list(client: &Client, states: &[&str], to_review: bool, limit: u32, json: bool) -> Result<(), Failure> {
    let answer = block_on(async { Ok(calls::list(client, states, to_review, limit).await?) })?;
    if json {
        return print_json(&answer);
    }
    let list: view::List = understood(answer)?;
    let text = render::list(&list.requests, SystemClock.now(), terminal_width());
    output::print(&text)?;
    tell_of_more(list.next.as_deref(), limit);
    Ok(())
}

/// The names to ask for; empty means every state.
fn state_names(states: &[States]) -> Vec<&'static str> {
    if states.contains(&States::All) {
        return Vec::new();
    }
    states
        .iter()
        .filter_map(|s| match s {
            States::All => None,
            States::One(kind) => Some(kind.as_str()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_names_or_all() {
        assert_eq!(parse_state("pending"), Ok(States::One(StateKind::Pending)));
        assert_eq!(parse_state("all"), Ok(States::All));
        assert!(parse_state("Pending").is_err_and(|e| e.contains("pending, approved")));
        assert_eq!(
            state_names(&[States::One(StateKind::Failed), States::One(StateKind::Denied)]),
            ["failed", "denied"]
        );
        assert!(state_names(&[States::One(StateKind::Failed), States::All]).is_empty());
    }
}
