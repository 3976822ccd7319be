//! What policy lets pass, on its way to the audit log.
//!
//! Invariant: a statement whose record finds no room is not cleared. It waits behind [`Stop::Unrecorded`], in which nothing
//! of it has gone upstream, or is refused; nothing else is changed by that.

use std::sync::Arc;

use super::gate::{Joined, Ruled};
use super::intake::Stop;
use super::names::Prepared;
use super::relay::{Event, Session};
use super::{Fault, Who};
use crate::audit::{Asked, Asker, Executed, Record};
use crate::model::Judged;
use crate::wire::{Report, sqlstate};

impl Session {
    /// What a text that policy lets pass has to wait for: `None` where its record finds room, or none is made.
    pub(super) fn ruled_unrecorded(&self, judged: &Judged, joined: &Joined) -> Option<Ruled> {
        let log = self.shared.audit.as_ref()?;
        if !log.is_full() || !log.wants(joined.does(judged).effect()) {
            return None;
        }
        Some(if log.refuses() {
            log.note_refused();
            Ruled::Refused(no_room())
        } else {
            Ruled::Unrecorded
        })
    }

    /// Where the frame at hand, whose record finds no room, has to stop: behind what runs, which a cancel request or a stop
    /// would be for.
    pub(super) fn without_room(&self) -> Stop {
        if self.inflight.is_empty() || self.inflight.is_copying() {
            Stop::Unrecorded
        } else {
            Stop::Drain
        }
    }

    /// A statement that passes is about to go upstream.
    pub(super) fn record(&mut self, judged: &Arc<Judged>, joined: &Joined) {
        let log = self.shared.audit.as_ref();
        let Some(log) = log.filter(|log| log.wants(joined.does(judged).effect())) else {
            return;
        };
        let asker = self
            .asker
            .get_or_insert_with(|| Box::new(Asker::new(asked(self.handle.pid, &self.who))));
        let executed: Vec<Executed<'_>> = Prepared::distinct(&joined.used).map(executed).collect();
        let record = Record {
            at: self.shared.clock.now(),
            judged,
            joined: joined.judged.as_deref(),
            executed: &executed,
        };
        log.record(asker, &record);
    }

    /// What the client calls itself has changed.
    pub(super) fn note_application_name(&mut self) {
        if let Some(asker) = &mut self.asker {
            asker.is_now(asked(self.handle.pid, &self.who));
        }
    }

    /// Waits for room in the audit log, the relay going on meanwhile; then the frame at hand is looked at again.
    pub(super) async fn wait_for_room(&mut self) -> Result<(), Fault> {
        let Some(log) = self.shared.audit.clone() else {
            return Ok(());
        };
        self.intake.stop = Some(Stop::Deciding);
        // Ctrl-C is for this statement.
        self.handle.set_holding(true);
        let mut looks = self.looks();
        let handle = Arc::clone(&self.handle);
        let room = async {
            log.room().await;
            // A request that has come in this very moment is for this statement as well.
            handle.ends_wait().await
        };
        let mut room = std::pin::pin!(room);
        loop {
            tokio::select! {
                biased;
                moved = self.relay_waiting(&mut looks) => match moved? {
                    Event::Shutdown => return Err(self.told_to_end()),
                    Event::CancelRequested => {
                        self.intake.is_cancelled = true;
                        break;
                    }
                    Event::Skipped => break,
                    Event::Stopped => {}
                },
                is_withdrawn = &mut room => {
                    self.intake.is_cancelled |= is_withdrawn;
                    break;
                }
            }
            if self.handle.is_stopping() {
                return Err(self.told_to_end());
            }
        }
        self.intake.is_cancelled |= self.handle.end_holding();
        self.intake.stop = None;
        Ok(())
    }
}

fn asked(session: i32, who: &Who) -> Asked<'_> {
    Asked {
        session,
        user: &who.principal.name,
        database: &who.database,
        client: &who.client_addr,
        application: &who.application_name,
    }
}

/// A prepared statement, as it is recorded.
fn executed(prepared: &Prepared) -> Executed<'_> {
    match prepared {
        Prepared::Sql(sql, _) => Executed {
            shape: sql.facts.shape.as_ref(),
            text: Some(sql.text.as_bytes()),
        },
        Prepared::Protocol { judged, source, .. } => {
            let text = source.as_ref().map(super::names::Source::text);
            let mut shapes = judged
                .statements
                .iter()
                .map(|statement| statement.facts.shape.as_ref());
            Executed {
                shape: shapes.next().flatten(),
                text: text.or_else(|| judged.kept_text().map(|(text, _)| text)),
            }
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
