//! Statements that run under a standing approval with a limit of rows.
//!
//! holdpoint sends BEGIN before one (SAVEPOINT, in the client's own transaction block), holds back what it is answered
//! with, and looks at the number of rows in its command tag. Within the limit, COMMIT (RELEASE) goes upstream, and the
//! client has its answers once that is done; above it, ROLLBACK (ROLLBACK TO and RELEASE), and the statement waits for
//! people as any other.
//!
//! Invariants:
//! - what changed more rows than the limit does not stay changed: COMMIT is sent only behind a tag with no more;
//! - nothing of the client's goes upstream in between, and of the server's only notices, notifications, settings and the
//!   end of the session go to the client;
//! - a client that does not take what it is told meanwhile does not keep what is undecided, nor its locks
//!   (`limited/patience.rs`);
//! - the statement's frames stay at the head of the intake's buffer until that is decided (`intake/limited.rs`);
//! - every way out records what became of it (`limited/attempt.rs`).

mod attempt;
mod heard;
mod patience;
mod wrap;

use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, Instant};

use super::Fault;
use super::gate::Gated;
use super::hold::WITHDRAWN;
use super::inflight::Expect;
use super::intake::{Stop, Unit};
use super::names::Source;
use super::relay::{Event, Session};
use super::review::is_undone;
use super::shield::{self, ANSWERS, Need};
use crate::approval::Running;
use crate::sql::counts_its_rows;
use crate::wire::backend::{ServerError, TransactionStatus};
use crate::wire::{reply, request};
use attempt::Attempt;
pub(super) use heard::Heard;
use patience::Patience;
use wrap::Wrap;

/// How long the rest of a segment is waited for. Its client waits for nothing before it has sent that.
const SEGMENT_WAIT: Duration = Duration::from_secs(1);

/// How often in a row a cancel request may hit what undoes the statement.
const TRIES: usize = 5;

/// `query_canceled`.
const CANCELED: &str = "57014";

/// How it ended.
#[derive(Debug)]
pub(super) enum Limited {
    /// The client has its answer, be it an error.
    Answered,
    /// An earlier message of its pipeline has failed: the server would have skipped it.
    Skipped,
    /// Its requester has cancelled it before it was sent.
    Cancelled,
    /// All of it was undone, and it is still at hand.
    Undone {
        /// Why, for the record, the requester and approvers.
        why: String,
        /// Its requester has cancelled it meanwhile.
        cancelled: bool,
    },
}

/// Whether the first step may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Clear,
    /// An earlier message of the pipeline has failed.
    Skipped,
    /// The requester has cancelled the statement.
    Cancelled,
}

/// Whether the rows that a held statement changes can be counted.
#[derive(Debug)]
pub(super) enum Countable {
    /// This is to be forwarded for it.
    As(Unit),
    /// They cannot, and why not, for the requester.
    Not(&'static str),
    /// The requester has cancelled it meanwhile.
    Cancelled,
}

impl Session {
    /// Whether the rows that a held statement changes can be counted before they stay changed: what is to be forwarded
    /// for it, or why not, for the requester. Waits for the rest of its segment, up to a second.
    /// Cancel-safe.
    pub(super) async fn countable(&mut self, gated: &Gated) -> Result<Countable, Fault> {
        if let Err(why) = self.is_countable(gated) {
            return Ok(Countable::Not(why));
        }
        let whole = async {
            loop {
                match self.unit(gated) {
                    Ok(Some(unit)) => return Ok(Countable::As(unit)),
                    Ok(None) => {}
                    Err(why) => return Ok(Countable::Not(why)),
                }
                let before = self.intake.buffer.len();
                let moved = poll_fn(|cx| match self.poll_relay(cx) {
                    Poll::Pending if self.intake.buffer.len() > before => Poll::Ready(Ok(None)),
                    other => other.map_ok(Some),
                });
                match moved.await? {
                    None | Some(Event::Stopped) => {}
                    Some(Event::CancelRequested) => return Ok(Countable::Cancelled),
                    Some(Event::Shutdown) => return Err(self.told_to_end()),
                    Some(Event::Skipped) => {
                        return Ok(Countable::Not("an earlier message of its pipeline has failed"));
                    }
                }
            }
        };
        crate::timer::timeout(SEGMENT_WAIT, whole)
            .await
            .unwrap_or(Ok(Countable::Not("the end of its pipeline has not come")))
    }

    fn is_countable(&self, gated: &Gated) -> Result<(), &'static str> {
        let text = gated.source.as_ref().map_or(&gated.text[..], Source::text);
        // A backslash means one thing or another, by a setting that may have changed since the text was parsed.
        let is_certain = |text: &&str| {
            !text.contains('\\') || (gated.tag == b'Q' && self.meaning.standard_conforming_strings)
        };
        let text = std::str::from_utf8(text).ok().filter(is_certain);
        if !matches!(gated.tag, b'Q' | b'B')
            || !gated.pass.is_plain()
            || !is_undone(gated)
            || !text.is_some_and(counts_its_rows)
        {
            return Err(
                "its command tag does not say for certain how many rows it changes, before any of them are given \
                 away: that of a single INSERT, UPDATE, DELETE or MERGE does, without RETURNING, and without changes \
                 in a WITH",
            );
        }
        if self.why_not_undone(gated).is_some() {
            return Err(
                "a change of its table runs more than itself, as triggers, rules and views do, or may: a rollback may not undo that",
            );
        }
        if self.review.is_some() {
            return Err("it is in a transaction that is reviewed as a whole");
        }
        let intake = &self.intake;
        let is_first = !intake.has_bound
            && !intake.has_control
            && !self.inflight.awaits_ready()
            && (gated.tag == b'B' || (self.inflight.is_empty() && !intake.has_begun()));
        let portal = gated.pass.portal.as_deref();
        if !is_first
            || self.status == TransactionStatus::Failed
            || portal.is_some_and(|name| !name.is_empty())
        {
            return Err("it is not the only statement of its pipeline, or its portal has a name");
        }
        Ok(())
    }

    /// Runs the statement at hand, and undoes it if it changes more rows than that.
    ///
    /// # Errors
    /// The session is at its end. Whatever was not committed by then is rolled back by the server.
    pub(super) async fn run_limited(
        &mut self,
        running: Running,
        most: u32,
        gated: &Gated,
        unit: Unit,
    ) -> Result<Limited, Fault> {
        let mut attempt = Attempt {
            running: Some(running),
            since: None,
            is_keeping: false,
        };
        let ended = self.run_wrapped(&mut attempt, most, gated, unit).await;
        if ended.is_err()
            && !attempt.is_keeping
            && let Some(error) = self.goodbye.as_deref()
        {
            attempt.failed(error);
        }
        self.heard = None;
        ended
    }

    async fn run_wrapped(
        &mut self,
        attempt: &mut Attempt,
        most: u32,
        gated: &Gated,
        unit: Unit,
    ) -> Result<Limited, Fault> {
        match self.make_way().await? {
            Way::Clear => {}
            Way::Skipped => {
                attempt.undone("an earlier message of its pipeline failed; it did not run");
                return Ok(Limited::Skipped);
            }
            Way::Cancelled => {
                attempt.undone(WITHDRAWN);
                return Ok(Limited::Cancelled);
            }
        }
        // From here on, a client that sends nothing more still gets its answers.
        self.intake.stop = Some(Stop::Limited);
        let wrap = Wrap::new(self.status == TransactionStatus::InTransaction);
        let begun = self.own_step(&wrap.name, wrap.begin()).await?;
        if let Some(error) = begun.error {
            return self
                .fail(attempt, &wrap, gated, unit, (begun.status, error), None)
                .await;
        }
        if begun.status != Some(TransactionStatus::InTransaction) {
            return Err(Fault::Limited);
        }
        self.note_limited(&gated.pass);
        attempt.since = Some(Instant::now());
        if let Some(running) = &attempt.running {
            poll_fn(|cx| Poll::Ready(self.forward_limited(cx, gated.frame, unit, running))).await?;
        }
        let mut heard = self.hear(awaited(unit), true).await?;
        self.held_is_begun();
        if let Some(error) = heard.error.take() {
            let at = (heard.status, error);
            return self.fail(attempt, &wrap, gated, unit, at, Some(&heard)).await;
        }
        if heard.status != Some(TransactionStatus::InTransaction) {
            // It has ended the transaction by itself, which nothing that is counted does.
            attempt.is_keeping = true;
            return Err(Fault::Limited);
        }
        let rows = heard.rows();
        if rows.is_none_or(|rows| rows > u64::from(most)) {
            let cancelled = self.undo(&wrap).await?;
            let why = said_of(rows, heard.gave_rows);
            attempt.undone(&format!(
                "rolled back: {why}, and the standing approval covers up to {}",
                in_rows(most.into())
            ));
            self.became_ready();
            return Ok(Limited::Undone { why, cancelled });
        }
        attempt.is_keeping = true;
        let kept = self.own_step(&wrap.name, wrap.keep()).await?;
        if let Some(error) = kept.error {
            attempt.is_keeping = false;
            return self
                .fail(attempt, &wrap, gated, unit, (kept.status, error), Some(&heard))
                .await;
        }
        if kept.status != Some(wrap.outside()) {
            return Err(Fault::Limited);
        }
        attempt.kept(&heard);
        self.answer(&heard);
        reply::command_complete(&heard.tag, self.client.out());
        self.end_limited(gated.frame, unit, false);
        Ok(Limited::Answered)
    }

    /// Before the first step: what is cleared of the segment goes upstream, and is ended by a Sync of ours; the read
    /// shield is lowered. From then on, a cancel request goes to the server.
    async fn make_way(&mut self) -> Result<Way, Fault> {
        self.handle.lets_run();
        let is_alone = self.intake.clearance.is_empty() && !self.inflight.ends_open();
        let mut way = self.rest().await?;
        if way == Way::Clear && !is_alone {
            poll_fn(|cx| Poll::Ready(self.forward_cleared(cx))).await?;
            self.server.out().extend_from_slice(request::SYNC);
            self.inflight.push_own(Expect::pause(false));
            way = self.rest().await?;
        }
        while way == Way::Clear
            && let Some(one) = self.shield.next(Need::Down)
        {
            self.move_shield(one);
            way = self.rest().await?;
        }
        if way != Way::Clear {
            return Ok(way);
        }
        if !self.shield.is_ready(Need::Down) {
            return Err(Fault::Shield);
        }
        Ok(if self.begin_held_work() {
            Way::Clear
        } else {
            Way::Cancelled
        })
    }

    /// Waits until everything that ends is answered, and no cancel request is on its way.
    async fn rest(&mut self) -> Result<Way, Fault> {
        let mut is_cancelled = false;
        loop {
            let moved = poll_fn(|cx| match self.poll_relay(cx) {
                Poll::Ready(Err(fault)) => Poll::Ready(Err(fault)),
                // These are told once.
                Poll::Ready(Ok(event @ (Event::CancelRequested | Event::Shutdown))) => {
                    Poll::Ready(Ok(Some(event)))
                }
                _ if self.intake.is_discarding() => Poll::Ready(Ok(Some(Event::Skipped))),
                _ if !self.inflight.awaits_ready() && !self.must_wait_for_cancel() => Poll::Ready(Ok(None)),
                other => other.map_ok(Some),
            });
            match moved.await? {
                None if is_cancelled => return Ok(Way::Cancelled),
                None => return Ok(Way::Clear),
                Some(Event::Skipped) => return Ok(Way::Skipped),
                Some(Event::Shutdown) => return Err(self.told_to_end()),
                Some(Event::CancelRequested) => is_cancelled = true,
                Some(Event::Stopped) => {}
            }
        }
    }

    /// A command of our own, up to a Sync of our own.
    async fn own_step(&mut self, name: &str, (text, tag): (String, &'static str)) -> Result<Heard, Fault> {
        let mut bytes = Vec::new();
        shield::command(name.as_bytes(), &text, &mut bytes);
        bytes.extend_from_slice(request::SYNC);
        self.server.out().extend_from_slice(&bytes);
        let heard = self.hear(ANSWERS.iter().rev().copied().collect(), false).await?;
        if heard.error.is_none() && heard.tag != tag {
            return Err(Fault::Limited);
        }
        Ok(heard)
    }

    /// Waits for the answers to what was just sent, the last one first in `awaited`. When this returns, the client stands
    /// between two messages.
    async fn hear(&mut self, awaited: Vec<u8>, is_statement: bool) -> Result<Heard, Fault> {
        self.begin_work();
        self.inflight.push_own(Expect::Limited);
        self.heard = Some(Box::new(Heard {
            awaited,
            is_statement,
            ..Heard::default()
        }));
        let mut patience = Patience::default();
        poll_fn(|cx| {
            let moved = self.poll_relay(cx);
            let is_answered = self.heard.as_ref().is_none_or(|heard| heard.status.is_some());
            if is_answered && self.outflow.at_boundary() {
                // What else there is to say comes up again.
                return Poll::Ready(Ok(()));
            }
            // The server is not read while the client does not take what it has said before.
            if moved.is_pending() && patience.is_over(cx, self.client.spill() > 0) {
                return Poll::Ready(Err(Fault::ClientStalled));
            }
            match moved {
                Poll::Ready(Err(fault)) => Poll::Ready(Err(fault)),
                Poll::Ready(Ok(_)) => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                Poll::Pending => Poll::Pending,
            }
        })
        .await?;
        self.heard.take().map(|heard| *heard).ok_or(Fault::Limited)
    }

    /// A message of the server's while a step stands at the front: whether it is kept from the client.
    pub(super) fn limited_answered(&mut self, tag: u8, body: &[u8]) -> Result<bool, Fault> {
        let heard = self.heard.as_deref_mut().ok_or(Fault::Limited)?;
        if heard.take(tag, body)?.is_none() {
            return Ok(false);
        }
        if heard.status.is_some() {
            self.inflight.limited_done();
        }
        Ok(true)
    }

    /// Undoes the statement. Gives whether the requester's cancel request has hit that.
    async fn undo(&mut self, wrap: &Wrap) -> Result<bool, Fault> {
        let mut cancelled = false;
        'tries: for _ in 0..TRIES {
            let mut status = None;
            for command in wrap.undo() {
                let heard = self.own_step(&wrap.name, command).await?;
                if let Some((error, _)) = heard.error {
                    cancelled |= error.sqlstate == CANCELED;
                    continue 'tries;
                }
                status = heard.status;
            }
            if status != Some(wrap.outside()) {
                break;
            }
            return Ok(cancelled);
        }
        Err(Fault::Limited)
    }

    /// The server has refused a step. In a block of the client's it has failed with that, as it does directly; a
    /// transaction of ours is ended.
    async fn fail(
        &mut self,
        attempt: &mut Attempt,
        wrap: &Wrap,
        gated: &Gated,
        unit: Unit,
        (status, (error, body)): (Option<TransactionStatus>, (ServerError, Vec<u8>)),
        heard: Option<&Heard>,
    ) -> Result<Limited, Fault> {
        match (wrap.in_block, status) {
            (true, Some(TransactionStatus::Failed)) | (false, Some(TransactionStatus::Idle)) => {}
            (false, Some(_)) => {
                self.undo(wrap).await?;
            }
            _ => return Err(Fault::Limited),
        }
        attempt.failed(&error);
        if let Some(heard) = heard {
            self.answer(heard);
        }
        reply::error_response(&body, self.client.out());
        self.end_limited(gated.frame, unit, true);
        Ok(Limited::Answered)
    }

    /// The client is told what was kept from it, up to the completion.
    fn answer(&mut self, heard: &Heard) {
        for _ in 0..heard.bound {
            reply::bind_complete(self.client.out());
        }
        for _ in 0..heard.described {
            reply::no_data(self.client.out());
        }
    }
}

/// What answers a statement that gives no rows, the last one first.
fn awaited(unit: Unit) -> Vec<u8> {
    let mut awaited = vec![b'C'];
    if !unit.simple {
        awaited.extend(std::iter::repeat_n(b'n', unit.describes));
        awaited.push(b'2');
    }
    awaited
}

fn said_of(rows: Option<u64>, gave_rows: bool) -> String {
    match rows {
        Some(rows) => format!("it changed {}", in_rows(rows)),
        None if gave_rows => "it gives rows, which its text does not say".to_owned(),
        None => "how many rows it changed was not told".to_owned(),
    }
}

/// A number of rows, in words.
pub(super) fn in_rows(rows: u64) -> String {
    if rows == 1 {
        "1 row".to_owned()
    } else {
        format!("{rows} rows")
    }
}
