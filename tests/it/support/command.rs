//! Commands of holdpoint's, run to their end.

use std::io::Write as _;
use std::process::{Command, Stdio};

/// Runs a command to its end, which must be a good one, with this on its standard input. Gives what it said.
pub(crate) fn finish(mut command: Command, input: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    let done = child.wait_with_output().expect("it ends");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).expect("it says texts")
}
