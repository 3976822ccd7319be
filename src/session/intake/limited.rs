//! The frames of a statement that runs under a limit of rows: they are forwarded, and stay at the head of the buffer
//! until it is decided whether what it changed stays.
//!
//! Its unit is a Query, or a Bind with a Describe and the Execute of its portal, where nothing but Closes stands
//! between these and the Sync of their segment: what is undone is then all that the segment did.

use std::task::Context;

use bytes::Buf as _;

use crate::approval::Running;
use crate::session::Fault;
use crate::session::gate::Gated;
use crate::session::inflight::Expect;
use crate::session::relay::Session;
use crate::wire::frame::HEADER;
use crate::wire::frontend::{self, Target};
use crate::wire::{Header, Malformed, request};

/// What is forwarded for one statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::session) struct Unit {
    /// It is a Query.
    pub(in crate::session) simple: bool,
    /// How many Describes of its portal there are: one, or none.
    pub(in crate::session) describes: usize,
    /// The bytes behind its first frame.
    behind: usize,
}

/// What stands behind a Bind of the unnamed portal.
#[derive(Debug, PartialEq, Eq)]
enum Behind {
    Unit(Unit),
    /// The end of the segment has not come.
    Incomplete,
    Other,
}

impl Session {
    /// The unit of the frame that stands behind what is cleared; `Ok(None)` while some of it is to come.
    ///
    /// # Errors
    /// It is none, for the requester.
    pub(in crate::session) fn unit(&self, gated: &Gated) -> Result<Option<Unit>, &'static str> {
        if gated.tag == b'Q' {
            return Ok(Some(Unit {
                simple: true,
                describes: 0,
                behind: 0,
            }));
        }
        let at = self.intake.clearance.len() + gated.frame;
        match behind(self.intake.buffer.get(at..).unwrap_or_default()) {
            Ok(Behind::Unit(unit)) => Ok(Some(unit)),
            Ok(Behind::Incomplete) => Ok(None),
            Ok(Behind::Other) | Err(_) => Err(
                "it is not bound, executed and followed by a Sync by itself, as the only statement of its pipeline",
            ),
        }
    }

    /// Forwards the unit at the head of the buffer, of which nothing is cleared yet. It stays there.
    pub(in crate::session) fn forward_limited(
        &mut self,
        cx: &mut Context<'_>,
        frame: usize,
        unit: Unit,
        running: &Running,
    ) -> Result<(), Fault> {
        let buffer = std::mem::take(&mut self.intake.buffer);
        let clearance = &mut self.intake.clearance;
        let cleared = clearance.clear_approved(&buffer, frame, running);
        let sent = match (cleared, buffer.get(..frame + unit.behind)) {
            (Ok(()), Some(frames)) => {
                // What executes it runs nothing else.
                clearance.clear_control(unit.behind);
                let permit = clearance.take_permit(frames);
                self.server.write(cx, permit.frames()).map_err(Fault::server_io)
            }
            _ => Err(Fault::Unapproved),
        };
        self.intake.buffer = buffer;
        if !unit.simple {
            self.server.out().extend_from_slice(request::SYNC);
        }
        sent
    }

    /// The statement is done with, and the client has its answers. What is left of its segment goes on; a Query is
    /// ended by a Sync of ours, which brings the client its ReadyForQuery.
    pub(in crate::session) fn end_limited(&mut self, frame: usize, unit: Unit, failed: bool) {
        if failed && !unit.simple {
            // The server has skipped our Sync only: the rest is dropped here, with these frames.
            self.intake.skip_to_sync();
            return;
        }
        let done = (frame + unit.behind).min(self.intake.buffer.len());
        self.intake.buffer.advance(done);
        if unit.simple {
            self.begin_work();
            self.server.out().extend_from_slice(request::SYNC);
            self.inflight.push_own(Expect::Sync(self.intake.segment));
            self.intake.end_segment();
        }
        self.intake.shrink();
    }
}

/// What stands behind a Bind.
fn behind(mut rest: &[u8]) -> Result<Behind, Malformed> {
    let mut unit = Unit {
        simple: false,
        describes: 0,
        behind: 0,
    };
    let mut is_executed = false;
    loop {
        let Ok(header) = Header::peek_frontend(rest) else {
            return Ok(Behind::Other);
        };
        let Some((header, frame)) = header.and_then(|header| Some((header, rest.get(..header.total())?)))
        else {
            return Ok(Behind::Incomplete);
        };
        let body = &frame[HEADER..];
        match header.tag {
            b'D' if !is_executed && unit.describes == 0 && frontend::target(body)? == Target::Portal(b"") => {
                unit.describes = 1;
            }
            // A limit of rows does not hold for what gives none.
            b'E' if !is_executed && frontend::execute(body)?.0.is_empty() => is_executed = true,
            // What is not a Close as it should be is refused, which undoes what stands before it.
            b'C' if is_executed && is_plain(frontend::target(body)?) => {
                rest = &rest[frame.len()..];
                continue;
            }
            b'S' if is_executed => return Ok(Behind::Unit(unit)),
            _ => return Ok(Behind::Other),
        }
        unit.behind += frame.len();
        rest = &rest[frame.len()..];
    }
}

fn is_plain(target: Target<'_>) -> bool {
    let (Target::Statement(name) | Target::Portal(name)) = target;
    name.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap_or_default();
        [&[tag], &length.to_be_bytes()[..], body].concat()
    }

    #[test]
    fn one_statement_by_itself_is_told_from_others() {
        let describe = frame(b'D', b"P\0");
        let execute = frame(b'E', b"\0\0\0\0\0");
        let some_rows = frame(b'E', b"\0\0\0\0\x01");
        let close = frame(b'C', b"Ss\0");
        let sync = frame(b'S', b"");
        let unit = |describes, behind: usize| {
            Ok(Behind::Unit(Unit {
                simple: false,
                describes,
                behind,
            }))
        };
        let both = describe.len() + execute.len();
        for (frames, expected) in [
            (vec![&execute, &sync], unit(0, execute.len())),
            (vec![&describe, &some_rows, &close, &close, &sync], unit(1, both)),
            (vec![&execute, &sync, &frame(b'B', b"")], unit(0, execute.len())),
            (vec![], Ok(Behind::Incomplete)),
            (vec![&describe, &execute], Ok(Behind::Incomplete)),
            (vec![&execute, &close], Ok(Behind::Incomplete)),
            (vec![&sync], Ok(Behind::Other)),
            (vec![&close, &execute, &sync], Ok(Behind::Other)),
            (vec![&execute, &execute, &sync], Ok(Behind::Other)),
            (vec![&execute, &describe, &sync], Ok(Behind::Other)),
            (vec![&execute, &frame(b'H', b""), &sync], Ok(Behind::Other)),
            (vec![&execute, &frame(b'Q', b"COMMIT\0")], Ok(Behind::Other)),
            (vec![&describe, &describe, &execute, &sync], Ok(Behind::Other)),
            (vec![&frame(b'D', b"Ss\0"), &execute, &sync], Ok(Behind::Other)),
            (vec![&frame(b'E', b"p\0\0\0\0\0"), &sync], Ok(Behind::Other)),
            (vec![&execute, &frame(b'?', b"")], Ok(Behind::Other)),
        ] {
            let bytes: Vec<u8> = frames.into_iter().flatten().copied().collect();
            assert_eq!(behind(&bytes), expected, "{bytes:?}");
        }
        assert!(behind(&frame(b'E', b"\0")).is_err());
    }
}
