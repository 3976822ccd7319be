//! The read shield at the gate: what has to be asked of the server before a frame is cleared.

use crate::model::{Facts, Judged};
use crate::session::Fault;
use crate::session::inflight::Expect;
use crate::session::intake::Stop;
use crate::session::names::{Lookup, cut};
use crate::session::relay::Session;
use crate::session::shield::{Control, Move, Need, need_of};
use crate::wire::backend::{self, ServerError, TransactionStatus};
use crate::wire::{Report, sqlstate};

use super::resolve::{Resolved, executes, fetches, resolve};
use super::{Pass, Shielded};

/// Portals with names whose need is remembered, in one transaction.
const PORTALS: usize = 10_000;

/// Why a text counts as unknown that reads only.
const SLIPS: &str = "what it reads cannot be shielded: in the same text, before it, transactions begin or end, or their \
                     modes are set";

impl Session {
    /// What a text needs, the names in it resolved.
    pub(in crate::session) fn need(&self, judged: &Judged) -> Need {
        let need = self.need_by_itself(judged);
        // What counts as unknown is not taken for a read here either.
        if need == Need::Up && self.shield.is_slipped_by(judged) {
            return Need::Down;
        }
        need
    }

    fn need_by_itself(&self, judged: &Judged) -> Need {
        self.with_names(judged, need_of)
    }

    /// What executing a text does to transactions, the names in it resolved.
    pub(super) fn control(&self, judged: &Judged) -> Control {
        self.with_names(judged, Control::of)
    }

    fn with_names<T>(&self, judged: &Judged, of: impl Fn(&Judged) -> T) -> T {
        let may_fetch = self.has_late_portals() || !self.cursors.is_empty();
        let by_name = executes(judged) || (may_fetch && judged.statements.iter().any(fetches));
        if by_name
            && let Resolved::As { judged, .. } = resolve(
                judged,
                &self.names,
                &self.cursors,
                self.intake.segment,
                &|portal| self.is_portal_moved(portal),
            )
        {
            return of(&judged);
        }
        of(judged)
    }

    /// A Bind is cleared: what its portal will need.
    pub(super) fn note_need(&mut self, pass: &Pass) {
        let shielded = Shielded {
            need: self.need(&pass.judged),
            control: self.control(&pass.judged),
        };
        self.intake.has_write |= shielded.need == Need::Down;
        match pass.portal.as_deref() {
            Some(portal) if !portal.is_empty() => self.note_portal(portal, shielded),
            // Only a segment that binds it executes it for what it was bound to.
            _ => self.unnamed.shielded = Some(shielded),
        }
    }

    /// A cursor is declared: as a portal, it reads.
    pub(super) fn note_declared(&mut self, name: &str) {
        self.note_portal(
            name.as_bytes(),
            Shielded {
                need: Need::Up,
                control: Control::default(),
            },
        );
    }

    /// A portal of this name may be made, or the one that there is may stay: the stricter counts.
    fn note_portal(&mut self, portal: &[u8], shielded: Shielded) {
        if !self.shield.is_worn() {
            return;
        }
        if self.portals.len() >= PORTALS {
            // What is not known counts as a read that may do anything to transactions.
            self.portals.clear();
        }
        self.portals
            .entry(cut(portal).into())
            .and_modify(|known| {
                known.need = known.need.max(shielded.need);
                known.control = known.control.or(shielded.control);
            })
            .or_insert(shielded);
    }

    /// What has to happen before something that needs this is cleared; `None`: nothing.
    pub(super) fn shield_stop(&self, need: Need) -> Option<Stop> {
        let is_over = need != Need::Nothing && self.shield.is_over_in(self.intake.segment);
        if (self.shield.is_ready(need) && !is_over) || self.server_refuses_all_but_the_end() {
            return None;
        }
        if self.inflight.awaits_ready() {
            return Some(Stop::InTurn);
        }
        if is_over {
            return Some(Stop::Drain);
        }
        if !self.is_in_segment() {
            return self.shield.next(need).map(Stop::Shield);
        }
        // What is cleared of the segment is in one transaction with what comes, unless a Sync of ours may go between.
        if self.may_pause() {
            return Some(Stop::Pause);
        }
        let before = || {
            let is_possible = !self.intake.has_begun() && !self.shield.is_fixed();
            self.shield.next(need).filter(|_| is_possible)
        };
        match need {
            Need::Nothing | Need::Modes => None,
            Need::Down => before().map(Stop::ShieldBefore),
            Need::Up if self.intake.has_write => Some(Stop::ShieldInside),
            Need::Up => Some(before().map_or(Stop::ShieldInside, Stop::ShieldBefore)),
        }
    }

    /// Whether something of a segment that has not ended was cleared.
    fn is_in_segment(&self) -> bool {
        self.intake.has_bound || self.intake.has_begun() || self.inflight.ends_open()
    }

    /// Whether a Sync of ours ends no transaction of the segment at hand.
    pub(in crate::session) fn may_pause(&self) -> bool {
        let intake = &self.intake;
        !intake.has_bound
            || intake.after_control
            || (self.status == TransactionStatus::InTransaction && !intake.has_control)
    }

    /// Whether the shield can no longer be lowered for what is to write: it stands in the middle of an implicit
    /// transaction, which a Sync of ours would end, and of which something has gone upstream.
    fn is_shield_stuck(&self) -> bool {
        let cannot_move = || self.shield.is_fixed() || self.intake.has_begun();
        self.is_in_segment()
            && !self.may_pause()
            && (self.shield.lasts_to_its_end() || (!self.shield.is_ready(Need::Down) && cannot_move()))
    }

    /// A Bind has passed as a read: a write behind it in the same implicit transaction would take the shield from it.
    pub(super) fn note_read(&mut self, statement: &[u8], need: Need) {
        if need == Need::Up && self.shield.is_worn() && self.status == TransactionStatus::Idle {
            let text = match self.names.lookup(statement, self.intake.segment) {
                Lookup::Known(prepared) => prepared.text(),
                Lookup::Missing | Lookup::Unanswered => None,
            };
            self.intake.reads.note(text);
        }
    }

    /// Makes the rest of the implicit transaction at hand read-only.
    pub(in crate::session) fn raise_shield_inside(&mut self) {
        let bytes = self.shield.encode_to_its_end();
        self.server.out().extend_from_slice(&bytes);
        self.inflight.push_own(Expect::ShieldInside { answered: 0 });
        self.intake.begins_upstream();
        let is_whole = self.status == TransactionStatus::Idle && !self.intake.may_be_nested;
        self.shield.raised_to_its_end(is_whole, self.intake.segment);
    }

    /// Asks the server to move the shield. Between two messages of the client's only.
    pub(in crate::session) fn move_shield(&mut self, one: Move) {
        let expect = self.send_move(one);
        self.inflight.push_own(expect);
    }

    /// As [`Self::move_shield`], before all that is cleared.
    pub(in crate::session) fn move_shield_before(&mut self, one: Move) {
        let expect = self.send_move(one);
        self.inflight.push_own_before(expect);
    }

    fn send_move(&mut self, one: Move) -> Expect {
        let bytes = self.shield.encode(one);
        self.server.out().extend_from_slice(&bytes);
        self.shield.moves();
        Expect::Shield {
            one,
            answered: 0,
            failed: false,
        }
    }

    /// As it is to be decided on: a read that cannot be shielded counts as unknown.
    pub(super) fn unshielded(&self, judged: &Judged) -> Option<Judged> {
        if !self.shield.is_slipped_by(judged) {
            return None;
        }
        let mut judged = judged.clone();
        let mut doubt = Facts::unknown(SLIPS);
        doubt.commands.clear();
        for statement in &mut judged.statements {
            statement.facts.absorb(&doubt);
        }
        Some(judged)
    }

    /// The refusal of what writes where the shield cannot be lowered; people are not asked in vain.
    pub(in crate::session) fn refused_by_shield(&self, need: Need) -> Option<Report> {
        if need != Need::Down {
            return None;
        }
        if self.shield.forbids_writes() {
            return Some(
                read_only()
                    .detail("The transaction was begun in one message with statements that passed as reads.")
                    .hint("Send BEGIN by itself, or what writes first."),
            );
        }
        self.is_shield_stuck().then(|| {
            read_only()
                .detail("Earlier statements of the same pipeline have passed as reads.")
                .hint("Send a Sync in between, or begin a transaction block.")
        })
    }

    /// What an Execute of a portal needs.
    pub(super) fn need_of_portal(&self, portal: &[u8]) -> Need {
        self.shielded(portal).map_or(Need::Up, |shielded| shielded.need)
    }

    /// What an Execute of a portal does to transactions.
    pub(in crate::session) fn control_of_portal(&self, portal: &[u8]) -> Control {
        self.shielded(portal)
            .map_or(Control::UNKNOWN, |shielded| shielded.control)
    }

    /// What is known of a portal. The unnamed one is what was bound to it in this segment: a Bind that failed in an
    /// earlier one may have left another.
    fn shielded(&self, portal: &[u8]) -> Option<Shielded> {
        if portal.is_empty() {
            self.unnamed
                .shielded
                .filter(|_| self.unnamed.segment == self.intake.segment)
        } else {
            self.portals.get(cut(portal)).copied()
        }
    }

    /// The client has all its answers: raises the shield ahead of its next read.
    pub(in crate::session) fn raise_ahead(&mut self, was_in_block: bool) {
        // Half a message of the client's may be upstream: ours would be taken for its rest.
        let is_quiet = self.inflight.is_empty()
            && !self.intake.is_passing()
            && self.intake.clearance.is_empty()
            && self.intake.buffer.is_empty()
            && !self.intake.is_stopped()
            && !self.handle.is_cancelling();
        if is_quiet && let Some(one) = self.shield.ahead(was_in_block) {
            self.move_shield(one);
        }
    }

    /// What this needs waits for people: lowers the shield meanwhile, so that once it is approved it need not wait for that.
    pub(in crate::session) fn lower_ahead(&mut self, pass: &Pass) {
        if !self.must_wait_for_cancel()
            && let Some(Stop::Shield(one)) = self.shield_stop(self.need(&pass.judged))
        {
            self.move_shield(one);
        }
    }

    /// A message of the server's: whether it answers what we have asked about the shield.
    pub(in crate::session) fn shield_answered(&mut self, tag: u8, body: &[u8]) -> Result<bool, Fault> {
        if !self.inflight.is_shielding() {
            return Ok(false);
        }
        let answers = matches!(tag, b'1' | b'2' | b'3' | b'C');
        let command = if tag == b'C' {
            backend::command_tag(body).unwrap_or_default()
        } else {
            ""
        };
        if answers
            && self
                .inflight
                .shield_answers_inside(tag, command)
                .map_err(Fault::desync)?
        {
            return Ok(true);
        }
        if !self.inflight.is_shield_at_front() {
            return Ok(false);
        }
        match tag {
            _ if answers => {
                let fits = self.inflight.shield_answers(tag, command);
                fits.map(|()| true).map_err(|_| Fault::Shield)
            }
            b'S' => Ok(body.starts_with(b"default_transaction_read_only\0")),
            b'Z' => {
                match self.inflight.shield_done() {
                    Some((one, true)) => self.shield.moved(one),
                    Some((_, false)) if self.shield.failed_to_move() => {}
                    Some(_) | None => return Err(Fault::Shield),
                }
                Ok(true)
            }
            b'E' => self.shield_failed(&backend::error_response(body)),
            b'A' | b'N' => Ok(false),
            _ => Err(Fault::Shield),
        }
    }

    /// A move has failed. Outside of a block, one that the client's own timeouts have hit is tried again.
    fn shield_failed(&mut self, error: &ServerError) -> Result<bool, Fault> {
        if error.ends_session() {
            return Ok(false);
        }
        tracing::warn!(error.sqlstate = %error.sqlstate, error.message = %error.message,
            "the server did not move the read shield");
        let is_slow = matches!(error.sqlstate.as_str(), "57014" | "55P03");
        if is_slow && self.status == TransactionStatus::Idle {
            self.inflight.shield_fails();
            return Ok(true);
        }
        Err(Fault::Shield)
    }
}

fn read_only() -> Report {
    Report::error(
        sqlstate::READ_ONLY_TRANSACTION,
        "cannot write in a transaction that is read-only behind the read shield",
    )
}
