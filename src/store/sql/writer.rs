//! Group commit: writes that arrive while another commits share the next commit.
//!
//! Imports `store`'s errors and sqlx. A task owns the order of writing. It takes what has queued, opens one
//! transaction, and lends its connection to each caller in turn, in a savepoint of its own; then it commits once and
//! tells all of them. A write that finds nobody before it begins at once and commits alone: there is no waiting for
//! company. Invariants:
//! - nobody hears of success before the commit that has it; where that fails, all in it hear of the failure;
//! - what is dropped before its `commit` is undone alone, whether by an error, a panic or a caller that went away;
//!   from then on it is decided upon by the task, whether or not its caller still listens;
//! - the order of writing is the order of arrival;
//! - after an error of the database's between two writes the connection is closed: what state it is in is not known.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use sqlx::Pool;
use sqlx::pool::PoolConnection;
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc, oneshot};

use super::engine::{Connection as _, Engine};
use super::{ACQUIRE_TIMEOUT, not_written};
use crate::store::StoreError;

/// Writes that share a commit at most: the first of them waits for the last.
pub(in crate::store) const TOGETHER: usize = 64;

/// Why writes that were to share a commit all failed.
#[derive(Debug, thiserror::Error)]
enum Failed {
    /// The transaction could not be begun.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
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

    fn closed() -> StoreError {
        Arc::new(Self::Closed).shared()
    }
}

/// A place in the queue.
struct Place<E: Engine> {
    turn: oneshot::Sender<Result<Write<E>, StoreError>>,
    /// It takes long: none that came before is to wait for its end.
    alone: bool,
}

/// How a commit ended, for each of those who are in it.
type Ended = Result<(), Arc<Failed>>;

/// A turn at writing: a savepoint in a transaction that holds the database's lock for writers. Dropped, it is undone.
pub(in crate::store) struct Write<E: Engine> {
    connection: OwnedMutexGuard<PoolConnection<E>>,
    keep: oneshot::Sender<oneshot::Sender<Ended>>,
}

impl<E: Engine> Write<E> {
    /// Keeps what was written, and waits until it is durable. To be called as well where nothing was written and the
    /// answer rests on what was read here: others may have written that, and their commit may fail.
    ///
    /// Cancel-safe in so far as it is kept from the first poll on.
    pub(in crate::store) async fn commit(self) -> Result<(), StoreError> {
        let (tell, ended) = oneshot::channel();
        // Received at once, or dropped with the task: then `ended` says so.
        let _ = self.keep.send(tell);
        drop(self.connection);
        match ended.await {
            Ok(ended) => ended.map_err(|failed| failed.shared()),
            Err(_) => Err(Failed::closed()),
        }
    }
}

impl<E: Engine> Deref for Write<E> {
    type Target = E::Connection;

    fn deref(&self) -> &E::Connection {
        &self.connection
    }
}

impl<E: Engine> DerefMut for Write<E> {
    fn deref_mut(&mut self) -> &mut E::Connection {
        &mut self.connection
    }
}

/// The queue of those who want to write. With it, the task ends.
pub(in crate::store) struct Queue<E: Engine>(mpsc::Sender<Place<E>>);

impl<E: Engine> Queue<E> {
    /// Starts the task, on the runtime that this is called on.
    pub(in crate::store) fn start(pool: Pool<E>) -> Self {
        // Who finds it full waits in the channel's own queue, in order of arrival as well.
        let (queue, places) = mpsc::channel(TOGETHER);
        tokio::spawn(serve(pool, places));
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
        tokio::time::timeout(ACQUIRE_TIMEOUT, waiting)
            .await
            .unwrap_or_else(|_| Err(not_written(sqlx::Error::PoolTimedOut)))
    }
}

async fn serve<E: Engine>(pool: Pool<E>, mut places: mpsc::Receiver<Place<E>>) {
    let mut taken = Vec::with_capacity(TOGETHER);
    let mut waiting = VecDeque::with_capacity(TOGETHER);
    // What queued while the last commit ran, and no more: the first of them need not wait for who comes now.
    while places.recv_many(&mut taken, TOGETHER).await > 0 {
        waiting.extend(taken.drain(..));
        while !waiting.is_empty() {
            write_together(&pool, &mut waiting).await;
        }
    }
}

/// One transaction for the first of these: up to one that is to be alone, or is lost on the way.
async fn write_together<E: Engine>(pool: &Pool<E>, waiting: &mut VecDeque<Place<E>>) {
    waiting.retain(|place| !place.turn.is_closed());
    let Some(first) = waiting.front() else { return };
    let together = if first.alone {
        1
    } else {
        waiting.iter().take_while(|place| !place.alone).count()
    };
    let connection = match begin(pool).await {
        Ok(connection) => Arc::new(Mutex::new(connection)),
        Err(error) => {
            let failed = Arc::new(Failed::from(error));
            for place in waiting.drain(..together) {
                // Whoever asked may have gone, here and below.
                let _ = place.turn.send(Err(failed.shared()));
            }
            return;
        }
    };
    let mut kept: Vec<oneshot::Sender<Ended>> = Vec::with_capacity(together);
    let mut lost = None;
    for number in 1..=together {
        let Some(place) = waiting.pop_front() else { break };
        let (keep, verdict) = oneshot::channel();
        let write = Write {
            connection: connection.clone().lock_owned().await,
            keep,
        };
        let _ = place.turn.send(Ok(write));
        let verdict = verdict.await;
        // The caller lets go of the connection at about the same moment.
        let mut connection = connection.lock().await;
        let step = match verdict {
            Err(_) => connection.run("ROLLBACK TO write").await,
            Ok(tell) => {
                kept.push(tell);
                // The last one is released with the commit.
                if number < together {
                    connection.run("RELEASE write; SAVEPOINT write").await
                } else {
                    Ok(())
                }
            }
        };
        if let Err(error) = step {
            lost = Some(error);
            break;
        }
    }
    let mut connection = connection.lock_owned().await;
    let ended = match lost {
        Some(error) => Err(Failed::Lost(error)),
        None if kept.is_empty() => connection.run("ROLLBACK").await.map_err(Failed::from),
        // PostgreSQL answers the COMMIT of a transaction that has failed with a ROLLBACK, and without an error; not so the
        // RELEASE in it.
        None => connection
            .run("RELEASE write; COMMIT")
            .await
            .map_err(Failed::Commit),
    };
    let ended = ended.map_err(Arc::new);
    if ended.is_err() {
        connection.close_on_drop();
    }
    // Back to the pool first: who is told may want to read by it, where the database is in memory.
    drop(connection);
    for tell in kept {
        let _ = tell.send(ended.clone());
    }
}

/// Begins a transaction that holds the database's lock for writers from the start, and the first savepoint in it.
async fn begin<E: Engine>(pool: &Pool<E>) -> Result<PoolConnection<E>, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    match connection.run(E::BEGIN).await {
        Ok(()) => Ok(connection),
        Err(error) => {
            if !E::is_busy(&error) {
                connection.close_on_drop();
            }
            Err(error)
        }
    }
}
