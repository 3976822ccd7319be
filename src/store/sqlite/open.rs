//! Opening the database: its file, its connections, its tables.

use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::sqlite::{
    Sqlite, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::SqliteStore;
use crate::model::Clock;
use crate::store::StoreError;
use crate::store::sql::lookup::Lookup;
use crate::store::sql::migrations::{File, migrator};
use crate::store::sql::writer::Queue;
use crate::store::sql::{ACQUIRE_TIMEOUT, Engine as _};

const MIGRATIONS: &[File] = &[
    (
        1,
        "initial",
        include_str!("../../../migrations/sqlite/0001_initial.sql"),
    ),
    (
        2,
        "transaction since",
        include_str!("../../../migrations/sqlite/0002_transaction_since.sql"),
    ),
    (
        3,
        "observations",
        include_str!("../../../migrations/sqlite/0003_observations.sql"),
    ),
    (
        4,
        "approval",
        include_str!("../../../migrations/sqlite/0004_approval.sql"),
    ),
    (
        5,
        "standing approval rows",
        include_str!("../../../migrations/sqlite/0005_standing_approval_rows.sql"),
    ),
    (
        6,
        "earlier",
        include_str!("../../../migrations/sqlite/0006_earlier.sql"),
    ),
];

/// How long a statement waits for a lock that another process holds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two tries to open a database that another process is just setting up.
const BUSY_RETRY: Duration = Duration::from_millis(50);
const READERS: u32 = 4;

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is not one of ours.
    #[error(
        "\"{0}\" is not a SQLite URL without parameters: write sqlite://PATH, as in sqlite://holdpoint.db"
    )]
    Url(String),
    /// The directory of the file is not there.
    #[error("{}: the directory does not exist: create it, or change [store] url", .0.display())]
    NoDirectory(PathBuf),
    /// The file could not be created.
    #[error("{}: cannot be created: {source}: let holdpoint write there, or change [store] url", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is no database of ours, or cannot be written.
    #[error("{}: {source}: check that it is a holdpoint database and that it and its directory can be written", path.display())]
    Connect {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// The tables were made by a newer release.
    #[error("{}: it was written by a newer holdpoint: run that release, or restore an older copy", .0.display())]
    Newer(PathBuf),
    /// The tables could not be brought up to date.
    #[error("{}: its tables cannot be brought up to date: {source}", path.display())]
    Migrate {
        /// The file.
        path: PathBuf,
        /// What failed.
        source: MigrateError,
    },
}

impl From<OpenError> for StoreError {
    fn from(error: OpenError) -> Self {
        let doing = match error {
            OpenError::Newer(_) | OpenError::Migrate { .. } => "migrated",
            _ => "opened",
        };
        Self::Unavailable {
            doing,
            source: error.into(),
        }
    }
}

pub(super) async fn open(url: &str, clock: Arc<dyn Clock>) -> Result<SqliteStore, StoreError> {
    let place = Place::parse(url)?;
    let path = place.path.clone();
    let connect = |source| OpenError::Connect {
        path: path.clone(),
        source,
    };
    let anchor = if place.in_memory {
        Some(place.options.connect().await.map_err(connect)?)
    } else {
        create_private(&path).await?;
        None
    };
    let writer = connect_writer(place.options.clone()).await.map_err(connect)?;
    migrate(&writer, &path).await?;
    let (readers, lookup, visitors) = if place.in_memory {
        let pooled = || Lookup::Pooled(writer.clone());
        (writer.clone(), pooled(), pooled())
    } else {
        // The file is in WAL mode by now; asking for it again could only find it busy.
        let options = place.options.pragma("query_only", "ON");
        (
            pool(READERS).connect_lazy_with(options.clone()),
            Lookup::with(options.clone()),
            Lookup::with(options),
        )
    };
    Ok(SqliteStore {
        queue: Queue::start(writer.clone(), !place.in_memory),
        writer,
        readers,
        lookup,
        visitors,
        _anchor: anchor.map(Mutex::new),
        clock,
        proxy: String::new(),
    })
}

/// Where a database is.
struct Place {
    path: PathBuf,
    in_memory: bool,
    options: SqliteConnectOptions,
}

impl Place {
    fn parse(url: &str) -> Result<Self, OpenError> {
        let refused = || OpenError::Url(url.to_owned());
        let name = url
            .strip_prefix("sqlite://")
            .or_else(|| url.strip_prefix("sqlite:"))
            .ok_or_else(refused)?;
        // Parameters could take away what this module promises (mode=ro, cache=private, immutable).
        if name.is_empty() || name.contains('?') {
            return Err(refused());
        }
        let options = SqliteConnectOptions::from_str(url)
            .map_err(|_| refused())?
            .busy_timeout(BUSY_TIMEOUT)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true);
        let in_memory = name == ":memory:";
        let path = if in_memory {
            PathBuf::from(name)
        } else {
            options.get_filename().to_owned()
        };
        Ok(Self {
            path,
            in_memory,
            options,
        })
    }
}

/// Creates the file where it does not exist, readable by its owner only: it holds statements and verifiers.
/// SQLite gives its companion files (`-wal`, `-shm`) the same permissions.
async fn create_private(path: &Path) -> Result<(), OpenError> {
    let mut options = tokio::fs::OpenOptions::new();
    // Never opens a file that exists: closing it would drop every lock that SQLite holds
    // on it elsewhere in this process (POSIX advisory locks belong to the process).
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    match options.open(path).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            warn_if_open_to_others(path).await;
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(OpenError::NoDirectory(path.to_owned())),
        Err(source) => Err(OpenError::Create {
            path: path.to_owned(),
            source,
        }),
    }
}

#[cfg(unix)]
async fn warn_if_open_to_others(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    if let Ok(metadata) = tokio::fs::metadata(path).await
        && metadata.permissions().mode() & 0o077 != 0
    {
        tracing::warn!(
            store.path = %path.display(),
            "others than its owner may read the database: it holds statements and password verifiers (chmod 600)"
        );
    }
}

#[cfg(not(unix))]
async fn warn_if_open_to_others(_: &Path) {}

/// Opens the writing connection and puts the database into WAL mode. Another process that is
/// doing the same makes SQLite answer "busy" at once, whatever the busy timeout: tried again.
async fn connect_writer(options: SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    let options = options.journal_mode(SqliteJournalMode::Wal);
    let deadline = crate::timer::Instant::now() + BUSY_TIMEOUT;
    loop {
        match writer_pool().connect_with(options.clone()).await {
            Err(error) if Sqlite::is_busy(&error) && crate::timer::Instant::now() < deadline => {
                crate::timer::sleep(BUSY_RETRY).await;
            }
            result => return result,
        }
    }
}

fn writer_pool() -> SqlitePoolOptions {
    // Some errors (a full disk) make SQLite roll back by itself, which sqlx does not notice: it
    // would count the transaction as open for ever. Such a connection is replaced.
    pool(1).after_release(|connection, _| {
        Box::pin(async move {
            connection.ping().await?;
            Ok(!SqliteConnection::is_in_transaction(connection))
        })
    })
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

/// Brings the tables up to date in one transaction that holds the write lock: of two processes
/// that open a database for the first time, the second finds the work done.
async fn migrate(writer: &SqlitePool, path: &Path) -> Result<(), OpenError> {
    let connect = |source| OpenError::Connect {
        path: path.to_owned(),
        source,
    };
    let mut tx = writer.begin_with("BEGIN IMMEDIATE").await.map_err(connect)?;
    migrator(MIGRATIONS)
        .run_direct(None, &mut *tx, false)
        .await
        .map_err(|error| match error {
            MigrateError::VersionMissing(_) => OpenError::Newer(path.to_owned()),
            source => OpenError::Migrate {
                path: path.to_owned(),
                source,
            },
        })?;
    let secret: [u8; 32] = rand::random();
    sqlx::query("INSERT OR IGNORE INTO secrets (name, value) VALUES ('installation', ?1)")
        .bind(&secret[..])
        .execute(&mut *tx)
        .await
        .map_err(connect)?;
    tx.commit().await.map_err(connect)
}

#[cfg(test)]
#[tokio::test]
async fn the_migrations_are_those_of_the_folder() {
    crate::store::sql::migrations::tests::are_those_of(MIGRATIONS, "sqlite").await;
}
