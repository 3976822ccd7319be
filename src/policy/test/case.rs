//! A case of a test file: who asks for what, and what is to come of it.

use std::net::IpAddr;
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;
use toml::Spanned;

use crate::model::{ColumnWrite, Decision, Effect, Facts, Shape, TableAccess};
use crate::policy::Subject;
use crate::policy::error::PolicyProblem;
use crate::policy::file::Reader;
use crate::policy::pattern::{Identifier, split_identifiers};

/// One case.
#[derive(Debug, Clone)]
pub struct Case {
    name: String,
    line: usize,
    user: String,
    groups: Vec<String>,
    database: String,
    application_name: String,
    client: Option<IpAddr>,
    at: Timestamp,
    input: Input,
    expected: Expected,
}

/// What is decided on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A text to be judged.
    Sql(String),
    /// The facts of one statement, given by hand.
    Facts(Box<Facts>),
}

/// What is to come of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    decision: Word,
    rule: Option<String>,
    approvers: Option<Vec<String>>,
    would: Option<Word>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Allow,
    Observe,
    Hold,
    Deny,
}

impl Word {
    fn of(decision: &Decision) -> Self {
        match decision {
            Decision::Allow => Self::Allow,
            Decision::Observe { .. } => Self::Observe,
            Decision::Hold(_) => Self::Hold,
            Decision::Deny { .. } => Self::Deny,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Observe => "observe",
            Self::Hold => "hold",
            Self::Deny => "deny",
        }
    }
}

impl Case {
    /// What the case shows.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The line of its name in the file, counted from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// Who asks, and where.
    #[must_use]
    pub fn subject(&self) -> Subject<'_> {
        Subject {
            application_name: &self.application_name,
            client: self.client,
            at: self.at,
            ..Subject::new(&self.database, &self.user, &self.groups)
        }
    }

    /// What is decided on.
    #[must_use]
    pub fn input(&self) -> &Input {
        &self.input
    }

    /// What is to come of it.
    #[must_use]
    pub fn expected(&self) -> &Expected {
        &self.expected
    }
}

impl Expected {
    /// The word of the decision: `allow`, `observe`, `hold` or `deny`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        self.decision.as_str()
    }

    /// The word of what would become of it if it were not observed, if the case says so.
    #[must_use]
    pub fn would(&self) -> Option<&'static str> {
        self.would.map(Word::as_str)
    }

    /// The rule that is to decide, if the case says so.
    #[must_use]
    pub fn rule(&self) -> Option<&str> {
        self.rule.as_deref()
    }

    /// The groups that are to approve, if the case says so; sorted.
    #[must_use]
    pub fn approvers(&self) -> Option<&[String]> {
        self.approvers.as_deref()
    }

    /// Whether a decision, made by these rules, is the expected one.
    pub(super) fn is_met(&self, decision: &Decision, rules: &[String]) -> bool {
        let of = match decision {
            Decision::Observe { would, .. } => would,
            other => other,
        };
        let groups = match of {
            Decision::Hold(terms) => terms.asks.quorum.groups(),
            _ => Vec::new(),
        };
        Word::of(decision) == self.decision
            && self.would.is_none_or(|would| would == Word::of(of))
            && self.rule.as_ref().is_none_or(|rule| rules.contains(rule))
            && self
                .approvers
                .as_ref()
                .is_none_or(|approvers| *approvers == groups)
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawSubject {
    user: Option<String>,
    groups: Option<Vec<String>>,
    database: Option<String>,
    application_name: Option<String>,
    client: Option<IpAddr>,
    at: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCase {
    name: Spanned<String>,
    user: Option<String>,
    groups: Option<Vec<String>>,
    database: Option<String>,
    application_name: Option<String>,
    client: Option<IpAddr>,
    at: Option<Timestamp>,
    sql: Option<String>,
    facts: Option<Spanned<RawFacts>>,
    expect: Word,
    rule: Option<String>,
    approvers: Option<Vec<String>>,
    would: Option<Word>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFacts {
    effect: Effect,
    commands: Vec<String>,
    #[serde(default)]
    tables: Vec<String>,
    #[serde(default)]
    functions: Vec<String>,
    #[serde(default)]
    unfiltered: bool,
    #[serde(default)]
    columns: Vec<String>,
    #[serde(default)]
    unlimited: bool,
    shape: Option<Shape>,
}

/// Reads the cases of a file; those with a problem are missing from the result.
pub(super) fn read(path: &Path, text: &str, problems: &mut Vec<PolicyProblem>) -> Vec<Case> {
    let mut reader = Reader {
        file: path,
        text,
        problems,
    };
    let Some(table) = reader.parse() else {
        return Vec::new();
    };
    let mut subject = RawSubject::default();
    let mut raw: Vec<RawCase> = Vec::new();
    for (key, value) in table {
        match key.as_ref().as_ref() {
            "subject" => subject = reader.value(value).unwrap_or_default(),
            "case" => raw = reader.values("case", value),
            other => reader.fail(
                key.span().start,
                format!("unknown key `{other}`: a test file has [subject] and [[case]]"),
            ),
        }
    }
    raw.into_iter()
        .filter_map(|raw| case(&mut reader, &subject, raw))
        .collect()
}

fn case(reader: &mut Reader<'_, '_>, subject: &RawSubject, raw: RawCase) -> Option<Case> {
    let at = raw.name.span().start;
    let line = reader.line(at);
    let input = match (raw.sql, raw.facts) {
        (Some(sql), None) => Some(Input::Sql(sql)),
        (None, Some(raw)) => facts(reader, raw).map(|facts| Input::Facts(Box::new(facts))),
        _ => {
            reader.fail(at, "a case has either `sql` or `facts`");
            None
        }
    };
    let user = raw.user.or_else(|| subject.user.clone());
    let database = raw.database.or_else(|| subject.database.clone());
    for (key, is_missing) in [("user", user.is_none()), ("database", database.is_none())] {
        if is_missing {
            reader.fail(
                at,
                format!("no `{key}`: say it here, or for all cases in [subject]"),
            );
        }
    }
    if raw.would.is_some() && raw.expect != Word::Observe {
        reader.fail(at, "`would` goes with expect = \"observe\" only");
        return None;
    }
    if raw.would == Some(Word::Observe) {
        reader.fail(
            at,
            "`would` is what becomes of it unobserved: allow, hold or deny",
        );
        return None;
    }
    if raw.approvers.is_some() && raw.would.unwrap_or(raw.expect) != Word::Hold {
        reader.fail(
            at,
            "`approvers` goes with expect = \"hold\" only, or with would = \"hold\"",
        );
        return None;
    }
    let approvers = raw.approvers.map(|mut groups| {
        groups.sort();
        groups.dedup();
        groups
    });
    Some(Case {
        name: raw.name.into_inner(),
        line,
        user: user?,
        groups: raw.groups.or_else(|| subject.groups.clone()).unwrap_or_default(),
        database: database?,
        application_name: raw
            .application_name
            .or_else(|| subject.application_name.clone())
            .unwrap_or_default(),
        client: raw.client.or(subject.client),
        at: raw.at.or(subject.at).unwrap_or(Timestamp::UNIX_EPOCH),
        input: input?,
        expected: Expected {
            decision: raw.expect,
            rule: raw.rule,
            approvers,
            would: raw.would,
        },
    })
}

fn facts(reader: &mut Reader<'_, '_>, raw: Spanned<RawFacts>) -> Option<Facts> {
    let at = raw.span().start;
    let raw = raw.into_inner();
    if raw.commands.is_empty() {
        reader.fail(at, "a statement has at least one command");
        return None;
    }
    let mut tables = named(reader, at, "table", &raw.tables, table)?;
    tables.sort();
    let mut columns = named(reader, at, "column", &raw.columns, column)?;
    columns.sort();
    Some(Facts {
        effect: raw.effect,
        commands: raw.commands,
        tables,
        functions: raw.functions,
        unfiltered: raw.unfiltered,
        columns,
        unlimited: raw.unlimited,
        shape: raw.shape,
        unresolved: false,
        sets: crate::model::Sets::default(),
        defines: crate::model::Defines::Nothing,
        acts_when_read: false,
        has_text: false,
        signals: Vec::new(),
    })
}

/// What each of the names stands for.
fn named<T>(
    reader: &mut Reader<'_, '_>,
    at: usize,
    what: &str,
    names: &[String],
    read: impl Fn(&str) -> Result<T, &'static str>,
) -> Option<Vec<T>> {
    let mut values = Vec::with_capacity(names.len());
    for name in names {
        match read(name) {
            Ok(value) => values.push(value),
            Err(why) => {
                reader.fail(at, format!("\"{name}\" is no {what}: {why}"));
                return None;
            }
        }
    }
    Some(values)
}

fn table(name: &str) -> Result<TableAccess, &'static str> {
    let (schema, name) = relation(split_identifiers(name)?).ok_or("write \"name\" or \"schema.name\"")?;
    Ok(TableAccess {
        schema,
        name,
        // No condition of a rule asks for it.
        written: false,
    })
}

/// `table.column`, or `table.*` for any of its columns.
fn column(name: &str) -> Result<ColumnWrite, &'static str> {
    let mut parts = split_identifiers(name)?;
    let column = match parts.pop() {
        Some(Identifier::Plain(any)) if any == "*" => None,
        last => last.map(name_of),
    };
    let (schema, table) = relation(parts).ok_or("write \"table.column\" or \"schema.table.column\"")?;
    Ok(ColumnWrite {
        schema,
        table,
        column,
    })
}

/// Schema and name.
fn relation(mut parts: Vec<Identifier>) -> Option<(Option<String>, String)> {
    let name = parts.pop().map(name_of)?;
    let schema = parts.pop().map(name_of);
    parts.is_empty().then_some((schema, name))
}

fn name_of(part: Identifier) -> String {
    match part {
        Identifier::Plain(name) | Identifier::Quoted(name) => name,
    }
}
