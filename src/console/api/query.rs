//! What the queries of lists have in common. What is not known in one is an error, for it would be ignored in
//! silence; so is a parameter that is given twice and counts once.

use super::super::fault::Fault;
use crate::model::RequestId;

/// How many entries a page has where the caller does not say.
pub(super) const DEFAULT_LIMIT: u32 = 50;
/// The most that it can have.
pub(super) const MAX_LIMIT: u32 = 200;

/// Reads `limit`.
pub(super) fn parse_limit(value: &str) -> Result<u32, Fault> {
    value
        .parse()
        .ok()
        .filter(|limit| (1..=MAX_LIMIT).contains(limit))
        .ok_or_else(|| {
            Fault::malformed(format!(
                "limit=\"{value}\" is not a number from 1 to {MAX_LIMIT}."
            ))
        })
}

/// Reads `true` or `false`.
pub(super) fn parse_bool(name: &str, value: &str) -> Result<bool, Fault> {
    value
        .parse()
        .map_err(|_| Fault::malformed(format!("{name}=\"{value}\" is neither true nor false.")))
}

/// Reads an identifier.
pub(super) fn parse_id(name: &str, value: &str) -> Result<RequestId, Fault> {
    value
        .parse()
        .map_err(|error| Fault::malformed(format!("{name}=\"{value}\" is {error}.")))
}

/// Keeps the value of a parameter that counts once.
pub(super) fn set_once<T>(slot: &mut Option<T>, name: &str, value: T) -> Result<(), Fault> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Fault::malformed(format!("\"{name}\" is given twice."))),
    }
}

/// For a parameter that is none of `known`.
pub(super) fn unknown(name: &str, known: &[&str]) -> Fault {
    Fault::malformed(format!(
        "Unknown parameter \"{name}\"; one of {}.",
        known.join(", ")
    ))
}
