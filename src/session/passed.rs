//! What policy has let pass in this session, so that it is not asked again for the same judgement.
//!
//! A policy of a thousand rules then costs a passing statement what one rule does. Invariants: remembered is what the
//! policy in force has decided, without asking for the time, for a client that calls itself what it does now; and it
//! is known by the judgement itself, which is kept alive meanwhile, so that no other can stand at its address.

use std::sync::Arc;

use crate::model::{Gist, Judged};

/// Judgements that are remembered. A program's loop has few, and looking through them is to cost next to nothing.
const REMEMBERED: usize = 8;
/// The judgements that the policy in force has let pass.
#[derive(Debug, Default)]
pub(super) struct Passed {
    judged: [Option<Arc<Judged>>; REMEMBERED],
    next: usize,
    /// What policy says depends on the time: nothing is remembered.
    is_off: bool,
}

impl Passed {
    /// Of a policy whose decisions depend on the time, or do not.
    pub(super) fn new(by_time: bool) -> Self {
        Self {
            is_off: by_time,
            ..Self::default()
        }
    }

    /// Whether this judgement is among them.
    pub(super) fn has(&self, judged: &Arc<Judged>) -> bool {
        self.judged
            .iter()
            .any(|known| known.as_ref().is_some_and(|known| Arc::ptr_eq(known, judged)))
    }

    /// Policy has let it pass.
    pub(super) fn note(&mut self, judged: &Arc<Judged>) {
        // It may be kept alive for this alone: only what is small is.
        if self.is_off || !matches!(judged.gist, Gist::Whole(_)) {
            return;
        }
        self.judged[self.next] = Some(Arc::clone(judged));
        self.next = (self.next + 1) % REMEMBERED;
    }

    /// The client calls itself something else.
    pub(super) fn forget(&mut self) {
        *self = Self::new(self.is_off);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Arc<Judged> {
        Arc::new(Judged {
            statements: Vec::new(),
            gist: Gist::Whole(Arc::default()),
        })
    }

    #[test]
    fn what_passed_is_known_until_others_did_or_the_policy_changes() {
        let mut passed = Passed::default();
        let all: Vec<_> = (0..=REMEMBERED).map(|_| small()).collect();
        assert!(!passed.has(&all[0]));
        for judged in &all[..REMEMBERED] {
            passed.note(judged);
        }
        assert!(all[..REMEMBERED].iter().all(|judged| passed.has(judged)));
        assert!(!passed.has(&small()), "equal is not the same");
        passed.note(&all[REMEMBERED]);
        assert!(!passed.has(&all[0]) && passed.has(&all[1]) && passed.has(&all[REMEMBERED]));
        passed.forget();
        assert!(!all.iter().any(|judged| passed.has(judged)));
    }

    #[test]
    fn nothing_is_known_where_the_time_decides() {
        let mut passed = Passed::new(true);
        let judged = small();
        passed.note(&judged);
        assert!(!passed.has(&judged));
        passed.forget();
        passed.note(&judged);
        assert!(!passed.has(&judged));
    }

    #[test]
    fn what_is_large_is_not_kept_for_it() {
        let mut passed = Passed::default();
        let gists = [Gist::None, Gist::Instead(small())];
        for gist in gists {
            let large = Arc::new(Judged {
                statements: Vec::new(),
                gist,
            });
            passed.note(&large);
            assert!(!passed.has(&large));
        }
    }
}
