//! What policy says about a statement.

use std::sync::Arc;
use std::time::Duration;

use super::Quorum;

/// What a requester has to give with a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Justification {
    /// Why it is to run.
    pub reason: bool,
    /// The ticket that it belongs to.
    pub ticket: bool,
}

/// Whether a held statement may run in an open transaction, to be reviewed as a whole; the strictest of several counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum ReviewMode {
    /// It is reviewed with its transaction.
    Transaction,
    /// It is, where the requester asks for that.
    #[default]
    AsRequested,
    /// It waits by itself.
    Statement,
}

/// What a hold asks for, as a rule says it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asks {
    /// Who must approve.
    pub quorum: Quorum,
    /// How long it may wait; `None` takes the default of `[hold] timeout`.
    pub timeout: Option<Duration>,
    /// What the requester has to give.
    pub justification: Justification,
    /// Whether requesters who are among the approvers may approve what they asked for themselves.
    pub self_approval: bool,
    /// Whether a requester who is an admin need not wait.
    pub exempt_admins: bool,
    /// Whether it may run in an open transaction, to be reviewed as a whole at the COMMIT.
    pub review: ReviewMode,
    /// Whoever is in one of these groups may run it at once, in an emergency, to be reviewed afterwards; sorted,
    /// without duplicates.
    pub break_glass: Vec<String>,
}

impl Asks {
    /// Takes over what `other` asks for: both are to be met.
    pub fn join(&mut self, other: &Self) {
        self.quorum.join(&other.quorum);
        self.timeout = match (self.timeout, other.timeout) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.justification.reason |= other.justification.reason;
        self.justification.ticket |= other.justification.ticket;
        self.self_approval &= other.self_approval;
        self.exempt_admins &= other.exempt_admins;
        self.review = self.review.max(other.review);
        self.break_glass.retain(|group| other.break_glass.contains(group));
    }
}

/// The terms under which a statement is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldTerms {
    /// The rules that asked for it, in the order of the statements.
    pub rules: Vec<Arc<str>>,
    /// What they ask for together; somebody must approve.
    pub asks: Asks,
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
