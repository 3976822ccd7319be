//! Holds `policies/default.toml` to what it promises, on facts given by hand; the cases in SQL
//! beside it need a judge.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use super::test::TestFile;
use super::*;
use crate::model::Effect;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("policies")
}

fn facts(effect: Effect, commands: &[&str], functions: &[&str], unfiltered: bool) -> Facts {
    Facts {
        effect,
        commands: commands.iter().map(|c| (*c).to_owned()).collect(),
        tables: Vec::new(),
        functions: functions.iter().map(|f| (*f).to_owned()).collect(),
        unfiltered,
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

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn every_effect_and_every_refusal_has_its_rule() {
    let policy = Policy::load(&folder()).unwrap();
    let groups = ["developers".to_owned()];
    let subject = Subject::new("shop", "alice", &groups);
    let file_function = "no functions that touch files on the server";
    for (facts, action, rule) in [
        (
            facts(Effect::Session, &["SET"], &[], false),
            "allow",
            "sessions and reads pass",
        ),
        (
            facts(Effect::Session, &["BEGIN"], &[], false),
            "allow",
            "sessions and reads pass",
        ),
        (
            facts(Effect::Read, &["SELECT"], &["now"], false),
            "allow",
            "sessions and reads pass",
        ),
        (
            facts(Effect::Write, &["INSERT"], &[], false),
            "hold",
            "writes need a DBA",
        ),
        (
            facts(Effect::Write, &["UPDATE"], &[], false),
            "hold",
            "writes need a DBA",
        ),
        (
            facts(Effect::Write, &["UPDATE"], &[], true),
            "deny",
            "no UPDATE or DELETE without WHERE",
        ),
        (
            facts(Effect::Write, &["SELECT", "DELETE"], &[], true),
            "deny",
            "no UPDATE or DELETE without WHERE",
        ),
        (
            facts(Effect::Schema, &["DROP TABLE"], &[], false),
            "hold",
            "schema changes need a DBA",
        ),
        (
            facts(Effect::Privilege, &["GRANT"], &[], false),
            "hold",
            "privileges need a DBA",
        ),
        (
            facts(Effect::Server, &["CHECKPOINT"], &[], false),
            "hold",
            "what reaches past the database needs a DBA",
        ),
        (
            facts(Effect::Server, &["COPY PROGRAM"], &[], false),
            "deny",
            "no programs on the server",
        ),
        (
            facts(Effect::Server, &["COPY FILE"], &[], false),
            "deny",
            "no COPY to or from files on the server",
        ),
        (
            facts(Effect::Server, &["ALTER SYSTEM"], &[], false),
            "deny",
            "no ALTER SYSTEM",
        ),
        (
            facts(Effect::Server, &["SELECT"], &["pg_read_file"], false),
            "deny",
            file_function,
        ),
        (
            facts(
                Effect::Read,
                &["SELECT"],
                &["now", "pg_catalog.pg_ls_waldir"],
                false,
            ),
            "deny",
            file_function,
        ),
        (
            facts(Effect::Write, &["SELECT"], &["lo_import"], false),
            "deny",
            file_function,
        ),
        (
            facts(Effect::Unknown, &["SELECT"], &["lo_export"], false),
            "deny",
            file_function,
        ),
        (
            Facts::unknown("?"),
            "hold",
            "what could not be judged needs a DBA",
        ),
    ] {
        let decided = policy.deciding_rule(&subject, &facts).unwrap();
        assert_eq!(
            (decided.action().as_str(), decided.name()),
            (action, rule),
            "{facts:?}"
        );
    }
}

#[test]
fn no_statement_is_left_without_a_rule() {
    let policy = Policy::load(&folder()).unwrap();
    let subject = Subject::new("any", "anybody", &[]);
    for effect in Effect::ALL {
        let facts = facts(effect, &["ANY"], &[], false);
        assert!(policy.deciding_rule(&subject, &facts).is_some(), "{effect}");
    }
    assert_eq!(policy.groups(), ["dba"]);
}

#[test]
fn every_rule_has_a_case_beside_it() {
    let policy = Policy::load(&folder()).unwrap();
    let tests = TestFile::load_all(&folder()).unwrap();
    let tested: Vec<&str> = tests
        .iter()
        .flat_map(TestFile::cases)
        .filter_map(|case| case.expected().rule())
        .collect();
    for rule in policy.rules() {
        assert!(tested.contains(&rule.name()), "no case for \"{}\"", rule.name());
    }
    for name in tested {
        assert!(
            policy.rules().iter().any(|rule| rule.name() == name),
            "no rule \"{name}\""
        );
    }
}

#[test]
fn a_refusal_says_what_to_do() {
    let policy = Policy::load(&folder()).unwrap();
    for rule in policy.rules() {
        if let Action::Deny { reason } = rule.action() {
            let acts = [". Add ", ". Use ", ". Ask ", "ask the people"];
            assert!(
                acts.iter().any(|act| reason.contains(act)),
                "{}: {reason}",
                rule.name()
            );
        }
    }
}
