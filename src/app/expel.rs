//! Ends the sessions of users who were disabled: by another process, which writes to the store and cannot tell this one.
//!
//! Invariants: every disabling that is recorded ends the sessions of whoever came before it, however soon it is taken back; by what
//! is recorded, and not by clocks, of which the other process may have another. Who comes once it was looked, and is enabled, is
//! left alone; who came back before that has to come once more.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::identity::Directory;
use crate::session::Sessions;
use crate::store::StoreError;

/// How often it is looked for users who were disabled.
const LOOK: Duration = Duration::from_secs(2);

/// The users who were disabled.
pub(super) struct Disabled {
    directory: Arc<Directory>,
    sessions: Arc<Sessions>,
    /// The number of the last event that was looked at.
    seen: i64,
    /// Whom somebody had disabled when it was looked, and when that was: who came later was read as they were by then. Kept, since
    /// a login that is under way becomes a session later. There are no more of them than users.
    found: HashMap<String, Instant>,
}

impl Disabled {
    /// Watches from now on.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) async fn watch(
        directory: Arc<Directory>,
        sessions: Arc<Sessions>,
    ) -> Result<Self, StoreError> {
        let (_, seen) = directory.disabled_since(i64::MAX).await?;
        Ok(Self {
            directory,
            sessions,
            seen,
            found: HashMap::new(),
        })
    }

    /// Ends their sessions, for ever. Cancel-safe: to be dropped at shutdown.
    pub(super) async fn expel(mut self) {
        let mut looks = crate::timer::interval(LOOK);
        looks.set_missed_tick_behavior(crate::timer::MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            match self.look().await {
                Ok(()) => {
                    let told = self.sessions.expel(&self.found);
                    if told > 0 {
                        tracing::info!(sessions = told, "users were disabled: their sessions end");
                    }
                }
                // The next look may do better; who holds a statement meanwhile is told by the store itself.
                Err(error) => tracing::warn!(%error, "cannot look for users who were disabled"),
            }
        }
    }

    /// Looks for those who were disabled since the last look, or are now.
    async fn look(&mut self) -> Result<(), StoreError> {
        let (named, latest) = self.directory.disabled_since(self.seen).await?;
        let now = if self.sessions.is_empty() {
            HashSet::new()
        } else {
            self.directory.disabled().await?
        };
        let looked = Instant::now();
        let found = named.into_iter().chain(now);
        self.found.extend(found.map(|name| (name, looked)));
        self.seen = latest;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::identity::NewUser;
    use crate::model::SystemClock;
    use crate::store::sqlite::SqliteStore;
    use crate::store::{Actor, UserChange};

    #[tokio::test]
    async fn who_is_enabled_again_between_two_looks_is_found_and_once() {
        let store = Arc::new(SqliteStore::open("sqlite::memory:").await.unwrap());
        let directory = Arc::new(Directory::new(store, Arc::new(SystemClock), [7; 32]));
        let alice = NewUser {
            name: "alice",
            groups: &[],
            admin: false,
        };
        directory
            .add_user(Actor::CommandLine, alice, "correct horse")
            .await
            .unwrap();
        let set_disabled = async |disabled| {
            let change = UserChange::disabled(disabled);
            let changed = directory.change_user(Actor::CommandLine, "alice", &change);
            changed.await.unwrap();
        };
        set_disabled(true).await;
        set_disabled(false).await;
        let mut disabled = Disabled::watch(Arc::clone(&directory), Arc::default())
            .await
            .unwrap();
        disabled.look().await.unwrap();
        assert!(disabled.found.is_empty(), "that was before");
        set_disabled(true).await;
        set_disabled(false).await;
        disabled.look().await.unwrap();
        let looked = disabled.found["alice"];
        // Who comes from then on stays.
        disabled.look().await.unwrap();
        assert_eq!(disabled.found["alice"], looked);
    }
}
