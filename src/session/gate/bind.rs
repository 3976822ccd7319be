//! Bind: the gate of the extended protocol.

use std::sync::Arc;

use super::refusals::{missing, only_unnamed};
use super::resolve::{Joined, UNSEEN, changes_names, executes, may_copy, with_prepared};
use super::{Gated, Pass, PortalExecute, Ruled, Ruling};
use crate::approval::{Allowed, Standing, stand};
use crate::model::{Facts, Judged};
use crate::session::inflight::{Desync, Expect, RunId};
use crate::session::intake::{Misstep, Step, Stop};
use crate::session::names::{Lookup, Prepared, Source, cut};
use crate::session::observe::Observed;
use crate::session::relay::Session;
use crate::session::values;
use crate::wire::{Malformed, Report, frontend, sqlstate};

/// More texts with EXECUTE bound to the unnamed portal than this, in one transaction, are refused.
const EXECUTES_LIMIT: usize = 64;

/// What is recorded of a statement that cannot be known.
const NOT_SEEN: &str = "-- a prepared statement that was not seen being prepared";

/// What becomes of a Bind that is too large to be gathered without need.
#[derive(Debug)]
pub(in crate::session) enum Large {
    /// Policy lets it pass, whatever its values: they need not be gathered.
    Passes(Allowed),
    /// It has to be looked at in whole.
    Gathered,
    /// Its names have not come yet.
    Unknown,
    Refused(Box<Report>),
    Stop(Stop),
}

/// What a Bind stands for, and what becomes of it.
#[expect(clippy::large_enum_variant, reason = "made and taken apart at once")]
enum Bound {
    Passes(Allowed, Pass),
    Stops {
        ruling: Ruling,
        facts: Facts,
        /// The text and types of what it binds.
        source: Source,
        pass: Pass,
    },
    Refused(Report),
    /// As in [`Ruled`].
    Unanswered,
    /// As in [`Ruled`].
    Unrecorded,
}

impl Session {
    /// Bind.
    pub(in crate::session) fn step_bind(&mut self, body: &[u8], frame: usize) -> Result<Step, Misstep> {
        let bind = frontend::Bind::read(body)?;
        if let Some(step) = self.step_approved() {
            return Ok(step);
        }
        if let Some(judgement) = self.rejudge_bound(bind.statement) {
            return Ok(Step::Stop(Stop::Judge(Box::new(judgement))));
        }
        Ok(match self.bound(bind.portal, bind.statement)? {
            Bound::Passes(proof, pass) => {
                let need = self.need(&pass.judged);
                if let Some(stop) = self.shield_stop(need) {
                    return Ok(Step::Stop(stop));
                }
                self.note_bind(pass, None)?;
                self.note_read(bind.statement, need);
                Step::Allowed(proof)
            }
            Bound::Stops {
                ruling: Ruling::Hold(_),
                pass,
                ..
            } if self.refused_by_shield(self.need(&pass.judged)).is_some() => {
                let need = self.need(&pass.judged);
                Step::Refuse(self.refused_by_shield(need).unwrap_or_else(only_unnamed))
            }
            Bound::Stops {
                ruling,
                facts,
                source,
                pass,
            } => Step::Stop(Stop::Held(Box::new(Gated {
                tag: b'B',
                frame,
                ruling,
                text: self
                    .intake
                    .reads
                    .shown_behind(with_prepared(source.text(), &pass.joined.used)),
                parameters: values::parameters(&bind, &source.types),
                facts,
                source: Some(source),
                probed: false,
                pass,
            }))),
            Bound::Refused(report) => Step::Refuse(report),
            Bound::Unanswered => Step::Stop(Stop::Drain),
            Bound::Unrecorded => Step::Stop(self.without_room()),
        })
    }

    /// A large Bind, of which only this head has come.
    pub(in crate::session) fn step_large_bind(&mut self, head: &[u8]) -> Result<Large, Misstep> {
        let Some((portal, statement)) = frontend::Bind::names(head) else {
            return Ok(Large::Unknown);
        };
        if let Some(judgement) = self.rejudge_bound(statement) {
            return Ok(Large::Stop(Stop::Judge(Box::new(judgement))));
        }
        Ok(match self.bound(portal, statement)? {
            Bound::Passes(proof, pass) => {
                let need = self.need(&pass.judged);
                if let Some(stop) = self.shield_stop(need) {
                    return Ok(Large::Stop(stop));
                }
                self.note_bind(pass, None)?;
                self.note_read(statement, need);
                Large::Passes(proof)
            }
            Bound::Stops { .. } => Large::Gathered,
            Bound::Refused(report) => Large::Refused(Box::new(report)),
            Bound::Unanswered => Large::Stop(Stop::Drain),
            Bound::Unrecorded => Large::Stop(self.without_room()),
        })
    }

    /// What a Bind of this statement to this portal would do. One that passes is cleared next, and is noted here
    /// where it is observed.
    fn bound(&mut self, portal: &[u8], statement: &[u8]) -> Result<Bound, Malformed> {
        let portal = self.name_of(portal)?;
        let statement = self.name_of(statement)?;
        let found = if cut(statement).is_ascii() {
            self.names.lookup(statement, self.intake.segment)
        } else {
            // The server may know it by other bytes.
            Lookup::Missing
        };
        let prepared = match found {
            Lookup::Known(prepared) => prepared.clone(),
            Lookup::Missing => return Ok(self.bound_unseen(portal, statement)),
            Lookup::Unanswered => return Ok(Bound::Unanswered),
        };
        let (judged, source) = match prepared {
            Prepared::Protocol { judged, source, .. } => (judged, source),
            Prepared::Sql(sql, _) => {
                let judged = Judged::from_facts([sql.facts.clone()]);
                let judged = Arc::new(judged.with_text(sql.text.as_bytes()));
                let source = Source::new(sql.text.as_bytes(), &judged, &[], true, &self.names.kept);
                (judged, Some(source))
            }
        };
        let named = !portal.is_empty() && changes_names(&judged);
        let crowded = executes(&judged) && self.portal_executes.len() >= EXECUTES_LIMIT;
        if (named || crowded) && !self.passes_unknown() {
            return Ok(Bound::Refused(only_unnamed()));
        }
        let pass = |judged: Arc<Judged>, joined| Pass {
            judged,
            portal: Some(portal.into()),
            joined,
        };
        Ok(match self.rule(&judged) {
            Ruled::Passes(proof, joined, observed) => {
                let text = source.as_ref().map_or(&b""[..], Source::text);
                self.note_observed(text, &joined.used, observed);
                Bound::Passes(proof, pass(judged, joined))
            }
            Ruled::Stops(ruling, facts, joined) => match source {
                Some(source) => Bound::Stops {
                    ruling,
                    facts: *facts,
                    source,
                    pass: pass(judged, joined),
                },
                // It passed when it was parsed, and its text was not kept for people to read.
                None => Bound::Refused(
                    Report::error(
                        sqlstate::INVALID_SQL_STATEMENT_NAME,
                        "the prepared statement is no longer allowed to run without approval",
                    )
                    .hint("Prepare it again."),
                ),
            },
            Ruled::Missing(name) => Bound::Refused(missing(&name)),
            Ruled::Refused(report) => Bound::Refused(report),
            Ruled::Unanswered => Bound::Unanswered,
            Ruled::Unrecorded => Bound::Unrecorded,
        })
    }

    /// Bind to a statement that this session has not seen being prepared: mostly there is none. Where policy lets
    /// pass what is unknown, the server itself says so.
    fn bound_unseen(&mut self, portal: &[u8], statement: &[u8]) -> Bound {
        let unseen = Judged::from_facts([Facts::unknown(UNSEEN)]);
        let judged = Arc::new(unseen.with_text(NOT_SEEN.as_bytes()));
        let decision = self.decide(&judged);
        let observed = Observed::of(&decision, &judged);
        let Standing::Passes(proof) = stand(decision) else {
            return Bound::Refused(missing(&String::from_utf8_lossy(statement)));
        };
        match self.ruled_unrecorded(&judged, &Joined::default()) {
            Some(Ruled::Refused(report)) => return Bound::Refused(report),
            Some(_) => return Bound::Unrecorded,
            None => {}
        }
        self.note_observed(NOT_SEEN.as_bytes(), &[], observed);
        let pass = Pass {
            judged,
            portal: Some(portal.into()),
            joined: Joined::default(),
        };
        Bound::Passes(proof, pass)
    }

    /// A statement runs under a limit of rows, bound to the unnamed portal if it is bound: nothing of it is among what is
    /// in flight.
    pub(in crate::session) fn note_limited(&mut self, pass: &Pass) {
        self.note_cleared(pass.does());
        if pass.portal.is_some() {
            self.note_late(pass);
            self.note_need(pass);
            self.note_commit_portal(b"", &pass.judged);
            self.unnamed.segment = self.intake.segment;
            self.portal_names = None;
        }
    }

    /// A Bind is cleared: notes what it does to names, cursors and the unnamed portal. `run`: people have approved it.
    pub(super) fn note_bind(&mut self, pass: Pass, run: Option<RunId>) -> Result<(), Desync> {
        self.note_cursors(&pass);
        self.note_cleared(pass.does());
        self.note_late(&pass);
        self.note_need(&pass);
        self.note_control(&pass.judged);
        if let Some(portal) = pass.portal.as_deref() {
            self.note_commit_portal(portal, &pass.judged);
        }
        self.intake.has_bound = true;
        self.intake.after_control = false;
        self.unnamed.copies |= may_copy(pass.does());
        self.unnamed.sets_encoding |= self.intake.has_doubtful_encoding;
        self.inflight.push(Expect::Bind { run })?;
        self.note_names(&pass, run.is_some());
        if run.is_none() {
            if let Some(portal) = &pass.portal {
                self.runs.unbind(portal, self.intake.segment);
            }
            self.note_may_commit(&pass);
            self.record(&pass.judged, &pass.joined);
            self.remember(pass.judged);
        }
        Ok(())
    }

    /// What a Bind leaves in its portal that has to do with names.
    fn note_names(&mut self, pass: &Pass, approved: bool) {
        let portal = cut(pass.portal.as_deref().unwrap_or_default());
        let changes = changes_names(&pass.judged).then(|| Arc::clone(&pass.judged));
        if portal.is_empty() {
            self.unnamed.segment = self.intake.segment;
            self.unnamed.changes_names |= changes.is_some();
            self.portal_names = changes;
        } else if let Some(changes) = changes {
            // It is bound to a portal with a name only where policy lets pass what is unknown (see `bound`).
            self.named_portal_names.retain(|(of, _)| **of != *portal);
            if self.named_portal_names.len() < EXECUTES_LIMIT {
                self.named_portal_names.push((portal.into(), changes));
            }
        }
        if !executes(&pass.judged) {
            return;
        }
        // The last one of a text is what it was bound as last.
        if !approved {
            self.portal_executes.retain(|bound| {
                bound.is_approved || *bound.portal != *portal || !Arc::ptr_eq(&bound.judged, &pass.judged)
            });
        }
        if self.portal_executes.len() < EXECUTES_LIMIT {
            self.portal_executes.push(PortalExecute {
                portal: portal.into(),
                judged: Arc::clone(&pass.judged),
                used: pass.joined.used.clone(),
                is_approved: approved,
                moves: self.outlook.moves(),
            });
        }
    }
}
