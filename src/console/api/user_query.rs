//! The query of `GET /users`: which users, and how many.

use url::form_urlencoded;

use super::super::fault::Fault;
use super::query::{DEFAULT_LIMIT, parse_bool, parse_limit, set_once, unknown};

const KNOWN: [&str; 4] = ["group", "disabled", "limit", "after"];

/// A checked query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UserQuery {
    /// Only members of this group.
    pub(super) group: Option<String>,
    /// Only those who are kept out, or only those who are not.
    pub(super) disabled: Option<bool>,
    /// At most this many, 1 to 200.
    pub(super) limit: u32,
    /// Only those behind this name.
    pub(super) after: Option<String>,
}

impl UserQuery {
    /// Reads a raw query.
    pub(super) fn parse(query: &str) -> Result<Self, Fault> {
        let (mut group, mut disabled, mut limit, mut after) = (None, None, None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "group" => set_once(&mut group, "group", value.into_owned())?,
                "disabled" => set_once(&mut disabled, "disabled", parse_bool("disabled", &value)?)?,
                "limit" => set_once(&mut limit, "limit", parse_limit(&value)?)?,
                "after" => set_once(&mut after, "after", value.into_owned())?,
                other => return Err(unknown(other, &KNOWN)),
            }
        }
        Ok(Self {
            group,
            disabled,
            limit: limit.unwrap_or(DEFAULT_LIMIT),
            after,
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_query_is_read_whole_or_refused_by_name() {
        let expected = UserQuery {
            group: Some("on call".to_owned()),
            disabled: Some(false),
            limit: 7,
            after: Some("bob".to_owned()),
        };
        let query = "group=on+call&disabled=false&limit=7&after=bob";
        assert_eq!(UserQuery::parse(query), Ok(expected));
        for (query, names) in [
            ("disabled=no", "disabled"),
            ("limit=201", "limit"),
            ("admin=true", "admin"),
            ("group=a&group=b", "twice"),
        ] {
            let fault = UserQuery::parse(query).expect_err(query);
            assert!(fault.detail().contains(names), "{query}: {}", fault.detail());
        }
    }
}
