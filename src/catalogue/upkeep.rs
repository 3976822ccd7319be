//! Keeping a database's catalogue: who asks first has it loaded; it is loaded anew at an interval, when
//! definitions have changed, and when somebody names what it does not know.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;

use super::load::load;
use crate::sql::{Catalogue, Judge, Sight};
use crate::timer::Instant;
use crate::upstream::Target;

/// However often it is asked for: between two loads there is at least so much time.
const PAUSE: Duration = Duration::from_millis(500);

/// So long after a load that could not look into everything, for somebody's lock, there is another; that takes half a
/// second while the lock is there.
const PAUSE_OF_LOCKS: Duration = Duration::from_secs(5);

/// The version before anything was loaded, or known to have changed.
const FIRST: u64 = 1;

/// A catalogue, and which one it is.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The catalogue.
    pub catalogue: Arc<Catalogue>,
    /// Grows with every change of what is to be known.
    pub version: u64,
    /// Definitions may be others by now.
    is_in_doubt: bool,
    digest: [u8; 32],
    /// What sessions are given ([`Self::sight`]). The catalogue itself keeps no sight that nobody has: without these, each
    /// session that is alone would bring a sight of its own, and find nothing of what was judged under the last one's.
    _sights: [Arc<Sight>; 2],
}

impl Snapshot {
    fn new(catalogue: Arc<Catalogue>, version: u64, digest: [u8; 32]) -> Self {
        Self {
            _sights: [true, false].map(|path_is_default| catalogue.sight(path_is_default)),
            catalogue,
            version,
            is_in_doubt: false,
            digest,
        }
    }

    /// Of what was known last. Its version is that of no snapshot: whoever has this one asks again.
    fn in_doubt(catalogue: Arc<Catalogue>) -> Self {
        let sight = catalogue.in_doubt();
        Self {
            _sights: [Arc::clone(&sight), sight],
            catalogue,
            version: 0,
            is_in_doubt: true,
            digest: [0; 32],
        }
    }

    /// The search path that sessions begin with; `None` where that is in doubt.
    #[must_use]
    pub fn default_path(&self) -> Option<&[Box<str>]> {
        (!self.is_in_doubt).then(|| self.catalogue.default_path())
    }

    /// The catalogue as sessions see it that have the search path that sessions begin with, or another.
    #[must_use]
    pub fn sight(&self, path_is_default: bool) -> Arc<Sight> {
        if self.is_in_doubt {
            self.catalogue.in_doubt()
        } else {
            self.catalogue.sight(path_is_default)
        }
    }
}

/// Keeps the catalogue of one database.
#[derive(Debug)]
pub struct Upkeep {
    target: Arc<Target>,
    judge: Judge,
    control: Handle,
    interval: Duration,
    /// The version that whoever judges must have; even while it is being loaded.
    version: AtomicU64,
    /// How often the default search path was found to be another.
    paths: AtomicU32,
    /// `None` until it was loaded, and from when it is known to be outdated until it was loaded again.
    current: RwLock<Option<Snapshot>>,
    /// The one that was loaded last, even if it is outdated, and when.
    last: RwLock<(Arc<Catalogue>, Instant)>,
    /// How many loads were asked for, and how many of these are done.
    asked: watch::Sender<u64>,
    done: watch::Sender<u64>,
}

impl Upkeep {
    /// For the database of `target`; asks nothing yet. `control` is where it is loaded, `interval` how old a
    /// catalogue may get.
    #[must_use]
    pub fn new(target: Arc<Target>, judge: Judge, control: Handle, interval: Duration) -> Arc<Self> {
        Arc::new(Self {
            target,
            judge,
            control,
            interval,
            version: AtomicU64::new(FIRST),
            paths: AtomicU32::new(0),
            current: RwLock::default(),
            last: RwLock::new((Arc::new(Catalogue::empty()), Instant::now())),
            asked: watch::Sender::new(0),
            done: watch::Sender::new(0),
        })
    }

    /// The version that judging must go by now. A load, no lock.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The catalogue as it is known now; `None` where it has to be asked for ([`Self::fresh`]).
    #[must_use]
    pub fn current(&self) -> Option<Snapshot> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How often the search path that sessions begin with was found to be another. A session that was connected after a look
    /// at this, and before another that gives the same, began with the one that the catalogue says.
    #[must_use]
    pub fn paths(&self) -> u32 {
        self.paths.load(Ordering::Acquire)
    }

    /// Definitions have changed, or may have: what is known is not to be gone by any more.
    pub fn outdated(self: &Arc<Self>) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = None;
        self.version.fetch_add(1, Ordering::AcqRel);
        drop(current);
        self.ask();
    }

    /// What was known last, to be seen in doubt; an empty catalogue where nothing ever was.
    #[must_use]
    pub fn last(&self) -> Arc<Catalogue> {
        let last = self.last.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&last.0)
    }

    /// The catalogue as it is after now: waits for a load that begins from here on. What was known last, in doubt,
    /// where the server could not be asked, which is logged. Cancel-safe.
    pub async fn fresh(self: &Arc<Self>) -> Snapshot {
        let number = self.ask();
        let mut done = self.done.subscribe();
        // The sender lives in `self`.
        let _ = done.wait_for(|done| *done >= number).await;
        self.current().unwrap_or_else(|| Snapshot::in_doubt(self.last()))
    }

    /// Asks for a load; starts what loads with the first.
    fn ask(self: &Arc<Self>) -> u64 {
        let mut number = 0;
        self.asked.send_modify(|asked| {
            *asked += 1;
            number = *asked;
        });
        if number == 1 {
            let this = Arc::clone(self);
            self.control.spawn(async move { this.keep().await });
        }
        number
    }

    /// Loads whenever that is asked for, and at the interval.
    async fn keep(self: Arc<Self>) {
        let mut asked = self.asked.subscribe();
        loop {
            let number = *asked.borrow_and_update();
            let started = Instant::now();
            let is_whole = self.load().await;
            self.done.send_replace(number);
            crate::timer::sleep_until(started + PAUSE).await;
            if *asked.borrow() == number {
                let interval = if is_whole {
                    self.interval
                } else {
                    self.interval.min(PAUSE_OF_LOCKS)
                };
                // An error is not possible: the sender lives in `self`.
                let _ = crate::timer::timeout(interval, asked.changed()).await;
            }
        }
    }

    /// The server could not be asked: what is older than it may be is not gone by any more.
    fn give_up_if_old(&self) {
        let loaded = self.last.read().unwrap_or_else(PoisonError::into_inner).1;
        if loaded.elapsed() >= self.interval {
            let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
            if current.take().is_some() {
                self.version.fetch_add(1, Ordering::AcqRel);
            }
        }
    }

    /// Whether nothing was left out for somebody's lock.
    async fn load(&self) -> bool {
        let began_with = self.version();
        let started = Instant::now();
        let told = match load(&self.target).await {
            Ok(told) => told,
            Err(error) => {
                tracing::error!(database.upstream = %self.target.dbname, %error,
                    "cannot read the server's catalogue: what it defines counts as unknown");
                self.give_up_if_old();
                return true;
            }
        };
        let digest = told.digest;
        let is_whole = told.definitions.locked.is_empty();
        let known = self.current();
        if known.is_some_and(|known| known.digest == digest) {
            let mut last = self.last.write().unwrap_or_else(PoisonError::into_inner);
            last.1 = started;
            return is_whole;
        }
        let Some(catalogue) = self.judge.catalogue(told.definitions).await else {
            tracing::error!("cannot make sense of the server's catalogue: what it defines counts as unknown");
            return true;
        };
        tracing::debug!(database.upstream = %self.target.dbname,
            duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            "the server's catalogue was read");
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        // Changed since: what was read may be older than the change, and another load is asked for already.
        if self.version() == began_with {
            let known = (Arc::clone(&catalogue), started);
            let mut last = self.last.write().unwrap_or_else(PoisonError::into_inner);
            // Of the first one, nobody knows whether sessions have begun with another.
            if last.0.default_path() != catalogue.default_path() && began_with > FIRST {
                self.paths.fetch_add(1, Ordering::AcqRel);
            }
            *last = known;
            drop(last);
            let version = self.version.fetch_add(1, Ordering::AcqRel) + 1;
            *current = Some(Snapshot::new(catalogue, version, digest));
        }
        is_whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_that_come_one_after_the_other_see_by_one_sight() {
        let catalogue = || Arc::new(Catalogue::empty());
        let known = Snapshot::new(catalogue(), 1, [0; 32]);
        for snapshot in [known, Snapshot::in_doubt(catalogue())] {
            for path_is_default in [true, false] {
                let first = snapshot.sight(path_is_default).number();
                assert_eq!(snapshot.sight(path_is_default).number(), first);
            }
        }
    }
}
