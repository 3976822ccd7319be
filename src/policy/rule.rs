//! A rule: when it matches, and what then.

use std::sync::Arc;

use super::Subject;
use super::condition::{Doubt, When};
use crate::model::{Asks, Facts};

/// What a rule does with a statement that it matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// It passes.
    Allow,
    /// It passes, and is recorded together with what the rules below would have made of it.
    Observe,
    /// People decide.
    Hold(Asks),
    /// It never runs.
    Deny {
        /// What the requester reads.
        reason: Arc<str>,
    },
}

impl Action {
    /// The word of the policy language.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Observe => "observe",
            Self::Hold(_) => "hold",
            Self::Deny { .. } => "deny",
        }
    }

    /// How a condition reads what it cannot be sure of: against the statement, except that rules which observe
    /// are for what could not be judged, too.
    pub(super) const fn doubt(&self) -> Doubt {
        match self {
            Self::Allow => Doubt::DoesNotMatch,
            Self::Observe => Doubt::UnknownMatches,
            Self::Hold(_) | Self::Deny { .. } => Doubt::Matches,
        }
    }
}

/// One rule of a policy.
#[derive(Debug, Clone)]
pub struct Rule {
    pub(super) name: Arc<str>,
    pub(super) when: When,
    pub(super) action: Action,
    /// File and line, as in `default.toml:12`.
    pub(super) place: String,
}

impl Rule {
    /// Its name; unique in the policy.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it does.
    #[must_use]
    pub fn action(&self) -> &Action {
        &self.action
    }

    /// Where it is written, as in `default.toml:12`.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    pub(super) fn shared_name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) fn matches(&self, subject: &Subject<'_>, facts: &Facts) -> bool {
        self.when.matches(subject, facts, self.action.doubt())
    }
}
