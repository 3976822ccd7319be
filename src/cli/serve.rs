//! `holdpoint serve`: the proxy and the console, until stopped.

use crate::app;
use crate::config::Config;

use super::{Failure, Global};

/// Serves until the process is told to stop. `app` starts the log and the runtimes that it needs.
pub(super) fn run(global: &Global) -> Result<(), Failure> {
    let config = Config::load(&global.config_path())?;
    Ok(app::serve(&config)?)
}
