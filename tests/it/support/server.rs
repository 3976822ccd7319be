//! PostgreSQL as a server that a test starts.
//!
//! Found as the other tools of this project find it: `PGBIN`, the `PATH`, the versioned folders of
//! Debian and of the PGDG packages. It listens on a free port of 127.0.0.1 and on a Unix socket.
//! The tests of the library itself use this file, too.

use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::home;
use super::poll::eventually_blocking;

/// The running server.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// Its programs.
    pub(super) bin: PathBuf,
    /// The folder of its data and of its Unix socket.
    pub(super) folder: PathBuf,
    /// Its port, of the socket too.
    pub(crate) port: u16,
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

    /// Makes and starts one in the folder `name`, once `configure` has written to its data folder.
    pub(super) fn make(name: &str, configure: impl FnOnce(&Path, &Account)) -> Self {
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
pub(super) struct Account(Option<(u32, u32)>);

impl Account {
    pub(super) fn of_the_server() -> Self {
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

    pub(super) fn own(&self, folder: &Path) {
        if let Some((user, group)) = self.0 {
            std::os::unix::fs::chown(folder, Some(user), Some(group)).expect("root may chown");
        }
    }

    /// `program` under this account, its output in `log`: a server must not hold on to our pipes.
    pub(super) fn command(&self, program: impl AsRef<OsStr>, log: &Path) -> Command {
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
