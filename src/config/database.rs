//! `[databases.NAME]`: the databases behind the proxy.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::error::{Problems, Section};
use super::upstream::Upstream;
use super::value;

/// The longest password that is read from a file, in bytes.
const LONGEST_PASSWORD: u64 = 4096;

/// `[databases.NAME]`
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// The server, and as whom to sign in there.
    pub upstream: Upstream,
    /// How long connecting and signing in may take; at least 100 ms.
    pub connect_timeout: Duration,
}

/// `[databases.NAME]` as written.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawDatabase {
    upstream: Option<String>,
    #[serde(deserialize_with = "value::secret")]
    password: Option<SecretString>,
    password_file: Option<PathBuf>,
    #[serde(deserialize_with = "value::duration")]
    pub(super) connect_timeout: Duration,
}

impl Default for RawDatabase {
    fn default() -> Self {
        Self {
            upstream: None,
            password: None,
            password_file: None,
            connect_timeout: Duration::from_secs(10),
        }
    }
}

impl RawDatabase {
    /// Checks it and reads its password; `None` where something is wrong, which is then among the
    /// problems. `names` are those of all databases.
    pub(super) fn resolve(
        self,
        name: &str,
        names: &[String],
        folder: &Path,
        problems: &mut Problems<'_>,
    ) -> Option<DatabaseConfig> {
        let mut section = problems.database(name);
        section.require(
            "connect_timeout",
            self.connect_timeout >= Duration::from_millis(100),
            "must be at least 100ms",
        );
        let Some(url) = &self.upstream else {
            section.fail("upstream", missing_upstream(name, names));
            return None;
        };
        let mut upstream = match Upstream::parse(url) {
            Ok(upstream) => upstream,
            Err(message) => {
                section.fail("upstream", message);
                return None;
            }
        };
        if name.trim() != name || name.is_empty() || name.contains(char::is_control) {
            section.fail(
                "upstream",
                "the database's name is empty, or has spaces at its ends",
            );
        }
        if self.password.is_some() && self.password_file.is_some() {
            section.fail("password_file", "there is a `password`, too; keep one of the two");
        }
        let given = self.password.or_else(|| {
            let path = folder.join(self.password_file.as_ref()?);
            read_password(&path, &mut section)
        });
        if given.is_some() && upstream.password.is_some() {
            section.fail(
                "upstream",
                "has a password, and there is another beside it; keep one of the two",
            );
        }
        upstream.password = given.or(upstream.password);
        Some(DatabaseConfig {
            upstream,
            connect_timeout: self.connect_timeout,
        })
    }
}

/// A variable for `Shop` makes a second database, `shop`: say so.
fn missing_upstream(name: &str, names: &[String]) -> String {
    let twin = names
        .iter()
        .find(|other| *other != name && other.to_lowercase() == name);
    match twin {
        Some(twin) => format!(
            "is missing. Variables name databases in lower case: rename [databases.{twin}] to \
             [databases.{name}], or set it in the file"
        ),
        None => "is missing: write upstream = \"postgres://role@host:5432/dbname\"".to_owned(),
    }
}

fn read_password(path: &Path, section: &mut Section<'_, '_>) -> Option<SecretString> {
    match read_bounded(path) {
        Ok(password) if password.expose_secret().is_empty() => {
            section.fail("password_file", format!("{} is empty", path.display()));
            None
        }
        Ok(password) => Some(password),
        Err(error) => {
            section.fail(
                "password_file",
                format!("{} cannot be read: {error}", path.display()),
            );
            None
        }
    }
}

/// The file's text without the line end that editors add.
fn read_bounded(path: &Path) -> io::Result<SecretString> {
    let mut text = String::new();
    let length = File::open(path)?
        .take(LONGEST_PASSWORD + 1)
        .read_to_string(&mut text)?;
    if length as u64 > LONGEST_PASSWORD {
        return Err(io::Error::other(
            "it is longer than a password can be (4096 bytes)",
        ));
    }
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(SecretString::from(line.strip_suffix('\r').unwrap_or(line)))
}
