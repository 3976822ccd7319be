//! What holds for every policy and every statement.

#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::condition::When;
use super::cover::covers;
use super::pattern::{Glob, NamePattern};
use super::*;
use crate::model::{Decision, Effect, Judged, Statement, TableAccess};

const NAMES: [&str; 3] = ["a", "b", "c"];
const COMMANDS: [&str; 3] = ["SELECT", "UPDATE", "DROP TABLE"];
const PATTERNS: [&str; 7] = ["a", "b", "a*", "*", "s.a", "s.*", "t.b"];

fn names() -> impl Strategy<Value = Vec<String>> {
    subsequence(NAMES.to_vec(), 1..=2).prop_map(|names| names.into_iter().map(str::to_owned).collect())
}

fn patterns() -> impl Strategy<Value = Vec<NamePattern>> {
    subsequence(PATTERNS.to_vec(), 1..=2).prop_map(|patterns| {
        patterns
            .into_iter()
            .map(|p| NamePattern::parse(p).unwrap())
            .collect()
    })
}

prop_compose! {
    fn when()(
        databases in option::weighted(0.2, names()),
        users in option::weighted(0.2, names()),
        groups in option::weighted(0.2, names()),
        not_groups in option::weighted(0.2, names()),
        effects in option::weighted(0.4, subsequence(Effect::ALL.to_vec(), 1..=6)),
        commands in option::weighted(0.3, subsequence(vec!["SELECT", "UPDATE", "*E*"], 1..=2)),
        tables in option::weighted(0.3, patterns()),
        functions in option::weighted(0.2, patterns()),
        filtered in option::weighted(0.2, any::<bool>()),
    ) -> When {
        When {
            databases,
            users,
            groups,
            not_groups,
            effects: effects.map(|effects| effects.into_iter().collect()),
            commands: commands.map(|commands| commands.into_iter().map(Glob::new).collect()),
            tables,
            functions,
            filtered,
        }
    }
}

fn action() -> impl Strategy<Value = Action> {
    let groups = || names().prop_map(|names| names.into_iter().map(Arc::from).collect());
    prop_oneof![
        Just(Action::Allow),
        (groups(), option::of(1_u64..100)).prop_map(|(groups, seconds)| Action::Hold {
            groups,
            timeout: seconds.map(Duration::from_secs),
        }),
        Just(Action::Deny { reason: "no".into() }),
    ]
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    vec((when(), action()), 0..6).prop_map(|rules| {
        rules
            .into_iter()
            .enumerate()
            .map(|(i, (when, action))| Rule {
                name: format!("rule {i}").into(),
                when,
                action,
                place: String::new(),
            })
            .collect()
    })
}

fn policy_of(rules: Vec<Rule>) -> Policy {
    Policy {
        rules,
        default_groups: vec!["default".into()],
        no_rule: NO_RULE.into(),
        default_timeout: Some(Duration::from_secs(50)),
    }
}

fn policy() -> impl Strategy<Value = Policy> {
    rules().prop_map(policy_of)
}

fn table() -> impl Strategy<Value = TableAccess> {
    (option::of(select(vec!["s", "t"])), select(NAMES.to_vec())).prop_map(|(schema, name)| TableAccess {
        schema: schema.map(str::to_owned),
        name: name.to_owned(),
        written: false,
    })
}

prop_compose! {
    fn facts()(
        effect in select(Effect::ALL.to_vec()),
        commands in subsequence(COMMANDS.to_vec(), 1..=2),
        tables in vec(table(), 0..3),
        functions in vec(select(vec!["a", "b", "s.a", "t.b"]), 0..2),
        unfiltered in any::<bool>(),
    ) -> Facts {
        Facts {
            effect,
            commands: commands.into_iter().map(str::to_owned).collect(),
            tables,
            functions: functions.into_iter().map(str::to_owned).collect(),
            unfiltered,
            columns: Vec::new(),
            unlimited: false,
            shape: None,
            unresolved: false,
            sets: crate::model::Sets::default(),
            signals: Vec::new(),
        }
    }
}

/// Database, user, groups.
fn asker() -> impl Strategy<Value = (String, String, Vec<String>)> {
    let name = || select(NAMES.to_vec()).prop_map(str::to_owned);
    let groups = subsequence(NAMES.to_vec(), 0..=2);
    (name(), name(), groups).prop_map(|(database, user, groups)| {
        (database, user, groups.into_iter().map(str::to_owned).collect())
    })
}

fn subject((database, user, groups): &(String, String, Vec<String>)) -> Subject<'_> {
    Subject::new(database, user, groups)
}

fn judged(all: &[Facts]) -> Judged {
    Judged {
        statements: all
            .iter()
            .map(|facts| Statement {
                facts: facts.clone(),
                name_op: None,
                transaction_control: false,
            })
            .collect(),
    }
}

/// Whether `b` asks at least as much of everybody as `a`.
fn is_no_milder(a: &Decision, b: &Decision) -> bool {
    match (a, b) {
        (Decision::Allow | Decision::Observe { .. }, _) | (_, Decision::Deny { .. }) => true,
        (Decision::Hold(a), Decision::Hold(b)) => {
            a.groups.iter().all(|group| b.groups.contains(group))
                && a.rules.iter().all(|rule| b.rules.contains(rule))
                && b.timeout <= a.timeout
        }
        _ => false,
    }
}

proptest! {
    #[test]
    fn another_statement_never_makes_it_milder(
        policy in policy(),
        asker in asker(),
        statements in vec(facts(), 0..4),
        another in facts(),
        place in any::<prop::sample::Index>(),
    ) {
        let subject = subject(&asker);
        let before = policy.decide(&subject, &judged(&statements));
        let mut more = statements.clone();
        more.insert(place.index(statements.len() + 1), another.clone());
        let after = policy.decide(&subject, &judged(&more));
        prop_assert!(is_no_milder(&before, &after), "{before:?} became {after:?}");
        let alone = policy.decide_facts(&subject, &another);
        prop_assert!(is_no_milder(&alone, &after), "{alone:?} became {after:?}");
    }

    #[test]
    fn a_statement_alone_is_a_text_of_one(policy in policy(), asker in asker(), facts in facts()) {
        let subject = subject(&asker);
        let text = judged(std::slice::from_ref(&facts));
        prop_assert_eq!(policy.decide(&subject, &text), policy.decide_facts(&subject, &facts));
    }

    #[test]
    fn holds_name_their_groups_sorted_and_once(
        policy in policy(),
        asker in asker(),
        statements in vec(facts(), 0..4),
    ) {
        if let Decision::Hold(terms) = policy.decide(&subject(&asker), &judged(&statements)) {
            prop_assert!(!terms.groups.is_empty());
            prop_assert!(terms.groups.is_sorted_by(|a, b| a < b));
            prop_assert!(terms.groups.iter().all(|group| policy.groups().contains(group)));
            prop_assert!(terms.timeout.is_some());
        }
    }

    #[test]
    fn rules_after_the_first_match_change_nothing(
        rules in rules(),
        others in rules(),
        asker in asker(),
        facts in facts(),
    ) {
        let subject = subject(&asker);
        let policy = policy_of(rules.clone());
        let Some(first) = rules.iter().position(|rule| rule.matches(&subject, &facts)) else {
            let named = matches!(
                policy.decide_facts(&subject, &facts),
                Decision::Hold(terms) if *terms.rules[0] == *NO_RULE
            );
            prop_assert!(named);
            return Ok(());
        };
        let mut changed = rules[..=first].to_vec();
        changed.extend(others);
        prop_assert_eq!(
            policy.decide_facts(&subject, &facts),
            policy_of(changed).decide_facts(&subject, &facts)
        );
    }

    #[test]
    fn rules_that_do_not_match_can_stand_anywhere(
        rules in rules().prop_shuffle(),
        asker in asker(),
        facts in facts(),
    ) {
        let subject = subject(&asker);
        let matching: Vec<Rule> = rules.iter().filter(|r| r.matches(&subject, &facts)).cloned().collect();
        prop_assert_eq!(
            policy_of(rules).decide_facts(&subject, &facts),
            policy_of(matching).decide_facts(&subject, &facts)
        );
    }

    #[test]
    fn what_is_unknown_passes_only_where_a_rule_names_it(
        policy in policy(),
        asker in asker(),
        mut facts in facts(),
    ) {
        facts.effect = Effect::Unknown;
        let subject = subject(&asker);
        if policy.decide_facts(&subject, &facts) == Decision::Allow {
            let rule = policy.deciding_rule(&subject, &facts).unwrap();
            prop_assert!(rule.when.effects.unwrap().contains(Effect::Unknown));
        }
    }

    #[test]
    fn what_an_allow_rule_matches_a_deny_rule_would_match_too(
        when in when(),
        asker in asker(),
        facts in facts(),
    ) {
        let subject = subject(&asker);
        let sure = when.matches(&subject, &facts, Action::Allow.doubt());
        let possible = when.matches(&subject, &facts, Action::Deny { reason: "no".into() }.doubt());
        prop_assert!(!sure || possible);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, max_global_rejects: 1 << 20, ..ProptestConfig::default() })]

    #[test]
    fn a_covered_rule_never_matches_alone(
        first in (when(), action()),
        second in (when(), action()),
        asker in asker(),
        statements in vec(facts(), 16),
    ) {
        let rule = |(when, action): (When, Action)| Rule {
            name: "x".into(),
            when,
            action,
            place: String::new(),
        };
        let (first, second) = (rule(first), rule(second));
        prop_assume!(covers(&first, &second));
        for facts in &statements {
            let subject = subject(&asker);
            prop_assert!(!second.matches(&subject, facts) || first.matches(&subject, facts));
        }
    }
}
