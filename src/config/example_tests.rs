//! Holds `holdpoint.example.toml` to what it says of itself: every key, with its default.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use super::extract::{database_keys, settings, tls_keys};
use super::*;

const EXAMPLE: &str = include_str!("../../holdpoint.example.toml");

/// The example with every key in force. A key is behind a bare `#`; prose has a space after it.
fn uncommented() -> String {
    EXAMPLE
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(key) if key.starts_with(|c: char| c.is_ascii_lowercase()) => key,
            _ => line,
        })
        .collect::<Vec<_>>()
        .join("\n")
}

fn load(text: &str) -> Config {
    let path = Path::new("holdpoint.example.toml");
    Config::from_text(path, text, Path::new(""), []).unwrap()
}

#[test]
fn the_example_is_a_configuration() {
    let config = load(EXAMPLE);
    assert_eq!(config.databases.keys().collect::<Vec<_>>(), ["shop"]);
}

#[test]
fn every_key_in_the_example_is_its_default() {
    // The two passwords have no default, exclude each other, and name a file. Nor have the files and users of
    // TLS, and what is required where nothing is.
    let text = uncommented();
    let without = [
        "password",
        "cert ",
        "key ",
        "client_ca ",
        "users ",
        "sslrootcert",
        "sslcert",
        "sslkey",
        "sslcrl",
        "require_auth",
        "file ",
    ];
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !without.iter().any(|key| line.starts_with(key)))
        .collect();
    let config = load(&lines.join("\n"));
    assert_eq!(config.proxy, ProxyConfig::default());
    assert_eq!(config.store, StoreConfig::default());
    assert_eq!(config.policy, PolicyConfig::default());
    assert_eq!(config.hold, HoldConfig::default());
    assert_eq!(config.log, LogConfig::default());
    assert_eq!(config.judge, JudgeConfig::default());
    assert_eq!(config.observe, ObserveConfig::default());
    assert_eq!(config.audit, AuditConfig::default());
    let console = ConsoleConfig::default();
    assert_eq!(config.console.listen, console.listen);
    assert_eq!(
        config.console.public_url,
        Some(console.public_url(console.listen))
    );
    let (shop, default) = (&config.databases["shop"], RawDatabase::default());
    assert_eq!(shop.connect_timeout, default.connect_timeout);
    assert_eq!((shop.auth, shop.unmapped), (default.auth, default.unmapped));
    assert_eq!(shop.access, default.access);
    assert_eq!(shop.observe, default.observe);
    assert!(shop.roles.is_empty() && default.roles.is_empty());
    assert_eq!(shop.tls, UpstreamTls::default());
}

#[test]
fn no_key_is_missing_from_the_example() {
    let example: toml::Table = toml::from_str(&uncommented()).unwrap();
    let mut shown: Vec<(String, String)> = Vec::new();
    for (section, keys) in &example {
        if section != "databases" {
            let keys = keys.as_table().unwrap().keys();
            shown.extend(keys.map(|key| (section.clone(), key.clone())));
        }
    }
    let mut known: Vec<(String, String)> = settings()
        .into_iter()
        .map(|(section, key)| (section.to_owned(), key.to_owned()))
        .collect();
    shown.sort();
    known.sort();
    assert_eq!(shown, known);
    assert_eq!(known.len(), 28);

    for (table, known) in [
        (&example["databases"]["shop"], database_keys()),
        (&example["proxy"]["tls"], tls_keys()),
    ] {
        let mut shown: Vec<&str> = table.as_table().unwrap().keys().map(String::as_str).collect();
        let mut known = known.to_vec();
        shown.sort_unstable();
        known.sort_unstable();
        assert_eq!(shown, known);
    }
}
