//! What is noted of what is observed: on a database with `observe = true`, and where a rule says so.
//!
//! Invariant: noting changes nothing about what becomes of a statement, and never waits.

use std::sync::Arc;

use super::gate::with_prepared;
use super::names::Prepared;
use super::relay::Session;
use super::{Shared, Who};
use crate::model::observation::STATEMENT_LIMIT;
use crate::model::{Decision, Judged, Observation, ObservedDecision};
use crate::policy::Policy;

/// A statement that passes and is observed.
#[derive(Debug)]
pub(super) struct Observed {
    /// Its names resolved.
    judged: Arc<Judged>,
    would: (ObservedDecision, Vec<String>),
}

impl Observed {
    /// `None` where nothing is to be noted.
    pub(super) fn of(decision: &Decision, judged: &Arc<Judged>) -> Option<Self> {
        matches!(decision, Decision::Observe { .. }).then(|| Self {
            judged: Arc::clone(judged),
            would: ObservedDecision::of(decision),
        })
    }
}

impl Session {
    /// A statement is about to be cleared: notes it where it is observed. The text is empty where it was not
    /// kept; `resolved` is what its names stand for.
    pub(super) fn note_observed(&self, text: &[u8], resolved: &[Prepared], observed: Option<Observed>) {
        let Some(Observed { judged, would }) = observed else {
            return;
        };
        // What is cut off here would be cut off below.
        let head = text.get(..STATEMENT_LIMIT + 4).unwrap_or(text);
        let text = Observation::text(&with_prepared(head, resolved));
        self.shared
            .observer
            .observe(observation(&self.who, text, &judged, would));
    }
}

/// Notes what a startup packet sets: elsewhere, some of it might have been refused.
pub(super) fn note_settings(
    shared: &Shared,
    who: &Who,
    policy: &Policy,
    settings: impl Iterator<Item = (String, Judged)>,
) {
    let subject = who.subject(policy, &*shared.clock);
    for (text, judged) in settings {
        let would = ObservedDecision::of(&policy.decide(&subject, &judged));
        shared.observer.observe(observation(
            who,
            Observation::text(text.as_bytes()),
            &judged,
            would,
        ));
    }
}

fn observation(
    who: &Who,
    statement: String,
    judged: &Judged,
    (decision, rules): (ObservedDecision, Vec<String>),
) -> Observation {
    let mut groups = who.principal.groups.clone();
    groups.sort();
    Observation {
        database: who.database.clone(),
        user: who.principal.name.clone(),
        groups,
        application_name: who.application_name.clone(),
        client_addr: Some(who.client_ip),
        statement,
        facts: Observation::facts(judged),
        decision,
        rules,
    }
}
