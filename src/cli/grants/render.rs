//! Grants as a person reads them on a terminal.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::super::output::{shortened, table, visible, visible_lines};
use super::super::remote::words::{local, one_line, reviewed, until};
use super::view::Grant;
use crate::model::Holder;
use crate::model::quorum::in_words;

/// The columns of a list before what it is for take about this much.
const WHAT_INDENT: usize = 72;
/// What it is for is shown at least this wide, on however narrow a terminal.
const WHAT_MINIMUM: usize = 24;

/// A list of grants, one line each.
pub(super) fn list(grants: &[Grant], now: Timestamp, width: usize) -> String {
    if grants.is_empty() {
        return "None.\n".to_owned();
    }
    let room = width.saturating_sub(WHAT_INDENT).max(WHAT_MINIMUM);
    let rows: Vec<Vec<String>> = grants
        .iter()
        .map(|grant| {
            vec![
                visible(&grant.id),
                visible(&grant.state),
                holder(grant),
                visible(&grant.database),
                left(grant, now),
                used(grant),
                grant.max_rows.map_or_else(String::new, |rows| rows.to_string()),
                shortened(&what(grant), room),
            ]
        })
        .collect();
    table(
        &["ID", "STATE", "FOR", "DATABASE", "ENDS", "USED", "ROWS", "WHAT"],
        &rows,
    )
}

/// Everything about one grant.
pub(super) fn whole(grant: &Grant, now: Timestamp) -> String {
    let mut out = format!("{} · {}\n\n", visible(&grant.id), visible(&grant.state));
    if let Some(statement) = &grant.statement {
        out.push_str(&visible_lines(statement.trim_matches('\n')));
        out.push_str("    (and whatever differs from it in constants alone)\n\n");
    }
    let text = |text: &Option<String>| visible(text.as_deref().unwrap_or_default());
    let ends = match grant.ends_at {
        Some(at) if grant.state == "active" => format!("{} ({})", local(at), until(at, now)),
        Some(at) => local(at),
        None => String::new(),
    };
    let facts = [
        (
            "for",
            format!("{} on {}", holder(grant), visible(&grant.database)),
        ),
        ("up to", up_to(grant)),
        ("example of", text(&grant.request)),
        ("asked by", visible(&grant.asked_by)),
        ("justified", text(&grant.justification)),
        ("ticket", text(&grant.ticket)),
        ("length", visible(&grant.length)),
        ("used", used(grant)),
        ("rule", visible(&grant.rule)),
        ("needs", needs(grant)),
        ("asked at", local(grant.created_at)),
        ("expires", expires(grant, now)),
        ("ends", ends),
        ("taken back", text(&grant.settled_by)),
        ("reason", text(&grant.reason)),
    ];
    for (label, value) in facts {
        if !value.is_empty() {
            let _ = writeln!(out, "{label:<12} {value}");
        }
    }
    for review in &grant.reviews {
        let _ = writeln!(out, "{:<12} {}", "review", reviewed(review));
    }
    out
}

/// One line on how it stands.
pub(super) fn standing(grant: &Grant) -> String {
    let id = visible(&grant.id);
    match (grant.state.as_str(), grant.ends_at) {
        ("pending", _) => {
            let missing = in_words(&grant.missing.iter().collect::<Vec<_>>());
            format!("{id} waits for approval by {}\n", visible(&missing))
        }
        ("active", Some(at)) => format!("{id} counts until {}\n", local(at)),
        (state, _) => format!("{id} is {} now\n", visible(state)),
    }
}

fn holder(grant: &Grant) -> String {
    match &grant.holder {
        Holder::User(name) => visible(name),
        Holder::Group(name) => format!("group {}", visible(name)),
    }
}

fn what(grant: &Grant) -> String {
    match (&grant.up_to, &grant.statement) {
        (Some(up_to), _) => format!("up to {}", visible(up_to)),
        (None, Some(statement)) => one_line(statement),
        (None, None) => String::new(),
    }
}

/// The most severe effect of a window, or a standing approval's limit of rows; empty where it has none.
fn up_to(grant: &Grant) -> String {
    match (&grant.up_to, grant.max_rows) {
        (Some(effect), _) => visible(effect),
        (None, Some(1)) => "1 row".to_owned(),
        (None, Some(rows)) => format!("{rows} rows"),
        (None, None) => String::new(),
    }
}

fn used(grant: &Grant) -> String {
    match grant.times {
        Some(times) => format!("{} of {times}", grant.used),
        None => grant.used.to_string(),
    }
}

fn needs(grant: &Grant) -> String {
    if grant.quorum.is_empty() {
        return String::new();
    }
    format!("approval by {}", visible(&grant.quorum.to_string()))
}

fn expires(grant: &Grant, now: Timestamp) -> String {
    if grant.state != "pending" {
        return String::new();
    }
    format!("{} ({})", local(grant.expires_at), until(grant.expires_at, now))
}

/// How long it still counts; nothing where it does not.
fn left(grant: &Grant, now: Timestamp) -> String {
    match grant.ends_at {
        Some(at) if grant.state == "active" => until(at, now),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::{Value, json};

    use super::*;

    fn window() -> Value {
        json!({
            "id": "k7f3m9q2x0ab", "state": "pending", "database": "shop", "holder": {"user": "alice"},
            "up_to": "write", "length": "1h", "times": null, "used": 0, "justification": "incident\u{1b}[2J 42",
            "rule": "on call", "quorum": [["dba"]], "missing": [["dba"]], "asked_by": "alice",
            "created_at": "2026-03-01T12:00:00Z", "expires_at": "2026-03-01T12:30:00Z"
        })
    }

    fn standing_approval() -> Value {
        json!({
            "id": "m7f3m9q2x0ab", "state": "active", "database": "shop", "holder": {"group": "developers"},
            "statement": "DELETE\n FROM orders\u{202e} WHERE id = 1", "request": "k7f3m9q2x0ab", "length": "8h",
            "times": 5, "max_rows": 10, "used": 2, "created_at": "2026-03-01T12:00:00Z", "expires_at": "2026-03-01T12:30:00Z",
            "ends_at": "2026-03-01T20:00:00Z", "asked_by": "bob"
        })
    }

    fn grant(value: Value) -> Grant {
        serde_json::from_value(value).unwrap()
    }

    fn noon() -> Timestamp {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_list_has_a_harmless_line_each() {
        let text = list(&[grant(window()), grant(standing_approval())], noon(), 200);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "ID            STATE    FOR               DATABASE  ENDS    USED    ROWS  WHAT",
                "k7f3m9q2x0ab  pending  alice             shop              0             up to write",
                "m7f3m9q2x0ab  active   group developers  shop      in 8 h  2 of 5  10    DELETE ↵ FROM orders\\u{202e} WHERE id = 1",
            ]
        );
        assert_eq!(list(&[], noon(), 80), "None.\n");
    }

    #[test]
    fn the_whole_of_a_grant_has_what_one_needs_to_decide() {
        let text = whole(&grant(window()), noon());
        for part in [
            "k7f3m9q2x0ab · pending\n",
            "for          alice on shop\n",
            "up to        write\n",
            "justified    incident\\u{1b}[2J 42\n",
            "needs        approval by a member of dba\n",
            "(in 30 min)\n",
        ] {
            assert!(text.contains(part), "{part:?} is missing in:\n{text}");
        }
        let text = whole(&grant(standing_approval()), noon());
        for part in [
            "     FROM orders\\u{202e} WHERE id = 1\n    (and whatever differs",
            "for          group developers on shop\n",
            "used         2 of 5\n",
            "up to        10 rows\n",
            "(in 8 h)\n",
        ] {
            assert!(text.contains(part), "{part:?} is missing in:\n{text}");
        }
    }

    #[test]
    fn a_line_says_how_it_stands() {
        assert_eq!(
            standing(&grant(window())),
            "k7f3m9q2x0ab waits for approval by a member of dba\n"
        );
        assert!(standing(&grant(standing_approval())).starts_with("m7f3m9q2x0ab counts until 2026-03-0"));
        let mut ended = standing_approval();
        ended["state"] = json!("revoked");
        assert_eq!(standing(&grant(ended)), "m7f3m9q2x0ab is revoked now\n");
    }
}
