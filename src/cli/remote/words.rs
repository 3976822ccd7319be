//! What requests and grants say alike on a terminal.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::super::output::visible;

/// What one person said.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Review {
    pub(in crate::cli) reviewer: String,
    pub(in crate::cli) verdict: String,
    #[serde(default)]
    pub(in crate::cli) groups: Vec<String>,
    #[serde(default)]
    pub(in crate::cli) comment: String,
    pub(in crate::cli) at: Timestamp,
}

/// A verdict on one line.
pub(in crate::cli) fn reviewed(review: &Review) -> String {
    said(review, ["approved", "rejected"])
}

/// On one line, what somebody said after the glass was broken.
pub(in crate::cli) fn followed_up(review: &Review) -> String {
    said(review, ["accepted it", "objected"])
}

fn said(review: &Review, [yes, no]: [&str; 2]) -> String {
    let verdict = match review.verdict.as_str() {
        "approve" => yes,
        "reject" => no,
        other => other,
    };
    let mut text = format!("{} {}", visible(&review.reviewer), visible(verdict));
    if !review.groups.is_empty() {
        let _ = write!(text, " for {}", visible(&review.groups.join(", ")));
    }
    let _ = write!(text, " at {}", local(review.at));
    if !review.comment.is_empty() {
        let _ = write!(text, ": {}", visible(&review.comment));
    }
    text
}

/// A point in time, where the reader is.
pub(in crate::cli) fn local(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system())
        .strftime("%Y-%m-%d %H:%M:%S %:z")
        .to_string()
}

/// How long it is until then, as in `in 14 min`.
pub(in crate::cli) fn until(then: Timestamp, now: Timestamp) -> String {
    match then.as_second() - now.as_second() {
        ..=0 => "due".to_owned(),
        s @ 1..120 => format!("in {s} s"),
        s @ 120..7200 => format!("in {} min", s / 60),
        s @ 7200..172_800 => format!("in {} h", s / 3600),
        s => format!("in {} days", s / 86_400),
    }
}

/// Blanks between words as one, and lines with a sign between them, since a comment ends where its line does; for a list. The
/// whole text is shown by `show`.
pub(in crate::cli) fn one_line(statement: &str) -> String {
    let words = |line: &str| {
        let words = line.split([' ', '\t']).filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join(" ")
    };
    let lines = statement
        .split(['\n', '\r'])
        .map(words)
        .filter(|line| !line.is_empty());
    visible(&lines.collect::<Vec<_>>().join(" \u{21b5} "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_does_not_read_as_a_comment() {
        for (text, shown) in [
            ("DELETE  FROM t\n\tWHERE id = 1", "DELETE FROM t ↵ WHERE id = 1"),
            ("DELETE -- AND\r\nOR true", "DELETE -- AND ↵ OR true"),
            ("DELETE -- AND\rOR true\n\n", "DELETE -- AND ↵ OR true"),
            ("SELECT id x\u{a0}FROM\u{a0}t", "SELECT id x\\u{a0}FROM\\u{a0}t"),
            ("a\u{b}b", "a\\u{b}b"),
        ] {
            assert_eq!(one_line(text), shown);
        }
    }
}
