//! Approved statements between their approval and their outcome.
//!
//! A statement's outcome is known at the ReadyForQuery that ends its segment: until then an error behind it
//! in its pipeline may undo it.

use std::time::Instant;

use super::inflight::RunId;
use super::names::cut;
use crate::approval::Running;
use crate::model::{Outcome, RequestId};
use crate::wire::backend::{ServerError, TransactionStatus, rows_of};

/// One approved statement.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about its way")]
struct Run {
    id: RunId,
    running: Running,
    /// The portal it is bound to; `None` for a simple query, or once another is.
    portal: Option<Box<[u8]>>,
    /// The segment in which its portal is closed, or bound anew, unless the server skips that.
    unbound_in: Option<u64>,
    /// It is a text of its own, which may commit in its middle and go on.
    is_text: bool,
    /// Something of it is committed, whatever comes.
    is_committed: bool,
    /// The segment it stands in: that of its Bind, then that of its Execute.
    segment: u64,
    /// That segment is answered.
    answered: bool,
    since: Instant,
    /// Bytes of the client's that are cleared and have not gone to the server, up to its own last one; 0: that has.
    ahead: usize,
    /// It has run, in part at least.
    begun: bool,
    /// In a segment that has ended well.
    begun_before: bool,
    /// It has run to its end.
    ended: bool,
    tag: String,
    rows: Option<u64>,
    error: Option<ServerError>,
    /// The error behind which its Execute was skipped.
    skipped: Option<ServerError>,
}

/// The approved statements of a session that have no outcome yet; seldom more than one.
#[derive(Debug, Default)]
pub(super) struct Runs {
    list: Vec<Run>,
    next: u32,
    /// The one that was cleared last is not answered.
    pub(super) is_awaited: bool,
    /// Those that have run to their end, with the rows affected, for whoever wants to know.
    pub(super) done: Vec<(RequestId, Option<u64>)>,
    /// The error in the unit (up to ReadyForQuery) at hand.
    unit_error: Option<ServerError>,
}

impl Runs {
    /// A statement is cleared. `ahead`: with so many bytes, its own among them, that have not gone to the server.
    pub(super) fn start(
        &mut self,
        running: Running,
        portal: Option<&[u8]>,
        segment: u64,
        ahead: usize,
    ) -> RunId {
        let id = RunId(self.next);
        self.next = self.next.wrapping_add(1);
        self.list.push(Run {
            id,
            running,
            portal: portal.map(|portal| cut(portal).into()),
            unbound_in: None,
            is_text: portal.is_none(),
            is_committed: false,
            segment,
            answered: false,
            since: Instant::now(),
            ahead,
            begun: false,
            begun_before: false,
            ended: false,
            tag: String::new(),
            rows: None,
            error: None,
            skipped: None,
        });
        id
    }

    /// So many bytes of what is cleared go to the server.
    pub(super) fn forwarded(&mut self, bytes: usize) {
        for run in &mut self.list {
            if run.ahead > 0 {
                run.ahead = run.ahead.saturating_sub(bytes);
                run.since = Instant::now();
            }
        }
    }

    /// What is bound to this portal is about to be closed in this segment, or to give way to another: who is executed under
    /// this name from now on is none of these, unless the server comes to skip that for an error ([`Self::ready`]).
    pub(super) fn unbind(&mut self, portal: &[u8], segment: u64) {
        for run in &mut self.list {
            if run.portal.as_deref() == Some(cut(portal)) {
                run.unbound_in = run.unbound_in.or(Some(segment));
            }
        }
    }

    /// Whether it takes the server's answers to say what is bound to this portal in this segment.
    pub(super) fn may_be_bound(&self, portal: &[u8], segment: u64) -> bool {
        self.list.iter().any(|run| {
            run.portal.as_deref() == Some(cut(portal)) && run.unbound_in.is_some_and(|of| of < segment)
        })
    }

    /// The approved statement that is bound to this portal, to be executed in this segment.
    pub(super) fn executed(&mut self, portal: &[u8], segment: u64) -> Option<RunId> {
        let run = self.list.iter_mut().rfind(|run| run.is_bound(portal))?;
        run.segment = segment;
        run.answered = false;
        Some(run.id)
    }

    /// Whether an approved statement is bound to this portal and may be executed on.
    pub(super) fn is_bound(&self, portal: &[u8]) -> bool {
        self.list.iter().any(|run| run.is_bound(portal))
    }

    /// Whether an approved statement of an earlier segment is not answered. What it changes may change
    /// what the next one means, so that waits.
    pub(super) fn any_before(&self, segment: u64) -> bool {
        self.list.iter().any(|run| !run.answered && run.segment < segment)
    }

    /// A COMMIT has completed, in the statement with this id if it is one of these: what has run before it stays, whatever
    /// fails behind it in its pipeline.
    pub(super) fn committed(&mut self, id: Option<RunId>) {
        for mut run in std::mem::take(&mut self.list) {
            if run.is_text && Some(run.id) == id {
                run.is_committed = true;
                self.list.push(run);
            } else if run.begun && run.error.is_none() {
                self.done.push((run.running.id(), run.rows));
                run.finish(None);
            } else {
                self.list.push(run);
            }
        }
    }

    /// A command of the statement has completed.
    pub(super) fn completed(&mut self, id: Option<RunId>, tag: &str) {
        if let Some(run) = self.find(id) {
            run.begun = true;
            run.ended = true;
            tag.clone_into(&mut run.tag);
            if let Some(rows) = rows_of(tag) {
                run.rows = Some(run.rows.unwrap_or(0).saturating_add(rows));
            }
        }
    }

    /// The statement's portal is suspended after this many rows: more of it may be asked for.
    pub(super) fn suspended(&mut self, id: Option<RunId>, rows: u32) {
        if let Some(run) = self.find(id) {
            run.begun = true;
            run.rows = Some(run.rows.unwrap_or(0).saturating_add(rows.into()));
        }
    }

    /// The unit has failed, at this statement if it is one of these.
    pub(super) fn failed(&mut self, id: Option<RunId>, error: &ServerError) {
        if self.list.is_empty() {
            return;
        }
        self.unit_error = Some(error.clone());
        if let Some(run) = self.find(id) {
            run.begun = true;
            run.ended = true;
            run.error = Some(error.clone());
        }
    }

    /// The session has failed.
    pub(super) fn all_failed(&mut self, error: &ServerError) {
        for run in std::mem::take(&mut self.list) {
            run.finish(Some(error.clone()));
        }
    }

    /// The session is cut off: what has not gone upstream did not run. Of the rest, what is certainly undone with it has
    /// failed for this reason; of anything else, its guard says that the outcome is not known.
    pub(super) fn cut_off(
        &mut self,
        sqlstate: &str,
        why: &str,
        did_not_run: &str,
        is_undone: impl Fn(RequestId) -> bool,
    ) {
        for run in std::mem::take(&mut self.list) {
            if run.ahead > 0 {
                run.running.not_forwarded(did_not_run);
            } else if run.is_skipped() {
                run.finish(None);
            } else if is_undone(run.running.id()) {
                run.finish(Some(ServerError {
                    sqlstate: sqlstate.to_owned(),
                    message: why.to_owned(),
                    ..ServerError::default()
                }));
            }
        }
    }

    /// ReadyForQuery: what the segment holds has its outcome now; outside of a transaction nothing else of
    /// earlier ones can come.
    pub(super) fn ready(&mut self, segment: u64, status: TransactionStatus) {
        let unit_error = self.unit_error.take();
        if self.list.is_empty() {
            return;
        }
        let idle = status == TransactionStatus::Idle;
        for mut run in std::mem::take(&mut self.list) {
            // A segment without a Sync is answered with the simple query behind it.
            let here = !run.answered && run.segment <= segment;
            run.answered |= here;
            if run.unbound_in.is_some_and(|of| of <= segment) {
                run.unbound_in = None;
                // Behind an error it was skipped, or may have been: then the portal is still there.
                if unit_error.is_none() {
                    run.portal = None;
                }
            }
            run.begun_before |= run.begun && unit_error.is_none();
            match &unit_error {
                // Its portal may still be there, and be executed behind a ROLLBACK TO SAVEPOINT.
                Some(error) if here && !idle && run.may_go_on() => {
                    run.skipped = Some(error.clone());
                    self.list.push(run);
                }
                Some(error) if here => {
                    let error = undone(&run, error);
                    run.finish(Some(error));
                }
                _ if run.ended && !idle => {
                    self.done.push((run.running.id(), run.rows));
                    run.finish(None);
                }
                _ if run.ended || (idle && run.segment <= segment) => run.finish(None),
                _ => self.list.push(run),
            }
        }
    }

    /// Those that have run to their end and whose segment goes on, with the rows affected.
    pub(super) fn ended(&self) -> impl Iterator<Item = (RequestId, Option<u64>)> {
        let ended = self.list.iter().filter(|run| run.ended);
        ended.map(|run| (run.running.id(), run.rows))
    }

    fn find(&mut self, id: Option<RunId>) -> Option<&mut Run> {
        let id = id?;
        self.list.iter_mut().find(|run| run.id == id)
    }
}

impl Drop for Runs {
    /// The session has ended: what was not forwarded has certainly not run.
    fn drop(&mut self) {
        for run in std::mem::take(&mut self.list) {
            if run.is_skipped() {
                run.finish(None);
            } else if run.ahead == 0 {
                // Its own guard says that the outcome is not known.
                drop(run.running);
            } else {
                run.running
                    .not_forwarded("the session ended before it was forwarded; it did not run");
            }
        }
    }
}

impl Run {
    /// Whether it is bound to this portal, and may be executed on.
    fn is_bound(&self, portal: &[u8]) -> bool {
        !self.ended && self.unbound_in.is_none() && self.portal.as_deref() == Some(cut(portal))
    }

    /// Whether what has failed in its segment leaves its portal as it was, perhaps: it has not begun, or in an earlier one.
    fn may_go_on(&self) -> bool {
        self.portal.is_some() && self.error.is_none() && !self.ended && (!self.begun || self.begun_before)
    }

    /// Whether it was skipped, and nothing has executed it since.
    fn is_skipped(&self) -> bool {
        self.skipped.is_some() && self.answered && !self.begun
    }

    fn finish(self, error: Option<ServerError>) {
        let duration_ms = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (sqlstate, error) = match self.error.or(error) {
            Some(error) if self.is_committed => {
                let message = format!("{}; what it did up to a COMMIT in it stays", error.message);
                (Some(error.sqlstate), Some(message))
            }
            Some(error) => (Some(error.sqlstate), Some(error.message)),
            None if self.begun => (None, None),
            None => match self.skipped {
                Some(error) => (Some(error.sqlstate), Some(error.message)),
                None => (None, Some("it was bound, and never executed".to_owned())),
            },
        };
        // What was undone has changed nothing, whatever the server said before.
        let (tag, rows) = if error.is_some() {
            (String::new(), None)
        } else {
            (self.tag, self.rows)
        };
        self.running.finish(Outcome {
            tag,
            rows,
            sqlstate,
            error,
            duration_ms,
        });
    }
}

/// The error of a pipeline, for a statement in it: its own, or one that undid it.
fn undone(run: &Run, error: &ServerError) -> ServerError {
    let message = match (&run.error, run.ended) {
        (Some(own), _) => own.message.clone(),
        (None, true) => format!("rolled back with its pipeline: {}", error.message),
        (None, false) => error.message.clone(),
    };
    ServerError {
        message,
        ..error.clone()
    }
}
