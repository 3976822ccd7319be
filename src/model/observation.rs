//! What is asked of databases that are observed, and what would have become of it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Decision, Facts, Judged};

/// How much of a text is kept, in bytes.
pub const STATEMENT_LIMIT: usize = 8 * 1024;

/// The facts of so many different statements of a text are kept.
const FACTS_LIMIT: usize = 100;

/// What would have become of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ObservedDecision {
    /// It would have passed.
    Allow,
    /// People would have been asked.
    Hold,
    /// It would have been refused.
    Deny,
}

impl ObservedDecision {
    /// All of them, mildest first.
    pub const ALL: [Self; 3] = [Self::Allow, Self::Hold, Self::Deny];

    /// What a decision comes to, and the rules that hold or deny; for one that observes, what would have been.
    #[must_use]
    pub fn of(decision: &Decision) -> (Self, Vec<String>) {
        match decision {
            Decision::Allow => (Self::Allow, Vec::new()),
            Decision::Observe { would, .. } => Self::of(would),
            Decision::Hold(terms) => (Self::Hold, terms.rules.iter().map(ToString::to_string).collect()),
            Decision::Deny { rule, .. } => (Self::Deny, vec![rule.to_string()]),
        }
    }

    /// The word of the policy language, and of the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Hold => "hold",
            Self::Deny => "deny",
        }
    }
}

impl fmt::Display for ObservedDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no decision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is none of allow, hold, deny")]
pub struct UnknownDecision(pub String);

impl FromStr for ObservedDecision {
    type Err = UnknownDecision;

    fn from_str(word: &str) -> Result<Self, UnknownDecision> {
        Self::ALL
            .into_iter()
            .find(|decision| decision.as_str() == word)
            .ok_or_else(|| UnknownDecision(word.to_owned()))
    }
}

/// A statement that was let pass and observed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Observation {
    /// The name of `[databases.NAME]`.
    pub database: String,
    /// Who asked.
    pub user: String,
    /// The user's groups then, sorted.
    pub groups: Vec<String>,
    /// What the client said that it is.
    pub application_name: String,
    /// The address that the client came from, without its port; `None` where there is none.
    pub client_addr: Option<IpAddr>,
    /// The text, as [`Observation::text`] keeps it; empty where it is not known. It has the literals of the
    /// statement.
    pub statement: String,
    /// What its statements do, as [`Observation::facts`] keeps it.
    pub facts: Vec<Facts>,
    /// What would have become of it.
    pub decision: ObservedDecision,
    /// The rules that would have held or denied it.
    pub rules: Vec<String>,
}

impl Observation {
    /// As much of a text as is kept: at most [`STATEMENT_LIMIT`] bytes, in whole characters; what is no UTF-8
    /// is replaced.
    #[must_use]
    pub fn text(text: &[u8]) -> String {
        // A character that this cuts in two begins behind the limit, and goes below.
        let head = text.get(..STATEMENT_LIMIT + 3).unwrap_or(text);
        let mut kept = String::from_utf8_lossy(head).into_owned();
        let mut end = kept.len().min(STATEMENT_LIMIT);
        while !kept.is_char_boundary(end) {
            end -= 1;
        }
        kept.truncate(end);
        kept
    }

    /// The facts of a text's statements, each once: policy says the same to the same facts. Where there are very
    /// many different ones, the rest counts as one that could not be judged.
    #[must_use]
    pub fn facts(judged: &Judged) -> Vec<Facts> {
        let mut kept: Vec<Facts> = Vec::new();
        for statement in &judged.statements {
            if kept.contains(&statement.facts) {
                continue;
            }
            if kept.len() == FACTS_LIMIT {
                kept.push(Facts::unknown("the text has more statements than are recorded"));
                break;
            }
            kept.push(statement.facts.clone());
        }
        kept
    }

    /// Under which sightings are counted together: a SHA-256 over everything in it.
    #[must_use]
    pub fn key(&self) -> [u8; 32] {
        // Texts, numbers and lists always have a JSON form, and only one.
        let form = serde_json::to_vec(self).unwrap_or_default();
        Sha256::digest(&form).into()
    }
}

/// How often, and when, the same was asked within one hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sightings {
    /// What was asked.
    pub observation: Observation,
    /// How often; at least once.
    pub count: u64,
    /// When first.
    pub first_seen: Timestamp,
    /// When last.
    pub last_seen: Timestamp,
}

impl Sightings {
    /// One.
    #[must_use]
    pub const fn once(observation: Observation, at: Timestamp) -> Self {
        Self {
            observation,
            count: 1,
            first_seen: at,
            last_seen: at,
        }
    }

    /// The hour that they are counted in.
    #[must_use]
    pub fn hour(&self) -> i64 {
        hour_of(self.first_seen)
    }

    /// Adds those of the same observation in the same hour.
    pub fn add(&mut self, others: &Self) {
        self.count = self.count.saturating_add(others.count);
        self.first_seen = self.first_seen.min(others.first_seen);
        self.last_seen = self.last_seen.max(others.last_seen);
    }
}

/// The hour of a time, counted from the beginning of 1970 UTC.
#[must_use]
pub fn hour_of(at: Timestamp) -> i64 {
    at.as_second().div_euclid(3600)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::sync::Arc;

    use super::*;
    use crate::model::{Asks, HoldTerms};

    fn observation() -> Observation {
        Observation {
            database: "shop".to_owned(),
            user: "alice".to_owned(),
            groups: vec!["developers".to_owned()],
            application_name: "psql".to_owned(),
            client_addr: "192.0.2.7".parse().ok(),
            statement: "SELECT 1".to_owned(),
            facts: vec![Facts::unknown("?")],
            decision: ObservedDecision::Hold,
            rules: vec!["no rule matched".to_owned()],
        }
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(Observation::text(b""), "");
        assert_eq!(Observation::text(b"SELECT \xff"), "SELECT \u{fffd}");
        for before in STATEMENT_LIMIT - 5..STATEMENT_LIMIT + 5 {
            let text = format!("{}🐘🐘🐘", "x".repeat(before));
            let kept = Observation::text(text.as_bytes());
            assert!(text.starts_with(&kept) && kept.len() <= STATEMENT_LIMIT);
            assert!(kept.len() > STATEMENT_LIMIT - 4, "{before}: {}", kept.len());
        }
        let replaced = Observation::text(&vec![0xff; STATEMENT_LIMIT * 2]);
        assert!(replaced.len() <= STATEMENT_LIMIT && replaced.chars().all(|c| c == '\u{fffd}'));
    }

    #[test]
    fn the_same_facts_are_kept_once_and_not_without_end() {
        let one = Facts::unknown("a");
        let judged = Judged::from_facts([one.clone(), Facts::unknown("b"), one.clone()]);
        assert_eq!(Observation::facts(&judged), [one.clone(), Facts::unknown("b")]);
        let many = (0..1000).map(|number| Facts::unknown(number.to_string()));
        assert_eq!(
            Observation::facts(&Judged::from_facts(many)).len(),
            FACTS_LIMIT + 1
        );
    }

    #[test]
    fn whatever_differs_is_counted_by_itself() {
        let key = observation().key();
        assert_eq!(observation().key(), key);
        let change = |change: fn(&mut Observation)| {
            let mut other = observation();
            change(&mut other);
            other.key()
        };
        for other in [
            change(|o| o.database.push('x')),
            change(|o| o.user.push('x')),
            change(|o| o.groups.clear()),
            change(|o| o.groups = vec!["devel".to_owned(), "opers".to_owned()]),
            change(|o| o.application_name.clear()),
            change(|o| o.client_addr = None),
            change(|o| o.statement.push(' ')),
            change(|o| o.facts.clear()),
            change(|o| o.decision = ObservedDecision::Deny),
            change(|o| o.rules.clear()),
        ] {
            assert_ne!(other, key);
        }
    }

    #[test]
    fn what_would_have_been_is_what_counts() {
        let hold = Decision::Hold(HoldTerms {
            rules: vec![Arc::from("writes")],
            asks: Asks::default(),
        });
        let observed = Decision::Observe {
            rule: Some(Arc::from("try it")),
            would: Box::new(hold.clone()),
        };
        let expected = (ObservedDecision::Hold, vec!["writes".to_owned()]);
        assert_eq!(ObservedDecision::of(&hold), expected);
        assert_eq!(ObservedDecision::of(&observed), expected);
        for decision in ObservedDecision::ALL {
            assert_eq!(decision.as_str().parse::<ObservedDecision>(), Ok(decision));
        }
        assert!("observe".parse::<ObservedDecision>().is_err());
    }

    #[test]
    fn sightings_add_up() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut seen = Sightings::once(observation(), at(7_200));
        seen.add(&Sightings::once(observation(), at(7_300)));
        seen.add(&Sightings::once(observation(), at(7_100)));
        assert_eq!(
            (seen.count, seen.first_seen, seen.last_seen),
            (3, at(7_100), at(7_300))
        );
        assert_eq!(
            (hour_of(at(7_199)), hour_of(at(7_200)), hour_of(at(-1))),
            (1, 2, -1)
        );
    }
}
