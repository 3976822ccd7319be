//! The forms on a request's page.

use std::borrow::Cow;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::super::ConsoleState;
use super::super::decision::{self, Change, decide};
use super::super::fault::Fault;
use super::form::SignedForm;
use super::frame::FaultTemplate;
use super::request::{Draft, render};
use super::visitor::Visitor;
use super::{FaultPage, PagePath};
use crate::model::{HeldRequest, Verdict};

/// The fields of an approval.
#[derive(Debug, Deserialize)]
pub(super) struct Approval {
    #[serde(default)]
    comment: String,
    /// How often the statement had been changed when the page was made.
    #[serde(default)]
    edits: String,
}

/// The fields of a change.
#[derive(Debug, Deserialize)]
pub(super) struct Edition {
    statement: String,
    #[serde(default)]
    comment: String,
    #[serde(default)]
    edits: String,
}

/// The fields of a rejection.
#[derive(Debug, Deserialize)]
pub(super) struct Rejection {
    #[serde(default)]
    reason: String,
}

/// Approves in the visitor's name.
pub(super) async fn approve(
    State(state): State<ConsoleState>,
    PagePath(id): PagePath<String>,
    SignedForm { visitor, fields }: SignedForm<Approval>,
) -> Result<Response, FaultPage> {
    let seen = fields.edits.parse().unwrap_or(0);
    submit(&state, &visitor, &id, Verdict::Approve, fields.comment, seen).await
}

/// Rejects in the visitor's name.
pub(super) async fn reject(
    State(state): State<ConsoleState>,
    PagePath(id): PagePath<String>,
    SignedForm { visitor, fields }: SignedForm<Rejection>,
) -> Result<Response, FaultPage> {
    submit(&state, &visitor, &id, Verdict::Reject, fields.reason, 0).await
}

/// Changes the statement, and approves it so in the visitor's name.
pub(super) async fn edit(
    State(state): State<ConsoleState>,
    PagePath(id): PagePath<String>,
    SignedForm { visitor, fields }: SignedForm<Edition>,
) -> Result<Response, FaultPage> {
    let request = decision::visible(&state, &id, &visitor.principal).await?;
    let statement = with_line_ends_of(request.statement(), &fields.statement);
    let change = Change {
        statement: &statement,
        comment: &fields.comment,
        seen: fields.edits.parse().unwrap_or(0),
    };
    let done = decision::edit(&state, &id, &visitor.principal, &change).await;
    answer(&state, &visitor, &id, done, |why| Draft {
        statement: Some(fields.statement.clone()),
        statement_fault: Some(why.detail().to_owned()),
        edit_comment: fields.comment.clone(),
        ..Draft::default()
    })
    .await
}

/// Browsers end every line of a form as in mail (CR LF): those of a statement stay so only where all of its lines ended so.
fn with_line_ends_of<'t>(shown: &str, sent: &'t str) -> Cow<'t, str> {
    let ends = |line_end| shown.matches(line_end).count();
    if ends("\r\n") > 0 && ends("\r\n") == ends("\n") {
        Cow::Borrowed(sent)
    } else {
        Cow::Owned(sent.replace("\r\n", "\n"))
    }
}

/// The fields of what is said after the glass was broken.
#[derive(Debug, Deserialize)]
pub(super) struct Followup {
    verdict: Word,
    #[serde(default)]
    comment: String,
}

/// Which of the two buttons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Accept,
    Object,
}

/// Says whether what ran was right, in the visitor's name.
pub(super) async fn review(
    State(state): State<ConsoleState>,
    PagePath(id): PagePath<String>,
    SignedForm { visitor, fields }: SignedForm<Followup>,
) -> Result<Response, FaultPage> {
    let verdict = match fields.verdict {
        Word::Accept => Verdict::Approve,
        Word::Object => Verdict::Reject,
    };
    let done = decision::review(&state, &id, &visitor.principal, verdict, &fields.comment).await;
    // There is one field for both words.
    answer(&state, &visitor, &id, done, |why| {
        Draft::refused(Verdict::Approve, fields.comment, why)
    })
    .await
}

/// Back to the page; on a mistake in the form with the form as it was filled in.
async fn submit(
    state: &ConsoleState,
    visitor: &Visitor,
    id: &str,
    verdict: Verdict,
    text: String,
    seen: usize,
) -> Result<Response, FaultPage> {
    let done = decide(state, id, &visitor.principal, verdict, &text, seen).await;
    answer(state, visitor, id, done, |why| Draft::refused(verdict, text, why)).await
}

async fn answer(
    state: &ConsoleState,
    visitor: &Visitor,
    id: &str,
    done: Result<HeldRequest, Fault>,
    draft: impl FnOnce(&Fault) -> Draft,
) -> Result<Response, FaultPage> {
    match done {
        Ok(request) => Ok(Redirect::to(&format!("/requests/{}", request.asked.id)).into_response()),
        Err(fault) if fault.is_invalid() => {
            let request = decision::visible(state, id, &visitor.principal).await?;
            let page = render(state, visitor, &request, draft(&fault)).await?;
            Ok(fault.respond(page))
        }
        Err(fault) => {
            // Where the visitor can see the request, its page says how it stands.
            let request = decision::visible(state, id, &visitor.principal).await.ok();
            let way_on =
                request.map(|request| (format!("/requests/{}", request.asked.id), "See the request"));
            Ok(fault.respond(FaultTemplate::of(&fault, way_on)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_as_they_did() {
        for (shown, sent, taken) in [
            ("DELETE\nFROM t", "DELETE\r\nFROM u", "DELETE\nFROM u"),
            ("DELETE\r\nFROM t", "DELETE\r\nFROM u", "DELETE\r\nFROM u"),
            ("DELETE\r\nFROM\nt", "DELETE\r\nFROM\r\nu", "DELETE\nFROM\nu"),
            ("DELETE FROM t", "DELETE\r\nFROM u", "DELETE\nFROM u"),
        ] {
            assert_eq!(with_line_ends_of(shown, sent), taken, "{shown:?}");
        }
    }
}
