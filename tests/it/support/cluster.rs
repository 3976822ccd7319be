//! The PostgreSQL of this test process, started when the first test needs it.
//!
//! Found as the other tools of this project find it: `PGBIN`, the `PATH`, the versioned folders of
//! Debian and of the PGDG packages. It listens on a free port of 127.0.0.1 and on a Unix socket. It has TLS,
//! which the tests use that are about it.

use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::authority::authority;
use super::home;
use super::poll::eventually_blocking;

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

/// The running server.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// Its programs.
    bin: PathBuf,
    /// The folder of its data and of its Unix socket.
    folder: PathBuf,
    /// Its port, of the socket too.
    pub(crate) port: u16,
}

/// The server of this process.
pub(crate) fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(Cluster::start)
}

impl Cluster {
    /// The path of psql: beside the server's programs, or on the `PATH`.
    pub(crate) fn psql(&self) -> PathBuf {
        self.program("psql")
    }

    /// The path of one of PostgreSQL's clients: beside the server's programs, or on the `PATH`.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        let beside = self.bin.join(name);
        if beside.exists() { beside } else { name.into() }
    }

    fn start() -> Self {
        let cluster = Self::make("pg", |folder, account| {
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

    /// Makes and starts one in the folder `name`, once `configure` has written to its data folder.
    fn make(name: &str, configure: impl FnOnce(&Path, &Account)) -> Self {
        let bin = programs();
        let folder = home::home().join(name);
        let account = Account::of_the_server();
        fs::create_dir(&folder).expect("a folder");
        account.own(&folder);
        let log = folder.with_extension("log");
        let mut initdb = account.command(bin.join("initdb"), &log);
        initdb
            .args([
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--no-locale",
                "--no-sync",
            ])
            .arg("--pgdata")
            .arg(&folder);
        let made = initdb.status().expect("initdb starts");
        assert!(made.success(), "initdb failed: {}", read(&log));
        configure(&folder, &account);

        let port = (0..10)
            .find_map(|_| listen(&bin, &folder, &account, &log))
            .unwrap_or_else(|| panic!("PostgreSQL does not start: {}", read(&log)));
        Self { bin, folder, port }
    }

    /// Runs a script as the superuser.
    pub(crate) fn run_script(&self, database: &str, script: &str) {
        let done = Command::new(self.psql())
            .args([
                "--no-psqlrc",
                "--quiet",
                "--set=ON_ERROR_STOP=1",
                "--host=127.0.0.1",
                "--username=postgres",
            ])
            .arg(format!("--port={}", self.port))
            .arg(format!("--dbname={database}"))
            .arg(format!("--command={script}"))
            .output()
            .expect("psql starts");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
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

/// Starts the server on a free port. `None`: somebody else took the port in that moment.
fn listen(bin: &Path, folder: &Path, account: &Account, log: &Path) -> Option<u16> {
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = free.local_addr().expect("its address").port();
    drop(free);
    let mut postgres = account.command(bin.join("postgres"), log);
    let mut server = postgres
        .arg("-D")
        .arg(folder)
        .args(["-c", "listen_addresses=127.0.0.1", "-c", &format!("port={port}")])
        .arg("-c")
        .arg(format!("unix_socket_directories={}", folder.display()))
        // Out of reach of the terminal's Ctrl-C; the watchdog ends it.
        .process_group(0)
        .spawn()
        .expect("postgres starts");
    let started = eventually_blocking("PostgreSQL is ready", || {
        if server.try_wait().expect("a child").is_some() {
            return Some(false);
        }
        // The eighth line says how far it is (`LOCK_FILE_LINE_PM_STATUS` in `pidfile.h`).
        let status = fs::read_to_string(folder.join("postmaster.pid")).unwrap_or_default();
        status
            .lines()
            .nth(7)
            .is_some_and(|line| line.trim() == "ready")
            .then_some(true)
    });
    started.then_some(port)
}

/// The folder of `initdb` and `postgres`.
fn programs() -> PathBuf {
    let mut folders: Vec<PathBuf> = std::env::var_os("PGBIN").map(PathBuf::from).into_iter().collect();
    if let Some(path) = std::env::var_os("PATH") {
        folders.extend(std::env::split_paths(&path));
    }
    folders.extend(versioned("/usr/lib/postgresql", ""));
    folders.extend(versioned("/usr", "pgsql-"));
    let complete = |folder: &PathBuf| folder.join("initdb").exists() && folder.join("postgres").exists();
    // Where links lead: beside them stands the real psql, while that on the PATH may be a script that is slow to
    // start, as Debian's.
    let real = |folder: PathBuf| {
        let postgres = fs::canonicalize(folder.join("postgres")).ok();
        let real = postgres.and_then(|postgres| postgres.parent().map(Path::to_path_buf));
        real.filter(complete).unwrap_or(folder)
    };
    folders
        .into_iter()
        .find(complete)
        .map(real)
        .expect("PostgreSQL's server programs: install them, or say where they are with PGBIN")
}

/// `FOLDER/PREFIX*/bin`, the highest version first.
fn versioned(folder: &str, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found: Vec<(u32, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let version = name.to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, path)| path).collect()
}

/// The account that the server runs under: PostgreSQL refuses to run as root.
struct Account(Option<(u32, u32)>);

impl Account {
    fn of_the_server() -> Self {
        if !rustix::process::geteuid().is_root() {
            return Self(None);
        }
        let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let ids_of = |wanted: &str| {
            accounts.lines().find_map(|line| {
                let fields: Vec<&str> = line.split(':').collect();
                (*fields.first()? == wanted)
                    .then(|| Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?)))?
            })
        };
        // Where there is no `nobody`, its customary number.
        Self(
            ids_of("postgres")
                .or_else(|| ids_of("nobody"))
                .or(Some((65534, 65534))),
        )
    }

    fn own(&self, folder: &Path) {
        if let Some((user, group)) = self.0 {
            std::os::unix::fs::chown(folder, Some(user), Some(group)).expect("root may chown");
        }
    }

    /// `program` under this account, its output in `log`: a server must not hold on to our pipes.
    fn command(&self, program: impl AsRef<OsStr>, log: &Path) -> Command {
        let out = fs::File::options()
            .create(true)
            .append(true)
            .open(log)
            .expect("a file");
        let mut command = Command::new(program);
        command
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(out.try_clone().expect("a file"))
            .stderr(out);
        if let Some((user, group)) = self.0 {
            command.uid(user).gid(group);
        }
        command
    }
}

fn read(log: &Path) -> String {
    fs::read_to_string(log).unwrap_or_default()
}
