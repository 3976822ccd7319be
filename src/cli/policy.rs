//! `holdpoint policy`: policies, looked at before they are in force.

mod replay;

use std::path::{Path, PathBuf};

use clap::Subcommand;

use crate::config::Config;
use crate::model::Judged;
use crate::policy::Policy;
use crate::policy::test::TestFile;
use crate::sql::{Judge, JudgeLimits, Meaning, STACK_SIZE};

use super::output::{print, visible};
use super::{Failure, Global};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Read the policies as `serve` would, and say what is wrong or how many rules there are
    Check {
        /// Folder of policies [default: `policy.dir` of the configuration file]
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Run the tests that stand beside the policies (`NAME_test.toml`)
    Test {
        /// Folder of policies [default: `policy.dir` of the configuration file]
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Say what the policies would have done with the traffic that was observed
    Replay(replay::Options),
}

/// Does what the subcommand says.
pub(super) fn run(command: Command, global: &Global) -> Result<(), Failure> {
    match command {
        Command::Check { dir } => {
            let dir = folder(dir, global)?;
            let policy = Policy::load(&dir)?;
            print(&format!("{}: {}\n", dir.display(), summary(&policy)))
        }
        Command::Test { dir } => test(&folder(dir, global)?),
        Command::Replay(options) => replay::run(options, global),
    }
}

fn folder(dir: Option<PathBuf>, global: &Global) -> Result<PathBuf, Failure> {
    match dir {
        Some(dir) => Ok(dir),
        None => Ok(Config::load(&global.config_path())?.policy.dir),
    }
}

/// Runs every test file of the folder and prints a report each; fails if a case does.
fn test(dir: &Path) -> Result<(), Failure> {
    let policy = Policy::load(dir)?;
    let files = TestFile::load_all(dir)?;
    if files.is_empty() {
        return Err(Failure::Refused(format!(
            "{}: there is no file *_test.toml",
            dir.display()
        )));
    }
    let reports = on_a_large_stack(|| {
        let judge = Judge::new(JudgeLimits::default());
        let judge = |sql: &str| {
            judge.judge_inline(sql.as_bytes(), AS_DEFAULT).map_or_else(
                || Judged::unknown("it is longer than texts in tests may be"),
                |judged| Judged::clone(&judged),
            )
        };
        files
            .iter()
            .map(|file| file.run(&policy, judge))
            .collect::<Vec<_>>()
    })?;
    for report in &reports {
        print(&format!("{report}\n"))?;
    }
    let failed: usize = reports.iter().map(|report| report.failures().len()).sum();
    if failed == 0 {
        Ok(())
    } else {
        Err(Failure::Refused(format!(
            "{failed} of the policies' tests failed"
        )))
    }
}

/// The settings of a server that nobody has changed.
const AS_DEFAULT: Meaning = Meaning {
    standard_conforming_strings: true,
    encoding_is_safe: true,
};

/// Judging needs a stack of [`STACK_SIZE`].
fn on_a_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, Failure> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .stack_size(STACK_SIZE)
            .spawn_scoped(scope, work);
        let joined = thread.map_err(Failure::Runtime)?.join();
        joined.map_err(|_| Failure::Refused("judging failed".to_owned()))
    })
}

fn summary(policy: &Policy) -> String {
    let rules = policy.rules().len();
    let plural = if rules == 1 { "" } else { "s" };
    format!(
        "{rules} rule{plural}; approvals are asked of {}",
        visible(&policy.groups().join(", "))
    )
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_summary_says_how_many_rules_and_who_is_asked() {
        let policy = Policy::parse(
            r#"
            default_groups = ["security"]
            [[rule]]
            name = "writes"
            when = { effects = ["write"] }
            then = { hold = { groups = ["dba"] } }
            "#,
        )
        .unwrap();
        assert_eq!(summary(&policy), "1 rule; approvals are asked of dba, security");
    }

    #[test]
    fn the_policies_here_pass_their_tests() {
        test(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/policies"))).unwrap();
    }
}
