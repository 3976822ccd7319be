//! Running what people have approved: as it was asked, or with a change.

use super::{Verdict, WITHDRAWN, Wish, withdraw};
use crate::approval::{Intent, Running, Started, Ticket};
use crate::model::Review;
use crate::session::Fault;
use crate::session::edit::Fit;
use crate::session::gate::Gated;
use crate::session::notices::{self, Held};
use crate::session::relay::Session;

/// Why what was approved did not run.
const GONE_BEFORE: &str = "the requester went away before it was forwarded; it did not run";

/// That people have approved.
pub(super) struct Consent {
    pub(super) reviews: Vec<Review>,
    /// Of what they have approved.
    pub(super) digest: [u8; 32],
    /// Where it was recorded with the last approval that it runs.
    pub(super) intent: Option<Intent>,
}

impl Session {
    /// Approved, as it was asked or with a change, which then takes its place and is made durable as what runs. A client that has
    /// gone runs nothing.
    pub(super) async fn start_approved(
        &mut self,
        ticket: Ticket,
        held: &Held,
        consent: Consent,
        gated: &mut Gated,
        chosen: Option<Fit>,
    ) -> Result<Verdict, Fault> {
        let digest = match chosen {
            Some(fit) => self.take_edit(gated, fit),
            None => (consent.digest == held.digest).then_some(consent.digest),
        };
        let Some(digest) = digest else {
            let why = "the statement that was approved is not known to its session";
            let_go(ticket, consent.intent, held, why).await;
            return Ok(Verdict::Refused(notices::not_approved(held)));
        };
        match self.is_client_there().await {
            Ok(Wish::Run) => {}
            Ok(wish) => {
                let (why, verdict) = unwanted(&wish, held);
                let_go(ticket, consent.intent, held, why).await;
                return Ok(verdict);
            }
            Err(fault) => {
                let_go(ticket, consent.intent, held, GONE_BEFORE).await;
                return Err(fault);
            }
        }
        let running = match consent.intent {
            Some(intent) => ticket.run(intent, digest),
            None => match self.start(ticket, held, digest).await? {
                Ok(running) => running,
                Err(refused) => return Ok(refused),
            },
        };
        tracing::info!(request.id = %held.id, "approved; forwarding");
        self.say(&notices::approved(held, &consent.reviews));
        Ok(Verdict::Runs(running))
    }

    /// Makes the intent durable, where that was not done with the last approval.
    async fn start(
        &mut self,
        ticket: Ticket,
        held: &Held,
        digest: [u8; 32],
    ) -> Result<Result<Running, Verdict>, Fault> {
        let running = match ticket.start(digest).await {
            Ok(Started::Running(running)) => running,
            Ok(Started::NotApproved) => return Ok(Err(Verdict::Refused(notices::not_approved(held)))),
            Err(error) => {
                tracing::error!(request.id = %held.id, %error, "cannot record that a statement runs");
                return Ok(Err(Verdict::Refused(notices::cannot_record())));
            }
        };
        match self.is_client_there().await {
            Ok(Wish::Run) => Ok(Ok(running)),
            Ok(wish) => {
                let (why, verdict) = unwanted(&wish, held);
                running.not_forwarded(why);
                Ok(Err(verdict))
            }
            Err(fault) => {
                running.not_forwarded(GONE_BEFORE);
                Err(fault)
            }
        }
    }
}

/// Why what was approved does not run after all, and what becomes of its frame.
fn unwanted(wish: &Wish, held: &Held) -> (&'static str, Verdict) {
    match wish {
        Wish::Skip => (
            "an earlier message of its pipeline failed; it did not run",
            Verdict::Skipped,
        ),
        Wish::Run | Wish::Cancel => (WITHDRAWN, Verdict::Refused(notices::withdrawn(held))),
    }
}

/// What was approved does not run.
async fn let_go(ticket: Ticket, intent: Option<Intent>, held: &Held, why: &'static str) {
    match intent {
        Some(intent) => {
            intent.not_forwarded(why);
            ticket.close();
        }
        None => withdraw(ticket, held, why).await,
    }
}
