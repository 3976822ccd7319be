//! What policy says about a statement.

use std::sync::Arc;
use std::time::Duration;

/// The terms under which a statement is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldTerms {
    /// The rules that asked for it, in the order of the statements.
    pub rules: Vec<Arc<str>>,
    /// One member of each of these groups must approve; sorted, without duplicates, never empty.
    pub groups: Vec<Arc<str>>,
    /// How long it may wait; `None` takes the default of `[hold] timeout`.
    pub timeout: Option<Duration>,
}

/// What policy says about a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It passes.
    Allow,
    /// It passes, and is recorded together with what would have become of it.
    Observe {
        /// The rule that said so; `None` where the whole database is observed.
        rule: Option<Arc<str>>,
        /// What would have become of it: never another `Observe`.
        would: Box<Decision>,
    },
    /// People decide.
    Hold(HoldTerms),
    /// It never runs.
    Deny {
        /// The rule that said so.
        rule: Arc<str>,
        /// What the requester reads.
        reason: Arc<str>,
    },
}

impl Decision {
    /// Whether the statement goes on, observed or not.
    #[must_use]
    pub const fn passes(&self) -> bool {
        matches!(self, Self::Allow | Self::Observe { .. })
    }
}
