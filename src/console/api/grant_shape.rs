//! A grant as the API shows it.

use jiff::Timestamp;
use serde::Serialize;

use super::super::ConsoleState;
use super::super::view::seats_missing_of;
use crate::model::{
    Effect, Grant, GrantState, Holder, Quorum, RequestId, Review, Scope, Seat, Shape, TableAccess, duration,
};

/// A grant; the names of the fields are the API's.
#[derive(Debug, Serialize)]
pub(super) struct GrantBody {
    id: RequestId,
    state: GrantState,
    database: String,
    holder: Holder,
    #[serde(flatten)]
    scope: ScopeBody,
    justification: Option<String>,
    ticket: Option<String>,
    length: String,
    times: Option<u32>,
    used: u32,
    rule: String,
    quorum: Quorum,
    self_approval: bool,
    asked_by: String,
    created_at: Timestamp,
    expires_at: Timestamp,
    starts_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
    settled_at: Option<Timestamp>,
    /// Who took it back.
    settled_by: Option<String>,
    /// Why it was taken back.
    reason: Option<String>,
    reviews: Vec<Review>,
    /// Seats of the quorum that are still free.
    missing: Vec<Seat>,
    url: String,
}

/// What it is for.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum ScopeBody {
    Window {
        up_to: Effect,
    },
    Shape {
        request: RequestId,
        shape: Shape,
        statement: String,
        command: String,
        effect: Effect,
        tables: Vec<TableAccess>,
        functions: Vec<String>,
        max_rows: Option<u32>,
    },
}

impl GrantBody {
    /// Shapes a grant for whoever may see it.
    pub(super) fn of(grant: Grant, state: &ConsoleState) -> Self {
        let missing = seats_missing_of(&grant);
        let asked = grant.asked;
        Self {
            id: asked.id,
            state: grant.state,
            database: asked.database,
            holder: asked.holder,
            scope: ScopeBody::of(asked.scope, asked.max_rows),
            justification: asked.justification,
            ticket: asked.ticket,
            length: duration::format(asked.length),
            times: asked.times,
            used: grant.used,
            rule: asked.rule,
            quorum: asked.quorum,
            self_approval: asked.self_approval,
            asked_by: asked.asked_by,
            created_at: asked.created_at,
            expires_at: asked.expires_at,
            starts_at: grant.span.map(|(from, _)| from),
            ends_at: grant.span.map(|(_, to)| to),
            settled_at: grant.settled_at,
            settled_by: grant.settled_by,
            reason: grant.note.filter(|note| !note.is_empty()),
            reviews: grant.reviews,
            missing,
            url: state.url(&format!("/access/{}", asked.id)),
        }
    }
}

impl ScopeBody {
    fn of(scope: Scope, max_rows: Option<u32>) -> Self {
        match scope {
            Scope::Window { up_to } => Self::Window { up_to },
            Scope::Shape {
                shape,
                effect,
                tables,
                functions,
                command,
                statement,
                request,
            } => Self::Shape {
                request,
                shape,
                statement,
                command,
                effect,
                tables,
                functions,
                max_rows,
            },
        }
    }
}
