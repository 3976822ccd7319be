//! The folder of this test process, and the watchdog that clears up behind it.
//!
//! Rust runs no destructors for statics, and a process can be killed. So a small shell waits for the
//! end of a pipe that only this process holds open: whatever ends the process, the shell then ends
//! what was started here and removes the folder.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// A Unix socket's path may not be longer than about 100 bytes.
const LONGEST_TEMP_DIR: usize = 50;

/// The folder, with the pipe that keeps the watchdog waiting.
struct Home {
    path: PathBuf,
    _alive: ChildStdin,
}

/// Ends every process whose number is in `running/`, PostgreSQL as it likes it, and removes the folder.
const WATCHDOG: &str = r#"
read -r _
for file in "$1"/running/*; do
    [ -e "$file" ] && kill -9 "$(cat "$file")"
done
for file in "$1"/*/postmaster.pid; do
    [ -s "$file" ] || continue
    postmaster=$(head -n 1 "$file")
    kill -QUIT "$postmaster"
    looks=0
    while kill -0 "$postmaster" && [ $looks -lt 100 ]; do
        sleep 0.1
        looks=$((looks + 1))
    done
done
rm -rf "$1"
"#;

/// The folder of this process; everything that the tests make is in it. Anyone may enter it.
pub(super) fn home() -> &'static Path {
    static HOME: OnceLock<Home> = OnceLock::new();
    &HOME.get_or_init(make).path
}

/// A new folder below [`home`].
pub(crate) fn folder(name: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let path = home().join(format!("{name}-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
    std::fs::create_dir(&path).expect("a folder");
    path
}

/// Starts `command` so that the watchdog knows of it from its first moment. `arguments` start with the
/// program; the caller has set everything else.
pub(super) fn start_watched(mut shell: Command, name: &str, arguments: &[&std::ffi::OsStr]) -> Child {
    shell
        .arg("-c")
        .arg(r#"echo $$ >"$1"; shift; exec "$@""#)
        .arg("sh")
        .arg(home().join("running").join(name))
        .args(arguments)
        .spawn()
        .expect("it starts")
}

/// The process is gone, and was waited for.
pub(super) fn forget_watched(name: &str) {
    let _ = std::fs::remove_file(home().join("running").join(name));
}

#[expect(clippy::zombie_processes, reason = "the watchdog outlives this process")]
fn make() -> Home {
    let temp = Some(std::env::temp_dir())
        .filter(|path| path.as_os_str().len() <= LONGEST_TEMP_DIR)
        .unwrap_or_else(|| PathBuf::from("/tmp"));
    let path = tempfile::Builder::new()
        .prefix("holdpoint-it-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .tempdir_in(temp)
        .expect("a temporary folder")
        .keep();
    std::fs::create_dir(path.join("running")).expect("a folder");
    let mut watchdog = Command::new("sh")
        .args(["-c", WATCHDOG, "sh"])
        .arg(&path)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Out of reach of the terminal's Ctrl-C.
        .process_group(0)
        .spawn()
        .expect("sh starts");
    let alive = watchdog.stdin.take().expect("a pipe");
    Home { path, _alive: alive }
}
