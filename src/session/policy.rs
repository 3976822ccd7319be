//! The policy in force, and what follows from it for a session as a whole.
//!
//! Policies are replaced while sessions go on. A session takes over the one in force with its next statement; what
//! is held already keeps the terms under which it is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::access::Database;
use super::relay::Session;
use crate::catalogue::Upkeep;
use crate::policy::{Policy, Subject};

/// The policy that new statements are decided by.
#[derive(Debug)]
pub struct PolicyInForce {
    policy: RwLock<Arc<Policy>>,
    version: AtomicU64,
}

impl PolicyInForce {
    /// From the start on.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            policy: RwLock::new(Arc::new(policy)),
            version: AtomicU64::new(1),
        }
    }

    /// Puts another in its place.
    pub fn replace(&self, policy: Policy) {
        let mut current = self.policy.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(policy);
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    /// The policy, and its version.
    #[must_use]
    pub fn in_force(&self) -> (Arc<Policy>, u64) {
        let current = self.policy.read().unwrap_or_else(PoisonError::into_inner);
        (Arc::clone(&current), self.version.load(Ordering::Acquire))
    }

    /// Its version; a load, no lock.
    fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }
}

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
        if let Some(database) = self.shared.databases.get(&self.who.database) {
            let terms = Terms::of(database, self.observe, &self.policy, &self.subject());
            self.shield.wear(terms.is_shielded);
            self.outlook.go_by(terms.catalogue);
        }
    }
}
