//! What logins need of their users, for a moment after it was read.
//!
//! A client that connects for each transaction would else have its user read each time, on a thread of the database's. Invariants:
//! - nothing older than [`KNOWN_FOR`] is given;
//! - nothing is given that a change through the same directory has made old, from the change's end on; where its end is not known,
//!   nothing is kept until it must have come;
//! - users that there are not are kept as well: how long an answer takes is not to tell whether there is such a user.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Credentials;
use crate::identity::names::MAX_NAME;
use crate::store::StoreError;

/// How old what is given can be: a change that another process makes counts here after that time at the latest.
pub const KNOWN_FOR: Duration = Duration::from_millis(250);
/// Users kept at most. Where there are more in a moment, all are read anew.
pub(super) const MAX_KNOWN: usize = 256;
/// A change whose end nobody has seen is over after this time: the store has had its turn and its commit by then.
const IN_DOUBT: Duration = Duration::from_mins(1);

/// What was read, by the user's name.
#[derive(Default)]
pub(super) struct Known(Mutex<State>);

#[derive(Default)]
struct State {
    /// How many changes there were.
    changes: u64,
    /// Nothing is kept before.
    doubt_until: Option<Instant>,
    users: HashMap<Box<str>, Reading>,
}

impl State {
    /// Neither what is kept is given any more, nor what is being read kept.
    fn forget(&mut self) {
        self.changes += 1;
        self.users.clear();
    }
}

struct Reading {
    credentials: Credentials,
    /// When it began: what it found may be as old as that.
    begun: Instant,
}

/// What has to be read.
pub(super) struct Unknown {
    changes: u64,
    begun: Instant,
}

impl Known {
    /// What is known of the user, or what to keep a reading with that begins `now`.
    pub(super) fn get(&self, user: &str, now: Instant) -> Result<Credentials, Unknown> {
        let state = self.lock();
        match state.users.get(user) {
            Some(reading) if now.duration_since(reading.begun) < KNOWN_FOR => Ok(reading.credentials.clone()),
            _ => Err(Unknown {
                changes: state.changes,
                begun: now,
            }),
        }
    }

    /// Keeps what was read, unless something was changed meanwhile.
    pub(super) fn keep(&self, user: &str, unknown: &Unknown, credentials: &Credentials) {
        // No user has a longer name.
        if user.len() > MAX_NAME {
            return;
        }
        let mut state = self.lock();
        let is_in_doubt = state.doubt_until.is_some_and(|until| unknown.begun < until);
        if state.changes != unknown.changes || is_in_doubt {
            return;
        }
        if state.users.len() >= MAX_KNOWN && !state.users.contains_key(user) {
            state.users.clear();
        }
        let reading = Reading {
            credentials: credentials.clone(),
            begun: unknown.begun,
        };
        state.users.insert(user.into(), reading);
    }

    /// Makes a change: at its end, all is forgotten. One that is dropped half way, or whose answer is lost, may come about later.
    pub(super) async fn change<T>(
        &self,
        change: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let mut ended = Ended {
            known: self,
            is_known: false,
        };
        let done = change.await;
        ended.is_known = !matches!(done, Err(StoreError::InDoubt(_)));
        done
    }

    /// Another process has made a change.
    pub(super) fn forget(&self) {
        self.lock().forget();
    }

    /// How many users are kept.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.lock().users.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Whatever panicked, each change is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of a change.
struct Ended<'a> {
    known: &'a Known,
    is_known: bool,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let mut state = self.known.lock();
        state.forget();
        if !self.is_known {
            state.doubt_until = Some(Instant::now() + IN_DOUBT);
        }
    }
}
