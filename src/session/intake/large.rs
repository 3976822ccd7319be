//! Messages that are not gathered: their bytes pass, or are dropped, as they come.
//!
//! COPY data are, and a large Bind of a statement that passes: nothing in a Bind but the names at its head
//! says what will run, and the server reads its body as strictly as we would. What has to be judged or shown
//! to people is gathered, up to `[proxy] max_message`; larger ones are refused in their place.

use std::task::Context;

use super::{Next, SEGMENT_LIMIT, Span};
use crate::session::gate::Large;
use crate::session::relay::Session;
use crate::session::{Fault, notices};
use crate::wire::frame::HEADER;
use crate::wire::{Header, Report, sqlstate};

/// Names are looked for in this much of a Bind; one with longer names is gathered.
const NAMES_WITHIN: usize = 16 * 1024;

/// What is still to come of a message that is not gathered, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Rest {
    #[default]
    None,
    /// It was cleared.
    Passes(usize),
    /// It was refused, or is skipped.
    Dropped(usize),
    /// The server would ignore it.
    Ignored(usize),
}

impl Rest {
    pub(super) fn is_none(self) -> bool {
        matches!(self, Self::None)
    }

    /// Whether the server has had the start of it: nothing of ours may come before its end.
    pub(super) fn is_passing(self) -> bool {
        matches!(self, Self::Passes(_))
    }

    /// As much of it as is there.
    pub(super) fn take<'b>(&mut self, there: usize) -> Next<'b> {
        let (left, next): (_, fn(usize) -> Next<'b>) = match *self {
            Self::None => return Next::Incomplete,
            Self::Passes(left) => (left, Next::Passes),
            Self::Dropped(left) => (left, Next::Dropped),
            Self::Ignored(left) => (left, Next::Ignored),
        };
        let n = left.min(there);
        *self = match (*self, left - n) {
            (_, 0) => Self::None,
            (Self::Passes(_), left) => Self::Passes(left),
            (Self::Ignored(_), left) => Self::Ignored(left),
            (_, left) => Self::Dropped(left),
        };
        next(n)
    }
}

/// Whether a message is looked at before it has come in whole.
pub(super) fn is_large(header: Header, max_message: usize, there: usize) -> bool {
    let size = header.total();
    match header.tag {
        b'Q' | b'P' | b'F' => size > max_message,
        b'B' => size > max_message || (size > SEGMENT_LIMIT && there < size),
        // Bounded by their types.
        _ => false,
    }
}

impl Session {
    /// Clears the head of a large message, refuses it, or stops at it. `false`: more of it is waited for.
    pub(super) fn clear_large(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &[u8],
        span: &mut Span,
        header: Header,
    ) -> Result<bool, Fault> {
        if std::mem::take(&mut self.intake.is_answered) {
            self.forward(cx, &buffer[span.start..span.at])?;
            span.done(0);
            self.intake.begin_segment();
            self.intake.rest = Rest::Ignored(header.total());
            return Ok(true);
        }
        if std::mem::take(&mut self.intake.is_cancelled) {
            self.refuse_large(cx, buffer, span, header, notices::cancelled())?;
            return Ok(true);
        }
        if self.inflight.is_copying() {
            return self.clear_in_copy(cx, buffer, span, header.tag, header.total());
        }
        if self.must_drain(header.tag) {
            self.intake.stop = Some(super::Stop::Drain);
            return Ok(true);
        }
        let size = header.total();
        let there = (buffer.len() - span.at).min(size);
        if self.pauses_before(header.tag) {
            self.stop_at(cx, buffer, span, header.tag, super::Stop::Pause)?;
            return Ok(true);
        }
        self.follow_policy();
        let judged = if header.tag == b'B' {
            let head = &buffer[span.at..][HEADER..there.min(NAMES_WITHIN)];
            self.step_large_bind(head).or_else(refuse)?
        } else {
            Large::Gathered
        };
        match judged {
            Large::Unknown if there < NAMES_WITHIN => return Ok(false),
            Large::Passes(proof) => {
                self.intake.clearance.clear_allowed(there, proof);
                if there < size {
                    self.intake.rest = Rest::Passes(size - there);
                }
                span.at += there;
                span.release = span.at;
                self.intake.cleared_of_segment += there;
                // It goes upstream before its segment is whole.
                self.intake.is_flushed = true;
            }
            Large::Stop(stop) => self.stop_at(cx, buffer, span, header.tag, stop)?,
            Large::Refused(report) => self.refuse_large(cx, buffer, span, header, *report)?,
            Large::Gathered | Large::Unknown if size > self.limits.max_message => {
                let report = too_large(size, self.limits.max_message);
                self.refuse_large(cx, buffer, span, header, report)?;
            }
            Large::Gathered | Large::Unknown => self.intake.gathering = true,
        }
        Ok(true)
    }

    /// Refuses a message in its place, and drops it as it comes.
    fn refuse_large(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &[u8],
        span: &mut Span,
        header: Header,
        report: Report,
    ) -> Result<(), Fault> {
        self.forward(cx, &buffer[span.start..span.at])?;
        self.refuse(header.tag, report);
        span.done(0);
        self.intake.rest = Rest::Dropped(header.total());
        Ok(())
    }
}

fn refuse(misstep: super::Misstep) -> Result<Large, Fault> {
    match super::refuse_malformed(misstep)? {
        super::Step::Refuse(report) => Ok(Large::Refused(Box::new(report))),
        _ => Ok(Large::Gathered),
    }
}

fn too_large(size: usize, limit: usize) -> Report {
    Report::error(
        sqlstate::PROGRAM_LIMIT_EXCEEDED,
        format!("a message of {size} bytes is too large to be judged"),
    )
    .detail(format!("The limit is {limit} bytes."))
    .hint("Send large data with COPY or in a statement that needs no approval, or ask the operator to raise [proxy] max_message.")
}
