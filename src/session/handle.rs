//! What others may say to a session: cancel, stop. And the list of sessions to say it to.
//!
//! Flags and a waker: a session that nothing is said to pays one relaxed load for each turn.

mod begun;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Poll, Waker};
use std::time::Instant;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use subtle::ConstantTimeEq as _;

use crate::model::Principal;
use crate::upstream::CancelKey;
use begun::Begun;

/// A session as others see it.
#[derive(Debug)]
pub(super) struct SessionHandle {
    /// The process id that the client was told.
    pub(super) pid: i32,
    /// The secret that goes with it; as long as the client's protocol has it.
    pub(super) secret: Box<[u8]>,
    upstream: CancelKey,
    /// Something was said; look at the others.
    signalled: AtomicBool,
    stopping: AtomicBool,
    /// The hold that is to be withdrawn, by its number; 0 is none.
    withdrawal: AtomicU64,
    /// The hold in which the session waits for people, by its number; 0 is none. Numbers are not used again, so
    /// that a cancel request which comes too late for one hold is not taken for the next.
    holding: AtomicU64,
    /// The number of the latest hold.
    holds: AtomicU64,
    /// What is held, or was last, may run, once what stands before it has: a cancel request is for both.
    may_run: AtomicBool,
    /// Something was forwarded that is not answered.
    busy: AtomicBool,
    /// A cancel request is on its way to the server.
    cancelling: AtomicBool,
    /// A cancel request may still reach the server, and it is not known when.
    cancel_in_doubt: AtomicBool,
    /// Whether the server has begun what was approved.
    begun: Begun,
    waker: Mutex<Option<Waker>>,
    /// Whose it is, and when they came; set once, before anybody looks for it.
    owner: OnceLock<Owner>,
    /// Its owner may not go on.
    expelled: AtomicBool,
}

impl SessionHandle {
    /// Whether anything was said since the last look; cheap.
    pub(super) fn is_signalled(&self) -> bool {
        self.signalled.load(Ordering::Acquire)
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Whether it is to stop because its owner may not go on.
    pub(super) fn is_expelled(&self) -> bool {
        self.expelled.load(Ordering::Acquire)
    }

    /// `came`: before that, nothing was read of the user for this session.
    pub(super) fn belongs_to(&self, user: &Arc<Principal>, came: Instant) {
        let user = Arc::clone(user);
        let _ = self.owner.set(Owner { user, came });
    }

    /// Whether the requester asked to withdraw what is held now; asked once.
    pub(super) fn take_withdrawal(&self) -> bool {
        // With `stop` a Dekker pair: whoever looks before it clears would clear what is said in between.
        self.signalled.store(false, Ordering::SeqCst);
        if self.stopping.load(Ordering::SeqCst) {
            self.signalled.store(true, Ordering::SeqCst);
        }
        let asked = self.withdrawal.swap(0, Ordering::AcqRel);
        asked != 0 && asked == self.holding.load(Ordering::SeqCst)
    }

    pub(super) fn set_holding(&self, holding: bool) {
        let number = if holding {
            self.holds.fetch_add(1, Ordering::Relaxed) + 1
        } else {
            0
        };
        self.may_run.store(false, Ordering::SeqCst);
        self.holding.store(number, Ordering::SeqCst);
    }

    /// What is held may run; until it goes upstream, it can still be withdrawn.
    pub(super) fn lets_run(&self) {
        self.may_run.store(true, Ordering::SeqCst);
    }

    /// Ends the hold, which is to go upstream now: what runs must be marked as busy before, so that a cancel request finds
    /// the one or the other. Whether one has come for the hold.
    pub(super) fn end_holding(&self) -> bool {
        let hold = self.holding.swap(0, Ordering::SeqCst);
        let is_withdrawn = hold != 0 && self.withdrawal.swap(0, Ordering::SeqCst) == hold;
        if is_withdrawn {
            self.may_run.store(false, Ordering::SeqCst);
        }
        is_withdrawn
    }

    /// Ends a hold in which nothing was to run yet, once every request that may have seen it has said so. Whether one has come
    /// for it. To be awaited in the session's own task; dropped, the hold is over all the same. Cancel-safe.
    pub(super) async fn ends_wait(&self) -> bool {
        let hold = self.holding.swap(0, Ordering::SeqCst);
        std::future::poll_fn(|_| {
            // Whoever lowers it wakes the session.
            if self.is_cancelling() {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
        hold != 0 && self.withdrawal.swap(0, Ordering::SeqCst) == hold
    }

    /// With [`Self::is_cancelling`] a Dekker pair: either the canceller sees that nothing runs, or the
    /// session sees that a cancel request is on its way. Hence the strongest ordering.
    pub(super) fn set_busy(&self, busy: bool) {
        self.busy.store(busy, Ordering::SeqCst);
    }

    pub(super) fn is_cancelling(&self) -> bool {
        self.cancelling.load(Ordering::SeqCst)
    }

    /// What was held goes upstream; to be told before [`Self::end_holding`]. Or it does not, after all.
    pub(super) fn forwards_held(&self, does: bool) {
        self.begun.forwards(does);
    }

    /// Something of what was held is answered.
    pub(super) fn has_begun_held(&self) {
        self.begun.forwards(false);
        self.begun.note_answer();
    }

    /// A segment was answered while a cancel request is on its way.
    pub(super) fn note_answer(&self) {
        self.begun.note_answer();
    }

    /// Whether a cancel request may hit what comes after this session: it is on its way, or was lost sight of.
    pub(super) fn may_be_cancelled_later(&self) -> bool {
        self.is_cancelling() || self.cancel_in_doubt.load(Ordering::SeqCst)
    }

    /// Remembers how to wake the session's task.
    pub(super) fn register(&self, waker: &Waker) {
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker.clone());
    }

    fn wake(&self) {
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.signalled.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// Carries out a cancel request: withdraws what is held, or cancels what runs, or does nothing.
    async fn cancel(&self) {
        // Before anything else: whoever sees what follows begins nothing new until this has arrived. Where one is on its way
        // already, for the same statement, there is no need for another to the server.
        let arrived = Arrived::first(self);
        if arrived.is_some() {
            self.begun.is_cancelled();
        }
        let hold = self.holding.load(Ordering::SeqCst);
        if hold != 0 {
            self.withdrawal.fetch_max(hold, Ordering::SeqCst);
            self.signalled.store(true, Ordering::Release);
            self.wake();
            // Another Dekker pair: either the session sees the withdrawal when it ends the hold, or it is seen here that what
            // was held runs.
            if !self.may_run.load(Ordering::SeqCst) {
                return;
            }
        }
        if arrived.is_some() && self.busy.load(Ordering::SeqCst) {
            let is_early = self.begun.is_early();
            self.cancel_upstream().await;
            if is_early && self.begun.is_unanswered(&self.busy).await {
                self.cancel_upstream().await;
            }
        }
        drop(arrived);
    }

    /// Cancels what runs on the server. Waits until the request has arrived. Dropped, or given up, it may have gone with its
    /// last byte: then it is in doubt.
    pub(super) async fn cancel_upstream(&self) {
        let doubt = Doubt(&self.cancel_in_doubt);
        match self.upstream.cancel().await {
            Ok(()) => std::mem::forget(doubt),
            Err(error) => tracing::warn!(%error, "a cancel request did not reach the server"),
        }
    }
}

/// Whose a session is.
#[derive(Debug)]
struct Owner {
    user: Arc<Principal>,
    /// When they came, to log in.
    came: Instant,
}

impl Owner {
    /// Whether they are among these users, and came before the time that is said there.
    fn is_among(&self, users: &HashMap<String, Instant>) -> bool {
        users.get(&self.user.name).is_some_and(|&until| self.came < until)
    }
}

/// Raises the flag when it is dropped; what is known to have arrived forgets it.
struct Doubt<'a>(&'a AtomicBool);

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Ends `cancelling` however the request ends.
struct Arrived<'a>(&'a SessionHandle);

impl<'a> Arrived<'a> {
    /// Raises `cancelling`; `None` where another request has raised it, whose it is to end it.
    fn first(handle: &'a SessionHandle) -> Option<Self> {
        let is_first = !handle.cancelling.swap(true, Ordering::SeqCst);
        // Made for the first alone: whoever drops one lowers the flag.
        is_first.then(|| Self(handle))
    }
}

impl Drop for Arrived<'_> {
    fn drop(&mut self) {
        self.0.cancelling.store(false, Ordering::SeqCst);
        self.0.wake();
    }
}

/// All sessions, by the process id that each client was told.
#[derive(Debug, Default)]
pub struct Sessions {
    by_pid: DashMap<i32, Arc<SessionHandle>>,
    /// Connections, logged in or not.
    connections: AtomicUsize,
    stopping: AtomicBool,
}

/// A connection that counts; no longer when dropped.
#[derive(Debug)]
pub(super) struct Counted(Arc<Sessions>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Sessions {
    /// Counts a connection, with how many there are now.
    pub(super) fn count(self: &Arc<Self>) -> (Counted, usize) {
        let before = self.connections.fetch_add(1, Ordering::Relaxed);
        (Counted(Arc::clone(self)), before + 1)
    }

    /// Enters a session under a key of its own, with a secret of so many bytes.
    pub(super) fn enter(self: &Arc<Self>, upstream: CancelKey, secret_length: usize) -> Entered {
        let mut upstream = Some(upstream);
        loop {
            // Positive, as process ids are.
            let pid = rand::random_range(1..=i32::MAX);
            if let Entry::Vacant(vacant) = self.by_pid.entry(pid)
                && let Some(upstream) = upstream.take()
            {
                let handle = Arc::new(SessionHandle {
                    pid,
                    secret: new_secret(secret_length),
                    upstream,
                    signalled: AtomicBool::new(false),
                    stopping: AtomicBool::new(false),
                    withdrawal: AtomicU64::new(0),
                    holding: AtomicU64::new(0),
                    holds: AtomicU64::new(0),
                    may_run: AtomicBool::new(false),
                    busy: AtomicBool::new(false),
                    cancelling: AtomicBool::new(false),
                    cancel_in_doubt: AtomicBool::new(false),
                    begun: Begun::default(),
                    waker: Mutex::new(None),
                    owner: OnceLock::new(),
                    expelled: AtomicBool::new(false),
                });
                vacant.insert(Arc::clone(&handle));
                if self.stopping.load(Ordering::SeqCst) {
                    handle.stop();
                }
                return Entered {
                    handle,
                    sessions: Arc::clone(self),
                };
            }
        }
    }

    /// Carries out a CancelRequest; one with a wrong key is ignored, as PostgreSQL does.
    pub(super) async fn cancel(&self, pid: i32, secret: &[u8]) {
        let handle = self.by_pid.get(&pid).map(|entry| Arc::clone(entry.value()));
        match handle {
            Some(handle) if bool::from(handle.secret.ct_eq(secret)) => {
                handle.cancel().await;
            }
            _ => tracing::info!("a cancel request names no session here"),
        }
    }

    /// Tells every session to end once it is at rest.
    pub fn stop_all(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        for entry in &self.by_pid {
            entry.value().stop();
        }
    }

    /// Tells the sessions of these users to end once they are at rest, as far as they came before the time that is said there.
    /// Gives how many were told for the first time.
    pub fn expel(&self, users: &HashMap<String, Instant>) -> usize {
        let mut told = 0;
        for entry in &self.by_pid {
            let handle = entry.value();
            let is_meant = handle.owner.get().is_some_and(|owner| owner.is_among(users));
            if is_meant && !handle.expelled.swap(true, Ordering::AcqRel) {
                handle.stop();
                told += 1;
            }
        }
        told
    }

    /// How many sessions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_pid.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_pid.is_empty()
    }
}

fn new_secret(length: usize) -> Box<[u8]> {
    let mut secret = vec![0; length].into_boxed_slice();
    rand::fill(&mut secret[..]);
    secret
}

/// A session in the list; leaves it when dropped.
#[derive(Debug)]
pub(super) struct Entered {
    pub(super) handle: Arc<SessionHandle>,
    sessions: Arc<Sessions>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.sessions.by_pid.remove(&self.handle.pid);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn who_came_back_after_they_were_enabled_stays() {
        let until = Instant::now();
        let users = HashMap::from([("alice".to_owned(), until)]);
        let moment = Duration::from_millis(1);
        for (name, came, is_among) in [
            ("alice", until.checked_sub(moment), true),
            ("alice", Some(until), false),
            ("alice", Some(until + moment), false),
            ("bob", until.checked_sub(moment), false),
        ] {
            let user = Principal {
                name: name.to_owned(),
                groups: Vec::new(),
                admin: false,
            };
            let owner = came.map(|came| Owner {
                user: Arc::new(user),
                came,
            });
            assert_eq!(
                owner.map(|owner| owner.is_among(&users)),
                Some(is_among),
                "{name}"
            );
        }
    }
}
