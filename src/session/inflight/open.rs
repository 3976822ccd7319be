//! What the server may still say when everything is answered.
//!
//! `statement_timeout` counts from the first message of a segment to its Sync. If it comes while the server waits for the client,
//! the server says so once it has read the next message, whichever that is, and drops that. Is it one of the extended protocol,
//! a Flush among them, everything up to Sync is skipped as well; is it data of a COPY or their end, it is not, and the server is
//! ready again. Neither is answered otherwise, so that nothing in the queue says whose such an error is.
//!
//! Source: `ProcessClientReadInterrupt`, `ProcessInterrupts`, `SocketBackend` and `PostgresMain` in
//! `src/backend/tcop/postgres.c`.

use super::{Expect, Inflight};

/// The segment that the server is in.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Open {
    /// Something in it was answered, and it has not ended.
    pub(super) begun: bool,
    /// A Flush stands behind what is answered.
    pub(super) flushed: bool,
    /// So do data of a COPY that was none, or their end.
    pub(super) stray: bool,
}

impl Inflight {
    /// A Flush goes upstream, the client's or one of our own.
    pub(in crate::session) fn note_flush(&mut self) {
        match self.queue.back() {
            _ if self.is_copying() => {}
            None => self.open.flushed |= self.open.begun,
            Some(Expect::Flush | Expect::CopyData | Expect::CopyEnd) => {}
            Some(_) if self.ends_open() => self.put_back(Expect::Flush),
            Some(_) => {}
        }
    }

    /// Whether nothing is awaited behind the last Flush.
    pub(in crate::session) fn ends_flushed(&self) -> bool {
        matches!(self.queue.back(), Some(Expect::Flush))
    }

    /// Whether a segment is open in which a Flush stands.
    pub(in crate::session) fn is_flushed_open(&self) -> bool {
        let is_flush = |expect: &Expect| matches!(expect, Expect::Flush);
        let is_open = if self.is_empty() {
            self.open.begun
        } else {
            self.ends_open()
        };
        is_open && (self.open.flushed || self.queue.iter().any(is_flush))
    }

    /// Takes off what nothing answers, with everything before it answered.
    pub(super) fn drop_unanswered(&mut self) {
        while let Some(Expect::CopyEnd | Expect::CopyData | Expect::Flush) = self.queue.front() {
            // Outside of a COPY the server ignores data and their end.
            match self.take_front() {
                Some(Expect::Flush) => self.open.flushed |= self.open.begun,
                _ => self.open.stray |= self.open.begun,
            }
        }
    }

    /// The message of the extended protocol at the front is answered: its segment goes on.
    pub(super) fn pop_in_segment(&mut self) -> Option<Expect> {
        self.open.begun = true;
        self.take_front()
    }

    /// The server is ready, or has read a query, by which a segment ends: none is open.
    pub(super) fn segment_ended(&mut self) {
        self.open = Open::default();
    }
}
