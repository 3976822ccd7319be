//! Conditions on what is written, handed out and shaped, and on where and when a client asks.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::model::{ColumnWrite, Effect, Shape};

fn facts(effect: Effect) -> Facts {
    Facts {
        effect,
        commands: vec!["UPDATE".to_owned()],
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

fn column(name: &str) -> ColumnWrite {
    let mut parts: Vec<&str> = name.split('.').collect();
    let column = parts.pop().filter(|column| *column != "?").map(str::to_owned);
    let table = parts.pop().unwrap().to_owned();
    let schema = parts.pop().map(str::to_owned);
    ColumnWrite {
        schema,
        table,
        column,
    }
}

fn somebody() -> Subject<'static> {
    Subject::new("shop", "alice", &[])
}

/// Whether a rule with this `when` matches: if it allows, if it observes, and if it denies.
fn matches(when: &str, subject: &Subject<'_>, facts: &Facts) -> (bool, bool, bool) {
    let with = |then: &str| {
        let text = format!(
            "default_groups = [\"dba\"]\n[[rule]]\nname = \"x\"\nwhen = {{ {when} }}\nthen = {then}\n"
        );
        let policy = Policy::parse(&text).unwrap();
        policy.deciding_rule(subject, facts).is_some()
    };
    (
        with("\"allow\""),
        with("\"observe\""),
        with("{ deny = { reason = \"no\" } }"),
    )
}

#[test]
fn columns_are_all_sure_to_pass_and_one_possible_to_deny() {
    for (when, columns, passes, denies) in [
        ("columns = ['users.email']", &[] as &[_], false, false),
        ("columns = ['*.*']", &[], false, false),
        ("columns = ['users.email']", &["users.email"], true, true),
        (
            "columns = ['users.email']",
            &["users.email", "users.name"],
            false,
            true,
        ),
        ("columns = ['users.email']", &["users.?"], false, true),
        ("columns = ['users.*']", &["users.?"], true, true),
        ("columns = ['public.users.email']", &["users.email"], false, true),
        ("columns = ['*.salary']", &["hr.people.salary"], true, true),
        ("columns = ['*.salary']", &["people.name"], false, false),
        (
            "columns = ['users.email', 'users.n*']",
            &["users.email", "users.name"],
            true,
            true,
        ),
    ] {
        let facts = Facts {
            columns: columns.iter().copied().map(column).collect(),
            ..facts(Effect::Write)
        };
        assert_eq!(
            matches(when, &somebody(), &facts),
            (passes, passes, denies),
            "{when} on {columns:?}"
        );
    }
}

#[test]
fn limit_asks_for_what_hands_out_everything() {
    for (when, unlimited, expected) in [
        ("limit = false", true, true),
        ("limit = false", false, false),
        ("limit = true", true, false),
        ("limit = true", false, true),
    ] {
        let facts = Facts {
            unlimited,
            ..facts(Effect::Read)
        };
        assert_eq!(
            matches(when, &somebody(), &facts),
            (expected, expected, expected),
            "{when} {unlimited}"
        );
    }
}

#[test]
fn a_shape_is_the_one_or_is_not() {
    let when = format!("shapes = ['{}', '{}']", "0a".repeat(32), "0B".repeat(32));
    for (shape, expected) in [
        (Some(Shape::new([0x0a; 32])), true),
        (Some(Shape::new([0x0b; 32])), true),
        (Some(Shape::new([0x0c; 32])), false),
        (None, false),
    ] {
        let facts = Facts {
            shape,
            ..facts(Effect::Read)
        };
        assert_eq!(
            matches(&when, &somebody(), &facts),
            (expected, expected, expected),
            "{shape:?}"
        );
    }
}

#[test]
fn application_names_are_compared_with_their_case() {
    for (when, name, expected) in [
        ("application_names = ['psql']", "psql", true),
        ("application_names = ['psql']", "PSQL", false),
        ("application_names = ['psql']", "", false),
        ("application_names = ['psql', 'report-*']", "report-7", true),
        ("application_names = ['']", "", true),
        ("application_names = ['*']", "", true),
    ] {
        let subject = Subject {
            application_name: name,
            ..somebody()
        };
        assert_eq!(
            matches(when, &subject, &facts(Effect::Read)),
            (expected, expected, expected),
            "{when} {name}"
        );
    }
}

#[test]
fn a_client_without_an_address_could_be_anywhere() {
    for (when, client, passes, denies) in [
        ("clients = ['10.0.0.0/8']", Some("10.1.2.3"), true, true),
        ("clients = ['10.0.0.0/8']", Some("::ffff:10.1.2.3"), true, true),
        ("clients = ['10.0.0.0/8', '::1']", Some("::1"), true, true),
        ("clients = ['10.0.0.0/8']", Some("192.168.1.7"), false, false),
        ("clients = ['10.0.0.0/8']", None, false, true),
    ] {
        let subject = Subject {
            client: client.map(|address| address.parse().unwrap()),
            ..somebody()
        };
        assert_eq!(
            matches(when, &subject, &facts(Effect::Read)),
            (passes, passes, denies),
            "{when} {client:?}"
        );
    }
}

#[test]
fn days_and_hours_are_those_of_the_time_zone() {
    let office = "days = ['mon-fri'], hours = ['08:00-18:00'], time_zone = 'Europe/Berlin'";
    let nights = "hours = ['22:00-06:00'], time_zone = 'UTC'";
    for (when, at, expected) in [
        (office, "2024-01-01T07:00:00Z", true),
        (office, "2024-01-01T17:00:00Z", false),
        (office, "2024-01-06T10:00:00Z", false),
        (nights, "2024-01-01T05:59:59Z", true),
        (nights, "2024-01-01T06:00:00Z", false),
    ] {
        let subject = Subject {
            at: at.parse().unwrap(),
            ..somebody()
        };
        assert_eq!(
            matches(when, &subject, &facts(Effect::Read)),
            (expected, expected, expected),
            "{when} {at}"
        );
    }
}

#[test]
fn what_is_unknown_is_observed_without_being_named() {
    let unknown = Facts::unknown("?");
    for (when, expected) in [
        ("users = ['alice']", (false, true, true)),
        ("effects = ['read']", (false, false, false)),
        ("effects = ['unknown']", (true, true, true)),
        // It names none, so that not all of them are surely meant.
        ("tables = ['orders']", (false, false, false)),
    ] {
        assert_eq!(matches(when, &somebody(), &unknown), expected, "{when}");
    }
}

#[test]
fn only_a_policy_with_days_or_hours_asks_for_the_time() {
    let policy = |when: &str| {
        let text = format!(
            "default_groups = [\"dba\"]\n[[rule]]\nname = \"x\"\nwhen = {{ {when} }}\nthen = \"allow\"\n"
        );
        Policy::parse(&text).unwrap()
    };
    assert!(!policy("clients = ['::1']").asks_time());
    assert!(policy("days = ['sun'], time_zone = 'UTC'").asks_time());
    assert!(policy("hours = ['00:00-06:00'], time_zone = 'UTC'").asks_time());
}
