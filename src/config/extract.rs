//! Reads a section into its type, recording everything that is wrong with it.
//!
//! serde stops at the first fault. So the faulty key is recorded and taken out, and the section is
//! read again, until what is left can be read; a section with a fault never leaves `Config::load`.

use figment::error::{Actual, Kind};
use figment::value::{Dict, Value};
use serde::de::DeserializeOwned;

use super::TlsConfig;
use super::database::RawDatabase;
use super::error::Problems;
use super::{
    AuditConfig, ConsoleConfig, HoldConfig, JudgeConfig, LogConfig, ObserveConfig, PolicyConfig, ProxyConfig,
    StoreConfig,
};

/// Reads the table at `path`; keys with a fault keep their defaults and are among the problems.
pub(super) fn extract<T: DeserializeOwned + Default>(
    path: &[&str],
    mut value: Value,
    problems: &mut Problems<'_>,
) -> T {
    loop {
        let error = match T::deserialize(&value) {
            Ok(section) => return section,
            Err(error) => error,
        };
        record(path, &error, problems);
        let (Value::Dict(_, keys), Some(faulty)) = (&mut value, error.path.first()) else {
            return T::default();
        };
        if keys.remove(faulty).is_none() {
            return T::default();
        }
    }
}

/// Every section's keys, except the databases'.
pub(super) fn settings() -> Vec<(&'static str, &'static str)> {
    [
        ("proxy", known_keys::<ProxyConfig>()),
        ("console", known_keys::<ConsoleConfig>()),
        ("store", known_keys::<StoreConfig>()),
        ("policy", known_keys::<PolicyConfig>()),
        ("hold", known_keys::<HoldConfig>()),
        ("log", known_keys::<LogConfig>()),
        ("judge", known_keys::<JudgeConfig>()),
        ("observe", known_keys::<ObserveConfig>()),
        ("audit", known_keys::<AuditConfig>()),
    ]
    .into_iter()
    .flat_map(|(section, keys)| keys.iter().map(move |key| (section, *key)))
    .collect()
}

/// The keys of `[proxy.tls]`.
pub(super) fn tls_keys() -> &'static [&'static str] {
    known_keys::<TlsConfig>()
}

/// The keys of `[databases.NAME]`.
pub(super) fn database_keys() -> &'static [&'static str] {
    known_keys::<RawDatabase>()
}

/// The keys that a section's type takes: serde says them when it meets another.
fn known_keys<T: DeserializeOwned>() -> &'static [&'static str] {
    let value = Value::from(Dict::from([(String::new(), Value::from(""))]));
    match T::deserialize(&value).map_err(|error| error.kind) {
        Err(Kind::UnknownField(_, keys)) => keys,
        _ => &[],
    }
}

fn record(path: &[&str], error: &figment::Error, problems: &mut Problems<'_>) {
    let full: Vec<&str> = path
        .iter()
        .copied()
        .chain(error.path.iter().map(String::as_str))
        .collect();
    match &error.kind {
        Kind::UnknownField(name, known) => problems.add_unknown(&full, name, known),
        Kind::InvalidType(actual, _) if error.path.is_empty() => {
            problems.add(&full, format!("expected a table, found {}", kind_of(actual)));
        }
        // The value itself is left out: it may be a secret.
        Kind::InvalidType(actual, expected) | Kind::InvalidValue(actual, expected) => {
            problems.add(&full, format!("expected {expected}, found {}", kind_of(actual)));
        }
        Kind::Message(message) => problems.add(&full, message.as_str()),
        _ => problems.add(&full, "this cannot be read"),
    }
}

fn kind_of(actual: &Actual) -> &'static str {
    match actual {
        Actual::Bool(_) => "true or false",
        Actual::Unsigned(_) | Actual::Signed(_) => "a whole number",
        Actual::Float(_) => "a number with a fraction",
        Actual::Str(_) | Actual::Char(_) => "a text",
        Actual::Seq => "a list",
        Actual::Map => "a table",
        _ => "something else",
    }
}
