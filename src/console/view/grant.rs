//! A time window or a standing approval, as a row of the page Access and as a page of its own.

use super::super::sql_text::{Markup, excerpt, shown};
use super::detail::COVERS;
use super::effect::EffectView;
use super::quorum::{missing_after_of, seats_missing_of, words};
use super::timeline::{Moment, quoted, said};
use super::when::When;
use crate::model::{Grant, GrantState, Holder, Principal, RequestId, Scope, Verdict, duration};

/// What a row shows.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a word or a form on the row that is there or not"
)]
pub(in crate::console) struct GrantView {
    pub(in crate::console) id: RequestId,
    /// The name of the state, also of the style sheet's class.
    pub(in crate::console) state: &'static str,
    pub(in crate::console) effect: EffectView,
    /// What a standing approval is for; `None` for a time window.
    pub(in crate::console) example: Option<Example>,
    pub(in crate::console) holder: Markup,
    /// Whether it is for the members of the group that `holder` names.
    pub(in crate::console) is_group: bool,
    /// Whether the viewer holds it, alone or with others.
    pub(in crate::console) is_own: bool,
    pub(in crate::console) database: Markup,
    pub(in crate::console) asked_by: Markup,
    pub(in crate::console) justification: Option<Markup>,
    pub(in crate::console) ticket: Option<Markup>,
    pub(in crate::console) rule: Markup,
    /// As it is written: `1h30m`.
    pub(in crate::console) length: String,
    pub(in crate::console) times: Option<u32>,
    pub(in crate::console) max_rows: Option<u32>,
    pub(in crate::console) used: u32,
    pub(in crate::console) asked: When,
    pub(in crate::console) expires: When,
    /// Until when it counts, while it does.
    pub(in crate::console) ends: Option<When>,
    pub(in crate::console) settled: Option<When>,
    /// Who it still waits for, in words; empty where it does not.
    pub(in crate::console) waits_for: String,
    /// Who would still be missing after the viewer approved, in words.
    pub(in crate::console) missing_after: Option<String>,
    pub(in crate::console) approvers: Vec<Markup>,
    pub(in crate::console) is_pending: bool,
    pub(in crate::console) can_decide: bool,
    pub(in crate::console) can_end: bool,
    pub(in crate::console) timeline: Vec<Moment>,
}

/// The statement that others may be like.
#[derive(Debug)]
pub(in crate::console) struct Example {
    pub(in crate::console) command: Markup,
    pub(in crate::console) excerpt: Markup,
    pub(in crate::console) has_more: bool,
    pub(in crate::console) lines: usize,
    pub(in crate::console) request: RequestId,
    /// What is like it, in words.
    pub(in crate::console) covers: &'static str,
}

impl GrantView {
    /// As `viewer` sees it, who may decide on it or take it back, or not.
    pub(in crate::console) fn of(grant: &Grant, viewer: &Principal, can_decide: bool, can_end: bool) -> Self {
        let asked = &grant.asked;
        let (effect, example) = match &asked.scope {
            Scope::Window { up_to } => (*up_to, None),
            Scope::Shape {
                effect,
                command,
                statement,
                request,
                ..
            } => {
                let (excerpt, has_more) = excerpt(statement);
                let example = Example {
                    command: shown(command),
                    excerpt,
                    has_more,
                    lines: statement.trim().lines().count(),
                    request: *request,
                    covers: COVERS,
                };
                (*effect, Some(example))
            }
        };
        let (holder, is_group) = match &asked.holder {
            Holder::User(name) => (name, false),
            Holder::Group(name) => (name, true),
        };
        let is_pending = grant.state == GrantState::Pending;
        let approvals = grant
            .reviews
            .iter()
            .filter(|review| review.verdict == Verdict::Approve && !review.is_lapsed());
        let seats = seats_missing_of(grant);
        Self {
            id: asked.id,
            state: grant.state.as_str(),
            effect: EffectView::of(effect),
            example,
            holder: shown(holder),
            is_group,
            is_own: grant.is_held_by(&viewer.name, &viewer.groups),
            database: shown(&asked.database),
            asked_by: shown(&asked.asked_by),
            justification: asked.justification.as_deref().map(shown),
            ticket: asked.ticket.as_deref().map(shown),
            rule: shown(&asked.rule),
            length: duration::format(asked.length),
            times: asked.times,
            max_rows: asked.max_rows,
            used: grant.used,
            asked: When::ago(asked.created_at),
            expires: When::until(asked.expires_at),
            ends: grant
                .span
                .filter(|_| grant.state == GrantState::Active)
                .map(|(_, to)| When::until(to)),
            settled: grant.settled_at.map(When::ago),
            waits_for: if is_pending { words(&seats) } else { String::new() },
            missing_after: missing_after_of(grant, viewer),
            approvers: approvals.map(|review| shown(&review.reviewer)).collect(),
            is_pending,
            can_decide,
            can_end,
            timeline: timeline(grant),
        }
    }
}

/// Everything that happened, oldest first.
fn timeline(grant: &Grant) -> Vec<Moment> {
    let asked = &grant.asked;
    let first = Moment {
        class: "held",
        what: shown(&format!("{} asked for it", asked.asked_by)),
        quote: asked.justification.as_deref().and_then(quoted),
        when: Some(When::at(asked.created_at)),
        link: None,
    };
    let mut moments = vec![first];
    let holder = match &asked.holder {
        Holder::User(name) => name.as_str(),
        Holder::Group(_) => "",
    };
    moments.extend(said(&grant.reviews, holder));
    if let Some((from, to)) = grant.span {
        moments.push(Moment {
            class: "approved",
            what: shown(&format!(
                "It counts until {}",
                to.strftime("%Y-%m-%d %H:%M:%S UTC")
            )),
            quote: None,
            when: Some(When::at(from)),
            link: None,
        });
    }
    moments.extend(last_moment(grant));
    moments
}

fn last_moment(grant: &Grant) -> Option<Moment> {
    let by = grant.settled_by.as_deref().unwrap_or("somebody");
    let (class, what) = match grant.state {
        GrantState::Pending | GrantState::Active | GrantState::Rejected => return None,
        GrantState::Expired => ("expired", "Expired: nobody decided in time".to_owned()),
        GrantState::Withdrawn => ("withdrawn", format!("{by} took it back")),
        GrantState::Revoked => ("reject", format!("{by} ended it")),
        GrantState::Ended if grant.asked.times == Some(grant.used) => {
            ("ended", "Ended: it was used as often as it may be".to_owned())
        }
        GrantState::Ended => ("ended", "Ended: its time is over".to_owned()),
    };
    Some(Moment {
        class,
        what: shown(&what),
        quote: grant.note.as_deref().and_then(quoted),
        when: grant.settled_at.map(When::at),
        link: None,
    })
}
