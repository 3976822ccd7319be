//! The query of `GET /grants` and `GET /standing-approvals`: which, and how many.

use url::form_urlencoded;

use super::super::fault::Fault;
use super::query::{DEFAULT_LIMIT, parse_id, parse_limit, set_once, unknown};
use crate::model::{GrantState, RequestId};

const KNOWN: [&str; 3] = ["state", "limit", "before"];

/// A checked query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GrantQuery {
    /// Only those in one of these states; empty: any.
    pub(super) states: Vec<GrantState>,
    /// At most this many, 1 to 200.
    pub(super) limit: u32,
    /// Only those older than this one.
    pub(super) before: Option<RequestId>,
}

impl GrantQuery {
    /// Reads a raw query.
    pub(super) fn parse(query: &str) -> Result<Self, Fault> {
        let mut states = Vec::new();
        let (mut limit, mut before) = (None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "state" => {
                    let state = parse_state(&value)?;
                    if !states.contains(&state) {
                        states.push(state);
                    }
                }
                "limit" => set_once(&mut limit, "limit", parse_limit(&value)?)?,
                "before" => set_once(&mut before, "before", parse_id("before", &value)?)?,
                other => return Err(unknown(other, &KNOWN)),
            }
        }
        Ok(Self {
            states,
            limit: limit.unwrap_or(DEFAULT_LIMIT),
            before,
        })
    }
}

fn parse_state(value: &str) -> Result<GrantState, Fault> {
    GrantState::parse(value).ok_or_else(|| {
        let known = GrantState::ALL.map(GrantState::as_str).join(", ");
        Fault::malformed(format!("Unknown state \"{value}\"; one of {known}."))
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_query_is_read_whole() {
        let id = RequestId::from_random(7);
        assert_eq!(
            GrantQuery::parse(&format!(
                "state=active&state=pending&state=active&limit=7&before={id}"
            )),
            Ok(GrantQuery {
                states: vec![GrantState::Active, GrantState::Pending],
                limit: 7,
                before: Some(id),
            })
        );
        assert_eq!(
            GrantQuery::parse(""),
            Ok(GrantQuery {
                states: Vec::new(),
                limit: 50,
                before: None,
            })
        );
        for (query, names) in [
            ("state=approved", "approved"),
            ("limit=201", "limit"),
            ("before=xyz", "xyz"),
            ("kind=window", "kind"),
        ] {
            let fault = GrantQuery::parse(query).expect_err(query);
            assert!(fault.detail().contains(names), "{query}: {}", fault.detail());
        }
    }
}
