//! A request as the API shows it.

use jiff::Timestamp;
use serde::Serialize;

use super::super::ConsoleState;
use super::super::view::{missing_groups, missing_seats};
use crate::model::{
    Basis, Earlier, Edit, Effect, HeldRequest, Outcome, Parameter, Quorum, RequestId, RequestState, Review,
    Seat, Shape, StateKind, TableAccess,
};

/// A request; the names of the fields are the API's.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "as the API has them")]
pub(super) struct RequestBody {
    id: RequestId,
    state: StateKind,
    database: String,
    user: String,
    groups: Vec<String>,
    quorum: Quorum,
    self_approval: bool,
    justification: Option<String>,
    ticket: Option<String>,
    shape: Option<Shape>,
    basis: Option<Basis>,
    followup: Option<Review>,
    edits: Vec<Edit>,
    application_name: String,
    client_addr: String,
    statement: String,
    parameters: Vec<Parameter>,
    /// A list gives no more than a part of it.
    is_cut: bool,
    command: String,
    effect: Effect,
    tables: Vec<TableAccess>,
    functions: Vec<String>,
    signals: Vec<String>,
    unfiltered: bool,
    in_transaction: bool,
    transaction_since: Option<Timestamp>,
    rule: String,
    earlier: Vec<Earlier>,
    created_at: Timestamp,
    expires_at: Timestamp,
    settled_at: Option<Timestamp>,
    reviews: Vec<Review>,
    missing_groups: Vec<String>,
    /// Seats of the quorum that are still free.
    missing: Vec<Seat>,
    /// Why it was withdrawn, abandoned or denied.
    reason: Option<String>,
    outcome: Option<Outcome>,
    url: String,
}

impl RequestBody {
    /// Shapes a request for whoever may see it.
    pub(super) fn of(request: HeldRequest, state: &ConsoleState) -> Self {
        let kind = request.state.kind();
        let missing_groups = missing_groups(&request);
        let missing = missing_seats(&request);
        let (reason, outcome) = match request.state {
            RequestState::Withdrawn(why) | RequestState::Abandoned(why) | RequestState::Denied(why) => {
                (Some(why), None)
            }
            RequestState::Executed(outcome) | RequestState::Failed(outcome) => (None, Some(outcome)),
            RequestState::Pending
            | RequestState::Approved
            | RequestState::Running
            | RequestState::Rejected
            | RequestState::Expired => (None, None),
        };
        let asked = request.asked;
        Self {
            id: asked.id,
            state: kind,
            database: asked.origin.database,
            user: asked.origin.user,
            groups: asked.quorum.groups(),
            quorum: asked.quorum,
            self_approval: asked.self_approval,
            justification: asked.justification,
            ticket: asked.ticket,
            shape: asked.shape,
            basis: request.basis,
            followup: request.followup,
            edits: request.edits,
            application_name: asked.origin.application_name,
            client_addr: asked.origin.client_addr,
            statement: asked.statement,
            parameters: asked.parameters,
            is_cut: request.is_cut,
            command: asked.command,
            effect: asked.effect,
            tables: asked.tables,
            functions: asked.functions,
            signals: asked.signals,
            unfiltered: asked.unfiltered,
            in_transaction: asked.origin.in_transaction,
            transaction_since: asked.origin.transaction_since,
            rule: asked.rule,
            earlier: asked.earlier,
            created_at: asked.created_at,
            expires_at: asked.expires_at,
            settled_at: request.settled_at,
            reviews: request.reviews,
            missing_groups,
            missing,
            reason,
            outcome,
            url: state.url(&format!("/requests/{}", asked.id)),
        }
    }
}
