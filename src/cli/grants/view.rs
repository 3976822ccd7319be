//! The API's grants, as far as the command line shows them.

use jiff::Timestamp;
use serde::Deserialize;

use super::super::remote::words::Review;
use crate::model::{Holder, Quorum, Seat};

/// A time window, or a standing approval.
#[derive(Debug, Deserialize)]
pub(super) struct Grant {
    pub(super) id: String,
    pub(super) state: String,
    pub(super) database: String,
    pub(super) holder: Holder,
    /// Of a window.
    #[serde(default)]
    pub(super) up_to: Option<String>,
    /// Of a standing approval.
    #[serde(default)]
    pub(super) statement: Option<String>,
    #[serde(default)]
    pub(super) request: Option<String>,
    pub(super) length: String,
    #[serde(default)]
    pub(super) times: Option<u32>,
    /// Of a standing approval.
    #[serde(default)]
    pub(super) max_rows: Option<u32>,
    #[serde(default)]
    pub(super) used: u32,
    #[serde(default)]
    pub(super) justification: Option<String>,
    #[serde(default)]
    pub(super) ticket: Option<String>,
    #[serde(default)]
    pub(super) rule: String,
    #[serde(default)]
    pub(super) quorum: Quorum,
    #[serde(default)]
    pub(super) missing: Vec<Seat>,
    #[serde(default)]
    pub(super) asked_by: String,
    pub(super) created_at: Timestamp,
    pub(super) expires_at: Timestamp,
    #[serde(default)]
    pub(super) ends_at: Option<Timestamp>,
    #[serde(default)]
    pub(super) settled_by: Option<String>,
    #[serde(default)]
    pub(super) reason: Option<String>,
    #[serde(default)]
    pub(super) reviews: Vec<Review>,
}
