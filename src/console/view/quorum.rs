//! Who is still missing: as the store would count if somebody decided now.

use crate::model::quorum::in_words;
use crate::model::{Grant, GrantState, HeldRequest, Principal, Quorum, Seat, StateKind};

/// The seats that a pending request still waits for; none once it is decided.
pub(in crate::console) fn missing_seats(request: &HeldRequest) -> Vec<Seat> {
    if request.state.kind() != StateKind::Pending {
        return Vec::new();
    }
    missing(&request.asked.quorum, &request.approvers())
}

/// The seats that a pending grant still waits for; none once it is decided.
pub(in crate::console) fn seats_missing_of(grant: &Grant) -> Vec<Seat> {
    if grant.state != GrantState::Pending {
        return Vec::new();
    }
    missing(&grant.asked.quorum, &grant.approvers())
}

/// Groups whose approval a pending request still waits for, as far as it must be theirs.
pub(in crate::console) fn missing_groups(request: &HeldRequest) -> Vec<String> {
    let mut groups: Vec<String> = missing_seats(request).into_iter().flatten().collect();
    groups.sort();
    groups.dedup();
    groups
}

/// Who would be missing after `by` approved, in words; `None`: nobody.
pub(super) fn missing_after(request: &HeldRequest, by: &Principal) -> Option<String> {
    after(&request.asked.quorum, request.approvers(), by)
}

/// Who would be missing where `by` alone has said yes, in words; `None`: nobody.
pub(super) fn missing_after_one(request: &HeldRequest, by: &Principal) -> Option<String> {
    after(&request.asked.quorum, Vec::new(), by)
}

/// As [`missing_after`], for a grant.
pub(super) fn missing_after_of(grant: &Grant, by: &Principal) -> Option<String> {
    after(&grant.asked.quorum, grant.approvers(), by)
}

fn after(quorum: &Quorum, mut approvers: Vec<Vec<String>>, by: &Principal) -> Option<String> {
    let mut standing = quorum.groups();
    standing.retain(|group| by.is_member(group));
    approvers.push(standing);
    let seats = missing(quorum, &approvers);
    (!seats.is_empty()).then(|| words(&seats))
}

/// Who is missing, in words.
pub(super) fn missing_in_words(request: &HeldRequest) -> String {
    words(&missing_seats(request))
}

/// In words.
pub(super) fn words(seats: &[Seat]) -> String {
    in_words(&seats.iter().collect::<Vec<_>>())
}

fn missing(quorum: &Quorum, approvers: &[Vec<String>]) -> Vec<Seat> {
    quorum.missing(approvers).into_iter().cloned().collect()
}
