//! What is said of rules that match, and of those that do not.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::model::{ColumnWrite, Effect, Shape, TableAccess};

fn update() -> Facts {
    Facts {
        effect: Effect::Write,
        commands: vec!["UPDATE".to_owned()],
        tables: vec![TableAccess {
            schema: None,
            name: "users".to_owned(),
            written: true,
        }],
        functions: vec!["now".to_owned()],
        unfiltered: true,
        columns: vec![ColumnWrite {
            schema: Some("public".to_owned()),
            table: "users".to_owned(),
            column: Some("email".to_owned()),
        }],
        unlimited: false,
        shape: Some(Shape::new([1; 32])),
        unresolved: false,
        sets: crate::model::Sets::default(),
        defines: crate::model::Defines::Nothing,
        acts_when_read: false,
        has_text: false,
        signals: Vec::new(),
    }
}

fn policy(rules: &str) -> Policy {
    Policy::parse(&format!("default_groups = [\"dba\"]\n{rules}")).unwrap()
}

fn rule(when: &str, then: &str) -> Policy {
    policy(&format!(
        "[[rule]]\nname = \"x\"\nwhen = {{ {when} }}\nthen = {then}\n"
    ))
}

const ALLOW: &str = "\"allow\"";
const DENY: &str = "{ deny = { reason = \"no\" } }";

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn each_condition_says_how_it_fares() {
    let groups = ["developers".to_owned()];
    let subject = Subject {
        application_name: "psql",
        client: Some("10.1.2.3".parse().unwrap()),
        at: "2024-01-05T21:15:00Z".parse().unwrap(),
        ..Subject::new("shop", "alice", &groups)
    };
    let nowhere = Subject {
        client: None,
        ..subject
    };
    for (subject, when, then, holds, why) in [
        (
            subject,
            "databases = ['prod']",
            ALLOW,
            false,
            "databases: shop is not one of prod",
        ),
        (
            subject,
            "users = ['bob', 'alice']",
            ALLOW,
            true,
            "users: alice is one of bob, alice",
        ),
        (
            subject,
            "groups = ['dba', 'ops']",
            DENY,
            false,
            "groups: alice is in none of dba, ops",
        ),
        (
            subject,
            "not_groups = ['developers']",
            DENY,
            false,
            "not_groups: alice is in developers",
        ),
        (
            subject,
            "effects = ['read', 'session']",
            ALLOW,
            false,
            "effects: write is not one of session, read",
        ),
        (
            subject,
            "where = true",
            ALLOW,
            false,
            "where: it has an UPDATE or DELETE without a WHERE",
        ),
        (
            subject,
            "limit = false",
            DENY,
            false,
            "limit: it does not hand out all rows of a query",
        ),
        (
            subject,
            "application_names = ['report-*']",
            DENY,
            false,
            "application_names: \"psql\" is not one of report-*",
        ),
        (
            subject,
            "clients = ['10.0.0.0/8']",
            ALLOW,
            true,
            "clients: 10.1.2.3 is in 10.0.0.0/8",
        ),
        (
            nowhere,
            "clients = ['10.0.0.0/8']",
            DENY,
            true,
            "clients: without an address, it could be in 10.0.0.0/8",
        ),
        (
            subject,
            "days = ['mon-tue'], hours = ['08:00-18:00'], time_zone = 'Europe/Berlin'",
            DENY,
            false,
            "schedule: fri 22:15 in Europe/Berlin is not within mon, tue at 08:00-18:00",
        ),
        (
            subject,
            "commands = ['DELETE', 'DROP *']",
            DENY,
            false,
            "commands: none of UPDATE could be one of DELETE, DROP *",
        ),
        (
            subject,
            "tables = ['public.users']",
            ALLOW,
            false,
            "tables: users is not surely one of public.users",
        ),
        (
            subject,
            "tables = ['public.users']",
            DENY,
            true,
            "tables: users is, or could be, one of public.users",
        ),
        (
            subject,
            "columns = ['users.*']",
            ALLOW,
            true,
            "columns: each of public.users.email is one of users.*",
        ),
        (
            subject,
            "functions = ['pg_*']",
            DENY,
            false,
            "functions: none of now could be one of pg_*",
        ),
    ] {
        let policy = rule(when, then);
        let outcomes = policy.rules()[0].explain(&subject, &update());
        let said: Vec<String> = outcomes.iter().map(|o| format!("{}: {}", o.key, o.why)).collect();
        assert_eq!(said, [why], "{when}");
        assert_eq!(outcomes[0].holds, holds, "{when}");
        assert_eq!(
            policy.deciding_rule(&subject, &update()).is_some(),
            holds,
            "{when}"
        );
    }
}

#[test]
fn what_is_unknown_is_said_to_need_its_name() {
    let subject = Subject::new("shop", "alice", &[]);
    let policy = rule("users = ['alice']", ALLOW);
    let outcomes = policy.rules()[0].explain(&subject, &Facts::unknown("?"));
    let failed: Vec<&str> = outcomes.iter().filter(|o| !o.holds).map(|o| o.key).collect();
    assert_eq!(failed, ["effects"]);
    assert_eq!(outcomes.len(), 2);
}

#[test]
fn rules_are_told_up_to_the_one_that_decides() {
    let policy = policy(
        r#"
        [[rule]]
        name = "reads"
        when = { effects = ["read"] }
        then = "allow"
        [[rule]]
        name = "see"
        when = { users = ["alice"] }
        then = "observe"
        [[rule]]
        name = "see all"
        then = "observe"
        [[rule]]
        name = "writes"
        when = { effects = ["write"] }
        then = { hold = { groups = ["dba"] } }
        [[rule]]
        name = "rest"
        then = "allow"
        "#,
    );
    let steps = |facts: &Facts| -> Vec<(String, Step)> {
        let subject = Subject::new("shop", "alice", &[]);
        let considered = policy.explain(&subject, facts);
        considered
            .iter()
            .map(|c| (c.rule.name().to_owned(), c.step))
            .collect()
    };
    let expected = [
        ("reads", Step::DoesNotMatch),
        ("see", Step::Observes),
        ("see all", Step::PassedOver),
        ("writes", Step::Decides),
    ]
    .map(|(name, step)| (name.to_owned(), step));
    assert_eq!(steps(&update()), expected);
    let unknown = steps(&Facts::unknown("?"));
    assert_eq!(unknown.last().unwrap(), &("rest".to_owned(), Step::DoesNotMatch));
}
