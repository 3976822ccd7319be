//! One side of the comparison: a server of its own, and psql as `pg_regress` runs it.
//!
//! Source: `initialize_environment` and `create_database` in `src/test/regress/pg_regress.c`, `psql_start_test` in
//! `pg_regress_main.c`.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::files::Files;
use crate::support::cluster::OwnCluster;
use crate::support::home;

/// The database that the files run in.
pub(super) const DATABASE: &str = "regression";
/// The superuser who runs them, and holdpoint's user of the same name.
pub(super) const USER: &str = "postgres";
pub(super) const PASSWORD: &str = "of the regression files";

/// How long a file may take. The longest needs less than ten seconds on an idle machine.
const LIMIT: Duration = Duration::from_secs(150);

/// What the files need, and what spares time without showing.
const SETTINGS: &str = "
max_prepared_transactions = 2
fsync = off
jit = off
";

const CREATE: &[&str] = &[
    "CREATE DATABASE regression TEMPLATE template0",
    "ALTER DATABASE regression SET lc_messages TO 'C'",
    "ALTER DATABASE regression SET lc_monetary TO 'C'",
    "ALTER DATABASE regression SET lc_numeric TO 'C'",
    "ALTER DATABASE regression SET lc_time TO 'C'",
    "ALTER DATABASE regression SET bytea_output TO 'hex'",
    "ALTER DATABASE regression SET timezone_abbreviations TO 'Default'",
];

/// A server, and the way to it.
#[derive(Debug)]
pub(super) struct Side {
    server: OwnCluster,
    /// Where psql connects.
    port: u16,
    /// What the server reads and writes besides its own data: it runs under another account, and may not see
    /// the folders of the source.
    folder: PathBuf,
}

impl Side {
    /// A new server, with psql connecting directly.
    pub(super) fn start(name: &str, files: &Files) -> Self {
        let server = OwnCluster::start(&format!("pg-{name}"), SETTINGS);
        for statement in CREATE {
            server.run_script("postgres", statement);
        }
        let folder = home::folder(name);
        copy(&files.source.join("data"), &folder.join("data"));
        copy(&files.libraries, &folder.join("lib"));
        let results = folder.join("results");
        fs::create_dir(&results).expect("a folder");
        fs::set_permissions(&results, fs::Permissions::from_mode(0o777)).expect("it is ours");
        Self {
            port: server.port,
            server,
            folder,
        }
    }

    /// What holdpoint's configuration has for the server.
    pub(super) fn as_database(&self) -> String {
        let port = self.server.port;
        format!("[databases.{DATABASE}]\nupstream = \"postgres://{USER}@127.0.0.1:{port}/{DATABASE}\"")
    }

    /// From now on psql connects to this port.
    pub(super) fn connect_to(&mut self, port: u16) {
        self.port = port;
    }

    /// Runs a file. Gives all that psql shows.
    pub(super) async fn run(&self, files: &Files, name: &str) -> Vec<u8> {
        let output = self.folder.join(format!("{name}.out"));
        let out = File::create(&output).expect("a file");
        let sql = files.source.join("sql").join(format!("{name}.sql"));
        let mut psql = Command::new(self.server.psql())
            .args(["-X", "-a", "-q", "-d", DATABASE])
            .args(["-v", "HIDE_TABLEAM=on", "-v", "HIDE_TOAST_COMPRESSION=on"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", USER)
            .env("PGPASSWORD", PASSWORD)
            .env("PGAPPNAME", format!("pg_regress/{name}"))
            .env("PGTZ", "PST8PDT")
            .env("PGDATESTYLE", "Postgres, MDY")
            .env("PGOPTIONS", "-c intervalstyle=postgres_verbose")
            .env("PG_ABS_SRCDIR", &self.folder)
            .env("PG_ABS_BUILDDIR", &self.folder)
            .env("PG_LIBDIR", self.folder.join("lib"))
            .env("PG_DLSUFFIX", ".so")
            .stdin(File::open(&sql).unwrap_or_else(|error| panic!("{}: {error}", sql.display())))
            .stdout(out.try_clone().expect("a file"))
            .stderr(out)
            .kill_on_drop(true)
            .spawn()
            .expect("psql starts");
        let ended = timeout(LIMIT, psql.wait()).await;
        let mut shown = fs::read(&output).expect("psql's output");
        // Part of what is compared: some files end with an error on purpose.
        let end = match ended {
            Ok(status) => status.expect("a child").to_string(),
            Err(_) => format!("not ended within {LIMIT:?}"),
        };
        if end != "exit status: 0" {
            shown.extend_from_slice(format!("psql: {end}\n").as_bytes());
        }
        shown
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
    }
}
