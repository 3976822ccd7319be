//! What the rules make of a text: the decisions on its statements, joined.

use std::sync::Arc;

use super::{Action, Policy, Rule, Subject};
use crate::model::{Asks, Decision, Effect, Facts, HoldTerms, Judged, TableAccess};

impl Policy {
    /// What is to happen with a text; an empty one passes. Allocates only to hold or to observe.
    #[must_use]
    pub fn decide(&self, subject: &Subject<'_>, judged: &Judged) -> Decision {
        self.decide_all(subject, || {
            judged.statements.iter().map(|statement| &statement.facts)
        })
    }

    /// What is to happen with one statement by itself.
    #[must_use]
    pub fn decide_facts(&self, subject: &Subject<'_>, facts: &Facts) -> Decision {
        self.decide_all(subject, || std::iter::once(facts))
    }

    /// What is to happen with a text where a whole database is observed: it passes, and what would have become of
    /// it is what the rules say, but for those that observe.
    #[must_use]
    pub fn observed(&self, subject: &Subject<'_>, judged: &Judged) -> Decision {
        let all = judged.statements.iter().map(|statement| &statement.facts);
        Decision::Observe {
            rule: None,
            would: Box::new(self.without_observing(subject, all)),
        }
    }

    /// Whether writes pass for this subject, whatever they write: not where only some tables may be written, nor where some
    /// are held or denied.
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
        let deciding = self.rules.iter().find(|rule| match rule.action() {
            Action::Allow | Action::Observe => rule.matches(subject, &facts),
            Action::Hold(_) | Action::Deny { .. } => rule.when.is_for_writes(subject, &facts),
        });
        deciding.is_some_and(|rule| matches!(rule.action(), Action::Allow | Action::Observe))
    }

    /// Whether what could not be judged passes for this subject: then nothing is held for that alone.
    #[must_use]
    pub fn passes_unknown(&self, subject: &Subject<'_>) -> bool {
        matches!(
            self.decide_facts(subject, &Facts::unknown("")),
            Decision::Allow | Decision::Observe { .. }
        )
    }

    fn decide_all<'f, I: Iterator<Item = &'f Facts>>(
        &self,
        subject: &Subject<'_>,
        all: impl Fn() -> I,
    ) -> Decision {
        let mut observer: Option<&Arc<str>> = None;
        let verdicts = all().map(|facts| self.verdict(self.deciding_rule(subject, facts)));
        let decision = self.joined(verdicts.inspect(|verdict| {
            if let Verdict::Observe { rule } = verdict {
                observer = observer.or(Some(*rule));
            }
        }));
        match (decision, observer) {
            (Decision::Allow, Some(rule)) => Decision::Observe {
                rule: Some(Arc::clone(rule)),
                would: Box::new(self.without_observing(subject, all())),
            },
            (decision, _) => decision,
        }
    }

    /// The decision as if there were no rules that observe.
    fn without_observing<'f>(&self, subject: &Subject<'_>, all: impl Iterator<Item = &'f Facts>) -> Decision {
        self.joined(all.map(|facts| {
            let rule = self
                .rules
                .iter()
                .filter(|rule| *rule.action() != Action::Observe)
                .find(|rule| rule.matches(subject, facts));
            self.verdict(rule)
        }))
    }

    /// The most severe of the verdicts, the holds among them joined. What is observed passes.
    fn joined<'a>(&self, verdicts: impl Iterator<Item = Verdict<'a>>) -> Decision {
        let mut held: Option<HoldTerms> = None;
        for verdict in verdicts {
            match verdict {
                Verdict::Allow | Verdict::Observe { .. } => {}
                Verdict::Hold { rule, asks } => {
                    let mut asks = asks.clone();
                    asks.timeout = asks.timeout.or(self.default_timeout);
                    match &mut held {
                        None => {
                            let rules = vec![Arc::clone(rule)];
                            held = Some(HoldTerms { rules, asks });
                        }
                        Some(terms) => join(terms, rule, &asks),
                    }
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

    /// What the rule that decides says; `None`: no rule matches.
    fn verdict<'a>(&'a self, rule: Option<&'a Rule>) -> Verdict<'a> {
        let Some(rule) = rule else {
            return Verdict::Hold {
                rule: &self.no_rule,
                asks: &self.default_asks,
            };
        };
        match rule.action() {
            Action::Allow => Verdict::Allow,
            Action::Observe => Verdict::Observe {
                rule: rule.shared_name(),
            },
            Action::Hold(asks) => Verdict::Hold {
                rule: rule.shared_name(),
                asks,
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
    Observe {
        rule: &'a Arc<str>,
    },
    Hold {
        rule: &'a Arc<str>,
        asks: &'a Asks,
    },
    Deny {
        rule: &'a Arc<str>,
        reason: &'a Arc<str>,
    },
}

fn join(terms: &mut HoldTerms, rule: &Arc<str>, asks: &Asks) {
    if !terms.rules.contains(rule) {
        terms.rules.push(Arc::clone(rule));
    }
    terms.asks.join(asks);
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

    use super::*;
    use crate::model::{Effect, Quorum, Statement};
    use crate::policy::NO_RULE;

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
            defines: crate::model::Defines::Nothing,
            acts_when_read: false,
            has_text: false,
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
            gist: crate::model::Gist::None,
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
            asks: Asks {
                quorum: Quorum::each_of(groups.iter().copied()),
                timeout: timeout.map(Duration::from_secs),
                ..Asks::default()
            },
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
    fn writes_pass_where_no_rule_stops_some_of_them() {
        let all_pass = r#"
            [[rule]]
            name = "the rest"
            when = { effects = ["session", "read", "write"] }
            then = "allow"
        "#;
        let passes = |first: &str| {
            let text = format!("default_groups = [\"dba\"]\n[[rule]]\nname = \"first\"\n{first}\n{all_pass}");
            Policy::parse(&text).unwrap().passes_writes(&subject())
        };
        for first in [
            r#"when = { effects = ["schema"] }
            then = { hold = { groups = ["dba"] } }"#,
            r#"when = { where = false }
            then = { deny = { reason = "no" } }"#,
            r#"when = { commands = ["COPY PROGRAM"] }
            then = { deny = { reason = "no" } }"#,
            r#"when = { functions = ["pg_read_file"] }
            then = { hold = { groups = ["dba"] } }"#,
            r#"when = { users = ["bob"], tables = ["payments"] }
            then = { hold = { groups = ["dba"] } }"#,
            r#"when = { tables = ["payments"] }
            then = "allow""#,
        ] {
            assert!(passes(first), "{first}");
        }
        for first in [
            r#"when = { effects = ["write"], tables = ["payments"] }
            then = { hold = { groups = ["dba"] } }"#,
            r#"when = { tables = ["payments"] }
            then = { deny = { reason = "no" } }"#,
            r#"when = { users = ["alice"], columns = ["users.email"] }
            then = { hold = { groups = ["dba"] } }"#,
            r#"when = { commands = ["DEL*"] }
            then = { hold = { groups = ["dba"] } }"#,
            r#"when = { effects = ["write"] }
            then = { hold = { groups = ["dba"] } }"#,
        ] {
            assert!(!passes(first), "{first}");
        }
        assert!(!policy().passes_writes(&subject()));
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
    fn what_is_observed_passes_with_what_would_have_become_of_it() {
        let policy = Policy::parse(
            r#"
            default_groups = ["dba"]
            [[rule]]
            name = "privileges wait"
            when = { effects = ["privilege"] }
            then = { hold = { groups = ["dba"], timeout = "1h" } }
            [[rule]]
            name = "no server"
            when = { effects = ["server"] }
            then = { deny = { reason = "no" } }
            [[rule]]
            name = "let us see"
            when = { effects = ["write", "schema", "unknown"] }
            then = "observe"
            [[rule]]
            name = "and the rest, too"
            then = "observe"
            [[rule]]
            name = "reads pass"
            when = { effects = ["read"] }
            then = "allow"
            [[rule]]
            name = "no schema changes"
            when = { effects = ["schema"] }
            then = { deny = { reason = "not today" } }
            [[rule]]
            name = "writes wait"
            when = { effects = ["write"] }
            then = { hold = { groups = ["owners"], timeout = "2h" } }
            "#,
        )
        .unwrap();
        let deny = |rule: &str, reason: &str| Decision::Deny {
            rule: rule.into(),
            reason: reason.into(),
        };
        let observe = |rule: &str, would| Decision::Observe {
            rule: Some(rule.into()),
            would: Box::new(would),
        };
        let of = |effect| facts(effect, "?");
        let writes = hold(&["writes wait"], &["owners"], Some(7200));
        let privileges = hold(&["privileges wait"], &["dba"], Some(3600));
        for (effects, expected) in [
            (vec![Effect::Read], observe("and the rest, too", Decision::Allow)),
            (vec![Effect::Write], observe("let us see", writes.clone())),
            (
                vec![Effect::Read, Effect::Write],
                observe("and the rest, too", writes.clone()),
            ),
            (
                vec![Effect::Write, Effect::Schema],
                observe("let us see", deny("no schema changes", "not today")),
            ),
            (
                vec![Effect::Unknown, Effect::Write],
                observe(
                    "let us see",
                    hold(&[NO_RULE, "writes wait"], &["dba", "owners"], Some(7200)),
                ),
            ),
            (vec![Effect::Write, Effect::Privilege], privileges),
            (vec![Effect::Write, Effect::Server], deny("no server", "no")),
        ] {
            let text = judged(effects.iter().copied().map(of));
            let decision = policy.decide(&subject(), &text);
            assert_eq!(decision, expected, "{effects:?}");
            if let [effect] = effects[..] {
                assert_eq!(policy.decide_facts(&subject(), &of(effect)), expected);
            }
        }
        let whole = Decision::Observe {
            rule: None,
            would: Box::new(writes),
        };
        assert_eq!(policy.observed(&subject(), &judged([of(Effect::Write)])), whole);
    }

    #[test]
    fn groups_are_all_that_a_hold_can_ask_for() {
        let groups = policy().groups();
        assert_eq!(groups, ["dba", "owners", "security"]);
    }
}
