//! What a policy would do with traffic that was recorded.
//!
//! Pure: decides the recorded facts anew, for who asked then. Three things are not as they were in a session, and are
//! as near as a record can be: the time is that of the hour's first sighting; what names stood for is what they
//! stood for then; and a text that could not be parsed counts as held where the session would first have asked the
//! server whether it is SQL ([`Replayed::unparsed`]). A rule that observes counts as what would have been.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::{NO_RULE, Policy, Subject};
use crate::model::{Judged, Observation, ObservedDecision, Sightings};

/// For each rule and each change, so many different examples are counted; what comes later is not among them.
const EXAMPLES_COUNTED: usize = 10_000;
/// Characters of an example.
const EXAMPLE_LENGTH: usize = 400;

/// Decides what is given to it, one after the other.
#[derive(Debug)]
pub struct Replay<'p> {
    policy: &'p Policy,
    replayed: Replayed,
}

/// What came of it. Counts are of statements, as often as each was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replayed {
    /// How many there were.
    pub statements: u64,
    /// When the first was seen; `None` where there was none.
    pub first_seen: Option<Timestamp>,
    /// When the last was seen.
    pub last_seen: Option<Timestamp>,
    /// By what would become of them.
    pub decisions: BTreeMap<ObservedDecision, u64>,
    /// By the rules that decide. Several may decide on the statements of one text, so the sum may be larger.
    pub rules: BTreeMap<(ObservedDecision, String), Group>,
    /// By who asked.
    pub users: BTreeMap<String, BTreeMap<ObservedDecision, u64>>,
    /// Those of which something else would become than was recorded: from that to this.
    pub changes: BTreeMap<(ObservedDecision, ObservedDecision), Group>,
    /// How many of those that would be held could not be parsed. Most are typos, which the server refuses before
    /// anybody is asked.
    pub unparsed: u64,
}

/// Statements of which the same is to be said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// How many.
    pub count: u64,
    /// One for each user and shape, or text where there is no shape.
    alike: HashMap<(String, String), Example>,
}

/// A statement that stands for those like it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Its beginning, on one line.
    pub statement: String,
    /// Who asked.
    pub user: String,
    /// How often something like it was asked.
    pub count: u64,
}

impl<'p> Replay<'p> {
    /// A replay under this policy.
    #[must_use]
    pub fn new(policy: &'p Policy) -> Self {
        Self {
            policy,
            replayed: Replayed::default(),
        }
    }

    /// Decides what was seen.
    pub fn add(&mut self, seen: &Sightings) {
        let observation = &seen.observation;
        let subject = Subject {
            database: &observation.database,
            user: &observation.user,
            groups: &observation.groups,
            application_name: &observation.application_name,
            client: observation.client_addr,
            at: seen.first_seen,
        };
        let judged = Judged::from_facts(observation.facts.iter().cloned());
        let (decision, mut rules) = ObservedDecision::of(&self.policy.decide(&subject, &judged));
        if decision == ObservedDecision::Allow {
            rules = allowing(self.policy, &subject, observation);
        }
        let unparsed = decision == ObservedDecision::Hold && judged.is_unparsed();
        self.replayed.count(seen, decision, rules, unparsed);
    }

    /// What came of it so far.
    #[must_use]
    pub fn finish(self) -> Replayed {
        self.replayed
    }
}

impl Replayed {
    fn count(&mut self, seen: &Sightings, decision: ObservedDecision, rules: Vec<String>, unparsed: bool) {
        let was = seen.observation.decision;
        let user = seen.observation.user.clone();
        self.statements += seen.count;
        self.first_seen = Some(
            self.first_seen
                .map_or(seen.first_seen, |at| at.min(seen.first_seen)),
        );
        self.last_seen = self.last_seen.max(Some(seen.last_seen));
        *self.decisions.entry(decision).or_default() += seen.count;
        *self.users.entry(user).or_default().entry(decision).or_default() += seen.count;
        for rule in rules {
            let group = self.rules.entry((decision, rule)).or_default();
            group.count += seen.count;
            // Nobody looks at examples of what simply passes.
            if decision != ObservedDecision::Allow {
                group.exemplify(seen);
            }
        }
        if was != decision {
            let group = self.changes.entry((was, decision)).or_default();
            group.count += seen.count;
            group.exemplify(seen);
        }
        if unparsed {
            self.unparsed += seen.count;
        }
    }
}

impl Group {
    fn exemplify(&mut self, seen: &Sightings) {
        let observation = &seen.observation;
        let key = (observation.user.clone(), likeness(observation));
        if let Some(known) = self.alike.get_mut(&key) {
            known.count += seen.count;
        } else if self.alike.len() < EXAMPLES_COUNTED {
            let example = Example {
                statement: one_line(&observation.statement),
                user: observation.user.clone(),
                count: seen.count,
            };
            self.alike.insert(key, example);
        }
    }

    /// The most frequent ones, so many of them.
    #[must_use]
    pub fn examples(&self, most: usize) -> Vec<&Example> {
        let mut examples: Vec<&Example> = self.alike.values().collect();
        examples.sort_by(|a, b| (b.count, &a.user, &a.statement).cmp(&(a.count, &b.user, &b.statement)));
        examples.truncate(most);
        examples
    }
}

/// The rules that let each of its statements pass.
fn allowing(policy: &Policy, subject: &Subject<'_>, observation: &Observation) -> Vec<String> {
    let mut rules: Vec<String> = Vec::new();
    for facts in &observation.facts {
        let rule = policy.deciding_rule(subject, facts);
        let name = rule.map_or(NO_RULE, |rule| rule.name());
        if !rules.iter().any(|known| known == name) {
            rules.push(name.to_owned());
        }
    }
    rules
}

/// Statements of one likeness differ in constants at most: the shapes, where each has one, or else the text.
fn likeness(observation: &Observation) -> String {
    let shapes: Option<Vec<String>> = observation
        .facts
        .iter()
        .map(|facts| facts.shape.map(|shape| shape.to_string()))
        .collect();
    match shapes {
        Some(shapes) if !shapes.is_empty() => shapes.concat(),
        _ => one_line(&observation.statement),
    }
}

/// The beginning of a text with each run of white space as one blank.
fn one_line(text: &str) -> String {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.chars().count() > EXAMPLE_LENGTH {
            return line.chars().take(EXAMPLE_LENGTH).chain(['…']).collect();
        }
    }
    line
}

#[cfg(test)]
mod tests;
