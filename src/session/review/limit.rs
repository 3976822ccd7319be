//! The time limit of a transaction that is reviewed as a whole: it holds its locks for so long and no longer.
//!
//! It counts from the first statement that runs without having been approved. Invariants:
//! - wherever the transaction stands then, idle or in the middle of a statement, its session ends as with PostgreSQL's
//!   own `transaction_timeout`, and the server rolls back. A session that went on might run its next statement in a
//!   transaction of its own;
//! - a COMMIT that waits for people expires at the limit by itself, and is answered as such;
//! - a COMMIT that people have approved and that has gone upstream is not cut off.

use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use super::InReview;
use crate::approval::digest;
use crate::model::{NewRequest, Origin, RequestId, duration};
use crate::session::Fault;
use crate::session::relay::Session;
use crate::timer::{Instant, Sleep, sleep_until};
use crate::wire::sqlstate;

/// How long the server is given, beyond the limit, to carry out the ROLLBACK in the place of a COMMIT.
const GRACE: Duration = Duration::from_secs(5);
/// How long it may take to cancel what still runs; the connection is closed in any case.
const CANCEL: Duration = Duration::from_secs(2);
/// How long the server is given to leave before what runs is cancelled again.
const AGAIN: Duration = Duration::from_millis(50);

/// Why a statement's outcome is what it is.
const WHY: &str = "the time for the review of its transaction was over; it was rolled back";
const DID_NOT_RUN: &str = "the time for the review of its transaction was over; it did not run";

/// The message that would go upstream if the transaction committed.
const COMMIT_QUERY: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

/// The time of one review. There is a timer while there is a review, and none else.
#[derive(Debug)]
pub(super) struct Limit {
    began: Instant,
    /// Counted from `began`; at most [`duration::LONGEST`].
    pub(super) length: Duration,
    timer: Pin<Box<Sleep>>,
    counts: Counts,
}

/// What the limit means at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counts {
    /// The session ends at the limit.
    On,
    /// The COMMIT waits for people: its request expires at the limit.
    CommitWaits,
    /// The COMMIT that people have approved was executed: the session ends only as long as that has not gone upstream.
    /// `ahead`: bytes of the client's that have to go for that; 0: they have.
    CommitRuns { ahead: usize },
    /// The transaction is over.
    Over,
}

impl Limit {
    pub(super) fn new(length: Duration) -> Self {
        let began = Instant::now();
        Self {
            began,
            length,
            timer: Box::pin(sleep_until(began + length)),
            counts: Counts::On,
        }
    }

    /// Rules that join may shorten it.
    pub(super) fn shorten(&mut self, length: Duration) {
        if length < self.length {
            self.length = length;
            self.timer.as_mut().reset(self.began + length);
        }
    }

    /// The COMMIT waits for people, or does so no more.
    pub(super) fn commit_waits(&mut self, waits: bool) {
        self.counts = if waits { Counts::CommitWaits } else { Counts::On };
    }

    /// The COMMIT that people have approved is executed, behind so many bytes that have not gone upstream.
    pub(super) fn commit_runs(&mut self, behind: usize) {
        // With the first byte of the frame that executes it.
        self.counts = Counts::CommitRuns { ahead: behind + 1 };
    }

    /// So many bytes of what is cleared go upstream.
    fn forwarded(&mut self, bytes: usize) {
        if let Counts::CommitRuns { ahead } = &mut self.counts {
            *ahead = ahead.saturating_sub(bytes);
        }
    }

    /// The server is ready, and the transaction stays open: whatever was executed has not ended it.
    pub(super) fn goes_on(&mut self) {
        if matches!(self.counts, Counts::CommitRuns { .. }) {
            self.counts = Counts::On;
        }
    }

    /// The COMMIT has run to its end.
    pub(super) fn is_committed(&mut self) {
        self.counts = Counts::Over;
    }

    /// The server is asked to roll back: it has a moment for that, also where the limit is reached.
    pub(super) fn rolls_back(&mut self) {
        self.counts = Counts::On;
        let grace = Instant::now() + GRACE;
        self.timer.as_mut().reset((self.began + self.length).max(grace));
    }

    /// Whether it is reached; if not, and it counts, the task is woken when it is.
    fn is_reached(&mut self, cx: &mut Context<'_>) -> bool {
        match self.counts {
            Counts::CommitWaits | Counts::Over | Counts::CommitRuns { ahead: 0 } => false,
            Counts::On | Counts::CommitRuns { .. } => self.timer.as_mut().poll(cx).is_ready(),
        }
    }
}

impl InReview {
    /// So many bytes of what is cleared go upstream.
    pub(in crate::session) fn forwarded(&mut self, bytes: usize) {
        self.limit.forwarded(bytes);
    }

    /// Whether a statement has run, or runs, in it without having been approved.
    fn has(&self, id: RequestId) -> bool {
        self.statements.iter().any(|ran| ran.id == id && !ran.is_control)
    }
}

impl Session {
    /// Fails once the time of the transaction in review is over. Costs a look at a pointer where there is none.
    pub(in crate::session) fn poll_limit(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
        let Some(review) = &mut self.review else {
            return Ok(());
        };
        if review.limit.is_reached(cx) {
            let id = review.id;
            return Err(Fault::ReviewOver {
                id,
                url: self.shared.url_of(id),
            });
        }
        Ok(())
    }

    /// The COMMIT of what is in review waits for people, or does so no more.
    pub(in crate::session) fn commit_waits(&mut self, waits: bool) {
        if let Some(review) = &mut self.review {
            review.limit.commit_waits(waits);
        }
    }

    /// Nothing that waits in a transaction under review waits for longer than that.
    pub(in crate::session) fn within_review(&self, request: &mut NewRequest) {
        if let Some(end) = self.review_ends_at() {
            request.expires_at = request.expires_at.min(end).max(request.created_at);
        }
    }

    /// The time of the review is over, and the session ends: what runs is cancelled, and everything recorded. The
    /// caller closes the connection to the server next, with which the server rolls back.
    pub(in crate::session) async fn cut_off(&mut self) {
        let Some(review) = self.review.take() else { return };
        tracing::warn!(request.id = %review.id, user.name = %self.who.principal.name,
            database.name = %self.who.database, "the time of a transaction in review is over: its session ends");
        self.intake.forget_approval_at_the_end(DID_NOT_RUN);
        self.runs
            .cut_off(sqlstate::TRANSACTION_TIMEOUT, WHY, DID_NOT_RUN, |id| {
                review.has(id)
            });
        if !review.is_asked {
            self.shared
                .broker
                .record_expired_later(self.never_committed(&review));
        }
        if self.busy && crate::timer::timeout(CANCEL, self.end_upstream()).await.is_err() {
            tracing::warn!("the server did not end what runs within {CANCEL:?}");
        }
    }

    /// Tells the server that nothing more comes, and cancels what runs until it has left. A cancel request that meets it
    /// between two statements does nothing, and what is sent ahead would run on.
    async fn end_upstream(&mut self) {
        // A server that does not read takes no goodbye.
        let _ = crate::timer::timeout(AGAIN, self.server.stream.shutdown()).await;
        loop {
            self.handle.cancel_upstream().await;
            if crate::timer::timeout(AGAIN, self.server.read_to_end())
                .await
                .is_ok()
            {
                return;
            }
        }
    }

    /// The record of a transaction whose COMMIT nobody was asked about in time.
    fn never_committed(&self, review: &InReview) -> NewRequest {
        let now = self.shared.clock.now();
        let rules: Vec<&str> = review.terms.rules.iter().map(AsRef::as_ref).collect();
        let mut signals = review.facts.signals.clone();
        signals.push(format!(
            "no COMMIT came within {} of the first statement: the session was ended, and the transaction rolled back",
            duration::format(review.limit.length)
        ));
        NewRequest {
            id: review.id,
            origin: Origin {
                in_transaction: true,
                transaction_since: self.transaction_since,
                ..self.origin()
            },
            statement: review.listing("-- no COMMIT came in time: it was rolled back"),
            parameters: Vec::new(),
            digest: digest(COMMIT_QUERY),
            command: review.facts.commands.join(", "),
            effect: review.facts.effect,
            tables: review.facts.tables.clone(),
            functions: review.facts.functions.clone(),
            signals,
            unfiltered: review.facts.unfiltered,
            rule: rules.join(", "),
            quorum: review.terms.asks.quorum.clone(),
            self_approval: review.terms.asks.self_approval,
            justification: review.justification.clone(),
            ticket: review.ticket.clone(),
            shape: None,
            earlier: self.earlier(),
            created_at: now,
            expires_at: now,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Poll, Waker};

    use super::*;
    use crate::wire::frame::HEADER;
    use crate::wire::{Header, frontend};

    #[test]
    fn the_commit_is_framed_as_it_says() {
        let header = Header::peek_frontend(COMMIT_QUERY);
        assert_eq!(header.map(|h| h.map(Header::total)), Ok(Some(COMMIT_QUERY.len())));
        assert_eq!(frontend::query(&COMMIT_QUERY[HEADER..]), Ok(&b"COMMIT"[..]));
    }

    #[tokio::test]
    async fn it_is_reached_unless_the_commit_is_decided_on_or_under_way() {
        let mut cx = Context::from_waker(Waker::noop());
        let mut limit = Limit::new(Duration::from_mins(1));
        assert!(!limit.is_reached(&mut cx));
        // It counts from the beginning.
        limit.shorten(Duration::ZERO);
        let reached = std::future::poll_fn(|cx| {
            if limit.is_reached(cx) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        });
        reached.await;
        limit.commit_waits(true);
        assert!(!limit.is_reached(&mut cx));
        limit.commit_waits(false);
        assert!(limit.is_reached(&mut cx));
        limit.commit_runs(7);
        limit.forwarded(7);
        assert!(
            limit.is_reached(&mut cx),
            "what has not gone upstream holds locks"
        );
        limit.forwarded(10);
        assert!(!limit.is_reached(&mut cx), "whatever else is cleared behind it");
        limit.goes_on();
        assert!(limit.is_reached(&mut cx), "the COMMIT has ended nothing");
        limit.rolls_back();
        assert!(!limit.is_reached(&mut cx), "the server has a moment");
        limit.is_committed();
        limit.shorten(Duration::from_millis(1));
        limit.goes_on();
        assert!(!limit.is_reached(&mut cx));
    }
}
