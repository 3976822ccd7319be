//! What is noted of what is observed: on a database with `observe = true`, and where a rule says so.
//!
//! Invariant: noting changes nothing about what becomes of a statement, and never waits.

use std::net::SocketAddr;

use super::{Shared, Who};
use crate::model::{Judged, Observation, ObservedDecision};
use crate::policy::{Policy, Subject};

/// Notes what a startup packet sets: elsewhere, some of it might have been refused.
pub(super) fn note_settings(
    shared: &Shared,
    who: &Who,
    policy: &Policy,
    settings: impl Iterator<Item = (String, Judged)>,
) {
    let subject = Subject::new(&who.database, &who.principal.name, &who.principal.groups);
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
    let client: Option<SocketAddr> = who.client_addr.parse().ok();
    Observation {
        database: who.database.clone(),
        user: who.principal.name.clone(),
        groups,
        application_name: who.application_name.clone(),
        client_addr: client.map(|address| address.ip()),
        statement,
        facts: Observation::facts(judged),
        decision,
        rules,
    }
}
