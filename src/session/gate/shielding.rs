//! The read shield at the gate: what has to be asked of the server before a frame is cleared.

use crate::model::{Facts, Judged};
use crate::session::Fault;
use crate::session::inflight::Expect;
use crate::session::intake::Stop;
use crate::session::names::Lookup;
use crate::session::relay::Session;
use crate::session::shield::{ANSWERS, Control, Move, Need, need_of, to_its_end};
use crate::wire::backend::TransactionStatus;
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
    pub(super) fn need(&self, judged: &Judged) -> Need {
        let need = self.need_by_itself(judged);
        // What counts as unknown is not taken for a read here either.
        if need == Need::Up && self.shield.is_slipped_by(judged) {
            return Need::Down;
        }
        need
    }

    fn need_by_itself(&self, judged: &Judged) -> Need {
        let by_name = executes(judged) || (!self.cursors.is_empty() && judged.statements.iter().any(fetches));
        if by_name
            && let Resolved::As { judged, .. } =
                resolve(judged, &self.names, &self.cursors, self.intake.segment)
        {
            return need_of(&judged);
        }
        need_of(judged)
    }

    /// A Bind is cleared: what its portal will need.
    pub(super) fn note_need(&mut self, pass: &Pass) {
        let shielded = Shielded {
            need: self.need(&pass.judged),
            control: Control::of(&pass.judged),
        };
        match pass.portal.as_deref() {
            Some(portal) if !portal.is_empty() => {
                if self.portals.len() >= PORTALS {
                    // What is not known counts as a read.
                    self.portals.clear();
                }
                self.portals.insert(portal.into(), shielded);
            }
            _ => self.unnamed.shielded = Some(shielded),
        }
    }

    /// What has to happen before something that needs this is cleared; `None`: nothing.
    pub(super) fn shield_stop(&self, need: Need) -> Option<Stop> {
        if self.shield.is_ready(need) || self.server_refuses_all_but_the_end() {
            return None;
        }
        if self.inflight.is_empty() {
            return self.shield.next(need).map(Stop::Shield);
        }
        if self.inflight.awaits_ready() {
            return Some(Stop::InTurn);
        }
        // What is cleared of the segment is in one transaction with what comes, unless a Sync of ours may go between.
        match need {
            _ if self.may_pause() => Some(Stop::ShieldPause),
            Need::Up => Some(Stop::ShieldInside),
            Need::Down if self.intake.has_begun() => None,
            Need::Down => self.shield.next(need).map(Stop::ShieldBefore),
            Need::Nothing => None,
        }
    }

    /// Whether a Sync of ours ends no transaction of the segment at hand.
    fn may_pause(&self) -> bool {
        let intake = &self.intake;
        !intake.has_bound
            || intake.after_control
            || (self.status == TransactionStatus::InTransaction && !intake.has_control)
    }

    /// Whether the shield can no longer be lowered for what is to write: it stands in the middle of an implicit
    /// transaction, which a Sync of ours would end, and of which something has gone upstream.
    fn is_shield_stuck(&self) -> bool {
        !self.may_pause()
            && self.inflight.ends_open()
            && (self.shield.is_fixed() || (!self.shield.is_ready(Need::Down) && self.intake.has_begun()))
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
        let mut bytes = Vec::new();
        to_its_end(&mut bytes);
        self.server.out().extend_from_slice(&bytes);
        self.inflight.push_own(Expect::ShieldInside { left: ANSWERS });
        self.shield.raised_to_its_end();
    }

    /// As [`Self::move_shield`], before all that is cleared.
    pub(in crate::session) fn move_shield_before(&mut self, one: Move) {
        let mut bytes = Vec::new();
        one.encode(&mut bytes);
        self.server.out().extend_from_slice(&bytes);
        self.shield.moves();
        self.inflight.push_own_before(Expect::Shield {
            one,
            left: one.commands(),
        });
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
    pub(super) fn refused_by_shield(&self, need: Need) -> Option<Report> {
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
        match self.shielded(portal) {
            Some(shielded) => shielded.need,
            // A cursor of DECLARE, or a portal that was forgotten.
            None if self.runs.is_bound(portal) || self.cursors.facts(portal).is_some() => Need::Down,
            None => Need::Up,
        }
    }

    /// What an Execute of a portal does to transactions.
    pub(super) fn control_of_portal(&self, portal: &[u8]) -> Control {
        self.shielded(portal)
            .map_or_else(Control::default, |shielded| shielded.control)
    }

    fn shielded(&self, portal: &[u8]) -> Option<Shielded> {
        if portal.is_empty() {
            self.unnamed.shielded
        } else {
            self.portals.get(portal).copied()
        }
    }

    /// Asks the server to move the shield.
    pub(in crate::session) fn move_shield(&mut self, one: Move) {
        let mut bytes = Vec::new();
        one.encode(&mut bytes);
        self.server.out().extend_from_slice(&bytes);
        self.shield.moves();
        self.inflight.push_own(Expect::Shield {
            one,
            left: one.commands(),
        });
    }

    /// The client has all its answers: raises the shield ahead of its next read.
    pub(in crate::session) fn raise_ahead(&mut self, was_in_block: bool) {
        let is_quiet = self.inflight.is_empty()
            && self.intake.clearance.is_empty()
            && self.intake.buffer.is_empty()
            && !self.intake.is_stopped()
            && !self.handle.is_cancelling();
        if is_quiet && let Some(one) = self.shield.ahead(was_in_block) {
            self.move_shield(one);
        }
    }

    /// A message of the server's that answers a move of the shield. `None`: it does not.
    pub(in crate::session) fn shield_answered(&mut self, tag: u8, body: &[u8]) -> Result<bool, Fault> {
        if matches!(tag, b'1' | b'2' | b'3' | b'C') && self.inflight.shield_answers_inside() {
            return Ok(true);
        }
        if !self.inflight.is_shield_at_front() {
            return Ok(false);
        }
        match tag {
            b'1' | b'2' | b'3' | b'C' => {
                if tag == b'C' {
                    self.inflight.shield_completed();
                }
                Ok(true)
            }
            b'S' => Ok(body.starts_with(b"default_transaction_read_only\0")),
            b'Z' => match self.inflight.shield_done() {
                Some(done) => {
                    self.shield.moved(done);
                    Ok(true)
                }
                None => Err(Fault::Shield),
            },
            b'E' => {
                let error = crate::wire::backend::error_response(body);
                if error.ends_session() {
                    return Ok(false);
                }
                tracing::error!(error.sqlstate = %error.sqlstate, error.message = %error.message,
                    "the server refuses to move the read shield");
                Err(Fault::Shield)
            }
            _ => Ok(false),
        }
    }
}

fn read_only() -> Report {
    Report::error(
        sqlstate::READ_ONLY_TRANSACTION,
        "cannot write in a transaction that is read-only behind the read shield",
    )
}
