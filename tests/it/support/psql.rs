//! The real psql, at a pseudo-terminal: only there does it go on after a Ctrl-C.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, OptionalActions, OutputModes, tcgetattr, tcsetattr};

use super::cluster::cluster;
use super::people::DATABASE;
use super::poll::eventually;

/// psql's prompt; between the two halves stands the state of the transaction (`%x`).
const PROMPT: [&str; 2] = ["psql", "> "];

/// A running psql. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Psql {
    child: Child,
    keyboard: File,
    screen: Arc<Mutex<String>>,
    /// Up to here the screen was read.
    read: usize,
    /// Where the transaction stood at the latest prompt.
    transaction: Transaction,
}

/// Where psql sees its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transaction {
    None,
    Open,
    Failed,
    Unknown,
}

impl Psql {
    /// One that is connected to `proxy` and at its prompt.
    pub(crate) async fn connect(proxy: SocketAddr, user: &str, password: &str) -> Self {
        let mut psql = Self::start(proxy, user, password, &[]);
        psql.prompt().await;
        psql
    }

    pub(super) fn start(proxy: SocketAddr, user: &str, password: &str, environment: &[(&str, &str)]) -> Self {
        let (terminal, keyboard) = open_terminal();
        let side = || terminal.try_clone().expect("a file");
        let child = Command::new(cluster().psql())
            .env_clear()
            .env("PGPASSWORD", password)
            .env("PGCONNECT_TIMEOUT", "30")
            .env("TERM", "dumb")
            .envs(environment.iter().copied())
            .args([
                "--no-psqlrc",
                "--no-readline",
                "--no-align",
                "--tuples-only",
                "--pset=pager=off",
            ])
            .args(["-v", "PROMPT1=psql%x> ", "-v", "PROMPT2="])
            .arg(format!("--host={}", proxy.ip()))
            .arg(format!("--port={}", proxy.port()))
            .args(["--username", user, "--dbname", DATABASE])
            .stdin(side())
            .stdout(side())
            .stderr(side())
            .spawn()
            .expect("psql starts");
        let screen = Arc::new(Mutex::new(String::new()));
        let mut output = keyboard.try_clone().expect("a file");
        let shown = Arc::clone(&screen);
        // Ends by itself once psql has gone: the terminal then has no other end.
        std::thread::spawn(move || {
            let mut bytes = [0; 16 * 1024];
            while let Ok(n @ 1..) = output.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..n]);
                shown.lock().expect("no panic inside").push_str(&text);
            }
        });
        Self {
            child,
            keyboard,
            screen,
            read: 0,
            transaction: Transaction::None,
        }
    }

    /// Types a line, and presses Enter. A terminal takes lines of up to 4095 bytes.
    pub(crate) fn types(&mut self, line: &str) {
        self.keyboard.write_all(line.as_bytes()).expect("psql listens");
        self.keyboard.write_all(b"\n").expect("psql listens");
    }

    /// Types a line and waits until psql is done with it. Gives what it showed.
    pub(crate) async fn runs(&mut self, line: &str) -> String {
        self.types(line);
        self.prompt().await
    }

    /// Waits until psql has shown `text`. Gives everything up to it.
    pub(crate) async fn shows(&mut self, text: &str) -> String {
        let awaited = format!("psql shows {text:?}");
        let found = eventually(&awaited, async || {
            self.unread_up_to(text).or_else(|| {
                // Said here, since `eventually` cannot know it.
                self.assert_alive(text);
                None
            })
        });
        let shown = found.await;
        self.read += shown.len();
        shown
    }

    /// Waits for the next prompt. Gives what was shown before it.
    pub(crate) async fn prompt(&mut self) -> String {
        let shown = eventually("psql's prompt", async || {
            let unread = self.unread();
            let at = unread.rfind(PROMPT[0])?;
            let before = at == 0 || unread.as_bytes()[at - 1] == b'\n';
            (before && unread.ends_with(PROMPT[1]))
                .then_some((unread, at))
                .or_else(|| {
                    self.assert_alive("a prompt");
                    None
                })
        });
        let (shown, at) = shown.await;
        self.read += shown.len();
        self.transaction = match &shown[at + PROMPT[0].len()..shown.len() - PROMPT[1].len()] {
            "" => Transaction::None,
            "*" => Transaction::Open,
            "!" => Transaction::Failed,
            _ => Transaction::Unknown,
        };
        shown[..at].to_owned()
    }

    /// Where the transaction stood at the latest prompt.
    pub(crate) fn transaction(&self) -> Transaction {
        self.transaction
    }

    /// What was shown and not yet read by the test.
    pub(crate) fn unread(&self) -> String {
        self.screen.lock().expect("no panic inside")[self.read..].to_owned()
    }

    /// Presses Ctrl-C.
    pub(crate) fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Its end, without a goodbye.
    pub(crate) fn kill9(mut self) {
        self.signal(Signal::KILL);
        self.child.wait().expect("a child");
    }

    fn unread_up_to(&self, text: &str) -> Option<String> {
        let mut unread = self.unread();
        let end = unread.find(text)? + text.len();
        unread.truncate(end);
        Some(unread)
    }

    fn assert_alive(&mut self, awaited: &str) {
        if let Ok(Some(status)) = self.child.try_wait()
            && !self.unread().contains(awaited)
        {
            panic!(
                "psql ended with {status} before {awaited:?}; it showed {:?}",
                self.unread()
            );
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(Pid::from_raw)
            .expect("a process id");
        kill_process(pid, signal).expect("psql runs");
    }
}

impl Drop for Psql {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "psql's screen:\n{}\n",
                self.screen.lock().expect("no panic inside")
            );
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A terminal that shows what is written to it as it is, and nothing of what is typed.
fn open_terminal() -> (File, File) {
    let keyboard =
        openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
    grantpt(&keyboard).expect("a terminal");
    unlockpt(&keyboard).expect("a terminal");
    let path = ptsname(&keyboard, Vec::new()).expect("a terminal has a name");
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let terminal = rustix::fs::open(path.as_c_str(), flags, Mode::empty()).expect("a terminal");
    let mut modes = tcgetattr(&terminal).expect("a terminal has modes");
    modes.local_modes.remove(LocalModes::ECHO);
    modes.output_modes.remove(OutputModes::OPOST);
    tcsetattr(&terminal, OptionalActions::Now, &modes).expect("a terminal has modes");
    (terminal.into(), keyboard.into())
}
