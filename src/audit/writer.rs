//! The thread that writes what waits, in batches.

use std::io;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::AuditLog;
use super::file::AuditFile;
use crate::model::{Clock as _, SystemClock};

/// After an error: how long until the next attempt.
const RETRY: Duration = Duration::from_secs(1);
/// At the end: how long it is tried, and how often.
const LAST_TRIES: Duration = Duration::from_secs(5);
const LAST_RETRY: Duration = Duration::from_millis(250);
/// A batch that was this large keeps no more of it.
const KEEP: usize = 1024 * 1024;

/// The thread that writes. Ended by [`AuditWriter::close`]; dropped, it goes on until the process ends.
#[derive(Debug)]
pub struct AuditWriter {
    log: AuditLog,
    thread: JoinHandle<()>,
}

impl AuditWriter {
    pub(super) fn start(log: AuditLog, file: AuditFile, interval: Duration) -> io::Result<Self> {
        let work = Work {
            log: log.clone(),
            file,
            interval,
            batch: Vec::new(),
            written: 0,
            is_failing: false,
            is_stuck: false,
        };
        let thread = std::thread::Builder::new()
            .name("holdpoint-audit".to_owned())
            .spawn(move || work.run())?;
        Ok(Self { log, thread })
    }

    /// Writes what is left, and ends. To be called when nothing is recorded any more. Blocks until the disk has
    /// everything, or has failed for five seconds: then it is logged how much is lost.
    pub fn close(self) {
        self.log.close();
        if self.thread.join().is_err() {
            tracing::error!("the thread of the audit log had panicked");
        }
    }
}

struct Work {
    log: AuditLog,
    file: AuditFile,
    interval: Duration,
    /// What was taken and is not on the disk.
    batch: Vec<u8>,
    /// How much of that was written.
    written: usize,
    /// The last attempt has failed, and it was said.
    is_failing: bool,
    /// The file could not be set aside, and it was said.
    is_stuck: bool,
}

impl Work {
    fn run(mut self) {
        let mut gives_up = None;
        loop {
            let told = self.log.next(self.interval);
            if told.reopen {
                self.reopen();
            }
            self.log.take(&mut self.batch);
            let mut ends = told.closed;
            while let Err(error) = self.write() {
                self.complain(&error);
                if ends && Instant::now() >= *gives_up.get_or_insert_with(|| Instant::now() + LAST_TRIES) {
                    tracing::error!(
                        bytes = self.log.unwritten().saturating_sub(self.written),
                        "records of the audit log are lost"
                    );
                    return;
                }
                let told = self.log.pause(if ends { LAST_RETRY } else { RETRY }, ends);
                ends |= told.closed;
                if told.reopen {
                    self.reopen();
                }
            }
            if ends && !told.closed {
                // What came before the end, while the disk did not take anything.
                continue;
            }
            if ends {
                return;
            }
        }
    }

    fn reopen(&mut self) {
        match self.file.reopen() {
            Ok(is_same) => {
                // In the same file, a line that is torn stands by itself now, and is written again. In another one there is
                // nothing of the batch; and what is in the last one may not have come to its disk.
                let lines = self.batch[..self.written].iter().rposition(|byte| *byte == b'\n');
                self.written = lines.filter(|_| is_same).map_or(0, |end| end + 1);
                tracing::info!("opened the audit log again");
            }
            Err(error) => tracing::error!(
                %error,
                "cannot open the audit log again: records go on into the file that is open"
            ),
        }
    }

    /// Writes what is not written of the batch, and waits for the disk.
    fn write(&mut self) -> io::Result<()> {
        if self.file.is_deleted()? {
            // It would take everything, and keep nothing of it.
            self.written = 0;
            self.file.reopen()?;
            tracing::warn!("the file of the audit log was deleted: made it again");
        }
        while self.written < self.batch.len() {
            match self.file.write(&self.batch[self.written..]) {
                Ok(n) => self.written += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if let Err(error) = self.file.sync() {
            // What the system held of it may be gone, and another sync would not say so. Rather twice than never.
            self.written = 0;
            return Err(error);
        }
        self.written = 0;
        self.batch.clear();
        self.batch.shrink_to(KEEP);
        self.log.synced();
        if self.is_failing {
            self.is_failing = false;
            tracing::info!("the audit log is written again");
        }
        self.set_aside();
        Ok(())
    }

    fn set_aside(&mut self) {
        match self.file.set_aside(SystemClock.now()) {
            Ok(None) => {}
            Ok(Some(path)) => {
                self.is_stuck = false;
                tracing::info!(path = %path.display(), "set a file of the audit log aside");
            }
            Err(error) => {
                if !self.is_stuck {
                    tracing::error!(%error, "cannot set the audit log aside: it grows on");
                }
                self.is_stuck = true;
            }
        }
    }

    /// Once for each outage.
    fn complain(&mut self, error: &io::Error) {
        if !self.is_failing {
            tracing::error!(
                %error,
                "cannot write the audit log: what is to be recorded waits, or is refused once the queue is full"
            );
        }
        self.is_failing = true;
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::path::{Path, PathBuf};

    use super::*;
    use crate::audit::AuditSettings;

    /// A batch of which so many bytes have come to the file.
    fn torn(path: &Path, written: usize) -> Work {
        let settings = AuditSettings::small(PathBuf::new());
        let mut work = Work {
            log: AuditLog::new(&settings, 1),
            file: AuditFile::open(path, None, Vec::new()).unwrap(),
            interval: settings.interval,
            batch: b"one\ntwo\nthree\n".to_vec(),
            written: 0,
            is_failing: false,
            is_stuck: false,
        };
        while work.written < written {
            work.written += work.file.write(&work.batch[work.written..written]).unwrap();
        }
        work
    }

    #[test]
    fn a_torn_line_is_written_again_where_the_same_file_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit");
        for (written, expected) in [
            (0, "one\ntwo\nthree\n"),
            (2, "on\none\ntwo\nthree\n"),
            (4, "one\ntwo\nthree\n"),
            (6, "one\ntw\ntwo\nthree\n"),
        ] {
            let mut work = torn(&path, written);
            work.reopen();
            work.reopen();
            work.write().unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), expected, "{written}");
            std::fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn all_of_a_batch_is_in_the_file_that_takes_the_place_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit");
        let mut work = torn(&path, 6);
        std::fs::rename(&path, folder.path().join("moved")).unwrap();
        work.reopen();
        work.write().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\nthree\n");
    }

    /// It tries again once in a while, and not as often as it can.
    #[test]
    fn the_end_waits_between_its_last_tries() {
        let log = AuditLog::new(&AuditSettings::small(PathBuf::new()), 1);
        log.close();
        assert!(log.pause(Duration::from_mins(1), false).closed);
        let started = Instant::now();
        assert!(log.pause(Duration::from_millis(20), true).closed);
        assert!(started.elapsed() >= Duration::from_millis(20));
    }

    #[test]
    fn a_batch_goes_on_where_it_was_if_nothing_can_be_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit");
        let mut work = torn(&path, 6);
        let moved = folder.path().join("moved");
        std::fs::rename(&path, &moved).unwrap();
        std::fs::create_dir(&path).unwrap();
        work.reopen();
        work.write().unwrap();
        assert_eq!(std::fs::read_to_string(&moved).unwrap(), "one\ntwo\nthree\n");
    }
}
