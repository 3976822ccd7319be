#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::model::{Effect, Facts, Observation, Sightings};
use crate::policy::Policy;
use crate::policy::replay::Replay;

fn seen(user: &str, statement: &str, effect: Effect, was: ObservedDecision, count: u64) -> Sightings {
    let observation = Observation {
        database: "shop".to_owned(),
        user: user.to_owned(),
        groups: Vec::new(),
        application_name: String::new(),
        client_addr: None,
        statement: statement.to_owned(),
        facts: vec![Facts {
            effect,
            commands: vec!["X".to_owned()],
            ..Facts::unknown("")
        }],
        decision: was,
        rules: Vec::new(),
    };
    Sightings {
        count,
        ..Sightings::once(observation, Timestamp::UNIX_EPOCH)
    }
}

fn replayed(all: &[Sightings]) -> Replayed {
    let policy = Policy::parse(
        r#"
        default_groups = ["dba"]
        [[rule]]
        name = "reads pass"
        when = { effects = ["read"] }
        then = "allow"
        [[rule]]
        name = "writes need a DBA"
        when = { effects = ["write"] }
        then = { hold = { groups = ["dba"] } }
        "#,
    )
    .unwrap();
    let mut replay = Replay::new(&policy);
    for seen in all {
        replay.add(seen);
    }
    replay.finish()
}

fn some() -> Replayed {
    replayed(&[
        seen("alice", "SELECT 1", Effect::Read, ObservedDecision::Allow, 3_389),
        seen(
            "alice",
            "UPDATE a\n SET x = 1",
            Effect::Write,
            ObservedDecision::Allow,
            11,
        ),
        seen(
            "bob the second",
            "\u{1b}[2J",
            Effect::Write,
            ObservedDecision::Allow,
            1,
        ),
    ])
}

#[test]
fn people_read_tables_and_examples() {
    let expected = r#"3,401 statements from 1970-01-01 00:00 UTC to 1970-01-01 00:00 UTC

DECISION  STATEMENTS  SHARE
allow     3,389        99.6 %
hold         12         0.3 %
deny          0         0.0 %

DECISION  STATEMENTS  RULE
allow     3,389       reads pass
hold         12       writes need a DBA

USER            ALLOW  HOLD  DENY
alice           3,389  11    0
bob the second      0   1    0

Changed against what was recorded:
  allow → hold: 12 of 3,401

allow → hold: 12
  11  alice           UPDATE a SET x = 1
   1  bob the second  \u{1b}[2J

hold by "writes need a DBA": 12
  11  alice           UPDATE a SET x = 1
   1  bob the second  \u{1b}[2J
"#;
    assert_eq!(as_text(&some(), 3), expected);
    assert!(!as_text(&some(), 0).contains("UPDATE"));
    assert!(as_text(&some(), 1).contains("alice  UPDATE"));
}

#[test]
fn programs_read_the_same() {
    let shown: Value = serde_json::from_str(&as_json(&some(), 1)).unwrap();
    assert_eq!(shown["statements"], 3_401);
    assert_eq!(shown["decisions"]["hold"], 12);
    assert_eq!(shown["first_seen"], "1970-01-01T00:00:00Z");
    let change = &shown["changes"][0];
    assert_eq!(
        (&change["from"], &change["to"]),
        (&json!("allow"), &json!("hold"))
    );
    assert_eq!(
        change["examples"],
        json!([{ "statement": "UPDATE a SET x = 1", "user": "alice", "count": 11 }])
    );
    assert_eq!(shown["users"][1]["decisions"]["hold"], 1);
    assert_eq!(shown["rules"][1]["rule"], "writes need a DBA");
}

#[test]
fn who_has_observed_nothing_is_told_how() {
    assert!(as_text(&replayed(&[]), 3).contains("`observe = true`"));
    let shown: Value = serde_json::from_str(&as_json(&replayed(&[]), 3)).unwrap();
    assert_eq!(
        (&shown["statements"], &shown["first_seen"]),
        (&json!(0), &Value::Null)
    );
}

#[test]
fn what_did_not_change_is_said() {
    let same = [seen(
        "alice",
        "SELECT 1",
        Effect::Read,
        ObservedDecision::Allow,
        1,
    )];
    let shown = as_text(&replayed(&same), 3);
    assert!(shown.starts_with("1 statement from "), "{shown}");
    assert!(
        shown.ends_with("\nNothing changed against what was recorded.\n"),
        "{shown}"
    );
}

#[test]
fn numbers_can_be_read() {
    for (number, shown) in [
        (0, "0"),
        (999, "999"),
        (1_000, "1,000"),
        (123_456, "123,456"),
        (u64::MAX, "18,446,744,073,709,551,615"),
    ] {
        assert_eq!(thousands(number), shown);
    }
    assert_eq!(right(&[1, 1_000]), ["    1", "1,000"]);
    for (part, shown) in [
        (0, "  0.0 %"),
        (1, "  0.1 %"),
        (995, " 99.5 %"),
        (1_000, "100.0 %"),
    ] {
        assert_eq!(share(part, 1_000), shown);
    }
}
