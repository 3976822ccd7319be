//! What can be wrong with a configuration, and where.

use std::fmt;
use std::path::PathBuf;

use super::source::Source;
use crate::model::nearest::nearest;

/// Where a setting stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the file.
    File {
        /// Its path.
        path: PathBuf,
        /// The line, counted from 1; `None` where it is about the file as a whole.
        line: Option<usize>,
    },
    /// In the environment.
    Variable(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line: None } => write!(f, "{}", path.display()),
            Self::File {
                path,
                line: Some(line),
            } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
        }
    }
}

/// One thing wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// Where it stands.
    pub place: Place,
    /// The key's path, as in `proxy.listen`; empty where it is about no key.
    pub key: String,
    /// What is wrong, and what to do. Never holds a secret.
    pub message: String,
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no file, or it cannot be read.
    #[error(
        "the configuration file {} cannot be read: {source}; name another with --config or \
         HOLDPOINT_CONFIG, or start from holdpoint.example.toml",
        path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something in it is wrong. Displays one problem per line; never empty.
    #[error("{}", Lines(.0))]
    Invalid(Vec<ConfigProblem>),
}

struct Lines<'a>(&'a [ConfigProblem]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

/// Collects problems, and knows where each key stands.
pub(super) struct Problems<'a> {
    source: &'a Source,
    found: Vec<ConfigProblem>,
}

impl<'a> Problems<'a> {
    pub(super) fn new(source: &'a Source, found: Vec<ConfigProblem>) -> Self {
        Self { source, found }
    }

    /// Records what is wrong with the setting of that path.
    pub(super) fn add(&mut self, path: &[&str], message: impl Into<String>) {
        self.found.push(ConfigProblem {
            place: self.source.place(path),
            key: path.join("."),
            message: message.into(),
        });
    }

    /// Records that the last part of the path is none of the known keys.
    pub(super) fn add_unknown(&mut self, path: &[&str], name: &str, known: &[&str]) {
        let message = match nearest(name, known) {
            Some(near) => format!("unknown key; did you mean \"{near}\"?"),
            None => format!("unknown key; known here: {}", known.join(", ")),
        };
        self.add(path, message);
    }

    /// For the problems of one section.
    pub(super) fn section<'p>(&'p mut self, name: &'p str) -> Section<'p, 'a> {
        Section {
            problems: self,
            path: vec![name],
        }
    }

    /// For the problems of `[proxy.tls]`.
    pub(super) fn tls<'p>(&'p mut self) -> Section<'p, 'a> {
        Section {
            problems: self,
            path: vec!["proxy", "tls"],
        }
    }

    /// For the problems of one database.
    pub(super) fn database<'p>(&'p mut self, name: &'p str) -> Section<'p, 'a> {
        Section {
            problems: self,
            path: vec!["databases", name],
        }
    }

    /// In the order of the file, then of the variables.
    pub(super) fn into_result(mut self) -> Result<(), ConfigError> {
        if self.found.is_empty() {
            return Ok(());
        }
        self.found.sort_by_key(|problem| match &problem.place {
            Place::File { line, .. } => (false, line.unwrap_or(0), String::new()),
            Place::Variable(name) => (true, 0, name.clone()),
        });
        Err(ConfigError::Invalid(self.found))
    }
}

/// The problems of one section: what each section's `validate` reports to.
pub(super) struct Section<'p, 'a> {
    problems: &'p mut Problems<'a>,
    path: Vec<&'p str>,
}

impl Section<'_, '_> {
    /// Records what is wrong with a key of the section.
    pub(super) fn fail(&mut self, key: &str, message: impl Into<String>) {
        let mut path = self.path.clone();
        path.push(key);
        self.problems.add(&path, message);
    }

    /// Records a value that does not meet what is required of it.
    pub(super) fn require(&mut self, key: &str, is_met: bool, message: impl Into<String>) {
        if !is_met {
            self.fail(key, message);
        }
    }
}
