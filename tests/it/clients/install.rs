//! What the programs need and this machine has not: packages of Python and Node, compiled Java.
//!
//! Installed into folders of their own below Cargo's target folder, each named after a digest of what it was made
//! from, and made once: a lock file keeps other tests, and other runs of them, waiting meanwhile. Nothing is
//! installed for the machine.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use sha2::{Digest as _, Sha256};

use super::program::Program;
use super::report::source;
use crate::support::cluster::cluster;

/// A Python that has what `requirements.txt` names.
#[derive(Debug, Clone)]
pub(super) struct Python {
    interpreter: PathBuf,
    folder: PathBuf,
}

impl Python {
    /// Runs one of the programs.
    pub(super) fn program(&self, file: &str) -> Program {
        Program::new(&self.interpreter)
            .arg(source("python").join(file))
            // Where there is no venv; else it is not there and does no harm.
            .env("PYTHONPATH", self.folder.join("packages"))
            // Not beside the programs.
            .env("PYTHONPYCACHEPREFIX", self.folder.join("pycache"))
            .env("PYTHONUTF8", "1")
    }
}

/// A Node that has what `package.json` names.
#[derive(Debug, Clone)]
pub(super) struct Node {
    folder: PathBuf,
}

impl Node {
    /// Runs one of the programs.
    pub(super) fn program(&self, file: &str) -> Program {
        Program::new("node")
            .arg(source("node").join(file))
            .env("NODE_PATH", self.folder.join("node_modules"))
    }
}

/// A Java with pgjdbc and the compiled programs.
#[derive(Debug, Clone)]
pub(super) struct Java {
    driver: PathBuf,
    folder: PathBuf,
}

impl Java {
    /// Runs one of the programs.
    pub(super) fn program(&self, class: &str) -> Program {
        let path = format!("{}:{}", self.driver.display(), self.folder.display());
        Program::new("java")
            // It runs for seconds only.
            .args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"])
            .args(["-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8"])
            .args(["-cp", &path, class])
    }
}

/// One of PostgreSQL's clients. Some distributions have it in a package of its own.
pub(super) fn tool(name: &str) -> Result<PathBuf, String> {
    let program = cluster().program(name);
    let found = program.exists()
        || std::env::var_os("PATH")
            .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(&program).exists()));
    found
        .then_some(program)
        .ok_or_else(|| format!("{name} is not installed (scripts/setup --with-clients)"))
}

pub(super) async fn python() -> Result<Python, String> {
    static PYTHON: OnceLock<Result<Python, String>> = OnceLock::new();
    blocking(|| PYTHON.get_or_init(install_python).clone()).await
}

pub(super) async fn node() -> Result<Node, String> {
    static NODE: OnceLock<Result<Node, String>> = OnceLock::new();
    blocking(|| NODE.get_or_init(install_node).clone()).await
}

pub(super) async fn java() -> Result<Java, String> {
    static JAVA: OnceLock<Result<Java, String>> = OnceLock::new();
    blocking(|| JAVA.get_or_init(compile_java).clone()).await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("no panic inside")
}

fn install_python() -> Result<Python, String> {
    let version = run(Command::new("python3").arg("--version"))?;
    let requirements = read(&source("python/requirements.txt"));
    let folder = prepared("python", &[&version, &requirements], |folder| {
        let mut pip = if run(Command::new("python3")
            .args(["-m", "venv"])
            .arg(folder.join("venv")))
        .is_ok()
        {
            let mut pip = Command::new(folder.join("venv/bin/python"));
            pip.args(["-m", "pip", "install"]);
            pip
        } else {
            // A Debian without python3-venv may still have pip.
            let _ = fs::remove_dir_all(folder.join("venv"));
            let mut pip = Command::new("python3");
            pip.args(["-m", "pip", "install", "--target"])
                .arg(folder.join("packages"));
            pip
        };
        pip.args(["--quiet", "--no-input", "--disable-pip-version-check"])
            .args([
                "--no-compile",
                "--only-binary=:all:",
                "--retries=2",
                "--timeout=30",
            ])
            .arg("--requirement")
            .arg(source("python/requirements.txt"));
        run(&mut pip).map(drop)
    })?;
    let venv = folder.join("venv/bin/python");
    Ok(Python {
        interpreter: if venv.exists() { venv } else { "python3".into() },
        folder,
    })
}

fn install_node() -> Result<Node, String> {
    let version = run(Command::new("node").arg("--version"))?;
    let lock = read(&source("node/package-lock.json"));
    let folder = prepared("node", &[&version, &lock], |folder| {
        for file in ["package.json", "package-lock.json"] {
            fs::copy(source("node").join(file), folder.join(file)).map_err(|e| e.to_string())?;
        }
        run(Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .args(["--fetch-retries=2", "--fetch-timeout=60000"])
            .current_dir(folder))
        .map(drop)
    })?;
    Ok(Node { folder })
}

fn compile_java() -> Result<Java, String> {
    let driver = find_pgjdbc().ok_or("pgjdbc's postgresql.jar is not here (scripts/setup --with-clients)")?;
    let version = run(Command::new("javac").arg("-version"))?;
    let sources = ["java/Program.java", "java/Held.java", "java/LargeObjects.java"].map(source);
    let [program, held, large] = sources.each_ref().map(|file| read(file));
    let at = driver.display().to_string();
    let folder = prepared("java", &[&version, &at, &program, &held, &large], |folder| {
        run(Command::new("javac")
            .args(["-encoding", "UTF-8", "-Xlint:all", "-Werror", "-cp"])
            .arg(&driver)
            .arg("-d")
            .arg(folder)
            .args(&sources))
        .map(drop)
    })?;
    Ok(Java { driver, folder })
}

/// As `find_pgjdbc` in `scripts/find.sh`.
fn find_pgjdbc() -> Option<PathBuf> {
    let places = [
        "/usr/share/java/postgresql.jar",
        "/usr/share/java/postgresql-jdbc.jar",
        "/usr/share/java/postgresql-jdbc/postgresql.jar",
    ];
    let named = std::env::var_os("PGJDBC").map(PathBuf::from);
    named
        .or_else(|| places.into_iter().map(PathBuf::from).find(|place| place.exists()))
        .filter(|place| place.exists())
}

/// The folder of what is made from `key`. `make` fills it, unless this or another process has before.
fn prepared(
    kind: &str,
    key: &[&str],
    make: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let mut digest = Sha256::new();
    for part in key {
        digest.update(part.len().to_le_bytes());
        digest.update(part);
    }
    let digest: String = format!("{:x}", digest.finalize()).chars().take(12).collect();
    let name = format!("{kind}-{digest}");
    // Cargo's folder for tests is `tmp` in the target folder.
    let clients = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("a folder")
        .join("clients");
    fs::create_dir_all(&clients).expect("a folder");
    let lock = File::create(clients.join(format!("{name}.lock"))).expect("a file");
    lock.lock().expect("a lock");
    let folder = clients.join(&name);
    let done = folder.join("complete");
    if !done.exists() {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).expect("a folder");
        if let Err(why) = make(&folder) {
            let _ = fs::remove_dir_all(&folder);
            return Err(why);
        }
        fs::write(done, "").expect("a file");
    }
    Ok(folder)
}

/// Runs a command. Gives what it printed, or why it failed.
fn run(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let done = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{name} does not start: {error}"))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    let last: Vec<&str> = said
        .lines()
        .filter(|line| !line.trim().is_empty())
        .rev()
        .take(3)
        .collect();
    Err(format!(
        "{name} failed: {}",
        last.into_iter().rev().collect::<Vec<_>>().join(" / ")
    ))
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).expect("a file of the repository")
}
