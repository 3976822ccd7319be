//! holdpoint's log, as a test reads it.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// The file that holds the standard error of a holdpoint.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
}

impl Log {
    pub(super) fn at(path: &Path) -> Self {
        Self { path: path.into() }
    }

    /// All of it.
    pub(super) fn text(&self) -> String {
        std::fs::read_to_string(&self.path).unwrap_or_default()
    }

    /// The value of `field` in the latest line that says `message`.
    pub(super) fn latest(&self, message: &str, field: &str) -> Option<String> {
        let text = self.text();
        let lines = text.lines().rev();
        lines
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .map(|line| line["fields"].clone())
            .find(|fields| fields["message"] == message)
            .and_then(|fields| fields[field].as_str().map(str::to_owned))
    }

    /// The last lines, for a person who wants to know why a test failed.
    pub(super) fn tail(&self) -> String {
        let text = self.text();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    /// Empties it, before the next holdpoint writes to it.
    pub(super) fn clear(&self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
