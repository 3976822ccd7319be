//! Why a subcommand did not do what was asked, as a sentence for the person at the terminal.

use std::path::PathBuf;

use crate::app::ServeError;
use crate::config::ConfigError;
use crate::identity::DirectoryError;
use crate::policy::PolicyError;
use crate::store::StoreError;

/// The failures of all subcommands. `Display` says what is wrong and, where that is not plain, what to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The runtime of a subcommand could not be built.
    #[error("cannot start: {0}")]
    Runtime(std::io::Error),
    /// Standard output did not take the answer.
    #[error("cannot write the answer: {0}")]
    Output(std::io::Error),
    /// A file that was named cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something asked for cannot be done as asked.
    #[error("{0}")]
    Refused(String),
    /// The configuration cannot be read, or something in it is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The policies cannot be read, or something in them is wrong.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A user cannot be added or changed as asked.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The proxy cannot run.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The API could not be asked.
    #[error(transparent)]
    Api(#[from] super::remote::client::ApiError),
}
