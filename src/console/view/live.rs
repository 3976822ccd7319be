//! What changes of a request while somebody looks at its page: how it stands, and what they can do with it.

use super::super::sql_text::{Markup, count_hidden, shown};
use super::detail::Ways;
use super::quorum::{missing_after, missing_in_words, missing_seats};
use super::timeline::{Moment, StateView, timeline};
use super::when::When;
use crate::model::{HeldRequest, Principal, RequestId, StateKind};

/// An approval that is needed.
#[derive(Debug)]
pub(in crate::console) struct SeatView {
    /// The groups, a member of any of which can give it, joined by "or".
    pub(in crate::console) groups: String,
    pub(in crate::console) is_missing: bool,
}

/// What the part of the page shows that is fetched again and again. Of the statement it looks at no more than a form can
/// have.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a part of it that is there or not"
)]
pub(in crate::console) struct Live {
    pub(in crate::console) id: RequestId,
    pub(in crate::console) state: StateView,
    pub(in crate::console) since: When,
    pub(in crate::console) expires: When,
    pub(in crate::console) is_pending: bool,
    pub(in crate::console) is_final: bool,
    pub(in crate::console) seats: Vec<SeatView>,
    /// How often it was changed.
    pub(in crate::console) edits: usize,
    /// The text, where the viewer can change it.
    pub(in crate::console) editable: Option<String>,
    pub(in crate::console) user: Markup,
    /// Whether the viewer asked for it, and may decide all the same.
    pub(in crate::console) is_own: bool,
    /// Why it is to run, as the requester says.
    pub(in crate::console) justification: Option<Markup>,
    /// Who would still be missing after the viewer approved, in words.
    pub(in crate::console) missing_after: Option<String>,
    /// Whether the viewer is to look at it afterwards.
    pub(in crate::console) can_follow_up: bool,
    /// Why the viewer cannot decide on it, where they cannot and it is pending.
    pub(in crate::console) why_not: Option<String>,
    pub(in crate::console) timeline: Vec<Moment>,
}

impl Live {
    /// How many approvals are missing.
    pub(in crate::console) fn missing(&self) -> usize {
        self.seats.iter().filter(|seat| seat.is_missing).count()
    }

    /// As it stands for `viewer`, who may do this much.
    pub(in crate::console) fn of(request: &HeldRequest, viewer: &Principal, may: Ways) -> Self {
        let asked = &request.asked;
        let kind = request.state.kind();
        Self {
            id: asked.id,
            state: StateView::of(kind),
            since: When::ago(asked.created_at),
            expires: When::until(asked.expires_at),
            is_pending: kind == StateKind::Pending,
            is_final: kind.is_final(),
            // Where it did not wait, nobody has approved it.
            seats: if request.basis.is_none() {
                seats(request)
            } else {
                Vec::new()
            },
            edits: request.edits.len(),
            editable: may_edit(request, may).then(|| request.statement().to_owned()),
            user: shown(&asked.origin.user),
            is_own: asked.origin.user == viewer.name,
            justification: asked.justification.as_deref().map(shown),
            missing_after: missing_after(request, viewer),
            can_follow_up: may.follow_up,
            why_not: (kind == StateKind::Pending && !may.decide).then(|| why_not(request, viewer)),
            timeline: timeline(request),
        }
    }

    /// Whether the forms are shown.
    pub(in crate::console) fn can_decide(&self) -> bool {
        self.is_pending && self.why_not.is_none()
    }
}

/// Whether somebody can try to approve it with a change: its text is none too long for a form,
/// and has nothing in it that a form would not show.
fn may_edit(request: &HeldRequest, may: Ways) -> bool {
    const LONGEST: usize = 32 * 1024;
    let text = request.statement();
    may.decide && text.len() <= LONGEST && count_hidden(text) == 0
}

fn seats(request: &HeldRequest) -> Vec<SeatView> {
    let mut missing = missing_seats(request);
    let seats = request.asked.quorum.seats().iter();
    // Of seats that are alike, those that are filled come first.
    let mut seats: Vec<SeatView> = seats
        .rev()
        .map(|seat| {
            let free = missing.iter().position(|other| other == seat);
            if let Some(place) = free {
                missing.swap_remove(place);
            }
            SeatView {
                groups: seat.join(" or "),
                is_missing: free.is_some(),
            }
        })
        .collect();
    seats.reverse();
    seats
}

fn why_not(request: &HeldRequest, viewer: &Principal) -> String {
    if request.asked.origin.user == viewer.name && !request.asked.self_approval {
        "This is your own request. Nobody decides on their own.".to_owned()
    } else if request
        .counting()
        .iter()
        .any(|review| review.reviewer == viewer.name)
    {
        format!(
            "You have approved it. It still waits for {}.",
            missing_in_words(request)
        )
    } else {
        format!(
            "Only a member of {} can decide on it.",
            request.asked.quorum.groups().join(" or ")
        )
    }
}
