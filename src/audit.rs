//! The audit log of what passes: an object of JSON for each statement that policy lets pass, in a file.
//!
//! Imports `model` alone of ours. What is held or denied stands in the store, with everything that people did about it;
//! what simply passes is far more, and is not asked for again by the proxy: it goes to a file, off the statements' way.
//! The way of a record, a file each: `record` (what it says), `pen` (what of it stands ready), `queue` (where it waits),
//! `writer` (the thread that writes), `file` (the file, and how it is set aside).
//!
//! Invariants:
//! - *Nothing is lost while it runs.* A record is in the queue before its statement goes upstream. Where there is no room,
//!   the statement does not: it waits, or is refused.
//! - *In order.* The records of a session stand in the file in the order of its statements, numbered without a gap.
//! - *Bounded.* The queue takes what is configured, and one record for each data thread.
//! - What is executed by name is recorded as what the name stands for.
//! - What was written is synced to the disk before its room is given to others. Whatever a crash takes was less than
//!   an interval old, or had no room to be written.

mod file;
mod pen;
mod queue;
mod record;
mod writer;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

pub use queue::AuditLog;
pub use record::{Asked, Asker, Executed, Record};
pub use writer::AuditWriter;

/// What is recorded, where, and within which bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSettings {
    /// The file.
    pub path: PathBuf,
    /// Files that it must not be, by whatever name: the store's.
    pub never: Vec<PathBuf>,
    /// Whether reads are recorded as well, and what touches the session alone.
    pub all: bool,
    /// Whether a statement is refused where there is no room for its record; else it waits.
    pub refuses: bool,
    /// Bytes that may wait to be written, and be written.
    pub max_queue: usize,
    /// A file of this many bytes is set aside; `None`: never.
    pub max_file: Option<u64>,
    /// How long a record waits to be written at most, while the disk keeps up.
    pub interval: Duration,
}

impl AuditSettings {
    /// Opens the file, and starts the thread that writes to it. `lanes`: how many threads record.
    ///
    /// # Errors
    /// The file cannot be opened for writing, or the thread cannot be started.
    pub fn open(self, lanes: usize) -> io::Result<(AuditLog, AuditWriter)> {
        let log = AuditLog::new(&self, lanes);
        let file = file::AuditFile::open(&self.path, self.max_file, self.never)?;
        let writer = AuditWriter::start(log.clone(), file, self.interval)?;
        Ok((log, writer))
    }
}

#[cfg(test)]
impl AuditSettings {
    /// Records everything, with little room.
    fn small(path: PathBuf) -> Self {
        Self {
            path,
            never: Vec::new(),
            all: true,
            refuses: false,
            max_queue: 4096,
            max_file: None,
            interval: Duration::from_millis(1),
        }
    }
}
