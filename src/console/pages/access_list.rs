//! `/access`: time windows and standing approvals, those that wait, count, and have ended; and each by itself.

use askama::Template;
use askama_web::WebTemplate;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::super::ConsoleState;
use super::super::decision::COMMENT_LIMIT;
use super::super::fault::Fault;
use super::super::grants::{self, Askable};
use super::super::view::GrantView;
use super::frame::{Frame, Place};
use super::visitor::Visitor;
use super::{FaultPage, PagePath};
use crate::model::{Effect, Grant, GrantState, Principal, Scope};
use crate::store::{GrantFilter, StoreError};

/// Rows shown of what waits and counts; the oldest of more are left out, and the page says so.
const SHOWN: u32 = 200;
/// Rows shown of what has ended.
const SETTLED: u32 = 20;

#[derive(Template, WebTemplate)]
#[template(path = "access.html")]
struct AccessPage {
    frame: Frame,
    csrf: String,
    /// The viewer can decide on these; longest waiting first.
    yours: Vec<GrantView>,
    /// Others decide on these.
    others: Vec<GrantView>,
    /// They count; what ends first comes first.
    active: Vec<GrantView>,
    settled: Vec<GrantView>,
    is_cut: bool,
    askable: Askable,
    wish: Wish,
    comment_limit: usize,
    /// Where the forms of a row lead back to.
    here: &'static str,
}

#[derive(Template, WebTemplate)]
#[template(path = "grant.html")]
struct GrantPage {
    frame: Frame,
    csrf: String,
    grant: GrantView,
    /// Whether the viewer may see the request that it is from.
    has_request: bool,
    fault: Option<String>,
    comment_limit: usize,
    here: String,
}

/// What was typed into the form that asks, and what is wrong about it.
#[derive(Debug, Default)]
pub(super) struct Wish {
    pub(super) database: String,
    pub(super) up_to: String,
    pub(super) length: String,
    pub(super) reason: String,
    pub(super) ticket: String,
    pub(super) fault: Option<String>,
}

/// The page.
pub(super) async fn page(
    State(state): State<ConsoleState>,
    visitor: Visitor,
) -> Result<impl IntoResponse, FaultPage> {
    let wish = Wish {
        up_to: Effect::Write.to_string(),
        length: "1h".to_owned(),
        ..Wish::default()
    };
    Ok(load(&state, &visitor, wish).await?)
}

/// The page, with a wish in its form.
pub(super) async fn load(
    state: &ConsoleState,
    visitor: &Visitor,
    wish: Wish,
) -> Result<impl IntoResponse + use<>, Fault> {
    let by = &visitor.principal;
    let filter = |states: Vec<GrantState>, limit| GrantFilter {
        states,
        visible_to: Some(by.clone()),
        limit,
        ..GrantFilter::default()
    };
    let open = filter(vec![GrantState::Pending, GrantState::Active], SHOWN + 1);
    let mut open = state.broker.grants(open).await?;
    let is_cut = open.len() > SHOWN as usize;
    open.truncate(SHOWN as usize);
    // The store gives the newest first; who waits longest comes first here.
    open.reverse();
    let (waiting, mut active): (Vec<Grant>, Vec<Grant>) = open
        .into_iter()
        .partition(|grant| grant.state == GrantState::Pending);
    active.sort_by_key(|grant| grant.span.map(|(_, to)| to));
    let (yours, others): (Vec<GrantView>, Vec<GrantView>) = waiting
        .iter()
        .map(|grant| view(state, by, grant))
        .partition(|grant| grant.can_decide);
    let mut settled = GrantState::ALL.to_vec();
    settled.retain(|state| !matches!(state, GrantState::Pending | GrantState::Active));
    let settled = state.broker.grants(filter(settled, SETTLED)).await?;
    let views = |grants: &[Grant]| grants.iter().map(|grant| view(state, by, grant)).collect();
    Ok(AccessPage {
        frame: Frame::of(visitor, Place::Access, state),
        csrf: visitor.session.csrf.clone(),
        yours,
        others,
        active: views(&active),
        settled: views(&settled),
        is_cut,
        askable: grants::askable(state, by),
        wish,
        comment_limit: COMMENT_LIMIT,
        here: "/access",
    })
}

/// One by itself.
pub(super) async fn one(
    State(state): State<ConsoleState>,
    visitor: Visitor,
    PagePath(id): PagePath<String>,
) -> Result<Response, FaultPage> {
    let grant = grants::visible(&state, &id, None, &visitor.principal).await?;
    let page = render(&state, &visitor, &grant, None).await?;
    Ok(page.into_response())
}

/// The page of a grant, with why the last form changed nothing.
pub(super) async fn render(
    state: &ConsoleState,
    visitor: &Visitor,
    grant: &Grant,
    fault: Option<String>,
) -> Result<impl IntoResponse + use<>, StoreError> {
    Ok(GrantPage {
        frame: Frame::of(visitor, Place::Access, state),
        csrf: visitor.session.csrf.clone(),
        here: format!("/access/{}", grant.asked.id),
        grant: view(state, &visitor.principal, grant),
        has_request: has_request(state, &visitor.principal, grant).await?,
        fault,
        comment_limit: COMMENT_LIMIT,
    })
}

/// Whether `by` may see the request that a standing approval is from: not everybody whom it is for may.
async fn has_request(state: &ConsoleState, by: &Principal, grant: &Grant) -> Result<bool, StoreError> {
    match &grant.asked.scope {
        Scope::Shape { request, .. } => Ok(state.broker.request(*request, by).await?.is_some()),
        Scope::Window { .. } => Ok(false),
    }
}

fn view(state: &ConsoleState, by: &Principal, grant: &Grant) -> GrantView {
    let can_decide = state.broker.may_decide_grant(grant, by);
    let can_end = state.broker.may_end_grant(grant, by);
    GrantView::of(grant, by, can_decide, can_end)
}
