//! What follows from the policy in force for a session as a whole.
//!
//! Policies are replaced while sessions go on. A session takes over the one in force with its next statement; what
//! is held already keeps the terms under which it is.

use std::sync::Arc;

use super::access::Database;
use super::passed::Passed;
use super::relay::Session;
use crate::catalogue::Upkeep;
use crate::policy::{Policy, Subject};

/// What a policy means for one user's sessions on a database.
#[derive(Debug)]
pub(super) struct Terms {
    /// The catalogue to go by; none where what is not known passes anyway.
    pub(super) catalogue: Option<Arc<Upkeep>>,
    /// What passes as a read is shielded: not where writes pass as well.
    pub(super) is_shielded: bool,
}

impl Terms {
    pub(super) fn of(database: &Database, is_observed: bool, policy: &Policy, subject: &Subject<'_>) -> Self {
        // What passes now need not pass later.
        let moves = is_observed || policy.moves();
        let goes_by_names = moves || !policy.passes_unknown(subject);
        let shields = policy.moves() || !policy.passes_writes(subject);
        Self {
            catalogue: database.catalogue.clone().filter(|_| goes_by_names),
            is_shielded: database.read_shield && !is_observed && shields,
        }
    }
}

impl Session {
    /// Takes over the policy in force, where it is another by now. A load and a comparison where it is not.
    pub(super) fn follow_policy(&mut self) {
        if self.shared.policy.version() == self.policy_version {
            return;
        }
        (self.policy, self.policy_version) = self.shared.policy.in_force();
        self.passed = Passed::new(self.policy.asks_time());
        if let Some(database) = self.shared.databases.get(&self.who.database) {
            let terms = Terms::of(database, self.observe, &self.policy, &self.subject());
            self.shield.wear(terms.is_shielded);
            self.outlook.go_by(terms.catalogue);
        }
    }
}
