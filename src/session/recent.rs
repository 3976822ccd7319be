//! What ran lately in a session, for those who decide on what comes next.
//!
//! A statement that passes leaves a pointer here, to the judgement that the cache has made anyway: nothing is copied,
//! allocated or locked for it. Invariants:
//! - what is pointed to is small ([`Judged::into_remembered`]), and a session keeps at most [`KEPT`] of it alive;
//! - what is a request of its own is remembered by that, without its text: others may see it than see the next;
//! - what is remembered decides nothing.

use std::sync::Arc;

use super::relay::Session;
use crate::model::{Earlier, EarlierOutcome, Gist, Judged, RequestId};
use crate::wire::backend::TransactionStatus;

/// How many statements are remembered. A session pays 16 bytes for each.
const KEPT: usize = 6;

/// The last statements of a session.
#[derive(Debug, Default)]
pub(super) struct Recent {
    slots: [Slot; KEPT],
    /// The slot that the next statement takes.
    next: u32,
    /// The first segment that may stand in the transaction at hand, in its low bits.
    transaction: u32,
}

/// One of them.
#[derive(Debug, Default)]
struct Slot {
    /// `None` where nothing of its text may be kept.
    judged: Option<Arc<Judged>>,
    /// The low bits of the number of its segment.
    segment: u32,
    /// The second of the coarse clock above, and in the two lowest bits what became of it; 0 in an empty slot.
    stamp: u32,
}

impl Recent {
    fn push(&mut self, judged: Arc<Judged>, segment: u64, now: u32, outcome: EarlierOutcome) {
        let code = match outcome {
            EarlierOutcome::Passed => 1,
            EarlierOutcome::Held => 2,
            EarlierOutcome::Refused => 3,
        };
        let next = self.next as usize;
        self.slots[next] = Slot {
            judged: judged.into_remembered(),
            segment: low(segment),
            stamp: now << 2 | code,
        };
        self.next = if next + 1 < KEPT { self.next + 1 } else { 0 };
    }

    /// The server is ready behind this segment, and no transaction is open.
    pub(super) fn transaction_ended(&mut self, segment: u64) {
        self.transaction = low(segment).wrapping_add(1);
    }

    /// What is remembered, oldest first.
    fn list(&self, now: u32) -> Vec<Earlier> {
        let (newer, older) = self.slots.split_at(self.next as usize);
        let slots = older.iter().chain(newer);
        slots
            .filter_map(|slot| {
                let outcome = match slot.stamp & 3 {
                    1 => EarlierOutcome::Passed,
                    2 => EarlierOutcome::Held,
                    3 => EarlierOutcome::Refused,
                    _ => return None,
                };
                let judged = slot.judged.as_deref();
                let (text, is_cut, request) = match judged.map(|judged| &judged.gist) {
                    Some(Gist::Request { id, command }) => (command.to_string(), false, Some(*id)),
                    _ => match judged.and_then(Judged::kept_text) {
                        Some((text, is_cut)) => (readable(text), is_cut, None),
                        None => (String::new(), false, None),
                    },
                };
                Some(Earlier {
                    text,
                    request,
                    is_cut,
                    seconds_before: now.saturating_sub(slot.stamp >> 2).into(),
                    // Numbers wrap: what is ahead of the transaction's first by less than half of them is in it.
                    same_transaction: slot.segment.wrapping_sub(self.transaction) < u32::MAX / 2,
                    outcome,
                })
            })
            .collect()
    }
}

impl Session {
    /// A statement that passes is cleared. Where everything passes, nobody will ask for it.
    pub(super) fn remember(&mut self, judged: Arc<Judged>) {
        if !self.observe {
            let now = self.shared.ticks.seconds();
            let segment = self.intake.segment;
            self.recent.push(judged, segment, now, EarlierOutcome::Passed);
        }
    }

    /// A statement that is a request is cleared, or does not run; with the type of its message.
    pub(super) fn remember_request(
        &mut self,
        id: RequestId,
        command: &str,
        outcome: EarlierOutcome,
        tag: u8,
    ) {
        // A query that is refused by itself takes no segment, and is in no transaction with what follows it.
        let is_alone = outcome == EarlierOutcome::Refused
            && matches!(tag, b'Q' | b'F')
            && self.status == TransactionStatus::Idle;
        self.remember_in(
            self.intake.segment.wrapping_sub(is_alone.into()),
            id,
            command,
            outcome,
        );
    }

    /// As [`Self::remember_request`], in the segment of this number.
    pub(super) fn remember_in(
        &mut self,
        segment: u64,
        id: RequestId,
        command: &str,
        outcome: EarlierOutcome,
    ) {
        let judged = Arc::new(Judged {
            statements: Vec::new(),
            gist: Gist::Request {
                id,
                command: command.into(),
            },
        });
        self.recent
            .push(judged, segment, self.shared.ticks.seconds(), outcome);
    }

    /// What the session sent before the statement at hand, oldest first.
    pub(super) fn earlier(&self) -> Vec<Earlier> {
        self.recent.list(self.shared.ticks.seconds())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low bits are meant")]
const fn low(segment: u64) -> u32 {
    segment as u32
}

/// A text for people: masked numbers are marked.
fn readable(text: &[u8]) -> String {
    String::from_utf8_lossy(text).replace('\0', "?")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(text: &str) -> Arc<Judged> {
        Arc::new(Judged {
            statements: Vec::new(),
            gist: Gist::Whole(text.as_bytes().into()),
        })
    }

    fn texts(recent: &Recent) -> Vec<String> {
        recent.list(0).into_iter().map(|earlier| earlier.text).collect()
    }

    #[test]
    fn the_last_ones_are_kept_oldest_first() {
        let mut recent = Recent::default();
        assert_eq!(recent.list(0), []);
        for n in 0..20 {
            recent.push(judged(&format!("SELECT {n}")), n, 0, EarlierOutcome::Passed);
            let oldest = (n + 1).saturating_sub(6);
            let kept: Vec<String> = (oldest..=n).map(|n| format!("SELECT {n}")).collect();
            assert_eq!(texts(&recent), kept);
        }
    }

    #[test]
    fn a_session_pays_little_for_it() {
        assert!(size_of::<Recent>() <= 104, "{}", size_of::<Recent>());
    }

    #[test]
    fn what_is_in_the_transaction_at_hand_is_told_from_what_is_not() {
        let mut recent = Recent::default();
        // BEGIN and what follows it; also across the wrap of the numbers.
        for start in [0, u64::from(u32::MAX) - 1] {
            if start > 0 {
                recent.transaction_ended(start - 1);
            }
            recent.push(judged("SELECT 1"), start, 7, EarlierOutcome::Passed);
            recent.transaction_ended(start);
            recent.push(judged("BEGIN"), start + 1, 8, EarlierOutcome::Passed);
            recent.push(judged("DELETE"), start + 2, 9, EarlierOutcome::Held);
            let list = recent.list(12);
            let told: Vec<(&str, bool, u64, EarlierOutcome)> = list[list.len() - 3..]
                .iter()
                .map(|e| (e.text.as_str(), e.same_transaction, e.seconds_before, e.outcome))
                .collect();
            assert_eq!(
                told,
                [
                    ("SELECT 1", false, 5, EarlierOutcome::Passed),
                    ("BEGIN", true, 4, EarlierOutcome::Passed),
                    ("DELETE", true, 3, EarlierOutcome::Held),
                ],
                "from {start}"
            );
        }
    }

    #[test]
    fn texts_are_made_readable() {
        for (bytes, shown) in [
            (
                &b"SELECT a WHERE b = \0 AND c = \0"[..],
                "SELECT a WHERE b = ? AND c = ?",
            ),
            ("SELECT 'é'".as_bytes(), "SELECT 'é'"),
            (b"SELECT '\xe9'", "SELECT '\u{fffd}'"),
            (b"", ""),
        ] {
            assert_eq!(readable(bytes), shown);
        }
    }

    #[test]
    fn what_is_large_is_not_kept_alive() {
        let start = Arc::new(Judged {
            statements: Vec::new(),
            gist: Gist::Start(b"INSERT"[..].into()),
        });
        let large = Arc::new(Judged {
            statements: Vec::new(),
            gist: Gist::Instead(Arc::clone(&start)),
        });
        let mut recent = Recent::default();
        recent.push(Arc::clone(&large), 0, 0, EarlierOutcome::Passed);
        assert_eq!((Arc::strong_count(&large), Arc::strong_count(&start)), (1, 3));
        recent.push(Arc::new(Judged::default()), 0, 0, EarlierOutcome::Refused);
        let list = recent.list(0);
        assert!(list[0].is_cut && list[0].text == "INSERT");
        assert!(!list[1].is_cut && list[1].text.is_empty());
    }
}
