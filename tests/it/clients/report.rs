//! What a person reads: a line for each client, written past the test harness, which shows nothing of tests that pass.

use std::io::Write as _;
use std::path::PathBuf;

use super::program::Printed;

/// The clients whose absence is a failure, by name and with spaces between them, or `all`.
const EXPECTED: &str = "HOLDPOINT_EXPECT_CLIENTS";

/// What `client` needs; or, where that cannot be had, a line that says why.
///
/// # Panics
///
/// If the client is expected.
pub(super) fn or_skip<T>(client: &str, needed: Result<T, String>) -> Option<T> {
    let why = match needed {
        Ok(needed) => return Some(needed),
        Err(why) => why,
    };
    let expected = std::env::var(EXPECTED).unwrap_or_default();
    let is_expected = expected
        .split([' ', ','])
        .any(|name| name == client || name == "all");
    assert!(!is_expected, "{client} is expected here ({EXPECTED}), but {why}");
    say(&format!("skipped: {client}: {why}"));
    None
}

/// Says that a program did the same directly and through holdpoint.
pub(super) fn same(printed: &Printed) {
    let parts = printed.sections().join("; ");
    say(&format!(
        "compatibility: {}: {parts}: as directly",
        printed.client()
    ));
}

/// Says that a client waited for people, and took what they decided.
pub(super) fn held(client: &str, decided: &str) {
    say(&format!(
        "compatibility: {client}: held, and {decided}: as promised"
    ));
}

fn say(line: &str) {
    // One write, so that the lines of tests that run beside each other do not mix.
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// The first line of what a program in Rust prints: the version of its crate is in the lock file.
pub(super) fn crate_line(name: &str) -> String {
    let lock = include_str!("../../../Cargo.lock");
    let (_, entry) = lock
        .split_once(&format!("name = \"{name}\"\nversion = \""))
        .expect("the crate is locked");
    let version = entry.split('"').next().unwrap_or_default();
    format!("client: {name} {version}\n")
}

/// The repository's `tests/clients/RELATIVE`.
pub(super) fn source(relative: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/clients")
        .join(relative)
}
