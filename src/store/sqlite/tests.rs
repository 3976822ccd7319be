//! The contract on SQLite, and what is SQLite's own: the file, the schema's guards, recovery.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::SqliteStore;
use crate::model::StateKind;
use crate::store::contract::grants::standing;
use crate::store::contract::{
    Subject, approval, at, bring_to, employ, groups, id, left_over, person, read, request, start, state,
    store_contract, with_pending,
};
use crate::store::sql::Connection as _;
use crate::store::sql::testing::transitions_are_those_of_the_model;
use crate::store::{
    Actor, BoxFuture, Decided, GrantStore as _, RequestStore as _, Store, StoreError, UserChange, UserRecord,
    UserStore as _,
};

struct File(TempDir);

impl File {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn url(&self) -> String {
        format!("sqlite://{}", self.path().display())
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("holdpoint.db")
    }

    async fn store(&self) -> SqliteStore {
        SqliteStore::open(&self.url()).await.unwrap()
    }
}

impl Subject for File {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>> {
        Box::pin(async { Arc::new(self.store().await) as Arc<dyn Store> })
    }
}

store_contract!(File::new());

async fn refusal(url: &str) -> String {
    let error = SqliteStore::open(url).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }));
    error.to_string()
}

async fn events(store: &SqliteStore) -> Vec<(String, Option<String>)> {
    sqlx::query_as("SELECT kind, actor FROM audit_events ORDER BY id")
        .fetch_all(&store.readers)
        .await
        .unwrap()
}

/// What SQLite says to a statement that a faulty or hostile program might send.
async fn answer(store: &SqliteStore, sql: &'static str) -> String {
    sqlx::raw_sql(sql).execute(&store.writer).await.map_or_else(
        |error| error.to_string(),
        |done| format!("{} rows", done.rows_affected()),
    )
}

#[tokio::test]
async fn a_database_in_memory_works_and_is_alone() {
    let store = SqliteStore::open("sqlite::memory:").await.unwrap();
    let other = SqliteStore::open("sqlite::memory:").await.unwrap();
    bring_to(&store, 1, StateKind::Executed).await;
    store.check().await.unwrap();
    assert_eq!(other.request(id(1)).await.unwrap(), None);
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let file = File::new();
    let store = file.store().await;
    store.check().await.unwrap();
    let mut seen = 0;
    for entry in std::fs::read_dir(file.0.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
        seen += 1;
    }
    assert_eq!(seen, 3, "the database, its log and the log's index");
}

#[tokio::test]
async fn what_cannot_be_opened_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let at = |path: &str| format!("sqlite://{}", directory.path().join(path).display());
    std::fs::write(
        directory.path().join("text"),
        "not a database, whatever its name\n".repeat(100),
    )
    .unwrap();
    for (url, expected) in [
        ("postgres://localhost/x".to_owned(), "is not a SQLite URL"),
        ("sqlite://".to_owned(), "is not a SQLite URL"),
        (at("x.db?mode=ro"), "is not a SQLite URL"),
        (at("no/such/x.db"), "the directory does not exist"),
        (at("text"), "file is not a database"),
        (at("."), "unable to open database file"),
    ] {
        let message = refusal(&url).await;
        assert!(message.contains(expected), "{url}: {message}");
        assert!(message.starts_with("the store cannot be opened: "), "{message}");
    }
    assert!(refusal(&at("text")).await.contains("text: "), "it names the file");
}

#[tokio::test]
async fn a_database_of_a_newer_release_is_left_alone() {
    let file = File::new();
    let store = file.store().await;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'from the future', true, x'00', 0)",
    )
    .execute(&store.writer)
    .await
    .unwrap();
    store.close().await;
    let message = refusal(&file.url()).await;
    assert!(message.contains("written by a newer holdpoint"), "{message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_can_open_a_new_database_at_once() {
    for _ in 0..2 {
        let file = File::new();
        let mut opening = tokio::task::JoinSet::new();
        for _ in 0..10 {
            let url = file.url();
            opening.spawn(async move { SqliteStore::open(&url).await?.secret().await });
        }
        let secrets = opening.join_all().await;
        let first = secrets[0].as_ref().unwrap();
        assert!(secrets.iter().all(|secret| secret.as_ref().unwrap() == first));
    }
}

#[tokio::test]
async fn commits_are_synced_and_readers_cannot_write() {
    let file = File::new();
    let store = file.store().await;
    let pragma = async |name: &'static str| -> String {
        let sql = sqlx::AssertSqlSafe(format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}"));
        sqlx::query_scalar(sql).fetch_one(&store.writer).await.unwrap()
    };
    assert_eq!(pragma("journal_mode").await, "wal");
    assert_eq!(pragma("synchronous").await, "2", "FULL");
    assert_eq!(pragma("foreign_keys").await, "1");
    let refused = sqlx::query("UPDATE liveness SET checks = 0")
        .execute(&store.readers)
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("readonly"), "{refused}");
}

#[tokio::test]
async fn every_change_leaves_its_event() {
    let file = File::new();
    let store = file.store().await;
    bring_to(&store, 1, StateKind::Executed).await;
    bring_to(&store, 2, StateKind::Denied).await;
    assert!(
        !store.start(id(1), at(8)).await.unwrap(),
        "and what changes nothing leaves none"
    );
    store.insert_pending(&request(3)).await.unwrap();
    let started = store.decide_seen(id(3), approval("bob"), 0, true, at(5)).await;
    assert!(matches!(started, Ok(Decided::Started(_))), "{started:?}");
    let kinds: Vec<_> = events(&store).await;
    let expected = [
        ("user.added", None),
        ("request.held", Some("alice")),
        ("request.reviewed", Some("bob")),
        ("request.approved", Some("bob")),
        ("request.running", None),
        ("request.executed", None),
        ("request.denied", Some("alice")),
        ("request.held", Some("alice")),
        ("request.reviewed", Some("bob")),
        ("request.approved", Some("bob")),
        ("request.running", None),
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|&(kind, actor)| (kind.to_owned(), actor.map(str::to_owned)))
        .collect();
    assert_eq!(kinds, expected);
}

#[tokio::test]
async fn every_change_of_a_user_says_what_and_by_whom() {
    let file = File::new();
    let store = file.store().await;
    let user = |name: &str, admin| UserRecord {
        principal: person(name, &["ops", "dba"], admin),
        scram_verifier: "v".to_owned(),
        disabled: false,
        created_at: start(),
    };
    let root = Actor::Admin("root");
    store
        .add_user(&user("root", true), Actor::CommandLine)
        .await
        .unwrap();
    store.add_user(&user("bob", false), root).await.unwrap();
    let change = UserChange {
        join: groups(&["security"]),
        leave: groups(&["ops"]),
        disabled: Some(true),
        ..UserChange::admin(true)
    };
    for actor in [root, Actor::CommandLine] {
        // The second time, nothing is left to change, and nothing is recorded.
        store.change_user("bob", &change, actor).await.unwrap();
    }
    store
        .change_user("bob", &UserChange::disabled(false), root)
        .await
        .unwrap();
    store
        .change_user("bob", &UserChange::admin(false), Actor::CommandLine)
        .await
        .unwrap();
    store.add_token("bob", [1; 32], start()).await.unwrap();
    store.revoke_tokens("bob", root).await.unwrap();
    store.revoke_tokens("bob", root).await.unwrap();
    store
        .change_user("root", &UserChange::admin(false), root)
        .await
        .unwrap_err();
    let recorded: Vec<(String, Option<String>, String)> =
        sqlx::query_as("SELECT kind, actor, detail FROM audit_events ORDER BY id")
            .fetch_all(&store.readers)
            .await
            .unwrap();
    let of_bob = r#"{"user":"bob"}"#;
    let expected = [
        (
            "user.added",
            None,
            r#"{"admin":true,"disabled":false,"groups":["ops","dba"],"user":"root"}"#,
        ),
        (
            "user.added",
            Some("root"),
            r#"{"admin":false,"disabled":false,"groups":["ops","dba"],"user":"bob"}"#,
        ),
        (
            "user.groups_changed",
            Some("root"),
            r#"{"groups":["dba","security"],"joined":["security"],"left":["ops"],"user":"bob"}"#,
        ),
        ("user.admin_granted", Some("root"), of_bob),
        ("user.disabled", Some("root"), of_bob),
        ("user.enabled", Some("root"), of_bob),
        ("user.admin_revoked", None, of_bob),
        ("user.token_issued", None, of_bob),
        (
            "user.tokens_revoked",
            Some("root"),
            r#"{"tokens":1,"user":"bob"}"#,
        ),
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|&(kind, actor, detail)| (kind.to_owned(), actor.map(str::to_owned), detail.to_owned()))
        .collect();
    assert_eq!(recorded, expected);
}

#[tokio::test]
async fn a_change_whose_event_cannot_be_written_does_not_happen() {
    let file = File::new();
    let store = with_pending(&file, 1).await;
    let other = file.store().await;
    assert_eq!(
        answer(
            &other,
            "CREATE TRIGGER broken BEFORE INSERT ON audit_events BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
        .await,
        "0 rows"
    );
    store.decide(id(1), approval("bob"), at(5)).await.unwrap_err();
    store.insert_pending(&request(2)).await.unwrap_err();
    assert_eq!(state(&*store, 1).await, StateKind::Pending);
    assert!(read(&*store, 1).await.reviews.is_empty());
    assert_eq!(store.request(id(2)).await.unwrap(), None);
    answer(&other, "DROP TRIGGER broken").await;
    store.decide(id(1), approval("bob"), at(5)).await.unwrap();
}

#[tokio::test]
async fn the_schema_itself_refuses() {
    let file = File::new();
    let store = file.store().await;
    bring_to(&store, 1, StateKind::Rejected).await;
    bring_to(&store, 2, StateKind::Pending).await;
    let asked = standing(3);
    store.insert_grant(&asked, None).await.unwrap();
    for (sql, expected) in [
        (
            "UPDATE grants SET max_rows = 10",
            "what was asked cannot be changed",
        ),
        ("UPDATE audit_events SET actor = 'eve'", "append-only"),
        ("DELETE FROM audit_events", "append-only"),
        (
            "INSERT OR REPLACE INTO audit_events (id, at, kind, detail) VALUES (1, 0, 'x', '{}')",
            "append-only",
        ),
        (
            "UPDATE requests SET statement = 'DROP TABLE orders'",
            "what was asked cannot be changed",
        ),
        (
            "UPDATE requests SET expires_at = expires_at + 1",
            "what was asked cannot be changed",
        ),
        (
            "UPDATE requests SET state = 'approved', settled_at = NULL",
            "cannot go from this state",
        ),
        ("UPDATE requests SET note = 'x'", "CHECK"),
        ("UPDATE requests SET settled_at = NULL", "CHECK"),
    ] {
        let answer = answer(&store, sql).await;
        assert!(answer.contains(expected), "{sql}: {answer}");
    }
}

#[tokio::test]
async fn the_schema_knows_the_transitions_of_the_model() {
    transitions_are_those_of_the_model(&File::new().store().await).await;
}

#[tokio::test]
async fn a_row_that_was_tampered_with_is_inconsistent() {
    let file = File::new();
    let store = with_pending(&file, 1).await;
    let other = file.store().await;
    answer(
        &other,
        "PRAGMA ignore_check_constraints = ON; DROP TRIGGER requests_asked; DROP TRIGGER requests_transition",
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
        ("UPDATE requests SET effect = 'read', digest = x'00'", "digest"),
        (
            "UPDATE requests SET digest = zeroblob(32), tables = '{'",
            "tables",
        ),
    ] {
        assert_eq!(answer(&other, sql).await, "1 rows", "{sql}");
        let error = store.request(id(1)).await.unwrap_err();
        assert!(matches!(error, StoreError::Inconsistent(_)), "{sql}: {error}");
        assert!(error.to_string().contains(expected), "{sql}: {error}");
        assert!(store.decide(id(1), approval("bob"), at(5)).await.is_err());
    }
}

/// SQLite ends a transaction by itself on some errors; the connection must not be stuck after that.
#[tokio::test]
async fn it_recovers_from_a_transaction_that_sqlite_ended() {
    let file = File::new();
    for url in [file.url(), "sqlite::memory:".to_owned()] {
        let store = SqliteStore::open(&url).await.unwrap();
        store.insert_pending(&request(1)).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        tx.run("INSERT OR ROLLBACK INTO liveness (id, checks) VALUES (1, 0)")
            .await
            .unwrap_err();
        drop(tx);
        store.check().await.unwrap();
        assert!(store.withdraw(id(1), "gone", at(5)).await.unwrap());
    }
}

#[tokio::test]
async fn a_full_disk_is_an_error_and_is_got_over() {
    let file = File::new();
    let store = file.store().await;
    store.insert_pending(&request(1)).await.unwrap();
    answer(&store, "PRAGMA max_page_count = 1").await;
    let mut large = request(2);
    large.statement = "x".repeat(1 << 20);
    let error = store.insert_pending(&large).await.unwrap_err();
    assert!(
        error.to_string().starts_with("the store cannot be written: "),
        "{error}"
    );
    assert!(error.to_string().contains("full"), "{error}");
    assert_eq!(store.request(id(2)).await.unwrap(), None);
    answer(&store, "PRAGMA max_page_count = 1000000").await;
    store.insert_pending(&large).await.unwrap();
    assert!(store.withdraw(id(1), "gone", at(5)).await.unwrap());
}

#[tokio::test]
async fn the_queue_and_the_history_use_their_indices() {
    let file = File::new();
    let store = file.store().await;
    let plan = async |sql: &'static str| -> String {
        let rows: Vec<(i64, i64, i64, String)> = sqlx::query_as(sql).fetch_all(&store.writer).await.unwrap();
        rows.into_iter().map(|row| row.3).collect::<Vec<_>>().join("; ")
    };
    for (sql, index) in [
        (
            "EXPLAIN QUERY PLAN SELECT * FROM requests WHERE true AND state IN (?1) AND (created_at, id) < (?2, ?3) \
             ORDER BY created_at DESC, id DESC LIMIT ?4",
            "requests_by_state",
        ),
        (
            "EXPLAIN QUERY PLAN SELECT * FROM requests WHERE true AND (created_at, id) < (?2, ?3) \
             ORDER BY created_at DESC, id DESC LIMIT ?4",
            "requests_newest",
        ),
        (
            "EXPLAIN QUERY PLAN SELECT id FROM requests INDEXED BY requests_due WHERE state = 'pending' AND expires_at <= ?1 \
             ORDER BY expires_at, id",
            "requests_due",
        ),
    ] {
        let plan = plan(sql).await;
        assert!(
            plan.contains(index) && !plan.contains("TEMP B-TREE FOR ORDER BY"),
            "{sql}: {plan}"
        );
    }
}

#[tokio::test]
async fn a_session_belongs_to_a_user() {
    let file = File::new();
    let store = file.store().await;
    let answer = answer(
        &store,
        "INSERT INTO web_sessions (token_hash, user_name, csrf, expires_at) VALUES (zeroblob(32), 'x', '', 0)",
    )
    .await;
    assert!(answer.contains("FOREIGN KEY"), "{answer}");
    assert!(store.web_session([0; 32], start()).await.unwrap().is_none());
}

/// Where the other process of the test below finds the database.
const OTHER_PROCESS: &str = "HOLDPOINT_TEST_OTHER_PROCESS";

/// Another process decides on what this one inserts while it inserts, and is then killed in the middle of it:
/// what was said to be recorded is there.
#[tokio::test]
async fn two_processes_share_a_database_and_one_is_killed() {
    let file = File::new();
    let store = file.store().await;
    employ(&store, &["bob"]).await;
    let mut other = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "store::sqlite::tests::the_other_process",
            "--ignored",
            "--nocapture",
        ])
        .env(OTHER_PROCESS, file.url())
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(other.stdout.take().unwrap()).lines();
    let mut recorded = Vec::new();
    while recorded.len() < 25 {
        let line = lines.next_line().await.unwrap().unwrap();
        if let Some(number) = line.strip_prefix("inserted ") {
            let number = number.parse().unwrap();
            let decided = store.decide(id(number), approval("bob"), at(5)).await.unwrap();
            assert!(matches!(decided, Decided::Recorded(_)));
            recorded.push(number);
        }
    }
    other.kill().await.unwrap();
    for number in recorded {
        assert_eq!(state(&store, number).await, StateKind::Approved);
    }
    let abandoned = store
        .abandon_all(left_over("the other process died"), at(9))
        .await
        .unwrap();
    assert!(abandoned.len() >= 25);
    let sound: String = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_one(&store.readers)
        .await
        .unwrap();
    assert_eq!(sound, "ok");
}

#[tokio::test]
#[ignore = "started by two_processes_share_a_database_and_one_is_killed"]
async fn the_other_process() {
    let store = SqliteStore::open(&std::env::var(OTHER_PROCESS).unwrap())
        .await
        .unwrap();
    for number in 1.. {
        store.insert_pending(&request(number)).await.unwrap();
        println!("inserted {number}");
    }
}
