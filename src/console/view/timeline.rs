//! What happened to a request so far, as a list of moments; and its state as a label.

use super::super::sql_text::{Markup, shown};
use super::when::{When, duration};
use crate::model::{Basis, HeldRequest, Outcome, RequestState, Review, StateKind, Verdict};

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
    /// Where there is more on it, and what that is called.
    pub(in crate::console) link: Option<(String, &'static str)>,
}

/// Everything that happened, oldest first.
pub(super) fn timeline(request: &HeldRequest) -> Vec<Moment> {
    let mut moments = Vec::new();
    if request.state.kind() != StateKind::Denied {
        moments.push(first_moment(request));
    }
    moments.extend(said_and_changed(request));
    moments.extend(last_moment(request));
    if let Some(review) = &request.followup {
        moments.push(followed_up(review));
    }
    moments
}

/// What people said and changed, in the order in which they did.
fn said_and_changed(request: &HeldRequest) -> Vec<Moment> {
    let mut moments: Vec<Moment> = said(&request.reviews, &request.asked.origin.user).collect();
    for edit in request.edits.iter().rev() {
        let change = Moment {
            class: "held",
            what: shown(&format!(
                "{} changed the statement; approvals from before count no more",
                edit.editor
            )),
            quote: None,
            when: Some(When::at(edit.at)),
            link: None,
        };
        moments.insert(edit.reviews_before.min(moments.len()), change);
    }
    moments
}

/// What people said, oldest first; `requester` may be among them.
pub(super) fn said(reviews: &[Review], requester: &str) -> impl Iterator<Item = Moment> {
    reviews.iter().map(move |review| {
        let (class, verb) = match review.verdict {
            Verdict::Approve => ("approve", "approved"),
            Verdict::Reject => ("reject", "rejected"),
        };
        let own = if review.reviewer == requester {
            " their own request, as the rule allows"
        } else {
            ""
        };
        let lapsed = if review.is_lapsed() {
            "; that counts no more, since they have left or are disabled"
        } else {
            ""
        };
        Moment {
            class,
            what: shown(&format!(
                "{} ({}) {verb}{own}{lapsed}",
                review.reviewer,
                review.groups.join(", ")
            )),
            quote: quoted(&review.comment),
            when: Some(When::at(review.at)),
            link: None,
        }
    })
}

/// That it was held, or on which grounds it was not.
fn first_moment(request: &HeldRequest) -> Moment {
    let asked = &request.asked;
    let rule = &asked.rule;
    let (class, what, link) = match &request.basis {
        None => ("held", format!("Held by the rule “{rule}”"), None),
        Some(Basis::AdminExempt) => (
            "approve",
            format!("Not held: the rule “{rule}” exempts administrators"),
            None,
        ),
        Some(Basis::BreakGlass) => (
            "reject",
            format!("Not held: the requester broke the glass, as the rule “{rule}” allows"),
            None,
        ),
        Some(Basis::Transaction { id }) => (
            "held",
            "Ran in the open transaction; people decide on its COMMIT".to_owned(),
            Some((format!("/requests/{id}"), "The COMMIT")),
        ),
        Some(Basis::Grant { id }) => (
            "approve",
            format!("Not held by the rule “{rule}”: access was granted"),
            Some((format!("/access/{id}"), "The access")),
        ),
        Some(Basis::StandingApproval { id, max_rows }) => (
            "approve",
            match max_rows {
                Some(1) => format!("Not held by the rule “{rule}”: allowed beforehand, up to 1 row"),
                Some(rows) => format!("Not held by the rule “{rule}”: allowed beforehand, up to {rows} rows"),
                None => format!("Not held by the rule “{rule}”: allowed beforehand"),
            },
            Some((format!("/access/{id}"), "The standing approval")),
        ),
    };
    Moment {
        class,
        what: shown(&what),
        quote: None,
        when: Some(When::at(asked.created_at)),
        link,
    }
}

/// What somebody said after the glass was broken.
fn followed_up(review: &Review) -> Moment {
    let (class, verb) = match review.verdict {
        Verdict::Approve => ("approve", "finds it right"),
        Verdict::Reject => ("reject", "objects to it"),
    };
    let groups = review.groups.join(", ");
    Moment {
        class,
        what: shown(&format!(
            "{} ({groups}) has looked at it, and {verb}",
            review.reviewer
        )),
        quote: quoted(&review.comment),
        when: Some(When::at(review.at)),
        link: None,
    }
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
        link: None,
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

pub(super) fn quoted(text: &str) -> Option<Markup> {
    let text = text.trim();
    (!text.is_empty()).then(|| shown(&text.replace("\r\n", "\n")))
}
