//! Users as they were read last, for as long as nobody has written to the database: logging in asks for one each time.
//!
//! Whether anybody has, this process or another, stands in the WAL-index: the file `…-shm` that all connections to the
//! database share. Its header changes with each commit, and is what SQLite's own readers compare to know whether what
//! they have cached still holds. Source: "WAL-mode File Format", section 2.2, at sqlite.org/walformat.html; `walIndexTryHdr`
//! in SQLite's `wal.c`.
//!
//! Invariants: the header is read before the user is, so that what is kept is never older than it; the file is opened by
//! its name each time, since another takes its place once all connections have been closed; and where it cannot be read,
//! or its two copies of the header differ, nothing is known, and the database is asked.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::store::UserRecord;

/// The header of the WAL-index; it stands there twice.
const HEADER: usize = 48;
/// Names that are kept, also those of nobody; when there are more, all are forgotten.
const NAMES: usize = 10_000;

/// A state of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp([u8; HEADER]);

/// What is known of a name.
pub(super) enum Known {
    /// The database is to be asked.
    Nothing,
    /// There is no such user.
    Nobody,
    /// This is the user.
    User(UserRecord),
}

/// What was read of users since the last write.
#[derive(Debug)]
pub(super) struct Unchanged {
    /// `None`: the database is in memory.
    index: Option<PathBuf>,
    users: Mutex<Users>,
}

#[derive(Debug, Default)]
struct Users {
    /// When all of them were read.
    stamp: Option<Stamp>,
    by_name: HashMap<Box<str>, Option<UserRecord>>,
}

impl Unchanged {
    /// Of the database in this file.
    pub(super) fn of(database: Option<&Path>) -> Self {
        let index = database.map(|path| {
            let mut name = path.as_os_str().to_owned();
            name.push("-shm");
            name.into()
        });
        Self {
            index,
            users: Mutex::default(),
        }
    }

    /// The state that the database is in now, as far as that can be told.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        let mut headers = [0; 2 * HEADER];
        let mut index = File::open(self.index.as_ref()?).ok()?;
        index.read_exact(&mut headers).ok()?;
        let (first, second) = headers.split_at(HEADER);
        // A writer changes one after the other. An index that nobody has made yet is empty.
        if first != second || first.iter().all(|byte| *byte == 0) {
            return None;
        }
        first.try_into().ok().map(Stamp)
    }

    /// What was read of this name in this state.
    pub(super) fn find(&self, name: &str, stamp: Option<Stamp>) -> Known {
        let users = self.users();
        match users.by_name.get(name) {
            Some(found) if stamp.is_some() && users.stamp == stamp => {
                found.clone().map_or(Known::Nobody, Known::User)
            }
            _ => Known::Nothing,
        }
    }

    /// This was read of the name, and `stamp` was taken before.
    pub(super) fn keep(&self, name: &str, found: Option<&UserRecord>, stamp: Option<Stamp>) {
        let Some(stamp) = stamp else {
            return;
        };
        let mut users = self.users();
        if users.stamp != Some(stamp) || users.by_name.len() >= NAMES {
            users.by_name.clear();
            users.stamp = Some(stamp);
        }
        users.by_name.insert(name.into(), found.cloned());
    }

    fn users(&self) -> MutexGuard<'_, Users> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::Known;
    use crate::store::contract::users::record;
    use crate::store::sqlite::SqliteStore;
    use crate::store::{Actor, UserChange, UserStore as _};

    /// What is kept of a name now: whether it is disabled.
    fn kept(store: &SqliteStore, name: &str) -> &'static str {
        match store.unchanged.find(name, store.unchanged.stamp()) {
            Known::Nothing => "nothing",
            Known::Nobody => "nobody",
            Known::User(user) if user.disabled => "disabled",
            Known::User(_) => "enabled",
        }
    }

    #[tokio::test]
    async fn what_another_process_writes_is_seen_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("holdpoint.db").display());
        let (here, there) = (
            SqliteStore::open(&url).await.unwrap(),
            SqliteStore::open(&url).await.unwrap(),
        );
        assert_eq!(kept(&here, "ann"), "nothing");
        assert!(here.user("ann").await.unwrap().is_none());
        assert_eq!(
            kept(&here, "ann"),
            "nobody",
            "that there is no such user is kept, too"
        );
        there.add_user(&record("ann"), Actor::CommandLine).await.unwrap();
        assert_eq!(kept(&here, "ann"), "nothing");
        assert_eq!(
            here.user("ann").await.unwrap().unwrap().principal,
            record("ann").principal
        );
        assert!(here.user("bob").await.unwrap().is_none());
        assert_eq!((kept(&here, "ann"), kept(&here, "bob")), ("enabled", "nobody"));
        // Reading changes nothing about it, here or there.
        there.users().await.unwrap();
        assert_eq!(kept(&here, "ann"), "enabled");
        for disabled in [true, false, true] {
            let change = UserChange::disabled(disabled);
            there
                .change_user("ann", &change, Actor::CommandLine)
                .await
                .unwrap();
            assert_eq!(kept(&here, "ann"), "nothing");
            assert_eq!(here.user("ann").await.unwrap().unwrap().disabled, disabled);
            assert_eq!(kept(&here, "ann"), if disabled { "disabled" } else { "enabled" });
        }
        here.set_verifier("ann", "another").await.unwrap();
        assert_eq!(here.user("ann").await.unwrap().unwrap().scram_verifier, "another");
    }

    #[tokio::test]
    async fn a_checkpoint_and_a_log_that_begins_anew_hide_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("holdpoint.db").display());
        let (here, there) = (
            SqliteStore::open(&url).await.unwrap(),
            SqliteStore::open(&url).await.unwrap(),
        );
        there.add_user(&record("ann"), Actor::CommandLine).await.unwrap();
        for round in 0..20 {
            let disabled = round % 2 == 0;
            sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
                .execute(&there.writer)
                .await
                .unwrap();
            let change = UserChange::disabled(disabled);
            there
                .change_user("ann", &change, Actor::CommandLine)
                .await
                .unwrap();
            assert_eq!(
                here.user("ann").await.unwrap().unwrap().disabled,
                disabled,
                "{round}"
            );
        }
    }

    #[tokio::test]
    async fn in_memory_nothing_is_kept() {
        let store = SqliteStore::open("sqlite::memory:").await.unwrap();
        store.add_user(&record("ann"), Actor::CommandLine).await.unwrap();
        assert!(store.user("ann").await.unwrap().is_some());
        assert_eq!(kept(&store, "ann"), "nothing");
    }

    #[test]
    fn an_index_that_is_not_there_or_half_written_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("holdpoint.db");
        let index = folder.path().join("holdpoint.db-shm");
        let unchanged = super::Unchanged::of(Some(&database));
        assert_eq!(unchanged.stamp(), None);
        for (bytes, is_known) in [
            (vec![0; 96], false),
            (vec![1; 95], false),
            ([vec![1; 48], vec![2; 48]].concat(), false),
            (vec![1; 32768], true),
        ] {
            std::fs::write(&index, bytes).unwrap();
            assert_eq!(unchanged.stamp().is_some(), is_known);
        }
        let stamp = unchanged.stamp();
        unchanged.keep("ann", None, stamp);
        assert!(matches!(unchanged.find("ann", stamp), Known::Nobody));
        assert!(matches!(unchanged.find("ann", None), Known::Nothing));
        unchanged.keep("ann", None, None);
        std::fs::write(&index, vec![2; 96]).unwrap();
        assert!(matches!(unchanged.find("ann", unchanged.stamp()), Known::Nothing));
    }
}
