//! Statements of holdpoint's own: `SET holdpoint.reason = '…'` and the like are answered here and never sent upstream.
//!
//! Where nothing else is under way, a simple query is answered at once; one in a pipeline waits for what is before it.
//! In the extended protocol an empty text goes upstream in the place of the statement, so that the server's answers keep
//! their order; its EmptyQueryResponse then becomes the CommandComplete of a SET. It takes effect at its Parse.

mod access;

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};

use super::Fault;
use super::gate::{NAMES_LIMIT, too_many_names};
use super::inflight::Expect;
use super::intake::{Step, Stop};
use super::names::Prepared;
use super::relay::Session;
use crate::model::given::{LONGEST_REASON, LONGEST_TICKET, plain};
use crate::model::{Effect, Facts, Given, Judged, NameOp, Statement};
use crate::sql::{OwnFault, OwnStatement, own_statement};
use crate::wire::{Report, reply, request, sqlstate};

/// What a session was told by such statements.
#[derive(Debug, Default)]
pub(super) struct OwnSettings {
    /// Seldom there.
    set: Option<Box<Values>>,
}

#[derive(Debug, Default)]
struct Values {
    given: Given,
    break_glass: Option<String>,
    reviews_transactions: bool,
}

/// A frame with such a statement, at the head of what waits.
#[derive(Debug)]
pub(super) struct Own {
    /// `Q` or `P`.
    tag: u8,
    /// The length of its frame.
    frame: usize,
    /// The name of the prepared statement; empty for a simple query.
    name: Bytes,
    statement: Result<OwnStatement, OwnFault>,
}

/// Asks for access; nothing is kept.
const REQUEST: &str = "request";

/// How what is held is reviewed.
const REVIEW: &str = "review";

/// What can be set, and what for.
const SETTINGS: [(&str, &str); 5] = [
    ("reason", "why what follows is to run"),
    ("ticket", "the ticket that it belongs to"),
    (
        "break_glass",
        "why what follows cannot wait, for those who may break the glass",
    ),
    (
        REVIEW,
        "'statement', or 'transaction' to have whole transactions reviewed, at their COMMIT",
    ),
    (
        REQUEST,
        "asks for a time window in which nothing is held, as in 'write for 1h: incident 42'",
    ),
];

impl OwnSettings {
    /// The reason and the ticket, as far as they are set.
    pub(super) fn given(&self) -> Given {
        self.set
            .as_ref()
            .map_or_else(Given::default, |set| set.given.clone())
    }

    /// Why what is held cannot wait, if that was said.
    pub(super) fn break_glass(&self) -> Option<&str> {
        self.set.as_ref()?.break_glass.as_deref()
    }

    /// Whether transactions are reviewed as a whole.
    pub(super) fn reviews_transactions(&self) -> bool {
        self.set.as_ref().is_some_and(|set| set.reviews_transactions)
    }

    /// Everything is as at the start of the session.
    pub(super) fn discard(&mut self) {
        self.set = None;
    }

    /// Sets one of them, or takes it back; what is not known is refused.
    pub(super) fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), Report> {
        let set = self.set.get_or_insert_default();
        if name == REVIEW {
            set.reviews_transactions = match value {
                Some("transaction") => true,
                Some("statement") | None => false,
                Some(other) => return Err(no_review(other)),
            };
            return Ok(());
        }
        let (slot, longest) = match name {
            "reason" => (&mut set.given.reason, LONGEST_REASON),
            "ticket" => (&mut set.given.ticket, LONGEST_TICKET),
            "break_glass" => (&mut set.break_glass, LONGEST_REASON),
            _ => return Err(unknown(name)),
        };
        *slot = value.and_then(|value| plain(value, longest));
        Ok(())
    }

    fn value(&self, name: &str) -> Result<&str, Report> {
        let set = self.set.as_deref();
        if name == REVIEW {
            return Ok(if self.reviews_transactions() {
                "transaction"
            } else {
                "statement"
            });
        }
        let value = match name {
            "reason" => set.and_then(|set| set.given.reason.as_deref()),
            "ticket" => set.and_then(|set| set.given.ticket.as_deref()),
            "break_glass" => set.and_then(|set| set.break_glass.as_deref()),
            _ => return Err(unknown(name)),
        };
        Ok(value.unwrap_or_default())
    }
}

fn unknown(name: &str) -> Report {
    let known: Vec<String> = SETTINGS
        .iter()
        .map(|(name, what)| format!("holdpoint.{name}: {what}."))
        .collect();
    Report::error(
        sqlstate::UNDEFINED_OBJECT,
        format!("unrecognized configuration parameter \"holdpoint.{name}\""),
    )
    .hint(known.join("\n"))
}

fn no_review(value: &str) -> Report {
    Report::error(
        sqlstate::INVALID_PARAMETER_VALUE,
        format!("invalid value for parameter \"holdpoint.review\": \"{value}\""),
    )
    .hint("Available values: statement, transaction.")
}

fn unsafe_encoding() -> Report {
    Report::error(
        sqlstate::FEATURE_NOT_SUPPORTED,
        "settings of holdpoint's cannot be read in this client_encoding",
    )
    .hint("SET client_encoding TO UTF8 before.")
}

fn faulty(fault: OwnFault) -> Report {
    Report::error(sqlstate::FEATURE_NOT_SUPPORTED, fault.to_string()).hint(
        "Send it by itself, as in: SET holdpoint.reason = 'refund for order 4711'. Or give the reason in a comment at \
         the head of the statement: /* reason: … */",
    )
}

impl Session {
    /// A simple query or a Parse with a statement of holdpoint's own stops here; `None`: it is none.
    pub(super) fn own_stop(&self, tag: u8, text: &[u8], name: &[u8], frame: usize) -> Option<Step> {
        let statement = own_statement(text).transpose()?;
        if !self.meaning_of(text).encoding_is_safe {
            // The server would read other characters than stand here.
            return Some(Step::Refuse(unsafe_encoding()));
        }
        if tag == b'P' && self.names.len() >= NAMES_LIMIT {
            return Some(Step::Refuse(too_many_names()));
        }
        // A simple query is answered in its turn.
        if tag == b'Q' && !self.inflight.is_empty() {
            return Some(Step::Stop(Stop::Drain));
        }
        Some(Step::Stop(Stop::Own(Box::new(Own {
            tag,
            frame,
            name: Bytes::copy_from_slice(name),
            statement,
        }))))
    }

    /// Does what the statement says, and answers it.
    pub(super) async fn answer_own(&mut self, own: Own) -> Result<(), Fault> {
        self.intake.stop = Some(Stop::Deciding);
        let answer = match &own.statement {
            Err(fault) => Err(faulty(*fault)),
            Ok(OwnStatement::Set { name, value }) if name == REQUEST => {
                let said = self.ask_access(value).await;
                said.map(|notice| {
                    self.say(&notice);
                    ("SET", None)
                })
            }
            Ok(OwnStatement::Set { name, value }) => self.own.set(name, Some(value)).map(|()| ("SET", None)),
            Ok(OwnStatement::Reset { name }) => self.own.set(name, None).map(|()| ("RESET", None)),
            Ok(OwnStatement::Show { name }) => {
                self.own.value(name).map(|value| ("SHOW", Some((name, value))))
            }
        };
        let answer = answer.map(|(tag, shown)| {
            let shown = shown.map(|(name, value)| (format!("holdpoint.{name}"), value.to_owned()));
            (tag, shown)
        });
        self.intake.stop = None;
        std::future::poll_fn(|cx| {
            Poll::Ready(match &answer {
                Ok((completion, shown)) => self.reply_own(cx, &own, completion, shown.as_ref()),
                Err(report) => self.refuse_at_head(cx, own.tag, own.frame, report),
            })
        })
        .await
    }

    fn reply_own(
        &mut self,
        cx: &mut Context<'_>,
        own: &Own,
        completion: &'static str,
        shown: Option<&(String, String)>,
    ) -> Result<(), Fault> {
        self.drop_head(cx, own.frame)?;
        // Nothing else is open: not even a segment without its Sync, which a query of the server's own would end, nor a message
        // that the server has sent on its own account and of which a part has gone on.
        if own.tag == b'Q' && !self.busy && self.outflow.at_boundary() {
            let out = self.client.out();
            if let Some((name, value)) = shown {
                reply::one_text(name, value, out);
            }
            reply::command_complete(completion, out);
            reply::ready_for_query(self.status, out);
            return Ok(());
        }
        let text = shown.map_or_else(String::new, |(name, value)| {
            format!("SELECT {}::text AS \"{name}\"", literal(value))
        });
        if !text.is_ascii() {
            // What the server makes of other bytes is its to say, by then.
            let report = Report::error(
                sqlstate::FEATURE_NOT_SUPPORTED,
                format!(
                    "the value of {} is not ASCII, and cannot be shown here",
                    shown.map_or("it", |(name, _)| name)
                ),
            )
            .hint("SHOW it by a simple query of its own.");
            self.refuse(own.tag, report);
            return Ok(());
        }
        if own.tag == b'Q' {
            self.query_instead(completion, &text);
            return Ok(());
        }
        let prepared = Prepared::Protocol {
            judged: stands_for(completion),
            source: None,
            sight: 0,
        };
        self.begin_work();
        let out = self.server.out();
        request::parse(&own.name, text.as_bytes(), &[], out);
        self.names
            .announce(&own.name, self.intake.segment, prepared.clone());
        let name = (!own.name.is_empty()).then(|| (&own.name[..]).into());
        self.inflight.push_own(Expect::Parse { name, prepared });
        self.intake.begins_upstream();
        Ok(())
    }

    /// A simple query behind a segment that has not ended: one goes upstream in its place, so that it ends that.
    fn query_instead(&mut self, completion: &'static str, text: &str) {
        self.begin_work();
        request::query(text.as_bytes(), self.server.out());
        self.inflight.push_own(Expect::Query {
            names: Some(stands_for(completion)),
            completed: 0,
            run: None,
            segment: self.intake.segment,
        });
        self.intake.end_segment();
    }

    /// Forwards what is cleared, and drops the frame behind it.
    fn drop_head(&mut self, cx: &mut Context<'_>, frame: usize) -> Result<(), Fault> {
        self.forward_cleared(cx)?;
        let frame = frame.min(self.intake.buffer.len());
        self.intake.buffer.advance(frame);
        Ok(())
    }
}

/// What a prepared statement is judged as that stands in the place of one of holdpoint's own.
fn stands_for(tag: &'static str) -> Arc<Judged> {
    Arc::new(Judged {
        statements: vec![Statement {
            facts: Facts {
                effect: Effect::Session,
                commands: vec![tag.to_owned()],
                signals: Vec::new(),
                ..Facts::unknown("")
            },
            name_op: Some(NameOp::Own { tag }),
            transaction_control: false,
        }],
        gist: crate::model::Gist::None,
    })
}

/// A string constant that means the same whatever `standard_conforming_strings` is.
fn literal(value: &str) -> String {
    if value.contains('\\') {
        format!("E'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
    } else {
        format!("'{}'", value.replace('\'', "''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_kept_until_it_is_reset() {
        let mut own = OwnSettings::default();
        assert_eq!(own.set("reason", Some(" refund\n for 4711 ")), Ok(()));
        assert_eq!(own.set("break_glass", Some("down")), Ok(()));
        assert_eq!(own.value("reason"), Ok("refund for 4711"));
        assert_eq!(own.break_glass(), Some("down"));
        assert_eq!(own.set("break_glass", None), Ok(()));
        assert_eq!(own.break_glass(), None);
        own.discard();
        assert_eq!(own.given(), Given::default());
        assert!(own.set("raeson", Some("x")).is_err());
        assert!(own.value("raeson").is_err());
    }

    #[test]
    fn literals_are_what_they_seem() {
        for (value, sql) in [
            ("a", "'a'"),
            ("it's", "'it''s'"),
            ("a\\' OR 1", "E'a\\\\'' OR 1'"),
        ] {
            assert_eq!(literal(value), sql);
        }
    }
}
