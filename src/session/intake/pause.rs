//! A client that pauses in the middle of a segment, and the server's clocks.
//!
//! A segment is held back until it is whole, so that people's thinking about its last part is on none of the
//! server's clocks: `statement_timeout` runs from the first message of a statement on (the Parse, if that comes
//! alone), and an implicit transaction keeps its locks. But directly the server would look at every message when
//! it comes, and send an error at once. So when a client has sent nothing more for [`PAUSE`], what is cleared of
//! its segment goes upstream. A segment that is sent in one go, as drivers do, is not touched by this.
//!
//! Two things keep the clocks away from people. Where only names were dealt with so far (Parse, Describe,
//! Close), a statement that is to be held is first separated from them by a Sync of our own, the *pause*: it
//! ends what the server has begun, changes nothing, and its answer is not the client's. All of that is answered
//! before the statement is looked at again, so a Parse that failed has failed for certain, and what stands
//! behind it is skipped up to the client's own Sync. The same goes for what a client has flushed. Where
//! something was bound or executed, a Sync would end its transaction; then a Parse that will be held is not
//! sent ahead.

use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use bytes::Buf as _;

use super::{Span, Stop};
use crate::session::Fault;
use crate::session::inflight::Expect;
use crate::session::relay::Session;
use crate::timer::{Instant, Sleep, sleep_until};
use crate::wire::request;

/// How long a client is silent in the middle of a segment before that is forwarded.
const PAUSE: Duration = Duration::from_millis(10);

/// The client's silence.
#[derive(Debug, Default)]
pub(in crate::session) struct Pause {
    /// Made when the first segment is cut in two, and used again.
    timer: Option<Pin<Box<Sleep>>>,
    /// It runs.
    running: bool,
}

impl Pause {
    /// The client has sent something.
    pub(in crate::session) fn restart(&mut self) {
        self.running = false;
    }

    /// Whether the client has been silent for long enough. If not, the task is woken when it has.
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + PAUSE)));
        if !self.running {
            self.running = true;
            timer.as_mut().reset(Instant::now() + PAUSE);
        }
        let over = timer.as_mut().poll(cx).is_ready();
        self.running = !over;
        over
    }
}

impl Session {
    /// The client sends nothing: what is cleared of its segment is forwarded once that has lasted.
    pub(in crate::session) fn poll_pause(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
        let intake = &self.intake;
        let stays = intake.clearance.is_empty()
            || intake.is_stopped()
            || intake.is_congested()
            || (intake.has_bound && intake.has_doubt)
            || self.must_wait_for_cancel();
        if !stays && self.pause.is_over(cx) {
            self.forward_cleared(cx)?;
        }
        Ok(())
    }

    /// Forwards all that is cleared and waits in the buffer.
    pub(in crate::session) fn forward_cleared(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
        let mut buffer = std::mem::take(&mut self.intake.buffer);
        let cleared = self.intake.clearance.len().min(buffer.len());
        let forwarded = self.forward(cx, &buffer[..cleared]);
        buffer.advance(cleared);
        self.intake.buffer = buffer;
        self.intake.shrink();
        forwarded
    }

    /// Stops at a frame. One that is held or denied waits for what is before it: whether in a transaction,
    /// and that the server listens, is known only then; and a cancel request is meant for that first.
    pub(super) fn stop_at(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &[u8],
        span: &mut Span,
        tag: u8,
        stop: Stop,
    ) -> Result<(), Fault> {
        if matches!(stop, Stop::ShieldInside) {
            self.forward(cx, &buffer[span.start..span.at])?;
            span.done(0);
            self.raise_shield_inside();
            // The frame is looked at again at once.
            return Ok(());
        }
        // Something of the segment has gone upstream, or is about to. What names something that is not known goes
        // there first, too: mostly it does not exist, and the server says so.
        let is_misnamed = matches!(&stop, Stop::Held(gated) if gated.is_misnamed());
        let begun = self.busy || span.release > span.start || (is_misnamed && span.at > span.start);
        self.intake.stop = Some(match stop {
            Stop::Shield(one) => {
                self.move_shield(one);
                Stop::InTurn
            }
            Stop::ShieldBefore(one) => {
                self.forward(cx, &buffer[span.start..span.release])?;
                span.start = span.release;
                self.move_shield_before(one);
                Stop::InTurn
            }
            Stop::Pause => {
                self.pause_inside(cx, buffer, span, matches!(tag, b'Q' | b'F'))?;
                Stop::InTurn
            }
            Stop::Held(_) if matches!(tag, b'Q' | b'F') && !self.inflight.is_empty() => Stop::Drain,
            Stop::Held(_) if self.inflight.awaits_ready() => Stop::InTurn,
            Stop::Held(_) if tag == b'B' && begun && !self.intake.has_bound => {
                self.forward(cx, &buffer[span.start..span.at])?;
                span.done(0);
                self.server.out().extend_from_slice(request::SYNC);
                self.inflight.push_own(Expect::pause(false));
                Stop::InTurn
            }
            // What runs before it, in the same pipeline, is on the clock of its review, which an approved COMMIT is not.
            Stop::Held(ref gated)
                if tag == b'B' && self.intake.has_bound && self.is_reviewed_commit(gated) =>
            {
                self.pause_inside(cx, buffer, span, false)?;
                Stop::InTurn
            }
            stop => stop,
        });
        Ok(())
    }

    /// Ends what was cleared of a segment by a Sync of ours: what comes behind it begins anew.
    fn pause_inside(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &[u8],
        span: &mut Span,
        before_query: bool,
    ) -> Result<(), Fault> {
        self.forward(cx, &buffer[span.start..span.at])?;
        span.done(0);
        self.server.out().extend_from_slice(request::SYNC);
        self.inflight.push_own(Expect::pause(before_query));
        self.intake.has_bound = false;
        self.intake.begin_anew();
        Ok(())
    }
}
