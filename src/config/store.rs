//! `[store]`: where requests, users and sessions are kept.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::Url;

use super::error::Section;
use super::upstream::percent_decode;
use super::value;

/// `[store]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// Which database.
    #[serde(deserialize_with = "value::word")]
    pub url: StoreUrl,
    /// So long another proxy that shares the store may be silent, or so long as that one says, if it is longer; then what it held is
    /// settled as abandoned. At least 2 s.
    #[serde(deserialize_with = "value::duration")]
    pub dead_after: Duration,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            url: StoreUrl::Sqlite(PathBuf::from("holdpoint.db")),
            dead_after: Duration::from_secs(30),
        }
    }
}

impl StoreConfig {
    pub(super) fn validate(&self, section: &mut Section<'_, '_>) {
        section.require(
            "dead_after",
            self.dead_after >= Duration::from_secs(2),
            "must be at least 2s: a proxy says six times in it that it lives",
        );
    }

    /// Makes the path start from the configuration file's folder.
    pub(super) fn resolve(&mut self, folder: &Path) {
        if let StoreUrl::Sqlite(path) = &mut self.url {
            *path = folder.join(&path);
        }
    }
}

/// The database of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// A SQLite file, for one proxy: `sqlite://holdpoint.db`, `sqlite:///var/lib/holdpoint/holdpoint.db`.
    Sqlite(PathBuf),
    /// A PostgreSQL database, which several proxies can share: `postgres://holdpoint@db.internal/holdpoint`.
    Postgres(PostgresUrl),
}

/// A PostgreSQL URL. Shown without its password.
#[derive(Clone)]
pub struct PostgresUrl(SecretString);

impl PartialEq for PostgresUrl {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }
}

impl Eq for PostgresUrl {}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostgresUrl(…)")
    }
}

/// What the URL may say behind its `?`: the rest would be ignored, and shown in a warning.
const PARAMETERS: [&str; 10] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "options",
    "host",
    "port",
    "dbname",
    "user",
    "password",
];

impl PostgresUrl {
    /// Checks what can be checked here, without showing any of it.
    fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|why| {
            format!("is no URL: {why}; within a name or a password, @ is written %40, : %3A, / %2F, ? %3F and # %23")
        })?;
        if url.host_str().unwrap_or_default().is_empty() && !url.query_pairs().any(|(key, _)| key == "host") {
            return Err("names no server: write postgres://ROLE@HOST/DATABASE".to_owned());
        }
        if url.fragment().is_some() {
            return Err("has a #: within a password it is written %23".to_owned());
        }
        if url.query_pairs().any(|(key, _)| !PARAMETERS.contains(&&*key)) {
            return Err(format!(
                "has something behind its ? that is none of {}; within a password, ? is written %3F",
                PARAMETERS.join(", ")
            ));
        }
        Ok(Self(text.to_owned().into()))
    }
}

/// The server and the database, without role, password and parameters.
impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(url) = Url::parse(self.0.expose_secret()) else {
            return f.write_str("postgres://…");
        };
        write!(f, "postgres://{}", url.host_str().unwrap_or_default())?;
        if let Some(port) = url.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(url.path())
    }
}

impl StoreUrl {
    /// The names of its files: SQLite's, and the one that guards it. A server's are elsewhere.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let Self::Sqlite(database) = self else {
            return Vec::new();
        };
        let endings = ["", "-wal", "-shm", "-journal", ".lock"];
        let named = endings.map(|ending| {
            let mut name = database.clone().into_os_string();
            name.push(ending);
            PathBuf::from(name)
        });
        named.into()
    }

    /// The URL, as it is opened, with its password: not to be shown. What would end a path is written out. A path that is
    /// not UTF-8 does not get here, since a configuration file is.
    #[must_use]
    pub fn to_open(&self) -> SecretString {
        match self {
            Self::Sqlite(path) => {
                let path = path
                    .to_string_lossy()
                    .replace('%', "%25")
                    .replace('?', "%3f")
                    .replace('#', "%23");
                format!("sqlite://{path}").into()
            }
            Self::Postgres(url) => url.0.clone(),
        }
    }
}

impl FromStr for StoreUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(
                "is no URL: write sqlite://PATH, as in sqlite://holdpoint.db, or postgres://ROLE@HOST/DATABASE"
                    .to_owned(),
            );
        };
        if matches!(scheme, "postgres" | "postgresql") {
            return PostgresUrl::parse(text).map(Self::Postgres);
        }
        if scheme != "sqlite" {
            return Err(
                "is for another database: write sqlite://PATH, or postgres://ROLE@HOST/DATABASE".to_owned(),
            );
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
            ("postgres:host/db", "names no server"),
            ("postgres://", "names no server"),
            ("postgres://secret@/x", "is no URL"),
            ("postgres://h:secret?3@db/x", "is no URL"),
            ("postgres://h:5432?secret@db/x", "behind its ?"),
            ("postgres://h:secret#3@db/x", "is no URL"),
            ("postgres://h@db/x?sslpassword=secret", "behind its ?"),
            ("mysql://secret@host/db", "is for another database"),
            ("SQLITE://x", "is for another database"),
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
            let shown = format!("{:?}", url.parse::<StoreUrl>());
            assert!(!shown.contains("secret"), "{shown}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        for (url, shown) in [
            (
                "postgres://holdpoint:secret@db.internal/holdpoint",
                "postgres://db.internal/holdpoint",
            ),
            (
                "postgresql://h:se%40secret@db:5433/x?password=secret",
                "postgres://db:5433/x",
            ),
            ("postgres://db", "postgres://db"),
        ] {
            let Ok(parsed @ StoreUrl::Postgres(_)) = url.parse::<StoreUrl>() else {
                panic!("{url}");
            };
            assert_eq!(parsed.to_open().expose_secret(), url);
            let StoreUrl::Postgres(place) = &parsed else {
                continue;
            };
            assert_eq!(place.to_string(), shown);
            assert!(!format!("{parsed:?}").contains("secret"), "{parsed:?}");
        }
    }
}
