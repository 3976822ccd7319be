//! A whole transaction as one request: what would be held runs in the open transaction, and its COMMIT is held.
//!
//! Asked for by `SET holdpoint.review = 'transaction'`, or by the rules that hold. Invariants:
//! - only statements that a rollback undoes run so: writes, and changes of definitions and privileges;
//! - as long as something has run so, nothing commits but a COMMIT by itself that people have approved;
//! - what people do not approve fails at its COMMIT, and with it the server rolls back.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::gate::{Gated, Ruling};
use super::relay::Session;
use crate::model::{Asks, Basis, Effect, Facts, HoldTerms, Judged, NewRequest, RequestId};
use crate::wire::backend::TransactionStatus;
use crate::wire::{Report, sqlstate};

/// More statements than this in one transaction are held one by one.
const MOST: usize = 1_000;
/// How much of their texts is shown together, in bytes.
const SHOWN: usize = 512 * 1024;

/// The statements of the transaction at hand that ran without having been approved yet.
#[derive(Debug)]
pub(super) struct InReview {
    /// The identifier that the request for the COMMIT will have.
    id: RequestId,
    since: Timestamp,
    terms: HoldTerms,
    facts: Facts,
    statements: Vec<Ran>,
    justification: Option<String>,
    ticket: Option<String>,
}

/// One of them.
#[derive(Debug)]
struct Ran {
    id: RequestId,
    text: String,
    /// Rows affected, once it has run to its end.
    rows: Option<u64>,
}

/// What a text does to a transaction that is in review.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Commits {
    No,
    /// It is a COMMIT and nothing else.
    Alone,
    /// It may commit among other things.
    Perhaps,
}

fn commits(judged: &Judged) -> Commits {
    let may_commit = |facts: &Facts| {
        facts.commands.iter().any(|command| {
            matches!(
                command.as_str(),
                "COMMIT" | "PREPARE TRANSACTION" | "UNKNOWN" | "UNPARSED"
            )
        })
    };
    let control = judged
        .statements
        .iter()
        .filter(|statement| statement.transaction_control || may_commit(&statement.facts));
    let mut any = false;
    for statement in control {
        any |= may_commit(&statement.facts);
    }
    match &judged.statements[..] {
        _ if !any => Commits::No,
        [only] if only.facts.commands == ["COMMIT"] => Commits::Alone,
        _ => Commits::Perhaps,
    }
}

impl Session {
    /// The ruling on a text in a transaction that is in review, where it would commit; `None`: as ever.
    pub(super) fn rule_in_review(&self, judged: &Judged) -> Option<Result<Ruling, Report>> {
        let review = self.review.as_deref()?;
        if self.status == TransactionStatus::Failed {
            // A COMMIT rolls back now.
            return None;
        }
        match commits(judged) {
            Commits::No => None,
            Commits::Alone => Some(Ok(Ruling::Hold(review.terms.clone()))),
            Commits::Perhaps => Some(Err(Report::error(
                sqlstate::FEATURE_NOT_SUPPORTED,
                "a transaction that is reviewed as a whole is committed by a COMMIT of its own",
            )
            .hint("Send COMMIT by itself, or ROLLBACK."))),
        }
    }

    /// Whether a statement that policy holds runs in the open transaction, to be reviewed with its COMMIT.
    pub(super) fn is_reviewed_later(&self, gated: &Gated, asks: &Asks) -> bool {
        let facts = &gated.facts;
        let is_undone = matches!(facts.effect, Effect::Write | Effect::Schema | Effect::Privilege);
        (self.own.reviews_transactions() || asks.review_transaction)
            && self.status == TransactionStatus::InTransaction
            && is_undone
            && !gated.controls_transactions()
            && self
                .review
                .as_ref()
                .is_none_or(|review| review.statements.len() < MOST)
    }

    /// Whether it is the COMMIT of the transaction that is in review.
    pub(super) fn is_reviewed_commit(&self, gated: &Gated) -> bool {
        self.review.is_some() && gated.facts.commands == ["COMMIT"]
    }

    /// Notes a statement that runs now and is reviewed with the COMMIT. Gives on which grounds it runs.
    pub(super) fn review_later(&mut self, request: &NewRequest, terms: &HoldTerms, facts: &Facts) -> Basis {
        let review = self.review.get_or_insert_with(|| {
            Box::new(InReview {
                id: RequestId::from_random(rand::random()),
                since: request.created_at,
                terms: terms.clone(),
                facts: facts.clone(),
                statements: Vec::new(),
                justification: None,
                ticket: None,
            })
        });
        review.terms.asks.join(&terms.asks);
        for rule in &terms.rules {
            if !review.terms.rules.contains(rule) {
                review.terms.rules.push(rule.clone());
            }
        }
        review.facts.absorb(facts);
        if review.justification.is_none() {
            review.justification.clone_from(&request.justification);
        }
        if review.ticket.is_none() {
            review.ticket.clone_from(&request.ticket);
        }
        review.statements.push(Ran {
            id: request.id,
            text: request.statement.clone(),
            rows: None,
        });
        Basis::Transaction {
            id: review.id.to_string(),
        }
    }

    /// Statements have run to their end: with how many rows.
    pub(super) fn note_all_ran(&mut self) {
        for (id, rows) in self.runs.done.drain(..) {
            let review = self.review.as_deref_mut();
            if let Some(ran) = review.and_then(|review| review.statements.iter_mut().find(|ran| ran.id == id))
            {
                ran.rows = rows;
            }
        }
    }

    /// The transaction has ended, or its COMMIT goes upstream.
    pub(super) fn end_review(&mut self) {
        self.review = None;
    }

    /// What people are asked about at the COMMIT: all that ran, with the rows affected.
    pub(super) fn asks_for_commit(&self, request: &mut NewRequest) {
        let Some(review) = &self.review else { return };
        let facts = &review.facts;
        request.id = review.id;
        request.statement = review.listing();
        request.command = format!("COMMIT, {}", facts.commands.join(", "));
        request.effect = facts.effect;
        request.tables.clone_from(&facts.tables);
        request.functions.clone_from(&facts.functions);
        request.unfiltered = facts.unfiltered;
        request.shape = None;
        request.signals.clone_from(&facts.signals);
        request.signals.push(format!(
            "a transaction of {} statements that have run and hold their locks: approved, it commits, else it is \
             rolled back",
            review.statements.len()
        ));
        request.justification = request
            .justification
            .take()
            .or_else(|| review.justification.clone());
        request.ticket = request.ticket.take().or_else(|| review.ticket.clone());
        // Locks are held since the first of them: that is when the time begins to run.
        let waited = review.since.duration_until(request.created_at);
        request.expires_at = request
            .expires_at
            .saturating_sub(waited)
            .unwrap_or(request.expires_at)
            .max(request.created_at);
    }
}

impl InReview {
    fn listing(&self) -> String {
        let mut text = String::new();
        for (number, ran) in self.statements.iter().enumerate() {
            let rows = match ran.rows {
                Some(1) => "1 row".to_owned(),
                Some(rows) => format!("{rows} rows"),
                None => "no number of rows".to_owned(),
            };
            if text.len() + ran.text.len() > SHOWN {
                let more = self.statements.len() - number;
                // Writing to a String cannot fail.
                let _ = writeln!(
                    text,
                    "-- … and {more} more statements, which are requests of their own."
                );
                break;
            }
            let _ = writeln!(text, "-- {}: {rows} (request {})", number + 1, ran.id);
            let statement = ran.text.trim_end();
            text.push_str(statement);
            text.push_str(if statement.ends_with(';') { "\n\n" } else { ";\n\n" });
        }
        text.push_str("COMMIT");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{Judge, JudgeLimits, Meaning};

    #[test]
    fn whatever_could_commit_is_told_from_what_cannot() {
        let judge = Judge::new(JudgeLimits::default());
        let meaning = Meaning {
            standard_conforming_strings: true,
            encoding_is_safe: true,
        };
        for (text, expected) in [
            ("COMMIT", Commits::Alone),
            ("end;", Commits::Alone),
            ("COMMIT AND CHAIN", Commits::Alone),
            ("COMMIT; SELECT 1", Commits::Perhaps),
            ("DELETE FROM t; COMMIT", Commits::Perhaps),
            ("PREPARE TRANSACTION 'a'", Commits::Perhaps),
            ("COMMIT PREPARED 'a'", Commits::No),
            ("ROLLBACK", Commits::No),
            ("SAVEPOINT a", Commits::No),
            ("DELETE FROM t", Commits::No),
            ("this is no SQL", Commits::Perhaps),
            ("", Commits::No),
        ] {
            let judged = judge.judge_inline(text.as_bytes(), meaning);
            assert_eq!(judged.map(|judged| commits(&judged)), Some(expected), "{text}");
        }
    }
}
