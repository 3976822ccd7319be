//! Client → server: framing what the client sends, and clearing it frame by frame.
//!
//! Bytes are forwarded as they came, at the end of a unit (Sync, Flush, a simple query): a segment of
//! extended messages waits until it is whole, so that no clock of the server runs while people think.
//! What goes upstream before that, and what is done about its clocks, stands in `pause.rs`; messages that
//! are not gathered in `large.rs`, those that come while a COPY takes data in `copy.rs`.
//! Invariant: a byte goes upstream only through a [`crate::approval::Permit`].

mod copy;
mod large;
mod limited;
mod pause;
mod reads;
mod refuse;
mod span;
mod step;

use std::task::Context;

use bytes::{Buf, BytesMut};

use super::gate::{Gated, Judgement};
use super::hold::WITHDRAWN;
use super::relay::{SPILL_LIMIT, Session};
use super::shield::Move;
use super::{Fault, notices};
use crate::approval::Clearance;
use crate::wire::{Header, request};
use large::Rest;
pub(super) use limited::Unit;
pub(super) use pause::Pause;
pub(super) use reads::Reads;
use span::{Next, Span};
use step::refuse_malformed;
pub(super) use step::{Misstep, Step, plain_name};

/// A segment larger than this is forwarded before its end, so that a pipeline of any length needs no more
/// memory than this.
const SEGMENT_LIMIT: usize = 256 * 1024;

/// With more unanswered messages than this, the client is not read until the server has caught up.
pub(super) const INFLIGHT_LIMIT: usize = 10_000;

/// Where the intake stands in the client's stream.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about where it stands"
)]
pub(super) struct Intake {
    /// What the client sent and was not forwarded; it starts with what is cleared.
    pub(super) buffer: BytesMut,
    /// How much of the head of `buffer` may be forwarded.
    pub(super) clearance: Clearance,
    /// What is still to come of a message that is not gathered.
    rest: Rest,
    /// The frame behind what is cleared is large, and is gathered all the same.
    gathering: bool,
    /// A Bind or an Execute of the segment at hand was cleared.
    pub(super) has_bound: bool,
    /// Something that may set another client_encoding was cleared since the server was last ready, with nothing behind.
    pub(super) has_doubtful_encoding: bool,
    /// Something that may be a COPY FROM STDIN was cleared since the server had answered everything.
    pub(super) may_copy: bool,
    /// Among what is cleared is a Parse of a text that policy does not let pass: its Bind will be held.
    pub(super) has_doubt: bool,
    /// How many bytes of the segment at hand were cleared.
    cleared_of_segment: usize,
    /// Some of it has gone upstream, or is flushed.
    is_flushed: bool,
    /// Texts in the segment at hand that passed as reads outside of a block: with a write behind them, they run
    /// without the read shield.
    pub(super) reads: Reads,
    /// What was executed last in the segment at hand begins or ends a transaction, and nothing else.
    pub(super) after_control: bool,
    /// Something in the segment at hand may do so.
    pub(super) has_control: bool,
    /// Or may begin or end a subtransaction.
    pub(super) may_be_nested: bool,
    /// Something in the segment at hand may write.
    pub(super) has_write: bool,
    /// An error was injected: everything up to Sync is dropped, as a server does after an error.
    discarding: bool,
    /// The client has not taken what it was answered: the rest of `buffer` waits for that.
    congested: bool,
    /// The number of the segment at hand.
    pub(super) segment: u64,
    /// The judgement of the text behind what is cleared, where that took a thread of its own, or waits.
    pub(super) judged: Option<Box<super::lately::AtHand>>,
    /// The requester has cancelled the frame at hand while it waited for room in the audit log.
    pub(super) is_cancelled: bool,
    /// The query at hand was interrupted before it was forwarded, and the client has its answer.
    pub(super) is_answered: bool,
    /// People have approved the frame behind what is cleared.
    pub(super) approved: Option<Box<super::gate::Approved>>,
    /// Why the frame behind what is cleared cannot be cleared yet.
    pub(super) stop: Option<Stop>,
}

/// Why the intake has stopped at a frame.
#[derive(Debug)]
pub(super) enum Stop {
    /// People decide on it.
    Held(Box<Gated>),
    /// It is too long to be judged here and now.
    Judge(Box<Judgement>),
    /// It waits until the server has answered everything before it, which is forwarded for that.
    Drain,
    /// It waits until earlier segments are answered; its own stays behind.
    InTurn,
    /// A message of this type stands where only COPY data may: the server is being asked whether it still
    /// takes data.
    InCopy(u8),
    /// It waits until the read shield is moved, for which everything before it is answered.
    Shield(Move),
    /// As `Shield`, where nothing of its own segment has gone upstream: it is moved before all of that.
    ShieldBefore(Move),
    /// The rest of its implicit transaction is to be made read-only first.
    ShieldInside,
    /// As `InTurn`, once what is before it in its own segment was ended by a Sync of our own.
    Pause,
    /// The server is being asked whether the text is SQL at all.
    Probing(Box<Gated>),
    /// Its record waits for room in the audit log.
    Unrecorded,
    /// It is being judged, or decided on.
    Deciding,
    /// It runs under a limit of rows, and is still at hand.
    Limited,
    /// holdpoint answers it.
    Own(Box<super::own::Own>),
    /// The client has said goodbye.
    Terminate,
    /// The goodbye was forwarded.
    Closing,
}

impl Intake {
    /// Whether more could be done with what waits, now that the client listens again.
    pub(super) fn is_congested(&self) -> bool {
        self.congested && !self.is_stopped()
    }

    /// The server takes the text that was asked about: it is held after all.
    pub(super) fn probe_accepted(&mut self) {
        self.stop = match self.stop.take() {
            Some(Stop::Probing(gated)) => Some(Stop::Held(gated)),
            other => other,
        };
    }

    /// Whether the server skips what was sent, up to the next Sync.
    pub(super) fn is_discarding(&self) -> bool {
        self.discarding
    }

    /// The server refused the text, and the client has its error: the frame is done with.
    fn probe_refused(&mut self, frame: usize) {
        self.buffer.advance(frame.min(self.buffer.len()));
        self.stop = None;
        self.begin_segment();
    }

    /// The server discards what comes before the next Sync, and so do we.
    pub(super) fn skip_to_sync(&mut self) {
        self.discarding = true;
    }

    /// The session ends before the frame that people approved has gone upstream.
    pub(super) fn forget_approval_at_the_end(&mut self, why: &str) {
        if let Some(approved) = self.approved.take() {
            approved.running.not_forwarded(why);
        }
    }

    /// The frame that people approved is discarded with its pipeline.
    fn forget_approval(&mut self) {
        if let Some(approved) = self.approved.take() {
            approved
                .running
                .not_forwarded("an earlier message of its pipeline failed; it did not run");
        }
    }

    /// Whether the server has had the start of a message, and not its end.
    pub(super) fn is_passing(&self) -> bool {
        self.rest.is_passing()
    }

    /// Whether the client's bytes are taken without being looked at.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.is_some()
    }

    /// Whether people or the server decide on the frame at hand: it has not been forwarded.
    pub(super) fn is_undecided(&self) -> bool {
        matches!(
            self.stop,
            Some(
                Stop::Held(_)
                    | Stop::Deciding
                    | Stop::Probing(_)
                    | Stop::Judge(_)
                    | Stop::Own(_)
                    | Stop::Unrecorded
            )
        )
    }

    /// A simple query of our own ends what the client's was behind.
    pub(super) fn end_segment(&mut self) {
        self.begin_segment();
    }

    /// A Sync or a simple query was cleared: what comes is another segment.
    fn begin_segment(&mut self) {
        self.segment += 1;
        self.has_bound = false;
        self.has_doubt = false;
        self.begin_anew();
    }

    /// What comes is in no transaction with what came before, as far as it was not in a block.
    fn begin_anew(&mut self) {
        self.has_control = false;
        self.may_be_nested = false;
        self.after_control = false;
        self.has_write = false;
        self.cleared_of_segment = 0;
        self.is_flushed = false;
        self.reads = Reads::default();
    }

    /// Something of our own has gone upstream in the place of some of the segment at hand: nothing comes before that.
    pub(super) fn begins_upstream(&mut self) {
        self.is_flushed = true;
    }

    /// Whether some of the segment at hand has gone upstream.
    pub(super) fn has_begun(&self) -> bool {
        self.is_flushed || self.cleared_of_segment > self.clearance.len()
    }

    /// Gives memory back once nothing waits.
    fn shrink(&mut self) {
        if self.buffer.is_empty() && self.buffer.capacity() > 0 {
            self.buffer = BytesMut::new();
        }
    }
}

impl Session {
    /// Takes what was read from the client.
    pub(super) fn take_from_client(&mut self, cx: &mut Context<'_>, chunk: &[u8]) -> Result<(), Fault> {
        if self.intake.is_stopped() || !self.intake.buffer.is_empty() {
            self.pause.restart();
            self.intake.buffer.extend_from_slice(chunk);
            return self.resume(cx);
        }
        if self.must_wait_for_cancel() {
            self.intake.buffer.extend_from_slice(chunk);
            return Ok(());
        }
        self.pause.restart();
        // Nothing waits: the bytes are forwarded from where they were read.
        let taken = self.clear_frames(cx, chunk)?;
        self.intake.buffer.extend_from_slice(&chunk[taken..]);
        Ok(())
    }

    /// Goes on with what waits, unless stopped.
    pub(super) fn resume(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
        if self.intake.is_stopped() || self.intake.buffer.is_empty() || self.must_wait_for_cancel() {
            return Ok(());
        }
        let mut buffer = std::mem::take(&mut self.intake.buffer);
        let taken = self.clear_frames(cx, &buffer);
        if let Ok(taken) = taken {
            buffer.advance(taken);
        }
        self.intake.buffer = buffer;
        self.intake.shrink();
        taken.map(drop)
    }

    /// The server has answered: a stop that waited for it is lifted.
    pub(super) fn lift_drain(&mut self) {
        self.inflight.trim();
        if self.inflight.is_empty() {
            // What was announced behind an error has no ReadyForQuery of its own.
            self.names.settle();
        }
        match &self.intake.stop {
            Some(Stop::Drain) if self.inflight.is_empty() || self.inflight.is_copying() => {
                self.intake.stop = None;
            }
            Some(Stop::InTurn) if !self.inflight.awaits_ready() => self.intake.stop = None,
            Some(Stop::InCopy(_)) if !self.inflight.is_copying() => self.intake.stop = None,
            Some(Stop::Probing(gated)) if self.inflight.is_empty() => {
                let frame = gated.frame;
                self.intake.probe_refused(frame);
            }
            _ => {}
        }
    }

    /// Clears and forwards frames of `buffer` until one stops it. Gives how many bytes are done with.
    fn clear_frames(&mut self, cx: &mut Context<'_>, buffer: &[u8]) -> Result<usize, Fault> {
        let mut span = Span {
            start: 0,
            at: self.intake.clearance.len(),
            release: 0,
        };
        self.intake.congested = false;
        while span.at < buffer.len() && !self.intake.is_stopped() {
            // What was gathered may be many more messages than may be on their way. A server answers none of which it has
            // not the end.
            let is_crowded = self.inflight.len() >= INFLIGHT_LIMIT && !self.intake.is_passing();
            if is_crowded || self.client.spill() > SPILL_LIMIT {
                self.intake.congested = true;
                break;
            }
            match self.next_frame(&buffer[span.at..])? {
                Next::Passes(n) => {
                    self.intake.cleared_of_segment += n;
                    // COPY data, or the rest of a message whose head was cleared by what policy said to it.
                    self.intake.clearance.clear_control(n);
                    span.at += n;
                    span.release = span.at;
                }
                Next::Dropped(n) => {
                    // The end of a message whose start the server has had is not part of that.
                    self.forward(cx, &buffer[span.start..span.release])?;
                    // What was cleared before the error came is dropped with the rest.
                    self.intake.clearance.forget();
                    span.done(n);
                }
                Next::Ignored(n) => {
                    self.forward(cx, &buffer[span.start..span.at])?;
                    span.done(n);
                }
                Next::Frame(tag, frame) => {
                    if !self.clear_frame(cx, buffer, &mut span, tag, frame)? {
                        break;
                    }
                }
                Next::Large(header) => {
                    if !self.clear_large(cx, buffer, &mut span, header)? {
                        break;
                    }
                }
                Next::Incomplete => break,
            }
        }
        let crowded = self.inflight.len() >= INFLIGHT_LIMIT;
        let draining = matches!(self.intake.stop, Some(Stop::Drain));
        let long = span.at - span.start > SEGMENT_LIMIT;
        if draining || ((crowded || long) && !self.intake.is_stopped()) {
            span.release = span.at;
        }
        let is_forwarding = span.release > span.start;
        if is_forwarding {
            self.forward(cx, &buffer[span.start..span.release])?;
            span.start = span.release;
        }
        // Of our own bytes none may come inside a message of the client's. Behind what ends with ReadyForQuery a Flush
        // would be for nothing, and might stop the server's clock of idle transactions.
        let is_flushed = !is_forwarding && self.inflight.ends_flushed();
        if (crowded || draining) && !self.intake.is_passing() && !self.inflight.ends_ready() && !is_flushed {
            self.server.out().extend_from_slice(request::FLUSH);
            self.inflight.note_flush();
        }
        Ok(span.start)
    }

    /// What comes next: a whole frame, or some of a message that is not gathered.
    fn next_frame<'b>(&mut self, rest: &'b [u8]) -> Result<Next<'b>, Fault> {
        if !self.intake.rest.is_none() {
            return Ok(self.intake.rest.take(rest.len()));
        }
        let Some(header) = Header::peek_frontend(rest).map_err(Fault::client_framing)? else {
            return Ok(Next::Incomplete);
        };
        let size = header.total();
        if self.intake.discarding && !matches!(header.tag, b'S' | b'X') {
            if self.intake.approved.is_some() {
                self.handle.set_holding(false);
            }
            self.intake.forget_approval();
            self.intake.judged = None;
            self.intake.is_cancelled = false;
            self.intake.is_answered = false;
            self.intake.gathering = false;
            self.intake.rest = Rest::Dropped(size);
            return Ok(self.intake.rest.take(rest.len()));
        }
        if matches!(header.tag, b'd' | b'c' | b'f') && !self.may_take_data() {
            self.intake.rest = Rest::Ignored(size);
            return Ok(self.intake.rest.take(rest.len()));
        }
        if header.tag == b'd' {
            self.inflight.push_copy_data().map_err(Fault::desync)?;
            self.intake.rest = Rest::Passes(size);
            return Ok(self.intake.rest.take(rest.len()));
        }
        // What people have changed may be larger than what it was; it is here, and goes as it was approved.
        let is_approved = self.intake.approved.is_some();
        if large::is_large(header, self.limits.max_message, rest.len())
            && !self.intake.gathering
            && !is_approved
        {
            return Ok(Next::Large(header));
        }
        Ok(rest
            .get(..size)
            .map_or(Next::Incomplete, |frame| Next::Frame(header.tag, frame)))
    }

    /// Whether a COPY FROM STDIN takes data, or may. Else the server ignores what belongs to one, unless a timeout has come,
    /// which nobody could tell from the end of something else.
    fn may_take_data(&self) -> bool {
        self.inflight.is_copying() || (self.intake.may_copy && !self.inflight.is_empty())
    }

    /// Clears one frame, refuses it, or stops at it. `false`: what to do with it depends on what comes next.
    fn clear_frame(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &[u8],
        span: &mut Span,
        tag: u8,
        frame: &[u8],
    ) -> Result<bool, Fault> {
        self.intake.gathering = false;
        if std::mem::take(&mut self.intake.is_answered) {
            self.forward(cx, &buffer[span.start..span.at])?;
            span.done(frame.len());
            self.intake.judged = None;
            self.intake.begin_segment();
            return Ok(true);
        }
        if std::mem::take(&mut self.intake.is_cancelled) {
            self.forward(cx, &buffer[span.start..span.at])?;
            self.refuse(tag, notices::cancelled());
            span.done(frame.len());
            // The request may still be on its way.
            return Ok(!self.must_wait_for_cancel());
        }
        if self.inflight.is_copying() && !matches!(tag, b'c' | b'f' | b'H' | b'X') {
            return self.clear_in_copy(cx, buffer, span, tag, frame.len());
        }
        match self.step(tag, frame).or_else(refuse_malformed)? {
            Step::Control => self.intake.clearance.clear_control(frame.len()),
            Step::Allowed(proof) => self.intake.clearance.clear_allowed(frame.len(), proof),
            Step::Approved(approved) => {
                if !self.begin_held_work() {
                    approved.running.not_forwarded(WITHDRAWN);
                    self.forward(cx, &buffer[span.start..span.at])?;
                    self.refuse(tag, notices::cancelled());
                    span.done(frame.len());
                    return Ok(!self.must_wait_for_cancel());
                }
                let cleared = &buffer[span.start..];
                self.intake
                    .clearance
                    .clear_approved(cleared, frame.len(), &approved.running)
                    .map_err(|_| Fault::Unapproved)?;
                self.begin_run(*approved, tag).map_err(Fault::desync)?;
            }
            Step::Stop(stop) => {
                self.stop_at(cx, buffer, span, tag, stop)?;
                return Ok(true);
            }
            Step::Refuse(report) => {
                self.forward(cx, &buffer[span.start..span.at])?;
                self.refuse(tag, report);
                span.done(frame.len());
                return Ok(true);
            }
        }
        span.at += frame.len();
        self.intake.cleared_of_segment += frame.len();
        self.intake.is_flushed |= tag == b'H';
        if matches!(tag, b'S' | b'H' | b'Q' | b'F' | b'c' | b'f') {
            span.release = span.at;
            self.intake.discarding = false;
            if matches!(tag, b'S' | b'Q' | b'F') {
                self.intake.begin_segment();
            }
        }
        Ok(true)
    }

    /// Forwards the head of what is cleared; the rest of it stays cleared.
    fn forward(&mut self, cx: &mut Context<'_>, frames: &[u8]) -> Result<(), Fault> {
        if frames.is_empty() {
            return Ok(());
        }
        let permit = self.intake.clearance.take_permit(frames);
        self.runs.forwarded(permit.frames().len());
        if let Some(review) = &mut self.review {
            review.forwarded(permit.frames().len());
        }
        if self.intake.clearance.is_empty() {
            self.intake.has_doubt = false;
        }
        self.begin_work();
        self.server.write(cx, permit.frames()).map_err(Fault::server_io)
    }
}
