//! `/requests/{id}`: one request with everything that helps to decide.

use askama::Template;
use askama_web::WebTemplate;
use axum::extract::{RawQuery, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use jiff::SignedDuration;

use super::super::ConsoleState;
use super::super::decision::{self, COMMENT_LIMIT};
use super::super::fault::Fault;
use super::super::view::Context;
use super::super::view::{Detail, Live, Ways};
use super::frame::{Frame, Place};
use super::visitor::Visitor;
use super::{FaultPage, PagePath};
use crate::model::{HeldRequest, Verdict};
use crate::store::RequestFilter;

/// How many requests of the same shape are counted.
const LOOKED_BACK: u32 = 100;
/// How many others are listed.
const SHOWN_EACH: u32 = 5;
/// How far back the requester's other requests are looked for.
const RECENTLY: SignedDuration = SignedDuration::from_hours(1);

/// What was typed into the forms and is shown again, with what is wrong about it.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) comment: String,
    pub(super) reason: String,
    /// The statement as somebody would have it.
    pub(super) statement: Option<String>,
    pub(super) statement_fault: Option<String>,
    /// Why they would: a field of its own, for the form that approves it as it is has a comment, too.
    pub(super) edit_comment: String,
    pub(super) comment_fault: Option<String>,
    pub(super) reason_fault: Option<String>,
    /// The fields of the form that allows beforehand.
    pub(super) length: String,
    pub(super) times: String,
    pub(super) max_rows: String,
    pub(super) group: String,
    pub(super) allow_reason: String,
    pub(super) allow_fault: Option<String>,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            comment: String::new(),
            reason: String::new(),
            statement: None,
            statement_fault: None,
            edit_comment: String::new(),
            comment_fault: None,
            reason_fault: None,
            length: "8h".to_owned(),
            times: String::new(),
            max_rows: String::new(),
            group: String::new(),
            allow_reason: String::new(),
            allow_fault: None,
        }
    }
}

impl Draft {
    /// A text that was not taken.
    pub(super) fn refused(verdict: Verdict, text: String, why: &Fault) -> Self {
        let why = Some(why.detail().to_owned());
        match verdict {
            Verdict::Approve => Self {
                comment: text,
                comment_fault: why,
                ..Self::default()
            },
            Verdict::Reject => Self {
                reason: text,
                reason_fault: why,
                ..Self::default()
            },
        }
    }
}

#[derive(Template, WebTemplate)]
#[template(path = "request.html")]
struct RequestPage {
    frame: Frame,
    request: Detail,
    live: Live,
    context: Context,
    csrf: String,
    draft: Draft,
    /// How often the statement was changed that the page shows.
    seen: usize,
    comment_limit: usize,
}

/// The parts of the page that change while somebody looks at it.
#[derive(Template, WebTemplate)]
#[template(path = "request_live.html")]
struct RequestFragment {
    live: Live,
    csrf: String,
    draft: Draft,
    /// How often the statement was changed that the page shows.
    seen: usize,
    comment_limit: usize,
}

/// The page.
pub(super) async fn page(
    State(state): State<ConsoleState>,
    visitor: Visitor,
    PagePath(id): PagePath<String>,
) -> Result<Response, FaultPage> {
    let request = decision::visible(&state, &id, &visitor.principal).await?;
    let page = render(&state, &visitor, &request, Draft::default()).await?;
    Ok(page.into_response())
}

/// The page of a request, with a draft in its forms.
pub(super) async fn render(
    state: &ConsoleState,
    visitor: &Visitor,
    request: &HeldRequest,
    draft: Draft,
) -> Result<impl IntoResponse + use<>, FaultPage> {
    let (by, may) = (&visitor.principal, ways(state, visitor, request));
    Ok(RequestPage {
        context: context(state, visitor, request).await?,
        frame: Frame::of(visitor, Place::Elsewhere, state),
        request: Detail::of(request, by, may),
        live: Live::of(request, by, may),
        csrf: visitor.session.csrf.clone(),
        draft,
        seen: request.edits.len(),
        comment_limit: COMMENT_LIMIT,
    })
}

/// What changes, alone.
pub(super) async fn fragment(
    State(state): State<ConsoleState>,
    visitor: Visitor,
    PagePath(id): PagePath<String>,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, FaultPage> {
    let request = decision::visible(&state, &id, &visitor.principal).await?;
    // How often the statement was changed that the page around this shows: nobody decides on another here.
    let seen = query
        .as_deref()
        .and_then(|query| query.strip_prefix("edits="))
        .and_then(|number| number.parse().ok())
        .unwrap_or(request.edits.len());
    let may = ways(&state, &visitor, &request);
    Ok(RequestFragment {
        live: Live::of(&request, &visitor.principal, may),
        csrf: visitor.session.csrf.clone(),
        draft: Draft::default(),
        seen,
        comment_limit: COMMENT_LIMIT,
    })
}

/// The exact text, to keep or to look at in other tools.
pub(super) async fn statement(
    State(state): State<ConsoleState>,
    visitor: Visitor,
    PagePath(id): PagePath<String>,
) -> Result<impl IntoResponse, FaultPage> {
    let request = decision::visible(&state, &id, &visitor.principal).await?;
    let name = format!("attachment; filename=\"{}.sql\"", request.asked.id);
    Ok((
        [
            (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
            (header::CONTENT_DISPOSITION, name),
        ],
        request.statement().to_owned(),
    ))
}

/// What became of what is like it, and what else its requester asked, as far as the visitor may see that.
async fn context(
    state: &ConsoleState,
    visitor: &Visitor,
    request: &HeldRequest,
) -> Result<Context, FaultPage> {
    let asked = &request.asked;
    let filter = RequestFilter {
        database: Some(asked.origin.database.clone()),
        visible_to: Some(visitor.principal.clone()),
        limit: LOOKED_BACK,
        ..RequestFilter::default()
    };
    let alike = match asked.shape {
        Some(shape) => {
            let filter = RequestFilter {
                shape: Some(shape),
                ..filter.clone()
            };
            state.broker.requests(filter).await?
        }
        None => Vec::new(),
    };
    let recent = RequestFilter {
        user: Some(asked.origin.user.clone()),
        since: asked.created_at.checked_sub(RECENTLY).ok(),
        until: request.settled_at,
        limit: SHOWN_EACH + 1,
        ..filter
    };
    let recent = state.broker.requests(recent).await?;
    let others = |requests: Vec<HeldRequest>| -> Vec<HeldRequest> {
        requests
            .into_iter()
            .filter(|other| other.asked.id != asked.id)
            .collect()
    };
    Ok(Context::of(&others(alike), &others(recent), SHOWN_EACH as usize))
}

fn ways(state: &ConsoleState, visitor: &Visitor, request: &HeldRequest) -> Ways {
    let (broker, by) = (&state.broker, &visitor.principal);
    Ways {
        decide: broker.may_decide(request, by),
        follow_up: broker.may_follow_up(request, by),
        allow: broker.may_allow_like(request, by),
        limit_rows: broker.may_limit_rows(request),
    }
}
