//! `holdpoint access`: time windows in which nothing of one person's is held, over the API.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::model::Effect;

use super::grants::{self, Kind, Verb};
use super::remote::Server;
use super::{Failure, Global};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Ask for access: a time window in which what policy would hold runs at once
    Request(Asked),
    #[command(flatten)]
    Verb(Verb),
}

/// What is asked for.
#[derive(Debug, Args)]
pub(super) struct Asked {
    #[command(flatten)]
    server: Server,
    /// Database, by its name in the configuration
    #[arg(long, value_name = "NAME")]
    database: String,
    /// The most severe effect: write, schema, privilege, server or unknown
    #[arg(long, value_name = "EFFECT")]
    effect: Effect,
    /// For how long, from the approval on, as in 1h
    #[arg(long = "for", value_name = "LENGTH", value_parser = grants::length)]
    length: String,
    /// Why; approvers read it
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The ticket that it belongs to
    #[arg(long, value_name = "TICKET")]
    ticket: Option<String>,
}

/// Does what the subcommand says.
pub(super) fn run(command: Command, global: &Global) -> Result<(), Failure> {
    match command {
        Command::Verb(verb) => grants::run(verb, Kind::Window, global),
        Command::Request(asked) => {
            let body = json!({
                "database": asked.database,
                "up_to": asked.effect,
                "length": asked.length,
                "reason": asked.reason,
                "ticket": asked.ticket,
            });
            grants::create(&asked.server, Kind::Window, body, global)
        }
    }
}
