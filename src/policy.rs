//! What policy says about a statement: allow it, hold it for people, or deny it.
//!
//! Imports `model`. Reads the policy folder at [`Policy::load`] alone; deciding is pure.
//! `policies/README.md` tells the rule language to those who write policies; this is why it is so:
//!
//! - **Ordered rules, the first that matches decides.** A statement that no rule matches is held
//!   for `default_groups`, under the name [`NO_RULE`].
//! - **Each statement of a text is decided by itself, and the most severe decision counts**
//!   (deny over hold over observe over allow). Several holds join: every group must approve, and the shortest
//!   timeout counts. So adding a statement to a text never makes its decision milder.
//! - **A doubt counts against the statement.** A statement has several commands, tables and
//!   functions. An `allow` rule matches only if *each* of them *surely* is in the rule's list (and
//!   there is at least one); a `hold` or `deny` rule matches as soon as *one* of them *could* be.
//!   `orders` could be `public.orders`, but is not surely so: the session's `search_path` decides.
//! - **What could not be judged is allowed only by name**: an `allow` rule matches a statement of
//!   effect `unknown` only if its `effects` list says `"unknown"`, also where it has no `when`.
//! - **What is observed passes, and goes on below all the same**, past other rules that observe: what
//!   would have become of it is what there would be without them.
//! - **A rule that can never match is an error**, for its writer believes that it protects
//!   something.

mod access;
mod column;
mod compile;
mod condition;
mod cover;
mod decide;
mod error;
mod explain;
mod file;
mod in_force;
mod index;
mod load;
mod mention;
mod network;
mod pattern;
pub mod replay;
mod rule;
mod schedule;
pub mod test;

#[cfg(test)]
mod condition_tests;
#[cfg(test)]
mod cover_tests;
#[cfg(test)]
mod default_tests;
#[cfg(test)]
mod explain_tests;
#[cfg(test)]
mod load_tests;
#[cfg(test)]
mod match_tests;
#[cfg(test)]
mod properties;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::{Asks, Facts};
use index::Index;

pub use access::Access;
pub use error::{PolicyError, PolicyProblem};
pub use explain::{Considered, Outcome, Step, column_name};
pub use in_force::PolicyInForce;
pub use mention::{Mention, Named};
pub use rule::{Action, Rule};

/// The name under which a statement is held that no rule matches; no rule can take it.
pub const NO_RULE: &str = "no rule matched";

/// Who asks, and where.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The database's name as the client chose it, that of `[databases.NAME]`.
    pub database: &'a str,
    /// The user's name at the proxy.
    pub user: &'a str,
    /// The user's groups.
    pub groups: &'a [String],
    /// What the client says that it is; it may say anything.
    pub application_name: &'a str,
    /// The address that the client connects from; `None` where there is none (a test, a Unix socket).
    pub client: Option<IpAddr>,
    /// When it asks.
    pub at: Timestamp,
}

impl<'a> Subject<'a> {
    /// Somebody of whom nothing else is known, at the beginning of time.
    #[must_use]
    pub const fn new(database: &'a str, user: &'a str, groups: &'a [String]) -> Self {
        Self {
            database,
            user,
            groups,
            application_name: "",
            client: None,
            at: Timestamp::UNIX_EPOCH,
        }
    }
}

/// The rules in force.
#[derive(Debug, Clone)]
pub struct Policy {
    rules: Vec<Rule>,
    /// Of these rules.
    index: Index,
    access: Vec<Access>,
    /// What holds a statement that no rule matches: one member of each of `default_groups` must approve.
    default_asks: Asks,
    /// Where those are written, as in `default.toml:1`.
    default_place: String,
    no_rule: Arc<str>,
    default_timeout: Option<Duration>,
}

impl Policy {
    /// The same rules, with the timeout of holds that name none (`[hold] timeout`).
    ///
    /// With it, a hold's terms always say a timeout, and the shortest is right also where a rule
    /// without a timeout meets one with a longer one. Without it, the shortest *named* one counts.
    #[must_use]
    pub fn with_default_timeout(mut self, timeout: Duration) -> Self {
        self.default_timeout = Some(timeout);
        for access in &mut self.access {
            access.asks.timeout.get_or_insert(timeout);
        }
        self
    }

    /// Whether the answer can depend on [`Subject::at`]. Where it does not, nobody need read a clock.
    #[must_use]
    pub fn asks_time(&self) -> bool {
        self.index.asks_time
    }

    /// Whether the answer can change in the course of a session, by what it is asked with: the time, or what the
    /// client calls itself.
    #[must_use]
    pub fn moves(&self) -> bool {
        self.index.asks_time || self.index.asks_application
    }

    /// The rule that decides on a statement; `None` where no rule matches.
    #[must_use]
    pub fn deciding_rule(&self, subject: &Subject<'_>, facts: &Facts) -> Option<&Rule> {
        self.index.find(&self.rules, subject, facts)
    }

    /// The rules in their order.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Every group whose approval some hold asks for, sorted, without duplicates.
    #[must_use]
    pub fn groups(&self) -> Vec<String> {
        let mut groups = self.default_asks.quorum.groups();
        for rule in &self.rules {
            if let Action::Hold(asks) = rule.action() {
                groups.extend(asks.quorum.groups());
            }
        }
        for access in &self.access {
            groups.extend(access.asks.quorum.groups());
        }
        groups.sort();
        groups.dedup();
        groups
    }
}
