//! A clock that a test moves by hand.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

use crate::model::Clock;

/// Stands still until it is told to advance.
#[derive(Default)]
pub(super) struct TestClock {
    seconds: AtomicI64,
}

impl TestClock {
    pub(super) fn advance(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        // Somewhere in 2027.
        Timestamp::UNIX_EPOCH
            + SignedDuration::from_secs(1_800_000_000 + self.seconds.load(Ordering::Relaxed))
    }
}
