//! What happened to a request so far, as a list of moments; and its state as a label.

use super::super::sql_text::{Markup, shown};
use super::when::{When, duration};
use crate::model::{HeldRequest, Outcome, RequestState, StateKind, Verdict};

/// A state as a badge.
#[derive(Debug, Clone, Copy)]
pub(in crate::console) struct StateView {
    /// The name, also of the style sheet's class.
    pub(in crate::console) name: &'static str,
}

impl StateView {
    pub(in crate::console) fn of(kind: StateKind) -> Self {
        Self { name: kind.as_str() }
    }
}

/// Something that happened.
#[derive(Debug)]
pub(in crate::console) struct Moment {
    /// Chooses the mark: `held`, `approve`, `reject`, or a state's name.
    pub(in crate::console) class: &'static str,
    /// What, in a few words.
    pub(in crate::console) what: Markup,
    /// More, if there is more: a comment, an error's text.
    pub(in crate::console) quote: Option<Markup>,
    /// When, where that is known.
    pub(in crate::console) when: Option<When>,
}

/// Everything that happened, oldest first.
pub(super) fn timeline(request: &HeldRequest) -> Vec<Moment> {
    let asked = &request.asked;
    let mut moments = Vec::new();
    if request.state.kind() != StateKind::Denied {
        moments.push(Moment {
            class: "held",
            what: shown(&format!("Held by the rule “{}”", asked.rule)),
            quote: None,
            when: Some(When::at(asked.created_at)),
        });
    }
    for review in &request.reviews {
        let (class, verb) = match review.verdict {
            Verdict::Approve => ("approve", "approved"),
            Verdict::Reject => ("reject", "rejected"),
        };
        moments.push(Moment {
            class,
            what: shown(&format!(
                "{} ({}) {verb}{}",
                review.reviewer,
                review.groups.join(", "),
                if review.reviewer == asked.origin.user {
                    " their own request, as the rule allows"
                } else {
                    ""
                }
            )),
            quote: quoted(&review.comment),
            when: Some(When::at(review.at)),
        });
    }
    moments.extend(last_moment(request));
    moments
}

fn last_moment(request: &HeldRequest) -> Option<Moment> {
    let (what, quote) = match &request.state {
        RequestState::Pending | RequestState::Rejected => return None,
        RequestState::Approved => ("About to run".to_owned(), None),
        RequestState::Running => ("Running on the server".to_owned(), None),
        RequestState::Executed(outcome) => (executed(outcome), None),
        RequestState::Failed(outcome) => failed(outcome),
        RequestState::Expired => ("Expired: nobody decided in time".to_owned(), None),
        RequestState::Withdrawn(why) => ("Withdrawn".to_owned(), quoted(why)),
        RequestState::Abandoned(why) => ("Abandoned".to_owned(), quoted(why)),
        RequestState::Denied(why) => (
            format!("Denied by the rule “{}”; it did not run", request.asked.rule),
            quoted(why),
        ),
    };
    Some(Moment {
        class: request.state.kind().as_str(),
        what: shown(&what),
        quote,
        when: request.settled_at.map(When::at),
    })
}

fn executed(outcome: &Outcome) -> String {
    let took = duration(outcome.duration_ms);
    let rows = match outcome.rows {
        Some(1) => ", 1 row".to_owned(),
        Some(rows) => format!(", {rows} rows"),
        None => String::new(),
    };
    if outcome.tag.is_empty() {
        format!("Ran in {took}{rows}")
    } else {
        format!("Ran in {took}{rows}: {}", outcome.tag)
    }
}

fn failed(outcome: &Outcome) -> (String, Option<Markup>) {
    let took = duration(outcome.duration_ms);
    let what = match &outcome.sqlstate {
        Some(sqlstate) => format!("Failed after {took} with SQLSTATE {sqlstate}"),
        None => format!("Failed after {took}"),
    };
    (what, outcome.error.as_deref().and_then(quoted))
}

fn quoted(text: &str) -> Option<Markup> {
    let text = text.trim();
    (!text.is_empty()).then(|| shown(&text.replace("\r\n", "\n")))
}
