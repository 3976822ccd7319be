//! `[databases.NAME.pool]`: connections to the server that outlive their sessions.

use std::time::Duration;

use serde::Deserialize;

use super::error::Problems;
use super::value;

/// `[databases.NAME.pool]`, for each role on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PoolConfig {
    /// Connections that are kept while no session uses them; 0: none are.
    #[serde(deserialize_with = "value::count")]
    pub max_idle: usize,
    /// Of these, how many are kept ready whatever `idle_timeout` says; at most `max_idle`.
    #[serde(deserialize_with = "value::count")]
    pub min_idle: usize,
    /// Connections in all, used and idle; 0: as many as there are sessions.
    #[serde(deserialize_with = "value::count")]
    pub max_connections: usize,
    /// How long a client waits for one where there are `max_connections`; at least 100 ms.
    #[serde(deserialize_with = "value::duration")]
    pub wait_timeout: Duration,
    /// An idle one is closed after this; at least 1 s.
    #[serde(deserialize_with = "value::duration")]
    pub idle_timeout: Duration,
    /// One as old as this is not used again; at least 1 s.
    #[serde(deserialize_with = "value::duration")]
    pub max_lifetime: Duration,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            max_idle: 0,
            min_idle: 0,
            max_connections: 0,
            wait_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_mins(10),
            max_lifetime: Duration::from_hours(1),
        }
    }
}

impl PoolConfig {
    /// Whether there is anything to do.
    #[must_use]
    pub fn is_used(&self) -> bool {
        self.max_idle > 0 || self.max_connections > 0
    }

    pub(super) fn validate(&self, database: &str, problems: &mut Problems<'_>) {
        let mut require = |key: &str, good: bool, message: &str| {
            if !good {
                problems.add(&["databases", database, "pool", key], message);
            }
        };
        require(
            "min_idle",
            self.min_idle <= self.max_idle,
            "must not be more than max_idle",
        );
        require(
            "max_connections",
            self.max_connections == 0 || self.max_connections >= self.max_idle,
            "must be 0 (no limit), or at least max_idle",
        );
        require(
            "wait_timeout",
            self.wait_timeout >= Duration::from_millis(100),
            "must be at least 100ms",
        );
        let second = Duration::from_secs(1);
        require("idle_timeout", self.idle_timeout >= second, "must be at least 1s");
        require("max_lifetime", self.max_lifetime >= second, "must be at least 1s");
    }
}
