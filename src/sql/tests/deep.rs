//! Texts that are long, deep or broken: judged or Unknown, never a crash and never for minutes.

use std::time::{Duration, Instant};

use super::{effect, judge_text, judged, on_a_large_stack};
use crate::model::Effect;
use crate::sql::Meaning;

fn nested(open: &str, core: &str, close: &str, times: usize) -> String {
    format!("{}{core}{}", open.repeat(times), close.repeat(times))
}

#[test]
fn honest_depth_is_judged_like_any_other() {
    let joins: Vec<String> = (0..60).map(|n| format!("JOIN t{n} ON t{n}.id = t.id")).collect();
    let cases = nested("CASE WHEN a THEN 1 ELSE ", "0", " END", 30);
    for text in [
        format!("SELECT * FROM t {}", joins.join(" ")),
        format!("SELECT a{}", " || a".repeat(200)),
        nested("SELECT * FROM (", "SELECT 1", ") s", 30),
        nested("SELECT (", "SELECT 1", ")", 200),
        format!("SELECT {cases}"),
        format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(300)),
        format!("SELECT 1 WHERE a = 1{}", " OR a = 1".repeat(2_000)),
        format!("SELECT * FROM t WHERE id IN (1{})", ", 1".repeat(20_000)),
    ] {
        assert_eq!(
            on_a_large_stack(|| effect(&text)),
            Effect::Read,
            "{}",
            &text[..60]
        );
    }
}

#[test]
fn any_depth_ends_well() {
    let texts = [
        nested("(", "SELECT 1", ")", 100_000),
        nested("SELECT (", "SELECT 1", ")", 50_000),
        nested("SELECT * FROM (", "SELECT 1", ") s", 20_000),
        format!("SELECT {}", nested("(", "1", ")", 100_000)),
        format!("SELECT 1{}", "::int".repeat(100_000)),
        format!("SELECT 1{}", " + 1".repeat(100_000)),
        format!("SELECT {}1", "- ".repeat(100_000)),
        format!("SELECT {}true", "NOT ".repeat(100_000)),
        format!("SELECT ARRAY{}", nested("[", "1", "]", 100_000)),
        format!("SELECT {}", nested("f(", "1", ")", 100_000)),
        format!(
            "SELECT {}",
            nested("CASE WHEN a THEN 1 ELSE ", "0", " END", 20_000)
        ),
        format!("SELECT 1{}", " UNION SELECT 1".repeat(30_000)),
        format!("SELECT * FROM t{}", " JOIN t USING (a)".repeat(30_000)),
        format!("SELECT a{}", "[1]".repeat(100_000)),
        format!("SELECT (a){}", ".b".repeat(100_000)),
        format!("SELECT a{}", " COLLATE \"C\"".repeat(50_000)),
        format!("SELECT a{}", " IS NULL".repeat(50_000)),
        format!("SELECT a{}", " AND a".repeat(100_000)),
        format!("SELECT {}a", "a = ANY (SELECT ".repeat(10_000)),
        format!(
            "WITH {} SELECT 1",
            nested("a AS (WITH ", "b AS (SELECT 1) SELECT 1", ") SELECT 1", 10_000)
        ),
        format!("EXPLAIN {}", nested("(", "SELECT 1", ")", 10_000)),
        "/*".repeat(200_000),
        nested("/*", "", "*/", 140),
        "SELECT 1;".repeat(100_000),
        format!("SELECT {}1", "1,".repeat(190_000)),
        format!("SELECT {}1", "1,".repeat(500_000)),
        format!("SELECT '{}'", "x".repeat(1_000_000)),
        format!("SELECT $a${}", "$b$".repeat(300_000)),
        format!("SELECT {}", "\"".repeat(500_001)),
    ];
    for text in texts {
        let begin = text.get(..40).unwrap_or(&text).to_owned();
        let started = Instant::now();
        let judged = on_a_large_stack(move || judged(&text));
        assert!(judged.effect() >= Effect::Read, "{begin}");
        assert!(
            started.elapsed() < Duration::from_mins(1),
            "{begin}: {:?}",
            started.elapsed()
        );
    }
}

/// Eight kilobytes are parsed where they arrive; the worst of them must fit the stack.
#[test]
fn what_is_parsed_inline_fits_the_stack() {
    for (open, core, close) in [
        ("(", "SELECT 1", ")"),
        ("SELECT(", "SELECT 1", ")"),
        ("SELECT-", "1", ""),
        ("- ", "1", ""),
        ("NOT ", "a", ""),
        ("[", "1", "]"),
        ("f(", "1", ")"),
        ("a(", "", ")"),
        ("a[", "1", "]"),
        ("", "a", "::a"),
        ("", "a", "+a"),
        ("", "a", ".a"),
        ("", "(a)", ".a"),
        ("", "a", "[1]"),
        ("", "a", " a"),
        ("", "a", " isnull"),
        ("a=(", "1", ")"),
        ("(", "1", ",1)"),
        ("row(", "1", ")"),
        ("exists(select ", "1", ")"),
    ] {
        for prefix in [
            "",
            "SELECT ",
            "SELECT ARRAY",
            "SELECT 1 WHERE ",
            "SELECT * FROM ",
            "DELETE FROM t WHERE ",
        ] {
            let times = (8 * 1024 - prefix.len() - core.len()) / (open.len() + close.len());
            let text = format!("{prefix}{}", nested(open, core, close, times));
            on_a_large_stack(|| judged(&text));
        }
    }
}

#[test]
fn runs_of_operators_are_refused_at_once() {
    let started = Instant::now();
    for run in ["/*", "+-", "<", "=@#"] {
        let text = format!("SELECT 1 {} 1", run.repeat(400_000 / run.len()));
        assert_eq!(effect(&text), Effect::Unknown);
    }
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn bytes_that_no_text_has_are_unknown() {
    let usual = super::USUAL;
    for text in [
        &b"SELECT 1\0"[..],
        b"\0",
        b"SELECT 1\0; DROP TABLE t",
        b"SELECT '\xff'",
        b"SELECT \x8f'\xc0",
        // In SJIS, 0x83 0x5C is one character, whose second byte is a backslash.
        b"SELECT '\x83\x5c'",
        b"\xef\xbb",
    ] {
        assert_eq!(
            judge_text(text, usual, 1000).effect(),
            Effect::Unknown,
            "{text:?}"
        );
    }
    assert_eq!(judge_text(b"SELECT 1", usual, 7).effect(), Effect::Unknown);
    let foreign = Meaning {
        encoding_is_safe: false,
        ..usual
    };
    assert_eq!(judge_text(b"SELECT 1", foreign, 1000).effect(), Effect::Unknown);
    for empty in [
        &b""[..],
        b" \n",
        b";",
        b" ; ;",
        b"-- a comment",
        b"/* a /* nested */ comment */",
    ] {
        assert!(judge_text(empty, usual, 1000).statements.is_empty(), "{empty:?}");
    }
}
