//! In one sentence, how a request was settled and by whom.

use crate::model::{HeldRequest, Principal, RequestState, Verdict};

/// The sentence for somebody who came too late.
pub(in crate::console) fn settled_sentence(request: &HeldRequest, viewer: &Principal) -> String {
    let approved = || {
        if request.basis.is_some() {
            return "This request ran without waiting".to_owned();
        }
        format!(
            "This request was approved by {}",
            people(request, viewer, Verdict::Approve)
        )
    };
    match &request.state {
        // Its time is over, and the sweep has not come by yet.
        RequestState::Pending | RequestState::Expired => {
            "This request has expired: nobody decided in time.".to_owned()
        }
        RequestState::Approved | RequestState::Running => format!("{}; it is running.", approved()),
        RequestState::Executed(_) => format!("{}; it was executed.", approved()),
        RequestState::Failed(_) => format!("{}; it ran and failed.", approved()),
        RequestState::Rejected => {
            format!(
                "This request was rejected by {}.",
                people(request, viewer, Verdict::Reject)
            )
        }
        RequestState::Withdrawn(why) => format!("This request was withdrawn: {why}."),
        RequestState::Abandoned(why) => format!("This request was abandoned: {why}."),
        RequestState::Denied(why) => format!("This request was denied by policy: {why}."),
    }
}

fn people(request: &HeldRequest, viewer: &Principal, verdict: Verdict) -> String {
    let names: Vec<&str> = request
        .reviews
        .iter()
        .filter(|review| review.verdict == verdict)
        .map(|review| {
            if review.reviewer == viewer.name {
                "you"
            } else {
                review.reviewer.as_str()
            }
        })
        .collect();
    match names.as_slice() {
        [] => "nobody".to_owned(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
