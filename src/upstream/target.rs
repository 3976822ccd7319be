//! Where a database is, and as whom it is reached.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use tokio::net::{TcpStream, UnixStream};

use super::demands::Demands;
use super::encryption::Encryption;
use super::scram::ScramKeys;
use crate::wire::Stream;

/// A server's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Host name or address, and port.
    Tcp(String, u16),
    /// The path of a Unix-domain socket, as in `/var/run/postgresql/.s.PGSQL.5432`.
    Unix(PathBuf),
}

/// A database upstream.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where.
    pub address: Address,
    /// The role that holdpoint connects as.
    pub user: String,
    /// The database's name on the server.
    pub dbname: String,
    /// The role's password; its Debug is redacted.
    pub password: Option<SecretString>,
    /// What was derived from it.
    pub scram_keys: ScramKeys,
    /// Whether and how the connection is encrypted.
    pub encryption: Encryption,
    /// What is demanded of the server's way to authenticate.
    pub demands: Demands,
    /// How long connecting, with the login, may take.
    pub connect_timeout: Duration,
}

impl Address {
    /// Opens a connection. Tries every address that a name has.
    pub(super) async fn open(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(host, port) => TcpStream::connect((host.as_str(), *port)).await.map(Stream::tcp),
            Self::Unix(path) => UnixStream::connect(path).await.map(Stream::unix),
        }
    }
}
