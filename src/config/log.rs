//! `[log]`: what is logged, and how.

use std::str::FromStr;

use serde::Deserialize;

use super::value;

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// How a line looks.
    #[serde(deserialize_with = "value::word")]
    pub format: LogFormat,
    /// From which severity on.
    #[serde(deserialize_with = "value::word")]
    pub level: LogLevel,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// From which severity on something is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogLevel {
    /// What failed.
    Error,
    /// What needs somebody's eyes, too.
    Warn,
    /// What happened, too.
    #[default]
    Info,
    /// Details for finding faults, SQL among them.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The level's name, as `tracing` writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        value::one_of(text, &[("text", Self::Text), ("json", Self::Json)])
    }
}

impl FromStr for LogLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        value::one_of(
            text,
            &[Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace]
                .map(|level| (level.as_str(), level)),
        )
    }
}
