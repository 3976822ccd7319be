//! holdpoint's store, as a file that a test reads, or stands in the way of.

use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Row as _, SqliteConnection};

/// The file.
#[derive(Debug)]
pub(crate) struct StoreFile {
    pub(super) path: PathBuf,
}

/// While it lives, nobody else can write to the store.
#[derive(Debug)]
pub(crate) struct StoreLock(SqliteConnection);

impl StoreFile {
    pub(super) fn at(path: &Path) -> Self {
        Self { path: path.into() }
    }

    /// The state of a request, as its row says.
    pub(crate) async fn state(&self, id: &str) -> String {
        let mut connection = self.open().await;
        let row = sqlx::query("SELECT state FROM requests WHERE id = ?1")
            .bind(id)
            .fetch_one(&mut connection)
            .await
            .expect("the request has a row");
        row.get(0)
    }

    /// The kinds of events of a request, in the order in which they were committed.
    pub(crate) async fn events(&self, id: &str) -> Vec<String> {
        let mut connection = self.open().await;
        let rows = sqlx::query("SELECT kind FROM audit_events WHERE request_id = ?1 ORDER BY id")
            .bind(id)
            .fetch_all(&mut connection)
            .await
            .expect("the events can be read");
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// The kinds of changes of users who are there, with who made them, likewise.
    pub(crate) async fn changes_of_users(&self) -> Vec<(String, Option<String>)> {
        let mut connection = self.open().await;
        sqlx::query_as(
            "SELECT kind, actor FROM audit_events WHERE kind LIKE 'user.%' \
             AND kind NOT IN ('user.added', 'user.token_issued', 'user.signed_in') ORDER BY id",
        )
        .fetch_all(&mut connection)
        .await
        .expect("the events can be read")
    }

    /// Keeps everybody else from writing.
    pub(crate) async fn lock(&self) -> StoreLock {
        let mut connection = self.open().await;
        sqlx::query("BEGIN EXCLUSIVE")
            .execute(&mut connection)
            .await
            .expect("the lock");
        StoreLock(connection)
    }

    /// From now on, writing that a request is in `state` fails.
    pub(crate) async fn refuse(&self, state: &str) {
        let trigger = format!(
            "CREATE TRIGGER no_{state} BEFORE UPDATE OF state ON requests WHEN NEW.state = '{state}'
             BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        );
        let mut connection = self.open().await;
        let made = sqlx::query(sqlx::AssertSqlSafe(trigger))
            .execute(&mut connection)
            .await;
        made.expect("a trigger");
    }

    /// Lets it be written again that a request is in `state`.
    pub(crate) async fn allow(&self, state: &str) {
        let mut connection = self.open().await;
        let gone = sqlx::query(sqlx::AssertSqlSafe(format!("DROP TRIGGER no_{state}")));
        gone.execute(&mut connection).await.expect("the trigger is there");
    }

    async fn open(&self) -> SqliteConnection {
        SqliteConnectOptions::new()
            .filename(&self.path)
            .connect()
            .await
            .expect("the store can be opened")
    }
}

impl StoreLock {
    /// Lets others write again.
    pub(crate) async fn release(self) {
        self.0.close().await.expect("the lock is released");
    }
}
