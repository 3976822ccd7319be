//! What the requester reads about a statement that does not simply pass.

use jiff::Timestamp;

use super::limited::in_rows;
use crate::model::quorum::in_words;
use crate::model::{Basis, Edit, Justification, NewRequest, RequestId, Review, Seat, Settlement};
use crate::wire::{Report, sqlstate};

/// A held request as its requester is told of it.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) id: RequestId,
    /// Who must approve, in words.
    pub(super) approvers: String,
    /// How many people that are.
    pub(super) seats: usize,
    pub(super) url: String,
    pub(super) expires_at: Timestamp,
    pub(super) command: String,
    /// Of the bytes as they were sent.
    pub(super) digest: [u8; 32],
}

pub(super) fn held(held: &Held, now: Timestamp) -> Report {
    Report::notice(format!(
        "held: {} waits for approval by {} (request {})",
        held.command, held.approvers, held.id
    ))
    .detail(format!(
        "Review it at {} until {}.",
        held.url,
        until(held.expires_at, now)
    ))
    .hint("The statement runs once it is approved. Ctrl-C withdraws the request.")
}

pub(super) fn still_held(held: &Held, now: Timestamp) -> Report {
    Report::notice(format!(
        "still held: request {} waits for approval by {} until {}",
        held.id,
        held.approvers,
        until(held.expires_at, now)
    ))
}

pub(super) fn approved(held: &Held, reviews: &[Review]) -> Report {
    let notice = Report::notice(format!("request {} approved by {}", held.id, names(reviews)));
    let comments: Vec<String> = reviews
        .iter()
        .filter(|r| !r.comment.is_empty())
        .map(|r| format!("{}: {}", r.reviewer, r.comment))
        .collect();
    if comments.is_empty() {
        notice
    } else {
        notice.detail(comments.join("\n"))
    }
}

/// Somebody has approved, and others have to.
pub(super) fn partly_approved(held: &Held, review: &Review, missing: &[Seat]) -> Report {
    let there = held.seats.saturating_sub(missing.len());
    let waits_for = in_words(&missing.iter().collect::<Vec<_>>());
    let notice = Report::notice(format!(
        "request {}: {there} of {} approved: {} by {}; waiting for {waits_for}",
        held.id,
        held.seats,
        review.groups.join(", "),
        review.reviewer,
    ));
    if review.comment.is_empty() {
        notice
    } else {
        notice.detail(format!("{}: {}", review.reviewer, review.comment))
    }
}

/// An approver has changed the statement.
pub(super) fn edited(held: &Held, edit: &Edit, missing: &[Seat]) -> Report {
    let waits_for = if missing.is_empty() {
        "it runs so".to_owned()
    } else {
        format!("waiting for {}", in_words(&missing.iter().collect::<Vec<_>>()))
    };
    let notice = Report::notice(format!(
        "request {}: {} has changed the statement; {waits_for}",
        held.id, edit.editor
    ))
    .hint("Ctrl-C withdraws the request.");
    let why = if edit.comment.is_empty() {
        String::new()
    } else {
        format!("{}: {}\n", edit.editor, edit.comment)
    };
    notice.detail(format!("{why}It is now:\n{}", edit.statement))
}

/// The request was settled otherwise than by an approval or by the requester.
pub(super) fn settled(settlement: &Settlement, held: &Held) -> Report {
    match settlement {
        Settlement::Rejected(review) => Report::error(
            sqlstate::INSUFFICIENT_PRIVILEGE,
            format!("rejected by {}: {}", review.reviewer, review.comment),
        )
        .detail(format!("Request {}, {}", held.id, held.url))
        .hint("Change the statement as the reason says, or talk to the reviewer, and send it again."),
        Settlement::Expired => Report::error(
            sqlstate::QUERY_CANCELED,
            format!(
                "approval expired: it was not approved by {} in time",
                held.approvers
            ),
        )
        .detail(format!("Request {}, {}", held.id, held.url))
        .hint("The statement did not run. Send it again to ask again."),
        Settlement::Closed(_) | Settlement::Approved { .. } => not_approved(held),
    }
}

pub(super) fn withdrawn(held: &Held) -> Report {
    Report::error(
        sqlstate::QUERY_CANCELED,
        "canceling statement due to user request",
    )
    .detail(format!(
        "Request {} was withdrawn. The statement did not run.",
        held.id
    ))
}

/// It was not asked for yet.
pub(super) fn cancelled() -> Report {
    Report::error(
        sqlstate::QUERY_CANCELED,
        "canceling statement due to user request",
    )
    .detail("The statement did not run.")
}

pub(super) fn not_approved(held: &Held) -> Report {
    Report::error(
        sqlstate::QUERY_CANCELED,
        "the request was closed without an approval",
    )
    .detail(format!("Request {}, {}", held.id, held.url))
    .hint("The statement did not run. Send it again to ask again.")
}

pub(super) fn denied(reason: &str, rule: &str, id: RequestId, url: &str) -> Report {
    Report::error(
        sqlstate::INSUFFICIENT_PRIVILEGE,
        format!("denied by policy: {reason}"),
    )
    .detail(format!("Rule \"{rule}\"; recorded as request {id}, {url}"))
    .hint("The statement did not run, and nobody can approve it. Change it as the reason says.")
}

/// It runs although policy holds it. Nothing is said of grants: what is granted need not be noticed each time.
/// `ends_at` is when the time of a transaction in review is over.
pub(super) fn not_held(
    held: &Held,
    basis: &Basis,
    ends_at: Option<Timestamp>,
    now: Timestamp,
) -> Option<Report> {
    match basis {
        Basis::BreakGlass => Some(
            Report::warning(format!(
                "the glass is broken: {} runs without approval (request {})",
                held.command, held.id
            ))
            .detail(format!(
                "One of those who could have approved it will look at it afterwards: {}",
                held.url
            ))
            .hint("RESET holdpoint.break_glass once the emergency is over."),
        ),
        Basis::AdminExempt => Some(Report::notice(format!(
            "{} runs without approval: the rule exempts admins (request {})",
            held.command, held.id
        ))),
        Basis::Transaction { id } => {
            let notice = Report::notice(format!(
                "{} runs in the open transaction; its COMMIT will be held (request {id})",
                held.command
            ));
            Some(match ends_at {
                Some(ends_at) => notice.detail(format!(
                    "What is not committed by {} is rolled back, and ends the session.",
                    until(ends_at, now)
                )),
                None => notice,
            })
        }
        Basis::Grant { .. } | Basis::StandingApproval { .. } => None,
    }
}

/// A standing approval would cover it if its rows could be counted.
pub(super) fn uncounted(basis: &Basis, why: &str) -> Report {
    Report::notice(format!("{}, and does not cover this", covering(basis))).detail(format!(
        "The rows that a statement changes are counted before they stay changed, which is not possible here: {why}."
    ))
}

/// It was within a standing approval but for its rows, and waits.
pub(super) fn undone(basis: &Basis, why: &str, id: RequestId) -> Report {
    Report::notice(format!(
        "{}; {why}, and was rolled back (request {id}): it waits for approval as any other",
        covering(basis)
    ))
}

/// The same, for those who are asked then.
pub(super) fn was_undone(basis: &Basis, why: &str, id: RequestId) -> String {
    format!(
        "{}; {why} a moment ago, and was rolled back (request {id})",
        covering(basis)
    )
}

/// The same, where its requester has cancelled it meanwhile.
pub(super) fn undone_and_cancelled(held: &Held) -> Report {
    Report::error(
        sqlstate::QUERY_CANCELED,
        "canceling statement due to user request",
    )
    .detail(format!("What it did was rolled back (request {}).", held.id))
}

fn covering(basis: &Basis) -> String {
    let id = match basis {
        Basis::StandingApproval { id, .. } | Basis::Grant { id } | Basis::Transaction { id } => id,
        Basis::AdminExempt | Basis::BreakGlass => "",
    };
    let rows = basis
        .max_rows()
        .map_or_else(String::new, |rows| format!(" up to {}", in_rows(rows.into())));
    format!("standing approval {id} covers{rows}")
}

/// What is in review would be committed under another name.
pub(super) fn commit_by_itself() -> Report {
    Report::error(
        sqlstate::FEATURE_NOT_SUPPORTED,
        "a transaction that is reviewed as a whole is committed by a COMMIT of its own",
    )
    .hint("Send COMMIT by itself, or ROLLBACK.")
}

/// A COMMIT stands in one pipeline with what may have changed the transaction that it is to end.
pub(super) fn commit_behind_others() -> Report {
    Report::error(
        sqlstate::FEATURE_NOT_SUPPORTED,
        "a transaction that is reviewed as a whole is not committed in one pipeline with savepoints or other control of \
         transactions",
    )
    .hint("Send a Sync before the COMMIT.")
}

/// More than can be shown to people.
pub(super) fn too_much_to_review() -> Report {
    Report::error(
        sqlstate::FEATURE_NOT_SUPPORTED,
        "the transaction has more savepoints and rollbacks to them than can be reviewed",
    )
    .hint("Send ROLLBACK, and do it again in parts.")
}

/// The rules ask for what the requester has not given.
pub(super) fn unjustified(asked: Justification, request: &NewRequest) -> Report {
    let mut missing = Vec::new();
    if asked.reason && request.justification.is_none() {
        missing.push(("reason", "why it is to run"));
    }
    if asked.ticket && request.ticket.is_none() {
        missing.push(("ticket", "OPS-42"));
    }
    let words: Vec<&str> = missing.iter().map(|(word, _)| *word).collect();
    let comment: Vec<String> = missing
        .iter()
        .map(|(word, example)| format!("{word}: {example}"))
        .collect();
    let settings: Vec<String> = missing
        .iter()
        .map(|(word, example)| format!("SET holdpoint.{word} = '{example}';"))
        .collect();
    Report::error(
        sqlstate::INSUFFICIENT_PRIVILEGE,
        format!(
            "this {} needs a {} before it can be reviewed",
            request.command,
            words.join(" and a ")
        ),
    )
    .detail(format!(
        "Rule \"{}\" asks for it. Nobody was asked.",
        request.rule
    ))
    .hint(format!(
        "Put it at the head of the statement: /* {} */ … Or send before it: {}",
        comment.join("; "),
        settings.join(" ")
    ))
}

pub(super) fn cannot_record() -> Report {
    Report::error(
        sqlstate::IO_ERROR,
        "the statement cannot be recorded, and nothing runs unrecorded: holdpoint's store does not work",
    )
    .hint("The statement did not run. Tell the operator of holdpoint; its log says more.")
}

fn names(reviews: &[Review]) -> String {
    reviews
        .iter()
        .map(|r| r.reviewer.as_str())
        .collect::<Vec<_>>()
        .join(" and ")
}

/// "18:45:10 UTC (in 30 min)", with the date where it is not today's.
fn until(expires_at: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_until(expires_at).as_secs().max(0);
    let left = match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", (seconds + 30) / 60),
        _ => format!("{} h", (seconds + 1800) / 3600),
    };
    let form = if seconds < 43_200 {
        "%H:%M:%S UTC"
    } else {
        "%Y-%m-%d %H:%M:%S UTC"
    };
    format!("{} (in {left})", expires_at.strftime(form))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_time_left_is_said_in_units_for_people() {
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        for (expires, said) in [
            ("2026-11-22T10:00:45Z", "10:00:45 UTC (in 45 s)"),
            ("2026-11-22T10:30:00Z", "10:30:00 UTC (in 30 min)"),
            ("2026-11-22T14:00:00Z", "14:00:00 UTC (in 4 h)"),
            ("2026-11-23T14:00:00Z", "2026-11-23 14:00:00 UTC (in 28 h)"),
            ("2026-11-22T09:00:00Z", "09:00:00 UTC (in 0 s)"),
        ] {
            assert_eq!(until(expires.parse().unwrap(), now), said);
        }
    }
}
