//! The query of `GET /requests`: which requests, and how many.

use url::form_urlencoded;

use super::super::fault::Fault;
use crate::model::{RequestId, StateKind};

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 200;

/// A checked query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListQuery {
    /// Only requests in one of these states; empty: any.
    pub(super) states: Vec<StateKind>,
    /// At most this many, 1 to 200.
    pub(super) limit: u32,
    /// Only requests older than this one.
    pub(super) before: Option<RequestId>,
}

impl ListQuery {
    /// Reads a raw query; what is not known in it is an error, for it would be ignored in silence.
    pub(super) fn parse(query: &str) -> Result<Self, Fault> {
        let mut states = Vec::new();
        let mut limit = None;
        let mut before = None;
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "state" => {
                    let state = parse_state(&value)?;
                    if !states.contains(&state) {
                        states.push(state);
                    }
                }
                "limit" => set_once(&mut limit, "limit", parse_limit(&value)?)?,
                "before" => {
                    let id = value
                        .parse()
                        .map_err(|error| Fault::malformed(format!("before=\"{value}\" is {error}.")))?;
                    set_once(&mut before, "before", id)?;
                }
                other => {
                    return Err(Fault::malformed(format!(
                        "Unknown parameter \"{other}\"; state, limit and before are known."
                    )));
                }
            }
        }
        Ok(Self {
            states,
            limit: limit.unwrap_or(DEFAULT_LIMIT),
            before,
        })
    }
}

fn parse_state(value: &str) -> Result<StateKind, Fault> {
    StateKind::parse(value).ok_or_else(|| {
        let known = StateKind::ALL.map(StateKind::as_str).join(", ");
        Fault::malformed(format!("Unknown state \"{value}\"; one of {known}."))
    })
}

fn parse_limit(value: &str) -> Result<u32, Fault> {
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

fn set_once<T>(slot: &mut Option<T>, name: &str, value: T) -> Result<(), Fault> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Fault::malformed(format!("\"{name}\" is given twice."))),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_query_is_read_whole() {
        let id = RequestId::from_random(7);
        assert_eq!(
            ListQuery::parse(&format!(
                "state=pending&state=approved&state=pending&limit=200&before={id}"
            )),
            Ok(ListQuery {
                states: vec![StateKind::Pending, StateKind::Approved],
                limit: 200,
                before: Some(id),
            })
        );
        assert_eq!(
            ListQuery::parse(""),
            Ok(ListQuery {
                states: Vec::new(),
                limit: 50,
                before: None,
            })
        );
    }

    #[test]
    fn what_is_not_known_is_refused_by_name() {
        for (query, names) in [
            ("state=open", "open"),
            ("state=", "Unknown state"),
            ("limit=0", "limit"),
            ("limit=201", "limit"),
            ("limit=ten", "ten"),
            ("limit=1&limit=2", "twice"),
            ("before=xyz", "xyz"),
            ("stat=pending", "stat"),
        ] {
            let fault = ListQuery::parse(query).expect_err(query);
            assert!(fault.detail().contains(names), "{query}: {}", fault.detail());
        }
    }
}
