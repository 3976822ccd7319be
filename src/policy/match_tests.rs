//! When rules match: a table of conditions, statements and what is to come of them.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::model::{Effect, TableAccess};

struct Says {
    effect: Effect,
    commands: &'static [&'static str],
    tables: &'static [&'static str],
    functions: &'static [&'static str],
    unfiltered: bool,
}

const SELECT: Says = Says {
    effect: Effect::Read,
    commands: &["SELECT"],
    tables: &[],
    functions: &[],
    unfiltered: false,
};

fn facts(says: &Says) -> Facts {
    let table = |name: &&str| match name.split_once('.') {
        Some((schema, name)) => TableAccess {
            schema: Some(schema.to_owned()),
            name: name.to_owned(),
            written: false,
        },
        None => TableAccess {
            schema: None,
            name: (*name).to_owned(),
            written: false,
        },
    };
    Facts {
        effect: says.effect,
        commands: says.commands.iter().map(|c| (*c).to_owned()).collect(),
        tables: says.tables.iter().map(table).collect(),
        functions: says.functions.iter().map(|f| (*f).to_owned()).collect(),
        unfiltered: says.unfiltered,
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

/// Whether a rule with this `when` matches, if it allows and if it denies.
fn matches(when: &str, says: &Says) -> (bool, bool) {
    let groups = ["developers".to_owned(), "oncall".to_owned()];
    let subject = Subject::new("shop", "alice", &groups);
    let with = |then: &str| {
        let text = format!(
            "default_groups = [\"dba\"]\n[[rule]]\nname = \"x\"\nwhen = {{ {when} }}\nthen = {then}\n"
        );
        let policy = Policy::parse(&text).unwrap();
        policy.deciding_rule(&subject, &facts(says)).is_some()
    };
    (with("\"allow\""), with("{ deny = { reason = \"no\" } }"))
}

#[test]
fn who_and_where_is_compared_as_it_is() {
    for (when, expected) in [
        ("databases = ['shop']", true),
        ("databases = ['prod', 'shop']", true),
        ("databases = ['prod']", false),
        ("databases = ['Shop']", false),
        ("users = ['alice']", true),
        ("users = ['bob']", false),
        ("groups = ['developers']", true),
        ("groups = ['dba', 'oncall']", true),
        ("groups = ['dba']", false),
        ("not_groups = ['dba']", true),
        ("not_groups = ['dba', 'oncall']", false),
        ("groups = ['developers'], not_groups = ['oncall']", false),
        ("databases = ['shop'], users = ['bob']", false),
    ] {
        assert_eq!(matches(when, &SELECT), (expected, expected), "{when}");
    }
}

#[test]
fn effects_are_compared_and_unknown_is_allowed_only_by_name() {
    for (when, effect, allows, denies) in [
        ("effects = ['read']", Effect::Read, true, true),
        ("effects = ['read']", Effect::Write, false, false),
        ("effects = ['read', 'write']", Effect::Write, true, true),
        ("effects = ['server']", Effect::Unknown, false, false),
        ("effects = ['unknown']", Effect::Unknown, true, true),
        ("users = ['alice']", Effect::Server, true, true),
        ("users = ['alice']", Effect::Unknown, false, true),
        ("commands = ['SELECT']", Effect::Unknown, false, true),
        ("where = true", Effect::Unknown, false, true),
    ] {
        let says = Says { effect, ..SELECT };
        assert_eq!(matches(when, &says), (allows, denies), "{when} on {effect}");
    }
}

#[test]
fn where_asks_for_what_every_update_and_delete_has() {
    for (when, unfiltered, expected) in [
        ("where = false", true, true),
        ("where = false", false, false),
        ("where = true", true, false),
        ("where = true", false, true),
    ] {
        let says = Says { unfiltered, ..SELECT };
        assert_eq!(matches(when, &says), (expected, expected), "{when} {unfiltered}");
    }
}

#[test]
fn commands_match_whatever_their_case() {
    for (when, commands, allows, denies) in [
        ("commands = ['select']", &["SELECT"] as &[_], true, true),
        ("commands = ['SELECT']", &["SELECT", "DELETE"], false, true),
        (
            "commands = ['delete', 'Select']",
            &["SELECT", "DELETE"],
            true,
            true,
        ),
        ("commands = ['COPY']", &["COPY PROGRAM"], false, false),
        ("commands = ['copy  program']", &["COPY PROGRAM"], true, true),
        ("commands = ['DROP *']", &["DROP TABLE"], true, true),
        ("commands = ['DROP *']", &["DROP TABLE", "SELECT"], false, true),
        ("commands = ['DROP *']", &["ALTER TABLE"], false, false),
    ] {
        let says = Says { commands, ..SELECT };
        assert_eq!(matches(when, &says), (allows, denies), "{when} on {commands:?}");
    }
}

#[test]
fn tables_are_all_sure_to_allow_and_one_possible_to_deny() {
    for (when, tables, allows, denies) in [
        ("tables = ['orders']", &[] as &[_], false, false),
        ("tables = ['*']", &[], false, false),
        ("tables = ['orders']", &["orders"], true, true),
        ("tables = ['orders']", &["sales.orders"], true, true),
        ("tables = ['orders']", &["orders", "items"], false, true),
        ("tables = ['orders', 'items']", &["orders", "items"], true, true),
        ("tables = ['public.orders']", &["orders"], false, true),
        ("tables = ['public.orders']", &["public.orders"], true, true),
        ("tables = ['public.orders']", &["sales.orders"], false, false),
        ("tables = ['public.*']", &["public.orders", "items"], false, true),
        ("tables = ['public.*']", &["items"], false, true),
        (
            "tables = ['sales.*', 'public.*']",
            &["public.a", "sales.b"],
            true,
            true,
        ),
        ("tables = ['log_*']", &["log_2024"], true, true),
        ("tables = ['Orders']", &["orders"], true, true),
        ("tables = ['\"Orders\"']", &["orders"], false, false),
    ] {
        let says = Says { tables, ..SELECT };
        assert_eq!(matches(when, &says), (allows, denies), "{when} on {tables:?}");
    }
}

#[test]
fn functions_are_all_sure_to_allow_and_one_possible_to_deny() {
    for (when, functions, allows, denies) in [
        ("functions = ['pg_read_file']", &[] as &[_], false, false),
        ("functions = ['pg_read_file']", &["pg_read_file"], true, true),
        (
            "functions = ['pg_read_file']",
            &["pg_catalog.pg_read_file"],
            true,
            true,
        ),
        ("functions = ['pg_ls_*']", &["now", "pg_ls_waldir"], false, true),
        ("functions = ['pg_catalog.now']", &["now"], false, true),
        ("functions = ['pg_catalog.now']", &["pg_catalog.now"], true, true),
        ("functions = ['pg_catalog.now']", &["mine.now"], false, false),
        ("functions = ['\"a.b\".f']", &["a.b.f"], false, true),
        ("functions = ['a.\"b.f\"']", &["a.b.f"], false, true),
        ("functions = ['f']", &["a.b.f"], false, true),
    ] {
        let says = Says { functions, ..SELECT };
        assert_eq!(matches(when, &says), (allows, denies), "{when} on {functions:?}");
    }
}

#[test]
fn all_conditions_of_a_rule_count() {
    let update = Says {
        effect: Effect::Write,
        commands: &["UPDATE"],
        tables: &["scratch.notes"],
        ..SELECT
    };
    for (when, expected) in [
        (
            "effects = ['write'], tables = ['scratch.*'], commands = ['UPDATE']",
            true,
        ),
        (
            "effects = ['schema'], tables = ['scratch.*'], commands = ['UPDATE']",
            false,
        ),
        (
            "effects = ['write'], tables = ['public.*'], commands = ['UPDATE']",
            false,
        ),
        (
            "effects = ['write'], tables = ['scratch.*'], commands = ['DELETE']",
            false,
        ),
        (
            "effects = ['write'], tables = ['scratch.*'], functions = ['now']",
            false,
        ),
    ] {
        assert_eq!(matches(when, &update), (expected, expected), "{when}");
    }
}

#[test]
fn the_first_match_decides() {
    let policy = Policy::parse(
        r#"
        default_groups = ["dba"]
        [[rule]]
        name = "first"
        when = { tables = ["orders"] }
        then = { deny = { reason = "no" } }
        [[rule]]
        name = "second"
        then = "allow"
        "#,
    )
    .unwrap();
    let subject = Subject::new("shop", "alice", &[]);
    let orders = facts(&Says {
        tables: &["orders", "items"],
        ..SELECT
    });
    let items = facts(&Says {
        tables: &["items"],
        ..SELECT
    });
    let rule = |facts| policy.deciding_rule(&subject, facts).map(Rule::name);
    assert_eq!(rule(&orders), Some("first"));
    assert_eq!(rule(&items), Some("second"));
    assert_eq!(rule(&Facts::unknown("?")), None);
}
