//! What follows from the policy in force for a session as a whole.
//!
//! Policies are replaced while sessions go on. A session takes over the one in force with its next statement; what
//! is held already keeps the terms under which it is.

use std::cell::RefCell;
use std::sync::Arc;

use super::Who;
use super::access::Database;
use super::passed::Passed;
use super::relay::Session;
use crate::catalogue::Upkeep;
use crate::model::Clock;
use crate::policy::Policy;

thread_local! {
    /// What was found last: a client that connects for each transaction is the same as before.
    static LAST: RefCell<Option<Passes>> = const { RefCell::new(None) };
}

/// What a policy that does not move lets pass of somebody's.
#[derive(Debug)]
struct Passes {
    policy: Arc<Policy>,
    who: Who,
    unknown: bool,
    writes: bool,
}

impl Passes {
    /// Whether the unknown passes, and whether writes do.
    fn of(policy: &Arc<Policy>, who: &Who, clock: &dyn Clock) -> (bool, bool) {
        LAST.with_borrow_mut(|last| {
            if let Some(last) = last
                && last.is_for(policy, who)
            {
                return (last.unknown, last.writes);
            }
            let subject = who.subject(policy, clock);
            let found = Self {
                policy: Arc::clone(policy),
                who: who.clone(),
                unknown: policy.passes_unknown(&subject),
                writes: policy.passes_writes(&subject),
            };
            let last = last.insert(found);
            (last.unknown, last.writes)
        })
    }

    /// Whether a policy decides the same for them: by all that it knows of somebody, but for the time.
    fn is_for(&self, policy: &Arc<Policy>, who: &Who) -> bool {
        let Who {
            principal,
            database,
            application_name,
            client_addr: _,
            client_ip,
        } = &self.who;
        Arc::ptr_eq(&self.policy, policy)
            && *principal == who.principal
            && *database == who.database
            && *application_name == who.application_name
            && *client_ip == who.client_ip
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
    pub(super) fn of(
        database: &Database,
        is_observed: bool,
        policy: &Arc<Policy>,
        who: &Who,
        clock: &dyn Clock,
    ) -> Self {
        // What passes now need not pass later.
        let (unknown, writes) = if policy.moves() {
            (false, false)
        } else {
            Passes::of(policy, who, clock)
        };
        Self {
            catalogue: database.catalogue.clone().filter(|_| is_observed || !unknown),
            is_shielded: database.read_shield && !is_observed && !writes,
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
            let clock = &*self.shared.clock;
            let terms = Terms::of(database, self.observe, &self.policy, &self.who, clock);
            self.shield.wear(terms.is_shielded);
            self.outlook.go_by(terms.catalogue);
        }
    }
}
