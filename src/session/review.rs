//! A whole transaction as one request: what would be held runs in the open transaction, and its COMMIT is held.
//!
//! Asked for by `SET holdpoint.review = 'transaction'`, or by the rules that hold. Invariants:
//! - only what a rollback undoes, and what shows nothing, runs so: single INSERT, UPDATE, DELETE and MERGE without
//!   RETURNING that call nothing which acts, on tables of which a change runs nothing else (triggers), and of which policy
//!   lets its client read all that it reads and changes: what it has written can be read in the same transaction;
//! - as long as something has run so, nothing commits but a COMMIT by itself that people have approved;
//! - what people do not approve fails at its COMMIT, and with it the server rolls back;
//! - it holds its locks for a limited time, wherever it stands (`limit.rs`).

mod limit;

use std::fmt::Write as _;

use jiff::Timestamp;

use super::gate::{Gated, Ruling};
use super::names::{Source, cut};
use super::relay::Session;
use super::runs::Came;
use crate::model::{
    Asks, Basis, Effect, Facts, HoldTerms, Judged, NewRequest, Parameter, RequestId, ReviewMode, Statement,
};
use crate::sql::gives_no_rows;
use crate::wire::backend::TransactionStatus;
use crate::wire::{Report, sqlstate};
use limit::Limit;

/// More statements than this in one transaction are held one by one.
const MOST: usize = 1_000;
/// How much of their texts is shown together, in bytes.
const SHOWN: usize = 512 * 1024;
/// How much of each, in bytes.
const SHOWN_EACH: usize = 16 * 1024;
/// How much of a bound value, in characters.
const SHOWN_VALUE: usize = 200;
/// Portals of COMMITs that are remembered in one transaction; with more, any portal may be one.
const PORTALS: usize = 100;

/// Portals that were bound to what may commit, in the transaction at hand.
#[derive(Debug, Default)]
pub(super) struct CommitPortals {
    named: Vec<Box<[u8]>>,
    /// There were too many.
    any: bool,
    /// That of the unnamed portal's last Bind.
    unnamed: bool,
}

impl Session {
    /// A Bind is cleared.
    pub(super) fn note_commit_portal(&mut self, portal: &[u8], judged: &Judged) {
        // What comes between a COMMIT's Bind and its Execute could take any time.
        self.drop_commit();
        let commits = may_commit(judged);
        let portals = &mut self.commit_portals;
        if portal.is_empty() {
            portals.unnamed = commits;
        } else if commits && portals.named.len() < PORTALS {
            portals.named.push(cut(portal).into());
        } else {
            portals.any |= commits;
        }
    }

    /// Whether executing a portal may commit. What was bound to the unnamed one in an earlier segment may still be
    /// there, or not.
    fn may_commit_by(&self, portal: &[u8]) -> bool {
        let portals = &self.commit_portals;
        if portal.is_empty() {
            portals.unnamed || !self.is_bound_here()
        } else {
            portals.any || portals.named.iter().any(|name| **name == *cut(portal))
        }
    }
}

/// The statements of the transaction at hand that ran without having been approved yet.
#[derive(Debug)]
pub(super) struct InReview {
    /// The identifier that the request for the COMMIT will have.
    id: RequestId,
    /// People were asked about a COMMIT under this identifier.
    is_asked: bool,
    /// The portal of a COMMIT that they have approved, and the segment that binds it.
    committing: Option<(Box<[u8]>, u64)>,
    /// There was one: what comes waits by itself.
    was_committing: bool,
    /// So many texts that no more can be shown.
    is_overfull: bool,
    /// How much of texts is shown, in bytes.
    shown: usize,
    since: Timestamp,
    limit: Limit,
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
    parameters: Vec<Parameter>,
    signals: Vec<String>,
    /// It is a savepoint or a rollback to one: what stands above may be undone.
    is_control: bool,
    /// What came of it, as far as the server has said; `None`: it has not run to its end.
    came: Option<Came>,
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
    // A look at a flag for nearly every text. What only the server's grammar takes may be anything.
    let any = judged
        .statements
        .iter()
        .any(|statement| statement.transaction_control && names_commit(&statement.facts));
    match &judged.statements[..] {
        _ if !any => Commits::No,
        [only] if only.facts.commands == ["COMMIT"] => Commits::Alone,
        _ => Commits::Perhaps,
    }
}

fn names_commit(facts: &Facts) -> bool {
    let commits = |command: &String| {
        matches!(
            command.as_str(),
            "COMMIT" | "PREPARE TRANSACTION" | "UNKNOWN" | "UNPARSED"
        )
    };
    facts.commands.iter().any(commits)
}

/// Whether a text may commit, whatever else it does.
pub(super) fn may_commit(judged: &Judged) -> bool {
    commits(judged) != Commits::No
}

impl Session {
    /// The ruling on a text in a transaction that is in review, where it would commit; `None`: as ever.
    pub(super) fn rule_in_review(&self, judged: &Judged) -> Option<Result<Ruling, Report>> {
        let review = self.review.as_deref()?;
        match commits(judged) {
            Commits::No => None,
            // For certain it rolls back now.
            Commits::Alone if self.server_refuses_all_but_the_end() && !self.intake.has_control => None,
            // People are asked once all before it is answered, which a Sync of ours must be able to ask for.
            Commits::Alone if self.intake.has_bound && !self.may_pause() => {
                Some(Err(super::notices::commit_behind_others()))
            }
            Commits::Alone if review.is_overfull => Some(Err(super::notices::too_much_to_review())),
            Commits::Alone => Some(Ok(Ruling::Hold(review.terms.clone()))),
            Commits::Perhaps => Some(Err(super::notices::commit_by_itself())),
        }
    }

    /// Whether a statement that policy holds may run in the open transaction, to be reviewed with its COMMIT, unless
    /// [`Self::why_not_later`] says why not.
    pub(super) fn is_reviewed_later(&self, gated: &Gated, asks: &Asks) -> bool {
        let asked_for = match asks.review {
            ReviewMode::Transaction => true,
            ReviewMode::AsRequested => self.own.reviews_transactions(),
            ReviewMode::Statement => false,
        };
        let is_open = |review: &InReview| {
            review.committing.is_none()
                && !review.was_committing
                && review.statements.len() < MOST
                && review.shown < SHOWN
        };
        asked_for
            && is_undone(gated)
            // What the server said last is so still: nothing is on its way that may begin or end a transaction.
            && self.status == TransactionStatus::InTransaction
            && !self.intake.has_control
            && !self.inflight.awaits_ready()
            && self.review.as_deref().is_none_or(is_open)
    }

    /// Why a statement that [`is_undone`] by its text is held by itself all the same.
    pub(super) fn why_not_later(&self, gated: &Gated) -> Option<String> {
        let reads = self.policy.decide_facts(&self.subject(), &gated.facts.as_read());
        if !reads.passes() {
            return Some("policy does not let its client read what it reads or changes".to_owned());
        }
        self.why_not_undone(gated)
    }

    /// What a change that [`is_undone`] by its text may do beside that, which a rollback may leave.
    pub(super) fn why_not_undone(&self, gated: &Gated) -> Option<String> {
        let Some(sight) = self.outlook.sight() else {
            return Some("what a change of its table runs is not known: no catalogue is kept".to_owned());
        };
        let mut written = gated.facts.tables.iter().filter(|table| table.written);
        written.find_map(|table| sight.runs_when_written(table))
    }

    /// Whether a text that people are asked about by itself would commit what is in review, under another name.
    pub(super) fn commits_by_name(&self, gated: &Gated) -> bool {
        self.review.is_some() && !self.is_reviewed_commit(gated) && names_commit(&gated.facts)
    }

    /// A COMMIT that people have approved is cleared: a query runs at once, a portal when it is executed.
    pub(super) fn commit_cleared(&mut self, portal: Option<&[u8]>) {
        match (portal, &mut self.review) {
            (Some(portal), Some(review)) => {
                review.committing = Some((portal.into(), self.intake.segment));
            }
            _ => self.review = None,
        }
    }

    fn drop_commit(&mut self) {
        if let Some(review) = &mut self.review {
            review.was_committing |= review.committing.take().is_some();
        }
    }

    /// A portal is to be executed: refused where it would commit what is in review, and is not the COMMIT that was
    /// approved for that, in the segment that binds it.
    pub(super) fn execute_in_review(&mut self, portal: &[u8]) -> Result<(), Report> {
        let Some(review) = &self.review else {
            return Ok(());
        };
        let segment = self.intake.segment;
        let is_the_one =
            matches!(&review.committing, Some((name, of)) if **name == *portal && *of == segment);
        // Once; and nothing else comes between its Bind and its Execute: it could take any time, with the locks held.
        // Whether it has committed is told by the end of the transaction alone.
        self.drop_commit();
        if is_the_one && let Some(review) = &mut self.review {
            review.limit.commit_runs(self.intake.clearance.len());
        }
        if !is_the_one && self.may_commit_by(portal) {
            return Err(Report::error(
                sqlstate::FEATURE_NOT_SUPPORTED,
                "a transaction that is reviewed as a whole is committed by a COMMIT that is bound and executed at once",
            )
            .hint("Bind it again, or send COMMIT as a query."));
        }
        Ok(())
    }

    /// Whether what may begin, end or roll back has to wait for the answers to earlier segments. Behind one that is
    /// cancelled at the limit it could else revive the transaction on the server, with nobody there any more.
    pub(super) fn waits_in_review(&self, is_control: bool) -> bool {
        is_control && self.review.is_some() && self.inflight.awaits_ready()
    }

    /// Whether it is the COMMIT of the transaction that is in review.
    pub(super) fn is_reviewed_commit(&self, gated: &Gated) -> bool {
        self.review.is_some() && gated.facts.commands == ["COMMIT"]
    }

    /// Notes a statement that runs now and is reviewed with the COMMIT. Gives on which grounds it runs.
    pub(super) fn review_later(&mut self, request: &NewRequest, terms: &HoldTerms, facts: &Facts) -> Basis {
        let default = self.shared.hold.timeout;
        let review = self.review.get_or_insert_with(|| {
            Box::new(InReview {
                id: RequestId::from_random(rand::random()),
                is_asked: false,
                committing: None,
                was_committing: false,
                is_overfull: false,
                shown: 0,
                since: request.created_at,
                limit: Limit::new(terms.asks.timeout.unwrap_or(default)),
                terms: terms.clone(),
                facts: facts.clone(),
                statements: Vec::new(),
                justification: None,
                ticket: None,
            })
        });
        review.terms.asks.join(&terms.asks);
        review.limit.shorten(terms.asks.timeout.unwrap_or(default));
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
        review.shown += request.statement.len().min(SHOWN_EACH) + SHOWN_VALUE * request.parameters.len();
        review.statements.push(Ran {
            id: request.id,
            text: request.statement.clone(),
            parameters: request.parameters.clone(),
            signals: request.signals.clone(),
            is_control: false,
            came: None,
        });
        Basis::Transaction {
            id: review.id.to_string(),
        }
    }

    /// A text that begins or ends transactions or savepoints passes: it is shown among what ran.
    pub(super) fn note_control(&mut self, judged: &Judged) {
        let Some(review) = &mut self.review else { return };
        if judged
            .statements
            .iter()
            .any(|statement| statement.transaction_control)
        {
            review.was_committing |= review.committing.take().is_some();
        }
        let controls = |statement: &&Statement| statement.transaction_control;
        let commands: Vec<String> = judged
            .statements
            .iter()
            .filter(controls)
            .map(|statement| statement.facts.commands.join(", "))
            .collect();
        if commands.is_empty() {
            return;
        }
        if review.statements.len() >= MOST {
            review.is_overfull = true;
        } else {
            review.statements.push(Ran {
                id: review.id,
                text: commands.join("; "),
                parameters: Vec::new(),
                signals: Vec::new(),
                is_control: true,
                came: None,
            });
        }
    }

    /// Statements have run to their end: notes what came of them.
    pub(super) fn note_all_ran(&mut self) {
        for (id, came) in self.runs.done.drain(..) {
            let Some(review) = self.review.as_deref_mut() else {
                continue;
            };
            if review.id == id && came != Came::Failed {
                // COMMIT AND CHAIN: nothing of it is left to be rolled back.
                review.limit.is_committed();
            }
            if let Some(ran) = review.statements.iter_mut().find(|ran| ran.id == id) {
                ran.came = Some(came);
            }
        }
    }

    /// As [`Self::note_all_ran`], of what has run so far in a segment that goes on.
    pub(super) fn note_ran_so_far(&mut self) {
        if let Some(review) = self.review.as_deref_mut() {
            for (id, came) in self.runs.ended() {
                if let Some(ran) = review.statements.iter_mut().find(|ran| ran.id == id) {
                    ran.came = Some(came);
                }
            }
        }
    }

    /// The transaction has ended, or its COMMIT goes upstream.
    pub(super) fn end_review(&mut self) {
        self.review = None;
    }

    /// The server is ready, and a transaction is open.
    pub(super) fn review_goes_on(&mut self) {
        if let Some(review) = &mut self.review {
            review.limit.goes_on();
        }
    }

    /// The server is asked to roll back what is in review.
    pub(super) fn review_rolls_back(&mut self) {
        if let Some(review) = &mut self.review {
            review.limit.rolls_back();
        }
    }

    /// When the time of what is in review is over, where something is.
    pub(super) fn review_ends_at(&self) -> Option<Timestamp> {
        self.review.as_deref().map(InReview::ends_at)
    }

    /// What people are asked about at the COMMIT: all that ran, with the rows affected.
    pub(super) fn asks_for_commit(&mut self, request: &mut NewRequest) {
        let Some(review) = &mut self.review else { return };
        if std::mem::replace(&mut review.is_asked, true) {
            review.id = RequestId::from_random(rand::random());
        }
        let facts = &review.facts;
        request.id = review.id;
        request.statement = review.listing("COMMIT");
        request.command = format!("COMMIT, {}", facts.commands.join(", "));
        request.effect = facts.effect;
        request.tables.clone_from(&facts.tables);
        request.functions.clone_from(&facts.functions);
        request.unfiltered = facts.unfiltered;
        request.shape = None;
        for signal in &facts.signals {
            if !request.signals.contains(signal) {
                request.signals.push(signal.clone());
            }
        }
        request.signals.push(format!(
            "a transaction of {} statements, which hold their locks since {}: approved, it commits, else it is rolled back",
            review.statements.len(),
            review.since.strftime("%H:%M:%S UTC"),
        ));
        request.justification = request
            .justification
            .take()
            .or_else(|| review.justification.clone());
        request.ticket = request.ticket.take().or_else(|| review.ticket.clone());
        // Locks are held since the first of them: that is when the time begins to run.
        request.expires_at = review.ends_at().max(request.created_at);
    }
}

/// Whether, by its text, a rollback undoes all of it, and it gives its client nothing but a number of rows.
pub(super) fn is_undone(gated: &Gated) -> bool {
    let facts = &gated.facts;
    let is_change = |command: &String| matches!(command.as_str(), "INSERT" | "UPDATE" | "DELETE" | "MERGE");
    let text = gated.source.as_ref().map_or(&gated.text[..], Source::text);
    facts.effect == Effect::Write
        && facts.commands.iter().all(is_change)
        // Whatever it does beyond its command is told there.
        && facts.signals.is_empty()
        && std::str::from_utf8(text).is_ok_and(gives_no_rows)
}

impl InReview {
    /// When its time is over.
    fn ends_at(&self) -> Timestamp {
        self.since.saturating_add(self.limit.length).unwrap_or(self.since)
    }

    /// All that ran in it, and what ends it.
    fn listing(&self, end: &str) -> String {
        let mut text = String::new();
        for (ran, number) in self.statements.iter().zip(1..) {
            ran.list(number, &mut text);
        }
        text.push_str(end);
        text
    }
}

impl Ran {
    fn list(&self, number: usize, text: &mut String) {
        if self.is_control {
            let _ = writeln!(
                text,
                "-- {number}: {}: a rollback to a savepoint undoes some of what stands above\n",
                self.text
            );
            return;
        }
        let came = match self.came {
            Some(Came::Ran(Some(1))) => "1 row".to_owned(),
            Some(Came::Ran(Some(rows))) => format!("{rows} rows"),
            Some(Came::Ran(None)) => "it ran; how many rows is not known".to_owned(),
            Some(Came::Failed) => "failed, and changed nothing".to_owned(),
            None => "not yet run to its end".to_owned(),
        };
        let _ = writeln!(text, "-- {number}: {came} (request {})", self.id);
        for signal in &self.signals {
            let _ = writeln!(text, "-- note: {signal}");
        }
        for (parameter, number) in self.parameters.iter().zip(1..) {
            let value = parameter.value.as_deref().unwrap_or("NULL");
            let shown: String = value
                .chars()
                .take(SHOWN_VALUE)
                .map(|c| if c.is_control() { ' ' } else { c })
                .collect();
            let cut = if shown.len() < value.len() { "…" } else { "" };
            let _ = writeln!(text, "-- ${number} = {shown}{cut}");
        }
        let whole = self.text.trim_end();
        let shown = &whole[..whole.floor_char_boundary(SHOWN_EACH)];
        text.push_str(shown);
        if shown.len() < whole.len() {
            let _ = write!(text, "\n-- … cut here: all of it is in request {}", self.id);
        }
        text.push_str(if shown.ends_with(';') { "\n\n" } else { "\n;\n\n" });
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
