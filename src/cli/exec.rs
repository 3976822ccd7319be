//! `holdpoint exec`: psql, or anything else on libpq, with a reason, a ticket or a broken glass in its session.
//!
//! They are settings of the connection, in `PGOPTIONS`, which libpq sends with the login.

use std::ffi::{OsStr, OsString};
use std::process::Command;

use clap::Args;

use super::{Failure, output};

/// What the session is to begin with, and the program.
#[derive(Debug, Args)]
pub(super) struct Exec {
    /// Why what follows is to run
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// The ticket that it belongs to
    #[arg(long, value_name = "TICKET")]
    ticket: Option<String>,
    /// Why what follows cannot wait, for those who may break the glass; it is looked at afterwards
    #[arg(long, value_name = "WHY")]
    break_glass: Option<String>,
    /// The program and its arguments, behind `--`
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Becomes the program, where the system can; comes back only with a failure. Signals and the exit code are the
/// program's own.
pub(super) fn run(exec: &Exec) -> Result<(), Failure> {
    let Some((program, arguments)) = exec.command.split_first() else {
        return Err(Failure::Refused("which program? Name it behind --".into()));
    };
    let settings = [
        ("reason", &exec.reason),
        ("ticket", &exec.ticket),
        ("break_glass", &exec.break_glass),
    ];
    let settings = settings.map(|(name, value)| (name, value.as_deref()));
    if let Some((name, _)) = settings
        .iter()
        .find(|(_, value)| value.is_some_and(|value| value.trim().is_empty()))
    {
        let option = name.replace('_', "-");
        return Err(Failure::Refused(format!("--{option} is empty: say something")));
    }
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("PGOPTIONS", options(std::env::var_os("PGOPTIONS"), &settings));
    let error = become_it(command)?;
    Err(Failure::Refused(format!(
        "cannot run {}: {error}",
        output::visible(&program.to_string_lossy())
    )))
}

#[cfg(unix)]
#[expect(
    clippy::unnecessary_wraps,
    reason = "elsewhere the program has an end, and this process with it"
)]
fn become_it(mut command: Command) -> Result<std::io::Error, Failure> {
    use std::os::unix::process::CommandExt as _;
    Ok(command.exec())
}

#[cfg(not(unix))]
fn become_it(mut command: Command) -> Result<std::io::Error, Failure> {
    match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(error) => Ok(error),
    }
}

/// The settings behind those that are there: of two, the last counts.
fn options(there: Option<OsString>, settings: &[(&str, Option<&str>)]) -> OsString {
    let mut all = there.unwrap_or_default();
    for (name, value) in settings {
        let Some(value) = value else { continue };
        if !all.is_empty() {
            all.push(" ");
        }
        all.push(OsStr::new(&format!("-c holdpoint.{name}={}", escaped(value))));
    }
    all
}

/// As `pg_split_opts` in PostgreSQL's `src/backend/utils/init/postinit.c` takes it: white space parts options, unless a
/// backslash stands before it.
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        if c == '\\' || c.is_ascii_whitespace() || c == '\u{b}' {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_one_option_each() {
        for (value, written) in [
            ("incident", "incident"),
            ("it is late", r"it\ is\ late"),
            (r"a\b", r"a\\b"),
            ("a\tb\nc", "a\\\tb\\\nc"),
            ("größer = besser", r"größer\ =\ besser"),
        ] {
            assert_eq!(escaped(value), written);
        }
    }

    #[test]
    fn what_is_there_stays_and_comes_first() {
        let settings = [
            ("reason", Some("a b")),
            ("ticket", None),
            ("break_glass", Some("c")),
        ];
        let ours = r"-c holdpoint.reason=a\ b -c holdpoint.break_glass=c";
        assert_eq!(options(None, &settings), ours);
        assert_eq!(
            options(Some("-c work_mem=1MB".into()), &settings),
            format!("-c work_mem=1MB {ours}").as_str()
        );
        assert_eq!(options(None, &[("reason", None)]), "");
    }
}
