//! Opening the database: its connections, its tables.

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};

use super::PostgresStore;
use crate::model::{Clock, RequestId};
use crate::store::StoreError;
use crate::store::sql::lookup::Lookup;
use crate::store::sql::migrations::{File, migrator};
use crate::store::sql::writer::Queue;
use crate::store::sql::{ACQUIRE_TIMEOUT, Connection as _};

const MIGRATIONS: &[File] = &[
    (
        1,
        "initial",
        include_str!("../../../migrations/postgres/0001_initial.sql"),
    ),
    (
        2,
        "dead after",
        include_str!("../../../migrations/postgres/0002_dead_after.sql"),
    ),
];

/// One of them listens.
const READERS: u32 = 5;
/// So often a connection that nobody uses is closed, and one that is used replaced: a proxy or a firewall between may have
/// forgotten it.
const MAX_LIFETIME: Duration = Duration::from_mins(30);

/// So long a connection that is given back may take to show that it lives.
const ALIVE: Duration = Duration::from_secs(5);

/// What each connection asks for. What a proxy that has vanished in the middle of a write has locked is free again within
/// half a minute.
const SETTINGS: [(&str, &str); 8] = [
    ("lock_timeout", "10s"),
    ("statement_timeout", "12s"),
    ("idle_in_transaction_session_timeout", "20s"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "20s"),
    ("default_transaction_read_only", "off"),
];

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is not one of ours.
    #[error(
        "is no PostgreSQL URL, as in postgres://holdpoint@db.internal/holdpoint?sslmode=verify-full: {0}"
    )]
    Url(sqlx::Error),
    /// It cannot be reached, or does not take what is needed.
    #[error("{place}: {source}: check [store] url, the server, and that the role may create tables there")]
    Connect {
        /// Its address.
        place: String,
        /// What sqlx or the server said.
        source: sqlx::Error,
    },
    /// Its encoding has no place for all texts.
    #[error("{place}: its encoding is {encoding}: create the database with ENCODING 'UTF8'")]
    Encoding {
        /// Its address.
        place: String,
        /// As the server calls it.
        encoding: String,
    },
    /// The tables were made by a newer release.
    #[error("{0}: it was written by a newer holdpoint: run that release, or restore an older copy")]
    Newer(String),
    /// The tables could not be brought up to date.
    #[error("{place}: its tables cannot be brought up to date: {source}")]
    Migrate {
        /// Its address.
        place: String,
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

pub(super) async fn open(url: &str, clock: Arc<dyn Clock>) -> Result<PostgresStore, StoreError> {
    let proxy = RequestId::from_random(rand::random()).to_string();
    let options = PgConnectOptions::from_str(url)
        .map_err(OpenError::Url)?
        .application_name("holdpoint")
        .options([("holdpoint.proxy", proxy.as_str())])
        .options(SETTINGS);
    let place = place(&options);
    let connect = |source| OpenError::Connect {
        place: place.clone(),
        source,
    };
    // The first is opened by hand: a pool would try again until its time is over, whatever the server says.
    let mut first = PgConnection::connect_with(&options).await.map_err(connect)?;
    prepare(&mut first, &proxy).await.map_err(connect)?;
    check_encoding(&mut first, &place).await?;
    migrate(&mut first, &place).await?;
    let _ = first.close().await;
    let writer = pool(1, &proxy).connect_lazy_with(options.clone());
    let readers = pool(READERS, &proxy).connect_lazy_with(options);
    Ok(PostgresStore {
        queue: Queue::start(writer.clone(), true),
        lookup: Lookup::Pooled(readers.clone()),
        visitors: Lookup::Pooled(readers.clone()),
        writer,
        readers,
        _anchor: None,
        clock,
        proxy,
    })
}

/// For errors: no password.
fn place(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or(options.get_username());
    match options.get_socket() {
        Some(socket) => format!("{}:{}/{database}", socket.display(), options.get_port()),
        None => format!("{}:{}/{database}", options.get_host(), options.get_port()),
    }
}

fn pool(connections: u32, proxy: &str) -> PgPoolOptions {
    let proxy = proxy.to_owned();
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .max_lifetime(MAX_LIFETIME)
        // One that has gone with the server's restart is found before it is used.
        .test_before_acquire(true)
        .after_connect(move |connection, _| {
            let proxy = proxy.clone();
            Box::pin(async move { prepare(connection, &proxy).await })
        })
        // One through which nothing comes any more is not kept.
        .after_release(|connection, _| {
            Box::pin(async move {
                let alive = crate::timer::timeout(ALIVE, connection.ping()).await;
                Ok(matches!(alive, Ok(Ok(()))))
            })
        })
}

/// Makes sure that the server has taken the settings that this rests on, and makes commits durable.
pub(super) async fn prepare(connection: &mut PgConnection, proxy: &str) -> Result<(), sqlx::Error> {
    let taken: Option<String> = sqlx::query_scalar("SELECT current_setting('holdpoint.proxy', true)")
        .fetch_one(&mut *connection)
        .await?;
    if taken.as_deref() != Some(proxy) {
        return Err(sqlx::Error::Configuration(
            "the server has not got the settings of the connection: is there a pooler in between?".into(),
        ));
    }
    make_durable(connection).await
}

/// What is committed is to survive a crash, whatever the server's own setting; one that waits for standbys too is left so.
async fn make_durable(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    connection
        .run(
            "SELECT set_config('synchronous_commit', 'on', false) \
             WHERE current_setting('synchronous_commit') = 'off'",
        )
        .await
}

async fn check_encoding(connection: &mut PgConnection, place: &str) -> Result<(), OpenError> {
    let encoding: String = sqlx::query_scalar("SELECT current_setting('server_encoding')")
        .fetch_one(connection)
        .await
        .map_err(|source| OpenError::Connect {
            place: place.to_owned(),
            source,
        })?;
    if encoding == "UTF8" {
        return Ok(());
    }
    Err(OpenError::Encoding {
        place: place.to_owned(),
        encoding,
    })
}

/// Brings the tables up to date under the lock for writers, held by the session: of two processes that open a database for the
/// first time, the second finds the work done. Each migration is a transaction.
async fn migrate(connection: &mut PgConnection, place: &str) -> Result<(), OpenError> {
    let connect = |source| OpenError::Connect {
        place: place.to_owned(),
        source,
    };
    connection
        .run("SET statement_timeout = 0; SET lock_timeout = '60s'; SELECT pg_advisory_lock(7526756211034517604)")
        .await
        .map_err(connect)?;
    migrator(MIGRATIONS)
        .run_direct(None, &mut *connection, false)
        .await
        .map_err(|error| match error {
            MigrateError::VersionMissing(_) => OpenError::Newer(place.to_owned()),
            source => OpenError::Migrate {
                place: place.to_owned(),
                source,
            },
        })?;
    let secret: [u8; 32] = rand::random();
    sqlx::query(
        "INSERT INTO secrets (name, value) VALUES ('installation', $1) ON CONFLICT (name) DO NOTHING",
    )
    .bind(&secret[..])
    .execute(&mut *connection)
    .await
    .map_err(connect)?;
    Ok(())
}

#[cfg(test)]
#[tokio::test]
async fn the_migrations_are_those_of_the_folder() {
    crate::store::sql::migrations::tests::are_those_of(MIGRATIONS, "postgres").await;
}
