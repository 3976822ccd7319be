//! Properties of every text.

use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::{USUAL, judge_text, on_a_large_stack};
use crate::model::{Effect, Gist};
use crate::sql::mask::{MAX_MASKED, mask};
use crate::sql::{Judge, JudgeLimits, Meaning};

/// Pieces that SQL is made of, and that break it.
fn piece() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "SELECT",
        "FROM",
        "WHERE",
        "t",
        "app.u",
        "DELETE",
        "UPDATE",
        "SET",
        "a",
        "=",
        "INSERT",
        "INTO",
        "VALUES",
        "(",
        ")",
        ",",
        ";",
        "'",
        "''",
        "\\",
        "\\'",
        "E'",
        "U&'",
        "$$",
        "$a$",
        "--",
        "/*",
        "*/",
        "\n",
        "\"",
        "WITH",
        "AS",
        "RETURNING",
        "*",
        "lower",
        "nextval('s')",
        "::",
        "int",
        "[",
        "]",
        ".",
        "<",
        "+",
        "-",
        "1",
        "42",
        "1e5",
        "0x1f",
        "1_000",
        "$1",
        "END",
        "BEGIN",
        "COPY",
        "TO",
        "STDOUT",
        "EXPLAIN",
        "ANALYZE",
        "PREPARE",
        "EXECUTE",
        "FOR",
        "float",
        "CASE",
        "WHEN",
        "THEN",
        "UNION",
        "NULL",
        "\u{a0}",
        "é",
        "\0",
        "JOIN",
        "ON",
        "true",
        "LIMIT",
        "ORDER BY",
        "generate_series(1, 2)",
        "x",
        "refund",
        "IN",
        "NOT",
        "AND",
        "OR",
        "interval",
        "char",
    ]);
    (words, prop::sample::select(vec!["", " ", " ", " ", "\t", "\n"]))
        .prop_map(|(word, gap)| format!("{word}{gap}"))
}

fn expression() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "?",
        "a",
        "a + ?",
        "-?",
        "- ?",
        "a -?",
        "a - -?",
        "(?)",
        "? * ?",
        "a = ?",
        "a<?",
        "a >=?",
        "a IN (?, ?,?)",
        "a BETWEEN ? AND ?",
        "lower(a)",
        "refund(?)",
        "nextval(?)",
        "CASE WHEN a = ? THEN ? ELSE a END",
        "t.a",
        "a1 + a2",
        "CAST(a AS numeric(?, ?))",
        "CAST(a AS char(?))",
        "CAST(? AS time(?))",
        "CAST(a AS bit(?))",
        "CAST(a AS float(?))",
        "interval(?)",
        "EXISTS (SELECT ? FROM u)",
        "sum(a) OVER (ROWS ? PRECEDING)",
        "coalesce(a, ?)",
        "a <> ? AND a IS NULL",
        "lpad(a, ?, ?)",
        "f1(?)",
        "(SELECT max(a) FROM u LIMIT ?)",
    ])
}

/// Texts that can be masked, with a `?` for each of their integers; some do not parse.
fn template() -> impl Strategy<Value = String> {
    let breaking = prop::sample::select(vec![
        "",
        "",
        "",
        "",
        "",
        "",
        " ",
        "?",
        ";",
        "-",
        "--",
        ".",
        "_",
        "e",
        "x",
        ",",
        "(",
        ")",
        "\n",
        " float",
        " FOR UPDATE",
        " INTO x",
        " FROM",
        "*",
        ";SELECT ?",
    ]);
    let statement = (0..5, prop::collection::vec(expression(), 6)).prop_map(|(kind, e)| match kind {
        0 => format!(
            "SELECT {}, {} FROM t WHERE {} ORDER BY ? LIMIT ? OFFSET ?",
            e[0], e[1], e[2]
        ),
        1 => format!(
            "select {} from t, u where {} group by ?, {} fetch first ? rows only;",
            e[0], e[1], e[2]
        ),
        2 => format!(
            "INSERT INTO t (a, b) VALUES ({}, {}), ({}, {})",
            e[0], e[1], e[2], e[3]
        ),
        3 => format!("UPDATE t SET a = {}, b = {} WHERE {}", e[0], e[1], e[2]),
        _ => format!("DELETE FROM t WHERE {} AND ({})", e[0], e[1]),
    });
    (statement, breaking, any::<prop::sample::Index>()).prop_map(|(mut text, breaking, at)| {
        text.insert_str(at.index(text.len()), breaking);
        text
    })
}

fn integer() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("0".to_owned()),
        Just("1".to_owned()),
        Just("007".to_owned()),
        Just("999999999".to_owned()),
        (0u32..1_000_000_000).prop_map(|n| n.to_string()),
        (0u32..100).prop_map(|n| n.to_string()),
    ]
}

fn filled(template: &str, integers: &[String]) -> String {
    let mut parts = template.split('?');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for (part, integer) in parts.zip(integers.iter().cycle()) {
        text.push_str(integer);
        text.push_str(part);
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        on_a_large_stack(|| judge_text(&bytes, USUAL, 1000));
    }

    #[test]
    fn no_pieces_make_it_panic(pieces in prop::collection::vec(piece(), 0..40), on in any::<bool>()) {
        let text = pieces.concat();
        let meaning = Meaning { standard_conforming_strings: on, encoding_is_safe: true };
        let judged = on_a_large_stack(|| judge_text(text.as_bytes(), meaning, 10_000));
        prop_assert!(!judged.statements.iter().any(|s| s.facts.commands.is_empty()), "{judged:?}");
        prop_assert_eq!(judged.effect() == Effect::Unknown && text.contains('\0'), text.contains('\0'));
    }

    /// What the parser cannot see changed by a mutation must not make a write a read.
    #[test]
    fn a_statement_after_another_is_seen(pieces in prop::collection::vec(piece(), 0..12)) {
        let text = format!("DELETE FROM t; {}", pieces.concat());
        let judged = on_a_large_stack(|| judge_text(text.as_bytes(), USUAL, 10_000));
        prop_assert!(judged.effect() >= Effect::Write, "{text}: {judged:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn masked_integers_do_not_change_a_judgement(
        template in template(),
        a in prop::collection::vec(integer(), 12),
        b in prop::collection::vec(integer(), 12),
    ) {
        let (a, b) = (filled(&template, &a), filled(&template, &b));
        let (mut of_a, mut of_b) = ([0; MAX_MASKED], [0; MAX_MASKED]);
        let (Some(of_a), Some(of_b)) = (mask(a.as_bytes(), &mut of_a), mask(b.as_bytes(), &mut of_b)) else {
            return Ok(());
        };
        if of_a == of_b {
            let (a, b) = on_a_large_stack(|| {
                (judge_text(a.as_bytes(), USUAL, 10_000), judge_text(b.as_bytes(), USUAL, 10_000))
            });
            prop_assert_eq!(a, b);
        }
    }
}

/// One judge sees all the texts: what it remembers must be what it would find.
#[test]
fn remembered_is_what_would_be_found() {
    let judge = Judge::new(JudgeLimits {
        cache_bytes: 200_000,
        ..JudgeLimits::default()
    });
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    on_a_large_stack(move || {
        let mut shared = 0;
        for _ in 0..2000 {
            let strategy = (template(), prop::collection::vec(integer(), 12));
            let (template, integers) = strategy.new_tree(&mut runner).unwrap().current();
            let text = filled(&template, &integers);
            let found = judge_text(text.as_bytes(), USUAL, 1_000_000);
            let mut buffer = [0; MAX_MASKED];
            for _ in 0..2 {
                let remembered = judge.judge_inline(text.as_bytes(), USUAL);
                let remembered = remembered.unwrap();
                assert_eq!(remembered.statements, found.statements, "{text}");
                // People are told of no other text's numbers.
                let Gist::Whole(told) = &remembered.gist else {
                    panic!("{text}");
                };
                let masked = mask(text.as_bytes(), &mut buffer).filter(|_| found.effect() < Effect::Unknown);
                assert_eq!(**told, *masked.unwrap_or(text.as_bytes()), "{text}");
            }
            let masked = mask(text.as_bytes(), &mut [0; MAX_MASKED]).is_some();
            shared += usize::from(masked && found.effect() < Effect::Unknown);
        }
        assert!(shared > 300, "only {shared} texts were worth a mask");
    });
}
