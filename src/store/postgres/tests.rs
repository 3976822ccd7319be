//! The contract on PostgreSQL, and what is PostgreSQL's own: the schema's guards, other proxies, lost connections.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection as _;

use super::PostgresStore;
use super::testing::{Database, cluster, eventually};
use crate::model::StateKind;
use crate::store::contract::grants::standing;
use crate::store::contract::{
    STAFF, Subject, approval, at, bring_to, employ, id, left_over, read, request, state, store_contract,
    with_pending,
};
use crate::store::sql::testing::transitions_are_those_of_the_model;
use crate::store::sql::{ACQUIRE_TIMEOUT, Connection as _};
use crate::store::{
    BoxFuture, GrantStore as _, Hint, Hints, RequestFilter, RequestStore as _, SharedStore as _, Store,
    StoreError, UserStore as _,
};

/// So long proxies may be silent here.
const DEAD_AFTER: Duration = Duration::from_secs(30);

impl Database {
    async fn store(&self) -> PostgresStore {
        PostgresStore::open(&self.url()).await.unwrap()
    }
}

impl Subject for Database {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>> {
        Box::pin(async { Arc::new(self.store().await) as Arc<dyn Store> })
    }
}

store_contract!(Database::new());

/// What PostgreSQL says to a statement that a faulty or hostile program might send.
async fn answer(store: &PostgresStore, sql: &'static str) -> String {
    sqlx::raw_sql(sql).execute(&store.writer).await.map_or_else(
        |error| error.to_string(),
        |done| format!("{} rows", done.rows_affected()),
    )
}

async fn refusal(url: &str) -> String {
    let error = PostgresStore::open(url).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }));
    error.to_string()
}

async fn next(hints: &mut Box<dyn Hints>) -> Hint {
    crate::timer::timeout(std::time::Duration::from_secs(30), hints.next())
        .await
        .unwrap()
        .unwrap()
}

#[tokio::test]
async fn what_cannot_be_opened_says_so_without_the_password() {
    let port = cluster().port;
    let latin = Database::with("ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'");
    for (url, expected) in [
        ("postgres://:x".to_owned(), "is no PostgreSQL URL"),
        (
            format!("postgres://ghost:secret@127.0.0.1:{port}/postgres"),
            "role \"ghost\" does not exist",
        ),
        (
            format!("postgres://postgres:secret@127.0.0.1:{port}/nowhere"),
            "database \"nowhere\" does not exist",
        ),
        (
            "postgres://postgres:secret@127.0.0.1:1/x".to_owned(),
            "127.0.0.1:1/x",
        ),
        (latin.url(), "its encoding is LATIN1"),
    ] {
        let message = refusal(&url).await;
        assert!(message.contains(expected), "{url}: {message}");
        assert!(message.starts_with("the store cannot be opened: "), "{message}");
        assert!(!message.contains("secret"), "{message}");
    }
}

#[tokio::test]
async fn a_database_of_a_newer_release_is_left_alone() {
    let database = Database::new();
    let store = database.store().await;
    answer(
        &store,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'from the future', true, '', 0)",
    )
    .await;
    store.close().await;
    let message = refusal(&database.url()).await;
    assert!(message.contains("written by a newer holdpoint"), "{message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_can_open_a_new_database_at_once() {
    let database = Database::new();
    let mut opening = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let url = database.url();
        opening.spawn(async move { PostgresStore::open(&url).await?.secret().await });
    }
    let secrets = opening.join_all().await;
    let first = secrets[0].as_ref().unwrap();
    assert!(secrets.iter().all(|secret| secret.as_ref().unwrap() == first));
}

/// It lives in the schema that the URL says, beside others.
#[tokio::test]
async fn it_keeps_to_its_schema() {
    let database = Database::new();
    cluster().run_script(&database.name, "CREATE SCHEMA one; CREATE SCHEMA other");
    let open = async |schema: &str| {
        let url = format!("{}&options=-csearch_path%3D{schema}", database.url());
        PostgresStore::open(&url).await.unwrap()
    };
    let (one, other) = (open("one").await, open("other").await);
    bring_to(&one, 1, StateKind::Executed).await;
    assert_eq!(other.request(id(1)).await.unwrap(), None);
    assert_ne!(one.secret().await.unwrap(), other.secret().await.unwrap());
}

/// The cluster's own setting loses what was committed last when the server crashes.
#[tokio::test]
async fn commits_are_durable_whatever_the_servers_setting() {
    let database = Database::new();
    for (setting, expected) in [
        ("off", "on"),
        ("local", "local"),
        ("remote_apply", "remote_apply"),
    ] {
        cluster().run_script(
            "postgres",
            &format!(
                "ALTER DATABASE {} SET synchronous_commit = {setting}",
                database.name
            ),
        );
        let store = database.store().await;
        let found: String = sqlx::query_scalar("SHOW synchronous_commit")
            .fetch_one(&store.writer)
            .await
            .unwrap();
        assert_eq!(found, expected, "{setting}");
    }
}

#[tokio::test]
async fn a_change_whose_event_cannot_be_written_does_not_happen() {
    let database = Database::new();
    let store = with_pending(&database, 1).await;
    let other = database.store().await;
    let broken = answer(
        &other,
        "CREATE TRIGGER broken BEFORE INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION refuse('no')",
    );
    assert_eq!(broken.await, "0 rows");
    store.decide(id(1), approval("bob"), at(5)).await.unwrap_err();
    store.insert_pending(&request(2)).await.unwrap_err();
    assert_eq!(state(&*store, 1).await, StateKind::Pending);
    assert!(read(&*store, 1).await.reviews.is_empty());
    assert_eq!(store.request(id(2)).await.unwrap(), None);
    answer(&other, "DROP TRIGGER broken ON audit_events").await;
    store.decide(id(1), approval("bob"), at(5)).await.unwrap();
}

#[tokio::test]
async fn the_schema_itself_refuses() {
    let database = Database::new();
    let store = database.store().await;
    bring_to(&store, 1, StateKind::Rejected).await;
    bring_to(&store, 2, StateKind::Pending).await;
    store.insert_grant(&standing(3), None).await.unwrap();
    for (sql, expected) in [
        (
            "UPDATE grants SET max_rows = 10",
            "what was asked cannot be changed",
        ),
        ("UPDATE grants SET length = length + 1", "cannot be made longer"),
        ("UPDATE grants SET state = 'ended'", "cannot go from this state"),
        ("UPDATE audit_events SET actor = 'eve'", "append-only"),
        ("DELETE FROM audit_events", "append-only"),
        ("TRUNCATE audit_events", "append-only"),
        (
            "INSERT INTO audit_events (id, at, kind, detail) VALUES (1, 0, 'x', '{}')",
            "non-DEFAULT value",
        ),
        (
            "UPDATE requests SET statement = 'DROP TABLE orders'",
            "what was asked cannot be changed",
        ),
        (
            "UPDATE requests SET proxy = 'x'",
            "what was asked cannot be changed",
        ),
        (
            "UPDATE requests SET state = 'approved', settled_at = NULL",
            "cannot go from this state",
        ),
        ("UPDATE requests SET note = 'x'", "check constraint"),
        ("UPDATE requests SET settled_at = NULL", "check constraint"),
        (
            "INSERT INTO web_sessions (token_hash, user_name, csrf, expires_at) \
             VALUES (decode(repeat('00', 32), 'hex'), 'x', '', 0)",
            "foreign key",
        ),
    ] {
        let answer = answer(&store, sql).await;
        assert!(answer.contains(expected), "{sql}: {answer}");
    }
}

#[tokio::test]
async fn the_schema_knows_the_transitions_of_the_model() {
    transitions_are_those_of_the_model(&Database::new().store().await).await;
}

#[tokio::test]
async fn a_row_that_was_tampered_with_is_inconsistent() {
    let database = Database::new();
    let store = with_pending(&database, 1).await;
    let other = database.store().await;
    answer(
        &other,
        "DROP TRIGGER requests_asked ON requests; DROP TRIGGER requests_transition ON requests; \
         ALTER TABLE requests DROP CONSTRAINT requests_state_check, DROP CONSTRAINT requests_check, \
         DROP CONSTRAINT requests_check1, DROP CONSTRAINT requests_check2",
    )
    .await;
    for (sql, expected) in [
        ("UPDATE requests SET state = 'allowed'", "\"allowed\""),
        (
            "UPDATE requests SET state = 'executed'",
            "is executed, without a note, without an outcome, without a time of settling",
        ),
        ("UPDATE requests SET state = 'pending', note = 'x'", "with a note"),
        ("UPDATE requests SET note = NULL, effect = 'harmless'", "effect"),
        ("UPDATE requests SET effect = 'read', tables = '{'", "tables"),
    ] {
        assert_eq!(answer(&other, sql).await, "1 rows", "{sql}");
        let error = store.request(id(1)).await.unwrap_err();
        assert!(matches!(error, StoreError::Inconsistent(_)), "{sql}: {error}");
        assert!(error.to_string().contains(expected), "{sql}: {error}");
        assert!(store.decide(id(1), approval("bob"), at(5)).await.is_err());
    }
}

#[tokio::test]
async fn connections_that_were_cut_are_replaced() {
    let database = Database::new();
    let store = database.store().await;
    let mut hints = store.hints().await.unwrap().unwrap();
    bring_to(&store, 1, StateKind::Pending).await;
    let cut = || {
        cluster().run_script(
            "postgres",
            &format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'",
                database.name
            ),
        );
    };
    cut();
    assert!(store.request(id(1)).await.unwrap().is_some());
    assert!(store.withdraw(id(1), "gone", at(5)).await.unwrap());
    // What it might have missed is said, and then it goes on.
    assert_eq!(next(&mut hints).await, Hint::Missed);
    let other = database.store().await;
    eventually("hints come again", async || {
        other.insert_pending(&request(rand::random())).await.unwrap();
        let soon = std::time::Duration::from_millis(100);
        let hint = crate::timer::timeout(soon, hints.next()).await.ok()?;
        matches!(hint, Ok(Hint::Changed(_))).then_some(())
    })
    .await;

    // In the middle of a write, it is an error, and the next one works.
    let mut tx = store.begin().await.unwrap();
    tx.run("SELECT 1").await.unwrap();
    cut();
    tx.commit().await.unwrap_err();
    store.check().await.unwrap();
}

/// Another proxy is at it: all who wait hear so at the same time, and not one after the other.
#[tokio::test]
async fn a_lock_that_does_not_come_fails_all_who_wait_at_once() {
    let database = Database::new();
    let (one, other) = (database.store().await, database.store().await);
    let mut lock = other.begin().await.unwrap();
    lock.run("SELECT 1").await.unwrap();
    let begun = std::time::Instant::now();
    let inserts = (1..=5).map(async |number| one.insert_pending(&request(number)).await);
    for done in futures_util::future::join_all(inserts).await {
        let error = done.unwrap_err();
        let why = std::error::Error::source(&error).map(ToString::to_string);
        assert!(why.is_some_and(|why| why.contains("lock timeout")), "{error}");
    }
    assert!(begun.elapsed() < ACQUIRE_TIMEOUT, "{:?}", begun.elapsed());
    drop(lock);
    one.insert_pending(&request(1)).await.unwrap();
}

/// Whoever is in the middle of a write and vanishes keeps the others waiting for so long as the server needs to notice,
/// and no longer.
#[tokio::test]
async fn who_stays_in_a_write_is_thrown_out() {
    let database = Database::new();
    let store = database.store().await;
    let found: Vec<(String, String)> = sqlx::query_as(
        "SELECT name, setting FROM pg_settings WHERE name IN \
         ('lock_timeout', 'idle_in_transaction_session_timeout', 'tcp_keepalives_idle') ORDER BY name",
    )
    .fetch_all(&store.writer)
    .await
    .unwrap();
    let expected = [
        ("idle_in_transaction_session_timeout", "20000"),
        ("lock_timeout", "10000"),
        ("tcp_keepalives_idle", "10"),
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|&(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn others_hear_of_every_change_and_nobody_of_their_own() {
    let database = Database::new();
    let (one, other) = (database.store().await, database.store().await);
    employ(&one, &["bob"]).await;
    let mut own = one.hints().await.unwrap().unwrap();
    let mut hints = other.hints().await.unwrap().unwrap();
    one.insert_pending(&request(1)).await.unwrap();
    assert_eq!(next(&mut hints).await, Hint::Changed(id(1)));
    one.decide(id(1), approval("bob"), at(5)).await.unwrap();
    assert_eq!(next(&mut hints).await, Hint::Changed(id(1)));
    one.start(id(1), at(6)).await.unwrap();
    assert_eq!(next(&mut hints).await, Hint::Changed(id(1)));
    one.insert_grant(&standing(2), None).await.unwrap();
    assert_eq!(next(&mut hints).await, Hint::Changed(id(2)));
    // Nothing of these comes back: the first that is heard is the other's.
    other.insert_pending(&request(3)).await.unwrap();
    assert_eq!(next(&mut own).await, Hint::Changed(id(3)));
    let decided = other.decided(&[id(1), id(3), id(9)]).await.unwrap();
    assert_eq!(decided, [id(1)]);
}

#[tokio::test]
async fn what_a_dead_proxy_held_is_abandoned_and_what_a_living_one_holds_is_not() {
    let database = Database::new();
    let (one, other) = (database.store().await, database.store().await);
    assert_eq!(one.beat("http://one", DEAD_AFTER).await.unwrap(), []);
    other.beat("http://other", DEAD_AFTER * 2).await.unwrap();
    for (number, kind) in [(1, StateKind::Pending), (2, StateKind::Running)] {
        bring_to(&one, number, kind).await;
    }
    bring_to(&other, 3, StateKind::Pending).await;
    let why = left_over("it stopped");
    assert_eq!(other.abandon_all(why, at(9)).await.unwrap(), []);
    assert_eq!(other.holder(id(1)).await.unwrap().as_deref(), Some("http://one"));
    assert_eq!(other.holder(id(3)).await.unwrap(), None);

    let seen = other.beat("http://other", DEAD_AFTER * 2).await.unwrap();
    let theirs = one.beat("http://one", DEAD_AFTER).await.unwrap();
    assert_eq!(
        (seen[0].dead_after, theirs[0].dead_after),
        (DEAD_AFTER, DEAD_AFTER * 2)
    );
    assert!(!other.bury(&seen[0]).await.unwrap(), "it has gone on since");
    let seen = other.beat("http://other", DEAD_AFTER * 2).await.unwrap();
    assert_eq!((seen.len(), seen[0].beats), (1, 2));
    assert!(other.bury(&seen[0]).await.unwrap());
    assert_eq!(other.abandon_all(why, at(9)).await.unwrap(), [id(1), id(2)]);
    assert_eq!(state(&other, 3).await, StateKind::Pending);

    // It was not dead after all: what it held is settled, and what it holds from now on is its own.
    assert!(!one.start(id(1), at(10)).await.unwrap());
    one.beat("http://one", DEAD_AFTER).await.unwrap();
    bring_to(&one, 4, StateKind::Approved).await;
    assert_eq!(other.abandon_all(why, at(9)).await.unwrap(), []);
    one.leave().await.unwrap();
    assert_eq!(other.abandon_all(why, at(9)).await.unwrap(), [id(4)]);
}

#[tokio::test]
async fn the_queue_and_the_history_use_their_indices() {
    let database = Database::new();
    let store = database.store().await;
    let mut connection = store.writer.acquire().await.unwrap();
    sqlx::raw_sql("SET enable_seqscan = off; SET enable_sort = off")
        .execute(&mut *connection)
        .await
        .unwrap();
    for (sql, index) in [
        (
            "EXPLAIN SELECT * FROM requests WHERE true AND state IN ('pending') \
             AND (created_at, id) < (1, 'x') ORDER BY created_at DESC, id DESC LIMIT 10",
            "requests_by_state",
        ),
        (
            "EXPLAIN SELECT * FROM requests WHERE true AND (created_at, id) < (1, 'x') \
             ORDER BY created_at DESC, id DESC LIMIT 10",
            "requests_newest",
        ),
        (
            "EXPLAIN SELECT id FROM requests WHERE state = 'pending' AND expires_at <= 1 ORDER BY expires_at, id",
            "requests_due",
        ),
    ] {
        let plan: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut *connection).await.unwrap();
        assert!(plan.iter().any(|line| line.contains(index)), "{sql}: {plan:#?}");
    }
}

/// A newer release adds columns while this one runs, with statements prepared.
#[tokio::test]
async fn it_goes_on_beside_a_newer_schema() {
    let database = Database::new();
    let store = with_pending(&database, 1).await;
    store.insert_grant(&standing(3), None).await.unwrap();
    for round in 0..2 {
        for _ in 0..12 {
            assert_eq!(read(&*store, 1).await.asked, request(1));
            assert!(store.grant(id(3)).await.unwrap().is_some());
            assert_eq!(store.users().await.unwrap().len(), STAFF.len());
            assert_eq!(
                store
                    .requests(RequestFilter {
                        limit: 9,
                        ..RequestFilter::default()
                    })
                    .await
                    .unwrap()
                    .len(),
                1
            );
        }
        if round == 0 {
            cluster().run_script(
                &database.name,
                "ALTER TABLE requests ADD COLUMN more int; ALTER TABLE grants ADD COLUMN more int; \
                 ALTER TABLE users ADD COLUMN more int; ALTER TABLE web_sessions ADD COLUMN more int",
            );
        }
    }
}

/// A pooler between may keep to itself what a connection asks for: then requests would be nobody's.
#[tokio::test]
async fn a_connection_without_its_settings_is_refused() {
    let database = Database::new();
    let mut connection = sqlx::PgConnection::connect(&database.url()).await.unwrap();
    let error = super::open::prepare(&mut connection, "me").await.unwrap_err();
    assert!(
        error.to_string().contains("is there a pooler in between?"),
        "{error}"
    );
    let store = database.store().await;
    let mut connection = store.writer.acquire().await.unwrap();
    sqlx::query("SELECT set_config('holdpoint.proxy', '', false)")
        .execute(&mut *connection)
        .await
        .unwrap();
    drop(connection);
    store.insert_pending(&request(1)).await.unwrap_err();
}

/// Of one that dies between burying another and settling what that left, and of one that was buried and goes on.
#[tokio::test]
async fn what_nobody_holds_is_found_by_anybody() {
    let database = Database::new();
    let (one, other) = (database.store().await, database.store().await);
    one.beat("http://one", DEAD_AFTER).await.unwrap();
    bring_to(&one, 1, StateKind::Pending).await;
    let third = database.store().await;
    let seen = third.beat("http://third", DEAD_AFTER).await.unwrap();
    assert!(third.bury(&seen[0]).await.unwrap());
    drop(third);
    other.beat("http://other", DEAD_AFTER).await.unwrap();
    assert_eq!(
        other.abandon_all(left_over("gone"), at(9)).await.unwrap(),
        [id(1)]
    );
}

/// The network, or the server, says nothing any more: what waits hears an error, and not for ever nothing.
#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for_without_end() {
    let database = Database::new();
    let store = database.store().await;
    store.check().await.unwrap();
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&store.writer)
        .await
        .unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    eventually("the connection is back", async || {
        (store.writer.num_idle() == 1).then_some(())
    })
    .await;
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    let begun = std::time::Instant::now();
    store.check().await.unwrap_err();
    assert!(
        begun.elapsed() < std::time::Duration::from_secs(40),
        "{:?}",
        begun.elapsed()
    );
    rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
    eventually("it goes on", async || store.check().await.ok()).await;
}
