//! What else there is to know of a request: what became of others of its shape, and what else its requester asked.

use super::super::sql_text::{Markup, excerpt, shown};
use super::timeline::StateView;
use super::when::When;
use crate::model::{HeldRequest, RequestId, StateKind, Verdict};

/// Approved at least this often, a shape is worth a standing approval.
const OFTEN: usize = 3;

/// Another request in a line.
#[derive(Debug)]
pub(in crate::console) struct Other {
    pub(in crate::console) id: RequestId,
    pub(in crate::console) state: StateView,
    pub(in crate::console) user: Markup,
    pub(in crate::console) excerpt: Markup,
    pub(in crate::console) asked: When,
    /// Who approved or rejected it.
    pub(in crate::console) by: Option<Markup>,
}

/// What the page shows beside the request.
#[derive(Debug, Default)]
pub(in crate::console) struct Context {
    /// How often people approved what is like it, as far as was looked back.
    pub(in crate::console) approved: usize,
    /// How often they rejected it.
    pub(in crate::console) rejected: usize,
    /// The last of these.
    pub(in crate::console) alike: Vec<Other>,
    /// What else the requester asked lately.
    pub(in crate::console) recent: Vec<Other>,
}

impl Context {
    /// Of what is like it, and of what else its requester asked; both newest first, without the request itself.
    pub(in crate::console) fn of(alike: &[HeldRequest], recent: &[HeldRequest], shown_each: usize) -> Self {
        let lines = |requests: &[HeldRequest]| requests.iter().take(shown_each).map(other).collect();
        let count = |verdict| {
            let decided = |request: &&HeldRequest| is_decided(request, verdict);
            alike.iter().filter(decided).count()
        };
        Self {
            approved: count(Verdict::Approve),
            rejected: count(Verdict::Reject),
            alike: lines(alike),
            recent: lines(recent),
        }
    }

    /// Whether it is worth allowing what is like it beforehand.
    pub(in crate::console) fn is_often_approved(&self) -> bool {
        self.approved >= OFTEN && self.rejected == 0
    }
}

fn is_decided(request: &HeldRequest, verdict: Verdict) -> bool {
    match verdict {
        Verdict::Reject => request.state.kind() == StateKind::Rejected,
        Verdict::Approve => {
            request.basis.is_none()
                && request.edits.is_empty()
                && matches!(
                    request.state.kind(),
                    StateKind::Approved | StateKind::Running | StateKind::Executed | StateKind::Failed
                )
        }
    }
}

fn other(request: &HeldRequest) -> Other {
    let verdict = if request.state.kind() == StateKind::Rejected {
        Verdict::Reject
    } else {
        Verdict::Approve
    };
    let people: Vec<&str> = request
        .reviews
        .iter()
        .filter(|review| review.verdict == verdict)
        .map(|review| review.reviewer.as_str())
        .collect();
    Other {
        id: request.asked.id,
        state: StateView::of(request.state.kind()),
        user: shown(&request.asked.origin.user),
        excerpt: excerpt(request.statement()).0,
        asked: When::ago(request.asked.created_at),
        by: (!people.is_empty()).then(|| shown(&people.join(", "))),
    }
}
