//! A request as a row of the queue or of the history.

use super::super::sql_text::{Markup, count_hidden, excerpt, shown};
use super::change::{as_it_is, editor};
use super::effect::EffectView;
use super::quorum::missing_in_words;
use super::timeline::StateView;
use super::when::When;
use crate::model::{Basis, HeldRequest, Principal, RequestId, StateKind, Verdict};

/// What a row shows.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a word on the row that is there or not"
)]
pub(in crate::console) struct Card {
    pub(in crate::console) id: RequestId,
    pub(in crate::console) effect: EffectView,
    pub(in crate::console) state: StateView,
    pub(in crate::console) command: Markup,
    /// Who has changed what was asked.
    pub(in crate::console) changed_by: Option<Markup>,
    /// The beginning of the text.
    pub(in crate::console) excerpt: Markup,
    /// Whether the text has more than the excerpt.
    pub(in crate::console) has_more: bool,
    pub(in crate::console) lines: usize,
    pub(in crate::console) user: Markup,
    /// Whether the viewer asked for it.
    pub(in crate::console) is_own: bool,
    pub(in crate::console) database: Markup,
    pub(in crate::console) application: Option<Markup>,
    pub(in crate::console) asked: When,
    pub(in crate::console) expires: When,
    pub(in crate::console) settled: Option<When>,
    /// Who it still waits for, in words; empty where it does not.
    pub(in crate::console) waits_for: String,
    /// Why it did not wait, where it did not.
    pub(in crate::console) basis: Option<&'static str>,
    /// Whether that was because the glass was broken.
    pub(in crate::console) is_broken: bool,
    /// Who rejected or approved it.
    pub(in crate::console) deciders: Vec<Markup>,
    /// Known only of a statement that is as it was asked.
    pub(in crate::console) unfiltered: bool,
    pub(in crate::console) in_transaction: bool,
    pub(in crate::console) has_hidden: bool,
}

impl Card {
    /// The row of a request, as `viewer` sees it.
    pub(in crate::console) fn of(request: &HeldRequest, viewer: &Principal) -> Self {
        let asked = &request.asked;
        let statement = request.statement();
        let (command, effect) = as_it_is(request);
        let (excerpt, has_more) = excerpt(statement);
        let application = asked.origin.application_name.trim();
        Self {
            id: asked.id,
            effect: EffectView::of(effect),
            state: StateView::of(request.state.kind()),
            command: shown(command),
            changed_by: editor(request),
            excerpt,
            has_more,
            lines: statement.trim().lines().count(),
            user: shown(&asked.origin.user),
            is_own: asked.origin.user == viewer.name,
            database: shown(&asked.origin.database),
            application: (!application.is_empty()).then(|| shown(application)),
            asked: When::ago(asked.created_at),
            expires: When::until(asked.expires_at),
            settled: request.settled_at.map(When::ago),
            waits_for: if request.state.kind() == StateKind::Pending {
                missing_in_words(request)
            } else {
                String::new()
            },
            basis: request.basis.as_ref().map(|basis| match basis {
                Basis::AdminExempt => "administrator",
                Basis::Transaction { .. } => "reviewed with its transaction",
                Basis::BreakGlass => "broke the glass",
                Basis::Grant { .. } => "access granted",
                Basis::StandingApproval { .. } => "allowed beforehand",
            }),
            is_broken: request.basis == Some(Basis::BreakGlass),
            deciders: deciders(request),
            unfiltered: asked.unfiltered && request.edits.is_empty(),
            in_transaction: asked.origin.in_transaction,
            has_hidden: count_hidden(statement) > 0,
        }
    }
}

/// The people behind the outcome: whoever rejected it, else whoever approved it.
fn deciders(request: &HeldRequest) -> Vec<Markup> {
    let named = |verdict| {
        request
            .reviews
            .iter()
            .filter(move |review| review.verdict == verdict)
            .map(|review| shown(&review.reviewer))
            .collect::<Vec<_>>()
    };
    let rejecters = named(Verdict::Reject);
    if rejecters.is_empty() {
        named(Verdict::Approve)
    } else {
        rejecters
    }
}
