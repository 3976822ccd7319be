//! The shape of policy files: from TOML to values that know where they stand.
//!
//! The first of the two steps of reading a file; `compile` is the second. Every problem is
//! recorded with its line, and reading goes on, so that a person sees all of them at once.

use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::error::PolicyProblem;

/// Names with the place of each and of the list.
pub(super) type Names = Spanned<Vec<Spanned<String>>>;

/// A `[[rule]]` as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRule {
    pub(super) name: Spanned<String>,
    pub(super) when: Option<Spanned<RawWhen>>,
    pub(super) then: RawThen,
}

/// Conditions as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWhen {
    pub(super) databases: Option<Names>,
    pub(super) users: Option<Names>,
    pub(super) groups: Option<Names>,
    pub(super) not_groups: Option<Names>,
    pub(super) effects: Option<Names>,
    pub(super) commands: Option<Names>,
    pub(super) tables: Option<Names>,
    pub(super) columns: Option<Names>,
    pub(super) functions: Option<Names>,
    pub(super) r#where: Option<bool>,
    pub(super) limit: Option<bool>,
    pub(super) shapes: Option<Names>,
    pub(super) application_names: Option<Names>,
    pub(super) clients: Option<Names>,
    pub(super) days: Option<Names>,
    pub(super) hours: Option<Names>,
    pub(super) time_zone: Option<Spanned<String>>,
}

/// An action as written.
pub(super) enum RawThen {
    Allow,
    Observe,
    Hold(Box<Spanned<RawHold>>),
    Deny(RawDeny),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHold {
    pub(super) groups: Option<Names>,
    pub(super) any_of: Option<Names>,
    pub(super) min_approvals: Option<Spanned<usize>>,
    pub(super) timeout: Option<Spanned<String>>,
    pub(super) justification: Option<Names>,
    #[serde(default)]
    pub(super) self_approval: bool,
    #[serde(default)]
    pub(super) exempt_admins: bool,
    pub(super) break_glass: Option<Names>,
    pub(super) review: Option<Spanned<String>>,
}

/// An `[[access]]` as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAccess {
    pub(super) name: Spanned<String>,
    pub(super) when: Option<RawAsker>,
    pub(super) up_to: Spanned<String>,
    pub(super) longest: Spanned<String>,
    pub(super) approval: Spanned<RawHold>,
}

/// Who may ask, as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAsker {
    pub(super) databases: Option<Names>,
    pub(super) users: Option<Names>,
    pub(super) groups: Option<Names>,
    pub(super) not_groups: Option<Names>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDeny {
    pub(super) reason: Spanned<String>,
}

/// A file as written; what could not be read is missing from it and among the problems.
#[derive(Default)]
pub(super) struct RawFile {
    pub(super) default_groups: Option<Names>,
    pub(super) rules: Vec<RawRule>,
    pub(super) access: Vec<RawAccess>,
}

/// Where problems of one file go.
pub(super) struct Reader<'t, 'p> {
    pub(super) file: &'t Path,
    pub(super) text: &'t str,
    pub(super) problems: &'p mut Vec<PolicyProblem>,
}

impl<'t> Reader<'t, '_> {
    /// Records a problem at a byte of the text.
    pub(super) fn fail(&mut self, offset: usize, message: impl Into<String>) {
        let line = self.line(offset);
        self.problems.push(PolicyProblem {
            file: self.file.to_owned(),
            line: Some(line),
            message: message.into(),
        });
    }

    /// The line of a byte of the text, counted from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().iter().take(offset);
        1 + before.filter(|byte| **byte == b'\n').count()
    }

    /// The tables of a file by key, or nothing where it is no TOML.
    pub(super) fn parse(&mut self) -> Option<DeTable<'t>> {
        match DeTable::parse(self.text) {
            Ok(table) => Some(table.into_inner()),
            Err(error) => {
                self.fail_toml(&error, 0);
                None
            }
        }
    }

    /// Reads one value, recording what is wrong with it.
    pub(super) fn value<'de, T: Deserialize<'de>>(&mut self, value: Spanned<DeValue<'de>>) -> Option<T> {
        let start = value.span().start;
        T::deserialize(ValueDeserializer::from(value))
            .map_err(|error| self.fail_toml(&error, start))
            .ok()
    }

    /// Reads an array value by value, so that one that is wrong does not hide the others.
    pub(super) fn values<'de, T: Deserialize<'de>>(
        &mut self,
        name: &str,
        value: Spanned<DeValue<'de>>,
    ) -> Vec<T> {
        let start = value.span().start;
        let DeValue::Array(values) = value.into_inner() else {
            self.fail(start, format!("`{name}` is a list of tables: write [[{name}]]"));
            return Vec::new();
        };
        values.into_iter().filter_map(|value| self.value(value)).collect()
    }

    fn fail_toml(&mut self, error: &toml::de::Error, start: usize) {
        let offset = error.span().map_or(start, |span| span.start);
        self.fail(offset, error.message().replace('\n', ", "));
    }
}

/// Reads a policy file.
pub(super) fn read(file: &Path, text: &str, problems: &mut Vec<PolicyProblem>) -> RawFile {
    let mut raw = RawFile::default();
    let mut reader = Reader { file, text, problems };
    let Some(table) = reader.parse() else {
        return raw;
    };
    for (key, value) in table {
        match key.as_ref().as_ref() {
            "default_groups" => raw.default_groups = reader.value(value),
            "rule" => raw.rules = reader.values("rule", value),
            "access" => raw.access = reader.values("access", value),
            other => reader.fail(
                key.span().start,
                format!("unknown key `{other}`: a policy file has `default_groups`, [[rule]] and [[access]]"),
            ),
        }
    }
    raw
}

impl<'de> Deserialize<'de> for RawThen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ThenVisitor)
    }
}

struct ThenVisitor;

const THEN_FORMS: &str =
    "\"allow\", \"observe\", { hold = { groups = [\"…\"] } } or { deny = { reason = \"…\" } }";

impl<'de> Visitor<'de> for ThenVisitor {
    type Value = RawThen;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(THEN_FORMS)
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<RawThen, E> {
        match word {
            "allow" => Ok(RawThen::Allow),
            "observe" => Ok(RawThen::Observe),
            _ => Err(E::custom(format!(
                "`then` cannot be \"{word}\": write {THEN_FORMS}"
            ))),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawThen, A::Error> {
        let then = match map.next_key::<String>()?.as_deref() {
            Some("hold") => RawThen::Hold(Box::new(map.next_value()?)),
            Some("deny") => RawThen::Deny(map.next_value()?),
            _ => return Err(de::Error::custom(format!("`then` takes {THEN_FORMS}"))),
        };
        match map.next_key::<String>()? {
            None => Ok(then),
            Some(_) => Err(de::Error::custom(format!("`then` takes one of {THEN_FORMS}"))),
        }
    }
}
