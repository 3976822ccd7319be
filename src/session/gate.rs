//! The gate: what a frame would run, and what policy says to it.
//!
//! Whatever can start work on the server passes here: simple queries, function calls, and Bind (the server
//! plans and may evaluate functions then, before any Execute). An Execute only goes on with a portal that was
//! judged at its Bind; where the portal's text is an SQL `EXECUTE`, what it stands for is looked at
//! again, since the name may mean something else by now.

mod bind;
mod call;
mod execute;
mod judging;
mod late;
mod refusals;
mod resolve;
mod ruling;
mod shielding;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::inflight::{Desync, Expect, RunId};
use super::intake::{Misstep, Step, Stop};
use super::names::{Prepared, Source};
use super::relay::Session;
use super::runs::Keeps;
use super::shield::{Control, Need};
use crate::approval::Running;
use crate::model::{
    Decision, EarlierOutcome, Effect, Facts, HoldTerms, Judged, NameOp, Parameter, Statement,
};
use crate::sql::may_be_own;
use crate::wire::backend::TransactionStatus;
use crate::wire::frontend;
pub(super) use bind::Large;
pub(super) use refusals::too_many_names;
use refusals::{acts_before_approval, changed, missing};
pub(super) use resolve::{Joined, is_unresolved, with_prepared};
use resolve::{changes_names, leaves_traces, may_copy};
pub(super) use ruling::Ruled;

/// What this transaction has bound, as far as a Bind that failed leaves in doubt what it is.
#[derive(Debug, Default)]
pub(super) struct BoundInTransaction {
    /// A text that changes names was bound to the unnamed portal.
    changes_names: bool,
    /// A text that may be a COPY FROM STDIN was bound, to whatever portal.
    copies: bool,
    /// So was one that may set another client_encoding.
    sets_encoding: bool,
    /// The segment of the last Bind to the unnamed portal.
    segment: u64,
    /// What the text that was bound to the unnamed portal last has to do with the read shield; `None`: nothing was.
    shielded: Option<Shielded>,
    /// Texts whose names are looked up when they are executed.
    late: late::Late,
}

/// What a portal has to do with the read shield.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shielded {
    /// What it needs of it.
    need: Need,
    /// What it does to transactions.
    control: Control,
}

/// More prepared statements than this in one session are refused.
pub(super) const NAMES_LIMIT: usize = 20_000;

/// A statement that does not simply pass.
#[derive(Debug)]
pub(super) struct Gated {
    /// `Q`, `F` or `B`.
    pub(super) tag: u8,
    /// The length of its frame.
    pub(super) frame: usize,
    pub(super) ruling: Ruling,
    /// The text that would run, for people.
    pub(super) text: Bytes,
    pub(super) parameters: Vec<Parameter>,
    pub(super) facts: Facts,
    /// What a Bind binds: its own text, and the types of its parameters as far as they are known.
    pub(super) source: Option<Source>,
    /// The server was asked whether the text is SQL, and takes it.
    pub(super) probed: bool,
    /// What clears the frame once people have approved it.
    pub(super) pass: Pass,
}

/// What policy says to it.
#[derive(Debug)]
pub(super) enum Ruling {
    Hold(HoldTerms),
    Deny { rule: Arc<str>, reason: Arc<str> },
}

/// What the session notes when the frame goes upstream.
#[derive(Debug)]
pub(super) struct Pass {
    judged: Arc<Judged>,
    /// `None` for a simple query or a function call.
    pub(super) portal: Option<Box<[u8]>>,
    /// What the names in it stood for when it was judged.
    joined: Joined,
}

impl Pass {
    /// What the frame does, with what its names stand for.
    fn does(&self) -> &Judged {
        self.joined.does(&self.judged)
    }

    /// What the frame does, as it was judged.
    pub(super) fn judged(&self) -> &Judged {
        &self.judged
    }

    /// Whether it is one statement that names nothing and does nothing to transactions.
    pub(super) fn is_plain(&self) -> bool {
        matches!(&self.judged.statements[..], [only] if only.name_op.is_none() && !only.transaction_control)
            && self.joined.used.is_empty()
    }

    /// Another text stands in the place of the frame's, without names.
    pub(super) fn replace(&mut self, judged: Arc<Judged>) {
        self.judged = judged;
        self.joined = Joined::default();
    }
}

/// An approved statement, ready to be cleared.
#[derive(Debug)]
pub(super) struct Approved {
    pub(super) running: Running,
    pub(super) pass: Pass,
}

/// A text whose judgement takes a thread of its own, or waits for the server's catalogue.
#[derive(Debug)]
pub(super) struct Judgement {
    pub(super) text: Bytes,
    /// The prepared statement that it is the text of, with its name; `None`: the frame at hand has it.
    pub(super) prepared: Option<(Box<[u8]>, Prepared)>,
}

impl Judgement {
    fn of(text: &[u8]) -> Self {
        Self {
            text: Bytes::copy_from_slice(text),
            prepared: None,
        }
    }
}

/// A text with an SQL `EXECUTE` that was bound to a portal.
#[derive(Debug)]
pub(super) struct PortalExecute {
    portal: Box<[u8]>,
    judged: Arc<Judged>,
    /// What its names stood for.
    used: Vec<Prepared>,
    /// People have approved it.
    is_approved: bool,
    /// See [`super::outlook::Outlook::moves`]; as it was bound.
    moves: NonZeroU32,
}

/// Whether parsing it may already run something.
fn acts_when_parsed(judged: &Judged) -> bool {
    judged
        .statements
        .iter()
        .any(|statement| statement.facts.acts_when_parsed())
}

impl Gated {
    /// Whether the text could not even be parsed: the server may refuse it by itself.
    pub(super) fn may_be_probed(&self) -> bool {
        let judged = &self.pass.judged;
        let is_misnamed = judged.statements.len() == 1 && self.is_misnamed();
        // For that it is parsed, before people have seen it.
        let is_harmless = !acts_when_parsed(judged);
        self.tag == b'Q' && !self.probed && is_harmless && (judged.is_unparsed() || is_misnamed)
    }

    /// Whether it names what the catalogue does not know.
    pub(super) fn is_misnamed(&self) -> bool {
        is_unresolved(&self.pass.judged)
    }
}

impl Session {
    /// Query.
    pub(super) fn step_query(&mut self, body: &[u8], frame: usize) -> Result<Step, Misstep> {
        let text = frontend::query(body)?;
        if let Some(step) = self.step_approved() {
            return Ok(step);
        }
        if may_be_own(text)
            && let Some(step) = self.own_stop(b'Q', text, b"", frame)
        {
            return Ok(step);
        }
        let Some(judged) = self.judge_now(text) else {
            return Ok(Step::Stop(Stop::Judge(Box::new(Judgement::of(text)))));
        };
        if let Some(judgement) = self.rejudge_executed(&judged) {
            self.keep_judgement(Bytes::copy_from_slice(text), judged, false);
            return Ok(Step::Stop(Stop::Judge(Box::new(judgement))));
        }
        let need = self.need(&judged);
        Ok(match self.rule(&judged) {
            Ruled::Passes(proof, joined, observed) => {
                let is_late = self.waits_in_review(self.control(&judged).is_possible);
                if let Some(stop) = self.shield_stop(need).or(is_late.then_some(Stop::InTurn)) {
                    self.keep_judgement(Bytes::copy_from_slice(text), judged, false);
                    return Ok(Step::Stop(stop));
                }
                self.note_observed(text, &joined.used, observed);
                self.note_query(
                    Pass {
                        judged,
                        portal: None,
                        joined,
                    },
                    None,
                )?;
                Step::Allowed(proof)
            }
            Ruled::Stops(Ruling::Hold(_), ..) if self.refused_by_shield(need).is_some() => {
                Step::Refuse(self.refused_by_shield(need).unwrap_or_else(changed))
            }
            Ruled::Stops(ruling, facts, joined) => Step::Stop(Stop::Held(Box::new(Gated {
                tag: b'Q',
                frame,
                ruling,
                text: with_prepared(text, &joined.used),
                parameters: Vec::new(),
                facts: *facts,
                source: None,
                probed: false,
                pass: Pass {
                    judged,
                    portal: None,
                    joined,
                },
            }))),
            Ruled::Missing(name) => Step::Refuse(missing(&name)),
            Ruled::Refused(report) => Step::Refuse(report),
            Ruled::Unanswered => Step::Stop(Stop::Drain),
            Ruled::Unrecorded => Step::Stop(self.without_room()),
        })
    }

    /// The frame at hand, if people have approved it.
    fn step_approved(&mut self) -> Option<Step> {
        let approved = self.intake.approved.as_ref()?;
        if let Some(stop) = self.shield_stop(self.need(&approved.pass.judged)) {
            return Some(Step::Stop(stop));
        }
        let approved = self.intake.approved.take()?;
        Some(Step::Approved(approved))
    }

    /// Parse: nothing runs, but the name will stand for this text.
    pub(super) fn step_parse(&mut self, body: &[u8], frame: usize) -> Result<Step, Misstep> {
        let parse = frontend::Parse::read(body)?;
        if may_be_own(parse.text)
            && let Some(step) = self.own_stop(b'P', parse.text, self.name_of(parse.name)?, frame)
        {
            return Ok(step);
        }
        let Some(judged) = self.judge_now(parse.text) else {
            return Ok(Step::Stop(Stop::Judge(Box::new(Judgement::of(parse.text)))));
        };
        let types: Vec<u32> = parse.types().collect();
        let judged = self.with_types(judged, &types);
        if acts_when_parsed(&judged) && !self.decide(&judged).passes() {
            return Ok(Step::Refuse(acts_before_approval()));
        }
        let name = self.name_of(parse.name)?;
        let has_room = self.names.kept.load(Ordering::Relaxed) <= self.limits.max_message;
        // One without a name takes the place of the last; and with it, what is too many can be deallocated.
        if !name.is_empty() && !self.has_room_for_names() {
            return Ok(Step::Refuse(too_many_names()));
        }
        let plain = judged.effect() <= Effect::Read
            && !changes_names(&judged)
            && matches!(self.decide_once(&judged), Decision::Allow);
        // A text is judged again once definitions have changed, and shown beside a write that takes the shield from
        // it: then it must be at hand.
        let sight = self.outlook.number();
        let is_certain = self.meaning_of(parse.text).encoding_is_safe;
        let source = ((!plain || sight != 0 || self.shield.is_worn()) && has_room)
            .then(|| Source::new(parse.text, &judged, &types, is_certain, &self.names.kept));
        self.intake.has_doubt |= !plain && !self.observe;
        let prepared = Prepared::Protocol {
            judged,
            source,
            sight,
        };
        self.names.announce(name, self.intake.segment, prepared.clone());
        let name = (!name.is_empty()).then(|| name.into());
        self.inflight.push(Expect::Parse { name, prepared })?;
        Ok(Step::Control)
    }

    /// An approved frame is cleared: notes what it will do, and that its outcome is awaited.
    pub(super) fn begin_run(&mut self, approved: Approved, tag: u8) -> Result<(), Desync> {
        let Approved { running, pass } = approved;
        let id = running.id();
        let keeps = self.keeps(&pass);
        let changes = pass.does().effect() > Effect::Read;
        if let Some(portal) = &pass.portal {
            self.runs.unbind(portal, self.intake.segment);
        }
        let ahead = self.intake.clearance.len();
        let portal = pass.portal.as_deref();
        let run = self
            .runs
            .start(running, portal, self.intake.segment, ahead, keeps, changes);
        let commands = pass.judged.joined_facts().commands;
        let is_commit = commands == ["COMMIT"];
        self.remember_request(id, &commands.join(", "), EarlierOutcome::Held, tag);
        let portal = pass.portal.clone();
        let begun = match tag {
            b'Q' => self.note_query(pass, Some(run)),
            b'F' => {
                self.note_cleared(pass.does());
                self.note_call(Some(run))
            }
            _ => self.note_bind(pass, Some(run)),
        };
        if is_commit {
            self.commit_cleared(portal.as_deref());
        }
        begun
    }

    /// What of a text a rollback of its pipeline does not undo.
    fn keeps(&self, pass: &Pass) -> Keeps {
        // What the server said last is so still: nothing is on its way that may end a transaction.
        let in_block = self.status == TransactionStatus::InTransaction
            && !self.intake.has_control
            && !self.inflight.awaits_ready();
        Keeps::of(pass.does(), pass.judged.kept_text(), in_block)
    }

    /// A text is cleared that policy lets pass: what people have approved before it in its pipeline may be committed with it.
    fn note_may_commit(&mut self, pass: &Pass) {
        if !self.runs.is_empty() && self.keeps(pass) == Keeps::Commits {
            self.runs.may_be_committed();
        }
    }

    /// A text was cleared that starts work.
    fn note_cleared(&mut self, judged: &Judged) {
        self.outlook.note(judged);
        self.note_encoding(judged);
        if let Some(lease) = &mut self.lease
            && leaves_traces(judged)
        {
            lease.spoil();
        }
    }

    fn note_query(&mut self, pass: Pass, run: Option<RunId>) -> Result<(), Desync> {
        let discards = |statement: &Statement| statement.name_op == Some(NameOp::DiscardAll);
        if pass.judged.statements.iter().any(discards) {
            self.own.discard();
        }
        self.note_cursors(&pass);
        self.note_cleared(pass.does());
        if run.is_none() {
            self.note_may_commit(&pass);
        }
        if self.control(&pass.judged).is_possible {
            self.shield.doubt();
        }
        self.note_control(&pass.judged);
        self.intake.may_copy |= may_copy(pass.does());
        let names = pass
            .judged
            .statements
            .iter()
            .any(|s| s.name_op.is_some())
            .then(|| {
                self.names.announce_all(&pass.judged, self.intake.segment);
                Arc::clone(&pass.judged)
            });
        self.inflight.push(Expect::Query {
            names,
            completed: 0,
            run,
            segment: self.intake.segment,
        })?;
        if run.is_none() {
            self.record(&pass.judged, &pass.joined);
            self.remember(pass.judged);
        }
        Ok(())
    }

    /// Notes cursors and named portals that do more than read: what is fetched from them is judged again, since what is bound
    /// to do so was not judged by that.
    fn note_cursors(&mut self, pass: &Pass) {
        for statement in &Arc::clone(&pass.judged).statements {
            if let Some(NameOp::Declare { name }) = &statement.name_op {
                self.cursors.note_declared(name.as_bytes(), &statement.facts);
                // Where an approved statement's portal has this name, that is closed, or this fails.
                self.runs.unbind(name.as_bytes(), self.intake.segment);
                self.note_declared(name);
            }
            if let Some(portal) = pass.portal.as_deref().filter(|portal| !portal.is_empty()) {
                self.cursors.note(portal, &statement.facts);
            }
        }
    }

    /// Whether the unnamed portal was bound in this segment.
    pub(super) fn is_bound_here(&self) -> bool {
        self.unnamed.segment == self.intake.segment
    }

    /// Whether there may be another prepared statement. What is only observed need not be shown to people.
    fn has_room_for_names(&self) -> bool {
        let is_within = self.names.kept.load(Ordering::Relaxed) <= self.limits.max_message;
        self.names.len() < NAMES_LIMIT && (is_within || self.observe)
    }
}
