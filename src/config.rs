//! The configuration: a TOML file, overridden by environment variables.
//!
//! Imports `model` (the notation of durations). Reads the file, the environment and the files that
//! passwords are in, once, at [`Config::load`]; nothing here watches or writes.
//!
//! **Environment.** `HOLDPOINT_SECTION__KEY` sets `key` in `[section]`, with two underscores
//! between the levels: `HOLDPOINT_PROXY__LISTEN`, `HOLDPOINT_DATABASES__SHOP__PASSWORD`. Names are
//! folded to lower case, so a database that is to be set from the environment has a lower-case
//! name. Values are taken as they are: no quotes, no TOML; the list `proxy.listen` is separated by
//! commas. `HOLDPOINT_CONFIG`, which names the file, is no setting and is ignored here. So are
//! variables without the double underscore, unless they look like a setting with one underscore
//! left out: orchestrators inject names such as `HOLDPOINT_SERVICE_HOST` of their own accord.
//!
//! Invariants: a `Config` has passed every check; relative paths in it start from the file's
//! folder; nothing secret is in an error or in a `Debug` form.

mod audit;
mod console;
mod database;
mod error;
mod extract;
mod hold;
mod judge;
mod log;
mod observe;
mod policy;
mod pool;
mod proxy;
mod roles;
mod size;
mod source;
mod store;
mod tls;
mod upstream;
mod upstream_tls;
mod value;

#[cfg(test)]
mod example_tests;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use figment::value::{Dict, Value};
use serde::de::DeserializeOwned;

pub use audit::{AuditConfig, AuditOverflow, AuditStatements};
pub use console::ConsoleConfig;
pub use database::DatabaseConfig;
pub use error::{ConfigError, ConfigProblem, Place};
pub use hold::HoldConfig;
pub use judge::JudgeConfig;
pub use log::{LogConfig, LogFormat, LogLevel};
pub use observe::ObserveConfig;
pub use policy::PolicyConfig;
pub use pool::PoolConfig;
pub use proxy::{ProxyConfig, Workers};
pub use roles::{Auth, Member, RoleConfig, Unmapped};
pub use store::{StoreConfig, StoreUrl};
pub use tls::{ClientAuth, ClientCert, TlsConfig, TlsMode, TlsVersion};
pub use upstream::{Host, Upstream};
pub use upstream_tls::{ChannelBinding, RequireAuth, RootCert, SslMode, UpstreamTls};

use database::RawDatabase;
use error::Problems;
use extract::extract;
use source::Source;

/// The sections of the file.
const SECTIONS: [&str; 10] = [
    "proxy",
    "console",
    "store",
    "policy",
    "hold",
    "log",
    "judge",
    "observe",
    "audit",
    "databases",
];

/// Everything that holdpoint is told from outside.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[proxy]`
    pub proxy: ProxyConfig,
    /// `[console]`
    pub console: ConsoleConfig,
    /// `[store]`
    pub store: StoreConfig,
    /// `[policy]`
    pub policy: PolicyConfig,
    /// `[hold]`
    pub hold: HoldConfig,
    /// `[log]`
    pub log: LogConfig,
    /// `[judge]`
    pub judge: JudgeConfig,
    /// `[observe]`
    pub observe: ObserveConfig,
    /// `[audit]`
    pub audit: AuditConfig,
    /// `[databases.NAME]`, by name; never empty.
    pub databases: BTreeMap<String, DatabaseConfig>,
}

impl Config {
    /// Reads a file and this process's environment.
    ///
    /// # Errors
    /// The file cannot be read, or something in it or in the environment is wrong: then everything
    /// that is, each with its key and its place.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::load_with(path, std::env::vars_os())
    }

    /// As [`Config::load`], with the given environment.
    ///
    /// # Errors
    /// Likewise.
    pub fn load_with(
        path: &Path,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::from_text(path, &text, folder, variables)
    }

    fn from_text(
        path: &Path,
        text: &str,
        folder: &Path,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let source = Source::read(path, text, variables)?;
        let mut problems = source.problems();
        let mut sections = source.merged()?;
        let databases = take_databases(&mut sections, &mut problems);
        let tls = take_tls(&mut sections, &mut problems);
        let mut config = Self {
            proxy: take(&mut sections, "proxy", &mut problems),
            console: take(&mut sections, "console", &mut problems),
            store: take(&mut sections, "store", &mut problems),
            policy: take(&mut sections, "policy", &mut problems),
            hold: take(&mut sections, "hold", &mut problems),
            log: take(&mut sections, "log", &mut problems),
            judge: take(&mut sections, "judge", &mut problems),
            observe: take(&mut sections, "observe", &mut problems),
            audit: take(&mut sections, "audit", &mut problems),
            databases: BTreeMap::new(),
        };
        for name in sections.keys() {
            problems.add_unknown(&[name], name, &SECTIONS);
        }
        config.proxy.tls = tls;
        config.validate(&mut problems);
        config.proxy.tls.resolve(folder);
        config.store.resolve(folder);
        config.policy.resolve(folder);
        config.audit.resolve(folder);
        config
            .audit
            .is_no_store(&config.store.url, &mut problems.section("audit"));
        let names: Vec<String> = databases.iter().map(|(name, _)| name.clone()).collect();
        for (name, raw) in databases {
            if let Some(database) = raw.resolve(&name, &names, folder, &mut problems) {
                config.databases.insert(name, database);
            }
        }
        problems.into_result().map(|()| config)
    }

    fn validate(&self, problems: &mut Problems<'_>) {
        self.proxy.validate(&mut problems.section("proxy"));
        self.proxy.tls.validate(&mut problems.tls());
        self.console.validate(&mut problems.section("console"));
        self.store.validate(&mut problems.section("store"));
        self.hold.validate(&mut problems.section("hold"));
        self.judge.validate(&mut problems.section("judge"));
        self.observe.validate(&mut problems.section("observe"));
        self.audit.validate(&mut problems.section("audit"));
        if self.proxy.listen.contains(&self.console.listen) && self.console.listen.port() != 0 {
            problems.section("console").fail(
                "listen",
                format!(
                    "{} is the proxy's address, too; take another port",
                    self.console.listen
                ),
            );
        }
        if self.judge.max_text > self.proxy.max_message {
            problems.section("judge").fail(
                "max_text",
                "is larger than proxy.max_message: such a text could never arrive",
            );
        }
    }
}

fn take<T: DeserializeOwned + Default>(sections: &mut Dict, name: &str, problems: &mut Problems<'_>) -> T {
    match sections.remove(name) {
        Some(value) => extract(&[name], value, problems),
        None => T::default(),
    }
}

/// A table of its own, so that everything that is wrong in it is found at once.
fn take_tls(sections: &mut Dict, problems: &mut Problems<'_>) -> TlsConfig {
    let tls = match sections.get_mut("proxy") {
        Some(Value::Dict(_, proxy)) => proxy.remove("tls"),
        _ => None,
    };
    tls.map(|value| extract(&["proxy", "tls"], value, problems))
        .unwrap_or_default()
}

fn take_databases(sections: &mut Dict, problems: &mut Problems<'_>) -> Vec<(String, RawDatabase)> {
    let databases = match sections.remove("databases") {
        Some(Value::Dict(_, databases)) => databases,
        Some(_) => {
            problems.add(&["databases"], "expected tables: write [databases.NAME]");
            return Vec::new();
        }
        None => Dict::new(),
    };
    if databases.is_empty() {
        problems.add(
            &["databases"],
            "no database: write [databases.NAME] with upstream = \"postgres://role@host:5432/dbname\"",
        );
    }
    databases
        .into_iter()
        .map(|(name, value)| {
            let raw = extract(&["databases", &name], value, problems);
            (name, raw)
        })
        .collect()
}
