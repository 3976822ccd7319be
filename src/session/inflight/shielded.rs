//! The answers to our own messages that move the read shield.

use super::{Desync, Expect, Inflight, UNASKED};
use crate::session::shield::{ANSWERS, Move};

impl Inflight {
    /// Whether the next reply is to something of our own about the read shield.
    pub(in crate::session) fn is_shielding(&mut self) -> bool {
        matches!(
            self.front(),
            Some(Expect::Shield { .. } | Expect::ShieldInside { .. })
        )
    }

    /// Whether the next reply is to a move of the read shield.
    pub(in crate::session) fn is_shield_at_front(&mut self) -> bool {
        matches!(self.front(), Some(Expect::Shield { .. }))
    }

    /// A reply of this type, and of this command's tag if it completes one. Whether it answers what makes the rest
    /// of a transaction read-only; an error if that stands at the front and is answered otherwise.
    pub(in crate::session) fn shield_answers_inside(
        &mut self,
        tag: u8,
        command: &str,
    ) -> Result<bool, Desync> {
        let Some(Expect::ShieldInside { answered }) = self.front() else {
            return Ok(false);
        };
        if ANSWERS.get(*answered) != Some(&tag) || (tag == b'C' && command != "SET") {
            return Err(UNASKED);
        }
        *answered += 1;
        if *answered == ANSWERS.len() {
            self.pop_in_segment();
        }
        Ok(true)
    }

    /// The same for the move at the front, which must be there.
    pub(in crate::session) fn shield_answers(&mut self, tag: u8, command: &str) -> Result<(), Desync> {
        let Some(Expect::Shield { one, answered, .. }) = self.front() else {
            return Err(UNASKED);
        };
        let expected = ANSWERS[*answered % ANSWERS.len()];
        let completes = one.tags().get(*answered / ANSWERS.len()).copied();
        let fits = expected == tag && completes.is_some() && (tag != b'C' || completes == Some(command));
        *answered += 1;
        if fits { Ok(()) } else { Err(UNASKED) }
    }

    /// The move at the front has failed; its end is still to come.
    pub(in crate::session) fn shield_fails(&mut self) {
        if let Some(Expect::Shield { failed, .. }) = self.front() {
            *failed = true;
        }
    }

    /// The move at the front is at its end: whether it was done.
    pub(in crate::session) fn shield_done(&mut self) -> Option<(Move, bool)> {
        self.segment_ended();
        let ended = self.take_front();
        self.shrink();
        match ended {
            Some(Expect::Shield {
                one, failed: true, ..
            }) => Some((one, false)),
            Some(Expect::Shield { one, answered, .. }) if answered == one.tags().len() * ANSWERS.len() => {
                Some((one, true))
            }
            _ => None,
        }
    }
}
