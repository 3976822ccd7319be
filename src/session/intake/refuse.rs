//! Refusing a frame: the client has an error in its place, and the server stands as after one of its own.

use std::task::Context;

use bytes::{Buf, BytesMut};

use crate::session::Fault;
use crate::session::inflight::Expect;
use crate::session::inquiry::private_name;
use crate::session::relay::Session;
use crate::wire::backend::TransactionStatus;
use crate::wire::{Report, reply, request};

impl Session {
    /// Refuses the frame that stands behind what is cleared: forwards that, drops the frame.
    pub(in crate::session) fn refuse_at_head(
        &mut self,
        cx: &mut Context<'_>,
        tag: u8,
        frame: usize,
        report: &Report,
    ) -> Result<(), Fault> {
        self.forward_cleared(cx)?;
        let frame = frame.min(self.intake.buffer.len());
        self.intake.buffer.advance(frame);
        self.refuse(tag, report.clone());
        Ok(())
    }

    /// Refuses a COMMIT that stands behind what is cleared, and has the server roll back in its place: to the client
    /// it is a COMMIT that failed.
    pub(in crate::session) fn roll_back_at_head(
        &mut self,
        cx: &mut Context<'_>,
        tag: u8,
        frame: usize,
        report: &Report,
    ) -> Result<(), Fault> {
        self.forward_cleared(cx)?;
        let frame = frame.min(self.intake.buffer.len());
        self.intake.buffer.advance(frame);
        let simple = tag == b'Q';
        self.begin_work();
        self.shield.doubt();
        roll_back(simple, self.server.out());
        let segment = self.intake.segment;
        self.inflight.push_own(Expect::RollBack {
            report: Box::new(report.clone()),
            simple,
            segment,
        });
        if !simple {
            self.inflight.note_flush();
        }
        self.end_refused(simple);
        Ok(())
    }

    /// Lets the server fail at this place, so that everything is as after an error of its own; or, where
    /// nothing is open, answers at once.
    pub(in crate::session) fn refuse(&mut self, tag: u8, report: Report) {
        let simple = matches!(tag, b'Q' | b'F');
        let quiet = !self.busy
            && self.intake.clearance.is_empty()
            && self.inflight.is_empty()
            && self.outflow.at_boundary()
            && self.status != TransactionStatus::InTransaction;
        if simple && quiet {
            report.encode(self.client.out());
            reply::ready_for_query(self.status, self.client.out());
            return;
        }
        self.begin_work();
        self.server
            .out()
            .extend_from_slice(if simple { POISON_QUERY } else { POISON_PARSE });
        let segment = self.intake.segment;
        self.inflight.push_own(Expect::Poison {
            report: Box::new(report),
            simple,
            segment,
        });
        self.end_refused(simple);
    }

    /// What was refused ends its segment, as it would have; or everything up to its Sync is dropped.
    fn end_refused(&mut self, simple: bool) {
        self.intake.discarding = !simple;
        if simple {
            self.intake.begin_segment();
        }
    }
}

/// A Query and a Parse whose text is no SQL in any dialect or with any setting: the server fails here.
const POISON_QUERY: &[u8] = b"Q\0\0\0\x35\"refused by holdpoint\" the client has the reason\0";
const POISON_PARSE: &[u8] = b"P\0\0\0\x38\0\"refused by holdpoint\" the client has the reason\0\0\0";

/// A Query of ROLLBACK; or Parse, Bind, Close and Execute, so that the client's unnamed statement stays what it is. Under a
/// name that nobody can guess: one that a client had prepared would fail here, and roll back nothing.
fn roll_back(simple: bool, out: &mut BytesMut) {
    const ROLLBACK: &[u8] = b"ROLLBACK";
    if simple {
        return request::query(ROLLBACK, out);
    }
    let name = private_name();
    request::parse(name.as_bytes(), ROLLBACK, &[], out);
    request::bind(b"", name.as_bytes(), out);
    request::close_statement(name.as_bytes(), out);
    request::execute(b"", out);
    // The client may wait for the answer before it sends its Sync.
    out.extend_from_slice(request::FLUSH);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame::HEADER;
    use crate::wire::{Header, frontend};

    #[test]
    fn the_rollback_is_framed_as_it_says() {
        for (simple, tags) in [(true, &b"Q"[..]), (false, b"PBCEH")] {
            let mut out = BytesMut::new();
            roll_back(simple, &mut out);
            let mut frames = &out[..];
            for tag in tags {
                let header = Header::peek_frontend(frames).ok().flatten();
                assert_eq!(header.map(|header| header.tag), Some(*tag));
                frames = &frames[header.map_or(0, Header::total)..];
            }
            assert!(frames.is_empty());
        }
    }

    #[test]
    fn the_poison_is_framed_as_it_says() {
        for poison in [POISON_QUERY, POISON_PARSE] {
            let header = Header::peek_frontend(poison);
            assert_eq!(header.map(|h| h.map(Header::total)), Ok(Some(poison.len())));
        }
        assert!(frontend::query(&POISON_QUERY[HEADER..]).is_ok());
        assert!(frontend::Parse::read(&POISON_PARSE[HEADER..]).is_ok());
    }
}
