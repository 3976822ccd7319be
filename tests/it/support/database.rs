//! A database of a test's own, looked at behind holdpoint's back.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use super::cluster::{Role, TEMPLATE};
use super::poll::eventually;

/// What the server's list shows of a connection that a pool has taken back, for SQL's `IN`.
pub(crate) const TAKEN_BACK: &str = "('DISCARD ALL', 'SET default_transaction_read_only TO on')";

/// Databases whose tests are over. The next test drops them: a destructor cannot wait.
static DONE_WITH: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The database, with a superuser's own connection to it.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) name: String,
    behind: Client,
}

impl Database {
    /// A new one, with the table `items` in it.
    pub(crate) async fn create() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let server = connect("postgres").await;
        let done_with = std::mem::take(&mut *DONE_WITH.lock().expect("no panic inside"));
        for old in done_with {
            server
                .batch_execute(&format!("DROP DATABASE {old} WITH (FORCE)"))
                .await
                .expect("it can be dropped");
        }
        server
            .batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER app"))
            .await
            .expect("it can be created");
        let behind = connect(&name).await;
        Self { name, behind }
    }

    /// The first value of the first row.
    pub(crate) async fn value(&self, query: &str) -> String {
        let messages = self.behind.simple_query(query).await.expect("a query");
        messages
            .iter()
            .find_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("NULL").to_owned()),
                _ => None,
            })
            .expect("a row")
    }

    /// How many rows `items` has.
    pub(crate) async fn items(&self) -> usize {
        self.value("SELECT count(*) FROM items")
            .await
            .parse()
            .expect("a number")
    }

    /// Keeps everybody from changing `items`, until the connection is dropped.
    pub(crate) async fn lock_items(&self) -> Client {
        self.lock_items_in("EXCLUSIVE").await
    }

    /// Keeps everybody from reading `items`, until the connection is dropped.
    pub(crate) async fn hide_items(&self) -> Client {
        self.lock_items_in("ACCESS EXCLUSIVE").await
    }

    async fn lock_items_in(&self, mode: &str) -> Client {
        let client = connect(&self.name).await;
        let lock = format!("BEGIN; LOCK TABLE items IN {mode} MODE");
        client.batch_execute(&lock).await.expect("the lock");
        client
    }

    /// Waits until a statement like `pattern` waits on the server for `event`, as `pg_stat_activity` has it.
    pub(crate) async fn sees_waiting(&self, pattern: &str, event: &str) {
        let query = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '{pattern}' AND state = 'active'
             AND '{event}' IN (wait_event, wait_event_type) AND datname = current_database()"
        );
        let what = format!("a statement like {pattern} waits for {event}");
        eventually(&what, async || (self.value(&query).await == "1").then_some(())).await;
    }

    /// Runs a script, behind holdpoint's back.
    pub(crate) async fn run(&self, script: &str) {
        self.behind
            .batch_execute(script)
            .await
            .expect("a script that works");
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        DONE_WITH.lock().expect("no panic inside").push(self.name.clone());
    }
}

async fn connect(database: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(&Role::Superuser.url(database), NoTls)
        .await
        .expect("PostgreSQL takes a superuser");
    tokio::spawn(connection);
    client
}
