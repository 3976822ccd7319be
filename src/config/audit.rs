//! `[audit]`: the record of what policy lets pass.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use super::error::Section;
use super::{StoreUrl, value};

/// `[audit]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditConfig {
    /// The file; `None`: what passes is not recorded.
    pub file: Option<PathBuf>,
    /// Which statements are recorded.
    #[serde(deserialize_with = "value::word")]
    pub statements: AuditStatements,
    /// What becomes of a statement whose record finds no room.
    #[serde(deserialize_with = "value::word")]
    pub overflow: AuditOverflow,
    /// Bytes that may wait to be written; at least 64 KiB.
    #[serde(deserialize_with = "value::size")]
    pub max_queue: usize,
    /// A file of so many bytes is set aside, and another begun; at least 64 KiB, or 0: never.
    #[serde(deserialize_with = "value::size")]
    pub max_file: usize,
    /// How long a record waits to be written; 10 ms to 1 min.
    #[serde(deserialize_with = "value::duration")]
    pub interval: Duration,
}

/// Which statements are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuditStatements {
    /// All that pass.
    #[default]
    All,
    /// Those that do more than read, or may.
    Changes,
}

/// What becomes of a statement whose record finds no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuditOverflow {
    /// It waits.
    #[default]
    Wait,
    /// It fails.
    Refuse,
}

impl FromStr for AuditStatements {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        value::one_of(text, &[("all", Self::All), ("changes", Self::Changes)])
    }
}

impl FromStr for AuditOverflow {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        value::one_of(text, &[("wait", Self::Wait), ("refuse", Self::Refuse)])
    }
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self {
            file: None,
            statements: AuditStatements::All,
            overflow: AuditOverflow::Wait,
            max_queue: 16 << 20,
            max_file: 256 << 20,
            interval: Duration::from_millis(200),
        }
    }
}

impl AuditConfig {
    /// Makes the path start from the configuration file's folder.
    pub(super) fn resolve(&mut self, folder: &Path) {
        self.file = self.file.take().map(|file| folder.join(file));
    }

    /// Records in a file of the store's would be the end of it. To be called once both are resolved.
    pub(super) fn is_no_store(&self, store: &StoreUrl, section: &mut Section<'_, '_>) {
        let files = store.files();
        // By name; where the file is there by other names, too, it is found out when it is opened.
        if self.file.as_ref().is_some_and(|file| files.contains(file)) {
            section.fail("file", "is a file of the store's, see [store] url; name another");
        }
    }

    pub(super) fn validate(&self, section: &mut Section<'_, '_>) {
        section.require("max_queue", self.max_queue >= 64 << 10, "must be at least 64KiB");
        section.require(
            "max_file",
            self.max_file == 0 || self.max_file >= 64 << 10,
            "must be at least 64KiB, or 0 (never set aside)",
        );
        section.require(
            "interval",
            (Duration::from_millis(10)..=Duration::from_mins(1)).contains(&self.interval),
            "must be between 10ms and 1m",
        );
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use crate::config::Config;

    fn problems(audit: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("holdpoint.toml");
        let text = format!("[audit]\n{audit}\n[databases.a]\nupstream = \"postgres://a@b/c\"\n");
        std::fs::write(&path, text).unwrap();
        let loaded = Config::load_with(&path, []);
        loaded.map_or_else(|error| error.to_string(), |_| String::new())
    }

    #[test]
    fn what_cannot_be_meant_is_said() {
        assert_eq!(problems("file = \"audit.jsonl\"\nmax_file = 0"), "");
        for (line, expected) in [
            ("file = \"holdpoint.db\"", "audit.file: is a file of the store's"),
            (
                "file = \"holdpoint.db-wal\"",
                "audit.file: is a file of the store's",
            ),
            ("max_queue = \"1KiB\"", "audit.max_queue: must be at least 64KiB"),
            ("max_file = 1", "audit.max_file: must be at least 64KiB, or 0"),
            (
                "interval = \"1ms\"",
                "audit.interval: must be between 10ms and 1m",
            ),
            ("overflow = \"drop\"", "\"drop\" is none of wait, refuse"),
            ("statements = \"change\"", "did you mean \"changes\"?"),
        ] {
            let said = problems(line);
            assert!(said.contains(expected), "{line}: {said}");
        }
    }
}
