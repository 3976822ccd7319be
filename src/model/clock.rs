//! Time as a dependency, so that a test can hold it still.

use std::sync::atomic::{AtomicU32, Ordering};

use jiff::Timestamp;

/// Where the current time comes from.
pub trait Clock: Send + Sync + 'static {
    /// The time now, UTC.
    fn now(&self) -> Timestamp;
}

/// Whole seconds since the process began to serve, for what happens too often to look at a real clock each time.
/// Somebody ticks it about once a second; reading costs one load.
#[derive(Debug, Default)]
pub struct CoarseClock(AtomicU32);

impl CoarseClock {
    /// So many seconds have passed; wraps after 136 years.
    pub fn tick(&self, seconds: u32) {
        self.0.store(seconds, Ordering::Relaxed);
    }

    /// How many seconds have passed, as of the last tick.
    #[must_use]
    pub fn seconds(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the machine's clock"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
