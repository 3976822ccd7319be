//! Whether the server has begun what was approved: until it has, it forgets cancel requests.
//!
//! What was approved may lie in the socket of a server's process that has not been woken: it is idle then, and an idle one
//! forgets a cancel request (`PostgresMain` in PostgreSQL's `tcop/postgres.c`). So a request that comes before anything of it is answered
//! is sent once more.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::timer;

/// So long behind an approval the server's process may not have been woken.
const TAKEN_UP: Duration = Duration::from_secs(1);
/// After this time a cancel request is sent once more: a long time for a process to wait for its turn.
const AGAIN: Duration = Duration::from_millis(100);
/// How often is looked whether that is still needed, so that what passes has nobody to tell.
const LOOK: Duration = Duration::from_millis(2);

/// What a canceller knows of that.
#[derive(Debug, Default)]
pub(super) struct Begun {
    /// When what was held went upstream; `None` once something of it is answered.
    forwarded: Mutex<Option<Instant>>,
    /// Something was answered since the cancel request on its way came.
    answered: AtomicBool,
}

impl Begun {
    /// What was held goes upstream, to be called before a cancel request can find it there; or it does not, after all.
    pub(super) fn forwards(&self, does: bool) {
        *self.forwarded.lock().unwrap_or_else(PoisonError::into_inner) = does.then(Instant::now);
    }

    /// Something was answered: a cancel request that has reached the server needs no other.
    pub(super) fn note_answer(&self) {
        self.answered.store(true, Ordering::SeqCst);
    }

    /// A cancel request comes; to be called before [`Self::is_early`].
    pub(super) fn is_cancelled(&self) {
        self.answered.store(false, Ordering::SeqCst);
    }

    /// Whether the server may not have begun what was approved.
    pub(super) fn is_early(&self) -> bool {
        let forwarded = *self.forwarded.lock().unwrap_or_else(PoisonError::into_inner);
        forwarded.is_some_and(|forwarded| forwarded.elapsed() < TAKEN_UP)
    }

    /// Whether for a while nothing is answered while something is busy: neither what the cancel request was for nor, in a
    /// pipeline, anything before that, so that another request hits nothing else.
    pub(super) async fn is_unanswered(&self, busy: &AtomicBool) -> bool {
        let since = Instant::now();
        while since.elapsed() < AGAIN {
            if self.answered.load(Ordering::SeqCst) || !busy.load(Ordering::SeqCst) {
                return false;
            }
            timer::sleep(LOOK).await;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_is_repeated_only_where_nothing_is_answered() {
        let (begun, busy) = (Begun::default(), AtomicBool::new(true));
        assert!(!begun.is_early(), "nothing was held");
        begun.forwards(true);
        begun.is_cancelled();
        assert!(begun.is_early());
        let since = Instant::now();
        assert!(begun.is_unanswered(&busy).await);
        assert!(since.elapsed() >= AGAIN, "the server has had its time");

        begun.note_answer();
        assert!(!begun.is_unanswered(&busy).await, "a segment before it");
        begun.is_cancelled();
        busy.store(false, Ordering::SeqCst);
        assert!(!begun.is_unanswered(&busy).await, "nothing runs");
        begun.forwards(false);
        assert!(!begun.is_early(), "it was answered");
    }
}
