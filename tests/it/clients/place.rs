//! Where a client connects, and as whom.

use tokio::process::Command;

use crate::support::Proxy;
use crate::support::cluster::cluster;
use crate::support::database::Database;
use crate::support::people::DATABASE;

#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) port: u16,
    pub(super) user: &'static str,
    pub(super) password: String,
    pub(super) database: String,
}

impl Place {
    /// Everything listens there.
    pub(super) const HOST: &str = "127.0.0.1";

    /// The server itself, as the role that holdpoint signs in as.
    pub(super) fn directly(database: &Database) -> Self {
        Self {
            port: cluster().port,
            user: "app",
            password: "app-secret".to_owned(),
            database: database.name.clone(),
        }
    }

    /// The proxy, as alice.
    pub(super) fn through(proxy: &Proxy) -> Self {
        Self {
            port: proxy.address().port(),
            user: proxy.alice.name,
            password: proxy.alice.password(),
            database: DATABASE.to_owned(),
        }
    }

    /// As libpq and many drivers have it from their environment.
    pub(super) fn tell(&self, command: &mut Command) {
        command
            .env("PGHOST", Self::HOST)
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", self.user)
            .env("PGPASSWORD", &self.password)
            .env("PGDATABASE", &self.database);
    }
}
