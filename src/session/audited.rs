//! What policy lets pass, on its way to the audit log.
//!
//! Invariant: a statement whose record finds no room is not cleared. It waits behind [`Stop::Unrecorded`], in which nothing
//! of it has gone upstream, or is refused; nothing else is changed by that.

use std::task::Context;

use super::Fault;
use super::gate::Ruled;
use super::intake::Stop;
use super::relay::Session;
use crate::audit::{Asked, Record, Ticket};
use crate::model::Judged;
use crate::wire::{Report, sqlstate};

impl Session {
    /// What a text that policy lets pass has to wait for: `None` where its record finds room, or none is made.
    pub(super) fn ruled_unrecorded(&self, judged: &Judged) -> Option<Ruled> {
        let log = self.shared.audit.as_ref()?;
        if !log.is_full() || !log.wants(judged) {
            return None;
        }
        Some(if log.refuses() {
            log.note_refused();
            Ruled::Refused(no_room())
        } else {
            Ruled::Unrecorded
        })
    }

    /// A statement that passes is about to go upstream.
    pub(super) fn record(&mut self, judged: &Judged) {
        let Some(log) = self.shared.audit.as_ref().filter(|log| log.wants(judged)) else {
            return;
        };
        self.recorded += 1;
        let asked = Asked {
            session: self.handle.pid,
            number: self.recorded,
            user: &self.who.principal.name,
            database: &self.who.database,
            client: &self.who.client_addr,
            application: &self.who.application_name,
        };
        log.record(&Record::new(self.shared.clock.now(), asked, judged));
    }

    /// Goes on with what waits for room in the audit log, once there is some.
    pub(super) fn poll_audit(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
        while let Some(Stop::Unrecorded(ticket)) = &mut self.intake.stop {
            match &self.shared.audit {
                Some(log) if log.poll_room(cx, ticket).is_pending() => return Ok(()),
                _ => self.intake.stop = None,
            }
            self.resume(cx)?;
        }
        Ok(())
    }
}

impl Stop {
    /// It waits from now on.
    pub(super) fn unrecorded() -> Self {
        Self::Unrecorded(Ticket::default())
    }
}

fn no_room() -> Report {
    Report::error(
        sqlstate::LIMIT_EXCEEDED,
        "the statement cannot be recorded in the audit log, which is not written as fast as it grows",
    )
    .detail("It did not run.")
    .hint("Try again later. Administrators find the cause in holdpoint's log.")
}
