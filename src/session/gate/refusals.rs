//! What a requester reads where the gate itself refuses.

use crate::wire::{Report, sqlstate};

pub(super) fn missing(name: &str) -> Report {
    let message = if name.is_empty() {
        "unnamed prepared statement does not exist".to_owned()
    } else {
        format!("prepared statement \"{name}\" does not exist")
    };
    Report::error(sqlstate::INVALID_SQL_STATEMENT_NAME, message)
}

pub(in crate::session) fn too_many_names() -> Report {
    Report::error(
        sqlstate::LIMIT_EXCEEDED,
        "too many prepared statements in this session",
    )
    .hint("Close or DEALLOCATE those that are no longer needed.")
}

pub(super) fn changed() -> Report {
    Report::error(
        sqlstate::INSUFFICIENT_PRIVILEGE,
        "what the portal executes has changed since it was bound, and was not approved",
    )
    .hint("Bind it again.")
}

pub(super) fn acts_before_approval() -> Report {
    Report::error(
        sqlstate::FEATURE_NOT_SUPPORTED,
        "this statement cannot be prepared before it is approved",
    )
    .detail(
        "It has to do with a type that may run code, as soon as the server reads a constant of that type.",
    )
    .hint("Send it as a simple query, which can be reviewed.")
}

pub(super) fn not_ascii() -> Report {
    Report::error(
        sqlstate::FEATURE_NOT_SUPPORTED,
        "names of prepared statements must be ASCII here",
    )
    .detail("The server may know the same name by other bytes, so that what it stands for cannot be told.")
}

pub(super) fn not_reviewable() -> Report {
    Report::error(
        sqlstate::INSUFFICIENT_PRIVILEGE,
        "this function call by the fast-path protocol is not allowed",
    )
    .detail("A FunctionCall message names its function by number and cannot be reviewed, unless the function is one of large objects.")
    .hint("Call the function in a SELECT.")
}

pub(super) fn only_unnamed() -> Report {
    Report::error(
        sqlstate::FEATURE_NOT_SUPPORTED,
        "PREPARE, EXECUTE and DEALLOCATE can be bound to the unnamed portal only, and not without end",
    )
    .hint("Send them as simple queries.")
}

pub(super) fn fetch_instead() -> Report {
    Report::error(
        sqlstate::FEATURE_NOT_SUPPORTED,
        "a cursor that does more than read cannot be executed by the protocol",
    )
    .hint("Use FETCH, which can be reviewed.")
}

/// Execute of the unnamed portal, of which it is not certain what stands there.
pub(super) fn bind_again() -> Report {
    Report::error(
        sqlstate::INVALID_SQL_STATEMENT_NAME,
        "the unnamed portal was bound before the last Sync, and may be another than it seems",
    )
    .hint("In a transaction that binds PREPARE or DEALLOCATE to it, bind it again before it is executed.")
}
