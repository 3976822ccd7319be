//! Approving with a change: whether another statement can run in the place of a held one, and its bytes.
//!
//! A simple query is replaced by another. What a Bind binds is replaced by a Parse under a name of our own, with the types
//! that the parameters have, and the same Bind of that: the server holds the text to these types, and neither text gives
//! rows.
//!
//! Invariant: what runs is what was made here and whose digest people have approved.

use std::task::Context;

use bytes::{BufMut as _, Bytes, BytesMut};

use super::Fault;
use super::gate::{Gated, Ruling};
use super::inflight::Expect;
use super::names::Source;
use super::relay::Session;
use crate::approval::Fitting;
use crate::model::{Decision, HoldTerms, Judged};
use crate::sql::{gives_no_rows, highest_parameter, may_be_own};
use crate::wire::frame::HEADER;

/// So many proposals for one request are remembered.
pub(super) const MOST: usize = 16;

/// A name for the prepared statement that a changed Bind binds, with its end. Nobody can guess it: a client that had
/// prepared something harmless under it could bind what was approved once more, as if it were that. The statement
/// stays until the session ends, and is not known by that name here, so that a Bind of it is refused.
fn private_name() -> Vec<u8> {
    format!("_holdpoint_edit_{:016x}\0", rand::random::<u64>()).into_bytes()
}

/// A statement that can run in the place of a held one.
#[derive(Debug)]
pub(super) struct Fit {
    pub(super) fitting: Fitting,
    /// The Parse that goes before a Bind.
    parse: Option<Bytes>,
    frame: Bytes,
    judged: std::sync::Arc<Judged>,
}

impl Session {
    /// Judges the statement as if the requester had sent it.
    ///
    /// # Errors
    /// Why it cannot run, for the approver.
    pub(super) async fn fit(&self, gated: &Gated, text: &str) -> Result<Fit, String> {
        if let Some(source) = &gated.source {
            fits_in_place(source, gated.parameters.len(), text)?;
        } else if gated.tag != b'Q' {
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
        let (parse, frame) = self.frames(gated, text)?;
        let facts = judged.joined_facts();
        let mut all = parse.clone().unwrap_or_default().to_vec();
        all.extend_from_slice(&frame);
        Ok(Fit {
            fitting: Fitting {
                digest: crate::approval::digest(&all),
                command: facts.commands.join(", "),
                effect: facts.effect,
            },
            parse,
            frame,
            judged,
        })
    }

    /// The frame that would be forwarded, and the Parse before it where it is a Bind.
    fn frames(&self, gated: &Gated, text: &str) -> Result<(Option<Bytes>, Bytes), String> {
        let too_long = |_| "it is too long".to_owned();
        let Some(source) = &gated.source else {
            let mut frame = BytesMut::with_capacity(text.len() + 6);
            frame.put_u8(b'Q');
            frame.put_u32(u32::try_from(text.len() + 5).map_err(too_long)?);
            frame.put_slice(text.as_bytes());
            frame.put_u8(0);
            return Ok((None, frame.freeze()));
        };
        let name = private_name();
        let mut parse = BytesMut::with_capacity(text.len() + 64);
        parse.put_u8(b'P');
        let length = 4 + name.len() + text.len() + 1 + 2 + 4 * source.types.len();
        parse.put_u32(u32::try_from(length).map_err(too_long)?);
        parse.put_slice(&name);
        parse.put_slice(text.as_bytes());
        parse.put_u8(0);
        parse.put_u16(u16::try_from(source.types.len()).map_err(too_long)?);
        for oid in source.types.iter() {
            parse.put_u32(*oid);
        }
        // The same Bind, of that statement.
        let head = self.intake.clearance.len();
        let frame = self.intake.buffer.get(head..head + gated.frame);
        let rest = frame
            .and_then(|frame| frame.get(HEADER..))
            .and_then(|body| split_names(body))
            .ok_or_else(|| "the message that binds it cannot be read".to_owned())?;
        let (portal, rest) = rest;
        let mut bind = BytesMut::with_capacity(gated.frame);
        bind.put_u8(b'B');
        bind.put_u32(u32::try_from(4 + portal.len() + 1 + name.len() + rest.len()).map_err(too_long)?);
        bind.put_slice(portal);
        bind.put_u8(0);
        bind.put_slice(&name);
        bind.put_slice(rest);
        Ok((Some(parse.freeze()), bind.freeze()))
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

    /// Puts the approved statement in the place of the held one. Gives the digest of the frame that is to be cleared.
    pub(super) fn take_edit(
        &mut self,
        cx: &mut Context<'_>,
        gated: &mut Gated,
        fit: Fit,
    ) -> Result<[u8; 32], Fault> {
        if let Some(parse) = &fit.parse {
            self.forward_cleared(cx)?;
            self.begin_work();
            self.server.out().extend_from_slice(parse);
            self.inflight.push_own(Expect::OwnParse);
        }
        let head = self.intake.clearance.len();
        let mut rest = self.intake.buffer.split_off(head.min(self.intake.buffer.len()));
        let behind = rest.split_off(gated.frame.min(rest.len()));
        self.intake.buffer.extend_from_slice(&fit.frame);
        self.intake.buffer.extend_from_slice(&behind);
        gated.frame = fit.frame.len();
        gated.facts = fit.judged.joined_facts();
        gated.pass.replace(fit.judged);
        Ok(crate::approval::digest(&fit.frame))
    }
}

/// Whether a text can be bound as the held one is.
fn fits_in_place(source: &Source, bound: usize, text: &str) -> Result<(), String> {
    let is_rowless = |text: &[u8]| std::str::from_utf8(text).is_ok_and(gives_no_rows);
    if !is_rowless(&source.text) || !gives_no_rows(text) {
        return Err(
            "it came by the extended protocol, whose program counts on its columns: only a change of rows without \
             RETURNING, or of definitions, can be put in the place of another"
                .to_owned(),
        );
    }
    if source.types.len() < bound || source.types.contains(&0) {
        return Err(
            "its parameters came without their types, and the new text might take them for others: approve it as it \
             is, or reject it with a word on what to change"
                .to_owned(),
        );
    }
    match highest_parameter(text) {
        Some(highest) if highest <= bound => Ok(()),
        Some(highest) => Err(format!(
            "it has the parameter ${highest}, and the program gives {bound} values"
        )),
        None => Err("its parameters cannot be told".to_owned()),
    }
}

/// The portal of a Bind, and what stands behind the name of its statement.
fn split_names(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = body.iter().position(|byte| *byte == 0)?;
    let (portal, rest) = (body.get(..end)?, body.get(end + 1..)?);
    let end = rest.iter().position(|byte| *byte == 0)?;
    Some((portal, rest.get(end + 1..)?))
}
