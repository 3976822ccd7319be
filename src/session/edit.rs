//! Approving with a change: whether another statement can run in the place of a held one, and its bytes.
//!
//! Invariant: what runs is a frame that was made here and whose digest people have approved.

use bytes::{BufMut as _, Bytes, BytesMut};

use super::gate::{Gated, Ruling};
use super::relay::Session;
use crate::approval::Fitting;
use crate::model::{Decision, HoldTerms, Judged};
use crate::sql::may_be_own;

/// So many proposals for one request are remembered.
pub(super) const MOST: usize = 16;

/// A statement that can run in the place of a held one.
#[derive(Debug)]
pub(super) struct Fit {
    pub(super) fitting: Fitting,
    frame: Bytes,
    judged: std::sync::Arc<Judged>,
}

impl Session {
    /// Judges the statement as if the requester had sent it.
    ///
    /// # Errors
    /// Why it cannot run, for the approver.
    pub(super) async fn fit(&self, gated: &Gated, text: &str) -> Result<Fit, String> {
        if gated.tag != b'Q' {
            return Err(
                "this statement came by the extended protocol, with parameters and result columns that the program \
                 counts on: it can be approved as it is, or rejected with a word on what to change"
                    .to_owned(),
            );
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
        let sight = self.outlook.sight().cloned();
        let judged = self
            .shared
            .judge
            .judge_in(Bytes::copy_from_slice(text.as_bytes()), self.meaning, sight)
            .await;
        if judged.is_unparsed() {
            let why = judged.joined_facts().signals.join("; ");
            return Err(format!("it is no SQL that holdpoint knows: {why}"));
        }
        let names = |judged: &Judged| {
            judged
                .statements
                .iter()
                .any(|s| s.name_op.is_some() || s.transaction_control)
        };
        if names(&judged) {
            return Err(
                "it begins or ends transactions, or names prepared statements or cursors: the program that asked \
                 counts on these"
                    .to_owned(),
            );
        }
        self.permits(terms, &judged)?;
        let mut frame = BytesMut::with_capacity(text.len() + 6);
        frame.put_u8(b'Q');
        frame.put_u32(u32::try_from(text.len() + 5).map_err(|_| "it is too long".to_owned())?);
        frame.put_slice(text.as_bytes());
        frame.put_u8(0);
        let facts = judged.joined_facts();
        Ok(Fit {
            fitting: Fitting {
                digest: crate::approval::digest(&frame),
                command: facts.commands.join(", "),
                effect: facts.effect,
            },
            frame: frame.freeze(),
            judged,
        })
    }

    /// Whether those who are asked may approve it: it must need nobody else.
    fn permits(&self, terms: &HoldTerms, judged: &Judged) -> Result<(), String> {
        match self.policy.decide(&self.subject(), judged) {
            Decision::Allow | Decision::Observe { .. } => Ok(()),
            Decision::Deny { reason, .. } => Err(format!("policy denies it: {reason}")),
            Decision::Hold(other) => {
                let mut quorum = terms.asks.quorum.clone();
                quorum.join(&other.asks.quorum);
                if quorum == terms.asks.quorum {
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

    /// Puts the approved statement in the place of the held one.
    pub(super) fn take_edit(&mut self, gated: &mut Gated, fit: Fit) {
        let head = self.intake.clearance.len();
        let mut rest = self.intake.buffer.split_off(head.min(self.intake.buffer.len()));
        let behind = rest.split_off(gated.frame.min(rest.len()));
        self.intake.buffer.extend_from_slice(&fit.frame);
        self.intake.buffer.extend_from_slice(&behind);
        gated.frame = fit.frame.len();
        gated.facts = fit.judged.joined_facts();
        gated.pass.replace(fit.judged);
    }
}
