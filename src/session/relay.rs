//! The session's loop: both directions of the relay, driven by one task.
//!
//! One poll serves both sockets: a statement that passes costs two reads, two writes and two waits, no
//! allocation and no lock. A side is read only while the other takes what was read, so memory stays
//! bounded by one read for each direction.
//!
//! Everything here is cancel-safe: all state is in [`Session`].

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use jiff::Timestamp;

use super::cursors::Cursors;
use super::gate::{PortalExecute, Shielded};
use super::handle::SessionHandle;
use super::inflight::Inflight;
use super::intake::{INFLIGHT_LIMIT, Intake, Pause, Stop};
use super::lately::Lately;
use super::leg::{Leg, Scratch};
use super::names::Names;
use super::outflow::Outflow;
use super::outlook::Outlook;
use super::own::OwnSettings;
use super::passed::Passed;
use super::recent::Recent;
use super::review::{CommitPortals, InReview};
use super::runs::Runs;
use super::shield::Shield;
use super::{Fault, Limits, Shared, Who};
use crate::model::Judged;
use crate::policy::Policy;
use crate::sql::{Meaning, settings};
use crate::upstream::Lease;
use crate::wire::backend::{self, ServerError, TransactionStatus};
use crate::wire::request;

/// While the client has not taken this many bytes, nothing more of it is read.
pub(super) const SPILL_LIMIT: usize = 256 * 1024;

/// The `client_encoding` in which texts are to the server what they are to people, as it reports it.
pub(super) const UTF8: &str = "UTF8";

/// A client's session with its server.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about it")]
pub(super) struct Session {
    pub(super) shared: Arc<Shared>,
    /// The policy in force, as of the last statement.
    pub(super) policy: Arc<Policy>,
    /// Which one that is.
    pub(super) policy_version: u64,
    /// What it has let pass.
    pub(super) passed: Passed,
    /// What was judged.
    pub(super) lately: Lately,
    /// The database is observed: nothing is held or denied, and what would have been is recorded.
    pub(super) observe: bool,
    pub(super) limits: Limits,
    pub(super) who: Who,
    pub(super) handle: Arc<SessionHandle>,
    pub(super) client: Leg,
    pub(super) server: Leg,
    /// What the server's side goes back to at the end, where it is a pool's.
    pub(super) lease: Option<Box<Lease>>,
    pub(super) intake: Intake,
    /// How long the client has been silent in the middle of a segment.
    pub(super) pause: Pause,
    pub(super) outflow: Outflow,
    pub(super) inflight: Inflight,
    pub(super) names: Names,
    /// Texts with an SQL `EXECUTE` that may be bound to portals.
    pub(super) portal_executes: Vec<PortalExecute>,
    /// The statement that was bound to the unnamed portal last, where it changes names.
    pub(super) portal_names: Option<Arc<Judged>>,
    /// The same of portals with names, where policy lets pass what is unknown.
    pub(super) named_portal_names: Vec<(Box<[u8]>, Arc<Judged>)>,
    /// What else is to be known of what was bound.
    pub(super) unnamed: super::gate::BoundInTransaction,
    /// Cursors and named portals whose statement does more than read.
    pub(super) cursors: Cursors,
    pub(super) runs: Runs,
    /// Statements that were prepared for an approver's change and that nobody needs: the server is to close them.
    pub(super) unused: Vec<String>,
    /// What it was told by statements that holdpoint answers itself.
    pub(super) own: OwnSettings,
    /// What ran in the transaction at hand and is reviewed with its COMMIT.
    pub(super) review: Option<Box<InReview>>,
    /// What was sent lately, for who decides on what comes next.
    pub(super) recent: Recent,
    /// How it stands in the audit log, where something of it does.
    pub(super) asker: Option<Box<crate::audit::Asker>>,
    /// Portals that may commit.
    pub(super) commit_portals: CommitPortals,
    /// What the server has answered to a step of a statement that runs under a limit of rows.
    pub(super) heard: Option<Box<super::limited::Heard>>,
    pub(super) status: TransactionStatus,
    /// The settings that change what a text means, as the server reports them.
    pub(super) meaning: Meaning,
    /// At some time an encoding was set in which texts cannot be judged, or may have been.
    pub(super) was_unsafe: bool,
    /// Texts are UTF-8 to the server, too: what is shown to people is what it reads.
    pub(super) is_utf8: bool,
    /// What names stand for.
    pub(super) outlook: Outlook,
    /// Whether the server refuses writes in what passes as a read.
    pub(super) shield: Shield,
    /// What portals with names have to do with it, in the transaction at hand.
    pub(super) portals: HashMap<Box<[u8]>, Shielded>,
    /// Since when `status` says that a transaction block is open.
    pub(super) transaction_since: Option<Timestamp>,
    /// The FATAL error that the server has sent: its end is explained.
    pub(super) goodbye: Option<Box<ServerError>>,
    /// Something was forwarded since the server was last ready: a cancel request has a target, and the
    /// server's status may be another than the last one reported.
    pub(super) busy: bool,
    /// The client sends nothing more.
    pub(super) client_ended: bool,
}

/// What the relay cannot do by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// The intake has stopped at a frame that needs more than polling.
    Stopped,
    /// The requester asked to cancel while nothing runs for them.
    CancelRequested,
    /// The proxy stops, and this session is at rest.
    Shutdown,
    /// What people are asked about is skipped: an earlier message of its pipeline has failed.
    Skipped,
}

/// What came of moving bytes one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Some have moved, or what they depend on has.
    Moved,
    /// There was nothing to read: the socket wakes the session once there is.
    Waits,
    /// It was not read: something else has to happen first.
    Blocked,
}

impl Session {
    /// Runs the session to its end.
    pub(super) async fn run(&mut self) -> Result<(), Fault> {
        loop {
            match poll_fn(|cx| self.poll_relay(cx)).await? {
                Event::Stopped if self.ends_reusable() => return Ok(()),
                Event::Shutdown => return Err(self.told_to_end()),
                Event::CancelRequested => self.cancel_approved(),
                Event::Skipped => {}
                // A session at rest is not to carry the states of a wait along.
                Event::Stopped => Box::pin(self.attend()).await?,
            }
            poll_fn(|cx| Poll::Ready(self.resume(cx))).await?;
        }
    }

    /// Why the session is to end, once it is told to.
    pub(super) fn told_to_end(&self) -> Fault {
        if self.handle.is_expelled() {
            Fault::Expelled {
                user: self.who.principal.name.clone(),
            }
        } else {
            Fault::ShuttingDown
        }
    }

    /// Attends to what stopped the intake.
    async fn attend(&mut self) -> Result<(), Fault> {
        match self.intake.stop.take() {
            Some(Stop::Judge(judgement)) => self.judge(*judgement).await,
            Some(Stop::Own(own)) => self.answer_own(*own).await,
            Some(Stop::Unrecorded) => self.wait_for_room().await,
            Some(Stop::Held(gated)) => {
                if gated.may_be_probed() {
                    self.probe(gated);
                    Ok(())
                } else {
                    self.settle(*gated).await
                }
            }
            Some(Stop::Terminate) => {
                self.server.out().extend_from_slice(request::TERMINATE);
                self.intake.stop = Some(Stop::Closing);
                Ok(())
            }
            other => {
                self.intake.stop = other;
                Ok(())
            }
        }
    }

    /// Whether the client has said goodbye, and its connection to the server may serve another session.
    fn ends_reusable(&self) -> bool {
        matches!(self.intake.stop, Some(Stop::Terminate)) && self.is_reusable()
    }

    /// Whether the goodbye, which the server would look at only behind what it is at, may turn out to be none for it. What
    /// is in a segment without an end, or in a COPY, is not answered in full before the server hears more.
    fn may_come_to_rest(&self) -> bool {
        self.lease.as_ref().is_some_and(|lease| !lease.is_spoilt())
            && !self.inflight.is_empty()
            && !self.inflight.ends_open()
            && !self.inflight.is_copying()
    }

    /// Whether the server waits for the end of a segment that never comes. It is told the goodbye then, as it would see
    /// the end of the connection directly: else it would keep the transaction and its locks, and the session never end.
    fn is_left_open(&self) -> bool {
        (self.client_ended || self.hears_no_more())
            && self.inflight.ends_open()
            && !self.intake.is_stopped()
            && !self.intake.is_passing()
            && !self.intake.is_congested()
            && !self.must_wait_for_cancel()
    }

    /// Whether nothing more of the client's is taken, since it may not go on.
    fn hears_no_more(&self) -> bool {
        self.handle.is_signalled() && self.handle.is_expelled()
    }

    /// Whether the connection to the server is a pool's, and as good as when the session began.
    pub(super) fn is_reusable(&self) -> bool {
        self.lease.as_ref().is_some_and(|lease| !lease.is_spoilt())
            && self.is_at_rest()
            && !self.outflow.is_partial()
            && !self.outlook.has_lost_default_path()
            && !self.busy
            && self.status == TransactionStatus::Idle
            && self.intake.clearance.is_empty()
            && !self.intake.has_begun()
            && !self.intake.is_passing()
            && self.goodbye.is_none()
            // It could hit the next session.
            && !self.handle.may_be_cancelled_later()
    }

    /// Whether the client has said goodbye, and the server was told.
    pub(super) fn is_closing(&self) -> bool {
        matches!(self.intake.stop, Some(Stop::Closing))
    }

    /// Moves bytes both ways until something else is to be done.
    pub(super) fn poll_relay(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, Fault>> {
        self.poll_limit(cx)?;
        // A cancel request that what waits had to wait for may have arrived.
        self.resume(cx)?;
        let (mut down, mut up) = (Turn::Moved, Turn::Moved);
        loop {
            self.poll_limit(cx)?;
            if self.is_left_open() {
                self.intake.stop = Some(Stop::Terminate);
            }
            if let Some(event) = self.pending_event() {
                return Poll::Ready(Ok(event));
            }
            if self.client_ended && self.needs_client() {
                return Poll::Ready(Err(Fault::ClientGone));
            }
            if down != Turn::Waits || self.client.spill() > 0 {
                down = self.poll_down(cx)?;
            }
            if up != Turn::Waits || self.wants_up() {
                up = self.poll_up(cx)?;
            }
            if down != Turn::Moved && up != Turn::Moved {
                // What the last messages brought may be an event too.
                return self
                    .pending_event()
                    .map_or(Poll::Pending, |event| Poll::Ready(Ok(event)));
            }
        }
    }

    /// Whether the way up is to be looked at although the client has sent nothing more: there is something for the
    /// server, or of the client's that waits.
    fn wants_up(&self) -> bool {
        self.server.spill() > 0 || self.intake.is_congested() || !self.intake.clearance.is_empty()
    }

    fn pending_event(&mut self) -> Option<Event> {
        match self.intake.stop {
            Some(Stop::Held(_) | Stop::Judge(_) | Stop::Own(_) | Stop::Unrecorded) => {
                return Some(Event::Stopped);
            }
            Some(Stop::Terminate) if !self.may_come_to_rest() => return Some(Event::Stopped),
            _ => {}
        }
        if self.intake.is_discarding() && matches!(self.intake.stop, Some(Stop::Deciding)) {
            return Some(Event::Skipped);
        }
        if !self.handle.is_signalled() {
            return None;
        }
        // One who is not heard any more is not waited for, either.
        let is_over = self.is_at_rest()
            || (self.handle.is_expelled() && self.waits_for_more() && self.outflow.at_boundary());
        if self.handle.is_stopping() && is_over {
            return Some(Event::Shutdown);
        }
        self.handle.take_withdrawal().then_some(Event::CancelRequested)
    }

    /// Whether the session can be ended without cutting anything off.
    fn is_at_rest(&self) -> bool {
        self.inflight.is_empty() && self.outflow.at_boundary() && self.server.spill() == 0
    }

    /// Server → client, one read.
    fn poll_down(&mut self, cx: &mut Context<'_>) -> Result<Turn, Fault> {
        if self.client.poll_drain(cx).map_err(Fault::client_io)?.is_pending() {
            return Ok(Turn::Blocked);
        }
        let mut scratch = Scratch::take();
        let Poll::Ready(read) = self.server.poll_read(cx, &mut scratch.bytes) else {
            return Ok(Turn::Waits);
        };
        match read.map_err(Fault::server_io)? {
            0 => Err(Fault::ServerGone),
            n => {
                if let Err(fault) = self.take_from_server(cx, &scratch.bytes[..n]) {
                    // What of it was not looked at is lost, and with it where the next message begins.
                    if let Some(lease) = &mut self.lease {
                        lease.spoil();
                    }
                    return Err(fault);
                }
                // The buffer may be needed again below.
                drop(scratch);
                self.lift_drain();
                self.resume(cx)?;
                Ok(Turn::Moved)
            }
        }
    }

    /// Client → server, one read.
    fn poll_up(&mut self, cx: &mut Context<'_>) -> Result<Turn, Fault> {
        if self.server.poll_drain(cx).map_err(Fault::server_io)?.is_pending() {
            return Ok(Turn::Blocked);
        }
        // The server answers nothing more before it has a message's end.
        let crowded = self.inflight.len() >= INFLIGHT_LIMIT && !self.intake.is_passing();
        let congested = self.client.spill() > SPILL_LIMIT;
        let is_deaf = self.client_ended || self.hears_no_more();
        if crowded || congested || is_deaf || self.must_wait_for_cancel() {
            return Ok(Turn::Blocked);
        }
        if self.intake.is_congested() {
            self.resume(cx)?;
            return Ok(Turn::Moved);
        }
        if self.intake.is_stopped() && self.intake.buffer.len() >= self.limits.hold_buffer {
            return Ok(Turn::Blocked);
        }
        let mut scratch = Scratch::take();
        let Poll::Ready(read) = self.client.poll_read(cx, &mut scratch.bytes) else {
            self.poll_pause(cx)?;
            return Ok(Turn::Waits);
        };
        match read.map_err(Fault::client_io)? {
            0 if self.needs_client() => Err(Fault::ClientGone),
            0 => {
                self.client_ended = true;
                Ok(Turn::Moved)
            }
            n => {
                self.take_from_client(cx, &scratch.bytes[..n])?;
                Ok(Turn::Moved)
            }
        }
    }

    /// Whether nothing can go on without the client. What it has sent before still runs, and may still be read;
    /// what is held does not run, and a COPY waits for its data, as the server does for the rest of a message.
    fn needs_client(&self) -> bool {
        self.inflight.is_empty() || self.intake.is_undecided() || self.waits_for_more()
    }

    /// Whether the server is in the middle of what only the client can bring to its end: a COPY, or a message.
    fn waits_for_more(&self) -> bool {
        self.inflight.is_copying() || (self.intake.is_passing() && !self.inflight.awaits_ready())
    }

    /// Something goes upstream: from now on a cancel request has a target.
    pub(super) fn begin_work(&mut self) {
        if !self.busy {
            self.busy = true;
            self.handle.set_busy(true);
        }
    }

    /// What was held goes upstream with the end of its segment: from now on a cancel request goes to the server. Gives `false`
    /// where one has come before, and what was held does not run.
    pub(super) fn begin_held_work(&mut self) -> bool {
        let was_busy = self.busy;
        self.begin_work();
        self.handle.forwards_held(true);
        let is_withdrawn = self.handle.end_holding();
        self.runs.is_awaited = !is_withdrawn;
        if is_withdrawn {
            self.handle.forwards_held(false);
            if !was_busy {
                self.busy = false;
                self.handle.set_busy(false);
            }
        }
        !is_withdrawn
    }

    /// Something of what was held is answered: the server has begun it, and forgets no cancel request.
    pub(super) fn held_is_begun(&mut self) {
        if std::mem::take(&mut self.runs.is_awaited) {
            self.handle.has_begun_held();
        }
    }

    /// A cancel request for what ran before is still on its way: nothing must be forwarded that it
    /// could hit. The session is woken when it has arrived.
    pub(super) fn must_wait_for_cancel(&self) -> bool {
        !self.busy && self.handle.is_cancelling()
    }

    /// ReadyForQuery was relayed.
    pub(super) fn became_ready(&mut self) {
        if self.handle.is_cancelling() {
            self.handle.note_answer();
        }
        if !self.inflight.is_empty() {
            return;
        }
        if self.busy {
            self.held_is_begun();
            self.busy = false;
            self.handle.set_busy(false);
        }
        self.intake.may_copy = false;
        self.intake.has_doubtful_encoding &= !self.intake.clearance.is_empty();
        if self.status == TransactionStatus::Idle && self.intake.clearance.is_empty() {
            self.outlook.transaction_ended();
            // Nothing of what is noted here outlives its transaction.
            self.portal_executes.clear();
            self.named_portal_names.clear();
            self.portals.clear();
            self.commit_portals = CommitPortals::default();
            self.unnamed = super::gate::BoundInTransaction::default();
        }
    }

    /// ReadyForQuery says whether a transaction block is open.
    pub(super) fn note_status(&mut self, status: TransactionStatus) {
        self.status = status;
        if status == TransactionStatus::Idle {
            self.transaction_since = None;
            self.end_review();
            return;
        }
        self.review_goes_on();
        if self.transaction_since.is_none() {
            self.transaction_since = Some(self.shared.clock.now());
        }
    }

    /// ParameterStatus: some settings change what a text means.
    pub(super) fn note_parameter(&mut self, body: &[u8]) {
        let Ok((name, value)) = backend::parameter_status(body) else {
            return;
        };
        if let Some(lease) = &mut self.lease {
            lease.note(name, value);
        }
        match name {
            b"standard_conforming_strings" => self.meaning.standard_conforming_strings = value == b"on",
            b"client_encoding" => {
                let value = std::str::from_utf8(value).unwrap_or_default();
                self.meaning.encoding_is_safe = settings::encoding_is_safe(value);
                self.was_unsafe |= !self.meaning.encoding_is_safe;
                self.is_utf8 = value == UTF8;
            }
            b"default_transaction_read_only" => self.shield.reported(value),
            b"application_name" => {
                self.who.application_name = String::from_utf8_lossy(value).into_owned();
                self.passed.forget();
                self.note_application_name();
            }
            _ => {}
        }
    }
}
