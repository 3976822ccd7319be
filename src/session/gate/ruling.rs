//! What policy says to a text, the names in it resolved, in the place of the transaction where it stands.

use std::sync::Arc;

use super::Ruling;
use super::refusals::{not_ascii, too_many_names};
use super::resolve::{
    Doubt, Joined, Resolved, UNSEEN, executes, fetches, is_ambiguous, is_own, judged_alone, resolve,
};
use crate::approval::{Allowed, Standing, stand};
use crate::model::{Decision, Facts, Judged, NameOp, Statement};
use crate::policy::Subject;
use crate::session::intake::plain_name;
use crate::session::observe::Observed;
use crate::session::relay::Session;
use crate::wire::backend::TransactionStatus;
use crate::wire::{Malformed, Report};

/// What the rules say, names resolved.
pub(in crate::session) enum Ruled {
    Passes(Allowed, Joined, Option<Observed>),
    Stops(Ruling, Box<Facts>, Joined),
    Missing(String),
    Refused(Report),
    /// Not before the server has answered what came before.
    Unanswered,
    /// It passes, and cannot be recorded yet.
    Unrecorded,
}

impl Session {
    /// Policy's decision on a text without names to resolve.
    pub(super) fn decide(&self, judged: &Judged) -> Decision {
        if self.observe {
            return self.policy.observed(&self.subject(), judged);
        }
        self.policy.decide(&self.subject(), judged)
    }

    /// As [`Self::decide`]; what passed is not decided on again while this policy is in force, where it goes by nothing
    /// that can change meanwhile.
    pub(super) fn decide_once(&mut self, judged: &Arc<Judged>) -> Decision {
        if self.observe {
            return self.decide(judged);
        }
        if self.passed.has(judged) {
            return Decision::Allow;
        }
        let decision = self.decide(judged);
        if matches!(decision, Decision::Allow) {
            self.passed.note(judged);
        }
        decision
    }

    /// Whether policy lets pass what cannot be judged. Then nothing is refused for that it cannot be.
    pub(super) fn passes_unknown(&self) -> bool {
        self.decide(&judged_alone(Facts::unknown(UNSEEN))).passes()
    }

    /// A name of the protocol's, if it is what it seems (see [`plain_name`]) or need not be.
    pub(in crate::session) fn name_of<'n>(&self, name: &'n [u8]) -> Result<&'n [u8], Malformed> {
        plain_name(name).or_else(|malformed| {
            if self.passes_unknown() {
                Ok(name)
            } else {
                Err(malformed)
            }
        })
    }

    pub(in crate::session) fn subject(&self) -> Subject<'_> {
        self.who.subject(&self.policy, &*self.shared.clock)
    }

    pub(super) fn rule(&mut self, judged: &Arc<Judged>) -> Ruled {
        match self.rule_alone(judged) {
            Ruled::Passes(proof, joined, observed) => match self.ruled_unrecorded(judged, &joined) {
                None => Ruled::Passes(proof, joined, observed),
                Some(other) => other,
            },
            other => other,
        }
    }

    /// As [`Self::rule`], whether or not it can be recorded.
    pub(super) fn rule_alone(&mut self, judged: &Arc<Judged>) -> Ruled {
        if is_own(judged) {
            return ruled(Decision::Allow, judged, Joined::default());
        }
        let prepares = |statement: &Statement| matches!(statement.name_op, Some(NameOp::Prepare { .. }));
        if judged.statements.iter().any(prepares) && !self.has_room_for_names() {
            return Ruled::Refused(too_many_names());
        }
        match self.rule_in_review(judged) {
            None => {}
            Some(Ok(ruling)) => {
                return Ruled::Stops(ruling, Box::new(judged.joined_facts()), Joined::default());
            }
            Some(Err(report)) => return Ruled::Refused(report),
        }
        if self.server_refuses_all_but_the_end() && !judged.statements.iter().any(|s| s.transaction_control) {
            // The server itself answers 25P02, as it would directly; nothing can run.
            return ruled(Decision::Allow, judged, Joined::default());
        }
        let ambiguous = judged
            .statements
            .iter()
            .any(|s| s.name_op.as_ref().is_some_and(is_ambiguous));
        let fetches =
            (self.has_late_portals() || !self.cursors.is_empty()) && judged.statements.iter().any(fetches);
        if !ambiguous && !fetches && !executes(judged) {
            return self.ruled(judged, Joined::default());
        }
        let Resolved::As { judged, used, doubt } = resolve(
            judged,
            &self.names,
            &self.cursors,
            self.intake.segment,
            &|portal| self.is_portal_moved(portal),
        ) else {
            return Ruled::Unanswered;
        };
        // People are not asked about what nobody can tell them; where policy lets it pass, the server answers.
        let joined = Joined {
            used,
            judged: Some(Arc::clone(&judged)),
        };
        match (self.ruled(&judged, joined), doubt) {
            (Ruled::Stops(..), Some(Doubt::Missing(name))) => Ruled::Missing(name),
            (Ruled::Stops(..), Some(Doubt::NotAscii)) => Ruled::Refused(not_ascii()),
            (ruled, _) => ruled,
        }
    }

    /// What the rules say; a read that cannot be shielded counts as unknown.
    fn ruled(&mut self, judged: &Arc<Judged>, mut joined: Joined) -> Ruled {
        let Some(doubtful) = self.unshielded(judged) else {
            return ruled(self.decide_once(judged), judged, joined);
        };
        let doubtful = Arc::new(doubtful);
        joined.judged = Some(Arc::clone(&doubtful));
        ruled(self.decide(&doubtful), &doubtful, joined)
    }

    /// Whether the transaction has failed for certain: the last answer said so, and nothing is on its way that
    /// could end it. Then the server takes only its end (`IsAbortedTransactionBlockState` in
    /// `exec_simple_query`, `exec_parse_message`, `exec_bind_message` and `exec_execute_message`); a Parse, a
    /// Describe and a Close change nothing about that.
    pub(in crate::session) fn server_refuses_all_but_the_end(&self) -> bool {
        self.status == TransactionStatus::Failed && !self.intake.has_bound && !self.inflight.awaits_ready()
    }
}

fn ruled(decision: Decision, judged: &Arc<Judged>, joined: Joined) -> Ruled {
    let observed = Observed::of(&decision, judged);
    match stand(decision) {
        Standing::Passes(proof) => Ruled::Passes(proof, joined, observed),
        Standing::Held(terms) => Ruled::Stops(Ruling::Hold(terms), Box::new(judged.joined_facts()), joined),
        Standing::Denied { rule, reason } => Ruled::Stops(
            Ruling::Deny { rule, reason },
            Box::new(judged.joined_facts()),
            joined,
        ),
    }
}
