//! The forms of `/access`, and the one on a request's page that allows beforehand.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::super::ConsoleState;
use super::super::decision;
use super::super::fault::Fault;
use super::super::grants::{self, Allowance};
use super::access_list::{Wish, load, render};
use super::form::SignedForm;
use super::frame::FaultTemplate;
use super::local_path::local_path;
use super::request::{self, Draft};
use super::visitor::Visitor;
use super::{FaultPage, PagePath};
use crate::model::{Grant, Holder, Verdict};

/// The fields of the form that asks.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    database: String,
    #[serde(default)]
    up_to: String,
    #[serde(default)]
    length: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    ticket: String,
}

/// The fields of the form that allows beforehand.
#[derive(Debug, Deserialize)]
pub(super) struct Allowed {
    #[serde(default)]
    length: String,
    #[serde(default)]
    times: String,
    #[serde(default)]
    max_rows: String,
    #[serde(default)]
    group: String,
    #[serde(default)]
    reason: String,
}

/// The fields of the forms on a row; each form has some.
#[derive(Debug, Deserialize)]
pub(super) struct Word {
    #[serde(default)]
    length: String,
    #[serde(default)]
    comment: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    next: String,
}

/// Asks for access in the visitor's name.
pub(super) async fn ask(
    State(state): State<ConsoleState>,
    SignedForm { visitor, fields }: SignedForm<Asked>,
) -> Result<Response, FaultPage> {
    let ticket = fields.ticket.trim();
    let wish = grants::Wish {
        database: &fields.database,
        up_to: &fields.up_to,
        length: &fields.length,
        reason: &fields.reason,
        ticket: (!ticket.is_empty()).then_some(ticket),
    };
    match grants::ask(&state, &visitor.principal, wish).await {
        Ok(_) => Ok(Redirect::to("/access").into_response()),
        Err(fault) if fault.status().is_client_error() => {
            let wish = Wish {
                database: fields.database,
                up_to: fields.up_to,
                length: fields.length,
                reason: fields.reason,
                ticket: fields.ticket,
                fault: Some(fault.detail().to_owned()),
            };
            let page = load(&state, &visitor, wish).await?;
            Ok(fault.respond(page))
        }
        Err(fault) => Err(FaultPage(fault)),
    }
}

/// Allows beforehand what is like a request, in the visitor's name.
pub(super) async fn allow(
    State(state): State<ConsoleState>,
    PagePath(id): PagePath<String>,
    SignedForm { visitor, fields }: SignedForm<Allowed>,
) -> Result<Response, FaultPage> {
    let fault = match allowed(&state, &visitor, &id, &fields).await {
        Ok(grant) => return Ok(Redirect::to(&format!("/access/{}", grant.asked.id)).into_response()),
        Err(fault) => fault,
    };
    let request = decision::visible(&state, &id, &visitor.principal).await?;
    if fault.is_invalid() || fault.status().as_u16() == 403 {
        let draft = Draft {
            length: fields.length,
            times: fields.times,
            max_rows: fields.max_rows,
            group: fields.group,
            allow_reason: fields.reason,
            allow_fault: Some(fault.detail().to_owned()),
            ..Draft::default()
        };
        return Ok(fault.respond(request::render(&state, &visitor, &request, draft).await?));
    }
    let way_on = (format!("/requests/{}", request.asked.id), "See the request");
    Ok(fault.respond(FaultTemplate::of(&fault, Some(way_on))))
}

async fn allowed(
    state: &ConsoleState,
    visitor: &Visitor,
    id: &str,
    fields: &Allowed,
) -> Result<Grant, Fault> {
    let times = read_number(&fields.times, "times")?;
    let max_rows = read_number(&fields.max_rows, "rows")?;
    let group = fields.group.trim();
    let allowance = Allowance {
        request: id,
        holder: (!group.is_empty()).then(|| Holder::Group(group.to_owned())),
        length: &fields.length,
        times,
        max_rows,
        reason: &fields.reason,
    };
    grants::allow(state, &visitor.principal, allowance).await
}

/// A number of these; `None` where the field is empty.
fn read_number(field: &str, of: &str) -> Result<Option<u32>, Fault> {
    match field.trim() {
        "" => Ok(None),
        number => number
            .parse()
            .map(Some)
            .map_err(|_| Fault::invalid(format!("\"{number}\" is no number of {of}: write it in digits."))),
    }
}

/// Approves in the visitor's name, as long as it was asked for or shorter.
pub(super) async fn approve(
    State(state): State<ConsoleState>,
    PagePath(id): PagePath<String>,
    SignedForm { visitor, fields }: SignedForm<Word>,
) -> Result<Response, FaultPage> {
    let by = &visitor.principal;
    let grant = grants::visible(&state, &id, None, by).await?;
    let length = Some(fields.length.trim()).filter(|length| !length.is_empty());
    let done = grants::decide(&state, &grant, by, Verdict::Approve, length, &fields.comment).await;
    back(&state, &visitor, &grant, done, &fields.next).await
}

/// Rejects in the visitor's name.
pub(super) async fn reject(
    State(state): State<ConsoleState>,
    PagePath(id): PagePath<String>,
    SignedForm { visitor, fields }: SignedForm<Word>,
) -> Result<Response, FaultPage> {
    let by = &visitor.principal;
    let grant = grants::visible(&state, &id, None, by).await?;
    let done = grants::decide(&state, &grant, by, Verdict::Reject, None, &fields.reason).await;
    back(&state, &visitor, &grant, done, &fields.next).await
}

/// Takes it back in the visitor's name.
pub(super) async fn end(
    State(state): State<ConsoleState>,
    PagePath(id): PagePath<String>,
    SignedForm { visitor, fields }: SignedForm<Word>,
) -> Result<Response, FaultPage> {
    let by = &visitor.principal;
    let grant = grants::visible(&state, &id, None, by).await?;
    let done = grants::end(&state, &grant, by, &fields.reason).await;
    back(&state, &visitor, &grant, done, &fields.next).await
}

/// Back to where the form was; on a mistake in it to the grant's own page, with what is wrong.
async fn back(
    state: &ConsoleState,
    visitor: &Visitor,
    grant: &Grant,
    done: Result<Grant, Fault>,
    next: &str,
) -> Result<Response, FaultPage> {
    let own = format!("/access/{}", grant.asked.id);
    Ok(match done {
        Ok(_) => {
            let next = Some(local_path(next)).filter(|path| *path == own);
            Redirect::to(next.unwrap_or("/access")).into_response()
        }
        Err(fault) if fault.is_invalid() => {
            let why = fault.detail().to_owned();
            let page = render(state, visitor, grant, Some(why)).await?;
            fault.respond(page)
        }
        Err(fault) => fault.respond(FaultTemplate::of(&fault, Some((own, "See how it stands")))),
    })
}
