//! COPY FROM STDIN: which of the client's messages the server takes for its data.
//!
//! This is where the fate of a message depends on what nobody has said yet: whether the data before it were
//! good. While they are, the server ignores a Sync or a Flush, and any other message ends the session; once
//! they were not, it reads all of them as it always does, after an error that may still be on its way
//! (`CopyGetData` in `src/backend/commands/copyfromparse.c`). So nothing but data and their end is pushed from
//! the moment that a COPY may run ([`Inflight::awaits_copy`]) or does ([`Inflight::is_copying`]): what the
//! intake does with the rest stands in `intake/copy.rs`.

use super::{Desync, Expect, Inflight, UNASKED};

/// A COPY FROM STDIN that the server has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Copying {
    No,
    /// Syncs that the client sent ahead are ignored.
    Begun,
    /// Data was sent.
    Data,
    /// We have sent a CopyFail, to learn whether the server still takes data.
    Failing,
}

impl Inflight {
    pub(super) fn refuse_in_copy(&self, expect: &Expect) -> Result<(), Desync> {
        if self.is_copying() {
            Err(Desync::InCopy(expect.tag()))
        } else {
            Ok(())
        }
    }

    /// Whether a COPY FROM STDIN runs, as far as the server has said: it takes data and their end alone.
    pub(in crate::session) fn is_copying(&self) -> bool {
        self.copying != Copying::No
    }

    /// Whether data were sent ahead of the word that a COPY has begun: what comes behind them has to wait.
    pub(in crate::session) fn awaits_copy(&self) -> bool {
        !self.is_copying() && self.queue.len() > 1 && matches!(self.queue.back(), Some(Expect::CopyData))
    }

    /// We send a CopyFail. Outside of a COPY the server ignores it; inside, its answer says so.
    pub(in crate::session) fn fail_copy(&mut self) {
        self.copying = Copying::Failing;
    }

    /// Forgets data that no COPY takes any more.
    pub(in crate::session) fn trim(&mut self) {
        if !self.is_copying() {
            self.front();
        }
    }

    /// CopyInResponse: what the client sends now is data; Syncs before it are ignored.
    pub(in crate::session) fn copy_in(&mut self) -> Result<(), Desync> {
        match self.front() {
            Some(Expect::Execute { .. }) => {}
            // It has been read: what came before it is done with.
            Some(Expect::Query { .. }) => self.segment_ended(),
            _ => return Err(UNASKED),
        }
        self.copying = Copying::Begun;
        self.follow_copy()
    }

    /// COPY data was cleared.
    pub(in crate::session) fn push_copy_data(&mut self) -> Result<(), Desync> {
        self.push_marker(Expect::CopyData)
    }

    /// A Sync was cleared, while no COPY is known to run: if one begins that stands before it, it is ignored.
    pub(in crate::session) fn push_sync(&mut self, segment: u64) -> Result<(), Desync> {
        self.push(Expect::Sync(segment))
    }

    /// A CopyDone or CopyFail was cleared.
    pub(in crate::session) fn push_copy_end(&mut self) -> Result<(), Desync> {
        self.push_marker(Expect::CopyEnd)
    }

    /// With nothing in flight no COPY can be running, and the server ignores what belongs to one.
    fn push_marker(&mut self, marker: Expect) -> Result<(), Desync> {
        // Data are one with the data before them. But every end is that of another COPY.
        let joins = |last: &Expect| matches!((last, &marker), (Expect::CopyData, Expect::CopyData));
        if self.queue.back().is_some_and(|last| !joins(last)) {
            self.put_back(marker);
        }
        self.follow_copy()
    }

    /// While a COPY runs, takes what it swallows from behind its entry: the Syncs that came ahead of its data,
    /// the data, and their end. What else was sent ahead ends the session on the server, too.
    fn follow_copy(&mut self) -> Result<(), Desync> {
        while self.is_copying() {
            match (self.queue.get(1), self.copying) {
                (None, _) => return Ok(()),
                (Some(Expect::Flush), _) | (Some(Expect::Sync(_)), Copying::Begun) => {}
                (Some(Expect::CopyData), _) => self.copying = Copying::Data,
                (Some(Expect::CopyEnd), _) => self.copying = Copying::No,
                (Some(other), _) => return Err(Desync::InCopy(other.tag())),
            }
            self.drop_second();
        }
        Ok(())
    }
}
