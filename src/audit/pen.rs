//! What a data thread writes records with. Of a record, little is new: the same second, the same session, a text of the same
//! judgement. What was written of these stands ready here.
//!
//! Invariants: what stands ready for a judgement is what would be written of it, since judgements do not change and one that
//! something stands ready for is kept; at most [`SLOTS`] of them, of at most [`KEPT`] bytes.

use std::io::Write as _;
use std::sync::Arc;

use jiff::Timestamp;

use super::record::{self, Executed};
use crate::model::{Gist, Judged};

/// Judgements that something stands ready for: a power of two.
const SLOTS: usize = 256;
/// The longest part of a record that is kept, bytes.
const KEPT: usize = 2048;

/// What was written lately.
#[derive(Debug, Default)]
pub(super) struct Pen {
    second: Second,
    /// Empty until the first is kept.
    known: Vec<Slot>,
}

/// A judgement, and what was written of it.
type Slot = Option<(Arc<Judged>, Box<[u8]>)>;

impl Pen {
    /// Appends `at`, to the microsecond.
    pub(super) fn time(&mut self, at: Timestamp, out: &mut Vec<u8>) {
        self.second.write(at, out);
    }

    /// Appends what is recorded of a judgement, and of what its names stand for.
    pub(super) fn judged(
        &mut self,
        judged: &Arc<Judged>,
        joined: Option<&Judged>,
        executed: &[Executed<'_>],
        out: &mut Vec<u8>,
    ) {
        if joined.is_some() || !executed.is_empty() || !matches!(judged.gist, Gist::Whole(_)) {
            return record::write_judged(judged, joined, executed, out);
        }
        if self.known.is_empty() {
            self.known.resize_with(SLOTS, || None);
        }
        let slot = &mut self.known[slot_of(judged)];
        if let Some((of, written)) = slot
            && Arc::ptr_eq(of, judged)
        {
            return out.extend_from_slice(written);
        }
        let start = out.len();
        record::write_judged(judged, joined, executed, out);
        if out.len() - start <= KEPT {
            *slot = Some((Arc::clone(judged), out[start..].into()));
        }
    }
}

/// By its address, whose lowest bits are alike in all.
fn slot_of(judged: &Arc<Judged>) -> usize {
    let address = Arc::as_ptr(judged).addr();
    ((address >> 4) ^ (address >> 12)) % SLOTS
}

/// A second, as it was written last.
#[derive(Debug, Default)]
struct Second {
    at: i64,
    /// What stands before the point; empty before the first.
    text: Vec<u8>,
}

impl Second {
    fn write(&mut self, at: Timestamp, out: &mut Vec<u8>) {
        let second = at.as_second();
        let Ok(micros) = u32::try_from(at.subsec_microsecond()) else {
            return whole(at, out);
        };
        if self.text.is_empty() || self.at != second {
            self.text.clear();
            whole(at, &mut self.text);
            let point = self.text.iter().rposition(|byte| *byte == b'.');
            let Some(point) = point else {
                return out.append(&mut self.text);
            };
            self.text.truncate(point + 1);
            self.at = second;
        }
        out.extend_from_slice(&self.text);
        out.extend_from_slice(&digits(micros));
        out.push(b'Z');
    }
}

fn whole(at: Timestamp, out: &mut Vec<u8>) {
    // Writing to memory does not fail.
    let _ = write!(out, "{at:.6}");
}

/// Six digits.
fn digits(mut number: u32) -> [u8; 6] {
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit += u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
    digits
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;
    use crate::model::{Effect, Facts};

    fn read_of(text: &str) -> Arc<Judged> {
        let mut facts = Facts::unknown("");
        facts.effect = Effect::Read;
        let mut judged = Judged::from_facts([facts]);
        judged.gist = Gist::Whole(text.as_bytes().into());
        Arc::new(judged)
    }

    fn written(pen: &mut Pen, judged: &Arc<Judged>, executed: &[Executed<'_>]) -> String {
        let mut out = b"before".to_vec();
        pen.judged(judged, None, executed, &mut out);
        String::from_utf8(out.strip_prefix(b"before").unwrap().to_vec()).unwrap()
    }

    proptest! {
        #[test]
        fn times_are_written_as_they_are(times in proptest::collection::vec((-2_i64..3, -999_999_999..=999_999_999_i32), 1..8)) {
            let mut pen = Pen::default();
            for (second, nanos) in times {
                let at = Timestamp::new(second, nanos).unwrap();
                let mut out = Vec::new();
                pen.time(at, &mut out);
                prop_assert_eq!(String::from_utf8(out).unwrap(), format!("{at:.6}"));
            }
        }
    }

    #[test]
    fn what_stands_ready_is_what_would_be_written() {
        let mut pen = Pen::default();
        let texts: Vec<_> = (0..4 * SLOTS).map(|n| read_of(&format!("SELECT {n}"))).collect();
        for _ in 0..2 {
            for (n, judged) in texts.iter().enumerate() {
                let fresh = written(&mut Pen::default(), judged, &[]);
                assert!(fresh.contains(&format!("\"SELECT {n}\"")), "{fresh}");
                for _ in 0..2 {
                    assert_eq!(written(&mut pen, judged, &[]), fresh);
                }
            }
        }
    }

    #[test]
    fn a_judgement_in_the_place_of_one_that_is_gone_is_written_anew() {
        let mut pen = Pen::default();
        for n in 0..1000 {
            // The allocator gives the same place again and again, unless the last one is kept.
            let text = format!("SELECT {n}");
            assert!(written(&mut pen, &read_of(&text), &[]).contains(&text));
        }
    }

    #[test]
    fn what_is_executed_is_not_mixed_up_with_what_stands_ready() {
        let mut pen = Pen::default();
        let judged = read_of("EXECUTE p");
        let executed = |text| Executed {
            shape: None,
            text: Some(text),
        };
        for _ in 0..2 {
            assert!(!written(&mut pen, &judged, &[]).contains("executes"));
            assert!(written(&mut pen, &judged, &[executed(b"SELECT 1")]).contains("SELECT 1"));
            assert!(written(&mut pen, &judged, &[executed(b"SELECT 2")]).contains("SELECT 2"));
        }
    }

    #[test]
    fn what_is_long_is_not_kept() {
        let mut pen = Pen::default();
        let long = read_of(&"x".repeat(KEPT));
        assert_eq!(written(&mut pen, &long, &[]), written(&mut pen, &long, &[]));
        assert_eq!(Arc::strong_count(&long), 1);
    }
}
