//! `holdpoint policy`: policies, looked at before they are in force.

mod check;
mod explain;
mod people;
mod replay;
mod test;

use std::path::PathBuf;

use clap::Subcommand;

use crate::config::Config;
use crate::sql::Meaning;

use super::{Failure, Global};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Read the policies as `serve` would, and say what is wrong or how many rules there are; with a store, also
    /// which users and groups they name that are not there
    Check {
        /// Folder of policies [default: `policy.dir` of the configuration file]
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
        /// Do not look up users and groups in the store
        #[arg(long)]
        no_store: bool,
    },
    /// Run the tests that stand beside the policies (`NAME_test.toml`)
    Test {
        /// Folder of policies [default: `policy.dir` of the configuration file]
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
        /// Print every case, and not only those that fail
        #[arg(long)]
        verbose: bool,
    },
    /// Say what would become of a statement, and what each rule has to do with it
    Explain(explain::Asked),
    /// Say what the policies would have done with the traffic that was observed
    Replay(replay::Options),
}

/// Does what the subcommand says.
pub(super) fn run(command: Command, global: &Global) -> Result<(), Failure> {
    match command {
        Command::Check { dir, no_store } => check::run(dir, no_store, global),
        Command::Test { dir, verbose } => test::run(&folder(dir, global)?, verbose),
        Command::Explain(asked) => explain::run(asked, global),
        Command::Replay(options) => replay::run(options, global),
    }
}

/// The settings of a server that nobody has changed.
const AS_DEFAULT: Meaning = Meaning {
    standard_conforming_strings: true,
    encoding_is_safe: true,
};

fn folder(dir: Option<PathBuf>, global: &Global) -> Result<PathBuf, Failure> {
    match dir {
        Some(dir) => Ok(dir),
        None => Ok(Config::load(&global.config_path())?.policy.dir),
    }
}

/// The folder and the configuration. Where the folder is named, and no configuration is, there need be none.
fn surroundings(dir: Option<PathBuf>, global: &Global) -> Result<(PathBuf, Option<Config>), Failure> {
    match (dir, Config::load(&global.config_path())) {
        (Some(dir), Ok(config)) => Ok((dir, Some(config))),
        (Some(dir), Err(_)) if global.config.is_none() => Ok((dir, None)),
        (None, Ok(config)) => Ok((config.policy.dir.clone(), Some(config))),
        (_, Err(error)) => Err(error.into()),
    }
}
