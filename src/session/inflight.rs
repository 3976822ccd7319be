//! What was forwarded and not answered yet, in order: which reply belongs to what.
//!
//! Source: PostgreSQL manual, "Message Flow"; `PostgresMain` in `src/backend/tcop/postgres.c`.
//! Invariants: entries are pushed in the order in which their frames go upstream, and popped by the
//! replies alone. A reply that does not fit the entry at the front, and a frame whose fate cannot be told
//! from the replies, end the session: what the names stand for rests on this pairing.

//! What a COPY FROM STDIN does to it stands in `copy.rs`.

mod copy;
mod erred;
mod open;
mod own;
mod shielded;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;

use super::inquiry::Inquiry;
use super::names::{Names, Prepared};
use super::shield::Move;
use crate::model::{Judged, NameOp};
use crate::wire::Report;
use copy::Copying;
use open::Open;

thread_local! {
    /// Room for what is awaited, left by a session that awaits nothing: ten thousand idle ones are not to have some each.
    static SPARE: Cell<VecDeque<Expect>> = const { Cell::new(VecDeque::new()) };
}

/// Identifies a statement that people approved, among those running in this session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RunId(pub(super) u32);

/// A forwarded message that will be answered.
#[derive(Debug)]
pub(super) enum Expect {
    /// A simple query, until its ReadyForQuery.
    Query {
        /// Its statements, where they change names; and how many have completed.
        names: Option<Arc<Judged>>,
        completed: usize,
        run: Option<RunId>,
        /// The segment it is.
        segment: u64,
    },
    /// A FunctionCall, until its ReadyForQuery.
    Call {
        run: Option<RunId>,
        /// The segment it is.
        segment: u64,
    },
    Parse {
        /// `None`: the unnamed statement.
        name: Option<Box<[u8]>>,
        prepared: Prepared,
    },
    Bind {
        run: Option<RunId>,
    },
    Describe {
        /// The prepared statement; `None` for a portal.
        statement: Option<Box<[u8]>>,
    },
    Execute {
        /// The statement, where it changes names.
        names: Option<Arc<Judged>>,
        run: Option<RunId>,
        /// After how many rows it is suspended.
        rows: u32,
    },
    Close {
        /// The prepared statement that it closes; `None` for a portal.
        statement: Option<Box<[u8]>>,
    },
    /// With the segment that it ends.
    Sync(u64),
    /// Our own Sync, which stops the server's clocks while people think: the client's segment goes on.
    Pause {
        /// A simple query or a FunctionCall waits for it, which would have ended the segment itself.
        before_query: bool,
        /// It was interrupted in the place of that.
        failed: bool,
    },
    /// Our own messages that move the read shield, up to their Sync; how many of them are answered, and whether
    /// one has failed. Sent only where everything before is answered.
    Shield {
        one: Move,
        answered: usize,
        failed: bool,
    },
    /// Our own question what a statement takes and gives. Sent only where everything before is answered.
    Inquiry(Box<Inquiry>),
    /// Our own messages in the middle of a segment that make the rest of its transaction read-only; and how many
    /// of them are answered.
    ShieldInside {
        answered: usize,
    },
    /// A step of a statement that runs under a limit of rows, up to its ReadyForQuery: our own messages around it, or
    /// its own. Sent only where everything before is answered; `limited.rs` takes the answers.
    Limited,
    /// COPY data, however much: nothing answers it.
    CopyData,
    /// CopyDone or CopyFail: answered only while its COPY runs.
    CopyEnd,
    /// A Flush in a segment: nothing answers it, unless a timeout has come (`open.rs`).
    Flush,
    /// Our own message that makes the server fail at this place; its error is replaced.
    Poison {
        report: Box<Report>,
        /// Sent as a Query (answered with ReadyForQuery too) and not as a Parse.
        simple: bool,
        /// The segment that it stands in, and ends if it is simple.
        segment: u64,
    },
    /// Our own ROLLBACK in the place of a COMMIT that people did not approve; its completion becomes the error.
    RollBack {
        report: Box<Report>,
        /// Sent as a Query (answered with ReadyForQuery too) and not as Parse, Bind, Close and Execute.
        simple: bool,
        /// The segment that it stands in, and ends if it is simple.
        segment: u64,
    },
    /// Our own Parse, Close and Sync that ask the server whether a text is SQL at all.
    Probe {
        /// The server took it; its answers are not the client's.
        accepted: bool,
        /// In a transaction every error is the client's: the transaction has failed.
        in_transaction: bool,
    },
}

/// What the relay does with a server's message.
#[derive(Debug, PartialEq)]
pub(super) enum Relay {
    /// It goes to the client.
    Pass,
    /// It is not the client's.
    Swallow,
    /// This goes to the client instead.
    Replace(Box<Report>),
    /// So does a CommandComplete with this tag.
    Complete(&'static str),
}

/// What a reply says of a statement that people approved.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Seen {
    /// The statement that this reply belongs to.
    pub(super) run: Option<RunId>,
    /// The rows of a part, where its portal is suspended after them.
    pub(super) rows: u32,
}

/// The queue.
#[derive(Debug)]
pub(super) struct Inflight {
    queue: VecDeque<Expect>,
    /// How many of it bring a ReadyForQuery: asked for each message, and the queue may be long.
    ready: u32,
    /// For the entry at the front.
    copying: Copying,
    /// For what comes when there is none.
    open: Open,
}

impl Default for Inflight {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            ready: 0,
            copying: Copying::No,
            open: Open::default(),
        }
    }
}

/// The pairing of messages and replies is lost, or about to be: the session cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Desync {
    #[error("a reply that nothing asked for")]
    Unasked,
    /// After it, the server may be ready, or may skip what comes.
    #[error("an error of which it cannot be told what it ends")]
    Ambiguous,
    /// The client has sent a message of this type while a COPY takes its data.
    #[error("unexpected message type 0x{0:02X} during COPY from stdin")]
    InCopy(u8),
}

const UNASKED: Desync = Desync::Unasked;

impl Expect {
    /// A Sync of our own. `before_query`: a simple query or a FunctionCall waits for it.
    pub(super) const fn pause(before_query: bool) -> Self {
        Self::Pause {
            before_query,
            failed: false,
        }
    }

    /// Whether a ReadyForQuery is among its answers.
    fn brings_ready(&self) -> bool {
        matches!(
            self,
            Self::Sync(_)
                | Self::Query { .. }
                | Self::Call { .. }
                | Self::Poison { simple: true, .. }
                | Self::RollBack { simple: true, .. }
                | Self::Probe { .. }
                | Self::Pause { .. }
                | Self::Shield { .. }
                | Self::Inquiry(_)
                | Self::Limited
        )
    }

    /// The type of the message, for the error that names it.
    fn tag(&self) -> u8 {
        match self {
            Self::Query { .. } | Self::Poison { simple: true, .. } | Self::RollBack { simple: true, .. } => {
                b'Q'
            }
            Self::Parse { .. }
            | Self::Inquiry(_)
            | Self::Poison { .. }
            | Self::RollBack { .. }
            | Self::Probe { .. }
            | Self::Shield { .. }
            | Self::ShieldInside { .. }
            | Self::Limited => b'P',
            Self::Call { .. } => b'F',
            Self::Bind { .. } => b'B',
            Self::Describe { .. } => b'D',
            Self::Execute { .. } => b'E',
            Self::Close { .. } => b'C',
            Self::Sync(_) | Self::Pause { .. } => b'S',
            Self::CopyData => b'd',
            Self::CopyEnd => b'c',
            Self::Flush => b'H',
        }
    }
}

impl Inflight {
    /// A message was cleared. Fails where a COPY runs: the server then takes data alone.
    pub(super) fn push(&mut self, expect: Expect) -> Result<(), Desync> {
        self.refuse_in_copy(&expect)?;
        self.append(expect);
        Ok(())
    }

    /// A message of our own, sent only while no COPY runs.
    pub(super) fn push_own(&mut self, expect: Expect) {
        self.append(expect);
    }

    /// Whether the end of a segment (or a simple query) is not answered yet.
    pub(super) fn awaits_ready(&self) -> bool {
        self.ready > 0
    }

    /// A message of our own that goes upstream before all that is cleared, of which nothing has been forwarded.
    pub(super) fn push_own_before(&mut self, expect: Expect) {
        self.put_front(expect);
    }

    /// Whether the last answer that is awaited is a ReadyForQuery, which the server flushes by itself; also if none is.
    pub(super) fn ends_ready(&self) -> bool {
        self.is_empty() || self.queue.back().is_some_and(Expect::brings_ready)
    }

    /// Whether what was cleared last is in a segment that has not ended. What belongs to a COPY ends none.
    pub(super) fn ends_open(&self) -> bool {
        let ends_none =
            |expect: &&Expect| matches!(expect, Expect::CopyData | Expect::CopyEnd | Expect::Flush);
        matches!(
            self.queue.iter().rev().find(|expect| !ends_none(expect)),
            Some(
                Expect::Parse { .. }
                    | Expect::Bind { .. }
                    | Expect::Describe { .. }
                    | Expect::Execute { .. }
                    | Expect::Close { .. }
                    | Expect::ShieldInside { .. }
                    | Expect::Poison { simple: false, .. }
                    | Expect::RollBack { simple: false, .. }
            )
        )
    }

    /// Whether nothing is awaited.
    pub(super) fn is_empty(&self) -> bool {
        match self.queue.front() {
            None => true,
            Some(Expect::Flush) => self.queue.len() == 1,
            Some(_) => false,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Gives memory back where nothing is awaited: to the next session of this thread, or where it is much, to all.
    fn shrink(&mut self) {
        if self.queue.is_empty() {
            let queue = std::mem::take(&mut self.queue);
            if queue.capacity() <= 64 {
                SPARE.set(queue);
            }
        }
    }

    /// What is to be awaited behind all else.
    fn append(&mut self, expect: Expect) {
        if self.queue.capacity() == 0 {
            self.queue = SPARE.take();
        }
        self.put_back(expect);
    }

    fn put_back(&mut self, expect: Expect) {
        self.ready += u32::from(expect.brings_ready());
        self.queue.push_back(expect);
    }

    fn put_front(&mut self, expect: Expect) {
        self.ready += u32::from(expect.brings_ready());
        self.queue.push_front(expect);
    }

    fn take_front(&mut self) -> Option<Expect> {
        let taken = self.queue.pop_front()?;
        self.ready -= u32::from(taken.brings_ready());
        debug_assert!(self.ready == 0 || !self.queue.is_empty());
        Some(taken)
    }

    /// Of what stands behind the front.
    fn drop_second(&mut self) {
        if let Some(dropped) = self.queue.remove(1) {
            self.ready -= u32::from(dropped.brings_ready());
        }
    }

    /// The entry that the next reply belongs to.
    fn front(&mut self) -> Option<&mut Expect> {
        self.drop_unanswered();
        self.queue.front_mut()
    }

    /// ParseComplete.
    pub(super) fn parse_complete(&mut self, names: &mut Names) -> Result<Relay, Desync> {
        match self.front() {
            Some(Expect::Probe { accepted, .. }) => {
                *accepted = true;
                return Ok(Relay::Swallow);
            }
            Some(Expect::RollBack { simple: false, .. }) => return Ok(Relay::Swallow),
            Some(Expect::Parse { .. }) => {}
            _ => return Err(UNASKED),
        }
        if let Some(Expect::Parse { name, prepared }) = self.pop_in_segment() {
            names.parsed(name.as_deref(), prepared);
        }
        Ok(Relay::Pass)
    }

    /// BindComplete: also of which approved statement, if it was one.
    pub(super) fn bind_complete(&mut self) -> Result<(Relay, Option<RunId>), Desync> {
        match self.front() {
            Some(Expect::RollBack { simple: false, .. }) => Ok((Relay::Swallow, None)),
            Some(Expect::Bind { run }) => {
                let run = *run;
                self.pop_in_segment();
                Ok((Relay::Pass, run))
            }
            _ => Err(UNASKED),
        }
    }

    /// CloseComplete.
    pub(super) fn close_complete(&mut self, names: &mut Names) -> Result<Relay, Desync> {
        match self.front() {
            Some(Expect::Probe { accepted: true, .. } | Expect::RollBack { simple: false, .. }) => {
                Ok(Relay::Swallow)
            }
            Some(Expect::Close { .. }) => {
                if let Some(Expect::Close {
                    statement: Some(name),
                }) = self.pop_in_segment()
                {
                    names.closed(&name);
                }
                Ok(Relay::Pass)
            }
            _ => Err(UNASKED),
        }
    }

    /// RowDescription: the end of a Describe, or the rows of a simple query.
    pub(super) fn described(&mut self) -> Result<(), Desync> {
        match self.front() {
            Some(Expect::Describe { .. }) => {
                self.pop_in_segment();
                Ok(())
            }
            Some(Expect::Query { .. }) => {
                // It has been read: what came before it is done with.
                self.segment_ended();
                Ok(())
            }
            _ => Err(UNASKED),
        }
    }

    /// NoData: the end of a Describe.
    pub(super) fn described_no_data(&mut self) -> Result<(), Desync> {
        match self.front() {
            Some(Expect::Describe { .. }) => self.described(),
            _ => Err(UNASKED),
        }
    }

    /// ParameterDescription: the statement that it describes.
    pub(super) fn described_statement(&mut self) -> Option<&[u8]> {
        match self.front() {
            Some(Expect::Describe { statement }) => statement.as_deref(),
            _ => None,
        }
    }

    /// Whether a CommandComplete with this tag can be that of the statement at the front, as far as it changes
    /// names: a name must not change by another statement's answer.
    pub(super) fn tag_fits(&mut self, tag: &str) -> bool {
        let statement = match self.front() {
            Some(Expect::Query { names, completed, .. }) => {
                let completed = *completed;
                names.as_ref().and_then(|judged| judged.statements.get(completed))
            }
            Some(Expect::Execute { names, .. }) => {
                names.as_ref().and_then(|judged| judged.statements.first())
            }
            _ => None,
        };
        match statement.and_then(|statement| statement.name_op.as_ref()) {
            Some(NameOp::Prepare { .. }) => tag == "PREPARE",
            Some(NameOp::Deallocate { .. }) => tag == "DEALLOCATE",
            Some(NameOp::DeallocateAll) => tag == "DEALLOCATE ALL",
            Some(NameOp::DiscardAll) => tag == "DISCARD ALL",
            // In its place stands nothing, or what shows a value.
            Some(NameOp::Own { .. }) => tag.starts_with("SELECT"),
            _ => true,
        }
    }

    /// CommandComplete.
    pub(super) fn command_complete(&mut self, names: &mut Names) -> Result<Seen, Desync> {
        if self.copying == Copying::Failing {
            return Err(UNASKED);
        }
        self.copying = Copying::No;
        if matches!(self.front(), Some(Expect::Query { .. })) {
            // It has been read: what came before it is done with.
            self.segment_ended();
        }
        match self.front() {
            Some(Expect::Query {
                names: changes,
                completed,
                run,
                ..
            }) => {
                let run = *run;
                if let Some(judged) = changes
                    && let Some(op) = judged.statements.get(*completed).and_then(|s| s.name_op.as_ref())
                {
                    names.completed(op);
                }
                *completed += 1;
                Ok(Seen { run, rows: 0 })
            }
            Some(Expect::Execute { .. }) => {
                let mut seen = Seen::default();
                if let Some(Expect::Execute {
                    names: changes, run, ..
                }) = self.pop_in_segment()
                {
                    let statement = changes.as_ref().and_then(|j| j.statements.first());
                    if let Some(op) = statement.and_then(|s| s.name_op.as_ref()) {
                        names.completed(op);
                    }
                    seen.run = run;
                }
                Ok(seen)
            }
            _ => Err(UNASKED),
        }
    }

    /// PortalSuspended, or EmptyQueryResponse, which a simple query has too.
    pub(super) fn execute_ended(&mut self) -> Result<Seen, Desync> {
        match self.front() {
            Some(Expect::Execute { run, rows, .. }) => {
                let seen = Seen {
                    run: *run,
                    rows: *rows,
                };
                self.pop_in_segment();
                Ok(seen)
            }
            Some(Expect::Query { run, .. }) => Ok(Seen { run: *run, rows: 0 }),
            _ => Err(UNASKED),
        }
    }

    /// FunctionCallResponse.
    pub(super) fn call_returned(&mut self) -> Result<Seen, Desync> {
        match self.front() {
            Some(Expect::Call { run, .. }) => Ok(Seen { run: *run, rows: 0 }),
            _ => Err(UNASKED),
        }
    }

    /// ReadyForQuery: ends the unit at the front. Gives the segment that it ends, if it is the client's.
    pub(super) fn ready(&mut self, names: &mut Names) -> Result<(Relay, Option<u64>), Desync> {
        self.copying = Copying::No;
        let ended = match self.front() {
            Some(Expect::Probe { accepted: true, .. } | Expect::Pause { failed: false, .. }) => {
                (Relay::Swallow, None)
            }
            Some(
                Expect::Sync(segment)
                | Expect::Query { segment, .. }
                | Expect::Call { segment, .. }
                | Expect::Poison {
                    simple: true,
                    segment,
                    ..
                }
                | Expect::RollBack {
                    simple: true,
                    segment,
                    ..
                },
            ) => (Relay::Pass, Some(*segment)),
            Some(Expect::Probe { .. } | Expect::Pause { .. }) => (Relay::Pass, None),
            _ => return Err(UNASKED),
        };
        self.take_front();
        self.segment_ended();
        if self.front().is_none() {
            names.settle();
        }
        self.shrink();
        Ok(ended)
    }
}
