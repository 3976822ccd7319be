//! Who may see and who may decide. Pure.

use super::broker::DecideError;
use crate::model::{HeldRequest, NewRequest, Principal, Quorum, StateKind};

/// What says who may decide on a request: it was asked so, and stays so.
#[derive(Debug)]
pub(super) struct Stakes {
    user: String,
    quorum: Quorum,
    self_approval: bool,
}

impl Stakes {
    pub(super) fn of(asked: &NewRequest) -> Self {
        Self {
            user: asked.origin.user.clone(),
            quorum: asked.quorum.clone(),
            self_approval: asked.self_approval,
        }
    }

    /// The groups for which this person's verdict counts, or why it does not.
    pub(super) fn standing(&self, by: &Principal) -> Result<Vec<String>, DecideError> {
        let standing = standing(&self.quorum, by);
        let is_own = self.user == by.name;
        // As `may_see`.
        if !by.admin && !is_own && standing.is_empty() {
            return Err(DecideError::NotFound);
        }
        if is_own && !self.self_approval {
            return Err(DecideError::OwnRequest);
        }
        if standing.is_empty() {
            return Err(DecideError::NotEntitled {
                groups: self.quorum.groups(),
            });
        }
        Ok(standing)
    }
}

/// The request's groups for which this person can stand.
pub(super) fn standing_groups(request: &HeldRequest, by: &Principal) -> Vec<String> {
    standing(&request.asked.quorum, by)
}

fn standing(quorum: &Quorum, by: &Principal) -> Vec<String> {
    let mut groups = quorum.groups();
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
        && (!request.counting().iter().any(|r| r.reviewer == by.name)
            // Somebody has come back whose approval counts again: it waits for one of them to say so.
            || request.asked.quorum.is_met(&request.approvers()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RequestState;
    use crate::store::contract::{person, request};

    fn held(asked: NewRequest) -> HeldRequest {
        HeldRequest {
            asked,
            state: RequestState::Pending,
            basis: None,
            reviews: Vec::new(),
            edits: Vec::new(),
            followup: None,
            settled_at: None,
            is_cut: false,
        }
    }

    /// Whoever may not see it is told that there is none.
    #[test]
    fn a_verdict_counts_for_those_whom_the_quorum_names() {
        let mut asked = request(1);
        asked.origin.user = "alice".to_owned();
        asked.quorum = Quorum::each_of(["dba", "security"]);
        let said = |asked: &NewRequest, by: &Principal| match Stakes::of(asked).standing(by) {
            Ok(groups) => groups.join("+"),
            Err(error) => error.to_string(),
        };
        let none = DecideError::NotFound.to_string();
        let own = DecideError::OwnRequest.to_string();
        for (name, groups, admin, expected) in [
            ("bob", &["dba"][..], false, "dba"),
            ("eve", &["dba", "security", "other"], false, "dba+security"),
            ("tom", &["other"], false, none.as_str()),
            ("alice", &["dba"], false, own.as_str()),
            ("alice", &[], true, own.as_str()),
            (
                "ruth",
                &[],
                true,
                "only a member of dba, security can decide on this request",
            ),
        ] {
            let by = person(name, groups, admin);
            assert_eq!(said(&asked, &by), expected, "{name}");
            assert_eq!(may_see(&held(asked.clone()), &by), expected != none, "{name}");
        }
        asked.self_approval = true;
        assert_eq!(said(&asked, &person("alice", &["dba"], false)), "dba");
    }
}
