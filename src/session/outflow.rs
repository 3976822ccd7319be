//! Server → client: the raw relay, which scans headers and looks into few messages.
//!
//! Bodies of DataRow, CopyData and everything else that is not looked at are streamed, never gathered.
//! Invariant: the client receives whole frames in the server's order; [`Outflow::at_boundary`] says when
//! a message of our own may go between.

use std::task::Context;

use bytes::BytesMut;

use super::Fault;
use super::inflight::{Desync, Relay, RunId};
use super::intake::Stop;
use super::relay::Session;
use crate::wire::backend::{ServerError, TransactionStatus};
use crate::wire::frame::HEADER;
use crate::wire::{Header, backend, reply};

/// Messages that are looked at are gathered up to this size; larger ones are streamed unseen.
const LOOK_LIMIT: usize = 64 * 1024;

/// The same for a ParameterDescription, for an error, and for answers to a question of our own, which are never streamed: 65 535 parameters
/// or 1664 columns fit.
const INQUIRY_LIMIT: usize = 264 * 1024;

/// Where the relay stands in the server's stream.
#[derive(Debug, Default)]
pub(super) struct Outflow {
    /// Bytes of a streamed body still to pass.
    streaming: usize,
    /// The start of a frame that is not complete: part of a header, or of a message to be looked at.
    partial: BytesMut,
}

impl Outflow {
    /// Whether the start of a frame has come whose end has not.
    pub(super) fn is_partial(&self) -> bool {
        !self.partial.is_empty()
    }

    /// Whether the client stands between two frames.
    pub(super) fn at_boundary(&self) -> bool {
        self.streaming == 0
    }
}

/// Whether the relay needs the body (or at least the completion) of a message of this type.
const fn is_looked_at(tag: u8) -> bool {
    matches!(
        tag,
        b'Z' | b'C' | b'E' | b'S' | b'1' | b'2' | b'3' | b'n' | b's' | b'I' | b'G' | b't'
    )
}

impl Session {
    /// Takes what was read from the server and writes to the client what is the client's.
    pub(super) fn take_from_server(&mut self, cx: &mut Context<'_>, mut chunk: &[u8]) -> Result<(), Fault> {
        if !self.outflow.partial.is_empty() {
            chunk = self.complete_partial(cx, chunk)?;
        }
        // `chunk[start..at]` is the client's and not written yet.
        let mut start = 0;
        let mut at = 0;
        while at < chunk.len() {
            if self.outflow.streaming > 0 {
                let n = self.outflow.streaming.min(chunk.len() - at);
                self.outflow.streaming -= n;
                at += n;
                continue;
            }
            let rest = &chunk[at..];
            let Some(header) = Header::peek(rest).map_err(Fault::server_framing)? else {
                break;
            };
            if !self.looks_at(header) {
                self.pass_unseen(header)?;
                self.outflow.streaming = header.total();
                continue;
            }
            let Some(frame) = rest.get(..header.total()) else {
                break;
            };
            let looked = self.look_at(header.tag, &frame[HEADER..]);
            if looked.is_err() {
                // What came before is the client's all the same, and so is the word that a COPY has begun.
                let begun = if header.tag == b'G' { frame.len() } else { 0 };
                self.client
                    .write(cx, &chunk[start..at + begun])
                    .map_err(Fault::client_io)?;
            }
            match looked? {
                Relay::Pass => at += frame.len(),
                swallowed => {
                    self.client
                        .write(cx, &chunk[start..at])
                        .map_err(Fault::client_io)?;
                    self.say_instead(&swallowed);
                    at += frame.len();
                    start = at;
                }
            }
        }
        self.client
            .write(cx, &chunk[start..at])
            .map_err(Fault::client_io)?;
        self.outflow.partial.extend_from_slice(&chunk[at..]);
        Ok(())
    }

    /// What the client has instead of a message of the server's.
    fn say_instead(&mut self, relay: &Relay) {
        match relay {
            Relay::Pass | Relay::Swallow => {}
            Relay::Replace(report) => report.encode(self.client.out()),
            Relay::Complete(tag) => reply::command_complete(tag, self.client.out()),
        }
    }

    /// Completes the frame whose start was kept. Gives what is left of `chunk`.
    fn complete_partial<'c>(&mut self, cx: &mut Context<'_>, mut chunk: &'c [u8]) -> Result<&'c [u8], Fault> {
        let mut partial = std::mem::take(&mut self.outflow.partial);
        let mut gather = |want: usize, partial: &mut BytesMut| {
            let n = want.saturating_sub(partial.len()).min(chunk.len());
            partial.extend_from_slice(&chunk[..n]);
            chunk = &chunk[n..];
            partial.len() >= want
        };
        let mut complete = gather(HEADER, &mut partial);
        if complete && let Some(header) = Header::peek(&partial).map_err(Fault::server_framing)? {
            let gathered = self.looks_at(header);
            if gathered {
                complete = gather(header.total(), &mut partial);
            }
            if complete && gathered {
                match self.look_at(header.tag, &partial[HEADER..])? {
                    Relay::Pass => self.client.write(cx, &partial).map_err(Fault::client_io)?,
                    other => self.say_instead(&other),
                }
                return Ok(chunk);
            }
            if complete {
                self.pass_unseen(header)?;
                self.client.write(cx, &partial).map_err(Fault::client_io)?;
                self.outflow.streaming = header.total() - partial.len();
                return Ok(chunk);
            }
        }
        self.outflow.partial = partial;
        Ok(chunk)
    }

    /// Whether a message is gathered and looked at.
    fn looks_at(&mut self, header: Header) -> bool {
        // Rows of a statement that gives none, as a rule of the table's may have it, are not the client's.
        let is_limited = matches!(header.tag, b'T' | b'D') && self.inflight.is_limited_at_front();
        let answers = matches!(header.tag, b'T' | b'E' | b't' | b'N');
        // As many parameters as there can be make more of it; and an error may tell a long story.
        let limit = match header.tag {
            b't' | b'E' => INQUIRY_LIMIT,
            _ => LOOK_LIMIT,
        };
        (header.total() <= limit && (is_looked_at(header.tag) || is_limited))
            || (answers && header.total() <= INQUIRY_LIMIT && self.inflight.inquiry().is_some())
    }

    /// A message that is streamed counts for what it is, by its type alone.
    fn pass_unseen(&mut self, header: Header) -> Result<(), Fault> {
        // What answers a question of ours is not the client's.
        if !matches!(header.tag, b'N' | b'A') && self.inflight.inquiry().is_some() {
            return Err(Fault::desync(Desync::Unasked));
        }
        if self.inflight.is_limited_at_front() && !matches!(header.tag, b'A' | b'N' | b'S') {
            return Err(Fault::Limited);
        }
        match header.tag {
            b'T' => self.inflight.described().map_err(Fault::desync),
            b'V' => {
                let seen = self.inflight.call_returned().map_err(Fault::desync)?;
                self.note_begun(seen.run);
                self.runs.completed(seen.run, "");
                Ok(())
            }
            b'E' => self.erred(&ServerError::default()).map(drop),
            tag if is_looked_at(tag) => Err(Fault::ServerProtocol(
                "a message larger than its type can be".to_owned(),
            )),
            _ => Ok(()),
        }
    }

    /// Looks at a whole message.
    fn look_at(&mut self, tag: u8, body: &[u8]) -> Result<Relay, Fault> {
        if self.shield_answered(tag, body)? || self.inquiry_answered(tag, body)? {
            return Ok(Relay::Swallow);
        }
        if self.inflight.is_limited_at_front() && self.limited_answered(tag, body)? {
            return Ok(Relay::Swallow);
        }
        let pass = |(): ()| Relay::Pass;
        let relay = match tag {
            b'Z' => return self.ready(body),
            b'E' => return self.erred(&backend::error_response(body)),
            b'S' => {
                self.note_parameter(body);
                Ok(Relay::Pass)
            }
            b't' => {
                self.note_parameter_types(body);
                Ok(Relay::Pass)
            }
            b'C' => {
                let tag = backend::command_tag(body).unwrap_or_default();
                if let Some(report) = self.inflight.rolled_back() {
                    return Ok(Relay::Replace(report));
                }
                if !self.inflight.tag_fits(tag) {
                    return Err(Fault::desync(Desync::Unasked));
                }
                self.inflight.command_complete(&mut self.names).map(|seen| {
                    self.note_begun(seen.run);
                    self.runs.completed(seen.run, tag);
                    Relay::Pass
                })
            }
            b's' => self.inflight.execute_ended().map(|seen| {
                self.note_begun(seen.run);
                self.runs.suspended(seen.run, seen.rows);
                Relay::Pass
            }),
            b'I' => {
                let own = self.inflight.own_tag();
                self.inflight.execute_ended().map(|seen| {
                    self.note_begun(seen.run);
                    self.runs.completed(seen.run, "");
                    own.map_or(Relay::Pass, Relay::Complete)
                })
            }
            b'1' => self.inflight.parse_complete(&mut self.names),
            b'2' => self.inflight.bind_complete().map(|(relay, run)| {
                self.runs.bound(run);
                relay
            }),
            b'3' => self.inflight.close_complete(&mut self.names),
            b'n' => self.inflight.described_no_data().map(pass),
            b'G' => self.inflight.copy_in().map(pass),
            _ => Ok(Relay::Pass),
        };
        relay.map_err(Fault::desync)
    }

    fn ready(&mut self, body: &[u8]) -> Result<Relay, Fault> {
        let was_in_block = self.status != TransactionStatus::Idle;
        self.note_status(backend::ready_for_query(body).map_err(Fault::server_message)?);
        self.intake.is_answered |= self.inflight.is_failed_pause();
        let is_of_query = self.inflight.ends_query_at_hand();
        let (relay, segment) = self.inflight.ready(&mut self.names).map_err(Fault::desync)?;
        // A query that was not forwarded is at its end, with its own segment.
        let segment = segment.or(is_of_query.then_some(self.intake.segment));
        self.shield.ready(self.status, self.inflight.is_empty());
        if let Some(segment) = segment {
            self.runs.ready(segment, self.status);
            if self.status == TransactionStatus::Idle {
                self.recent.transaction_ended(segment);
            }
            self.note_all_ran();
        } else {
            self.note_ran_so_far();
        }
        if relay == Relay::Swallow {
            self.intake.probe_accepted();
        }
        self.became_ready();
        self.raise_ahead(was_in_block);
        Ok(relay)
    }

    fn note_parameter_types(&mut self, body: &[u8]) {
        if let Some(statement) = self.inflight.described_statement()
            && let Ok(types) = backend::parameter_description(body)
        {
            self.names.described(statement, &types);
        }
    }

    fn erred(&mut self, error: &ServerError) -> Result<Relay, Fault> {
        let erred = self.inflight.error(error, &mut self.names);
        if erred.is_lost {
            return Err(Fault::desync(Desync::Ambiguous));
        }
        if erred.copy_failed
            && let Some(Stop::InCopy(tag)) = self.intake.stop
        {
            self.runs.all_failed(error);
            return Err(Fault::desync(Desync::InCopy(tag)));
        }
        if erred.skipping {
            self.intake.skip_to_sync();
        }
        if error.ends_session() {
            self.goodbye = Some(Box::new(error.clone()));
            self.runs.all_failed(error);
        } else if let Relay::Replace(report) = &erred.relay {
            self.runs.failed(
                None,
                &ServerError {
                    sqlstate: report.sqlstate.to_owned(),
                    message: report.message.clone(),
                    ..ServerError::default()
                },
            );
        } else {
            self.note_begun(erred.seen.run);
            self.runs.failed(erred.seen.run, error);
        }
        Ok(erred.relay)
    }

    /// Something of a statement that was held, if it is that, is answered.
    fn note_begun(&mut self, run: Option<RunId>) {
        if run.is_some() {
            self.held_is_begun();
        }
    }
}
