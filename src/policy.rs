//! What policy says about a statement: allow it, hold it for people, or deny it.
//!
//! Imports `model`. Reads the policy folder once, at [`Policy::load`]; deciding is pure.
//! `policies/README.md` tells the rule language to those who write policies; this is why it is so:
//!
//! - **Ordered rules, the first that matches decides.** A statement that no rule matches is held
//!   for `default_groups`, under the name [`NO_RULE`].
//! - **Each statement of a text is decided by itself, and the most severe decision counts**
//!   (deny over hold over allow). Several holds join: every group must approve, and the shortest
//!   timeout counts. So adding a statement to a text never makes its decision milder.
//! - **A doubt counts against the statement.** A statement has several commands, tables and
//!   functions. An `allow` rule matches only if *each* of them *surely* is in the rule's list (and
//!   there is at least one); a `hold` or `deny` rule matches as soon as *one* of them *could* be.
//!   `orders` could be `public.orders`, but is not surely so: the session's `search_path` decides.
//! - **What could not be judged is allowed only by name**: an `allow` rule matches a statement of
//!   effect `unknown` only if its `effects` list says `"unknown"`, also where it has no `when`.
//! - **A rule that can never match is an error**, for its writer believes that it protects
//!   something.

mod compile;
mod condition;
mod cover;
mod error;
mod file;
mod load;
mod pattern;
pub mod replay;
mod rule;
pub mod test;

#[cfg(test)]
mod default_tests;
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

use crate::model::{Decision, Effect, Facts, HoldTerms, Judged, TableAccess};

pub use error::{PolicyError, PolicyProblem};
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
    /// Sorted, without duplicates, never empty.
    default_groups: Vec<Arc<str>>,
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
        self
    }

    /// What is to happen with a text; an empty one passes. Allocates only to hold.
    #[must_use]
    pub fn decide(&self, subject: &Subject<'_>, judged: &Judged) -> Decision {
        let mut held: Option<HoldTerms> = None;
        for statement in &judged.statements {
            match self.verdict(subject, &statement.facts) {
                Verdict::Allow => {}
                Verdict::Hold {
                    rule,
                    groups,
                    timeout,
                } => {
                    let terms = held.get_or_insert_with(|| HoldTerms {
                        rules: Vec::new(),
                        groups: Vec::new(),
                        timeout: None,
                    });
                    join(terms, rule, groups, timeout.or(self.default_timeout));
                }
                Verdict::Deny { rule, reason } => {
                    return Decision::Deny {
                        rule: Arc::clone(rule),
                        reason: Arc::clone(reason),
                    };
                }
            }
        }
        held.map_or(Decision::Allow, Decision::Hold)
    }

    /// What is to happen with a text on a database that is observed: it passes, and what would have become of
    /// it elsewhere is said beside.
    #[must_use]
    pub fn observed(&self, subject: &Subject<'_>, judged: &Judged) -> Decision {
        Decision::Observe {
            rule: None,
            would: Box::new(self.decide(subject, judged)),
        }
    }

    /// What is to happen with one statement by itself.
    #[must_use]
    pub fn decide_facts(&self, subject: &Subject<'_>, facts: &Facts) -> Decision {
        match self.verdict(subject, facts) {
            Verdict::Allow => Decision::Allow,
            Verdict::Hold {
                rule,
                groups,
                timeout,
            } => Decision::Hold(HoldTerms {
                rules: vec![Arc::clone(rule)],
                groups: groups.to_vec(),
                timeout: timeout.or(self.default_timeout),
            }),
            Verdict::Deny { rule, reason } => Decision::Deny {
                rule: Arc::clone(rule),
                reason: Arc::clone(reason),
            },
        }
    }

    /// Whether writes pass for this subject, whatever they write: not where only some tables may be written.
    #[must_use]
    pub fn passes_writes(&self, subject: &Subject<'_>) -> bool {
        let facts = Facts {
            effect: Effect::Write,
            commands: vec!["MERGE".to_owned()],
            // A name that no pattern but `*` is for.
            tables: vec![TableAccess {
                schema: Some("\0".to_owned()),
                name: "\0".to_owned(),
                written: true,
            }],
            signals: Vec::new(),
            ..Facts::unknown("")
        };
        matches!(
            self.decide_facts(subject, &facts),
            Decision::Allow | Decision::Observe { .. }
        )
    }

    /// Whether what could not be judged passes for this subject: then nothing is held for that alone.
    #[must_use]
    pub fn passes_unknown(&self, subject: &Subject<'_>) -> bool {
        matches!(
            self.decide_facts(subject, &Facts::unknown("")),
            Decision::Allow | Decision::Observe { .. }
        )
    }

    /// The rule that decides on a statement; `None` where no rule matches.
    #[must_use]
    pub fn deciding_rule(&self, subject: &Subject<'_>, facts: &Facts) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.matches(subject, facts))
    }

    /// The rules in their order.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Every group whose approval some hold asks for, sorted, without duplicates.
    #[must_use]
    pub fn groups(&self) -> Vec<Arc<str>> {
        let mut groups = self.default_groups.clone();
        for rule in &self.rules {
            if let Action::Hold { groups: asked, .. } = rule.action() {
                groups.extend(asked.iter().map(Arc::clone));
            }
        }
        groups.sort();
        groups.dedup();
        groups
    }

    fn verdict(&self, subject: &Subject<'_>, facts: &Facts) -> Verdict<'_> {
        let Some(rule) = self.deciding_rule(subject, facts) else {
            return Verdict::Hold {
                rule: &self.no_rule,
                groups: &self.default_groups,
                timeout: None,
            };
        };
        match rule.action() {
            Action::Allow => Verdict::Allow,
            Action::Hold { groups, timeout } => Verdict::Hold {
                rule: rule.shared_name(),
                groups,
                timeout: *timeout,
            },
            Action::Deny { reason } => Verdict::Deny {
                rule: rule.shared_name(),
                reason,
            },
        }
    }
}

/// What the rules say about one statement, borrowed from them.
enum Verdict<'a> {
    Allow,
    Hold {
        rule: &'a Arc<str>,
        groups: &'a [Arc<str>],
        timeout: Option<Duration>,
    },
    Deny {
        rule: &'a Arc<str>,
        reason: &'a Arc<str>,
    },
}

fn join(terms: &mut HoldTerms, rule: &Arc<str>, groups: &[Arc<str>], timeout: Option<Duration>) {
    if !terms.rules.contains(rule) {
        terms.rules.push(Arc::clone(rule));
    }
    for group in groups {
        if let Err(place) = terms.groups.binary_search(group) {
            terms.groups.insert(place, Arc::clone(group));
        }
    }
    terms.timeout = match (terms.timeout, timeout) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::model::{Effect, Statement};

    const ALICE: [String; 0] = [];

    fn subject() -> Subject<'static> {
        Subject::new("shop", "alice", &ALICE)
    }

    fn facts(effect: Effect, command: &str) -> Facts {
        Facts {
            effect,
            commands: vec![command.to_owned()],
            tables: Vec::new(),
            functions: Vec::new(),
            unfiltered: false,
            columns: Vec::new(),
            unlimited: false,
            shape: None,
            unresolved: false,
            sets: crate::model::Sets::default(),
            signals: Vec::new(),
        }
    }

    fn judged(all: impl IntoIterator<Item = Facts>) -> Judged {
        Judged {
            statements: all
                .into_iter()
                .map(|facts| Statement {
                    facts,
                    name_op: None,
                    transaction_control: false,
                })
                .collect(),
        }
    }

    fn policy() -> Policy {
        Policy::parse(
            r#"
            default_groups = ["security", "dba"]
            [[rule]]
            name = "reads pass"
            when = { effects = ["read", "session"] }
            then = "allow"
            [[rule]]
            name = "writes"
            when = { effects = ["write"] }
            then = { hold = { groups = ["dba"], timeout = "1h" } }
            [[rule]]
            name = "schema"
            when = { effects = ["schema"] }
            then = { hold = { groups = ["owners", "dba"], timeout = "10m" } }
            [[rule]]
            name = "no server"
            when = { effects = ["server"] }
            then = { deny = { reason = "ask the platform team" } }
            "#,
        )
        .unwrap()
    }

    fn hold(rules: &[&str], groups: &[&str], timeout: Option<u64>) -> Decision {
        Decision::Hold(HoldTerms {
            rules: rules.iter().map(|r| Arc::from(*r)).collect(),
            groups: groups.iter().map(|g| Arc::from(*g)).collect(),
            timeout: timeout.map(Duration::from_secs),
        })
    }

    #[test]
    fn an_empty_text_passes() {
        assert_eq!(policy().decide(&subject(), &Judged::default()), Decision::Allow);
    }

    #[test]
    fn the_most_severe_statement_decides() {
        let policy = policy();
        let read = || facts(Effect::Read, "SELECT");
        let write = || facts(Effect::Write, "UPDATE");
        let schema = || facts(Effect::Schema, "DROP TABLE");
        let server = || facts(Effect::Server, "ALTER SYSTEM");
        let deny = Decision::Deny {
            rule: "no server".into(),
            reason: "ask the platform team".into(),
        };
        for (statements, expected) in [
            (vec![read(), read()], Decision::Allow),
            (
                vec![read(), write(), write()],
                hold(&["writes"], &["dba"], Some(3600)),
            ),
            (
                vec![write(), schema()],
                hold(&["writes", "schema"], &["dba", "owners"], Some(600)),
            ),
            (
                vec![schema(), Facts::unknown("?")],
                hold(&["schema", NO_RULE], &["dba", "owners", "security"], Some(600)),
            ),
            (
                vec![Facts::unknown("?")],
                hold(&[NO_RULE], &["dba", "security"], None),
            ),
            (vec![write(), server(), read()], deny),
        ] {
            assert_eq!(policy.decide(&subject(), &judged(statements)), expected);
        }
    }

    #[test]
    fn the_default_timeout_takes_part_in_the_shortest() {
        let policy = policy().with_default_timeout(Duration::from_mins(30));
        let text = judged([facts(Effect::Write, "UPDATE"), Facts::unknown("?")]);
        assert_eq!(
            policy.decide(&subject(), &text),
            hold(&["writes", NO_RULE], &["dba", "security"], Some(1800))
        );
        assert_eq!(
            policy.decide_facts(&subject(), &Facts::unknown("?")),
            hold(&[NO_RULE], &["dba", "security"], Some(1800))
        );
    }

    #[test]
    fn groups_are_all_that_a_hold_can_ask_for() {
        let groups = policy().groups();
        assert_eq!(groups, ["dba", "owners", "security"].map(Arc::<str>::from));
    }
}
