//! Where records wait to be written: a lane for each data thread, so that threads do not wait for one another.
//!
//! `full` is set by the record that fills the queue, and cleared once what was written is synced. No two of its locks are taken at a
//! time.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::pen::Pen;
use super::{Asker, AuditSettings, Record, record};
use crate::model::Effect;

/// How often it is said that there is no room.
const COMPLAIN: Duration = Duration::from_secs(10);
/// A lane that was this large keeps no more of it.
const KEEP: usize = 256 * 1024;

/// The log as sessions see it. A cheap clone.
#[derive(Debug, Clone)]
pub struct AuditLog {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    all: bool,
    refuses: bool,
    lanes: Box<[Mutex<Lane>]>,
    /// Bytes that a lane may hold.
    lane_bytes: usize,
    /// A lane holds that much.
    full: AtomicBool,
    /// Told when there is room again.
    room: Notify,
    /// When it was said last that there is none.
    said: Mutex<Option<Instant>>,
    bell: Mutex<Bell>,
    rung: Condvar,
}

#[derive(Debug, Default)]
struct Lane {
    ready: Vec<u8>,
    /// Bytes that were taken from here and are not on the disk.
    taken: usize,
    pen: Pen,
}

impl Lane {
    fn holds(&self) -> usize {
        self.ready.len() + self.taken
    }
}

/// What the writer is told.
#[derive(Debug, Default, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "independent things to say")]
pub(super) struct Bell {
    /// There is something to write.
    pub(super) some: bool,
    /// There is much: now.
    pub(super) much: bool,
    /// The file is another's by now: it is to be opened again.
    pub(super) reopen: bool,
    /// This is the end.
    pub(super) closed: bool,
}

thread_local! {
    /// The number of this thread among those that record.
    static NUMBER: Cell<Option<usize>> = const { Cell::new(None) };
}

static THREADS: AtomicUsize = AtomicUsize::new(0);

fn number_of_this_thread() -> usize {
    NUMBER.get().unwrap_or_else(|| {
        let number = THREADS.fetch_add(1, Ordering::Relaxed);
        NUMBER.set(Some(number));
        number
    })
}

impl AuditLog {
    pub(super) fn new(settings: &AuditSettings, lanes: usize) -> Self {
        let lanes = lanes.max(1);
        Self {
            shared: Arc::new(Shared {
                all: settings.all,
                refuses: settings.refuses,
                lanes: (0..lanes).map(|_| Mutex::default()).collect(),
                lane_bytes: settings.max_queue / lanes,
                full: AtomicBool::new(false),
                room: Notify::new(),
                said: Mutex::default(),
                bell: Mutex::default(),
                rung: Condvar::new(),
            }),
        }
    }

    /// Whether a text is recorded whose most severe effect this is, that of what it executes by name included.
    #[must_use]
    pub fn wants(&self, effect: Effect) -> bool {
        self.shared.all || record::is_change(effect)
    }

    /// Whether a statement is refused, and does not wait, where there is no room for its record.
    #[must_use]
    pub fn refuses(&self) -> bool {
        self.shared.refuses
    }

    /// Whether there is no room at the moment. A load.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.shared.full.load(Ordering::Acquire)
    }

    /// Takes the next record of `asker`. Whoever asks for room before exceeds the bound of the queue by one record at most.
    pub fn record(&self, asker: &mut Asker, record: &Record<'_>) {
        let shared = &*self.shared;
        let (is_first, holds) = {
            let mut lane = lock(&shared.lanes[number_of_this_thread() % shared.lanes.len()]);
            let lane = &mut *lane;
            let is_first = lane.ready.is_empty();
            record.write(asker, &mut lane.pen, &mut lane.ready);
            let holds = lane.holds();
            if holds >= shared.lane_bytes {
                // Under the lane's lock: the writer looks at it behind every lane.
                shared.full.store(true, Ordering::Release);
            }
            (is_first, holds)
        };
        let much = holds >= shared.lane_bytes / 2;
        if is_first || much {
            self.ring(|bell| {
                bell.some = true;
                bell.much |= much;
            });
        }
    }

    /// Waits for room. Cancel-safe.
    pub async fn room(&self) {
        loop {
            let mut told = std::pin::pin!(self.shared.room.notified());
            // From here on it hears of it.
            told.as_mut().enable();
            if !self.is_full() {
                return;
            }
            self.complain("statements wait for it");
            told.await;
        }
    }

    /// A statement was refused since there is no room.
    pub fn note_refused(&self) {
        self.complain("statements are refused");
    }

    fn complain(&self, consequence: &str) {
        let mut said = lock(&self.shared.said);
        if said.is_none_or(|said| said.elapsed() >= COMPLAIN) {
            *said = Some(Instant::now());
            tracing::warn!(consequence, "there is no room in the queue of the audit log");
        }
    }

    /// Bytes of records that are not on the disk.
    #[must_use]
    pub fn unwritten(&self) -> usize {
        self.shared.lanes.iter().map(|lane| lock(lane).holds()).sum()
    }

    /// Opens the file again by its name: somebody has moved the one that was open.
    pub fn reopen(&self) {
        self.ring(|bell| bell.reopen = true);
    }

    pub(super) fn close(&self) {
        self.ring(|bell| bell.closed = true);
    }

    fn ring(&self, say: impl FnOnce(&mut Bell)) {
        say(&mut lock(&self.shared.bell));
        self.shared.rung.notify_one();
    }

    /// Waits until there is something to do, and then for more of it, but not longer than `interval`. What was said is
    /// forgotten, but for the end.
    pub(super) fn next(&self, interval: Duration) -> Bell {
        let bell = lock(&self.shared.bell);
        let idle = |bell: &mut Bell| !(bell.some || bell.reopen || bell.closed);
        let bell = self
            .shared
            .rung
            .wait_while(bell, idle)
            .unwrap_or_else(PoisonError::into_inner);
        let few = |bell: &mut Bell| !(bell.much || bell.reopen || bell.closed);
        let (mut bell, _) = self
            .shared
            .rung
            .wait_timeout_while(bell, interval, few)
            .unwrap_or_else(PoisonError::into_inner);
        let said = *bell;
        *bell = Bell {
            closed: said.closed,
            ..Bell::default()
        };
        said
    }

    /// Waits for so long, or until another file, or the end where it is not here yet; says which.
    pub(super) fn pause(&self, time: Duration, ends: bool) -> Bell {
        let bell = lock(&self.shared.bell);
        let idle = |bell: &mut Bell| !((bell.closed && !ends) || bell.reopen);
        let (mut bell, _) = self
            .shared
            .rung
            .wait_timeout_while(bell, time, idle)
            .unwrap_or_else(PoisonError::into_inner);
        let said = *bell;
        bell.reopen = false;
        said
    }

    /// Moves what is ready to `batch`.
    pub(super) fn take(&self, batch: &mut Vec<u8>) {
        for lane in &self.shared.lanes {
            let mut lane = lock(lane);
            lane.taken += lane.ready.len();
            if batch.is_empty() {
                std::mem::swap(batch, &mut lane.ready);
            } else {
                batch.extend_from_slice(&lane.ready);
                lane.ready.clear();
            }
            lane.ready.shrink_to(KEEP);
        }
    }

    /// What was taken is on the disk: there is room again.
    pub(super) fn synced(&self) {
        // A record that comes meanwhile may say so again, with reason or without: it rings, too, and there is another round.
        self.shared.full.store(false, Ordering::Release);
        let mut full = false;
        for lane in &self.shared.lanes {
            let mut lane = lock(lane);
            lane.taken = 0;
            full |= lane.holds() >= self.shared.lane_bytes;
        }
        if full {
            self.shared.full.store(true, Ordering::Release);
            return;
        }
        self.shared.room.notify_waiters();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::path::PathBuf;
    use std::task::{Context, Waker};

    use super::*;
    use crate::audit::Asked;
    use crate::model::{Clock as _, Judged, SystemClock};

    fn asker(session: i32) -> Asker {
        Asker::new(Asked {
            session,
            user: "ann",
            database: "shop",
            client: "",
            application: "",
        })
    }

    fn record(log: &AuditLog, asker: &mut Asker) {
        let record = Record {
            at: SystemClock.now(),
            judged: &Arc::new(Judged::default()),
            joined: None,
            executed: &[],
        };
        log.record(asker, &record);
    }

    #[tokio::test]
    async fn who_finds_no_room_waits_until_what_was_written_is_on_the_disk() {
        let log = AuditLog::new(&AuditSettings::small(PathBuf::new()), 1);
        let (mut number, mut asker) = (0, asker(1));
        while !log.is_full() {
            log.room().await;
            number += 1;
            record(&log, &mut asker);
        }
        assert!(number > 10, "{number}");
        let mut waits = [std::pin::pin!(log.room()), std::pin::pin!(log.room())];
        let mut cx = Context::from_waker(Waker::noop());
        let mut are_pending = || {
            waits
                .iter_mut()
                .all(|wait| wait.as_mut().poll(&mut cx).is_pending())
        };
        assert!(are_pending());
        let mut batch = Vec::new();
        log.take(&mut batch);
        assert!(are_pending(), "it may be lost yet");
        log.synced();
        for wait in &mut waits {
            wait.as_mut().await;
        }
        let lines = batch.split(|byte| *byte == b'\n').count() - 1;
        assert_eq!(lines as u64, number);
    }

    #[test]
    fn what_arrives_while_a_batch_is_written_counts_with_it() {
        let log = AuditLog::new(&AuditSettings::small(PathBuf::new()), 1);
        let (mut batch, mut asker) = (Vec::new(), asker(1));
        for _ in 0..2 {
            let mut number = 0;
            while !log.is_full() && number < 8 {
                number += 1;
                record(&log, &mut asker);
            }
            log.take(&mut batch);
        }
        let before = batch.len();
        while !log.is_full() {
            record(&log, &mut asker);
        }
        log.take(&mut batch);
        assert!(batch.len() < 4096 + 512, "{} and {before}", batch.len());
    }

    #[test]
    fn all_of_many_threads_stands_in_the_file_in_the_order_of_each() {
        const THREADS: i32 = 4;
        const EACH: u64 = 2000;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let (log, writer) = AuditSettings::small(path.clone()).open(2).unwrap();
        std::thread::scope(|scope| {
            for session in 1..=THREADS {
                let log = log.clone();
                scope.spawn(move || {
                    let waiting = tokio::runtime::Builder::new_current_thread().build().unwrap();
                    let mut asker = asker(session);
                    for _ in 0..EACH {
                        waiting.block_on(log.room());
                        record(&log, &mut asker);
                    }
                });
            }
        });
        writer.close();
        let text = std::fs::read_to_string(path).unwrap();
        let mut last = [0_u64; THREADS as usize + 1];
        for line in text.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let session = usize::try_from(line["session"].as_i64().unwrap()).unwrap();
            last[session] += 1;
            assert_eq!(line["number"], last[session], "{line}");
        }
        assert_eq!(last[1..], [EACH; THREADS as usize]);
    }

    #[test]
    fn where_only_changes_are_wanted_reads_are_not() {
        let mut settings = AuditSettings::small(PathBuf::new());
        let all = AuditLog::new(&settings, 1);
        settings.all = false;
        let changes = AuditLog::new(&settings, 1);
        for (effect, is_change) in [
            (Effect::Session, false),
            (Effect::Read, false),
            (Effect::Write, true),
        ] {
            assert!(all.wants(effect));
            assert_eq!(changes.wants(effect), is_change, "{effect:?}");
        }
    }
}
