//! Requests as a person reads them on a terminal.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::super::output::{shortened, table, visible, visible_lines};
use crate::model::quorum::in_words;

use super::super::remote::words::{followed_up, local, one_line, reviewed, until};
use super::view::{Earlier, Outcome, Parameter, Request, Table};

/// The columns of a list before the statement take about this much.
const STATEMENT_INDENT: usize = 66;
/// A statement is shown at least this wide, on however narrow a terminal.
const STATEMENT_MINIMUM: usize = 24;

/// A list of requests, one line each: with what would run, or ran.
pub(super) fn list(requests: &[Request], now: Timestamp, width: usize) -> String {
    if requests.is_empty() {
        return "No requests.\n".to_owned();
    }
    let room = width.saturating_sub(STATEMENT_INDENT).max(STATEMENT_MINIMUM);
    let rows: Vec<Vec<String>> = requests
        .iter()
        .map(|r| {
            let edit = r.edits.last();
            let statement = edit.map_or(&r.statement, |edit| &edit.statement);
            let effect = edit.and_then(|edit| edit.effect.as_ref()).unwrap_or(&r.effect);
            vec![
                visible(&r.id),
                visible(&r.state),
                visible(&r.user),
                visible(&r.database),
                visible(effect),
                waits_for(r, now),
                shortened(&one_line(statement), room),
            ]
        })
        .collect();
    table(
        &[
            "ID",
            "STATE",
            "USER",
            "DATABASE",
            "EFFECT",
            "EXPIRES",
            "STATEMENT",
        ],
        &rows,
    )
}

/// Everything about one request.
pub(super) fn whole(request: &Request, now: Timestamp) -> String {
    let mut out = format!(
        "{} · {}\n\n{}",
        visible(&request.id),
        visible(&request.state),
        visible_lines(request.statement.trim_matches('\n'))
    );
    for (i, parameter) in request.parameters.iter().enumerate() {
        let _ = writeln!(out, "    ${} = {}", i + 1, bound(parameter));
    }
    for (edit, number) in request.edits.iter().zip(1..) {
        let _ = writeln!(
            out,
            "\nchanged by {} at {}{} (edits {number}) to:\n\n{}",
            visible(&edit.editor),
            local(edit.at),
            if edit.comment.is_empty() {
                String::new()
            } else {
                format!(": {}", visible(&edit.comment))
            },
            visible_lines(edit.statement.trim_matches('\n'))
        );
    }
    if let count @ 1.. = request.edits.len()
        && request.state == "pending"
    {
        let _ = writeln!(out, "To approve it as it is now: --edits {count}");
    }
    out.push('\n');
    for (label, value) in facts(request, now) {
        if !value.is_empty() {
            let _ = writeln!(out, "{label:<12} {value}");
        }
    }
    for earlier in &request.earlier {
        let _ = writeln!(out, "{:<12} {}", "before", before(earlier));
    }
    for review in &request.reviews {
        let _ = writeln!(out, "{:<12} {}", "review", reviewed(review));
    }
    if let Some(followup) = &request.followup {
        let _ = writeln!(out, "{:<12} {}", "afterwards", followed_up(followup));
    }
    if let Some(outcome) = &request.outcome {
        let _ = writeln!(out, "{:<12} {}", "outcome", came_of_it(outcome));
    }
    out
}

/// One line on what a verdict has brought about.
pub(super) fn decided(request: &Request, verdict: &str) -> String {
    let id = visible(&request.id);
    if request.state == "pending" {
        let approvals = request.quorum.seats().len().saturating_sub(request.missing.len());
        return format!(
            "{verdict} {id}; it still waits ({approvals} of {} approvals: {})\n",
            request.quorum.seats().len(),
            visible(&request.quorum.to_string())
        );
    }
    format!("{verdict} {id}; it is {} now\n", visible(&request.state))
}

fn facts(request: &Request, now: Timestamp) -> Vec<(&'static str, String)> {
    let tables: Vec<String> = request.tables.iter().map(named).collect();
    vec![
        (
            "asked by",
            format!("{} on {}", visible(&request.user), visible(&request.database)),
        ),
        ("from", from(request)),
        ("effect", effect(request)),
        ("tables", as_asked(request, tables.join(", "))),
        (
            "functions",
            as_asked(request, visible(&request.functions.join(", "))),
        ),
        ("signals", as_asked(request, visible(&request.signals.join("; ")))),
        ("rule", visible(&request.rule)),
        (
            "justified",
            visible(request.justification.as_deref().unwrap_or_default()),
        ),
        ("ticket", visible(request.ticket.as_deref().unwrap_or_default())),
        ("not held", not_held(request)),
        ("needs", needs(request)),
        ("asked at", local(request.created_at)),
        ("expires", expires(request, now)),
        ("reason", visible(request.reason.as_deref().unwrap_or_default())),
    ]
}

fn from(request: &Request) -> String {
    match (visible(&request.application_name), visible(&request.client_addr)) {
        (application, addr) if application.is_empty() => addr,
        (application, addr) => format!("{application}, {addr}"),
    }
}

/// The effect and the commands of what would run, or ran; and of a statement that was changed, that no more is known.
fn effect(request: &Request) -> String {
    let edit = request.edits.last();
    let effect = edit
        .and_then(|edit| edit.effect.as_ref())
        .unwrap_or(&request.effect);
    let command = edit.map_or(&request.command, |edit| &edit.command);
    let mut text = visible(effect);
    if !command.is_empty() {
        let _ = write!(text, " ({})", visible(command));
    }
    match edit {
        Some(edit) => {
            let _ = write!(
                text,
                ", as {} has changed it; whether it has a WHERE was not looked at: read it",
                visible(&edit.editor)
            );
        }
        None if request.unfiltered => text.push_str(", WITHOUT A WHERE"),
        None => {}
    }
    if request.in_transaction {
        text.push_str(", inside an open transaction");
        if let Some(since) = request.transaction_since {
            let _ = write!(text, " (since {})", since.strftime("%H:%M:%S UTC"));
        }
        text.push_str(": it may hold locks while it waits");
    }
    text
}

/// Marks what is known only of the statement as it was asked, where another would run.
fn as_asked(request: &Request, text: String) -> String {
    if text.is_empty() || request.edits.is_empty() {
        return text;
    }
    format!("as it was asked: {text}")
}

fn named(table: &Table) -> String {
    let name = match &table.schema {
        Some(schema) => format!("{schema}.{}", table.name),
        None => table.name.clone(),
    };
    visible(&name) + if table.written { " (changed)" } else { "" }
}

/// Why it did not wait, where it did not.
fn not_held(request: &Request) -> String {
    let Some(basis) = &request.basis else {
        return String::new();
    };
    let why = match basis.kind.as_str() {
        "admin_exempt" => "the rule exempts admins",
        "break_glass" => "the requester broke the glass",
        "transaction" => "it ran in a transaction that is decided on as a whole",
        "grant" => "access was granted",
        "standing_approval" => "it was approved beforehand",
        other => other,
    };
    let limit = match basis.max_rows {
        Some(1) => ", up to 1 row".to_owned(),
        Some(rows) => format!(", up to {rows} rows"),
        None => String::new(),
    };
    match &basis.id {
        Some(id) => format!("{}{limit} ({})", visible(why), visible(id)),
        None => visible(why),
    }
}

fn needs(request: &Request) -> String {
    if request.basis.is_some() || request.quorum.is_empty() {
        return String::new();
    }
    let needed = format!("approval by {}", visible(&request.quorum.to_string()));
    if request.missing.is_empty() || request.missing.len() == request.quorum.seats().len() {
        return needed;
    }
    let missing = in_words(&request.missing.iter().collect::<Vec<_>>());
    format!("{needed}; waits for {}", visible(&missing))
}

/// What the session sent before, in a line.
fn before(earlier: &Earlier) -> String {
    const LONGEST: usize = 200;
    let text = match one_line(&earlier.text) {
        text if text.is_empty() => "(its text was not kept)".to_owned(),
        text if earlier.is_cut => format!("{text} …"),
        text => text,
    };
    let place = if earlier.same_transaction {
        ", in this transaction"
    } else {
        ""
    };
    let request = earlier
        .request
        .as_ref()
        .map_or_else(String::new, |id| format!(" (request {})", visible(id)));
    // As the console has it: what was held and did not run is "refused".
    let outcome = match earlier.outcome.as_str() {
        "held" => "held, and ran".to_owned(),
        other => visible(other),
    };
    format!(
        "{} s before{place}, {outcome}: {}{request}",
        earlier.seconds_before,
        shortened(&text, LONGEST)
    )
}

fn bound(parameter: &Parameter) -> String {
    let value = match &parameter.value {
        Some(value) => format!("'{}'", visible(value)),
        None => "NULL".to_owned(),
    };
    match &parameter.r#type {
        Some(name) => format!("{value} ({})", visible(name)),
        None => value,
    }
}

fn came_of_it(outcome: &Outcome) -> String {
    let mut parts = Vec::new();
    if !outcome.tag.is_empty() {
        parts.push(visible(&outcome.tag));
    }
    if let Some(rows) = outcome.rows {
        parts.push(format!("{rows} {}", if rows == 1 { "row" } else { "rows" }));
    }
    if let Some(error) = &outcome.error {
        parts.push(visible(error));
    }
    if let Some(sqlstate) = &outcome.sqlstate {
        parts.push(format!("SQLSTATE {}", visible(sqlstate)));
    }
    parts.push(format!("{} ms", outcome.duration_ms));
    parts.join(", ")
}

fn expires(request: &Request, now: Timestamp) -> String {
    // A denied statement never waited.
    if request.expires_at == request.created_at {
        return String::new();
    }
    match waits_for(request, now) {
        left if left.is_empty() => local(request.expires_at),
        left => format!("{} ({left})", local(request.expires_at)),
    }
}

/// How long a pending request still waits, as in `in 14 min`; nothing for the others.
fn waits_for(request: &Request, now: Timestamp) -> String {
    if request.state != "pending" {
        return String::new();
    }
    until(request.expires_at, now)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    fn request() -> Request {
        serde_json::from_value(json!({
            "id": "k7f3m9q2x0ab", "state": "pending", "database": "shop", "user": "alice",
            "groups": ["dba", "security"], "quorum": [["dba"], ["security"]], "missing": [["security"]], "application_name": "psql\u{1b}]0;x", "client_addr": "127.0.0.1:50000",
            "statement": "DELETE\n  FROM payments\u{202e} WHERE id = $1", "parameters": [{"value": "4711", "type": "int4"}, {"value": null, "type": null}],
            "command": "DELETE", "effect": "write",
            "tables": [{"schema": null, "name": "payments", "written": true}], "functions": [], "signals": [],
            "unfiltered": false, "in_transaction": true, "transaction_since": "2026-03-01T11:58:00Z", "rule": "writes need a DBA",
            "created_at": "2026-03-01T12:00:00Z", "expires_at": "2026-03-01T12:30:00Z",
            "reviews": [{"reviewer": "bob", "groups": ["dba"], "verdict": "approve", "comment": "ok", "at": "2026-03-01T12:01:00Z"}],
            "earlier": [
                {"text": "BEGIN", "is_cut": false, "seconds_before": 120, "same_transaction": true, "outcome": "passed"},
                {"text": "SELECT 1\u{1b}[2J", "is_cut": true, "seconds_before": 1, "same_transaction": false, "outcome": "passed"},
                {"text": "UPDATE", "request": "9q7tnckk9p95", "seconds_before": 1, "same_transaction": true, "outcome": "held"},
                {"text": "DELETE", "request": "8q7tnckk9p95", "seconds_before": 0, "same_transaction": true, "outcome": "refused"}
            ],
            "reason": null, "outcome": null
        }))
        .unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_list_shows_one_harmless_line_per_request() {
        let text = list(&[request()], at("2026-03-01T12:15:30Z"), 200);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(
            lines[1],
            "k7f3m9q2x0ab  pending  alice  shop      write   in 14 min  DELETE ↵ FROM payments\\u{202e} WHERE id = $1"
        );
        assert_eq!(list(&[], at("2026-03-01T12:00:00Z"), 80), "No requests.\n");
    }

    #[test]
    fn the_whole_of_a_request_has_what_one_needs_to_decide() {
        let text = whole(&request(), at("2026-03-01T12:15:30Z"));
        for part in [
            "    DELETE\n      FROM payments\\u{202e} WHERE id = $1\n    $1 = '4711' (int4)\n    $2 = NULL\n",
            "asked by     alice on shop\n",
            "before       120 s before, in this transaction, passed: BEGIN\n",
            "before       1 s before, passed: SELECT 1\\u{1b}[2J …\n",
            "before       1 s before, in this transaction, held, and ran: UPDATE (request 9q7tnckk9p95)\n",
            "before       0 s before, in this transaction, refused: DELETE (request 8q7tnckk9p95)\n",
            "from         psql\\u{1b}]0;x, 127.0.0.1:50000\n",
            "effect       write (DELETE), inside an open transaction (since 11:58:00 UTC)",
            "tables       payments (changed)\n",
            "needs        approval by one member each of dba and security; waits for a member of security\n",
            "(in 14 min)\n",
            "review       bob approved for dba at ",
            ": ok\n",
        ] {
            assert!(text.contains(part), "{part:?} is missing in:\n{text}");
        }
        assert!(!text.contains("functions"), "empty facts are left out");
    }

    #[test]
    fn how_to_approve_a_change_is_said_while_that_can_be_done() {
        let mut changed = request();
        let edit = json!({
            "editor": "bob", "at": "2026-03-01T12:02:00Z", "comment": "", "statement": "SELECT 1", "command": "SELECT",
            "effect": "read"
        });
        changed.edits = vec![serde_json::from_value(edit).unwrap()];
        let now = at("2026-03-01T12:15:30Z");
        let listed = list(std::slice::from_ref(&changed), now, 200);
        assert!(listed.ends_with("read    in 14 min  SELECT 1\n"), "{listed}");
        assert!(whole(&changed, now).contains("To approve it as it is now: --edits 1\n"));
        changed.state = "executed".to_owned();
        assert!(!whole(&changed, now).contains("--edits"));
    }

    #[test]
    fn what_is_known_only_of_what_was_asked_is_marked() {
        let mut changed = request();
        changed.unfiltered = true;
        changed.functions = vec!["now".to_owned()];
        let now = at("2026-03-01T12:15:30Z");
        let text = whole(&changed, now);
        assert!(
            text.contains("write (DELETE), WITHOUT A WHERE, inside") && !text.contains("as it was asked"),
            "{text}"
        );
        let edit = json!({
            "editor": "bo\u{1b}b", "at": "2026-03-01T12:02:00Z", "statement": "UPDATE payments SET id = 1",
            "command": "UPDATE", "effect": "write"
        });
        changed.edits = vec![serde_json::from_value(edit).unwrap()];
        let text = whole(&changed, now);
        for part in [
            "effect       write (UPDATE), as bo\\u{1b}b has changed it; whether it has a WHERE was not looked at: read it, inside",
            "tables       as it was asked: payments (changed)\n",
            "functions    as it was asked: now\n",
        ] {
            assert!(text.contains(part), "{part:?} is missing in:\n{text}");
        }
        assert!(
            !text.contains("WITHOUT A WHERE") && !text.contains("signals"),
            "{text}"
        );
    }

    #[test]
    fn an_outcome_says_how_it_ended() {
        let mut done = request();
        done.state = "failed".into();
        done.outcome = Some(Outcome {
            tag: String::new(),
            rows: None,
            sqlstate: Some("23503".into()),
            error: Some("violates a foreign key".into()),
            duration_ms: 12,
        });
        done.basis = Some(super::super::view::Basis {
            kind: "standing_approval".into(),
            id: Some("m7f3m9q2x0ab".into()),
            max_rows: Some(10),
        });
        let text = whole(&done, at("2026-03-01T13:00:00Z"));
        assert!(text.contains("not held     it was approved beforehand, up to 10 rows (m7f3m9q2x0ab)\n"));
        assert!(text.contains("outcome      violates a foreign key, SQLSTATE 23503, 12 ms\n"));
        assert!(!text.contains("(due)"), "only a pending request is due");
    }

    #[test]
    fn a_verdict_says_whether_more_are_needed() {
        let mut r = request();
        assert_eq!(
            decided(&r, "approved"),
            "approved k7f3m9q2x0ab; it still waits (1 of 2 approvals: one member each of dba and security)\n"
        );
        r.state = "approved".into();
        assert_eq!(
            decided(&r, "approved"),
            "approved k7f3m9q2x0ab; it is approved now\n"
        );
    }

    #[test]
    fn waiting_is_told_in_the_unit_that_fits() {
        let r = request();
        for (now, expected) in [
            ("2026-03-01T12:30:00Z", "due"),
            ("2026-03-01T12:29:00Z", "in 60 s"),
            ("2026-03-01T12:28:00Z", "in 2 min"),
            ("2026-03-01T10:00:00Z", "in 2 h"),
            ("2026-02-20T12:00:00Z", "in 9 days"),
        ] {
            assert_eq!(waits_for(&r, at(now)), expected, "{now}");
        }
    }
}
