//! A PostgreSQL for the tests of this store: the one that the integration tests start, with a database for each test.

#[path = "../../../tests/it/support/home.rs"]
mod home;
#[path = "../../../tests/it/support/poll.rs"]
mod poll;
#[path = "../../../tests/it/support/server.rs"]
mod server;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

pub(super) use poll::eventually;
use server::Cluster;

/// Quick: what is lost in a crash is lost with the test.
const SETTINGS: &str = "
fsync = off
full_page_writes = off
autovacuum = off
max_connections = 500
shared_buffers = 32MB
max_wal_senders = 0
wal_level = minimal
";

pub(super) fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        Cluster::make("store", |folder, _| {
            let file = folder.join("postgresql.conf");
            let made = std::fs::read_to_string(&file).expect("initdb has made it");
            std::fs::write(file, format!("{made}\n{SETTINGS}")).expect("a file");
        })
    })
}

/// An empty database.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) name: String,
}

impl Database {
    pub(super) fn new() -> Self {
        Self::with("")
    }

    /// With these options of CREATE DATABASE.
    pub(super) fn with(options: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("store_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        cluster().run_script("postgres", &format!("CREATE DATABASE {name} {options}"));
        Self { name }
    }

    pub(super) fn url(&self) -> String {
        format!(
            "postgres://postgres@127.0.0.1:{}/{}?sslmode=disable",
            cluster().port,
            self.name
        )
    }
}
