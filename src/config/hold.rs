//! `[hold]`: how long statements wait.

use std::time::Duration;

use serde::Deserialize;

use super::error::Section;
use super::value;

/// `[hold]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HoldConfig {
    /// How long a held statement waits where its rules say nothing else; at least 1 s.
    #[serde(deserialize_with = "value::duration")]
    pub timeout: Duration,
    /// How often a waiting client is told that it waits; at least 1 s.
    #[serde(deserialize_with = "value::duration")]
    pub notice_interval: Duration,
}

impl Default for HoldConfig {
    fn default() -> Self {
        Self {
            timeout: Duration::from_mins(30),
            notice_interval: Duration::from_secs(30),
        }
    }
}

impl HoldConfig {
    pub(super) fn validate(&self, section: &mut Section<'_, '_>) {
        let second = Duration::from_secs(1);
        section.require("timeout", self.timeout >= second, "must be at least 1s");
        section.require(
            "notice_interval",
            self.notice_interval >= second,
            "must be at least 1s",
        );
    }
}
