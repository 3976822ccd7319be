//! `holdpoint requests`: held statements, over the API of a running holdpoint.

pub(super) mod client;
mod render;
mod view;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use secrecy::SecretString;

use crate::config::Config;
use crate::model::{Clock, RequestId, StateKind, SystemClock};

use super::{Failure, Global, block_on, output};
use client::Client;

/// Where the API is and who asks.
#[derive(Debug, Args)]
pub(super) struct Access {
    /// Address of the console [default: `console.public_url` of the configuration file]
    #[arg(long, env = "HOLDPOINT_URL", value_name = "URL")]
    url: Option<String>,
    /// File that holds the API token [default: the environment variable `HOLDPOINT_TOKEN`]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List requests, newest first
    List {
        #[command(flatten)]
        access: Access,
        /// States to list, comma-separated, or `all`
        #[arg(long, value_name = "STATE", value_delimiter = ',', default_value = "pending", value_parser = parse_state)]
        state: Vec<States>,
        /// At most this many
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// Print JSON, as the API answers
        #[arg(long)]
        json: bool,
    },
    /// Show one request: statement, facts, reviews, outcome
    Show {
        #[command(flatten)]
        access: Access,
        /// Identifier of the request
        id: RequestId,
        /// Print JSON, as the API answers
        #[arg(long)]
        json: bool,
    },
    /// Approve a pending request
    Approve {
        #[command(flatten)]
        access: Access,
        /// Identifier of the request
        id: RequestId,
        /// What the requester and the audit trail shall read
        #[arg(long, value_name = "TEXT", default_value = "")]
        comment: String,
    },
    /// Reject a pending request
    Reject {
        #[command(flatten)]
        access: Access,
        /// Identifier of the request
        id: RequestId,
        /// Why; the requester reads it
        #[arg(long, value_name = "TEXT")]
        reason: String,
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
            access,
            state,
            limit,
            json,
        } => {
            let client = connect(&access, global)?;
            let answer = block_on(async { Ok(client.list(&state_names(&state), limit).await?) })?;
            if json {
                return print_json(&answer);
            }
            let list: view::List = client::understood(answer)?;
            output::print(&render::list(&list.requests, SystemClock.now(), terminal_width()))
        }
        Command::Show { access, id, json } => {
            let client = connect(&access, global)?;
            let answer = block_on(async { Ok(client.show(id).await?) })?;
            if json {
                return print_json(&answer);
            }
            output::print(&render::whole(&client::understood(answer)?, SystemClock.now()))
        }
        Command::Approve { access, id, comment } => {
            let client = connect(&access, global)?;
            let answer = block_on(async { Ok(client.approve(id, &comment).await?) })?;
            output::print(&render::decided(&client::understood(answer)?, "approved"))
        }
        Command::Reject { access, id, reason } => {
            if reason.trim().is_empty() {
                return Err(Failure::Refused(
                    "--reason must say why: the requester reads it".into(),
                ));
            }
            let client = connect(&access, global)?;
            let answer = block_on(async { Ok(client.reject(id, &reason).await?) })?;
            output::print(&render::decided(&client::understood(answer)?, "rejected"))
        }
    }
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

fn connect(access: &Access, global: &Global) -> Result<Client, Failure> {
    let url = match &access.url {
        Some(url) => url.clone(),
        None => configured_url(global)?,
    };
    Ok(Client::new(&url, token(access.token_file.as_deref())?)?)
}

/// `console.public_url` of the configuration: of a file that was named, or of the default one if it is there.
fn configured_url(global: &Global) -> Result<String, Failure> {
    let path = global.config_path();
    if global.config.is_none() && !path.exists() {
        return Err(Failure::Refused(format!(
            "where is the console? Pass --url, set HOLDPOINT_URL, or name a configuration file with --config \
             (there is no {} here)",
            path.display()
        )));
    }
    let console = Config::load(&path)?.console;
    Ok(console.public_url(console.listen))
}

fn token(file: Option<&Path>) -> Result<SecretString, Failure> {
    let text = match file {
        Some(path) => std::fs::read_to_string(path).map_err(|source| Failure::File {
            path: path.to_owned(),
            source,
        })?,
        None => std::env::var("HOLDPOINT_TOKEN").unwrap_or_default(),
    };
    match text.trim() {
        "" => Err(Failure::Refused(
            "who are you? Set HOLDPOINT_TOKEN or pass --token-file; \
             an administrator makes a token with `holdpoint user token NAME`"
                .into(),
        )),
        token => Ok(SecretString::from(token)),
    }
}

fn print_json(answer: &serde_json::Value) -> Result<(), Failure> {
    // `{:#}` of a JSON value is its indented form; control characters are escaped by JSON itself.
    output::print(&format!("{answer:#}\n"))
}

/// Columns of the terminal, as shells export them; wide where nobody says.
fn terminal_width() -> usize {
    std::env::var("COLUMNS")
        .ok()
        .and_then(|c| c.parse().ok())
        .unwrap_or(120)
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

    #[test]
    fn a_missing_token_is_explained() -> Result<(), Box<dyn std::error::Error>> {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("token");
        std::fs::write(&file, " \n")?;
        assert!(matches!(token(Some(&file)), Err(Failure::Refused(_))));
        let absent = dir.path().join("absent");
        assert!(matches!(token(Some(&absent)), Err(Failure::File { path, .. }) if path == absent));
        Ok(())
    }
}
