//! `[store]`: where requests, users and sessions are kept.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Deserialize;

use super::upstream::percent_decode;
use super::value;

/// `[store]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// Which database.
    #[serde(deserialize_with = "value::word")]
    pub url: StoreUrl,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            url: StoreUrl::Sqlite(PathBuf::from("holdpoint.db")),
        }
    }
}

impl StoreConfig {
    /// Makes the path start from the configuration file's folder.
    pub(super) fn resolve(&mut self, folder: &Path) {
        let StoreUrl::Sqlite(path) = &mut self.url;
        *path = folder.join(&path);
    }
}

/// The database of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// A SQLite file: `sqlite://holdpoint.db`, `sqlite:///var/lib/holdpoint/holdpoint.db`.
    Sqlite(PathBuf),
}

impl StoreUrl {
    /// The names of its files: SQLite's, and the one that guards it.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let Self::Sqlite(database) = self;
        let endings = ["", "-wal", "-shm", "-journal", ".lock"];
        let named = endings.map(|ending| {
            let mut name = database.clone().into_os_string();
            name.push(ending);
            PathBuf::from(name)
        });
        named.into()
    }
}

/// The URL, as it is opened: what would end the path is written out. A path that is not UTF-8 does not
/// get here, since a configuration file is.
impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Sqlite(path) = self;
        let path = path
            .to_string_lossy()
            .replace('%', "%25")
            .replace('?', "%3f")
            .replace('#', "%23");
        write!(f, "sqlite://{path}")
    }
}

impl FromStr for StoreUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err("is no URL: write sqlite://PATH, as in sqlite://holdpoint.db".to_owned());
        };
        if scheme != "sqlite" {
            return Err(format!(
                "\"{scheme}\" is not there: the store is SQLite only for now; write sqlite://PATH"
            ));
        }
        let path = rest.strip_prefix("//").unwrap_or(rest);
        if path.contains('?') {
            return Err("a store's URL takes no parameters (?…)".to_owned());
        }
        if path.contains(":memory:") {
            return Err("must be a file: what is in memory would be lost with the process".to_owned());
        }
        if path.is_empty() || path.ends_with('/') {
            return Err("names no file: write sqlite://PATH, as in sqlite://holdpoint.db".to_owned());
        }
        percent_decode(path)
            .map(|path| Self::Sqlite(PathBuf::from(path)))
            .map_err(|why| format!("the path {why}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_urls_name_a_file() {
        for (url, path) in [
            ("sqlite://holdpoint.db", "holdpoint.db"),
            ("sqlite:holdpoint.db", "holdpoint.db"),
            ("sqlite://data/holdpoint.db", "data/holdpoint.db"),
            ("sqlite:///var/lib/holdpoint.db", "/var/lib/holdpoint.db"),
            ("sqlite://my%20data/%3f.db", "my data/?.db"),
        ] {
            assert_eq!(url.parse(), Ok(StoreUrl::Sqlite(PathBuf::from(path))), "{url}");
        }
    }

    #[test]
    fn other_stores_are_refused_with_the_reason() {
        for (url, why) in [
            ("holdpoint.db", "is no URL"),
            ("", "is no URL"),
            ("postgres://host/db", "SQLite only for now"),
            ("SQLITE://x", "SQLite only for now"),
            ("sqlite://x.db?mode=ro", "no parameters"),
            ("sqlite::memory:", "lost with the process"),
            ("sqlite://", "names no file"),
            ("sqlite://data/", "names no file"),
            ("sqlite://%zz", "the path"),
        ] {
            let refused = url
                .parse::<StoreUrl>()
                .is_err_and(|message| message.contains(why));
            assert!(refused, "{url}");
        }
    }
}
