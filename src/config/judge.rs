//! `[judge]`: what judging statements may use up.

use serde::Deserialize;

use super::error::Section;
use super::value;

/// `[judge]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JudgeConfig {
    /// The longest text that is judged, in bytes; a longer one is of effect `unknown`. At least 1 KiB.
    #[serde(deserialize_with = "value::size")]
    pub max_text: usize,
    /// How much memory judged texts may take, in bytes; at least 1 MiB.
    #[serde(deserialize_with = "value::size")]
    pub cache: usize,
    /// How many threads parse; 1 to 256.
    #[serde(deserialize_with = "value::count")]
    pub threads: usize,
}

impl Default for JudgeConfig {
    fn default() -> Self {
        Self {
            max_text: 1 << 20,
            cache: 64 << 20,
            threads: 1,
        }
    }
}

impl JudgeConfig {
    pub(super) fn validate(&self, section: &mut Section<'_, '_>) {
        section.require("max_text", self.max_text >= 1 << 10, "must be at least 1KiB");
        section.require("cache", self.cache >= 1 << 20, "must be at least 1MiB");
        section.require(
            "threads",
            (1..=256).contains(&self.threads),
            "must be between 1 and 256",
        );
    }
}
