//! `[observe]`: how much is kept of what is observed.

use std::time::Duration;

use serde::Deserialize;

use super::error::Section;
use super::value;

/// `[observe]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ObserveConfig {
    /// How long what was observed is kept; at least an hour, which is what it is counted by.
    #[serde(deserialize_with = "value::duration")]
    pub keep: Duration,
    /// How many rows there may be: one for each hour in which something was asked; at least 1.
    #[serde(deserialize_with = "value::count")]
    pub max_rows: usize,
}

impl Default for ObserveConfig {
    fn default() -> Self {
        Self {
            keep: Duration::from_hours(30 * 24),
            max_rows: 1_000_000,
        }
    }
}

impl ObserveConfig {
    pub(super) fn validate(&self, section: &mut Section<'_, '_>) {
        section.require(
            "keep",
            self.keep >= Duration::from_hours(1),
            "must be at least 1h: sightings are counted by the hour",
        );
        section.require("max_rows", self.max_rows > 0, "must be at least 1");
    }
}
