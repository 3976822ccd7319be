//! The command line: a file per subcommand.
//!
//! May import everything; nothing imports it but `main`. Invariants: what a program may read goes to
//! standard output and everything else to standard error; a password or a token is never an argument,
//! never echoed and never logged; text that came from a requester reaches a terminal only through
//! [`output::visible`] or [`output::visible_lines`]. Exit codes: 0 done, 1 refused or failed, 2 wrong usage.

mod access;
mod exec;
mod failure;
mod grants;
mod group;
mod output;
mod password;
mod policy;
mod remote;
mod requests;
mod serve;
mod standing;
mod user;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use failure::Failure;

/// The configuration file where neither `--config` nor `HOLDPOINT_CONFIG` names another.
const DEFAULT_CONFIG: &str = "holdpoint.toml";

/// Holds dangerous PostgreSQL statements until a person approves them.
#[derive(Debug, Parser)]
#[command(name = "holdpoint", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of every subcommand, accepted before and after its name.
#[derive(Debug, Args)]
struct Global {
    /// Configuration file [default: holdpoint.toml]
    #[arg(long, global = true, env = "HOLDPOINT_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Global {
    fn config_path(&self) -> PathBuf {
        self.config.clone().unwrap_or_else(|| DEFAULT_CONFIG.into())
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the proxy and the console
    Serve,
    /// Add, list, disable and enable users, set passwords and groups, make and revoke API tokens
    #[command(subcommand)]
    User(user::Command),
    /// List groups
    #[command(subcommand)]
    Group(group::Command),
    /// Check policies
    #[command(subcommand)]
    Policy(policy::Command),
    /// List, show, approve and reject held statements; look at what broke the glass
    #[command(subcommand)]
    Requests(requests::Command),
    /// Ask for access, and decide on it: time windows in which nothing is held
    #[command(subcommand)]
    Access(access::Command),
    /// Approve statements beforehand: those that differ from an example in constants alone
    #[command(subcommand)]
    Standing(standing::Command),
    /// Run psql, or another program on libpq, with a reason, a ticket or a broken glass
    Exec(exec::Exec),
}

/// Runs the program: reads the arguments, does what they ask, and says how it went.
/// Blocks until done; a subcommand that needs an async runtime builds its own.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("holdpoint: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Serve => serve::run(&cli.global),
        Command::User(command) => user::run(command, &cli.global),
        Command::Group(command) => group::run(&command, &cli.global),
        Command::Policy(command) => policy::run(command, &cli.global),
        Command::Requests(command) => requests::run(command, &cli.global),
        Command::Access(command) => access::run(command, &cli.global),
        Command::Standing(command) => standing::run(command, &cli.global),
        Command::Exec(exec) => exec::run(&exec),
    }
}

/// Runs a future to its end on a small runtime of its own.
fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?
        .block_on(future)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn config_is_taken_before_and_after_the_subcommand() {
        for line in [
            "holdpoint --config a.toml requests list",
            "holdpoint requests --config a.toml list",
            "holdpoint requests list --config a.toml",
            "holdpoint requests list --config=a.toml",
        ] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(cli.global.config_path(), PathBuf::from("a.toml"), "{line}");
        }
    }
}
