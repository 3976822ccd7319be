//! The PostgreSQL of this test process, started when the first test needs it.
//!
//! It has TLS, which the tests use that are about it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::OnceLock;

use super::authority::authority;
use super::server::{Account, Cluster};

/// The database that every test's database is a copy of.
pub(crate) const TEMPLATE: &str = "pristine";

/// Roles that holdpoint can sign in as, one for each way in which a server asks for a password.
const ROLES: &str = "
CREATE ROLE app LOGIN PASSWORD 'app-secret';
CREATE ROLE app_trust LOGIN IN ROLE app;
CREATE ROLE app_cleartext LOGIN IN ROLE app PASSWORD 'app-secret';
SET password_encryption = 'md5';
CREATE ROLE app_md5 LOGIN IN ROLE app PASSWORD 'app-secret';
SET password_encryption = 'scram-sha-256';
CREATE ROLE alice LOGIN IN ROLE app PASSWORD 'alice on the server';
CREATE ROLE bob LOGIN IN ROLE app PASSWORD 'bob on the server';
CREATE ROLE app_full LOGIN CONNECTION LIMIT 0;
CREATE ROLE admin_trust SUPERUSER LOGIN;
CREATE ROLE app_ssl LOGIN IN ROLE app PASSWORD 'app-secret';
CREATE ROLE app_nossl LOGIN IN ROLE app PASSWORD 'app-secret';
CREATE ROLE app_cert LOGIN IN ROLE app;
";

const HBA: &str = "
local all postgres                  trust
host  all postgres     127.0.0.1/32 trust
local all app                       scram-sha-256
host  all app          127.0.0.1/32 scram-sha-256
host  all app_trust    127.0.0.1/32 trust
host  all app_cleartext 127.0.0.1/32 password
host  all app_md5      127.0.0.1/32 md5
host  all alice,bob,ghost 127.0.0.1/32 scram-sha-256
host  all app_full,admin_trust 127.0.0.1/32 trust
host  all app_rejected 127.0.0.1/32 reject
hostssl   all app_ssl   127.0.0.1/32 scram-sha-256
hostnossl all app_nossl 127.0.0.1/32 scram-sha-256
hostssl   all app_cert  127.0.0.1/32 cert
";

/// The tables of the shop: ten items, priced 1.50 to 10.50.
const SHOP: &str = "
CREATE TABLE items (
    id    int PRIMARY KEY,
    name  text NOT NULL,
    price numeric,
    added timestamptz,
    tag   uuid
);
INSERT INTO items SELECT g, 'item ' || g, g + 0.50, '2026-01-01T00:00:00Z' FROM generate_series(1, 10) g;
ALTER TABLE items OWNER TO app;
";

const SETTINGS: &str = "
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
max_connections = 200
shared_buffers = 16MB
max_wal_senders = 0
wal_level = minimal
ssl = on
ssl_cert_file = 'server.crt'
ssl_key_file = 'server.key'
ssl_ca_file = 'root.crt'
";

/// How holdpoint signs in to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Scram,
    /// As `Scram`, through the Unix socket.
    UnixSocket,
    Md5,
    Cleartext,
    Trust,
    Superuser,
    /// None: clients sign in as themselves.
    OfTheClient,
}

impl Role {
    /// The URL of `database` for this role, without TLS.
    pub(crate) fn url(self, database: &str) -> String {
        let cluster = cluster();
        let port = cluster.port;
        let user = match self {
            Self::UnixSocket => {
                let folder = cluster.folder.display();
                return format!("postgres://app:app-secret@:{port}/{database}?host={folder}");
            }
            Self::Scram => "app:app-secret",
            Self::Md5 => "app_md5:app-secret",
            Self::Cleartext => "app_cleartext:app-secret",
            Self::Trust => "app_trust",
            Self::Superuser => "postgres",
            Self::OfTheClient => {
                return format!(
                    "postgres://127.0.0.1:{port}/{database}?sslmode=disable&require_auth=none,password,md5,scram-sha-256"
                );
            }
        };
        format!("postgres://{user}@127.0.0.1:{port}/{database}?sslmode=disable")
    }
}

/// The server of this process.
pub(crate) fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(start)
}

/// Starts it, with its roles and the database that is copied.
fn start() -> Cluster {
    let cluster = Cluster::make("pg", |folder, account| {
        fs::write(folder.join("pg_hba.conf"), HBA).expect("a file");
        fs::write(folder.join("postgresql.conf"), SETTINGS).expect("a file");
        let authority = authority();
        for (name, from) in [
            ("server.crt", &authority.server.certificate),
            ("server.key", &authority.server.key),
            ("root.crt", &authority.root),
        ] {
            let to = folder.join(name);
            fs::copy(from, &to).expect("a file");
            // PostgreSQL takes no key that others can read.
            fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).expect("a file of ours");
            account.own(&to);
        }
    });
    cluster.run_script("postgres", ROLES);
    cluster.run_script("postgres", &format!("CREATE DATABASE {TEMPLATE} OWNER app"));
    cluster.run_script(TEMPLATE, SHOP);
    cluster
}

/// A server of a test's own, which takes everybody without a password. Dropped, it is stopped and removed.
#[derive(Debug)]
pub(crate) struct OwnCluster(Cluster);

impl OwnCluster {
    /// Starts one that is as `initdb` makes it, but for these lines of `postgresql.conf`. `name` is its folder's.
    pub(crate) fn start(name: &str, settings: &str) -> Self {
        Self(Cluster::make(name, |folder, _| {
            let file = folder.join("postgresql.conf");
            let made = fs::read_to_string(&file).expect("initdb has made it");
            fs::write(file, format!("{made}\n{settings}")).expect("a file");
        }))
    }
}

impl std::ops::Deref for OwnCluster {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.0
    }
}

impl Drop for OwnCluster {
    fn drop(&mut self) {
        let folder = &self.0.folder;
        let _ = Account::of_the_server()
            .command(self.0.bin.join("pg_ctl"), &folder.with_extension("log"))
            .args(["stop", "--mode=immediate", "--pgdata"])
            .arg(folder)
            .status();
        let _ = fs::remove_dir_all(folder);
    }
}
