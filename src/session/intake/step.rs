//! What becomes of a whole frame: who judges it, and what is noted of one that is not judged.

use super::Stop;
use crate::session::Fault;
use crate::session::inflight::{Desync, Expect};
use crate::session::relay::Session;
use crate::wire::frame::HEADER;
use crate::wire::frontend::{self, Target};
use crate::wire::{Malformed, Report, sqlstate};

/// What becomes of a frame.
#[derive(Debug)]
pub(in crate::session) enum Step {
    /// It runs nothing.
    Control,
    /// Policy lets it pass.
    Allowed(crate::approval::Allowed),
    /// People let it pass.
    Approved(Box<crate::session::gate::Approved>),
    /// Not now.
    Stop(Stop),
    /// Never: this is the error.
    Refuse(Report),
}

impl Session {
    /// Whether what came before has to be answered first.
    pub(super) fn must_drain(&self, tag: u8) -> bool {
        // What an approved statement changes may change what the next one means.
        let waits = matches!(tag, b'Q' | b'F' | b'P' | b'B')
            && !self.inflight.is_empty()
            && self.runs.any_before(self.intake.segment);
        // Whether this is a message or ends the session depends on whether a COPY takes what came before it.
        let in_doubt = self.inflight.awaits_copy() && !matches!(tag, b'c' | b'f' | b'H' | b'X');
        // Nor is anything else sent behind what may be a COPY FROM STDIN, before the server has said whether it
        // is: one that fails before it reads answers a Sync that it would ignore while it reads.
        let may_copy = self.intake.may_copy && !self.inflight.is_empty() && !self.inflight.is_copying();
        waits || in_doubt || (may_copy && !matches!(tag, b'c' | b'f' | b'H' | b'X'))
    }

    /// Whether a Sync of our own goes before this one. Were a timeout reported at a Flush or at this, it could not be told at
    /// which: where that ends no transaction, it ends the doubt.
    pub(super) fn pauses_before(&self, tag: u8) -> bool {
        matches!(tag, b'Q' | b'F') && self.inflight.is_flushed_open() && self.may_pause()
    }

    /// Judges one whole frame.
    pub(super) fn step(&mut self, tag: u8, frame: &[u8]) -> Result<Step, Misstep> {
        let body = &frame[HEADER..];
        if self.must_drain(tag) {
            return Ok(Step::Stop(Stop::Drain));
        }
        if self.pauses_before(tag) {
            return Ok(Step::Stop(Stop::Pause));
        }
        self.follow_policy();
        match tag {
            b'Q' => return self.step_query(body, frame.len()),
            b'P' => return self.step_parse(body, frame.len()),
            b'B' => return self.step_bind(body, frame.len()),
            b'E' => return self.step_execute(body),
            b'X' => return Ok(Step::Stop(Stop::Terminate)),
            b'F' => return self.step_call(body, frame.len()),
            b'D' => {
                let statement = self.statement_of(frontend::target(body)?)?;
                self.inflight.push(Expect::Describe { statement })?;
            }
            b'C' => {
                let target = frontend::target(body)?;
                if let Target::Portal(portal) = &target {
                    self.runs.unbind(portal, self.intake.segment);
                }
                let statement = self.statement_of(target)?;
                self.inflight.push(Expect::Close { statement })?;
            }
            b'S' => self.inflight.push_sync(self.intake.segment)?,
            b'c' | b'f' => self.inflight.push_copy_end()?,
            // Flush; `peek_frontend` admits no other. While a COPY takes data, the server does not look into it.
            _ if body.is_empty() || self.inflight.is_copying() => self.inflight.note_flush(),
            _ => return Err(Malformed("invalid message format").into()),
        }
        Ok(Step::Control)
    }

    fn statement_of(&self, target: Target<'_>) -> Result<Option<Box<[u8]>>, Malformed> {
        match target {
            Target::Statement(name) => Ok(Some(self.name_of(name)?.into())),
            Target::Portal(name) => self.name_of(name).map(|_| None),
        }
    }
}

/// Why a frame was not judged.
#[derive(Debug)]
pub(in crate::session) enum Misstep {
    /// PostgreSQL answers it with an error and goes on.
    Malformed(Malformed),
    /// The session cannot go on.
    Desync(Desync),
}

impl From<Malformed> for Misstep {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<Desync> for Misstep {
    fn from(desync: Desync) -> Self {
        Self::Desync(desync)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as `Result::or_else` wants it")]
pub(super) fn refuse_malformed(misstep: Misstep) -> Result<Step, Fault> {
    match misstep {
        Misstep::Malformed(malformed) => Ok(Step::Refuse(Report::error(
            sqlstate::PROTOCOL_VIOLATION,
            malformed.to_string(),
        ))),
        Misstep::Desync(desync) => Err(Fault::desync(desync)),
    }
}

/// The name of a prepared statement or portal. The server compares names after converting them from the
/// client's encoding, so that the same name can come as other bytes: only ASCII is what it seems.
pub(in crate::session) fn plain_name(name: &[u8]) -> Result<&[u8], Malformed> {
    if name.is_ascii() {
        Ok(name)
    } else {
        Err(Malformed(
            "names of prepared statements and portals must be ASCII here",
        ))
    }
}
