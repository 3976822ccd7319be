//! Rows to and from the types of the model. What does not read back as it was written is
//! [`StoreError::Inconsistent`], never a guess.

use std::net::IpAddr;
use std::str::FromStr;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::engine::Columns;
use super::within;
use crate::model::{
    Effect, HeldRequest, NewRequest, Observation, ObservedDecision, Origin, Outcome, Principal, Quorum,
    RequestId, RequestState, Shape, Sightings, StateKind, Verdict,
};
use crate::store::{StoreError, StoredObservation, UserRecord, WebSession};

/// A row of `requests`, with the lists `reviews`, `edits` and `followups`.
pub(super) fn request(row: &impl Columns) -> Result<HeldRequest, StoreError> {
    let asked = asked(row)?;
    let settled_at = optional_time(row, "settled_at")?;
    let state = state(row, asked.id, settled_at)?;
    let is_open = state == RequestState::Pending;
    Ok(HeldRequest {
        basis: optional_json(row, "basis")?,
        asked,
        state,
        reviews: within::reviews(row, "reviews", is_open)?,
        edits: within::edits(row)?,
        followup: within::reviews(row, "followups", false)?.pop(),
        settled_at,
        is_cut: column(row, "is_cut")?,
    })
}

fn state(
    row: &impl Columns,
    id: RequestId,
    settled_at: Option<Timestamp>,
) -> Result<RequestState, StoreError> {
    let name: String = column(row, "state")?;
    let kind = StateKind::parse(&name).ok_or_else(|| {
        StoreError::Inconsistent(format!("request {id} is in an unknown state, \"{name}\""))
    })?;
    let note: Option<String> = column(row, "note")?;
    let outcome: Option<Outcome> = column::<Option<String>>(row, "outcome")?
        .map(|text| from_json(&text, "outcome"))
        .transpose()?;
    match (kind, note, outcome, settled_at.is_some()) {
        (StateKind::Pending, None, None, false) => Ok(RequestState::Pending),
        (StateKind::Approved, None, None, false) => Ok(RequestState::Approved),
        (StateKind::Running, None, None, false) => Ok(RequestState::Running),
        (StateKind::Executed, None, Some(outcome), true) => Ok(RequestState::Executed(outcome)),
        (StateKind::Failed, None, Some(outcome), true) => Ok(RequestState::Failed(outcome)),
        (StateKind::Rejected, None, None, true) => Ok(RequestState::Rejected),
        (StateKind::Expired, None, None, true) => Ok(RequestState::Expired),
        (StateKind::Withdrawn, Some(why), None, true) => Ok(RequestState::Withdrawn(why)),
        (StateKind::Abandoned, Some(why), None, true) => Ok(RequestState::Abandoned(why)),
        (StateKind::Denied, Some(reason), None, true) => Ok(RequestState::Denied(reason)),
        (_, note, outcome, settled) => Err(StoreError::Inconsistent(format!(
            "request {id} is {name}, {} a note, {} an outcome, {} a time of settling",
            with(note.is_some()),
            with(outcome.is_some()),
            with(settled),
        ))),
    }
}

const fn with(is_there: bool) -> &'static str {
    if is_there { "with" } else { "without" }
}

fn asked(row: &impl Columns) -> Result<NewRequest, StoreError> {
    Ok(NewRequest {
        id: id(row, "id")?,
        origin: Origin {
            database: column(row, "database_name")?,
            user: column(row, "user_name")?,
            application_name: column(row, "application_name")?,
            client_addr: column(row, "client_addr")?,
            in_transaction: column(row, "in_transaction")?,
            transaction_since: optional_time(row, "transaction_since")?,
        },
        statement: column(row, "statement")?,
        parameters: json(row, "parameters")?,
        digest: bytes(row, "digest")?,
        command: column(row, "command")?,
        effect: parsed::<Effect>(row, "effect")?,
        tables: json(row, "tables")?,
        functions: json(row, "functions")?,
        signals: json(row, "signals")?,
        unfiltered: column(row, "unfiltered")?,
        rule: column(row, "rule")?,
        quorum: match optional_json(row, "quorum")? {
            Some(quorum) => quorum,
            None => Quorum::each_of(json::<Vec<String>>(row, "group_names")?),
        },
        self_approval: column(row, "self_approval")?,
        justification: column(row, "justification")?,
        ticket: column(row, "ticket")?,
        shape: column::<Option<String>>(row, "shape")?
            .map(|text| text.parse::<Shape>())
            .transpose()
            .map_err(|error| StoreError::Inconsistent(format!("shape: {error}")))?,
        // NULL where it was not recorded.
        earlier: optional_json(row, "earlier")?.unwrap_or_default(),
        created_at: time(row, "created_at")?,
        expires_at: time(row, "expires_at")?,
    })
}

/// The word that `reviews` has for a verdict.
pub(super) const fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Approve => "approve",
        Verdict::Reject => "reject",
    }
}

pub(super) fn verdict_of(word: &str) -> Option<Verdict> {
    [Verdict::Approve, Verdict::Reject]
        .into_iter()
        .find(|&verdict| verdict_word(verdict) == word)
}

/// The columns of `users` in a row.
pub(super) fn user(row: &impl Columns) -> Result<UserRecord, StoreError> {
    Ok(UserRecord {
        principal: Principal {
            name: column(row, "name")?,
            groups: json(row, "group_names")?,
            admin: column(row, "admin")?,
        },
        scram_verifier: column(row, "scram_verifier")?,
        disabled: column(row, "disabled")?,
        created_at: time(row, "created_at")?,
    })
}

/// The groups of whoever decides, in a row that is read for them.
pub(super) fn present_groups(row: &impl Columns) -> Result<Vec<String>, StoreError> {
    Ok(optional_json(row, "present_groups")?.unwrap_or_default())
}

/// The columns of `web_sessions` in a row.
pub(super) fn web_session(row: &impl Columns) -> Result<WebSession, StoreError> {
    Ok(WebSession {
        token_hash: bytes(row, "token_hash")?,
        user: column(row, "user_name")?,
        csrf: column(row, "csrf")?,
        expires_at: time(row, "expires_at")?,
    })
}

/// A row of `observations`.
pub(super) fn observation(row: &impl Columns) -> Result<StoredObservation, StoreError> {
    let count: i64 = column(row, "sightings")?;
    let client_addr = column::<Option<String>>(row, "client_addr")?
        .map(|address| address.parse::<IpAddr>())
        .transpose()
        .map_err(|error| StoreError::Inconsistent(format!("client_addr: {error}")))?;
    Ok(StoredObservation {
        id: column(row, "id")?,
        sightings: Sightings {
            observation: Observation {
                database: column(row, "database_name")?,
                user: column(row, "user_name")?,
                groups: json(row, "group_names")?,
                application_name: column(row, "application_name")?,
                client_addr,
                statement: column(row, "statement")?,
                facts: json(row, "facts")?,
                decision: parsed::<ObservedDecision>(row, "decision")?,
                rules: json(row, "rules")?,
            },
            count: u64::try_from(count)
                .map_err(|_| StoreError::Inconsistent(format!("{count} is no number of sightings")))?,
            first_seen: time(row, "first_seen")?,
            last_seen: time(row, "last_seen")?,
        },
    })
}

/// The identifier of a request in a column.
pub(super) fn id(row: &impl Columns, name: &'static str) -> Result<RequestId, StoreError> {
    parsed(row, name)
}

/// 32 bytes in a column.
pub(super) fn bytes(row: &impl Columns, name: &'static str) -> Result<[u8; 32], StoreError> {
    column::<Vec<u8>>(row, name)?
        .try_into()
        .map_err(|_| StoreError::Inconsistent(format!("{name} is not 32 bytes long")))
}

/// A list as it is kept.
///
/// # Errors
/// None for the types of the model; their JSON always exists.
pub(super) fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Inconsistent(format!("a value has no JSON form: {error}")))
}

pub(super) fn json<T: DeserializeOwned>(row: &impl Columns, name: &'static str) -> Result<T, StoreError> {
    from_json(&column::<String>(row, name)?, name)
}

fn optional_json<T: DeserializeOwned>(
    row: &impl Columns,
    name: &'static str,
) -> Result<Option<T>, StoreError> {
    column::<Option<String>>(row, name)?
        .map(|text| from_json(&text, name))
        .transpose()
}

pub(super) fn from_json<T: DeserializeOwned>(text: &str, name: &'static str) -> Result<T, StoreError> {
    serde_json::from_str(text)
        .map_err(|error| StoreError::Inconsistent(format!("{name} does not hold what was written: {error}")))
}

fn parsed<T: FromStr<Err: std::fmt::Display>>(
    row: &impl Columns,
    name: &'static str,
) -> Result<T, StoreError> {
    column::<String>(row, name)?
        .parse()
        .map_err(|error| StoreError::Inconsistent(format!("{name}: {error}")))
}

pub(super) fn time(row: &impl Columns, name: &'static str) -> Result<Timestamp, StoreError> {
    timestamp(column(row, name)?, name)
}

pub(super) fn optional_time(row: &impl Columns, name: &'static str) -> Result<Option<Timestamp>, StoreError> {
    column::<Option<i64>>(row, name)?
        .map(|microseconds| timestamp(microseconds, name))
        .transpose()
}

/// A time as it reads back.
pub(super) fn kept(time: Timestamp) -> Result<Timestamp, StoreError> {
    timestamp(time.as_microsecond(), "a time")
}

pub(super) fn timestamp(microseconds: i64, name: &'static str) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(microseconds)
        .map_err(|error| StoreError::Inconsistent(format!("{name}: {error}")))
}

/// A column of a row.
pub(super) fn column<T: FromColumn>(row: &impl Columns, name: &'static str) -> Result<T, StoreError> {
    T::from_column(row, name).map_err(|error| StoreError::Inconsistent(format!("{name}: {error}")))
}

/// What a column can be read as.
pub(super) trait FromColumn: Sized {
    /// Reads it.
    fn from_column(row: &impl Columns, name: &str) -> Result<Self, sqlx::Error>;
}

/// What must be there.
fn there<T>(value: Option<T>) -> Result<T, sqlx::Error> {
    value.ok_or_else(|| sqlx::Error::Decode("it is NULL".into()))
}

fn narrow(number: i64) -> Result<u32, sqlx::Error> {
    u32::try_from(number).map_err(|error| sqlx::Error::Decode(error.into()))
}

impl FromColumn for Option<String> {
    fn from_column(row: &impl Columns, name: &str) -> Result<Self, sqlx::Error> {
        row.text(name)
    }
}

impl FromColumn for String {
    fn from_column(row: &impl Columns, name: &str) -> Result<Self, sqlx::Error> {
        there(row.text(name)?)
    }
}

impl FromColumn for Option<i64> {
    fn from_column(row: &impl Columns, name: &str) -> Result<Self, sqlx::Error> {
        row.integer(name)
    }
}

impl FromColumn for i64 {
    fn from_column(row: &impl Columns, name: &str) -> Result<Self, sqlx::Error> {
        there(row.integer(name)?)
    }
}

impl FromColumn for Option<u32> {
    fn from_column(row: &impl Columns, name: &str) -> Result<Self, sqlx::Error> {
        row.integer(name)?.map(narrow).transpose()
    }
}

impl FromColumn for u32 {
    fn from_column(row: &impl Columns, name: &str) -> Result<Self, sqlx::Error> {
        narrow(there(row.integer(name)?)?)
    }
}

impl FromColumn for bool {
    fn from_column(row: &impl Columns, name: &str) -> Result<Self, sqlx::Error> {
        there(row.flag(name)?)
    }
}

impl FromColumn for Vec<u8> {
    fn from_column(row: &impl Columns, name: &str) -> Result<Self, sqlx::Error> {
        there(row.bytes(name)?)
    }
}
