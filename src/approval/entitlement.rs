//! Who may see and who may decide. Pure.

use crate::model::{HeldRequest, Principal, StateKind};

/// The request's groups for which this person can stand.
pub(super) fn standing_groups(request: &HeldRequest, by: &Principal) -> Vec<String> {
    let mut groups = request.asked.quorum.groups();
    groups.retain(|group| by.is_member(group));
    groups
}

/// Whether the person may see the request: their own, one that names their group, or any for an admin.
pub(super) fn may_see(request: &HeldRequest, by: &Principal) -> bool {
    by.admin || request.asked.origin.user == by.name || !standing_groups(request, by).is_empty()
}

/// Whether the person could decide on it now.
pub(super) fn may_decide(request: &HeldRequest, by: &Principal) -> bool {
    request.state.kind() == StateKind::Pending
        && (request.asked.origin.user != by.name || request.asked.self_approval)
        && !standing_groups(request, by).is_empty()
        && !request.counting().iter().any(|r| r.reviewer == by.name)
}
