//! The query of `GET /requests`: which requests, and how many.

use std::str::FromStr as _;

use jiff::Timestamp;
use url::form_urlencoded;

use super::super::fault::Fault;
use super::query::{DEFAULT_LIMIT, parse_bool, parse_id, parse_limit, set_once, unknown};
use crate::model::{Effect, RequestId, Shape, StateKind};

const KNOWN: [&str; 10] = [
    "state",
    "to_review",
    "user",
    "database",
    "effect",
    "shape",
    "since",
    "until",
    "limit",
    "before",
];

/// A checked query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListQuery {
    /// Only requests in one of these states; empty: any.
    pub(super) states: Vec<StateKind>,
    /// Only what ran because the glass was broken, and nobody has looked at since.
    pub(super) to_review: bool,
    /// Only what this user asked.
    pub(super) user: Option<String>,
    /// Only what was asked on this database.
    pub(super) database: Option<String>,
    /// Only requests with one of these effects; empty: any.
    pub(super) effects: Vec<Effect>,
    /// Only requests of this shape.
    pub(super) shape: Option<Shape>,
    /// Only what was asked at this time or later.
    pub(super) since: Option<Timestamp>,
    /// Only what was asked before this time.
    pub(super) until: Option<Timestamp>,
    /// At most this many, 1 to 200.
    pub(super) limit: u32,
    /// Only requests older than this one.
    pub(super) before: Option<RequestId>,
}

impl ListQuery {
    /// Reads a raw query.
    pub(super) fn parse(query: &str) -> Result<Self, Fault> {
        let (mut states, mut effects) = (Vec::new(), Vec::new());
        let (mut user, mut database) = (None, None);
        let (mut since, mut until, mut shape) = (None, None, None);
        let (mut limit, mut before, mut to_review) = (None, None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "state" => add(&mut states, parse_state(&value)?),
                "effect" => add(&mut effects, parse_effect(&value)?),
                "to_review" => set_once(&mut to_review, "to_review", parse_bool("to_review", &value)?)?,
                "user" => set_once(&mut user, "user", value.into_owned())?,
                "database" => set_once(&mut database, "database", value.into_owned())?,
                "shape" => {
                    let read = value
                        .parse()
                        .map_err(|error| Fault::malformed(format!("shape=\"{value}\": {error}.")))?;
                    set_once(&mut shape, "shape", read)?;
                }
                "since" => set_once(&mut since, "since", parse_time("since", &value)?)?,
                "until" => set_once(&mut until, "until", parse_time("until", &value)?)?,
                "limit" => set_once(&mut limit, "limit", parse_limit(&value)?)?,
                "before" => set_once(&mut before, "before", parse_id("before", &value)?)?,
                other => return Err(unknown(other, &KNOWN)),
            }
        }
        Ok(Self {
            states,
            to_review: to_review.unwrap_or(false),
            user,
            database,
            effects,
            shape,
            since,
            until,
            limit: limit.unwrap_or(DEFAULT_LIMIT),
            before,
        })
    }
}

fn add<T: PartialEq>(list: &mut Vec<T>, value: T) {
    if !list.contains(&value) {
        list.push(value);
    }
}

fn parse_effect(value: &str) -> Result<Effect, Fault> {
    Effect::from_str(value).map_err(|_| {
        let known = Effect::ALL.map(Effect::as_str).join(", ");
        Fault::malformed(format!("Unknown effect \"{value}\"; one of {known}."))
    })
}

fn parse_time(name: &str, value: &str) -> Result<Timestamp, Fault> {
    value.parse().map_err(|_| {
        Fault::malformed(format!(
            "{name}=\"{value}\" is no point in time such as 2026-03-01T12:30:00Z; a \"+\" in it is written %2B."
        ))
    })
}

fn parse_state(value: &str) -> Result<StateKind, Fault> {
    StateKind::parse(value).ok_or_else(|| {
        let known = StateKind::ALL.map(StateKind::as_str).join(", ");
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
            ListQuery::parse(&format!(
                "state=pending&state=approved&state=pending&to_review=true&user=o%27neil&database=shop&effect=write\
                 &effect=unknown&effect=write&since=2026-03-01T12:30:00Z&until=2026-03-01T13:30:00%2B01:00\
                 &limit=200&before={id}"
            )),
            Ok(ListQuery {
                states: vec![StateKind::Pending, StateKind::Approved],
                to_review: true,
                user: Some("o'neil".to_owned()),
                database: Some("shop".to_owned()),
                shape: None,
                effects: vec![Effect::Write, Effect::Unknown],
                since: Some("2026-03-01T12:30:00Z".parse().expect("a time")),
                until: Some("2026-03-01T12:30:00Z".parse().expect("a time")),
                limit: 200,
                before: Some(id),
            })
        );
        assert_eq!(
            ListQuery::parse(""),
            Ok(ListQuery {
                states: Vec::new(),
                to_review: false,
                user: None,
                database: None,
                shape: None,
                effects: Vec::new(),
                since: None,
                until: None,
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
            ("effect=destructive", "destructive"),
            ("since=yesterday", "yesterday"),
            ("since=2026-03-01", "since"),
            ("until=2026-03-01T12:30:00+01:00", "%2B"),
            ("user=a&user=b", "twice"),
            ("stat=pending", "stat"),
        ] {
            let fault = ListQuery::parse(query).expect_err(query);
            assert!(fault.detail().contains(names), "{query}: {}", fault.detail());
        }
    }
}
