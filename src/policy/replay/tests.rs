#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::model::ObservedDecision::{Allow, Deny, Hold};
use crate::model::{Effect, Facts, Shape};

fn policy() -> Policy {
    Policy::parse(
        r#"
        default_groups = ["dba"]
        [[rule]]
        name = "nobody touches logs"
        when = { databases = ["logs"] }
        then = { deny = { reason = "no" } }
        [[rule]]
        name = "reads pass"
        when = { effects = ["session", "read"] }
        then = "allow"
        [[rule]]
        name = "operators write"
        when = { groups = ["operators"], effects = ["write"] }
        then = "allow"
        [[rule]]
        name = "writes"
        when = { effects = ["write"] }
        then = { hold = { groups = ["dba"] } }
        "#,
    )
    .unwrap()
}

fn facts(effect: Effect) -> Facts {
    Facts {
        effect,
        commands: vec!["X".to_owned()],
        ..Facts::unknown("")
    }
}

fn seen(user: &str, statement: &str, effects: &[Effect], was: ObservedDecision, count: u64) -> Sightings {
    let observation = Observation {
        database: "shop".to_owned(),
        user: user.to_owned(),
        groups: Vec::new(),
        application_name: String::new(),
        client_addr: None,
        statement: statement.to_owned(),
        facts: effects.iter().copied().map(facts).collect(),
        decision: was,
        rules: Vec::new(),
    };
    Sightings {
        count,
        ..Sightings::once(observation, Timestamp::UNIX_EPOCH)
    }
}

fn replayed(all: &[Sightings]) -> Replayed {
    let policy = policy();
    let mut replay = Replay::new(&policy);
    for seen in all {
        replay.add(seen);
    }
    replay.finish()
}

fn rules(replayed: &Replayed) -> Vec<(ObservedDecision, &str, u64)> {
    replayed
        .rules
        .iter()
        .map(|((decision, rule), group)| (*decision, rule.as_str(), group.count))
        .collect()
}

#[test]
fn nothing_comes_of_nothing() {
    assert_eq!(replayed(&[]), Replayed::default());
}

#[test]
fn statements_are_counted_by_decision_rule_and_user() {
    let mut on_logs = seen("bob", "SELECT 3", &[Effect::Read], Deny, 7);
    on_logs.observation.database = "logs".to_owned();
    let mut by_operator = seen("carol", "UPDATE c", &[Effect::Write], Allow, 2);
    by_operator.observation.groups = vec!["operators".to_owned()];
    by_operator.last_seen = Timestamp::from_second(60).unwrap();
    let replayed = replayed(&[
        seen("alice", "SELECT 1", &[Effect::Read], Allow, 1_000),
        seen("alice", "UPDATE a", &[Effect::Write], Hold, 30),
        seen(
            "bob",
            "UPDATE b; DROP b",
            &[Effect::Read, Effect::Write, Effect::Schema],
            Hold,
            4,
        ),
        on_logs,
        by_operator,
        seen("bob", "", &[], Allow, 5),
    ]);
    assert_eq!(replayed.statements, 1_048);
    assert_eq!(replayed.first_seen, Some(Timestamp::UNIX_EPOCH));
    assert_eq!(replayed.last_seen, Timestamp::from_second(60).ok());
    assert_eq!(
        replayed.decisions,
        BTreeMap::from([(Allow, 1_007), (Hold, 34), (Deny, 7)])
    );
    assert_eq!(
        rules(&replayed),
        [
            (Allow, "operators write", 2),
            (Allow, "reads pass", 1_000),
            (Hold, NO_RULE, 4),
            (Hold, "writes", 34),
            (Deny, "nobody touches logs", 7),
        ]
    );
    assert_eq!(
        replayed.users["bob"],
        BTreeMap::from([(Allow, 5), (Hold, 4), (Deny, 7)])
    );
    assert!(replayed.changes.is_empty());
}

#[test]
fn what_changed_is_told_with_the_most_frequent_examples() {
    let replayed = replayed(&[
        seen("alice", "UPDATE\n  a", &[Effect::Write], Allow, 3),
        seen("alice", "UPDATE a", &[Effect::Write], Allow, 4),
        seen("bob", "UPDATE a", &[Effect::Write], Allow, 9),
        seen("bob", "UPDATE b", &[Effect::Write], Allow, 1),
        seen("bob", "SELECT 1", &[Effect::Read], Deny, 2),
        seen("bob", "UPDATE c", &[Effect::Write], Hold, 100),
    ]);
    let changes: Vec<_> = replayed
        .changes
        .iter()
        .map(|(&change, group)| (change, group.count))
        .collect();
    assert_eq!(changes, [((Allow, Hold), 17), ((Deny, Allow), 2)]);
    let examples = replayed.changes[&(Allow, Hold)].examples(2);
    let examples: Vec<_> = examples
        .iter()
        .map(|e| (e.count, e.user.as_str(), e.statement.as_str()))
        .collect();
    assert_eq!(examples, [(9, "bob", "UPDATE a"), (7, "alice", "UPDATE a")]);
}

#[test]
fn statements_of_one_shape_are_one_example() {
    let shaped = |statement: &str, shape: u8, count| {
        let mut seen = seen("alice", statement, &[Effect::Write], Hold, count);
        seen.observation.facts[0].shape = Some(Shape::new([shape; 32]));
        seen
    };
    let replayed = replayed(&[
        shaped("UPDATE a SET x = 1", 1, 1),
        shaped("UPDATE a SET x = 2", 1, 1),
        shaped("UPDATE b SET x = 1", 2, 1),
    ]);
    let group = &replayed.rules[&(Hold, "writes".to_owned())];
    assert_eq!(group.examples(9).len(), 2);
    assert_eq!(group.examples(1)[0].count, 2);
}

#[test]
fn typos_are_told_apart_from_what_people_would_be_asked() {
    let typo = |was, count| {
        let mut typo = seen("alice", "SELEC 1", &[], was, count);
        let unparsed = Judged::unparsed("no SQL").statements;
        typo.observation.facts = unparsed.into_iter().map(|statement| statement.facts).collect();
        typo
    };
    let replayed = replayed(&[typo(Hold, 3), seen("bob", "DO …", &[Effect::Unknown], Hold, 5)]);
    assert_eq!((replayed.decisions[&Hold], replayed.unparsed), (8, 3));
}

#[test]
fn examples_are_short_and_on_one_line() {
    assert_eq!(one_line("  SELECT\n\t1 ;  "), "SELECT 1 ;");
    assert_eq!(one_line(""), "");
    for text in ["é".repeat(EXAMPLE_LENGTH * 3), "é ".repeat(EXAMPLE_LENGTH)] {
        assert_eq!(one_line(&text).chars().count(), EXAMPLE_LENGTH + 1);
        assert!(one_line(&text).ends_with('…'));
    }
}
