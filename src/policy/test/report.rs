//! What came of a test file, for people to read.

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use super::case::{Case, Input};
use crate::model::Decision;

/// What came of a test file. Displays a summary line, and each failure below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    path: PathBuf,
    checked: Vec<Checked>,
}

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Checked {
    pub(super) name: String,
    /// The rules that decided on one of its statements, or observed one.
    pub(super) decided_by: Vec<String>,
    pub(super) failure: Option<Failure>,
}

impl Report {
    pub(super) fn new(path: PathBuf, checked: Vec<Checked>) -> Self {
        Self { path, checked }
    }

    /// The test file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many cases there were.
    #[must_use]
    pub fn cases(&self) -> usize {
        self.checked.len()
    }

    /// The cases that came out otherwise than expected, in order.
    pub fn failures(&self) -> impl Iterator<Item = &Failure> {
        self.checked.iter().filter_map(|case| case.failure.as_ref())
    }

    /// Whether every case came out as expected.
    #[must_use]
    pub fn is_passed(&self) -> bool {
        self.failures().next().is_none()
    }

    /// Whether a rule decided in one of the cases, on one of several statements or on what is observed, too.
    #[must_use]
    pub fn tests(&self, rule: &str) -> bool {
        self.checked
            .iter()
            .any(|case| case.decided_by.iter().any(|name| name == rule))
    }

    /// The same, with a line for each case.
    #[must_use]
    pub fn verbose(&self) -> String {
        let mut text = self.summary();
        for case in &self.checked {
            // Writing to a String cannot fail.
            let _ = match &case.failure {
                Some(failure) => write!(text, "\n{failure}"),
                None => write!(text, "\n  passed \"{}\"", case.name),
            };
        }
        text
    }

    fn summary(&self) -> String {
        let passed = self.cases() - self.failures().count();
        format!("{}: {passed} of {} passed", self.path.display(), self.cases())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary())?;
        for failure in self.failures() {
            write!(f, "\n{failure}")?;
        }
        Ok(())
    }
}

/// A case that came out otherwise than expected. Displays in several lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    place: String,
    name: String,
    asked: String,
    expected: String,
    got: String,
    hint: Option<String>,
}

impl Failure {
    pub(super) fn new(
        place: String,
        case: &Case,
        decision: &Decision,
        rules: &[String],
        missing_rule: Option<&str>,
    ) -> Self {
        Self {
            place,
            name: case.name().to_owned(),
            asked: describe_asked(case),
            expected: describe_expected(case),
            got: describe_decision(decision, rules),
            hint: missing_rule.map(|name| format!("there is no rule \"{name}\"")),
        }
    }

    /// The case's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {}: FAILED \"{}\"", self.place, self.name)?;
        writeln!(f, "    asked:    {}", self.asked)?;
        writeln!(f, "    expected: {}", self.expected)?;
        write!(f, "    got:      {}", self.got)?;
        if let Some(hint) = &self.hint {
            write!(f, "\n    note:     {hint}")?;
        }
        Ok(())
    }
}

fn describe_asked(case: &Case) -> String {
    let subject = case.subject();
    let what = match case.input() {
        Input::Sql(sql) => one_line(sql),
        Input::Facts(facts) => format!("{} ({})", facts.commands.join(", "), facts.effect),
    };
    format!(
        "{} [{}] on {}: {what}",
        subject.user,
        subject.groups.join(", "),
        subject.database
    )
}

fn describe_expected(case: &Case) -> String {
    let expected = case.expected();
    let mut text = expected.as_str().to_owned();
    if let Some(would) = expected.would() {
        // Writing to a String cannot fail.
        let _ = write!(text, " (else: {would})");
    }
    if let Some(groups) = expected.approvers() {
        // Writing to a String cannot fail.
        let _ = write!(text, " for {}", groups.join(" and "));
    }
    if let Some(rule) = expected.rule() {
        let _ = write!(text, " by \"{rule}\"");
    }
    text
}

fn describe_decision(decision: &Decision, rules: &[String]) -> String {
    let rules = rules.join("\", \"");
    match decision {
        Decision::Allow if rules.is_empty() => "allow (an empty text)".to_owned(),
        Decision::Allow => format!("allow by \"{rules}\""),
        Decision::Observe { would, .. } => {
            format!("observe by \"{rules}\" (else: {})", describe_would(would))
        }
        Decision::Hold(terms) => format!("hold for {} by \"{rules}\"", terms.asks.quorum),
        Decision::Deny { reason, .. } => format!("deny by \"{rules}\": {reason}"),
    }
}

/// What would have become of what is observed.
fn describe_would(would: &Decision) -> String {
    match would {
        Decision::Allow | Decision::Observe { .. } => "allow".to_owned(),
        Decision::Hold(terms) => {
            let rules: Vec<String> = terms.rules.iter().map(ToString::to_string).collect();
            describe_decision(would, &rules)
        }
        Decision::Deny { rule, .. } => describe_decision(would, &[rule.to_string()]),
    }
}

fn one_line(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}
