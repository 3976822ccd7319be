//! Where settings come from: the file, then the environment; and where each one stands.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, ConfigProblem, Place, Problems};
use super::extract::{database_keys, settings, tls_keys};
use crate::model::nearest::nearest_within;

/// What every variable of ours begins with.
const PREFIX: &str = "HOLDPOINT_";
/// Names the file, and is no setting.
const CONFIG_VARIABLE: &str = "HOLDPOINT_CONFIG";
/// What is between the levels of a setting in a variable's name.
const SEPARATOR: &str = "__";

/// The settings as found, not yet read.
pub(super) struct Source {
    path: PathBuf,
    file: toml::Table,
    /// The line of each key in the file.
    lines: HashMap<Vec<String>, usize>,
    variables: Vec<Variable>,
    /// What is wrong with the variables themselves.
    found: Vec<ConfigProblem>,
}

/// A variable that is a setting.
struct Variable {
    name: String,
    path: Vec<String>,
    value: String,
}

impl Source {
    /// # Errors
    /// The file is no TOML.
    pub(super) fn read(
        path: &Path,
        text: &str,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        // The error's own form shows the line as it is written, and it may hold a password.
        let not_toml = |error: &toml::de::Error| {
            let place = Place::File {
                path: path.to_owned(),
                line: error.span().map(|span| line(text, span.start)),
            };
            ConfigError::Invalid(vec![ConfigProblem {
                place,
                key: String::new(),
                message: format!("this is no TOML: {}", error.message().replace('\n', ", ")),
            }])
        };
        let file = toml::from_str(text).map_err(|error| not_toml(&error))?;
        let spans = DeTable::parse(text).map_err(|error| not_toml(&error))?;
        let mut source = Self {
            path: path.to_owned(),
            file,
            lines: HashMap::new(),
            variables: Vec::new(),
            found: Vec::new(),
        };
        source.note_lines(text, &mut Vec::new(), spans.get_ref());
        for (name, value) in variables {
            source.note_variable(&name, value);
        }
        source.variables.sort_by(|a, b| a.name.cmp(&b.name));
        source.found.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(source)
    }

    /// The collector of problems, with what is already known to be wrong.
    pub(super) fn problems(&self) -> Problems<'_> {
        Problems::new(self, self.found.clone())
    }

    /// The file's settings, overridden by the environment's.
    pub(super) fn merged(&self) -> Result<Dict, ConfigError> {
        Figment::new()
            .merge(Layer::File(&self.file))
            .merge(Layer::Variables(&self.variables))
            .extract()
            .map_err(|error: figment::Error| {
                ConfigError::Invalid(vec![ConfigProblem {
                    place: self.place(&[]),
                    key: error.path.join("."),
                    message: "cannot be read as settings".to_owned(),
                }])
            })
    }

    /// Where a setting stands: the variable or the line that says it, or what it would be inside of.
    pub(super) fn place(&self, path: &[&str]) -> Place {
        let mut nearest_first = (1..=path.len()).rev();
        nearest_first
            .find_map(|length| {
                let part = &path[..length];
                let line = || {
                    self.line(part).map(|line| Place::File {
                        path: self.path.clone(),
                        line: Some(line),
                    })
                };
                let variable = || self.variable(part).map(|name| Place::Variable(name.to_owned()));
                // A variable overrides the file; but what is missing is missing where its table is.
                if length == path.len() {
                    variable().or_else(line)
                } else {
                    line().or_else(variable)
                }
            })
            .unwrap_or_else(|| Place::File {
                path: self.path.clone(),
                line: None,
            })
    }

    /// The variable that sets this, or something inside it.
    fn variable(&self, path: &[&str]) -> Option<&str> {
        self.variables
            .iter()
            .find(|variable| {
                variable.path.len() >= path.len() && path.iter().zip(&variable.path).all(|(a, b)| a == b)
            })
            .map(|variable| variable.name.as_str())
    }

    fn line(&self, path: &[&str]) -> Option<usize> {
        let path: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
        self.lines.get(&path).copied()
    }

    fn note_lines(&mut self, text: &str, path: &mut Vec<String>, table: &DeTable<'_>) {
        for (key, value) in table {
            path.push(key.get_ref().to_string());
            self.lines.insert(path.clone(), line(text, key.span().start));
            match value.get_ref() {
                DeValue::Table(inner) => self.note_lines(text, path, inner),
                DeValue::Array(items) => self.note_entries(text, path, items),
                _ => {}
            }
            path.pop();
        }
    }

    /// The tables of a list, each under its number.
    fn note_entries(&mut self, text: &str, path: &mut Vec<String>, items: &[toml::Spanned<DeValue<'_>>]) {
        for (index, item) in items.iter().enumerate() {
            if let DeValue::Table(inner) = item.get_ref() {
                path.push(index.to_string());
                self.lines.insert(path.clone(), line(text, item.span().start));
                self.note_lines(text, path, inner);
                path.pop();
            }
        }
    }

    fn note_variable(&mut self, name: &OsStr, value: OsString) {
        let Some(name) = name.to_str() else { return };
        let Some(rest) = name.strip_prefix(PREFIX).filter(|_| name != CONFIG_VARIABLE) else {
            return;
        };
        let mut fail = |message: String| {
            self.found.push(ConfigProblem {
                place: Place::Variable(name.to_owned()),
                key: String::new(),
                message,
            });
        };
        if !rest.contains(SEPARATOR) {
            if let Some(meant) = lacks_underscore(rest) {
                fail(format!("unknown; did you mean {PREFIX}{meant}?"));
            }
            return;
        }
        let path: Vec<String> = rest.split(SEPARATOR).map(str::to_ascii_lowercase).collect();
        if path.iter().any(String::is_empty) {
            fail(format!(
                "unknown; write {PREFIX}SECTION__KEY, with two underscores between the levels"
            ));
            return;
        }
        match value.into_string() {
            Ok(value) => self.variables.push(Variable {
                name: name.to_owned(),
                path,
                value,
            }),
            Err(_) => fail("the value is not UTF-8".to_owned()),
        }
    }
}

/// Settings of one origin.
enum Layer<'a> {
    File(&'a toml::Table),
    Variables(&'a [Variable]),
}

impl Provider for Layer<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::named(match self {
            Self::File(_) => "the configuration file",
            Self::Variables(_) => "the environment",
        })
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let settings = match self {
            Self::File(table) => Value::serialize(table)?.into_dict().unwrap_or_default(),
            Self::Variables(variables) => {
                let mut settings = Dict::new();
                for variable in *variables {
                    set(&mut settings, &variable.path, &variable.value);
                }
                settings
            }
        };
        Ok(Map::from([(Profile::Default, settings)]))
    }
}

/// Sets a value in nested tables, as text: figment's own reading of variables would take a
/// password of digits for a number.
fn set(settings: &mut Dict, path: &[String], text: &str) {
    let [key, rest @ ..] = path else { return };
    if rest.is_empty() {
        settings.insert(key.clone(), Value::from(text));
        return;
    }
    let inner = settings
        .entry(key.clone())
        .or_insert_with(|| Value::from(Dict::new()));
    if !matches!(inner, Value::Dict(..)) {
        *inner = Value::from(Dict::new());
    }
    if let Value::Dict(_, inner) = inner {
        set(inner, rest, text);
    }
}

/// The setting that a name without `__` seems to mean.
fn lacks_underscore(rest: &str) -> Option<String> {
    let single: Vec<String> = settings()
        .into_iter()
        .map(|(section, key)| format!("{section}_{key}"))
        .collect();
    // Not whatever has this beginning: orchestrators make variables out of services' names.
    let is_of_tls = |key: &&str| tls_keys().iter().any(|known| known.eq_ignore_ascii_case(key));
    if let Some(key) = rest.strip_prefix("PROXY_TLS_").filter(is_of_tls) {
        return Some(format!("PROXY{SEPARATOR}TLS{SEPARATOR}{key}"));
    }
    let candidates: Vec<&str> = single.iter().map(String::as_str).collect();
    if let Some(database) = rest.strip_prefix("DATABASES_") {
        let (name, key) = database_keys()
            .iter()
            .find_map(|key| {
                let name = database.strip_suffix(&key.to_ascii_uppercase())?;
                Some((name.strip_suffix('_')?, key.to_ascii_uppercase()))
            })
            .unwrap_or(("NAME", "KEY".to_owned()));
        return Some(format!("DATABASES{SEPARATOR}{name}{SEPARATOR}{key}"));
    }
    let near = nearest_within(rest, &candidates, |_| 2)?;
    let (section, key) = near.split_once('_')?;
    Some(format!("{section}{SEPARATOR}{key}").to_ascii_uppercase())
}

/// The line of an offset, counted from 1.
fn line(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().iter().take(offset);
    1 + before.filter(|byte| **byte == b'\n').count()
}
