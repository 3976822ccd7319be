//! Approved statements between their approval and their outcome.
//!
//! A statement's outcome is known at the ReadyForQuery that ends its segment: until then an error behind it
//! in its pipeline may undo it. It does not undo what is committed before it comes, be it by a COMMIT or by what commits as it
//! goes (`runs/keeps.rs`), and in a transaction block what stands before a savepoint. Invariant: nothing is recorded as rolled
//! back that may stay.

mod keeps;
mod progress;

use std::time::Instant;

use super::inflight::RunId;
use super::names::cut;
use crate::approval::Running;
use crate::model::RequestId;
use crate::wire::backend::{ServerError, TransactionStatus};
use keeps::is_its_own_transaction;
use progress::Progress;

pub(super) use keeps::Keeps;

/// What came of a statement, for a transaction that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    /// It has run to its end, with so many rows, where its tags say how many.
    Ran(Option<u64>),
    /// It has failed, or what failed behind it has undone it.
    Failed,
}

/// One approved statement.
#[derive(Debug)]
struct Run {
    id: RunId,
    running: Running,
    /// The portal it is bound to; `None` for a simple query, or once another is.
    portal: Option<Box<[u8]>>,
    /// The server has bound it. Else what stands in its portal is what was there before, if anything.
    has_portal: bool,
    /// The segment in which its portal is closed, or bound anew, unless the server skips that.
    unbound_in: Option<u64>,
    /// It is a text of its own, which may commit in its middle and go on.
    is_text: bool,
    /// The segment it stands in: that of its Bind, then that of its Execute.
    segment: u64,
    /// That segment is answered.
    answered: bool,
    since: Instant,
    /// Bytes of the client's that are cleared and have not gone to the server, up to its own last one; 0: that has.
    ahead: usize,
    progress: Progress,
}

/// The approved statements of a session that have no outcome yet; seldom more than one.
#[derive(Debug, Default)]
pub(super) struct Runs {
    list: Vec<Run>,
    next: u32,
    /// The one that was cleared last is not answered.
    pub(super) is_awaited: bool,
    /// Those that have run to their end, for whoever wants to know what came of them.
    pub(super) done: Vec<(RequestId, Came)>,
    /// The error in the unit (up to ReadyForQuery) at hand.
    unit_error: Option<ServerError>,
}

impl Runs {
    /// A statement is cleared. `ahead`: with so many bytes, its own among them, that have not gone to the server. `changes`: it
    /// does more than read.
    pub(super) fn start(
        &mut self,
        running: Running,
        portal: Option<&[u8]>,
        segment: u64,
        ahead: usize,
        keeps: Keeps,
        changes: bool,
    ) -> RunId {
        let id = RunId(self.next);
        self.next = self.next.wrapping_add(1);
        self.list.push(Run {
            id,
            running,
            portal: portal.map(|portal| cut(portal).into()),
            has_portal: false,
            unbound_in: None,
            is_text: portal.is_none(),
            segment,
            answered: false,
            since: Instant::now(),
            ahead,
            progress: Progress::new(keeps, changes),
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

    /// BindComplete, of the statement with this id if it is one of these.
    pub(super) fn bound(&mut self, id: Option<RunId>) {
        if let Some(run) = self.find(id) {
            run.has_portal = true;
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

    /// Whether what an earlier segment binds to this portal, or executes there, is not answered.
    pub(super) fn is_at_work(&self, portal: &[u8], segment: u64) -> bool {
        let of_it = |run: &Run| run.portal.as_deref() == Some(cut(portal));
        self.list
            .iter()
            .any(|run| !run.answered && run.segment < segment && of_it(run))
    }

    /// The approved statement that is bound to this portal, to be executed in this segment: none before that is at work
    /// ([`Self::is_at_work`]).
    pub(super) fn executed(&mut self, portal: &[u8], segment: u64) -> Option<RunId> {
        let run = self.list.iter_mut().rfind(|run| run.is_bound(portal, segment))?;
        run.segment = segment;
        run.answered = false;
        Some(run.id)
    }

    /// Whether an approved statement is bound to this portal and may be executed on in this segment.
    pub(super) fn is_bound(&self, portal: &[u8], segment: u64) -> bool {
        self.list.iter().any(|run| run.is_bound(portal, segment))
    }

    /// Whether an approved statement of an earlier segment is not answered. What it changes may change
    /// what the next one means, so that waits.
    pub(super) fn any_before(&self, segment: u64) -> bool {
        self.list.iter().any(|run| !run.answered && run.segment < segment)
    }

    /// Whether none is without an outcome.
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// What is about to run, of which people were not asked, may commit as it goes, and with it what stands before it in its
    /// pipeline.
    pub(super) fn may_be_committed(&mut self) {
        for run in self.list.iter_mut().filter(|run| !run.answered) {
            run.progress.keeps = Keeps::Commits;
        }
    }

    /// A command has completed, in the statement with this id if it is one of these.
    pub(super) fn completed(&mut self, id: Option<RunId>, tag: &str) {
        if self.list.is_empty() {
            return;
        }
        if let Some(run) = self.find(id) {
            run.progress.completed(tag);
        }
        self.commit_with(id);
        for run in &mut self.list {
            run.progress.note_savepoint(tag);
        }
        match tag {
            // That of a transaction which has failed is a ROLLBACK.
            "COMMIT" => self.committed(id, "COMMIT"),
            "PREPARE TRANSACTION" => self.committed(id, "PREPARE TRANSACTION"),
            _ if is_its_own_transaction(tag) => self.committed_alone(id),
            _ => {}
        }
    }

    /// What has run before this command, in the statement with this id if it is one of these, stays, whatever fails behind it in
    /// its pipeline.
    fn committed(&mut self, id: Option<RunId>, command: &'static str) {
        for mut run in std::mem::take(&mut self.list) {
            if run.is_text && Some(run.id) == id {
                run.progress.committed(command);
                self.list.push(run);
            } else if run.progress.begun && run.progress.error.is_none() {
                self.done.push((run.running.id(), Came::Ran(run.progress.rows)));
                run.finish();
            } else {
                self.list.push(run);
            }
        }
    }

    /// So does this statement, and nothing that stands before it. A text has its end with it.
    fn committed_alone(&mut self, id: Option<RunId>) {
        let is_it = |run: &Run| !run.is_text && Some(run.id) == id;
        if let Some(at) = self.list.iter().position(is_it) {
            let run = self.list.remove(at);
            self.done.push((run.running.id(), Came::Ran(run.progress.rows)));
            run.finish();
        }
    }

    /// If the statement with this id commits as it goes, what has run before it in its pipeline may be committed with it.
    fn commit_with(&mut self, id: Option<RunId>) {
        if self
            .find(id)
            .is_none_or(|run| run.progress.keeps != Keeps::Commits)
        {
            return;
        }
        for run in &mut self.list {
            if run.progress.begun && run.progress.error.is_none() {
                run.progress.keeps = Keeps::Commits;
            }
        }
    }

    /// The statement's portal is suspended after this many rows: more of it may be asked for.
    pub(super) fn suspended(&mut self, id: Option<RunId>, rows: u32) {
        if let Some(run) = self.find(id) {
            run.progress.suspended(rows);
        }
        self.commit_with(id);
    }

    /// The unit has failed, at this statement if it is one of these.
    pub(super) fn failed(&mut self, id: Option<RunId>, error: &ServerError) {
        if self.list.is_empty() {
            return;
        }
        self.unit_error = Some(error.clone());
        if let Some(run) = self.find(id) {
            run.progress.failed(error);
        }
        self.commit_with(id);
    }

    /// The session has failed.
    pub(super) fn all_failed(&mut self, error: &ServerError) {
        for mut run in std::mem::take(&mut self.list) {
            // It may be in the middle of it.
            run.progress.begun |= run.ahead == 0;
            run.lost(error);
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
        for mut run in std::mem::take(&mut self.list) {
            if run.ahead > 0 {
                run.running.not_forwarded(did_not_run);
            } else if run.is_skipped() {
                run.finish();
            } else if is_undone(run.running.id()) {
                run.progress.error.get_or_insert_with(|| ServerError {
                    sqlstate: sqlstate.to_owned(),
                    message: why.to_owned(),
                    ..ServerError::default()
                });
                run.finish();
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
            run.progress.begun_before |= run.progress.begun && unit_error.is_none();
            match &unit_error {
                // Its portal may still be there, and be executed behind a ROLLBACK TO SAVEPOINT.
                Some(error) if here && !idle && run.may_go_on() => {
                    run.progress.skipped = Some(error.clone());
                    self.list.push(run);
                }
                Some(error) if here && (idle || !run.progress.outlives_errors()) => {
                    self.done.push((run.running.id(), Came::Failed));
                    run.undone(error, !idle);
                }
                _ if run.progress.ended && !idle => {
                    self.done.push((run.running.id(), Came::Ran(run.progress.rows)));
                    run.finish();
                }
                _ if run.progress.ended || (idle && run.segment <= segment) => run.finish(),
                _ => self.list.push(run),
            }
        }
    }

    /// Those that have run to their end and whose segment goes on. Behind an error it is not known yet which these are.
    pub(super) fn ended(&self) -> impl Iterator<Item = (RequestId, Came)> {
        let is_known = self.unit_error.is_none();
        let ended = self.list.iter().filter(move |run| is_known && run.progress.ended);
        ended.map(|run| (run.running.id(), Came::Ran(run.progress.rows)))
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
                run.finish();
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
    /// Whether it is bound to this portal, and may be executed on in this segment. In that of its Bind, the server skips the
    /// Execute if that fails.
    fn is_bound(&self, portal: &[u8], segment: u64) -> bool {
        !self.progress.ended
            && self.unbound_in.is_none()
            && (self.has_portal || self.segment == segment)
            && self.portal.as_deref() == Some(cut(portal))
    }

    /// Whether what has failed in its segment leaves its portal as it was, perhaps: it was bound, and has not begun, or in an
    /// earlier one, or before a savepoint.
    fn may_go_on(&self) -> bool {
        let progress = &self.progress;
        self.portal.is_some()
            && self.has_portal
            && progress.error.is_none()
            && !progress.ended
            && (!progress.begun || progress.begun_before || progress.outlives_errors())
    }

    /// Whether it was skipped, and nothing has executed it since.
    fn is_skipped(&self) -> bool {
        self.progress.skipped.is_some() && self.answered && !self.progress.begun
    }

    /// Nothing has undone it.
    fn finish(self) {
        let duration_ms = self.duration_ms();
        self.running.finish(self.progress.finished(duration_ms));
    }

    /// It has failed, or what failed in its pipeline has undone it. `in_block`: its transaction block is still open.
    fn undone(self, by: &ServerError, in_block: bool) {
        let duration_ms = self.duration_ms();
        self.running
            .finish(self.progress.undone(by, in_block, duration_ms));
    }

    /// The session has failed before it had its outcome.
    fn lost(self, by: &ServerError) {
        let duration_ms = self.duration_ms();
        self.running.finish(self.progress.lost(by, duration_ms));
    }

    fn duration_ms(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
