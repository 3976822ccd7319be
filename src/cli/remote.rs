//! What the subcommands that use the API of a running holdpoint have in common: where it is, who asks, and how
//! answers look.

pub(super) mod client;
pub(super) mod words;

use std::path::{Path, PathBuf};

use clap::Args;
use secrecy::SecretString;

use crate::config::Config;

use super::{Failure, Global, output};
use client::Client;

/// The longest list that the API gives at once.
const LONGEST_LIST: u32 = 200;

/// Where the API is and who asks.
#[derive(Debug, Args)]
pub(super) struct Server {
    /// Address of the console [default: `console.public_url` of the configuration file]
    #[arg(long, env = "HOLDPOINT_URL", value_name = "URL")]
    url: Option<String>,
    /// File that holds the API token [default: the environment variable `HOLDPOINT_TOKEN`]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// A client of the API that is meant; nothing is sent yet.
pub(super) fn connect(server: &Server, global: &Global) -> Result<Client, Failure> {
    let url = match &server.url {
        Some(url) => url.clone(),
        None => configured_url(global)?,
    };
    Ok(Client::new(&url, token(server.token_file.as_deref())?)?)
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

/// Prints an answer as the API gave it.
pub(super) fn print_json(answer: &serde_json::Value) -> Result<(), Failure> {
    output::print(&output::json(answer))
}

/// Says, beside a list and not in it, that there is more than it has: `next` is where the API goes on.
pub(super) fn tell_of_more(next: Option<&str>, limit: u32) {
    if let Some(next) = next {
        eprintln!("holdpoint: {}", more(next, limit));
    }
}

fn more(next: &str, limit: u32) -> String {
    let longer = if limit < LONGEST_LIST {
        format!("--limit N shows up to {LONGEST_LIST}, and ")
    } else {
        String::new()
    };
    format!(
        "there are more than these {limit}: {longer}the API goes on with before={}",
        output::visible(next)
    )
}

/// Columns of the terminal, as shells export them; wide where nobody says.
pub(super) fn terminal_width() -> usize {
    std::env::var("COLUMNS")
        .ok()
        .and_then(|c| c.parse().ok())
        .unwrap_or(120)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_list_leaves_out_is_said() {
        assert_eq!(
            more("k7f3m9q2x0ab", 50),
            "there are more than these 50: --limit N shows up to 200, and the API goes on with before=k7f3m9q2x0ab"
        );
        assert_eq!(
            more("k7\u{1b}", 200),
            "there are more than these 200: the API goes on with before=k7\\u{1b}"
        );
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
