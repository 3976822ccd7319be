//! What shares a commit, and what one who fails does to the others.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use futures_util::future::{join, join_all};
use tokio::sync::oneshot;

use crate::model::StateKind;
use crate::store::contract::observations::seen;
use crate::store::contract::{approval, at, employ, id, request, state};
use crate::store::sql::transition::{self, Change};
use crate::store::sql::writer::TOGETHER;
use crate::store::sql::{ACQUIRE_TIMEOUT, Connection as _, not_written};
use crate::store::sqlite::SqliteStore;
use crate::store::{Decided, ObservationStore as _, RequestStore as _, StoreError};

/// A store in a file whose commits SQLite itself counts, and refuses where told to.
struct Watched {
    store: SqliteStore,
    commits: Arc<AtomicUsize>,
    refusing: Arc<AtomicBool>,
    folder: tempfile::TempDir,
}

impl Watched {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let watched = Self {
            store: SqliteStore::open(&url_in(&folder)).await.unwrap(),
            commits: Arc::default(),
            refusing: Arc::default(),
            folder,
        };
        watched.watch().await;
        watched
    }

    /// As another process opens it.
    async fn opened_again(&self) -> SqliteStore {
        SqliteStore::open(&url_in(&self.folder)).await.unwrap()
    }

    /// Anew where the connection was replaced.
    async fn watch(&self) {
        let (commits, refusing) = (self.commits.clone(), self.refusing.clone());
        let mut connection = self.store.writer.acquire().await.unwrap();
        connection.lock_handle().await.unwrap().set_commit_hook(move || {
            commits.fetch_add(1, Ordering::Relaxed);
            !refusing.load(Ordering::Relaxed)
        });
    }

    fn commits(&self) -> usize {
        self.commits.load(Ordering::Relaxed)
    }

    /// What comes of `writes` where all of them come while another is at it.
    async fn while_another_writes<F: Future>(&self, writes: impl IntoIterator<Item = F>) -> Vec<F::Output> {
        let other = self.store.begin().await.unwrap();
        // The first side is polled first: all of them are in the queue when the other ends.
        join(join_all(writes), async { drop(other) }).await.0
    }

    async fn exist(&self, numbers: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let mut found = Vec::new();
        for number in numbers {
            if self.store.request(id(number)).await.unwrap().is_some() {
                found.push(number);
            }
        }
        found
    }
}

fn url_in(folder: &tempfile::TempDir) -> String {
    format!("sqlite://{}", folder.path().join("holdpoint.db").display())
}

/// As a boxed future, so that different ones can wait together.
fn insert(store: &SqliteStore, number: u64) -> crate::store::BoxFuture<'_, Result<(), StoreError>> {
    Box::pin(async move { store.insert_pending(&request(number)).await })
}

fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn a_lone_write_commits_alone_and_at_once() {
    let watched = Watched::new().await;
    for number in 1..=3 {
        insert(&watched.store, number).await.unwrap();
        assert_eq!(watched.commits(), usize::try_from(number).unwrap());
    }
}

#[tokio::test]
async fn what_arrives_together_shares_a_commit() {
    let watched = Watched::new().await;
    let together = u64::try_from(TOGETHER).unwrap();
    let done = watched
        .while_another_writes((1..=together).map(|number| insert(&watched.store, number)))
        .await;
    assert!(done.iter().all(Result::is_ok), "{done:?}");
    assert_eq!(watched.commits(), 1);
    assert_eq!(watched.exist(1..=together).await.len(), TOGETHER);
}

#[tokio::test]
async fn the_order_of_arrival_is_kept_and_a_flood_is_cut() {
    let watched = Watched::new().await;
    let done = watched
        .while_another_writes((1..=1000).map(|number| insert(&watched.store, number)))
        .await;
    assert!(done.iter().all(Result::is_ok), "{done:?}");
    let commits = watched.commits();
    assert!(
        (1000_usize.div_ceil(TOGETHER)..100).contains(&commits),
        "{commits}"
    );
    let written: Vec<String> = sqlx::query_scalar("SELECT request_id FROM audit_events ORDER BY id")
        .fetch_all(&watched.store.readers)
        .await
        .unwrap();
    let arrived: Vec<String> = (1..=1000).map(|number| id(number).to_string()).collect();
    assert_eq!(written, arrived);
}

#[tokio::test]
async fn what_takes_long_shares_with_nobody() {
    let watched = Watched::new().await;
    insert(&watched.store, 1).await.unwrap();
    let before = watched.commits();
    let store = &watched.store;
    let counts: crate::store::BoxFuture<'_, Result<(), StoreError>> = Box::pin(async {
        let left_out = store.record_observations(&[seen("SELECT 1", 5)], 10).await?;
        assert_eq!(left_out, 0);
        Ok(())
    });
    let writes = [insert(store, 2), insert(store, 3), counts, insert(store, 4)];
    let done = watched.while_another_writes(writes).await;
    assert!(done.iter().all(Result::is_ok), "{done:?}");
    assert_eq!(watched.commits() - before, 3, "two, one alone, one");
}

#[tokio::test]
async fn one_that_fails_is_undone_alone() {
    let watched = Watched::new().await;
    let store = &watched.store;
    let half_way: crate::store::BoxFuture<'_, Result<(), StoreError>> = Box::pin(async {
        let mut tx = store.begin().await?;
        assert!(transition::make(&mut *tx, id(1), Change::Expire, at(5)).await?);
        Err(StoreError::Inconsistent("on purpose".to_owned()))
    });
    let panics: crate::store::BoxFuture<'_, Result<(), StoreError>> = Box::pin(async {
        use futures_util::FutureExt as _;
        let panicking = async {
            let mut tx = store.begin().await.unwrap();
            transition::make(&mut *tx, id(1), Change::Expire, at(5))
                .await
                .unwrap();
            std::panic::resume_unwind(Box::new("on purpose"));
        };
        std::panic::AssertUnwindSafe(panicking)
            .catch_unwind()
            .await
            .unwrap_err();
        Ok(())
    });
    let writes = [
        insert(store, 1),
        half_way,
        insert(store, 1),
        panics,
        insert(store, 2),
    ];
    let done = watched.while_another_writes(writes).await;
    assert!(
        matches!(
            &done[..],
            [
                Ok(()),
                Err(StoreError::Inconsistent(_)),
                Err(StoreError::Exists(_)),
                Ok(()),
                Ok(())
            ]
        ),
        "{done:?}"
    );
    assert_eq!(watched.commits(), 1);
    assert_eq!(state(store, 1).await, StateKind::Pending);
    assert_eq!(state(store, 2).await, StateKind::Pending);
    let events: i64 = sqlx::query_scalar("SELECT count(*) FROM audit_events")
        .fetch_one(&store.readers)
        .await
        .unwrap();
    assert_eq!(events, 2, "none of what was undone");
}

#[tokio::test]
async fn a_commit_that_fails_fails_all() {
    let watched = Watched::new().await;
    let store = &watched.store;
    employ(store, &["bob"]).await;
    insert(store, 1).await.unwrap();
    watched.refusing.store(true, Ordering::Relaxed);
    let withdraw = async { store.withdraw(id(1), "gone", at(5)).await.map(|_| ()) };
    // It finds the request settled, by what was not committed.
    let too_late = async {
        let decided = store.decide(id(1), approval("bob"), at(6)).await?;
        panic!("{decided:?}");
    };
    let start = async { store.start(id(1), at(6)).await.map(|_| ()) };
    let writes: [crate::store::BoxFuture<'_, Result<(), StoreError>>; 4] = [
        Box::pin(withdraw),
        Box::pin(too_late),
        Box::pin(start),
        insert(store, 2),
    ];
    let done = watched.while_another_writes(writes).await;
    for one in done {
        let error = one.unwrap_err();
        assert!(matches!(error, StoreError::InDoubt(_)), "{error}");
    }
    assert_eq!(state(store, 1).await, StateKind::Pending);
    assert_eq!(watched.exist([2]).await, [0_u64; 0]);
    // The connection was replaced, and with it the hook.
    let decided = store.decide(id(1), approval("bob"), at(6)).await.unwrap();
    assert!(matches!(decided, Decided::Recorded(_)));
}

/// On a full disk, for example.
#[tokio::test]
async fn where_sqlite_ends_the_transaction_those_in_it_fail_and_the_rest_go_on() {
    let watched = Watched::new().await;
    let store = &watched.store;
    let ends_it: crate::store::BoxFuture<'_, Result<(), StoreError>> = Box::pin(async {
        let mut tx = store.begin().await?;
        tx.run("INSERT OR ROLLBACK INTO liveness (id, checks) VALUES (1, 0)")
            .await
            .map_err(not_written)?;
        Ok(())
    });
    let writes = [insert(store, 1), ends_it, insert(store, 2), insert(store, 3)];
    let done = watched.while_another_writes(writes).await;
    assert!(matches!(&done[..], [Err(_), Err(_), Ok(()), Ok(())]), "{done:?}");
    assert_eq!(watched.exist([1, 2, 3]).await, [2, 3]);
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_the_others() {
    let watched = Watched::new().await;
    let store = &watched.store;
    for number in 1..=3 {
        insert(store, number).await.unwrap();
    }
    let before = watched.commits();
    let mut first = store.begin().await.unwrap();
    // In the queue: it never comes to its turn.
    let mut queued = Box::pin(store.withdraw(id(1), "gone", at(5)));
    assert!(poll_once(queued.as_mut()).is_pending());
    // At its turn: undone.
    let (at_it, is_at_it) = oneshot::channel();
    let mut half_way = Box::pin(async {
        let mut tx = store.begin().await.unwrap();
        transition::make(&mut *tx, id(2), Change::Expire, at(5))
            .await
            .unwrap();
        at_it.send(()).unwrap();
        std::future::pending::<()>().await;
    });
    assert!(poll_once(half_way.as_mut()).is_pending());
    let mut last = Box::pin(insert(store, 4));
    assert!(poll_once(last.as_mut()).is_pending());
    drop(queued);
    // While it waits for the commit: kept.
    transition::make(&mut *first, id(3), Change::Withdraw("gone"), at(5))
        .await
        .unwrap();
    let mut kept = Box::pin(first.commit());
    assert!(poll_once(kept.as_mut()).is_pending());
    drop(kept);
    tokio::select! {
        () = &mut half_way => unreachable!(),
        done = is_at_it => done.unwrap(),
    }
    drop(half_way);
    last.await.unwrap();
    assert_eq!(state(store, 1).await, StateKind::Pending);
    assert_eq!(state(store, 2).await, StateKind::Pending);
    assert_eq!(state(store, 3).await, StateKind::Withdrawn);
    assert_eq!(watched.commits() - before, 2, "the first alone, as it came alone");
}

#[tokio::test]
async fn a_store_that_is_closed_refuses() {
    let watched = Watched::new().await;
    watched.store.close().await;
    let error = insert(&watched.store, 1).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
}

/// Another process has the file: all who wait hear so at the same time, and not one after the other.
#[tokio::test]
async fn a_locked_file_fails_all_who_wait_at_once() {
    let watched = Watched::new().await;
    let other = watched.opened_again().await;
    let mut lock = other.begin().await.unwrap();
    lock.run("SELECT 1").await.unwrap();
    let begun = std::time::Instant::now();
    let done = join_all((1..=20).map(|number| insert(&watched.store, number))).await;
    for one in done {
        let error = one.unwrap_err();
        assert!(error.to_string().contains("locked"), "{error}");
    }
    assert!(begun.elapsed() < ACQUIRE_TIMEOUT, "{:?}", begun.elapsed());
    drop(lock);
    insert(&watched.store, 1).await.unwrap();
}

/// What is written with the commit, and is refused, is undone alone.
#[tokio::test]
async fn a_verdict_that_cannot_be_written_is_undone_alone() {
    let watched = Watched::new().await;
    let store = &watched.store;
    employ(store, &["bob", "eve"]).await;
    for number in 1..=3 {
        insert(store, number).await.unwrap();
    }
    // Its review cannot be written.
    sqlx::raw_sql(
        "CREATE TRIGGER refuses BEFORE INSERT ON reviews WHEN new.reviewer = 'eve' \
         BEGIN SELECT RAISE(ABORT, 'on purpose'); END",
    )
    .execute(&store.writer)
    .await
    .unwrap();
    let before = watched.commits();
    let decide = |number: u64, by: &'static str| async move {
        let decided = store.decide(id(number), approval(by), at(6)).await;
        decided.map(|decided| assert!(matches!(decided, Decided::Recorded(_)), "{decided:?}"))
    };
    for verdicts in [[(1, "bob"), (2, "eve")], [(2, "eve"), (3, "bob")]] {
        let writes = verdicts.map(|(number, by)| decide(number, by));
        let done = watched.while_another_writes(writes).await;
        for ((_, by), done) in verdicts.into_iter().zip(done) {
            match done {
                Ok(()) => assert_eq!(by, "bob"),
                Err(StoreError::Unavailable { source, .. }) => {
                    assert_eq!(by, "eve");
                    assert!(source.to_string().contains("on purpose"), "{source}");
                }
                Err(error) => panic!("{by}: {error}"),
            }
        }
    }
    assert_eq!(watched.commits() - before, 2);
    assert_eq!(state(store, 1).await, StateKind::Approved);
    assert_eq!(state(store, 2).await, StateKind::Pending);
    assert_eq!(state(store, 3).await, StateKind::Approved);
}

#[tokio::test]
async fn whoever_asks_nothing_in_a_turn_has_locked_nothing() {
    let watched = Watched::new().await;
    let other = watched.opened_again().await;
    let turn = other.begin().await.unwrap();
    insert(&watched.store, 1).await.unwrap();
    turn.commit().await.unwrap();
    assert!(other.withdraw(id(1), "gone", at(5)).await.unwrap());
}

/// It is kept for a moment for who comes next, and then given back; and not used once the store is closed.
#[tokio::test]
async fn the_connection_goes_back_to_its_pool() {
    let watched = Watched::new().await;
    insert(&watched.store, 1).await.unwrap();
    drop(watched.store.writer.acquire().await.unwrap());
    insert(&watched.store, 2).await.unwrap();
    watched.store.close().await;
    let error = insert(&watched.store, 3).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
}
