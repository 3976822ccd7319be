//! Approving and rejecting, for the pages and the API alike: what is checked and what is answered.

use super::ConsoleState;
use super::fault::Fault;
use super::view::settled_sentence;
use crate::approval::{DecideError, EditError};
use crate::model::{HeldRequest, Principal, RequestId, Verdict};

/// The longest comment or reason, in characters.
pub(super) const COMMENT_LIMIT: usize = 4000;

/// Records a verdict. Cancel-safe: dropped half way, it was recorded whole or not at all.
pub(super) async fn decide(
    state: &ConsoleState,
    id: &str,
    by: &Principal,
    verdict: Verdict,
    comment: &str,
    seen: usize,
) -> Result<HeldRequest, Fault> {
    let id: RequestId = id.parse().map_err(|_| Fault::no_such_request())?;
    check_comment(verdict, comment)?;
    match state.broker.decide_seen(id, by, verdict, comment, seen).await {
        Ok(request) => {
            tracing::info!(
                request.id = %id,
                request.state = request.state.kind().as_str(),
                user.name = by.name,
                verdict = ?verdict,
                "a verdict was recorded"
            );
            Ok(request)
        }
        Err(error) => Err(refusal(state, id, by, verdict, error).await),
    }
}

/// Changes the statement of a request that waits, and approves it so.
pub(super) async fn edit(
    state: &ConsoleState,
    id: &str,
    by: &Principal,
    change: &Change<'_>,
) -> Result<HeldRequest, Fault> {
    let id: RequestId = id.parse().map_err(|_| Fault::no_such_request())?;
    check_text("comment", change.comment)?;
    // Lists have it whole, however long what was asked is.
    if change.statement.len() > super::BODY_LIMIT {
        return Err(Fault::invalid(format!(
            "The statement has {} bytes; {} is the most.",
            change.statement.len(),
            super::BODY_LIMIT
        )));
    }
    let edited = state
        .broker
        .edit(id, by, change.statement, change.comment, change.seen)
        .await;
    match edited {
        Ok(request) => {
            tracing::info!(request.id = %id, user.name = by.name, "a statement was changed by an approver");
            Ok(request)
        }
        Err(EditError::Unfit(why)) => Err(Fault::invalid(format!("The statement cannot run so: {why}."))),
        Err(EditError::NotHere) => Err(Fault::settled(
            "The session that waits for this is not connected to this proxy; nothing was changed.",
        )),
        Err(EditError::Elsewhere(console)) => Err(Fault::settled(format!(
            "The proxy that holds the session, {console}, has not answered in time. Nothing was changed; try again, \
             or change the statement there."
        ))),
        Err(EditError::TooSlow) => Err(Fault::unavailable(
            "The server has not said in time whether the statement can run so. Nothing was changed; try again.",
        )),
        Err(EditError::Decide(error)) => Err(refusal(state, id, by, Verdict::Approve, error).await),
    }
}

/// What an approver makes of a statement.
pub(super) struct Change<'a> {
    pub(super) statement: &'a str,
    pub(super) comment: &'a str,
    /// How often it had been changed when they looked at it.
    pub(super) seen: usize,
}

/// Records what somebody says afterwards of a request that ran because the glass was broken; an approval accepts it.
pub(super) async fn review(
    state: &ConsoleState,
    id: &str,
    by: &Principal,
    verdict: Verdict,
    comment: &str,
) -> Result<HeldRequest, Fault> {
    let id: RequestId = id.parse().map_err(|_| Fault::no_such_request())?;
    check_text("comment", comment)?;
    match state.broker.follow_up(id, by, verdict, comment).await {
        Ok(request) => {
            tracing::info!(request.id = %id, user.name = by.name, ?verdict, "a broken glass was looked at");
            Ok(request)
        }
        Err(DecideError::NotEntitled { groups }) => Err(Fault::forbidden(format!(
            "Only a member of {} is to look at this. Nothing was changed.",
            groups.join(" or ")
        ))),
        Err(DecideError::OwnRequest) => Err(Fault::forbidden(
            "Who broke the glass is not who looks at it; somebody else has to. Nothing was changed.",
        )),
        Err(DecideError::ReasonRequired) => {
            Err(Fault::invalid("Say what you object to: the requester reads it."))
        }
        Err(DecideError::AlreadySettled(_)) => Err(Fault::settled(
            "This did not run because the glass was broken; there is nothing to look at afterwards.",
        )),
        Err(DecideError::AlreadyReviewed) => Err(Fault::settled(
            "Somebody has looked at this already. Nothing was changed.",
        )),
        Err(error @ (DecideError::NotFound | DecideError::Changed | DecideError::Store(_))) => {
            Err(refusal(state, id, by, verdict, error).await)
        }
    }
}

/// The request, if it exists and this person may see it; a fault otherwise.
pub(super) async fn visible(state: &ConsoleState, id: &str, by: &Principal) -> Result<HeldRequest, Fault> {
    let id: RequestId = id.parse().map_err(|_| Fault::no_such_request())?;
    state
        .broker
        .request(id, by)
        .await?
        .ok_or_else(Fault::no_such_request)
}

fn check_comment(verdict: Verdict, comment: &str) -> Result<(), Fault> {
    let field = match verdict {
        Verdict::Approve => "comment",
        Verdict::Reject => "reason",
    };
    check_text(field, comment)
}

/// Refuses what is too long, or cannot be shown again.
pub(super) fn check_text(field: &str, text: &str) -> Result<(), Fault> {
    let length = text.chars().count();
    if length > COMMENT_LIMIT {
        return Err(Fault::invalid(format!(
            "\"{field}\" has {length} characters; {COMMENT_LIMIT} is the most."
        )));
    }
    // The text goes out again in protocol messages that end at a zero byte, and to terminals.
    if let Some(c) = text
        .chars()
        .find(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
    {
        return Err(Fault::invalid(format!(
            "\"{field}\" contains the control character U+{:04X}; leave it out.",
            u32::from(c)
        )));
    }
    Ok(())
}

async fn refusal(
    state: &ConsoleState,
    id: RequestId,
    by: &Principal,
    verdict: Verdict,
    error: DecideError,
) -> Fault {
    match error {
        DecideError::NotFound => Fault::no_such_request(),
        DecideError::NotEntitled { groups } if groups.is_empty() => {
            Fault::settled("Policy denied this statement; nobody decides on it.")
        }
        DecideError::NotEntitled { groups } => Fault::forbidden(format!(
            "Only a member of {} can decide on this request. Nothing was changed.",
            groups.join(" or ")
        )),
        DecideError::OwnRequest => Fault::forbidden(
            "Nobody decides on their own request here; somebody else of its groups has to. Nothing was changed.",
        ),
        DecideError::ReasonRequired => {
            Fault::invalid("A reason is required to reject: the requester reads it.")
        }
        DecideError::AlreadySettled(kind) => match state.broker.request(id, by).await {
            Ok(Some(request)) => Fault::settled(format!(
                "{} Your {} changed nothing.",
                settled_sentence(&request, by),
                match verdict {
                    Verdict::Approve => "approval",
                    Verdict::Reject => "rejection",
                }
            )),
            Ok(None) => Fault::settled(format!("The request is {} already.", kind.as_str())),
            Err(error) => error.into(),
        },
        DecideError::AlreadyReviewed => Fault::reviewed(
            "You have approved this request before; it waits for others. Nothing was changed.",
        ),
        DecideError::Changed => Fault::changed(),
        DecideError::Store(error) => error.into(),
    }
}
