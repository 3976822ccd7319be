//! Group commit: writes that arrive while another commits share the next commit.
//!
//! Imports `store`'s errors and sqlx. A task owns the order of writing. It takes what has queued and lends its connection to
//! each caller in turn, in a savepoint of its own in one transaction; then it commits once and tells all of them. A write that
//! finds nobody before it begins at once and commits alone: there is no waiting for company. Invariants:
//! - nobody hears of success before the commit that has it; where that fails, all in it hear of the failure;
//! - what is dropped before its `commit` is undone alone, whether by an error, a panic or a caller that went away;
//!   from then on it is decided upon by the task, whether or not its caller still listens;
//! - the order of writing is the order of arrival;
//! - after an error of the database's between two writes the connection is closed: what state it is in is not known.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use sqlx::Pool;
use sqlx::error::DatabaseError;
use sqlx::pool::PoolConnection;
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc, oneshot};

use super::engine::{Connection as _, Engine, Stopped, Texts, Variant};
use super::query::{self, Query};
use super::turn::{Turn, Unbegun};
use super::{ACQUIRE_TIMEOUT, not_written};
use crate::store::StoreError;
use crate::timer::timeout;

/// Writes that share a commit at most: the first of them waits for the last.
pub(in crate::store) const TOGETHER: usize = 64;

/// How long the connection is kept for who comes next: the pool it goes back to asks it whether it lives, and who comes at once
/// would have to wait for that.
const KEPT_FOR: Duration = Duration::from_millis(20);

/// What keeps the transaction from here on, and a savepoint for whoever is next.
const KEEP: &str = "RELEASE write; SAVEPOINT write";
/// PostgreSQL answers the COMMIT of a transaction that has failed with a ROLLBACK, and without an error; not so the RELEASE in it.
const COMMIT: &str = "RELEASE write; COMMIT";
const UNDO: &str = "ROLLBACK TO write";

/// Why writes failed.
#[derive(Debug, thiserror::Error)]
enum Failed {
    /// The transaction could not be begun, or one write alone could not be made.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// It could not be begun, and nobody who waits is to try again at once.
    #[error("{}", .0.why)]
    NotBegun(Unbegun),
    /// It could not be committed, or nobody knows whether it was.
    #[error(transparent)]
    Commit(sqlx::Error),
    /// The database ended the transaction by itself (a full disk), or cannot go on in it.
    #[error("the transaction that it shared with others has failed: {0}")]
    Lost(#[source] sqlx::Error),
    /// The task is gone, and the process with it.
    #[error("the store is closed")]
    Closed,
}

impl Failed {
    fn shared(self: &Arc<Self>) -> StoreError {
        if matches!(**self, Self::Commit(_)) {
            return StoreError::InDoubt(self.clone().into());
        }
        StoreError::Unavailable {
            doing: "written",
            source: self.clone().into(),
        }
    }

    /// Whether it is not known what state the connection is in.
    fn spoils(&self) -> bool {
        match self {
            Self::NotBegun(unbegun) => unbegun.is_spoilt,
            _ => true,
        }
    }

    fn closed() -> StoreError {
        Arc::new(Self::Closed).shared()
    }
}

/// Whether this says that what was to be written is there already.
pub(super) fn is_unique_violation(error: &StoreError) -> bool {
    let StoreError::Unavailable { source, .. } = error else {
        return false;
    };
    matches!(source.downcast_ref::<Arc<Failed>>().map(|failed| &**failed),
        Some(Failed::Database(error)) if error.as_database_error().is_some_and(DatabaseError::is_unique_violation))
}

/// A place in the queue.
struct Place<E: Engine> {
    turn: oneshot::Sender<Result<Write<E>, StoreError>>,
    /// It takes long: none that came before is to wait for its end.
    alone: bool,
}

/// How a commit ended, for each of those who are in it.
type Ended = Result<(), Arc<Failed>>;

/// What is to be kept of a turn.
struct Kept {
    /// Still to be written.
    behind: Texts,
    tell: oneshot::Sender<Ended>,
}

/// A turn at writing: a savepoint in a transaction that holds the database's lock for writers from the first statement on.
/// Dropped, it is undone.
pub(in crate::store) struct Write<E: Engine> {
    turn: OwnedMutexGuard<Turn<E>>,
    keep: oneshot::Sender<Kept>,
}

impl<E: Engine> Write<E> {
    /// Keeps what was written, and waits until it is durable. To be called as well where nothing was written and the
    /// answer rests on what was read here: others may have written that, and their commit may fail.
    ///
    /// Cancel-safe in so far as it is kept from the first poll on.
    pub(in crate::store) async fn commit(self) -> Result<(), StoreError> {
        self.commit_with(Vec::new()).await
    }

    /// As [`Self::commit`], with more to write before that, on the same way to the database where it can be. Each is to change
    /// something, and where one fails, all of this turn is undone.
    pub(super) async fn commit_with(self, behind: Vec<Query<'static, Variant>>) -> Result<(), StoreError> {
        let (tell, ended) = oneshot::channel();
        let behind = query::texts::<Turn<E>>(behind);
        // Received at once, or dropped with the task: then `ended` says so.
        let _ = self.keep.send(Kept { behind, tell });
        drop(self.turn);
        match ended.await {
            Ok(ended) => ended.map_err(|failed| failed.shared()),
            Err(_) => Err(Failed::closed()),
        }
    }
}

impl<E: Engine> Deref for Write<E> {
    type Target = Turn<E>;

    fn deref(&self) -> &Turn<E> {
        &self.turn
    }
}

impl<E: Engine> DerefMut for Write<E> {
    fn deref_mut(&mut self) -> &mut Turn<E> {
        &mut self.turn
    }
}

/// The queue of those who want to write. With it, the task ends.
pub(in crate::store) struct Queue<E: Engine>(mpsc::Sender<Place<E>>);

impl<E: Engine> Queue<E> {
    /// Starts the task, on the runtime that this is called on. `keeps`: nobody else needs the pool's one connection.
    pub(in crate::store) fn start(pool: Pool<E>, keeps: bool) -> Self {
        // Who finds it full waits in the channel's own queue, in order of arrival as well.
        let (queue, places) = mpsc::channel(TOGETHER);
        let writer = Writer {
            pool,
            keeps,
            connection: None,
        };
        tokio::spawn(writer.serve(places));
        Self(queue)
    }

    /// Waits for a turn, in order of arrival, [`ACQUIRE_TIMEOUT`] at most. Cancel-safe: dropped, the place is given up.
    pub(super) async fn turn(&self, alone: bool) -> Result<Write<E>, StoreError> {
        let waiting = async {
            let (turn, granted) = oneshot::channel();
            let place = Place { turn, alone };
            self.0.send(place).await.map_err(|_| Failed::closed())?;
            granted.await.map_err(|_| Failed::closed())?
        };
        timeout(ACQUIRE_TIMEOUT, waiting)
            .await
            .unwrap_or_else(|_| Err(not_written(sqlx::Error::PoolTimedOut)))
    }
}

/// The task.
struct Writer<E: Engine> {
    pool: Pool<E>,
    keeps: bool,
    /// Of the pool, in no transaction: for who comes next.
    connection: Option<PoolConnection<E>>,
}

impl<E: Engine> Writer<E> {
    async fn serve(mut self, mut places: mpsc::Receiver<Place<E>>) {
        let mut taken = Vec::with_capacity(TOGETHER);
        let mut waiting = VecDeque::with_capacity(TOGETHER);
        loop {
            // What queued while the last commit ran, and no more: the first of them need not wait for who comes now.
            let arriving = places.recv_many(&mut taken, TOGETHER);
            let arrived = if self.connection.is_some() {
                let Ok(arrived) = timeout(KEPT_FOR, arriving).await else {
                    self.connection = None;
                    continue;
                };
                arrived
            } else {
                arriving.await
            };
            if arrived == 0 {
                return;
            }
            waiting.extend(taken.drain(..));
            while !waiting.is_empty() {
                self.write_together(&mut waiting).await;
            }
        }
    }

    /// One transaction for the first of these: up to one that is to be alone, or is lost on the way.
    async fn write_together(&mut self, waiting: &mut VecDeque<Place<E>>) {
        waiting.retain(|place| !place.turn.is_closed());
        let Some(first) = waiting.front() else { return };
        let together = if first.alone {
            1
        } else {
            waiting.iter().take_while(|place| !place.alone).count()
        };
        let mut group: VecDeque<Place<E>> = waiting.drain(..together).collect();
        let connection = match self.connection().await {
            Ok(connection) => connection,
            Err(error) => return fail_all(group, &Arc::new(Failed::from(error))),
        };
        let mut round = Round {
            turn: Arc::new(Mutex::new(Turn::new(connection))),
            told: Vec::with_capacity(together),
        };
        let mut ended = None;
        while ended.is_none()
            && let Some(place) = group.pop_front()
        {
            ended = round.lend(place, group.is_empty()).await;
        }
        let ended = match ended {
            Some(ended) => ended,
            None => round.end().await,
        };
        match &ended {
            // They would wait for it as long as the first, one after the other.
            Err(failed) if matches!(**failed, Failed::NotBegun(_)) => fail_all(group, failed),
            // They have not had their turn.
            _ => group
                .into_iter()
                .rev()
                .for_each(|place| waiting.push_front(place)),
        }
        let is_spoilt = ended.as_ref().is_err_and(|failed| failed.spoils());
        if is_spoilt {
            round.turn.lock().await.close_on_drop();
        }
        // Whoever had the last turn may not have let go of it in full.
        let turn = Arc::into_inner(round.turn).filter(|_| self.keeps && !is_spoilt);
        // Else back to the pool first: who is told may want to read by it, where the database is in memory.
        self.connection = turn.map(|turn| turn.into_inner().into_connection());
        for tell in round.told {
            let _ = tell.send(ended.clone());
        }
    }

    /// The one that was kept, or one of the pool's.
    async fn connection(&mut self) -> Result<PoolConnection<E>, sqlx::Error> {
        match self.connection.take() {
            Some(connection) if !self.pool.is_closed() => Ok(connection),
            other => {
                drop(other);
                self.pool.acquire().await
            }
        }
    }
}

/// One transaction.
struct Round<E: Engine> {
    turn: Arc<Mutex<Turn<E>>>,
    /// Those whose writes are in it.
    told: Vec<oneshot::Sender<Ended>>,
}

impl<E: Engine> Round<E> {
    /// Lends the connection to one, and keeps or undoes what they have written. Gives how the transaction has ended, if it has.
    async fn lend(&mut self, place: Place<E>, is_last: bool) -> Option<Ended> {
        let (keep, kept) = oneshot::channel();
        let write = Write {
            turn: self.turn.clone().lock_owned().await,
            keep,
        };
        // Whoever asked may have gone.
        let _ = place.turn.send(Ok(write));
        let kept = kept.await;
        // The caller lets go of the connection at about the same moment.
        let mut turn = self.turn.lock().await;
        if let Some(unbegun) = turn.take_unbegun() {
            self.told.extend(kept.map(|kept| kept.tell));
            return Some(Err(Arc::new(Failed::NotBegun(unbegun))));
        }
        let Ok(Kept { behind, tell }) = kept else {
            if turn.is_before() {
                return None;
            }
            let undone = turn.run(UNDO).await;
            return undone.err().map(|error| Err(Arc::new(Failed::Lost(error))));
        };
        if behind.is_empty() {
            self.told.push(tell);
            if is_last || turn.is_before() {
                return None;
            }
            let kept = turn.run(KEEP).await;
            return kept.err().map(|error| Err(Arc::new(Failed::Lost(error))));
        }
        let end = if is_last { COMMIT } else { KEEP };
        match turn.execute_all(behind, end).await {
            Ok(()) => {
                self.told.push(tell);
                is_last.then_some(Ok(()))
            }
            Err(stopped) => {
                if let Some(unbegun) = turn.take_unbegun() {
                    self.told.push(tell);
                    return Some(Err(Arc::new(Failed::NotBegun(unbegun))));
                }
                let Stopped { error, at_end } = stopped;
                // The savepoint is still there: it is this write alone that has failed.
                if !at_end && turn.run(UNDO).await.is_ok() {
                    let _ = tell.send(Err(Arc::new(Failed::Database(error))));
                    return None;
                }
                self.told.push(tell);
                Some(Err(Arc::new(if at_end && is_last {
                    Failed::Commit(error)
                } else {
                    Failed::Lost(error)
                })))
            }
        }
    }

    /// Ends the transaction.
    async fn end(&mut self) -> Ended {
        let mut turn = self.turn.lock().await;
        if turn.is_before() {
            // Nobody has asked anything.
            return Ok(());
        }
        let ended = if self.told.is_empty() {
            turn.run("ROLLBACK").await.map_err(Failed::from)
        } else {
            turn.run(COMMIT).await.map_err(Failed::Commit)
        };
        ended.map_err(Arc::new)
    }
}

/// None of them has had a turn.
fn fail_all<E: Engine>(places: VecDeque<Place<E>>, failed: &Arc<Failed>) {
    for place in places {
        // Whoever asked may have gone.
        let _ = place.turn.send(Err(failed.shared()));
    }
}
