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

/// White space between words as one blank, for a list; the whole text is shown by `show`.
pub(in crate::cli) fn one_line(statement: &str) -> String {
    visible(&statement.split_whitespace().collect::<Vec<_>>().join(" "))
}
