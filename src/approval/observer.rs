//! The observer: what is observed, on its way from sessions to the store.
//!
//! A session must not wait for the store to have its statement pass, so it only counts: in a buffer that is
//! written every second ([`record_observed`]). **Observation is not the audit trail.** Where it cannot keep up,
//! because the buffer is full, the table is full, or the store fails for long, what is lost is counted and
//! logged, and statements go on. What is held or denied never comes here.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::model::{Clock, Facts, Observation, Sightings};
use crate::store::{Store, StoreError};

/// How often the buffer is written.
const ROUND: Duration = Duration::from_secs(1);
/// After so many rounds it is said what was lost.
const ROUNDS_TO_A_COMPLAINT: u64 = 60;
/// After so many rounds what is too old is forgotten.
const ROUNDS_TO_A_PRUNING: u64 = 600;
/// Different observations in the buffer.
const MOST_ENTRIES: usize = 10_000;
/// Bytes of them, about.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// Rows that are written in one transaction, at most and at least; held statements wait for it.
const ROWS_AT_ONCE: RangeInclusive<usize> = 10..=500;
/// So long such a transaction may take: where a row is a way over a network and back, there are fewer in one.
const LONGEST_WRITE: Duration = Duration::from_millis(100);

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObserverLimits {
    /// For how long.
    pub keep: Duration,
    /// How many rows at most.
    pub max_rows: u64,
}

/// Counts what sessions observe. A cheap clone.
#[derive(Clone)]
pub struct Observer {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    limits: ObserverLimits,
    buffer: Mutex<Buffer>,
    /// Rows that can be written in [`LONGEST_WRITE`].
    at_once: AtomicUsize,
}

impl std::fmt::Debug for Observer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Observer").finish_non_exhaustive()
    }
}

/// The hour, and what [`Observation::key`] says.
type Key = (i64, [u8; 32]);

/// What was not written yet.
#[derive(Default)]
struct Buffer {
    seen: HashMap<Key, Sightings>,
    bytes: usize,
    /// Sightings there was no room for.
    lost: u64,
}

impl Buffer {
    fn add(&mut self, key: Key, seen: Sightings) {
        if let Some(known) = self.seen.get_mut(&key) {
            known.add(&seen);
            return;
        }
        let bytes = self.bytes.saturating_add(weight(&seen.observation));
        if self.seen.len() >= MOST_ENTRIES || bytes > MOST_BYTES {
            self.lost = self.lost.saturating_add(seen.count);
            return;
        }
        self.bytes = bytes;
        self.seen.insert(key, seen);
    }

    /// Everything in it, the oldest hours first: the store counts on rows that come in their order.
    fn take(&mut self) -> Vec<(Key, Sightings)> {
        self.bytes = 0;
        let mut taken: Vec<(Key, Sightings)> = std::mem::take(&mut self.seen).into_iter().collect();
        taken.sort_unstable_by_key(|((hour, _), _)| *hour);
        taken
    }
}

/// How many rows to write at once, where so many of `at_once` took so long.
fn fitting(at_once: usize, rows: usize, took: Duration) -> usize {
    let next = if took > LONGEST_WRITE {
        at_once / 2
    } else if rows == at_once && took < LONGEST_WRITE / 2 {
        at_once * 2
    } else {
        at_once
    };
    next.clamp(*ROWS_AT_ONCE.start(), *ROWS_AT_ONCE.end())
}

impl Observer {
    /// An observer of what is then to be written by [`record_observed`].
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, limits: ObserverLimits) -> Self {
        let shared = Shared {
            store,
            clock,
            limits,
            buffer: Mutex::default(),
            at_once: AtomicUsize::new(*ROWS_AT_ONCE.start()),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Counts an observation, seen now. Never waits for the store.
    pub fn observe(&self, observation: Observation) {
        // The key costs more than all the rest: it is made before the lock is taken.
        let key = observation.key();
        let seen = Sightings::once(observation, self.shared.clock.now());
        self.buffer().add((seen.hour(), key), seen);
    }

    /// Writes what is in the buffer. What the store does not take goes back into it.
    async fn flush(&self) -> Result<u64, StoreError> {
        let taken = self.buffer().take();
        let (keys, seen): (Vec<Key>, Vec<Sightings>) = taken.into_iter().unzip();
        let max_rows = self.shared.limits.max_rows;
        let mut left_out: u64 = 0;
        let mut written = 0;
        let mut failed = None;
        while written < seen.len() {
            let at_once = self.shared.at_once.load(Ordering::Relaxed);
            let rows = &seen[written..seen.len().min(written + at_once)];
            let started = Instant::now();
            match self.shared.store.record_observations(rows, max_rows).await {
                Ok(no_room) => {
                    left_out = left_out.saturating_add(no_room);
                    written += rows.len();
                    let fitting = fitting(at_once, rows.len(), started.elapsed());
                    self.shared.at_once.store(fitting, Ordering::Relaxed);
                }
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        let Some(error) = failed else {
            return Ok(left_out);
        };
        let mut buffer = self.buffer();
        // What the full table has turned away before is not to be forgotten over it.
        buffer.lost = buffer.lost.saturating_add(left_out);
        for (key, seen) in keys.into_iter().zip(seen).skip(written) {
            buffer.add(key, seen);
        }
        Err(error)
    }

    async fn prune(&self) -> Result<u64, StoreError> {
        match self.shared.clock.now().checked_sub(self.shared.limits.keep) {
            Ok(before) => self.shared.store.prune_observations(before).await,
            // Before the beginning of time there is nothing.
            Err(_) => Ok(0),
        }
    }

    fn lost(&self) -> u64 {
        std::mem::take(&mut self.buffer().lost)
    }

    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        self.shared.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes what is observed until `stopping` is cancelled, and then what is left.
pub async fn record_observed(observer: Observer, stopping: CancellationToken) {
    let mut ticks = crate::timer::interval(ROUND);
    ticks.set_missed_tick_behavior(crate::timer::MissedTickBehavior::Delay);
    let mut failing = false;
    let mut no_room: u64 = 0;
    for round in 0_u64.. {
        let stops = tokio::select! {
            biased;
            () = stopping.cancelled() => true,
            _ = ticks.tick() => false,
        };
        match observer.flush().await {
            Ok(left_out) => {
                no_room = no_room.saturating_add(left_out);
                failing = false;
            }
            Err(error) => {
                // Once for each outage, not once a second.
                if !failing {
                    tracing::error!(%error, "cannot record what is observed");
                }
                failing = true;
            }
        }
        if stops || round.is_multiple_of(ROUNDS_TO_A_COMPLAINT) {
            complain(observer.lost(), std::mem::take(&mut no_room));
        }
        if stops {
            return;
        }
        if round.is_multiple_of(ROUNDS_TO_A_PRUNING) {
            prune(&observer).await;
        }
    }
}

fn complain(lost: u64, no_room: u64) {
    if lost > 0 {
        tracing::warn!(
            statements = lost,
            "more is observed than can be written: some is lost"
        );
    }
    if no_room > 0 {
        tracing::warn!(
            statements = no_room,
            "the table of what is observed is full: nothing new is taken ([observe] max_rows)"
        );
    }
}

async fn prune(observer: &Observer) {
    match observer.prune().await {
        Ok(0) => {}
        Ok(rows) => tracing::debug!(rows, "forgot what was observed long ago"),
        Err(error) => tracing::warn!(%error, "cannot forget what was observed long ago"),
    }
}

/// About how many bytes it takes.
fn weight(observation: &Observation) -> usize {
    size_of::<(Key, Sightings)>()
        + observation.database.len()
        + observation.user.len()
        + observation.application_name.len()
        + observation.statement.len()
        + weight_of_texts(&observation.groups)
        + weight_of_texts(&observation.rules)
        + observation.facts.iter().map(weight_of_facts).sum::<usize>()
}

fn weight_of_facts(facts: &Facts) -> usize {
    // Names of PostgreSQL's are at most 63 bytes, and mostly much shorter.
    const NAMES: usize = 40;
    size_of::<Facts>()
        + weight_of_texts(&facts.commands)
        + weight_of_texts(&facts.functions)
        + weight_of_texts(&facts.signals)
        + size_of_val(facts.tables.as_slice())
        + size_of_val(facts.columns.as_slice())
        + (facts.tables.len() + facts.columns.len()) * NAMES
}

fn weight_of_texts(texts: &[String]) -> usize {
    size_of_val(texts) + texts.iter().map(String::len).sum::<usize>()
}

#[cfg(test)]
mod tests;
