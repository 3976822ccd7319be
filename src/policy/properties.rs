//! What holds for every policy and every statement.

#![expect(clippy::unwrap_used, reason = "tests")]

use jiff::tz::TimeZone;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::column::ColumnPattern;
use super::condition::When;
use super::cover::covers;
use super::network::Network;
use super::pattern::{Glob, NamePattern};
use super::schedule::{Days, Schedule, Span};
use super::*;
use crate::model::{
    ColumnWrite, Decision, Effect, Judged, Justification, Quorum, ReviewMode, Shape, Statement, TableAccess,
};

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

fn columns() -> impl Strategy<Value = Vec<ColumnPattern>> {
    let patterns = vec!["a.a", "a.*", "*.b", "s.a.*", "b.a*"];
    subsequence(patterns, 1..=2).prop_map(|patterns| {
        patterns
            .into_iter()
            .map(|p| ColumnPattern::parse(p).unwrap())
            .collect()
    })
}

fn networks() -> impl Strategy<Value = Vec<Network>> {
    let networks = vec!["10.0.0.0/8", "10.1.0.0/16", "10.1.1.1", "::/0", "::1"];
    subsequence(networks, 1..=2)
        .prop_map(|networks| networks.into_iter().map(|n| Network::parse(n).unwrap()).collect())
}

fn schedule() -> impl Strategy<Value = Schedule> {
    let days = option::of(select(vec!["mon-fri", "sun", "sat-mon"]));
    let hours = select(vec!["08:00-18:00", "22:00-06:00", "00:00-24:00"]);
    (days, hours).prop_map(|(days, hours)| Schedule {
        days: days.map(|days| Days::parse(days).unwrap()),
        hours: Some(vec![Span::parse(hours).unwrap()]),
        zone: TimeZone::UTC,
    })
}

prop_compose! {
    /// What was added to the language after the rest.
    fn newer()(
        application_names in option::weighted(0.1, subsequence(vec!["a", "b*", "*"], 1..=2)),
        clients in option::weighted(0.1, networks()),
        schedule in option::weighted(0.1, schedule()),
        limited in option::weighted(0.1, any::<bool>()),
        shapes in option::weighted(0.1, subsequence(vec![Shape::new([0; 32]), Shape::new([1; 32])], 1..=2)),
        columns in option::weighted(0.1, columns()),
    ) -> When {
        When {
            application_names: application_names.map(|names| names.into_iter().map(Glob::new).collect()),
            clients,
            schedule,
            limited,
            shapes,
            columns,
            ..When::default()
        }
    }
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
        newer in newer(),
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
            ..newer
        }
    }
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        Just(Action::Allow),
        Just(Action::Observe),
        asks().prop_map(Action::Hold),
        Just(Action::Deny { reason: "no".into() }),
    ]
}

prop_compose! {
    fn asks()(
        each in names(),
        any_of in option::of(names()),
        at_least in 0_usize..4,
        seconds in option::of(1_u64..100),
        (reason, ticket, self_approval, exempt_admins) in any::<(bool, bool, bool, bool)>(),
        review in select(vec![ReviewMode::Transaction, ReviewMode::AsRequested, ReviewMode::Statement]),
        break_glass in option::of(names()),
    ) -> Asks {
        Asks {
            quorum: Quorum::new(&each, &any_of.unwrap_or_default(), at_least),
            timeout: seconds.map(Duration::from_secs),
            justification: Justification { reason, ticket },
            self_approval,
            exempt_admins,
            review,
            break_glass: break_glass.unwrap_or_default(),
        }
    }
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
        index: Index::of(&rules),
        rules,
        access: Vec::new(),
        default_asks: Asks {
            quorum: Quorum::each_of(["default"]),
            ..Asks::default()
        },
        default_place: String::new(),
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

fn column() -> impl Strategy<Value = ColumnWrite> {
    let schema = option::of(select(vec!["s", "t"]));
    (schema, select(NAMES.to_vec()), option::of(select(NAMES.to_vec()))).prop_map(
        |(schema, table, column)| ColumnWrite {
            schema: schema.map(str::to_owned),
            table: table.to_owned(),
            column: column.map(str::to_owned),
        },
    )
}

prop_compose! {
    fn facts()(
        effect in select(Effect::ALL.to_vec()),
        commands in subsequence(COMMANDS.to_vec(), 1..=2),
        tables in vec(table(), 0..3),
        functions in vec(select(vec!["a", "b", "s.a", "t.b"]), 0..2),
        unfiltered in any::<bool>(),
        columns in vec(column(), 0..3),
        unlimited in any::<bool>(),
        shape in option::of((0_u8..3).prop_map(|byte| Shape::new([byte; 32]))),
    ) -> Facts {
        Facts {
            effect,
            commands: commands.into_iter().map(str::to_owned).collect(),
            tables,
            functions: functions.into_iter().map(str::to_owned).collect(),
            unfiltered,
            columns,
            unlimited,
            shape,
            unresolved: false,
            sets: crate::model::Sets::default(),
            defines: crate::model::Defines::Nothing,
            acts_when_read: false,
            has_text: false,
            signals: Vec::new(),
        }
    }
}

#[derive(Debug, Clone)]
struct Asker {
    database: String,
    user: String,
    groups: Vec<String>,
    application_name: String,
    client: Option<IpAddr>,
    at: Timestamp,
}

prop_compose! {
    fn asker()(
        database in select(NAMES.to_vec()),
        user in select(NAMES.to_vec()),
        groups in subsequence(NAMES.to_vec(), 0..=2),
        application_name in select(vec!["", "a", "b", "bc"]),
        client in option::of(select(vec!["10.1.1.1", "10.2.0.1", "192.168.1.1", "::1", "2001:db8::1"])),
        hour in 0_i64..(14 * 24),
    ) -> Asker {
        Asker {
            database: database.to_owned(),
            user: user.to_owned(),
            groups: groups.into_iter().map(str::to_owned).collect(),
            application_name: application_name.to_owned(),
            client: client.map(|address| address.parse().unwrap()),
            at: Timestamp::from_second(hour * 3600).unwrap(),
        }
    }
}

fn subject(asker: &Asker) -> Subject<'_> {
    Subject {
        application_name: &asker.application_name,
        client: asker.client,
        at: asker.at,
        ..Subject::new(&asker.database, &asker.user, &asker.groups)
    }
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
        gist: crate::model::Gist::None,
    }
}

/// Whether `b` asks at least as much of everybody as `a`.
fn is_no_milder(a: &Decision, b: &Decision) -> bool {
    match (a, b) {
        (Decision::Allow | Decision::Observe { .. }, _) | (_, Decision::Deny { .. }) => true,
        (Decision::Hold(a), Decision::Hold(b)) => {
            let (x, y) = (&a.asks, &b.asks);
            let mut joined = y.quorum.clone();
            joined.join(&x.quorum);
            joined == y.quorum
                && a.rules.iter().all(|rule| b.rules.contains(rule))
                && y.timeout <= x.timeout
                && (y.justification.reason || !x.justification.reason)
                && (y.justification.ticket || !x.justification.ticket)
                && (x.self_approval || !y.self_approval)
                && (x.exempt_admins || !y.exempt_admins)
                && x.review <= y.review
                && y.break_glass.iter().all(|group| x.break_glass.contains(group))
        }
        _ => false,
    }
}

/// What would have become of what is observed.
fn would(decision: Decision) -> Decision {
    match decision {
        Decision::Observe { would, .. } => *would,
        other => other,
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
        let would = |statements: &[Facts]| would(policy.observed(&subject, &judged(statements)));
        let (before, after) = (would(&statements), would(&more));
        prop_assert!(is_no_milder(&before, &after), "{before:?} would have become {after:?}");
    }

    #[test]
    fn what_is_observed_would_be_what_it_is_without_observing(
        policy in policy(),
        asker in asker(),
        statements in vec(facts(), 0..4),
    ) {
        let (subject, text) = (subject(&asker), judged(&statements));
        let others = policy.rules.iter().filter(|rule| *rule.action() != Action::Observe);
        let without = policy_of(others.cloned().collect()).decide(&subject, &text);
        prop_assert_eq!(&would(policy.observed(&subject, &text)), &without);
        if let Decision::Observe { rule, would } = policy.decide(&subject, &text) {
            prop_assert!(rule.is_some());
            prop_assert_eq!(*would, without);
        }
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
            let groups = terms.asks.quorum.groups();
            prop_assert!(!groups.is_empty());
            prop_assert!(groups.is_sorted_by(|a, b| a < b));
            prop_assert!(groups.iter().all(|group| policy.groups().contains(group)));
            prop_assert!(terms.asks.timeout.is_some());
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
        // What is observed goes on below, past other rules that observe.
        let decides = |rule: &Rule| *rule.action() != Action::Observe && rule.matches(&subject, &facts);
        let Some(first) = rules.iter().position(decides) else {
            let named = matches!(
                would(policy.decide_facts(&subject, &facts)),
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
    fn the_index_leaves_out_only_what_cannot_match(
        all in vec(rules(), 0..5),
        asker in asker(),
        facts in vec(facts(), 1..8),
    ) {
        let rules = all.concat();
        let index = Index::of_all(&rules);
        let subject = subject(&asker);
        for facts in &facts {
            let first = rules.iter().find(|rule| rule.matches(&subject, facts));
            let found = index.find(&rules, &subject, facts);
            prop_assert_eq!(found.map(std::ptr::from_ref), first.map(std::ptr::from_ref));
        }
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
        let observed = when.matches(&subject, &facts, Action::Observe.doubt());
        let possible = when.matches(&subject, &facts, Action::Deny { reason: "no".into() }.doubt());
        prop_assert!(!sure || observed);
        prop_assert!(!observed || possible);
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
