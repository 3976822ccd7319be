//! Reading a policy folder: all or nothing.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::compile::{self, Compiled};
use super::cover::covers;
use super::error::{PolicyError, PolicyProblem};
use super::index::Index;
use super::{Access, NO_RULE, Policy, Rule, file};
use crate::model::{Asks, Quorum};

impl Policy {
    /// Reads every `*.toml` of a folder in the order of the files' names, except `*_test.toml`
    /// and hidden ones.
    ///
    /// # Errors
    /// Everything that is wrong, at once, each with its file and line: files that cannot be read,
    /// unknown keys, bad values, names used twice, rules that can never match, and
    /// `default_groups` missing or said differently in two files.
    pub fn load(dir: &Path) -> Result<Self, PolicyError> {
        let mut sources = Vec::new();
        let mut problems = Vec::new();
        for path in rule_files(dir)? {
            match std::fs::read_to_string(&path) {
                Ok(text) => sources.push((path, text)),
                Err(error) => problems.push(unreadable(path, &error)),
            }
        }
        Self::build(dir, &sources, problems)
    }

    /// Reads the text of a single policy file, called `policy.toml` in errors.
    ///
    /// # Errors
    /// As [`Policy::load`].
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let path = PathBuf::from("policy.toml");
        Self::build(&path.clone(), &[(path, text.to_owned())], Vec::new())
    }

    pub(super) fn build(
        whole: &Path,
        sources: &[(PathBuf, String)],
        mut problems: Vec<PolicyProblem>,
    ) -> Result<Self, PolicyError> {
        let mut rules = Vec::new();
        let mut access = Vec::new();
        let mut defaults = Vec::new();
        for (path, text) in sources {
            let raw = file::read(path, text, &mut problems);
            if let Some((groups, line)) = compile::default_groups(path, text, &raw, &mut problems) {
                defaults.push((path, line, groups));
            }
            access.extend(compile::access(path, text, raw.access, &mut problems));
            let compiled = compile::rules(path, text, raw.rules, &mut problems);
            rules.extend(compiled.into_iter().map(|rule| (path.as_path(), rule)));
        }
        check_names(&rules, &mut problems);
        check_access(&access, &mut problems);
        check_reachable(&rules, &mut problems);
        check_defaults(whole, &defaults, &mut problems);
        let rules: Vec<_> = rules.into_iter().map(|(_, compiled)| compiled.rule).collect();
        match defaults.into_iter().next() {
            Some((path, line, default_groups)) if problems.is_empty() => Ok(Self {
                index: Index::of(&rules),
                rules,
                access: access.into_iter().map(|(access, ..)| access).collect(),
                default_asks: Asks {
                    quorum: Quorum::each_of(default_groups),
                    ..Asks::default()
                },
                default_place: format!("{}:{line}", path.display()),
                no_rule: Arc::from(NO_RULE),
                default_timeout: None,
            }),
            _ => Err(PolicyError::new(problems)),
        }
    }
}

/// The rule files of a folder in their order.
fn rule_files(dir: &Path) -> Result<Vec<PathBuf>, PolicyError> {
    toml_files(dir, |name| !name.ends_with("_test.toml"))
}

/// The test files of a folder (`*_test.toml`), by name.
///
/// # Errors
/// The folder cannot be read.
pub(super) fn test_files(dir: &Path) -> Result<Vec<PathBuf>, PolicyError> {
    toml_files(dir, |name| name.ends_with("_test.toml"))
}

fn toml_files(dir: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>, PolicyError> {
    let unreadable = |error: &std::io::Error| PolicyError::new(vec![unreadable(dir.to_owned(), error)]);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|error| unreadable(&error))? {
        let path = entry.map_err(|error| unreadable(&error))?.path();
        // A name that is not UTF-8 is no less a rule file for that.
        let name = path.file_name().unwrap_or(OsStr::new("")).to_string_lossy();
        if name.ends_with(".toml") && !name.starts_with('.') && wanted(&name) && !path.is_dir() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Marks a file or folder that could not be read.
pub(super) fn unreadable(path: PathBuf, error: &std::io::Error) -> PolicyProblem {
    PolicyProblem {
        file: path,
        line: None,
        message: format!("cannot be read: {error}"),
    }
}

type Placed<'a> = (&'a Path, Compiled);

fn check_names(rules: &[Placed<'_>], problems: &mut Vec<PolicyProblem>) {
    let mut seen: HashMap<&str, &Rule> = HashMap::new();
    for (path, Compiled { rule, line }) in rules {
        if let Some(first) = seen.get(rule.name()) {
            problems.push(PolicyProblem {
                file: path.to_path_buf(),
                line: Some(*line),
                message: format!(
                    "the name \"{}\" is taken by the rule at {}",
                    rule.name(),
                    first.place()
                ),
            });
        } else {
            seen.insert(rule.name(), rule);
        }
    }
}

fn check_access(all: &[(Access, PathBuf, usize)], problems: &mut Vec<PolicyProblem>) {
    for (i, (access, path, line)) in all.iter().enumerate() {
        if let Some((first, ..)) = all[..i].iter().find(|(first, ..)| first.name() == access.name()) {
            problems.push(PolicyProblem {
                file: path.clone(),
                line: Some(*line),
                message: format!(
                    "the name \"{}\" is taken by the one at {}",
                    access.name(),
                    first.place()
                ),
            });
        }
    }
}

fn check_reachable(rules: &[Placed<'_>], problems: &mut Vec<PolicyProblem>) {
    for (i, (path, Compiled { rule, line })) in rules.iter().enumerate() {
        let before = rules[..i].iter().map(|(_, compiled)| &compiled.rule);
        if let Some(earlier) = before.into_iter().find(|earlier| covers(earlier, rule)) {
            problems.push(PolicyProblem {
                file: path.to_path_buf(),
                line: Some(*line),
                message: format!(
                    "rule \"{}\" can never match: \"{}\" at {} comes first and matches all that it would; \
                     move it up or remove it",
                    rule.name(),
                    earlier.name(),
                    earlier.place()
                ),
            });
        }
    }
}

fn check_defaults(
    whole: &Path,
    defaults: &[(&PathBuf, usize, Vec<String>)],
    problems: &mut Vec<PolicyProblem>,
) {
    let Some((first_path, first_line, first)) = defaults.first() else {
        // A file that is no TOML may well say it: do not send its writer looking for two faults.
        if problems.is_empty() {
            problems.push(PolicyProblem {
                file: whole.to_owned(),
                line: None,
                message: "no policy file says `default_groups`: name at its top who decides on statements \
                          that no rule matches, for example default_groups = [\"dba\"]"
                    .to_owned(),
            });
        }
        return;
    };
    for (path, line, groups) in &defaults[1..] {
        if groups != first {
            problems.push(PolicyProblem {
                file: (*path).clone(),
                line: Some(*line),
                message: format!(
                    "`default_groups` says something else than at {}:{first_line}; keep one of the two",
                    first_path.display()
                ),
            });
        }
    }
}
