//! Tests of policies, written beside them: `NAME_test.toml`.
//!
//! ```toml
//! [subject]                 # who asks, where a case says nothing else
//! user = "alice"
//! groups = ["developers"]
//! database = "shop"
//!
//! [[case]]
//! name = "an update waits for a DBA"
//! sql = "UPDATE orders SET state = 'sent' WHERE id = 1"
//! expect = "hold"           # allow, observe, hold or deny
//! rule = "writes need a DBA"   # which rule decides; may be left out
//! approvers = ["dba"]       # all groups that must approve; may be left out
//! would = "hold"            # with expect = "observe": what becomes of it unobserved; may be left out
//! ```
//! In place of `sql`, a case can give the `facts` of a statement by hand. Judging SQL is another
//! module's work: [`TestFile::run`] takes it as a function.

mod case;
mod report;

use std::path::{Path, PathBuf};

use super::error::{PolicyError, PolicyProblem};
use super::load::{test_files, unreadable};
use super::{NO_RULE, Policy, Step, Subject};
use crate::model::{Decision, Judged, Statement};

pub use case::{Case, Expected, Input};
use report::Checked;
pub use report::{Failure, Report};

/// A test file as read.
#[derive(Debug, Clone)]
pub struct TestFile {
    path: PathBuf,
    cases: Vec<Case>,
}

impl TestFile {
    /// Reads every `*_test.toml` of a policy folder, in the order of the names.
    ///
    /// # Errors
    /// Everything wrong with any of them, with file and line.
    pub fn load_all(dir: &Path) -> Result<Vec<Self>, PolicyError> {
        let mut files = Vec::new();
        let mut problems = Vec::new();
        for path in test_files(dir)? {
            match Self::load(&path) {
                Ok(file) => files.push(file),
                Err(error) => problems.extend_from_slice(error.problems()),
            }
        }
        if problems.is_empty() {
            Ok(files)
        } else {
            Err(PolicyError::new(problems))
        }
    }

    /// Reads a test file.
    ///
    /// # Errors
    /// Everything wrong with it, with its line; a file without cases is wrong, too.
    pub fn load(path: &Path) -> Result<Self, PolicyError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| PolicyError::new(vec![unreadable(path.to_owned(), &error)]))?;
        Self::parse(path, &text)
    }

    /// As [`TestFile::load`], from a text; the path is for messages.
    ///
    /// # Errors
    /// Likewise.
    pub fn parse(path: &Path, text: &str) -> Result<Self, PolicyError> {
        let mut problems = Vec::new();
        let cases = case::read(path, text, &mut problems);
        if cases.is_empty() && problems.is_empty() {
            problems.push(PolicyProblem {
                file: path.to_owned(),
                line: None,
                message: "no cases: write [[case]]".to_owned(),
            });
        }
        if problems.is_empty() {
            Ok(Self {
                path: path.to_owned(),
                cases,
            })
        } else {
            Err(PolicyError::new(problems))
        }
    }

    /// Where it was read from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its cases in order; never empty.
    #[must_use]
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// Decides every case under `policy`, judging SQL with `judge`.
    #[must_use]
    pub fn run(&self, policy: &Policy, judge: impl Fn(&str) -> Judged) -> Report {
        let checked = self.cases.iter().map(|case| self.check(policy, case, &judge));
        Report::new(self.path.clone(), checked.collect())
    }

    fn check(&self, policy: &Policy, case: &Case, judge: impl Fn(&str) -> Judged) -> Checked {
        let judged = match case.input() {
            Input::Sql(sql) => judge(sql),
            Input::Facts(facts) => Judged {
                statements: vec![Statement {
                    facts: (**facts).clone(),
                    name_op: None,
                    transaction_control: false,
                }],
                gist: crate::model::Gist::None,
            },
        };
        let subject = case.subject();
        let decision = policy.decide(&subject, &judged);
        let allowed_by = judged.statements.iter().map(|statement| {
            policy
                .deciding_rule(&subject, &statement.facts)
                .map_or(NO_RULE, |rule| rule.name())
        });
        let rules: Vec<String> = match &decision {
            Decision::Allow => allowed_by.map(str::to_owned).collect(),
            Decision::Hold(terms) => terms.rules.iter().map(ToString::to_string).collect(),
            Decision::Observe { rule, .. } => rule.iter().map(ToString::to_string).collect(),
            Decision::Deny { rule, .. } => vec![rule.to_string()],
        };
        Checked {
            name: case.name().to_owned(),
            decided_by: deciding(policy, &subject, &judged),
            failure: self.failure(policy, case, &decision, &rules),
        }
    }

    fn failure(
        &self,
        policy: &Policy,
        case: &Case,
        decision: &Decision,
        rules: &[String],
    ) -> Option<Failure> {
        if case.expected().is_met(decision, rules) {
            return None;
        }
        let missing_rule = case
            .expected()
            .rule()
            .filter(|name| *name != NO_RULE && !policy.rules().iter().any(|rule| rule.name() == *name));
        Some(Failure::new(
            format!("{}:{}", self.path.display(), case.line()),
            case,
            decision,
            rules,
            missing_rule,
        ))
    }
}

/// The rules that decide on any of the statements, or observe one.
fn deciding(policy: &Policy, subject: &Subject<'_>, judged: &Judged) -> Vec<String> {
    let considered = judged
        .statements
        .iter()
        .flat_map(|statement| policy.explain(subject, &statement.facts));
    considered
        .filter(|rule| matches!(rule.step, Step::Observes | Step::Decides))
        .map(|rule| rule.rule.name().to_owned())
        .collect()
}

#[cfg(test)]
mod tests;
