//! What policy lets pass, on its way to the audit log.
//!
//! Invariant: a statement whose record finds no room is not cleared. It waits behind [`Stop::Unrecorded`], in which nothing
//! of it has gone upstream, or is refused; nothing else is changed by that.

use std::future::poll_fn;
use std::sync::Arc;

use super::Fault;
use super::gate::Ruled;
use super::hold::client_looks;
use super::intake::Stop;
use super::names::Prepared;
use super::notices;
use super::relay::{Event, Session};
use crate::audit::{Asked, Asker, Executed, Record};
use crate::model::{Effect, Judged};
use crate::wire::{Report, sqlstate};

impl Session {
    /// What a text that policy lets pass has to wait for: `None` where its record finds room, or none is made.
    /// `executed`: what its names stand for.
    pub(super) fn ruled_unrecorded(&mut self, judged: &Judged, executed: &[Prepared]) -> Option<Ruled> {
        let log = self.shared.audit.as_ref()?;
        if std::mem::take(&mut self.intake.is_cancelled) {
            return Some(Ruled::Refused(notices::cancelled()));
        }
        if !log.is_full() || !log.wants(effect(judged, executed)) {
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
    pub(super) fn record(&mut self, judged: &Arc<Judged>, executed: &[Prepared]) {
        let log = self.shared.audit.as_ref();
        let Some(log) = log.filter(|log| log.wants(effect(judged, executed))) else {
            return;
        };
        let asker = self.asker.get_or_insert_with(|| {
            Box::new(Asker::new(Asked {
                session: self.handle.pid,
                user: &self.who.principal.name,
                database: &self.who.database,
                client: &self.who.client_addr,
                application: &self.who.application_name,
            }))
        });
        let executed: Vec<Executed<'_>> = executed.iter().flat_map(parts).collect();
        let record = Record {
            at: self.shared.clock.now(),
            judged,
            executed: &executed,
        };
        log.record(asker, &record);
    }

    /// Waits for room in the audit log, the relay going on meanwhile; then the frame at hand is looked at again.
    pub(super) async fn wait_for_room(&mut self) -> Result<(), Fault> {
        let Some(log) = self.shared.audit.clone() else {
            return Ok(());
        };
        self.intake.stop = Some(Stop::Deciding);
        // Ctrl-C is for this statement.
        self.handle.set_holding(true);
        let mut looks = client_looks();
        let mut room = std::pin::pin!(log.room());
        loop {
            tokio::select! {
                biased;
                moved = poll_fn(|cx| self.poll_relay(cx)) => match moved? {
                    Event::Shutdown => return Err(self.told_to_end()),
                    Event::CancelRequested => {
                        self.intake.is_cancelled = true;
                        break;
                    }
                    Event::Skipped => break,
                    Event::Stopped => {}
                },
                () = &mut room => break,
                _ = looks.tick() => self.look_at_client().await?,
            }
            if self.handle.is_stopping() {
                return Err(self.told_to_end());
            }
        }
        self.handle.set_holding(false);
        self.intake.stop = None;
        Ok(())
    }
}

/// The most severe effect of a text, and of what it executes by name.
fn effect(judged: &Judged, executed: &[Prepared]) -> Effect {
    let effects = executed.iter().flat_map(parts).map(|part| part.facts.effect);
    effects.fold(judged.effect(), Effect::max)
}

/// A prepared statement, as it is recorded.
fn parts(prepared: &Prepared) -> Vec<Executed<'_>> {
    match prepared {
        Prepared::Sql(sql, _) => vec![Executed {
            facts: &sql.facts,
            text: Some(sql.text.as_bytes()),
        }],
        Prepared::Protocol { judged, source, .. } => {
            let text = source.as_ref().map(super::names::Source::text);
            let text = text.or_else(|| judged.kept_text().map(|(text, _)| text));
            let facts = judged.statements.iter().map(|statement| &statement.facts);
            facts.map(|facts| Executed { facts, text }).collect()
        }
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
