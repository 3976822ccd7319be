//! A running holdpoint, with its configuration, its policy, its users and a database behind it.

use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;

use holdpoint::identity::{Directory, NewUser};
use holdpoint::model::SystemClock;
use holdpoint::store::{self, Actor};
use rustix::process::{Pid, Signal, kill_process};

use super::Role;
use super::database::Database;
use super::home;
use super::log::Log;
use super::people::{Addresses, DATABASE, Person, http, password_of};
use super::poll::eventually;
use super::store::StoreFile;

/// How a holdpoint is to be set up.
#[derive(Debug, Default)]
pub(crate) struct Setup {
    policy: Option<String>,
    role: Option<Role>,
    proxy: String,
    hold: String,
    audit: String,
    database: String,
    store: Option<Arc<Database>>,
}

/// The running holdpoint. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Proxy {
    /// A developer: she asks.
    pub(crate) alice: Person,
    /// A DBA: he decides.
    pub(crate) bob: Person,
    /// Another DBA.
    pub(crate) carol: Person,
    /// The database behind it.
    pub(crate) database: Arc<Database>,
    pub(crate) store: StoreFile,
    folder: PathBuf,
    at: Arc<Addresses>,
    log: Log,
    /// The database of its store, where that is no file.
    shared: Option<Arc<Database>>,
    process: Option<Process>,
}

/// The process.
#[derive(Debug)]
struct Process {
    child: Child,
    name: String,
}

impl Setup {
    /// This policy instead of the one that holdpoint comes with.
    pub(crate) fn policy(mut self, policy: &str) -> Self {
        self.policy = Some(policy.to_owned());
        self
    }

    /// Signs in to the server as this role.
    pub(crate) fn role(mut self, role: Role) -> Self {
        self.role = Some(role);
        self
    }

    /// Lines of `[proxy]`.
    pub(crate) fn proxy(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.proxy);
        self
    }

    /// Lines of `[hold]`.
    pub(crate) fn hold(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.hold);
        self
    }

    /// Lines of `[audit]`; files start from [`Proxy::folder`].
    pub(crate) fn audit(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.audit);
        self
    }

    /// Further tables of databases.
    pub(crate) fn databases(mut self, tables: &str) -> Self {
        tables.clone_into(&mut self.database);
        self
    }

    /// Keeps its store in a PostgreSQL database, which others can share.
    pub(crate) async fn shared_store(mut self) -> Self {
        self.store = Some(Arc::new(Database::create().await));
        self
    }

    /// Starts it, and waits until it is ready.
    pub(crate) async fn start(self) -> Proxy {
        let database = Arc::new(Database::create().await);
        self.start_before(database, None).await
    }

    /// Starts it before the same database as another, with the same people and with the same store, and waits until it is
    /// ready.
    pub(crate) async fn start_beside(mut self, other: &Proxy) -> Proxy {
        self.store = Some(Arc::clone(other.shared.as_ref().expect("its store is no file")));
        let people = [&other.alice, &other.bob, &other.carol];
        self.start_before(Arc::clone(&other.database), Some(people)).await
    }

    async fn start_before(self, database: Arc<Database>, people: Option<[&Person; 3]>) -> Proxy {
        let folder = home::folder("holdpoint");
        self.write_policy(&folder.join("policies"));
        fs::write(folder.join("holdpoint.toml"), self.config(&database, &folder)).expect("a file");
        let at = Arc::new(Addresses::default());
        let store = StoreFile::at(&folder.join("holdpoint.db"));
        let [alice, bob, carol] = match people {
            Some(people) => people.map(|person| person.at_other(&at)),
            None => employ(&self.store_url(&folder), &at).await,
        };
        let log = Log::at(&folder.join("holdpoint.log"));
        let mut proxy = Proxy {
            alice,
            bob,
            carol,
            database,
            store,
            folder,
            at,
            log,
            shared: self.store,
            process: None,
        };
        proxy.start_process().await;
        proxy
    }

    fn write_policy(&self, folder: &Path) {
        fs::create_dir(folder).expect("a folder");
        let to = folder.join("default.toml");
        if let Some(policy) = &self.policy {
            fs::write(to, policy).expect("a file");
        } else {
            let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/default.toml");
            fs::copy(ours, to).expect("a file");
        }
    }

    fn store_url(&self, folder: &Path) -> String {
        match &self.store {
            Some(store) => Role::Superuser.url(&store.name),
            None => format!("sqlite://{}", folder.join("holdpoint.db").display()),
        }
    }

    fn config(&self, database: &Database, folder: &Path) -> String {
        let store = self.store_url(folder);
        let url = self.role.unwrap_or(Role::Scram).url(&database.name);
        format!(
            r#"
[proxy]
listen = "127.0.0.1:0"
{}
[console]
listen = "127.0.0.1:0"
[store]
url = "{store}"
dead_after = "3s"
[hold]
{}
[audit]
{}
[log]
format = "json"
[databases.{DATABASE}]
upstream = "{url}"
{}
"#,
            self.proxy, self.hold, self.audit, self.database
        )
    }
}

/// Makes the users: alice, a developer; bob and carol, DBAs.
async fn employ(url: &str, at: &Arc<Addresses>) -> [Person; 3] {
    let store = store::open(url).await.expect("a store");
    let secret = store.secret().await.expect("a secret");
    let directory = Directory::new(Arc::clone(&store), Arc::new(SystemClock), secret);
    let mut people = Vec::new();
    for (name, group) in [("alice", "developers"), ("bob", "dba"), ("carol", "dba")] {
        let user = NewUser {
            name,
            groups: &[group.to_owned()],
            admin: false,
        };
        directory
            .add_user(Actor::CommandLine, user, &password_of(name))
            .await
            .expect("a new user");
        people.push(Person {
            name,
            token: directory.issue_token(name).await.expect("a token"),
            at: Arc::clone(at),
        });
    }
    store.close().await;
    people.try_into().expect("three")
}

impl Proxy {
    /// One that is set up as it comes.
    pub(crate) async fn start() -> Self {
        Self::with().start().await
    }

    /// One that is set up otherwise.
    pub(crate) fn with() -> Setup {
        Setup::default()
    }

    /// The folder of its configuration.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where clients connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.at.proxy.now()
    }

    /// Where the console is, without a slash at its end.
    pub(crate) fn console(&self) -> String {
        format!("http://{}", self.at.console.now())
    }

    /// The status of `/healthz` or `/readyz`.
    pub(crate) async fn health(&self, path: &str) -> u16 {
        let answer = http().get(format!("{}{path}", self.console())).send().await;
        answer.expect("the console answers").status().as_u16()
    }

    /// Waits until the log says this.
    pub(crate) async fn logs(&self, text: &str) {
        self.logs_since(0, text).await;
    }

    /// As [`Self::logs`], behind so many bytes of the log.
    pub(crate) async fn logs_since(&self, length: usize, text: &str) {
        eventually(&format!("the log says: {text}"), async || {
            self.log.text().get(length..)?.contains(text).then_some(())
        })
        .await;
    }

    /// How long the log is.
    pub(crate) fn log_length(&self) -> usize {
        self.log.text().len()
    }

    /// The log.
    pub(crate) fn log_text(&self) -> String {
        self.log.text()
    }

    /// The command line, with this holdpoint's configuration.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_holdpoint"));
        command
            .env_clear()
            .arg("--config")
            .arg(self.folder.join("holdpoint.toml"))
            .args(arguments);
        command
    }

    /// Asks it to stop, as an operator would; [`Self::stopped`] waits for its end.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Puts another policy in the place of its own; [`Self::hang_up`] has it read.
    pub(crate) fn rewrite_policy(&self, policy: &str) {
        fs::write(self.folder.join("policies/default.toml"), policy).expect("a file");
    }

    /// Asks it to read its files again, as an operator would; [`Self::logs`] waits for what came of it.
    pub(crate) fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// Waits until it has stopped by itself.
    pub(crate) async fn stopped(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("it runs");
        let status = eventually("holdpoint stops", async || {
            process.child.try_wait().expect("a child")
        })
        .await;
        home::forget_watched(&process.name);
        status
    }

    /// The database of its store, which is not a file.
    pub(crate) fn shared_store(&self) -> &Database {
        self.shared.as_ref().expect("its store is no file")
    }

    /// Stops it in its tracks, as a machine that is out of breath does.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// Kills it: it has no chance to put anything in order.
    pub(crate) fn kill9(&mut self) {
        self.process = None;
        self.at.proxy.set(None);
        self.at.console.set(None);
    }

    /// Starts it again, on other ports.
    pub(crate) async fn restart(&mut self) {
        self.process = None;
        self.start_process().await;
    }

    /// The most memory that it has had in use, in KiB (`VmHWM`).
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .expect("Linux says it");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    fn pid(&self) -> u32 {
        self.process.as_ref().expect("it runs").child.id()
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid())
            .ok()
            .and_then(Pid::from_raw)
            .expect("a process id");
        kill_process(pid, signal).expect("it runs");
    }

    async fn start_process(&mut self) {
        self.log.clear();
        self.process = Some(Process::start(&self.folder));
        let (proxy, console) = eventually("holdpoint listens", async || {
            let process = self.process.as_mut().expect("just started");
            if let Some(status) = process.child.try_wait().expect("a child") {
                panic!("holdpoint ended with {status}");
            }
            let console = self.log.latest("console listens", "address")?;
            let proxy = self.log.latest("proxy listens", "address")?;
            Some((address_in(&proxy), address_in(&console)))
        })
        .await;
        self.at.proxy.set(Some(proxy));
        self.at.console.set(Some(console));
        let ready = format!("{}/readyz", self.console());
        let http = http();
        eventually("holdpoint is ready", async || {
            let answer = http.get(&ready).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
    }
}

/// The address in `127.0.0.1:1` or `Ok(127.0.0.1:1)`.
fn address_in(logged: &str) -> SocketAddr {
    logged
        .trim_start_matches("Ok(")
        .trim_end_matches(')')
        .parse()
        .expect("an address")
}

impl Process {
    fn start(folder: &Path) -> Self {
        let name = folder
            .file_name()
            .and_then(OsStr::to_str)
            .expect("a name")
            .to_owned();
        let log = fs::File::create(folder.join("holdpoint.log")).expect("a file");
        let mut shell = Command::new("sh");
        shell
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0);
        let serve = [
            env!("CARGO_BIN_EXE_holdpoint"),
            "serve",
            "--config",
            "holdpoint.toml",
        ];
        let child = home::start_watched(shell, &name, &serve.map(OsStr::new));
        Self { child, name }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        home::forget_watched(&self.name);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("holdpoint's log:\n{}", self.log.tail());
        }
        self.process = None;
        let _ = fs::remove_dir_all(&self.folder);
    }
}
