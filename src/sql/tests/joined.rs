//! Texts that two settings, or two parsers, read differently.

use super::{USUAL, judge_text, line, on_a_large_stack};
use crate::model::{Effect, Judged};
use crate::sql::Meaning;
use crate::sql::second;

fn both(text: &str) -> [Judged; 2] {
    on_a_large_stack(|| {
        [true, false].map(|standard_conforming_strings| {
            judge_text(
                text.as_bytes(),
                Meaning {
                    standard_conforming_strings,
                    ..USUAL
                },
                10_000,
            )
        })
    })
}

#[test]
fn a_text_that_hides_a_statement_under_the_other_setting_is_unknown_under_both() {
    for text in [
        // One string with the setting off, two statements with it on, and the reverse.
        "SELECT '\\'; DELETE FROM t; --'",
        "SELECT '\\' || '; DELETE FROM t; --'",
        "SELECT '\\'' || '; DELETE FROM t; --'",
        "SELECT 'a\\'; DELETE FROM t WHERE b = 'c'",
        "SELECT * FROM t WHERE a = 'x\\'",
        // With the setting off, U& strings are an error.
        "SELECT U&'\\0041'",
    ] {
        for judged in both(text) {
            assert_eq!(judged.effect(), Effect::Unknown, "{text}: {judged:?}");
            assert!(
                judged
                    .statements
                    .iter()
                    .all(|s| s.facts.effect == Effect::Unknown),
                "{text}: {judged:?}"
            );
        }
    }
}

#[test]
fn the_facts_of_both_readings_are_kept() {
    let [on, off] = both("SELECT '\\'; DELETE FROM t; --'");
    assert_eq!(line(&on), "unknown SELECT | unknown DELETE+SELECT t! unfiltered");
    assert!(line(&off).contains("DELETE"), "{off:?}");
}

#[test]
fn a_text_that_means_the_same_under_both_is_judged_once() {
    for (text, expected) in [
        ("SELECT '\\d+' FROM t", "read SELECT t"),
        ("SELECT E'it\\'s' FROM t", "read SELECT t"),
        (
            "SELECT E'a\\'\nb' ; DELETE FROM t",
            "read SELECT | write DELETE t! unfiltered",
        ),
        ("SELECT 'no backslash' FROM t", "read SELECT t"),
        (
            "PREPARE p AS SELECT '\\d' FROM t",
            "session PREPARE prepare:p(read SELECT t)",
        ),
        ("DELETE FROM t WHERE a ~ '\\w'", "write DELETE t!"),
        ("BEGIN", "session BEGIN tx"),
    ] {
        for judged in both(text) {
            assert_eq!(line(&judged), expected, "{text}");
        }
    }
}

/// A parse that fails with the setting off leaves nothing behind on its thread.
#[test]
fn a_failed_parse_does_not_change_the_next() {
    on_a_large_stack(|| {
        let off = Meaning {
            standard_conforming_strings: false,
            ..USUAL
        };
        for _ in 0..3 {
            assert_eq!(judge_text(b"SELECT '\\'", off, 100).effect(), Effect::Unknown);
            let judged = judge_text(b"SELECT 'a' FROM t", USUAL, 100);
            assert_eq!(line(&judged), "read SELECT t");
        }
    });
}

#[test]
fn prepared_facts_hold_both_readings() {
    for (text, expected) in [
        (
            "PREPARE p AS SELECT '\\' || ' FROM t; --' || lower('')",
            "session PREPARE prepare:p(read SELECT t lower())",
        ),
        (
            "PREPARE p AS SELECT '\\' || app.f() --'",
            "session PREPARE prepare:p(unknown SELECT app.f())",
        ),
    ] {
        for judged in both(text) {
            assert_eq!(line(&judged), expected, "{text}");
        }
    }
}

#[test]
fn the_second_parser_may_only_raise() {
    on_a_large_stack(|| {
        let read = super::judged("SELECT 1");
        for (text, expected) in [
            ("SELECT 1", Effect::Read),
            ("SELECT nonsense nonsense nonsense", Effect::Read),
            ("SHOW a", Effect::Read),
            ("SELECT 1; SELECT 2", Effect::Unknown),
            ("DELETE FROM t", Effect::Write),
            ("SELECT * FROM t FOR UPDATE", Effect::Write),
            (
                "WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d",
                Effect::Write,
            ),
            ("SELECT * INTO x FROM t", Effect::Schema),
            ("DROP TABLE t", Effect::Schema),
            ("GRANT SELECT ON t TO bob", Effect::Privilege),
        ] {
            let mut judged = read.clone();
            second::hear(&mut judged, text, 3);
            assert_eq!(judged.effect(), expected, "{text}");
            let told = judged
                .joined_facts()
                .signals
                .iter()
                .any(|s| s.starts_with("the two parsers disagree"));
            assert_eq!(told, expected > Effect::Read, "{text}");
        }
        let mut deep = read.clone();
        second::hear(&mut deep, "DELETE FROM t", 100_000);
        assert_eq!(deep, read);
    });
}
