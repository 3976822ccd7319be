//! What a statement can do, from mildest to most severe.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The effect of a statement; the order is the order of severity.
///
/// The effect of a text is that of its most severe part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Touches this session alone: `SET`, `SHOW`, transaction control, `DEALLOCATE`, …
    Session,
    /// Reads data and changes nothing.
    Read,
    /// Changes data, takes row locks, or sends notifications.
    Write,
    /// Changes the definition of objects.
    Schema,
    /// Changes who may do what, or as whom this session acts.
    Privilege,
    /// Reaches past the database: files, programs, other backends, settings of the cluster.
    Server,
    /// Could not be judged; treated as the most severe.
    Unknown,
}

impl Effect {
    /// Every effect, mildest first.
    pub const ALL: [Self; 7] = [
        Self::Session,
        Self::Read,
        Self::Write,
        Self::Schema,
        Self::Privilege,
        Self::Server,
        Self::Unknown,
    ];

    /// The name used in policies, the API and the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Read => "read",
            Self::Write => "write",
            Self::Schema => "schema",
            Self::Privilege => "privilege",
            Self::Server => "server",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown effect \"{0}\" (one of session, read, write, schema, privilege, server, unknown)")]
pub struct UnknownEffect(pub String);

impl FromStr for Effect {
    type Err = UnknownEffect;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|e| e.as_str() == s)
            .ok_or_else(|| UnknownEffect(s.to_owned()))
    }
}
