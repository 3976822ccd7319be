//! What logins need of their users, for a moment after it was read.
//!
//! A client that connects for each transaction would else have its user read each time, on a thread of the database's. Imports
//! nothing but what is kept. Invariants:
//! - nothing older than [`KNOWN_FOR`] is given;
//! - nothing is given that a change through the same directory has made old, from the change's end on;
//! - users that there are not are kept as well: how long an answer takes is not to tell whether there is such a user.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Credentials;
use crate::identity::names::MAX_NAME;

/// How old what is given can be: a change that another process makes counts here after that time at the latest.
pub const KNOWN_FOR: Duration = Duration::from_millis(250);
/// Users kept at most. Where there are more in a moment, all are read anew.
pub(super) const MAX_KNOWN: usize = 256;

/// What was read, by the user's name.
#[derive(Default)]
pub(super) struct Known(Mutex<State>);

#[derive(Default)]
struct State {
    /// How many changes there were.
    changes: u64,
    users: HashMap<Box<str>, Reading>,
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
        if state.changes != unknown.changes {
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

    /// Something is about to be changed: when the guard is dropped, all is forgotten.
    pub(super) fn changing(&self) -> Changing<'_> {
        Changing(self)
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

/// A change that is being made.
pub(super) struct Changing<'a>(&'a Known);

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.changes += 1;
        state.users.clear();
    }
}
