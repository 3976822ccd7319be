//! The API's answers, as far as the command line shows them. What is not needed to decide may be absent,
//! so that a command and a server of neighbouring versions understand each other.

use jiff::Timestamp;
use serde::Deserialize;

use super::super::remote::words::Review;
use crate::model::{Quorum, Seat};

/// `GET /api/v1/requests`.
#[derive(Debug, Deserialize)]
pub(super) struct List {
    pub(super) requests: Vec<Request>,
    /// Where the next page begins, if there is one.
    #[serde(default)]
    pub(super) next: Option<String>,
}

/// One request.
#[derive(Debug, Deserialize)]
pub(super) struct Request {
    pub(super) id: String,
    pub(super) state: String,
    pub(super) database: String,
    pub(super) user: String,
    pub(super) statement: String,
    pub(super) effect: String,
    pub(super) created_at: Timestamp,
    pub(super) expires_at: Timestamp,
    /// The seats that have to be filled.
    #[serde(default)]
    pub(super) quorum: Quorum,
    /// Those of them that are free.
    #[serde(default)]
    pub(super) missing: Vec<Seat>,
    #[serde(default)]
    pub(super) justification: Option<String>,
    #[serde(default)]
    pub(super) ticket: Option<String>,
    #[serde(default)]
    pub(super) application_name: String,
    #[serde(default)]
    pub(super) client_addr: String,
    #[serde(default)]
    pub(super) parameters: Vec<Parameter>,
    #[serde(default)]
    pub(super) command: String,
    #[serde(default)]
    pub(super) tables: Vec<Table>,
    #[serde(default)]
    pub(super) functions: Vec<String>,
    #[serde(default)]
    pub(super) signals: Vec<String>,
    #[serde(default)]
    pub(super) unfiltered: bool,
    #[serde(default)]
    pub(super) in_transaction: bool,
    #[serde(default)]
    pub(super) transaction_since: Option<Timestamp>,
    #[serde(default)]
    pub(super) rule: String,
    /// What its session sent before, oldest first.
    #[serde(default)]
    pub(super) earlier: Vec<Earlier>,
    #[serde(default)]
    pub(super) reviews: Vec<Review>,
    /// Why it did not wait.
    #[serde(default)]
    pub(super) basis: Option<Basis>,
    /// What somebody said after the glass was broken.
    #[serde(default)]
    pub(super) followup: Option<Review>,
    /// What approvers have made of the statement, oldest first.
    #[serde(default)]
    pub(super) edits: Vec<Edit>,
    /// Why it was denied, withdrawn or abandoned.
    #[serde(default)]
    pub(super) reason: Option<String>,
    #[serde(default)]
    pub(super) outcome: Option<Outcome>,
}

/// Why something did not wait, and under which grant.
#[derive(Debug, Deserialize)]
pub(super) struct Basis {
    pub(super) kind: String,
    #[serde(default)]
    pub(super) id: Option<String>,
    /// How many rows it might change.
    #[serde(default)]
    pub(super) max_rows: Option<u32>,
}

/// A bound value; no `value` is SQL NULL.
#[derive(Debug, Deserialize)]
pub(super) struct Parameter {
    pub(super) value: Option<String>,
    #[serde(default)]
    pub(super) r#type: Option<String>,
}

/// A table named in the statement.
#[derive(Debug, Deserialize)]
pub(super) struct Table {
    #[serde(default)]
    pub(super) schema: Option<String>,
    pub(super) name: String,
    #[serde(default)]
    pub(super) written: bool,
}

/// A statement that the same session sent before.
#[derive(Debug, Deserialize)]
pub(super) struct Earlier {
    pub(super) text: String,
    /// Where it is a request of its own.
    #[serde(default)]
    pub(super) request: Option<String>,
    #[serde(default)]
    pub(super) is_cut: bool,
    #[serde(default)]
    pub(super) seconds_before: u64,
    #[serde(default)]
    pub(super) same_transaction: bool,
    #[serde(default)]
    pub(super) outcome: String,
}

/// A statement as an approver has changed it.
#[derive(Debug, Deserialize)]
pub(super) struct Edit {
    pub(super) editor: String,
    pub(super) statement: String,
    #[serde(default)]
    pub(super) command: String,
    #[serde(default)]
    pub(super) effect: Option<String>,
    #[serde(default)]
    pub(super) comment: String,
    pub(super) at: Timestamp,
}

/// What came of it.
#[derive(Debug, Deserialize)]
pub(super) struct Outcome {
    #[serde(default)]
    pub(super) tag: String,
    #[serde(default)]
    pub(super) rows: Option<u64>,
    #[serde(default)]
    pub(super) sqlstate: Option<String>,
    #[serde(default)]
    pub(super) error: Option<String>,
    #[serde(default)]
    pub(super) duration_ms: u64,
}
