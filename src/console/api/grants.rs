//! `/grants`: time windows that people ask for. `/standing-approvals`: what is allowed beforehand. Both are grants,
//! and what is done with one is done with the other; each has its own way to come into being.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};

use super::super::ConsoleState;
use super::super::fault::{Fault, Problem};
use super::super::grants::{self, Allowance, Wish};
use super::caller::Caller;
use super::grant_query::GrantQuery;
use super::grant_shape::GrantBody;
use super::json_body::JsonBody;
use super::url_path::UrlPath;
use crate::model::{Grant, GrantKind, Holder, Principal, RequestId, Verdict};
use crate::store::GrantFilter;

/// What somebody asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Asked {
    database: String,
    up_to: String,
    length: String,
    reason: String,
    ticket: Option<String>,
}

/// What somebody allows.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Allowed {
    request: String,
    holder: Option<Whose>,
    length: String,
    times: Option<u32>,
    max_rows: Option<u32>,
    reason: String,
}

/// Whose statements: a user's, or those of a group's members.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    user: Option<String>,
    group: Option<String>,
}

impl Whose {
    fn read(self) -> Result<Holder, Fault> {
        match (self.user, self.group) {
            (Some(name), None) => Ok(Holder::User(name)),
            (None, Some(name)) => Ok(Holder::Group(name)),
            _ => Err(Fault::invalid(
                "\"holder\" is {\"user\": \"…\"} or {\"group\": \"…\"}: one of the two.",
            )),
        }
    }
}

/// The body of an approval.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Approval {
    length: Option<String>,
    comment: String,
}

/// The body of a rejection, and of an end.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Why {
    reason: String,
}

/// A page of windows, newest first.
#[derive(Debug, Serialize)]
pub(super) struct GrantList {
    grants: Vec<GrantBody>,
    /// The value of `before` for the next page, if there is one.
    next: Option<RequestId>,
}

/// A page of standing approvals, newest first.
#[derive(Debug, Serialize)]
pub(super) struct StandingList {
    standing_approvals: Vec<GrantBody>,
    /// The value of `before` for the next page, if there is one.
    next: Option<RequestId>,
}

type Answer = Result<Json<GrantBody>, Problem>;

/// Lists windows that the caller may see.
pub(super) async fn windows(
    State(state): State<ConsoleState>,
    Caller(caller): Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<GrantList>, Problem> {
    let (grants, next) = page(&state, caller, query, GrantKind::Window).await?;
    Ok(Json(GrantList { grants, next }))
}

/// Lists standing approvals that the caller may see.
pub(super) async fn standing(
    State(state): State<ConsoleState>,
    Caller(caller): Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<StandingList>, Problem> {
    let (standing_approvals, next) = page(&state, caller, query, GrantKind::Shape).await?;
    Ok(Json(StandingList {
        standing_approvals,
        next,
    }))
}

/// Asks for a window.
pub(super) async fn ask(
    State(state): State<ConsoleState>,
    Caller(caller): Caller,
    JsonBody(body): JsonBody<Asked>,
) -> Result<impl IntoResponse, Problem> {
    let wish = Wish {
        database: &body.database,
        up_to: &body.up_to,
        length: &body.length,
        reason: &body.reason,
        ticket: body.ticket.as_deref(),
    };
    let grant = grants::ask(&state, &caller, wish).await?;
    Ok(created(grant, &state))
}

/// Allows statements like a request's.
pub(super) async fn allow(
    State(state): State<ConsoleState>,
    Caller(caller): Caller,
    JsonBody(body): JsonBody<Allowed>,
) -> Result<impl IntoResponse, Problem> {
    let allowance = Allowance {
        request: &body.request,
        holder: body.holder.map(Whose::read).transpose()?,
        length: &body.length,
        times: body.times,
        max_rows: body.max_rows,
        reason: &body.reason,
    };
    let grant = grants::allow(&state, &caller, allowance).await?;
    Ok(created(grant, &state))
}

/// Shows one window.
pub(super) async fn window(
    State(state): State<ConsoleState>,
    Caller(caller): Caller,
    UrlPath(id): UrlPath<String>,
) -> Answer {
    show(&state, &caller, &id, GrantKind::Window).await
}

/// Shows one standing approval.
pub(super) async fn standing_one(
    State(state): State<ConsoleState>,
    Caller(caller): Caller,
    UrlPath(id): UrlPath<String>,
) -> Answer {
    show(&state, &caller, &id, GrantKind::Shape).await
}

/// Approves a window.
pub(super) async fn approve_window(
    State(state): State<ConsoleState>,
    Caller(caller): Caller,
    UrlPath(id): UrlPath<String>,
    JsonBody(body): JsonBody<Approval>,
) -> Answer {
    approve(&state, &caller, &id, GrantKind::Window, &body).await
}

/// Approves a standing approval that waits for others than who gave it.
pub(super) async fn approve_standing(
    State(state): State<ConsoleState>,
    Caller(caller): Caller,
    UrlPath(id): UrlPath<String>,
    JsonBody(body): JsonBody<Approval>,
) -> Answer {
    approve(&state, &caller, &id, GrantKind::Shape, &body).await
}

/// Rejects a window.
pub(super) async fn reject_window(
    State(state): State<ConsoleState>,
    Caller(caller): Caller,
    UrlPath(id): UrlPath<String>,
    JsonBody(body): JsonBody<Why>,
) -> Answer {
    reject(&state, &caller, &id, GrantKind::Window, &body).await
}

/// Rejects a standing approval.
pub(super) async fn reject_standing(
    State(state): State<ConsoleState>,
    Caller(caller): Caller,
    UrlPath(id): UrlPath<String>,
    JsonBody(body): JsonBody<Why>,
) -> Answer {
    reject(&state, &caller, &id, GrantKind::Shape, &body).await
}

/// Withdraws or revokes a window.
pub(super) async fn end_window(
    State(state): State<ConsoleState>,
    Caller(caller): Caller,
    UrlPath(id): UrlPath<String>,
    JsonBody(body): JsonBody<Why>,
) -> Answer {
    end(&state, &caller, &id, GrantKind::Window, &body).await
}

/// Withdraws or revokes a standing approval.
pub(super) async fn end_standing(
    State(state): State<ConsoleState>,
    Caller(caller): Caller,
    UrlPath(id): UrlPath<String>,
    JsonBody(body): JsonBody<Why>,
) -> Answer {
    end(&state, &caller, &id, GrantKind::Shape, &body).await
}

async fn page(
    state: &ConsoleState,
    caller: Principal,
    query: Option<String>,
    kind: GrantKind,
) -> Result<(Vec<GrantBody>, Option<RequestId>), Problem> {
    let query = GrantQuery::parse(query.as_deref().unwrap_or_default())?;
    let page = query.limit as usize;
    let filter = GrantFilter {
        kind: Some(kind),
        states: query.states,
        visible_to: Some(caller),
        before: query.before,
        // One more tells whether there is another page.
        limit: query.limit + 1,
    };
    let mut grants = state.broker.grants(filter).await?;
    let has_more = grants.len() > page;
    grants.truncate(page);
    let next = grants.last().filter(|_| has_more).map(|last| last.asked.id);
    let bodies = grants.into_iter().map(|grant| GrantBody::of(grant, state));
    Ok((bodies.collect(), next))
}

fn created(grant: Grant, state: &ConsoleState) -> impl IntoResponse + use<> {
    let of = match grant.asked.scope.kind() {
        GrantKind::Window => "grants",
        GrantKind::Shape => "standing-approvals",
    };
    let place = format!("/api/v1/{of}/{}", grant.asked.id);
    let body = Json(GrantBody::of(grant, state));
    (StatusCode::CREATED, [(header::LOCATION, place)], body)
}

async fn show(state: &ConsoleState, caller: &Principal, id: &str, kind: GrantKind) -> Answer {
    let grant = grants::visible(state, id, Some(kind), caller).await?;
    Ok(Json(GrantBody::of(grant, state)))
}

async fn approve(
    state: &ConsoleState,
    caller: &Principal,
    id: &str,
    kind: GrantKind,
    body: &Approval,
) -> Answer {
    let grant = grants::visible(state, id, Some(kind), caller).await?;
    let length = body.length.as_deref();
    let grant = grants::decide(state, &grant, caller, Verdict::Approve, length, &body.comment).await?;
    Ok(Json(GrantBody::of(grant, state)))
}

async fn reject(state: &ConsoleState, caller: &Principal, id: &str, kind: GrantKind, body: &Why) -> Answer {
    let grant = grants::visible(state, id, Some(kind), caller).await?;
    let grant = grants::decide(state, &grant, caller, Verdict::Reject, None, &body.reason).await?;
    Ok(Json(GrantBody::of(grant, state)))
}

async fn end(state: &ConsoleState, caller: &Principal, id: &str, kind: GrantKind, body: &Why) -> Answer {
    let grant = grants::visible(state, id, Some(kind), caller).await?;
    let grant = grants::end(state, &grant, caller, &body.reason).await?;
    Ok(Json(GrantBody::of(grant, state)))
}
