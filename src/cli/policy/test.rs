//! `holdpoint policy test`: the tests that stand beside the policies.

use std::path::Path;

use crate::model::Judged;
use crate::policy::Policy;
use crate::policy::test::TestFile;
use crate::sql::{Judge, JudgeLimits, STACK_SIZE};

use super::super::Failure;
use super::super::output::{print, visible};
use super::AS_DEFAULT;

/// Runs every test file of the folder and prints a report each, and which rules decided in no case; fails if a case
/// does.
pub(super) fn run(dir: &Path, verbose: bool) -> Result<(), Failure> {
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
        let text = if verbose {
            report.verbose()
        } else {
            report.to_string()
        };
        print(&format!("{text}\n"))?;
    }
    for rule in policy.rules() {
        if !reports.iter().any(|report| report.tests(rule.name())) {
            let line = format!("not tested: rule \"{}\" ({})", rule.name(), rule.place());
            print(&format!("{}\n", visible(&line)))?;
        }
    }
    let failed: usize = reports.iter().map(|report| report.failures().count()).sum();
    if failed == 0 {
        Ok(())
    } else {
        Err(Failure::Refused(format!(
            "{failed} of the policies' tests failed"
        )))
    }
}

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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_policies_here_pass_their_tests() {
        run(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/policies")), true).unwrap();
    }

    #[test]
    fn the_ready_made_policies_pass_theirs() {
        let policies = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/policies"));
        let folders = std::fs::read_dir(policies)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let mut tried = 0;
        for folder in folders.filter(|path| path.is_dir()) {
            let outcome = run(&folder, true);
            assert!(outcome.is_ok(), "{}: {}", folder.display(), outcome.unwrap_err());
            tried += 1;
        }
        assert!(tried > 0);
    }
}
