//! Rows of other tables that a row is read with, as lists of objects: what belongs to a request or to a grant.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::engine::Columns;
use super::row::{from_json, timestamp, verdict_of};
use crate::model::{Edit, Review};
use crate::store::StoreError;

/// A row of `reviews`, of `grant_reviews` or of `followups`.
#[derive(Deserialize)]
struct KeptReview {
    id: i64,
    reviewer: String,
    group_names: String,
    verdict: String,
    comment: String,
    at: i64,
    /// The groups that the reviewer is in by now. NULL where they are disabled, or not there; of `followups` it is not asked.
    present: Option<String>,
}

/// A row of `edits`.
#[derive(Deserialize)]
struct KeptEdit {
    id: i64,
    editor: String,
    statement: String,
    digest: String,
    command: String,
    effect: String,
    comment: String,
    reviews_before: i64,
    at: i64,
}

/// What people have said, oldest first. `is_open`: it is decided on, so that it counts who has left since.
pub(super) fn reviews(
    row: &impl Columns,
    name: &'static str,
    is_open: bool,
) -> Result<Vec<Review>, StoreError> {
    let mut kept: Vec<KeptReview> = list(row, name)?;
    kept.sort_by_key(|review| review.id);
    kept.into_iter().map(|one| review(one, is_open)).collect()
}

fn review(kept: KeptReview, is_open: bool) -> Result<Review, StoreError> {
    let groups: Vec<String> = from_json(&kept.group_names, "group_names")?;
    let mut lapsed = Vec::new();
    if is_open {
        let present: Vec<String> = match &kept.present {
            Some(text) => from_json(text, "present")?,
            None => Vec::new(),
        };
        lapsed.extend(groups.iter().filter(|group| !present.contains(group)).cloned());
    }
    let verdict = verdict_of(&kept.verdict)
        .ok_or_else(|| StoreError::Inconsistent(format!("\"{}\" is no verdict of a review", kept.verdict)))?;
    Ok(Review {
        reviewer: kept.reviewer,
        groups,
        verdict,
        comment: kept.comment,
        at: timestamp(kept.at, "at")?,
        lapsed,
    })
}

/// What approvers have made of a statement, oldest first.
pub(super) fn edits(row: &impl Columns) -> Result<Vec<Edit>, StoreError> {
    let mut kept: Vec<KeptEdit> = list(row, "edits")?;
    kept.sort_by_key(|edit| edit.id);
    kept.into_iter().map(edit).collect()
}

fn edit(kept: KeptEdit) -> Result<Edit, StoreError> {
    let before = kept.reviews_before;
    Ok(Edit {
        editor: kept.editor,
        statement: kept.statement,
        digest: digest(&kept.digest).ok_or_else(|| {
            StoreError::Inconsistent("the digest of an edit is not 32 bytes long".to_owned())
        })?,
        command: kept.command,
        effect: kept
            .effect
            .parse()
            .map_err(|error| StoreError::Inconsistent(format!("effect: {error}")))?,
        comment: kept.comment,
        reviews_before: usize::try_from(before)
            .map_err(|_| StoreError::Inconsistent(format!("{before} is no number of reviews")))?,
        at: timestamp(kept.at, "at")?,
    })
}

fn digest(digits: &str) -> Option<[u8; 32]> {
    let bytes: Option<Vec<u8>> = (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok())
        .collect();
    bytes?.try_into().ok()
}

fn list<T: DeserializeOwned>(row: &impl Columns, name: &'static str) -> Result<Vec<T>, StoreError> {
    let wrong = |error: &dyn std::fmt::Display| StoreError::Inconsistent(format!("{name}: {error}"));
    let list = row.list(name).map_err(|error| wrong(&error))?;
    list.into_iter()
        .map(|value| serde_json::from_value(value).map_err(|error| wrong(&error)))
        .collect()
}
