//! Placing what policy holds: it waits for people, or runs at once on other grounds.

use super::Verdict;
use crate::approval;
use crate::model::{Basis, EarlierOutcome, HoldTerms, NewRequest, RequestId};
use crate::session::Fault;
use crate::session::gate::Gated;
use crate::session::intake::Stop;
use crate::session::limited::{Countable, Limited};
use crate::session::notices::{self, Held};
use crate::session::relay::Session;

impl Session {
    /// Has it wait for people, or runs it on other grounds. What runs under a limit of rows and changes more is undone,
    /// and then waits for people.
    pub(super) async fn place(
        &mut self,
        mut request: NewRequest,
        terms: &HoldTerms,
        gated: &mut Gated,
        recorded: &mut Option<(RequestId, String)>,
    ) -> Result<Verdict, Fault> {
        let is_commit = self.is_reviewed_commit(gated);
        let mut asker = self.asker(terms);
        if asker.bypass.is_none() {
            asker.bypass = self.with_its_transaction(&mut request, terms, gated);
        }
        // From here on Ctrl-C withdraws.
        self.handle.set_holding(true);
        let mut unit = match asker.bypass {
            Some(_) => Err(None),
            None => match self.countable(gated).await? {
                Countable::As(unit) => Ok(unit),
                Countable::Not(why) => Err(Some(why)),
                Countable::Cancelled => return Ok(Verdict::Refused(notices::cancelled())),
            },
        };
        loop {
            asker.counts_rows = unit.is_ok();
            let held = self.held(&request);
            let rule = request.rule.clone();
            let (running, basis) = match self.shared.broker.hold(request, asker.clone()).await {
                Ok(approval::Held::Waits(ticket, uncounted)) => {
                    tracing::info!(request.id = %held.id, user.name = %self.who.principal.name,
                        database.name = %self.who.database, command = %held.command, %rule, "held");
                    if let (Some(basis), Err(Some(why))) = (&uncounted, unit) {
                        self.say(&notices::uncounted(basis, why));
                    }
                    *recorded = Some((held.id, held.command.clone()));
                    self.commit_waits(is_commit);
                    self.lower_ahead(&gated.pass);
                    let verdict = self.wait(ticket, &held, gated).await?;
                    self.commit_waits(false);
                    return Ok(verdict);
                }
                Ok(approval::Held::Runs(running, basis)) => (running, basis),
                Err(error) => {
                    tracing::error!(%error, "cannot record a held statement");
                    return Ok(Verdict::Refused(notices::cannot_record()));
                }
            };
            self.note_not_held(&held, &basis);
            let (most, whole) = match (basis.max_rows(), unit) {
                (None, _) => return Ok(Verdict::Runs(running)),
                (Some(most), Ok(whole)) => (most, whole),
                (Some(_), Err(_)) => {
                    running.not_forwarded("its rows cannot be counted; it did not run");
                    return Ok(Verdict::Refused(notices::cannot_record()));
                }
            };
            // That of a query is over by the time that it is answered.
            let segment = self.intake.segment;
            let (why, cancelled) = match self.run_limited(running, most, gated, whole).await? {
                Limited::Answered => {
                    self.remember_in(segment, held.id, &held.command, EarlierOutcome::Held);
                    return Ok(Verdict::Answered);
                }
                Limited::Skipped => return Ok(Verdict::Skipped),
                Limited::Cancelled => return Ok(Verdict::Refused(notices::cancelled())),
                Limited::Undone { why, cancelled } => (why, cancelled),
            };
            tracing::info!(request.id = %held.id, %why, "rolled back: it is not within its standing approval");
            if cancelled {
                return Ok(Verdict::Refused(notices::undone_and_cancelled(&held)));
            }
            self.say(&notices::undone(&basis, &why, held.id));
            self.intake.stop = Some(Stop::Deciding);
            self.handle.set_holding(true);
            unit = Err(None);
            request = self.request(gated);
            request.signals.push(notices::was_undone(&basis, &why, held.id));
        }
    }

    /// On which grounds it runs now, to be reviewed with its transaction; where it could, and is asked about by itself, its
    /// approvers are told why.
    fn with_its_transaction(
        &mut self,
        request: &mut NewRequest,
        terms: &HoldTerms,
        gated: &Gated,
    ) -> Option<Basis> {
        if !self.is_reviewed_later(gated, &terms.asks) {
            return None;
        }
        let Some(why) = self.why_not_later(gated) else {
            return Some(self.review_later(request, terms, &gated.facts));
        };
        request.signals.push(format!(
            "asked about by itself, and not with its transaction: {why}"
        ));
        None
    }

    /// What the requester is told of it.
    fn held(&self, request: &NewRequest) -> Held {
        Held {
            id: request.id,
            approvers: request.quorum.to_string(),
            seats: request.quorum.seats().len(),
            url: self.shared.url_of(request.id),
            expires_at: request.expires_at,
            command: request.command.clone(),
            digest: request.digest,
        }
    }
}
