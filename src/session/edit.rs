//! Approving with a change: whether another statement can run in the place of a held one, and its bytes.
//!
//! A simple query is replaced by another: its client reads the columns with the rows. The program behind a Bind counts
//! on parameters and columns, so the server is asked whether they are the same ([`super::inquiry`]): first what the held
//! statement takes and gives, once for each hold, then the same of the text, which is prepared for that under a name of
//! our own. The Bind is then one of that name, so the server holds what runs to what it has said.
//!
//! Invariants: what runs is what was made here and whose digest people have approved. A text that was not approved is
//! closed again.

mod same;

use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use tokio::sync::oneshot;

use super::gate::{Gated, Ruling};
use super::inquiry::{Description, Question, Reply, private_name};
use super::names::{Lookup, Prepared};
use super::relay::Session;
use crate::approval::{Answer, Fitting};
use crate::model::{Decision, HoldTerms, Judged};
use crate::sql::may_be_own;
use crate::wire::backend::ServerError;
use crate::wire::frame::HEADER;
use crate::wire::{frontend, request};
use same::is_same;

/// So many proposals for one request are remembered.
const MOST: usize = 16;

/// What approvers have proposed while one statement is held.
#[derive(Debug, Default)]
pub(super) struct Proposals {
    /// What can run.
    fits: Vec<Fit>,
    /// What the held statement takes and gives, once the server has said so.
    original: Option<Description>,
    /// What the server is being asked about.
    check: Option<Check>,
}

/// A statement that can run in the place of a held one.
#[derive(Debug)]
pub(super) struct Fit {
    fitting: Fitting,
    judged: Arc<Judged>,
    place: Place,
}

/// What takes the place of the held frame.
#[derive(Debug)]
enum Place {
    /// A simple query.
    Query(Bytes),
    /// The held Bind, of the statement with this name.
    Bind(String),
}

/// A statement that policy and people let run, if the server says that it fits.
#[derive(Debug)]
struct Draft {
    text: String,
    judged: Arc<Judged>,
}

/// A question to the server about a draft, and who waits for what comes of it.
#[derive(Debug)]
struct Check {
    draft: Draft,
    answer: Answer,
    /// The name that the draft was prepared under; `None` while the held statement is asked about.
    prepared: Option<String>,
    reply: oneshot::Receiver<Reply>,
}

impl Proposals {
    /// The server's answer; never where nothing was asked. Cancel-safe: it is kept until it is taken.
    pub(super) async fn reply(&mut self) -> Reply {
        match &mut self.check {
            Some(check) => (&mut check.reply)
                .await
                .unwrap_or_else(|_| Err(ServerError::default())),
            None => std::future::pending().await,
        }
    }

    /// Takes out the one with this digest.
    pub(super) fn take(&mut self, digest: &[u8; 32]) -> Option<Fit> {
        let place = self.fits.iter().position(|fit| fit.fitting.digest == *digest)?;
        Some(self.fits.swap_remove(place))
    }
}

impl Session {
    /// An approver wants this text to run instead. Answers at once, or once the server has said whether it fits.
    pub(super) async fn propose(
        &mut self,
        gated: &Gated,
        proposals: &mut Proposals,
        text: String,
        answer: Answer,
    ) {
        let draft = match self.draft(gated, text).await {
            Ok(draft) => draft,
            Err(why) => return answer.give(Err(why)),
        };
        if gated.source.is_none() {
            let mut frame = BytesMut::new();
            request::query(draft.text.as_bytes(), &mut frame);
            let digest = crate::approval::digest(&frame);
            let fit = Fit::new(digest, Place::Query(frame.freeze()), draft.judged);
            return self.give(proposals, answer, Ok(fit));
        }
        if proposals.check.is_some() {
            return answer.give(Err(
                "another change of it is just being checked: try again".to_owned()
            ));
        }
        let known = proposals.original.is_some();
        let asked = if known {
            self.ask_about(proposals, &draft.text)
        } else {
            self.ask_about_original(gated)
        };
        match asked {
            Ok((prepared, reply)) => {
                proposals.check = Some(Check {
                    draft,
                    answer,
                    prepared,
                    reply,
                });
            }
            Err(why) => answer.give(Err(why)),
        }
    }

    /// The server has answered what it was asked.
    pub(super) fn take_reply(&mut self, gated: &Gated, proposals: &mut Proposals, reply: Reply) {
        let Some(check) = proposals.check.take() else {
            return;
        };
        let Some(name) = check.prepared else {
            let asked = match reply {
                Ok(original) => {
                    proposals.original = Some(original);
                    self.ask_about(proposals, &check.draft.text)
                }
                Err(error) => Err(refused("of the statement as it was asked", &error)),
            };
            match asked {
                Ok((prepared, reply)) => {
                    proposals.check = Some(Check {
                        prepared,
                        reply,
                        ..check
                    });
                }
                Err(why) => check.answer.give(Err(why)),
            }
            return;
        };
        let fit = reply
            .map_err(|error| refused("of it", &error))
            .and_then(|changed| {
                let original = proposals
                    .original
                    .as_ref()
                    .ok_or("nothing is known of what was asked")?;
                is_same(original, &changed)?;
                let mut all = BytesMut::new();
                let text = check.draft.text.as_bytes();
                request::parse(name.as_bytes(), text, &original.parameters, &mut all);
                all.put_slice(&self.bind_frame(gated, &name)?);
                let digest = crate::approval::digest(&all);
                Ok(Fit::new(digest, Place::Bind(name.clone()), check.draft.judged))
            });
        if fit.is_err() {
            self.unused.push(name);
        }
        self.give(proposals, check.answer, fit);
    }

    /// Remembers what fits, and tells the approver.
    fn give(&mut self, proposals: &mut Proposals, answer: Answer, fit: Result<Fit, String>) {
        answer.give(fit.as_ref().map(|fit| fit.fitting.clone()).map_err(String::clone));
        if fit.is_ok() && proposals.fits.len() >= MOST {
            self.unused.extend(proposals.fits.remove(0).prepared());
        }
        proposals.fits.extend(fit);
    }

    /// The wait is over: what was prepared and is not to run is closed.
    pub(super) fn forget(&mut self, proposals: Proposals) {
        let fits = proposals.fits.into_iter();
        self.unused.extend(fits.filter_map(Fit::prepared));
        // One that is being asked about is given back with its answer, which nobody waits for any more.
        drop(proposals.check);
        self.close_unused();
    }

    fn ask_about(
        &mut self,
        proposals: &Proposals,
        text: &str,
    ) -> Result<(Option<String>, oneshot::Receiver<Reply>), String> {
        let name = private_name();
        let types = proposals.original.as_ref().map_or(&[][..], |o| &o.parameters);
        let question = Question::Text {
            name: &name,
            text: text.as_bytes(),
            types,
        };
        let reply = self.ask(question).map_err(str::to_owned)?;
        Ok((Some(name), reply))
    }

    /// Asks what the held statement takes and gives: by its name where the server has it, else by its text.
    fn ask_about_original(
        &mut self,
        gated: &Gated,
    ) -> Result<(Option<String>, oneshot::Receiver<Reply>), String> {
        let body = self.held_frame(gated).get(HEADER..).unwrap_or_default();
        let (_, name) = frontend::Bind::names(body).ok_or(UNREADABLE)?;
        if self.names.is_answered(name) {
            let name = name.to_vec();
            return Ok((None, self.ask(Question::Name(&name)).map_err(str::to_owned)?));
        }
        let (Lookup::Known(Prepared::Protocol { .. }), Some(source)) =
            (self.names.lookup(name, self.intake.segment), &gated.source)
        else {
            return Err("the server does not have the statement that it binds yet".to_owned());
        };
        let name = private_name();
        let question = Question::Text {
            name: &name,
            text: source.text(),
            types: &source.types,
        };
        let reply = self.ask(question).map_err(str::to_owned)?;
        // It is closed with the next question.
        self.unused.push(name);
        Ok((None, reply))
    }

    /// Judges the statement as if the requester had sent it.
    ///
    /// # Errors
    /// Why it cannot run, for the approver.
    async fn draft(&self, gated: &Gated, text: String) -> Result<Draft, String> {
        if gated.source.is_none() && gated.tag != b'Q' {
            return Err("a function call cannot be changed".to_owned());
        }
        let Ruling::Hold(terms) = &gated.ruling else {
            return Err("policy denied it".to_owned());
        };
        if self.is_reviewed_commit(gated) {
            return Err("what stands before a COMMIT has run already".to_owned());
        }
        if text.trim().is_empty() || text.contains('\0') {
            return Err("a statement is expected, without the character NUL".to_owned());
        }
        if text.len() >= self.limits.max_message || may_be_own(text.as_bytes()) {
            return Err("it is too long, or a statement that nobody need approve".to_owned());
        }
        if !self.is_utf8 && !text.is_ascii() {
            return Err(
                "its session's client_encoding is not UTF8, in which characters beyond ASCII are others: only ASCII \
                 can be put in its place"
                    .to_owned(),
            );
        }
        let sight = self.outlook.sight().cloned();
        let judged = self
            .shared
            .judge
            .judge_in(
                Bytes::copy_from_slice(text.as_bytes()),
                self.meaning_of(text.as_bytes()),
                sight,
            )
            .await;
        if judged.is_unparsed() {
            let why = judged.joined_facts().signals.join("; ");
            return Err(format!("it is no SQL that holdpoint knows: {why}"));
        }
        if is_counted_on(&judged) {
            return Err(
                "it begins or ends transactions, or names prepared statements or cursors: the program that asked \
                 counts on these"
                    .to_owned(),
            );
        }
        if gated.source.is_some() {
            may_be_bound(gated.pass.judged(), &judged)?;
        }
        self.permits(terms, &judged)?;
        if self.refused_by_shield(self.need(&judged)).is_some() {
            return Err("it writes, and its transaction is read-only".to_owned());
        }
        Ok(Draft { text, judged })
    }

    /// The held Bind, of the statement with this name.
    fn bind_frame(&self, gated: &Gated, name: &str) -> Result<BytesMut, String> {
        let body = self.held_frame(gated).get(HEADER..).unwrap_or_default();
        let (portal, statement) = frontend::Bind::names(body).ok_or(UNREADABLE)?;
        let rest = body.get(portal.len() + statement.len() + 2..).ok_or(UNREADABLE)?;
        let mut bind = BytesMut::with_capacity(gated.frame + name.len());
        request::bind_with(portal, name.as_bytes(), rest, &mut bind);
        Ok(bind)
    }

    /// The bytes that are held.
    fn held_frame(&self, gated: &Gated) -> &[u8] {
        let head = self.intake.clearance.len();
        let frame = self.intake.buffer.get(head..head + gated.frame);
        frame.unwrap_or_default()
    }

    /// Whether those who are asked may approve it: it must need nobody else.
    fn permits(&self, terms: &HoldTerms, judged: &Judged) -> Result<(), String> {
        match self.policy.decide(&self.subject(), judged) {
            Decision::Allow | Decision::Observe { .. } => Ok(()),
            Decision::Deny { reason, .. } => Err(format!("policy denies it: {reason}")),
            Decision::Hold(other) => {
                let mut quorum = terms.asks.quorum.clone();
                quorum.join(&other.asks.quorum);
                if terms.asks.self_approval && !other.asks.self_approval {
                    Err("its rule lets nobody approve their own, and this request does".to_owned())
                } else if quorum == terms.asks.quorum {
                    Ok(())
                } else {
                    Err(format!(
                        "it needs approval by {}, and this request asks {} only",
                        other.asks.quorum, terms.asks.quorum
                    ))
                }
            }
        }
    }

    /// Puts the approved statement in the place of the held one. Gives the digest of the frame that is to be cleared;
    /// `None` where it cannot be made any more.
    pub(super) fn take_edit(&mut self, gated: &mut Gated, fit: Fit) -> Option<[u8; 32]> {
        let frame = match fit.place {
            Place::Query(frame) => frame,
            Place::Bind(name) => self.bind_frame(gated, &name).ok()?.freeze(),
        };
        let head = self.intake.clearance.len();
        let mut rest = self.intake.buffer.split_off(head.min(self.intake.buffer.len()));
        let behind = rest.split_off(gated.frame.min(rest.len()));
        self.intake.buffer.extend_from_slice(&frame);
        self.intake.buffer.extend_from_slice(&behind);
        gated.frame = frame.len();
        gated.facts = fit.judged.joined_facts();
        gated.pass.replace(fit.judged);
        Some(crate::approval::digest(&frame))
    }
}

impl Fit {
    fn new(digest: [u8; 32], place: Place, judged: Arc<Judged>) -> Self {
        let facts = judged.joined_facts();
        Self {
            fitting: Fitting {
                digest,
                command: facts.commands.join(", "),
                effect: facts.effect,
            },
            judged,
            place,
        }
    }

    /// The statement that was prepared for it.
    fn prepared(self) -> Option<String> {
        match self.place {
            Place::Query(_) => None,
            Place::Bind(name) => Some(name),
        }
    }
}

const UNREADABLE: &str = "the message that binds it cannot be read";

/// Whether a text has to do with transactions or names, on which a program counts.
fn is_counted_on(judged: &Judged) -> bool {
    judged
        .statements
        .iter()
        .any(|statement| statement.name_op.is_some() || statement.transaction_control)
}

/// Whether a text may stand in the place of another that is bound, as far as the server need not be asked.
fn may_be_bound(original: &Judged, judged: &Judged) -> Result<(), String> {
    if is_counted_on(original) {
        return Err(
            "the statement that came begins or ends transactions, or names prepared statements or cursors: its program \
             counts on these"
                .to_owned(),
        );
    }
    if judged.statements.len() != 1 {
        return Err("it came by the extended protocol, where one statement is expected".to_owned());
    }
    let copies = |judged: &Judged| {
        let mut commands = judged.statements.iter().flat_map(|s| &s.facts.commands);
        commands.any(|command| command == "COPY")
    };
    if copies(original) || copies(judged) {
        return Err("COPY talks to its program, and cannot be put in the place of another".to_owned());
    }
    Ok(())
}

/// The server's error, for the approver.
fn refused(what: &str, error: &ServerError) -> String {
    let message = &error.message;
    match error.sqlstate.as_str() {
        "57014" | "55P03" => format!("the server could not look at it in time ({message}): try again"),
        "" => "the server has not answered: try again".to_owned(),
        _ => format!("the server says {what}: {message}"),
    }
}
