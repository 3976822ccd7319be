//! Connections to the server that outlive their sessions.
//!
//! A connection serves one session at a time, from its greeting to its end, and then another one that begins as
//! that did: for the same user of holdpoint's, as the same role, in the same protocol, with the same startup
//! packet. In between it is reset ([`reset()`]): what `DISCARD ALL` leaves is left to the same user alone, and which
//! sessions leave more is for the caller to know ([`Lease::give_back`]).
//!
//! Invariants: an idle connection has nothing unread and nothing unanswered; every connection is counted from
//! before it is opened until it is closed; what is in doubt is closed.

mod idle;
mod reset;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{Mutex as AsyncMutex, Notify};

use super::{CURRENT_SCHEMAS, CancelKey, ConnectError, Connected, RowsError, Target, connect, rows};
use crate::wire::Stream;
use idle::Idle;
use reset::{Changes, read_only_after_reset, reset};

/// How long taking back what a session has left may take.
const RESET: Duration = Duration::from_secs(5);
/// The most that a server may say of its search path, bytes.
const MAX_PATH: usize = 64 * 1024;
/// With more settings of its own than this that the server reports, a connection is not used again.
const MAX_CHANGES: usize = 64;

/// How many connections there may be to one database as one role, and how long.
#[derive(Debug, Clone, Copy)]
pub struct PoolLimits {
    /// Kept while no session uses them.
    pub max_idle: usize,
    /// Kept ready, however long nobody has used them.
    pub min_idle: usize,
    /// In all; 0: no limit.
    pub max_connections: usize,
    /// How long a session waits for room.
    pub wait_timeout: Duration,
    /// How long one is kept that nobody uses.
    pub idle_timeout: Duration,
    /// How old one may be that is used again.
    pub max_lifetime: Duration,
}

/// What a session begins with. Connections are exchanged among equals alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning {
    /// The user of holdpoint's whose session it is.
    pub user: String,
    /// The protocol is 3.`minor`.
    pub minor: u16,
    /// What the startup packet says, but for `user` and `database`.
    pub parameters: Vec<(String, String)>,
}

/// The connections to one database as one role.
#[derive(Debug)]
pub struct Pool {
    target: Arc<Target>,
    limits: PoolLimits,
    state: Mutex<State>,
    /// Whose turn it is among those that wait for room: first come, first served.
    turn: AsyncMutex<()>,
    /// Woken for each connection that is closed, or idle. Who has the turn waits for it.
    freed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Those that nobody uses, the one that was used last at the end.
    idle: Vec<Idle>,
    /// All that there are, or are being opened.
    open: usize,
    /// What the latest session that the server took began with: for one like it, some are kept ready.
    latest: Option<Arc<Beginning>>,
    /// The greeting of the latest connection: mostly they are all the same.
    greeting: Bytes,
    /// No more are kept.
    is_closed: bool,
}

/// A connection that a session uses; counted until it is dropped.
#[derive(Debug)]
pub struct Lease {
    place: Place,
    beginning: Arc<Beginning>,
    /// Since when the connection is there.
    born: Instant,
    greeting: Bytes,
    cancel_key: CancelKey,
    changes: Changes,
    /// See [`Self::default_path`].
    default_path: Option<Box<[Box<str>]>>,
    /// No time has passed since it was opened but that of its own session.
    is_fresh: bool,
    /// `default_transaction_read_only` is on, beyond what the greeting says.
    is_read_only: bool,
    /// It is not to be used again.
    is_spoilt: bool,
}

/// A place among the connections that are counted.
#[derive(Debug)]
struct Place(Arc<Pool>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.state().open -= 1;
        self.0.freed.notify_one();
    }
}

/// What a session gets.
enum Room {
    /// A connection that is there.
    Idle(Box<Idle>),
    /// Leave to open one.
    New(Place),
    /// The same, once this one is closed.
    Instead(Box<Idle>, Place),
}

impl Pool {
    /// An empty pool.
    #[must_use]
    pub fn new(target: Arc<Target>, limits: PoolLimits) -> Arc<Self> {
        Arc::new(Self {
            target,
            limits,
            state: Mutex::default(),
            turn: AsyncMutex::default(),
            freed: Notify::new(),
        })
    }

    /// A connection for a session that begins so: one that is there, or a new one. It has its [`Lease`] with it.
    /// Each one that turns out to be dead begins the wait anew, and takes two seconds more where it is asked; a new one
    /// takes the target's `connect_timeout`. Cancel-safe: dropped, the connection closes.
    ///
    /// # Errors
    /// There is no room for `wait_timeout` ([`ConnectError::NoRoom`]); else as [`connect()`].
    pub async fn take(self: &Arc<Self>, beginning: Beginning) -> Result<Connected, ConnectError> {
        let beginning = self.shared_beginning(beginning);
        loop {
            let place = match self.room(&beginning).await? {
                Room::New(place) => place,
                Room::Instead(idle, place) => {
                    idle.end().await;
                    place
                }
                Room::Idle(idle) => {
                    if let Some(connected) = self.revive(*idle).await {
                        self.state().latest = Some(beginning);
                        return Ok(connected);
                    }
                    // One that has died is closed, and no longer counted.
                    continue;
                }
            };
            let connected = self.open(Arc::clone(&beginning), place).await?;
            self.state().latest = Some(beginning);
            return Ok(connected);
        }
    }

    async fn room(self: &Arc<Self>, beginning: &Arc<Beginning>) -> Result<Room, ConnectError> {
        // Nobody overtakes those that wait.
        if let Ok(_turn) = self.turn.try_lock()
            && let Some(room) = self.room_now(beginning)
        {
            return Ok(room);
        }
        let waiting = async {
            let _turn = self.turn.lock().await;
            loop {
                let mut freed = std::pin::pin!(self.freed.notified());
                // From here on, none that is freed is missed.
                freed.as_mut().enable();
                if let Some(room) = self.room_now(beginning) {
                    return room;
                }
                freed.await;
            }
        };
        crate::timer::timeout(self.limits.wait_timeout, waiting)
            .await
            .map_err(|_| ConnectError::NoRoom {
                limit: self.limits.max_connections,
                waited: self.limits.wait_timeout,
            })
    }

    fn room_now(self: &Arc<Self>, beginning: &Arc<Beginning>) -> Option<Room> {
        let mut state = self.state();
        if let Some(at) = state
            .idle
            .iter()
            .rposition(|idle| Arc::ptr_eq(&idle.beginning, beginning) || idle.beginning == *beginning)
        {
            return Some(Room::Idle(Box::new(state.idle.remove(at))));
        }
        if self.limits.max_connections == 0 || state.open < self.limits.max_connections {
            state.open += 1;
            return Some(Room::New(Place(Arc::clone(self))));
        }
        // One that nobody uses, and that is for others, makes room. Its end is counted when it is dropped.
        let oldest = (!state.idle.is_empty()).then(|| state.idle.remove(0))?;
        state.open += 1;
        Some(Room::Instead(Box::new(oldest), Place(Arc::clone(self))))
    }

    async fn open(
        self: &Arc<Self>,
        beginning: Arc<Beginning>,
        place: Place,
    ) -> Result<Connected, ConnectError> {
        let parameters = beginning.parameters.iter();
        let parameters = parameters.map(|(name, value)| (name.as_str(), value.as_str()));
        let mut connected = connect(&self.target, beginning.minor, parameters.collect()).await?;
        connected.lease = Some(Lease {
            place,
            beginning,
            born: Instant::now(),
            greeting: self.shared_greeting(&connected.greeting),
            cancel_key: connected.cancel_key.clone(),
            changes: Changes::default(),
            default_path: None,
            is_fresh: true,
            is_read_only: false,
            is_spoilt: false,
        });
        Ok(connected)
    }

    async fn revive(&self, idle: Idle) -> Option<Connected> {
        let is_old = idle.lease.born.elapsed() > self.limits.max_lifetime;
        if is_old { None } else { idle.revive().await }
    }

    /// What sessions begin with is kept once, where it is the same.
    fn shared_beginning(&self, beginning: Beginning) -> Arc<Beginning> {
        let latest = self.state().latest.clone();
        latest
            .filter(|latest| **latest == beginning)
            .unwrap_or_else(|| Arc::new(beginning))
    }

    /// The same bytes are kept once.
    fn shared_greeting(&self, greeting: &[u8]) -> Bytes {
        let mut state = self.state();
        if state.greeting != greeting {
            state.greeting = Bytes::copy_from_slice(greeting);
        }
        state.greeting.clone()
    }

    fn keep(&self, idle: Idle) {
        let mut state = self.state();
        let is_old = idle.lease.born.elapsed() > self.limits.max_lifetime;
        let refused = if state.is_closed || is_old || self.limits.max_idle == 0 {
            Some(idle)
        } else {
            let is_full = state.idle.len() >= self.limits.max_idle;
            let oldest = is_full.then(|| state.idle.remove(0));
            state.idle.push(idle);
            oldest
        };
        drop(state);
        if refused.is_none() {
            self.freed.notify_one();
        }
    }

    /// Closes what is too old, what nobody uses any more and what the server has closed; opens what is to be kept
    /// ready. To be called every few seconds. Cancel-safe.
    pub async fn tend(self: &Arc<Self>) {
        let gone: Vec<Idle> = {
            let mut state = self.state();
            let mut kept = state.idle.len();
            let limits = self.limits;
            let is_spent = |idle: &Idle| idle.lease.born.elapsed() > limits.max_lifetime || !idle.is_quiet();
            let extracted = state.idle.extract_if(.., |idle| {
                let goes =
                    is_spent(idle) || (kept > limits.min_idle && idle.since.elapsed() > limits.idle_timeout);
                kept -= usize::from(goes);
                goes
            });
            extracted.collect()
        };
        drop(gone);
        // Each at most once: what is too old by the time that it is there must not be tried without a pause.
        for _ in 0..self.limits.min_idle {
            let Some((place, beginning)) = self.place_in_reserve() else {
                return;
            };
            match self.open_in_reserve(beginning, place).await {
                Ok(idle) => self.keep(idle),
                Err(error) => {
                    tracing::warn!(%error, role = %self.target.user, "no connection can be kept ready");
                    return;
                }
            }
        }
    }

    /// Opens one that no session waits for. By the time that one takes it, its search path may be another than what
    /// sessions begin with then: it is asked for now.
    async fn open_in_reserve(
        self: &Arc<Self>,
        beginning: Arc<Beginning>,
        place: Place,
    ) -> Result<Idle, RowsError> {
        let mut connected = self.open(beginning, place).await?;
        let mut budget = MAX_PATH;
        let asked = rows(&mut connected, CURRENT_SCHEMAS, &mut budget);
        let answer = crate::timer::timeout(RESET, asked).await;
        let path = answer.map_err(|_| ConnectError::Timeout(RESET))??;
        let schemas = path
            .first()
            .and_then(|row| row.first())
            .and_then(Option::as_deref);
        let mut lease = connected.lease.take().ok_or(ConnectError::Timeout(RESET))?;
        lease.default_path = schemas.map(|all| all.lines().map(Into::into).collect());
        Ok(Idle::new(lease, connected.stream))
    }

    /// Leave to open one that is to be kept ready.
    fn place_in_reserve(self: &Arc<Self>) -> Option<(Place, Arc<Beginning>)> {
        let mut state = self.state();
        let has_room = self.limits.max_connections == 0 || state.open < self.limits.max_connections;
        if state.is_closed || state.idle.len() >= self.limits.min_idle || !has_room {
            return None;
        }
        let latest = Arc::clone(state.latest.as_ref()?);
        state.open += 1;
        Some((Place(Arc::clone(self)), latest))
    }

    /// Closes what nobody uses; from now on, nothing is kept.
    pub fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        let idle = std::mem::take(&mut state.idle);
        drop(state);
        drop(idle);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No step leaves it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// The session leaves more in the server's process than a reset takes back: no other is to go on with it.
    pub fn spoil(&mut self) {
        self.is_spoilt = true;
    }

    /// Whether no other session is to go on with it.
    #[must_use]
    pub fn is_spoilt(&self) -> bool {
        self.is_spoilt
    }

    /// The schemas that names without one are looked for in by default, as the first session on the connection knew
    /// them: a reset returns to those. `None`: no session has known them.
    #[must_use]
    pub fn default_path(&self) -> Option<&[Box<str>]> {
        self.default_path.as_deref()
    }

    /// Whether it was opened for the session that has it: then its defaults are those that sessions begin with now.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.is_fresh
    }

    /// Whether `default_transaction_read_only` is on, which the greeting calls off.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.is_read_only
    }

    /// Keeps what the session knows of [`Self::default_path`]; the first that is known stays.
    pub fn keep_default_path(&mut self, known: Option<&[Box<str>]>) {
        if self.default_path.is_none() {
            self.default_path = known.map(Into::into);
        }
    }

    /// The server has reported this value of a setting.
    pub fn note(&mut self, name: &[u8], value: &[u8]) {
        self.changes.note(name, value);
    }

    /// The session has ended, and its connection is at rest: outside of a transaction, with everything answered and
    /// read. Takes back what it has set, and keeps the connection for the next; or closes it, where that fails.
    /// `read_only`: the next one will want `default_transaction_read_only` on, which is off by default.
    /// Dropped, the connection closes.
    pub async fn give_back(mut self, mut stream: Stream, read_only: bool) {
        if self.is_spoilt {
            return;
        }
        let pool = Arc::clone(&self.place.0);
        let resetting = async {
            if read_only {
                read_only_after_reset(&mut stream, &mut self.changes).await
            } else {
                reset(&mut stream, &mut self.changes).await
            }
        };
        let done = crate::timer::timeout(RESET, resetting).await;
        self.is_read_only = read_only;
        match done {
            Ok(Ok(())) if self.changes.len() <= MAX_CHANGES => {
                let changes = std::mem::take(&mut self.changes);
                if let Some(greeting) = changes.applied_to(&self.greeting) {
                    self.greeting = pool.shared_greeting(&greeting);
                }
                pool.keep(Idle::new(self, stream));
            }
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a connection is not used again"),
            Err(_) => tracing::debug!("a connection is not used again: taking it back took too long"),
        }
    }
}
