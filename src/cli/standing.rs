//! `holdpoint standing`: statements that are approved beforehand, over the API.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::model::{Holder, RequestId};

use super::grants::{self, Kind, Verb};
use super::remote::Server;
use super::{Failure, Global};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Allow statements like that of a request beforehand: whatever differs from it in constants alone
    Add(Allowed),
    #[command(flatten)]
    Verb(Verb),
}

/// What is allowed.
#[derive(Debug, Args)]
pub(super) struct Allowed {
    #[command(flatten)]
    server: Server,
    /// Identifier of the request whose statement is the example
    request: RequestId,
    /// For how long, as in 8h; 90d at most
    #[arg(long = "for", value_name = "LENGTH", value_parser = grants::length)]
    length: String,
    /// How often [default: as often as is wanted]
    #[arg(long, value_name = "N")]
    times: Option<u32>,
    /// How many rows a statement may change, each time; what changes more is rolled back, and waits for people
    /// [default: as many as it changes]
    #[arg(long = "rows", value_name = "N")]
    max_rows: Option<u32>,
    /// For this user [default: who sent the request]
    #[arg(long, value_name = "NAME", conflicts_with = "group")]
    user: Option<String>,
    /// For the members of this group
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// Why, for the audit trail
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

/// Does what the subcommand says.
pub(super) fn run(command: Command, global: &Global) -> Result<(), Failure> {
    match command {
        Command::Verb(verb) => grants::run(verb, Kind::Standing, global),
        Command::Add(allowed) => {
            let holder = allowed.user.map(Holder::User);
            let holder = holder.or_else(|| allowed.group.map(Holder::Group));
            let body = json!({
                "request": allowed.request,
                "holder": holder,
                "length": allowed.length,
                "times": allowed.times,
                "max_rows": allowed.max_rows,
                "reason": allowed.reason,
            });
            grants::create(&allowed.server, Kind::Standing, body, global)
        }
    }
}
