//! Running a client's program, and comparing what it prints directly with what it prints through holdpoint.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use futures_util::future::join;
use tokio::process::Command;

use super::place::Place;
use crate::relay::EVERYTHING_PASSES;
use crate::support::Proxy;
use crate::support::database::Database;
use crate::support::folder;

/// How long a program may take. Generous: the machine may be busy with other tests.
const PATIENCE: Duration = Duration::from_mins(4);

/// A program with its arguments and its environment, but for where it connects.
#[derive(Debug, Clone, Default)]
pub(super) struct Program {
    words: Vec<std::ffi::OsString>,
    environment: Vec<(String, PathBuf)>,
    /// Whether its standard error is of interest, too.
    complains: bool,
}

/// What was printed. The first line is `client:` and a version; lines that begin with `==` say what was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Printed(pub(super) String);

impl Program {
    pub(super) fn new(program: impl AsRef<OsStr>) -> Self {
        Self::default().arg(program)
    }

    pub(super) fn arg(mut self, word: impl AsRef<OsStr>) -> Self {
        self.words.push(word.as_ref().to_owned());
        self
    }

    pub(super) fn args<W: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.words
            .extend(words.into_iter().map(|word| word.as_ref().to_owned()));
        self
    }

    pub(super) fn env(mut self, name: &str, value: impl Into<PathBuf>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// What it writes to standard error belongs to what it prints.
    pub(super) fn with_complaints(mut self) -> Self {
        self.complains = true;
        self
    }

    /// Runs it there. Gives what it printed and how it ended.
    pub(super) async fn run(&self, place: &Place) -> (String, ExitStatus) {
        let files = Files::new(&self.words);
        let out = fs::File::create(files.out()).expect("a file");
        let err = if self.complains {
            out.try_clone().expect("a file")
        } else {
            fs::File::create(files.err()).expect("a file")
        };
        let mut command = Command::new(&self.words[0]);
        command
            .args(&self.words[1..])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            // Nobody's own settings.
            .env("HOME", &files.folder)
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&files.folder)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .kill_on_drop(true);
        place.tell(&mut command);
        let mut child = command.spawn().expect("it starts");
        let ended = tokio::time::timeout(PATIENCE, child.wait()).await;
        let status = ended
            .unwrap_or_else(|_| panic!("not within {PATIENCE:?}: {:?} ends", self.words))
            .expect("a child");
        (files.printed(), status)
    }

    /// Runs it there; it must end well.
    pub(super) async fn prints(&self, place: &Place) -> Printed {
        let (printed, status) = self.run(place).await;
        assert!(
            status.success(),
            "{:?} ended with {status} at {place:?} after:\n{printed}",
            self.words
        );
        Printed(printed)
    }

    /// Runs it directly and through holdpoint at once; it must print the same.
    pub(super) async fn prints_the_same(&self) -> Printed {
        both(async |place| self.prints(place).await).await
    }
}

/// Does something directly and through a holdpoint that lets everything pass, at once and each with a database of its
/// own. What is printed must be the same.
pub(super) async fn both(work: impl AsyncFn(&Place) -> Printed) -> Printed {
    let proxy = Proxy::with().policy(EVERYTHING_PASSES).start().await;
    let database = Database::create().await;
    let [direct, through] = [Place::directly(&database), Place::through(&proxy)];
    let (directly, through) = join(work(&direct), work(&through)).await;
    through.assert_same(&directly);
    through
}

impl Printed {
    /// The first line: which client, and in which version.
    pub(super) fn client(&self) -> &str {
        let first = self.0.lines().next().unwrap_or_default();
        first.strip_prefix("client: ").expect("a line with its version")
    }

    /// What was tried.
    pub(super) fn sections(&self) -> Vec<&str> {
        self.0
            .lines()
            .filter_map(|line| line.strip_prefix("== "))
            .collect()
    }

    /// This one was printed through holdpoint; the other one directly.
    pub(super) fn assert_same(&self, directly: &Self) {
        let ours: Vec<&str> = self.0.lines().collect();
        let theirs: Vec<&str> = directly.0.lines().collect();
        let different = differences(&theirs, &ours);
        assert!(different.is_empty(), "the two differ\n{different}");
    }
}

/// Where two texts differ, with the section; enough of it for a person.
fn differences(directly: &[&str], through: &[&str]) -> String {
    /// How far to look for lines that are the same again.
    const LOOK: usize = 100;
    let [mut told, mut section] = [String::new(), String::new()];
    let [mut at, mut to] = [0, 0];
    while (at < directly.len() || to < through.len()) && told.len() < 10_000 {
        if directly.get(at) == through.get(to) {
            if let Some(name) = directly[at].strip_prefix("== ") {
                name.clone_into(&mut section);
            }
            at += 1;
            to += 1;
            continue;
        }
        let again = (1..LOOK).find_map(|far| {
            (0..=far).find_map(|here| {
                let there = far - here;
                let same = directly.get(at + here)? == through.get(to + there)?;
                same.then_some((here, there))
            })
        });
        let (here, there) = again.unwrap_or((directly.len() - at, through.len() - to));
        writeln!(told, "in {section:?}").expect("a string takes it");
        for line in &directly[at..at + here] {
            writeln!(told, "  directly: {line}").expect("a string takes it");
        }
        for line in &through[to..to + there] {
            writeln!(told, "  through:  {line}").expect("a string takes it");
        }
        at += here;
        to += there;
    }
    told
}

#[test]
fn differences_are_found_and_told() {
    let text = |lines: &'static str| lines.split(' ').collect::<Vec<_>>();
    assert_eq!(differences(&text("a b c"), &text("a b c")), "");
    let told = differences(&text("a b c d"), &text("a x c d e"));
    assert_eq!(
        told,
        "in \"\"\n  directly: b\n  through:  x\nin \"\"\n  through:  e\n"
    );
}

/// The folder that a program runs in, with what it prints. If the test fails, this is shown.
struct Files {
    folder: PathBuf,
    what: String,
}

impl Files {
    fn new(words: &[std::ffi::OsString]) -> Self {
        Self {
            folder: folder("client"),
            what: format!("{words:?}"),
        }
    }

    fn out(&self) -> PathBuf {
        self.folder.join("out")
    }

    fn err(&self) -> PathBuf {
        self.folder.join("err")
    }

    fn printed(&self) -> String {
        let out = fs::read(self.out()).unwrap_or_default();
        let err = fs::read(self.err()).unwrap_or_default();
        if !err.is_empty() {
            // Shown by the harness if the test fails.
            println!("{} said:\n{}", self.what, String::from_utf8_lossy(&err));
        }
        String::from_utf8(out).expect("it prints UTF-8")
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{} had printed:\n{}", self.what, self.printed());
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}
