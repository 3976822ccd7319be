//! Execute: of a portal that was judged at its Bind.

use std::sync::Arc;

use super::refusals::{bind_again, changed, fetch_instead, missing};
use super::resolve::judged_alone;
use super::{PortalExecute, Ruled};
use crate::session::inflight::Expect;
use crate::session::intake::{Misstep, Step, Stop};
use crate::session::names::{Prepared, cut};
use crate::session::relay::Session;
use crate::wire::frontend;

impl Session {
    /// Execute: its portal was judged at its Bind (or DECLARE). Where that was a text with `EXECUTE name`, or one whose names are
    /// looked up now, a name may stand for something else.
    pub(in crate::session) fn step_execute(&mut self, body: &[u8]) -> Result<Step, Misstep> {
        let (portal, rows) = frontend::execute(body)?;
        let portal = self.name_of(portal)?;
        if let Some(stop) = self.shield_stop(self.need_of_portal(portal)) {
            return Ok(Step::Stop(stop));
        }
        if self.waits_in_review(self.control_of_portal(portal).is_possible) {
            return Ok(Step::Stop(Stop::InTurn));
        }
        // What becomes of it in an earlier segment is known once that is answered: it may be there no more, or never have been.
        if self.inflight.awaits_ready() && self.runs.is_at_work(portal, self.intake.segment) {
            return Ok(Step::Stop(Stop::InTurn));
        }
        if let Err(report) = self.execute_in_review(portal) {
            return Ok(Step::Refuse(report));
        }
        if let Some(step) = self.step_executed_names(portal) {
            return Ok(step);
        }
        if !self.inflight.is_empty() && self.runs.may_be_bound(portal, self.intake.segment) {
            return Ok(Step::Stop(Stop::Drain));
        }
        if self.is_moved_since_bind(portal) {
            return Ok(Step::Refuse(changed()));
        }
        let names = if portal.is_empty() {
            // A Bind of an earlier segment may have failed, and left the portal of another text.
            if self.unnamed.changes_names
                && self.unnamed.segment != self.intake.segment
                && !self.passes_unknown()
            {
                return Ok(Step::Refuse(bind_again()));
            }
            self.portal_names.clone()
        } else {
            if let Some(facts) = self.cursors.facts(portal)
                && !self.is_approved_portal(portal)
                && !self.decide(&judged_alone(facts)).passes()
            {
                return Ok(Step::Refuse(fetch_instead()));
            }
            let mut bound = self.named_portal_names.iter();
            let bound = bound.find(|(of, _)| **of == *cut(portal));
            bound.map(|(_, judged)| Arc::clone(judged))
        };
        if let Some(judged) = &names {
            self.names.announce_all(judged, self.intake.segment);
        }
        let run = self.runs.executed(portal, self.intake.segment);
        let control = self.control_of_portal(portal);
        if control.is_possible {
            self.shield.doubt();
        }
        self.intake.after_control = control.ends;
        self.intake.has_control |= control.is_possible;
        self.intake.may_be_nested |= control.nests;
        self.intake.has_bound = true;
        self.intake.may_copy |= self.unnamed.copies;
        self.intake.has_doubtful_encoding |= self.unnamed.sets_encoding;
        self.inflight.push(Expect::Execute { names, run, rows })?;
        Ok(Step::Control)
    }

    /// Whether what people have approved stands behind this name. Not by the server's answers alone: a Bind that fails leaves
    /// what was there, and a rollback may bring it back. So nothing else that acts may ever have stood there: no cursor was
    /// declared, and whatever else was bound was approved, or passed.
    fn is_approved_portal(&self, portal: &[u8]) -> bool {
        !self.cursors.may_be_declared(portal) && self.runs.is_bound(portal, self.intake.segment)
    }

    /// What is to be done about the names that texts in a portal execute, if anything.
    fn step_executed_names(&mut self, portal: &[u8]) -> Option<Step> {
        if self.portal_executes.is_empty() {
            return None;
        }
        let mut all = std::mem::take(&mut self.portal_executes);
        let in_portal = |bound: &PortalExecute| *bound.portal == *cut(portal);
        let step = if portal.is_empty() && self.is_bound_here() {
            // If the last Bind of this segment has failed, the server skips this.
            let last = self.portal_names.clone();
            let is_last = |bound: &&mut PortalExecute| {
                in_portal(bound) && last.as_ref().is_some_and(|last| Arc::ptr_eq(last, &bound.judged))
            };
            let last = all.iter_mut().rfind(is_last);
            last.and_then(|bound| self.step_executed(bound))
        } else {
            let mut these = all.iter_mut().filter(|bound| in_portal(bound));
            these.find_map(|bound| self.step_executed(bound))
        };
        self.portal_executes = all;
        step
    }

    /// The same for one of the texts. What its names stand for now passes as well, or is what was approved; and where it is
    /// another than was recorded with the Bind, it is recorded by itself.
    fn step_executed(&mut self, bound: &mut PortalExecute) -> Option<Step> {
        // What was approved is judged no more; but it is that only where nothing since its Bind has moved what names in it
        // stand for: the server plans it when it executes it.
        let is_approved = bound.is_approved && bound.moves == self.outlook.moves();
        if !is_approved && let Some(judgement) = self.rejudge_executed(&bound.judged) {
            return Some(Step::Stop(Stop::Judge(Box::new(judgement))));
        }
        let (joined, observed) = match self.rule_alone(&bound.judged) {
            Ruled::Passes(_, joined, _) if bound.is_the_same(&joined.used) => return None,
            Ruled::Stops(_, _, joined) if is_approved && bound.is_the_same(&joined.used) => {
                return None;
            }
            Ruled::Passes(_, joined, observed) => (joined, observed),
            Ruled::Stops(..) => return Some(Step::Refuse(changed())),
            Ruled::Missing(name) => return Some(Step::Refuse(missing(&name))),
            Ruled::Refused(report) => return Some(Step::Refuse(report)),
            Ruled::Unanswered => return Some(Step::Stop(Stop::Drain)),
            Ruled::Unrecorded => return Some(Step::Stop(self.without_room())),
        };
        match self.ruled_unrecorded(&bound.judged, &joined) {
            Some(Ruled::Refused(report)) => return Some(Step::Refuse(report)),
            Some(_) => return Some(Step::Stop(self.without_room())),
            None => {}
        }
        let text = bound.judged.kept_text().map_or(&b""[..], |(text, _)| text);
        self.note_observed(text, &joined.used, observed);
        self.note_cleared(joined.does(&bound.judged));
        self.record(&bound.judged, &joined);
        bound.used = joined.used;
        bound.is_approved = false;
        None
    }
}

impl PortalExecute {
    /// Whether its names stand for what they stood for at its Bind.
    fn is_the_same(&self, used: &[Prepared]) -> bool {
        self.used.len() == used.len() && self.used.iter().zip(used).all(|(a, b)| a.is_same(b))
    }
}
