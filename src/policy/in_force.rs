//! The policy in force: replaced as a whole while sessions go on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::Policy;

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
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }
}
