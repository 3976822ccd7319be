//! The hold: a statement waits for people while its session goes on being a session.
//!
//! Meanwhile messages from the server pass, the client is read into a capped buffer so that its going
//! away is noticed, and notices tell it what it waits for.

mod looks;
mod place;
mod start;

use std::future::poll_fn;
use std::time::Duration;

use crate::timer::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};

use super::Fault;
use super::edit::Proposals;
use super::gate::{Approved, Gated, Ruling};
use super::inflight::Expect;
use super::intake::Stop;
use super::notices::{self, Held};
use super::relay::{Event, Session};
use crate::approval::{Asker, Intent, News, Ticket};
use crate::model::{
    Asks, Basis, EarlierOutcome, Facts, Given, HoldTerms, NewRequest, Origin, RequestId, Settlement, Shape,
};
use crate::wire::backend::TransactionStatus;
use crate::wire::{Header, Report, request};
use start::Consent;

/// What people should know of a text in another encoding than they read it in.
const SHOWN_OTHERWISE: &str = "the session's client_encoding is not UTF8: characters beyond ASCII are shown as if it were, \
                               and may be others to the server";

/// What becomes of what was approved when its requester cancels it before it has gone upstream.
pub(super) const WITHDRAWN: &str = "withdrawn by the requester; it did not run";

/// How a wait ended.
enum Waited {
    /// As [`News::Settled`] says.
    Settled(Settlement, Option<Intent>),
    /// The requester pressed Ctrl-C.
    Cancelled,
    /// An earlier message of its pipeline failed: the server would skip it.
    Skipped,
}

/// What a client wants in the moment in which its statement is approved.
enum Wish {
    Run,
    /// It has asked to cancel.
    Cancel,
    /// An earlier message of its pipeline has failed: the server would skip it.
    Skip,
}

/// What becomes of a frame that was held.
enum Verdict {
    Runs(crate::approval::Running),
    Refused(Report),
    /// It is dropped without a word: the client has had the error that skips it.
    Skipped,
    /// It has run, and the client has its answers.
    Answered,
}

impl Session {
    /// Records what policy stopped and carries out its ruling.
    pub(super) async fn settle(&mut self, mut gated: Gated) -> Result<(), Fault> {
        self.intake.stop = Some(Stop::Deciding);
        let mut request = self.request(&gated);
        let is_commit = self.is_reviewed_commit(&gated);
        if is_commit {
            self.asks_for_commit(&mut request);
        } else {
            self.within_review(&mut request);
        }
        let mut recorded = None;
        let verdict = match &gated.ruling {
            Ruling::Deny { rule, reason } => {
                recorded = Some((request.id, request.command.clone()));
                Verdict::Refused(self.deny(request, rule, reason).await)
            }
            Ruling::Hold(_) if self.commits_by_name(&gated) => Verdict::Refused(notices::commit_by_itself()),
            Ruling::Hold(terms) if lacks(terms, &request) => {
                Verdict::Refused(notices::unjustified(terms.asks.justification, &request))
            }
            Ruling::Hold(terms) => {
                let terms = terms.clone();
                self.place(request, &terms, &mut gated, &mut recorded).await?
            }
        };
        // What runs can be withdrawn until it goes upstream, which may have to wait; a COMMIT is not cancelled.
        if is_commit || !matches!(verdict, Verdict::Runs(_)) {
            self.handle.set_holding(false);
        } else {
            self.handle.lets_run();
        }
        self.intake.stop = None;
        match verdict {
            Verdict::Runs(running) => {
                // The frame is cleared, and forwarded at the end of its unit, when the intake resumes.
                self.intake.approved = Some(Box::new(Approved {
                    running,
                    pass: gated.pass,
                }));
                Ok(())
            }
            Verdict::Refused(report) => {
                if let Some((id, command)) = recorded {
                    self.remember_request(id, &command, EarlierOutcome::Refused, gated.tag);
                }
                self.refuse_held(&gated, report).await
            }
            // The intake drops it when it resumes, or has.
            Verdict::Skipped | Verdict::Answered => Ok(()),
        }
    }

    /// The requester cancels what people have approved, before it has gone upstream.
    pub(super) fn cancel_approved(&mut self) {
        if let Some(approved) = self.intake.approved.take() {
            self.handle.set_holding(false);
            approved.running.not_forwarded(WITHDRAWN);
            self.intake.is_cancelled = true;
        }
    }

    /// Why this requester need not wait, where that is so; and the groups that may hold grants.
    fn asker(&self, terms: &HoldTerms) -> Asker {
        let principal = &self.who.principal;
        let may_break = terms
            .asks
            .break_glass
            .iter()
            .any(|group| principal.is_member(group));
        let bypass = if terms.asks.exempt_admins && principal.admin {
            Some(Basis::AdminExempt)
        } else if may_break && self.own.break_glass().is_some() {
            Some(Basis::BreakGlass)
        } else {
            None
        };
        Asker {
            groups: principal.groups.clone(),
            bypass,
            counts_rows: false,
        }
    }

    /// It runs although policy holds it: the requester and the operator are told.
    fn note_not_held(&mut self, held: &Held, basis: &Basis) {
        let user = &self.who.principal.name;
        let database = &self.who.database;
        if *basis == Basis::BreakGlass {
            tracing::warn!(request.id = %held.id, user.name = %user, database.name = %database,
                command = %held.command, reason = self.own.break_glass(), "the glass was broken");
        } else {
            tracing::info!(request.id = %held.id, user.name = %user, database.name = %database,
                command = %held.command, basis = basis.as_str(), "not held");
        }
        if let Some(notice) = notices::not_held(held, basis, self.review_ends_at(), self.shared.clock.now()) {
            self.say(&notice);
        }
    }

    async fn deny(&self, mut request: NewRequest, rule: &str, reason: &std::sync::Arc<str>) -> Report {
        request.expires_at = request.created_at;
        let id = request.id;
        tracing::info!(request.id = %id, user.name = %self.who.principal.name,
            database.name = %self.who.database, command = %request.command, rule = %rule, "denied");
        match self
            .shared
            .broker
            .record_denied(request, std::sync::Arc::clone(reason))
            .await
        {
            Ok(()) => notices::denied(reason, rule, id, &self.shared.url_of(id)),
            Err(error) => {
                tracing::error!(%error, "cannot record a denied statement");
                notices::cannot_record()
            }
        }
    }

    /// Waits until the request is settled, and gives the right to run it or the reason why not.
    async fn wait(&mut self, mut ticket: Ticket, held: &Held, gated: &mut Gated) -> Result<Verdict, Fault> {
        let mut proposals = Proposals::default();
        let waited = self.wait_settled(&mut ticket, held, gated, &mut proposals).await;
        let chosen = match &waited {
            Ok(Waited::Settled(Settlement::Approved { digest, .. }, _)) => proposals.take(digest),
            _ => None,
        };
        self.forget(proposals);
        match waited {
            Ok(Waited::Settled(Settlement::Approved { reviews, digest }, intent)) => {
                let consent = Consent {
                    reviews,
                    digest,
                    intent,
                };
                self.start_approved(ticket, held, consent, gated, chosen).await
            }
            Ok(Waited::Settled(settlement, _)) => {
                ticket.close();
                Ok(Verdict::Refused(notices::settled(&settlement, held)))
            }
            Ok(Waited::Cancelled) => {
                withdraw(ticket, held, "withdrawn by the requester").await;
                Ok(Verdict::Refused(notices::withdrawn(held)))
            }
            Ok(Waited::Skipped) => {
                withdraw(ticket, held, "an earlier message of its pipeline failed").await;
                Ok(Verdict::Skipped)
            }
            Err(Fault::ShuttingDown) => {
                if let Err(error) = ticket.abandon("the proxy was stopped").await {
                    tracing::error!(request.id = %held.id, %error, "cannot record that a request was abandoned");
                }
                Err(Fault::Abandoned { id: held.id })
            }
            Err(fault) => {
                let why = match fault {
                    Fault::ServerGone | Fault::ServerIo(_) | Fault::ServerProtocol(_) => {
                        let state = self.goodbye.as_ref().map(|error| error.sqlstate.as_str());
                        closed_by_server(state)
                    }
                    Fault::Store(_) => "the store failed while it waited",
                    Fault::Expelled { .. } => "the requester was disabled",
                    Fault::Inquiry => "its transaction was lost while a change was checked",
                    Fault::ReviewOver { .. } => "the time for the review of its transaction was over",
                    _ => "the requester went away",
                };
                withdraw(ticket, held, why).await;
                Err(fault)
            }
        }
    }

    async fn wait_settled(
        &mut self,
        ticket: &mut Ticket,
        held: &Held,
        gated: &Gated,
        proposals: &mut Proposals,
    ) -> Result<Waited, Fault> {
        let left = self.shared.clock.now().duration_until(ticket.expires_at());
        let expiry = Instant::now() + Duration::try_from(left).unwrap_or_default();
        let mut reminders = ticks(self.shared.hold.notice_interval);
        let mut looks = self.looks();
        self.say(&notices::held(held, self.shared.clock.now()));
        loop {
            tokio::select! {
                biased;
                moved = self.relay_waiting(&mut looks) => match moved? {
                    Event::Shutdown => return Err(self.told_to_end()),
                    Event::CancelRequested => return Ok(Waited::Cancelled),
                    Event::Skipped => return Ok(Waited::Skipped),
                    Event::Stopped => {}
                },
                reply = proposals.reply() => self.take_reply(gated, proposals, reply),
                news = ticket.news() => match news.map_err(Fault::Store)? {
                    News::Settled(settlement, intent) => return Ok(Waited::Settled(settlement, intent)),
                    News::Approved { by, missing } => self.say(&notices::partly_approved(held, &by, &missing)),
                    News::Edited { edit, missing } => self.say(&notices::edited(held, &edit, &missing)),
                    News::Proposed { text, answer } => self.propose(gated, proposals, text, answer).await,
                },
                () = sleep_until(expiry) => {
                    let (settlement, intent) = ticket.expire().await.map_err(Fault::Store)?;
                    return Ok(Waited::Settled(settlement, intent));
                }
                _ = reminders.tick() => self.say(&notices::still_held(held, self.shared.clock.now())),
            }
            if self.handle.is_stopping() {
                return Err(self.told_to_end());
            }
        }
    }

    /// Refuses the frame that was held: drops it, and answers in its place.
    async fn refuse_held(&mut self, gated: &Gated, report: Report) -> Result<(), Fault> {
        if self.is_reviewed_commit(gated) {
            self.review_rolls_back();
            return poll_fn(|cx| {
                std::task::Poll::Ready(self.roll_back_at_head(cx, gated.tag, gated.frame, &report))
            })
            .await;
        }
        poll_fn(|cx| std::task::Poll::Ready(self.refuse_at_head(cx, gated.tag, gated.frame, &report))).await
    }

    /// A notice to the client, if it stands between two messages; else the next one will do.
    pub(super) fn say(&mut self, notice: &Report) {
        if self.outflow.at_boundary() {
            notice.encode(self.client.out());
        }
    }

    /// Reads what the client has sent by now, and what it wants; fails if that is its end.
    async fn is_client_there(&mut self) -> Result<Wish, Fault> {
        // Lets the runtime see what has happened on the socket since it last looked.
        tokio::task::yield_now().await;
        let wish = poll_fn(|cx| {
            std::task::Poll::Ready(match self.poll_relay(cx) {
                std::task::Poll::Ready(Err(fault)) => Err(fault),
                std::task::Poll::Ready(Ok(Event::CancelRequested)) => Ok(Wish::Cancel),
                std::task::Poll::Ready(Ok(Event::Skipped)) => Ok(Wish::Skip),
                _ => Ok(Wish::Run),
            })
        })
        .await?;
        if self.client.stream.is_read_closed().await || self.says_goodbye() {
            return Err(Fault::ClientGone);
        }
        Ok(wish)
    }

    /// Whether a Terminate stands among the whole messages that wait.
    fn says_goodbye(&self) -> bool {
        let mut rest = &self.intake.buffer[self.intake.clearance.len().min(self.intake.buffer.len())..];
        while let Ok(Some(header)) = Header::peek_frontend(rest) {
            if header.tag == b'X' {
                return true;
            }
            match rest.get(header.total()..) {
                Some(behind) => rest = behind,
                None => return false,
            }
        }
        false
    }

    /// What the requester gives with a statement: in comments at its head, by SET, or in the program's name.
    fn given(&self, text: &[u8]) -> Given {
        Given::in_comments(&String::from_utf8_lossy(text))
            .or(self.own.given())
            .or(Given::in_name(&self.who.application_name))
            .or(Given {
                reason: self.own.break_glass().map(str::to_owned),
                ticket: None,
            })
    }

    /// The shape, where its names stand for the same in every session: none depends on a path or a role.
    fn lasting_shape(&self, facts: &Facts) -> Option<Shape> {
        let is_qualified = facts.tables.iter().all(|table| table.schema.is_some());
        let is_own = self.outlook.signals().next().is_some();
        let is_known = self.outlook.has_default_path() && self.outlook.sight().is_some();
        facts
            .shape
            .filter(|_| !is_own && is_qualified && (is_known || facts.functions.is_empty()))
    }

    /// Where what is asked now comes from.
    pub(super) fn origin(&self) -> Origin {
        let in_transaction = self.status == TransactionStatus::InTransaction;
        Origin {
            database: self.who.database.clone(),
            user: self.who.principal.name.clone(),
            application_name: self.who.application_name.clone(),
            client_addr: self.who.client_addr.clone(),
            in_transaction,
            transaction_since: self.transaction_since.filter(|_| in_transaction),
        }
    }

    /// Whether the server may read other characters in it than people do.
    fn is_shown_otherwise(&self, gated: &Gated) -> bool {
        let mut values = gated
            .parameters
            .iter()
            .filter_map(|parameter| parameter.value.as_deref());
        let is_ascii = gated.text.is_ascii() && values.all(str::is_ascii);
        !(self.is_utf8 || is_ascii)
    }

    fn request(&self, gated: &Gated) -> NewRequest {
        let created_at = self.shared.clock.now();
        let (rule, asks) = match &gated.ruling {
            Ruling::Hold(HoldTerms { rules, asks }) => (
                rules.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(", "),
                asks.clone(),
            ),
            Ruling::Deny { rule, .. } => (rule.to_string(), Asks::default()),
        };
        let timeout = asks.timeout.unwrap_or(self.shared.hold.timeout);
        let given = self.given(&gated.text);
        let head = self.intake.clearance.len();
        let frame = self
            .intake
            .buffer
            .get(head..head + gated.frame)
            .unwrap_or_default();
        NewRequest {
            id: RequestId::from_random(rand::random()),
            origin: self.origin(),
            statement: String::from_utf8_lossy(&gated.text).into_owned(),
            parameters: gated.parameters.clone(),
            digest: crate::approval::digest(frame),
            command: gated.facts.commands.join(", "),
            effect: gated.facts.effect,
            tables: gated.facts.tables.clone(),
            functions: gated.facts.functions.clone(),
            signals: gated
                .facts
                .signals
                .iter()
                .cloned()
                .chain(self.outlook.signals())
                .chain(self.is_shown_otherwise(gated).then(|| SHOWN_OTHERWISE.to_owned()))
                .collect(),
            unfiltered: gated.facts.unfiltered,
            rule,
            quorum: asks.quorum,
            self_approval: asks.self_approval,
            justification: given.reason,
            ticket: given.ticket,
            shape: self.lasting_shape(&gated.facts),
            earlier: self.earlier(),
            created_at,
            expires_at: created_at.saturating_add(timeout).unwrap_or(created_at),
        }
    }

    /// Asks the server whether a text that cannot be parsed here is SQL at all: Parse runs nothing.
    /// Its error is then what the client would have had directly; if it takes the text, people decide.
    pub(super) fn probe(&mut self, mut gated: Box<Gated>) {
        gated.probed = true;
        self.begin_work();
        let out = self.server.out();
        request::parse(b"", &gated.text, &[], out);
        // So that the text does not stay behind as the unnamed statement.
        request::close_statement(b"", out);
        out.extend_from_slice(request::SYNC);
        self.names.forget_unnamed();
        let in_transaction = self.status == TransactionStatus::InTransaction;
        self.inflight.push_own(Expect::Probe {
            accepted: false,
            in_transaction,
        });
        self.intake.stop = Some(Stop::Probing(gated));
    }
}

/// Why a request ends with its session, by the SQLSTATE of the server's last word.
fn closed_by_server(state: Option<&str>) -> &'static str {
    match state {
        Some("25P03") => "the server closed the session: its transaction had been idle for too long (25P03)",
        Some("25P04") => "the server closed the session: its transaction had lasted for too long (25P04)",
        Some("57P05") => "the server closed the session: it had been idle for too long (57P05)",
        Some("57P01") => "the server closed the session: an administrator ended it (57P01)",
        Some("57P02") => "the server closed the session: another of its processes crashed (57P02)",
        Some(_) => "the server closed the session with an error of its own",
        None => "the connection to the server was lost",
    }
}

/// Whether the requester has not given what the rules ask for.
fn lacks(terms: &HoldTerms, request: &NewRequest) -> bool {
    let asked = terms.asks.justification;
    (asked.reason && request.justification.is_none()) || (asked.ticket && request.ticket.is_none())
}

async fn withdraw(ticket: Ticket, held: &Held, why: &'static str) {
    if let Err(error) = ticket.withdraw(why).await {
        tracing::error!(request.id = %held.id, %error, "cannot record a withdrawal");
    }
}

fn ticks(every: Duration) -> Interval {
    let mut ticks = interval_at(Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
