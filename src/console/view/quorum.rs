//! Who is still missing.

use crate::model::{HeldRequest, Principal, Quorum, StateKind, Verdict};

/// Groups that a pending request still waits for; none once it is decided.
pub(in crate::console) fn missing_groups(request: &HeldRequest) -> Vec<String> {
    if request.state.kind() != StateKind::Pending {
        return Vec::new();
    }
    missing(request, None)
}

/// Groups that would be missing after `by` approved.
pub(super) fn missing_after(request: &HeldRequest, by: &Principal) -> Vec<String> {
    let standing = request.asked.groups.iter().filter(|g| by.is_member(g));
    missing(request, Some(standing.cloned().collect()))
}

fn missing(request: &HeldRequest, one_more: Option<Vec<String>>) -> Vec<String> {
    let approvers: Vec<Vec<String>> = request
        .reviews
        .iter()
        .filter(|review| review.verdict == Verdict::Approve)
        .map(|review| review.groups.clone())
        .chain(one_more)
        .collect();
    Quorum::of(&request.asked.groups)
        .missing(&approvers)
        .into_iter()
        .map(str::to_owned)
        .collect()
}
