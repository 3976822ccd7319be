//! Keeping a database's catalogue: who asks first has it loaded; it is loaded anew at an interval, when
//! definitions have changed, and when somebody names what it does not know.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;

use super::load::load;
use crate::sql::{Catalogue, Judge};
use crate::upstream::Target;

/// However often it is asked for: between two loads there is at least so much time.
const PAUSE: Duration = Duration::from_millis(500);

/// A catalogue, and which one it is.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The catalogue.
    pub catalogue: Arc<Catalogue>,
    /// Grows with every change of what is to be known.
    pub version: u64,
    digest: [u8; 32],
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
    /// `None` until it was loaded, and from when it is known to be outdated until it was loaded again.
    current: RwLock<Option<Snapshot>>,
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
            version: AtomicU64::new(1),
            current: RwLock::default(),
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

    /// Definitions have changed, or may have: what is known is not to be gone by any more.
    pub fn outdated(self: &Arc<Self>) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = None;
        self.version.fetch_add(1, Ordering::AcqRel);
        drop(current);
        self.ask();
    }

    /// The catalogue as it is after now: waits for a load that begins from here on. A catalogue that knows
    /// nothing where the server could not be asked, which is logged. Cancel-safe.
    pub async fn fresh(self: &Arc<Self>) -> Snapshot {
        let number = self.ask();
        let mut done = self.done.subscribe();
        // The sender lives in `self`.
        let _ = done.wait_for(|done| *done >= number).await;
        self.current().unwrap_or_else(|| Snapshot {
            catalogue: Arc::new(Catalogue::empty()),
            // Not that of any snapshot: whoever has this one asks again.
            version: 0,
            digest: [0; 32],
        })
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
            self.load().await;
            self.done.send_replace(number);
            tokio::time::sleep_until(started + PAUSE).await;
            if *asked.borrow() == number {
                // An error is not possible: the sender lives in `self`.
                let _ = tokio::time::timeout(self.interval, asked.changed()).await;
            }
        }
    }

    async fn load(&self) {
        let began_with = self.version();
        let started = Instant::now();
        let told = match load(&self.target).await {
            Ok(told) => told,
            Err(error) => {
                tracing::error!(database.upstream = %self.target.dbname, %error,
                    "cannot read the server's catalogue: what it defines counts as unknown");
                return;
            }
        };
        let digest = told.digest;
        let known = self.current();
        if known.is_some_and(|known| known.digest == digest) {
            return;
        }
        let Some(catalogue) = self.judge.catalogue(told.definitions).await else {
            tracing::error!("cannot make sense of the server's catalogue: what it defines counts as unknown");
            return;
        };
        tracing::debug!(database.upstream = %self.target.dbname,
            duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            "the server's catalogue was read");
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        // Changed since: what was read may be older than the change, and another load is asked for already.
        if self.version() == began_with {
            let version = self.version.fetch_add(1, Ordering::AcqRel) + 1;
            *current = Some(Snapshot {
                catalogue,
                version,
                digest,
            });
        }
    }
}
