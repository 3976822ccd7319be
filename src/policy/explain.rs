//! Why a rule matches a statement, or does not: its conditions one by one, in words.
//!
//! Says what [`When::matches`] decides, and is asked by people alone: it allocates, and names what is in the policy
//! and in the statement.

use std::fmt::Display;

use super::condition::{Condition, When, function_is_meant, table_is_meant};
use super::{Action, Policy, Rule, Subject};
use crate::model::{ColumnWrite, Facts};

/// How a condition of a rule fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The key of `when`; `schedule` stands for `days`, `hours` and `time_zone`.
    pub key: &'static str,
    /// Whether it holds.
    pub holds: bool,
    /// Why: a sentence without a full stop.
    pub why: String,
}

/// What a rule does about a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It does not match.
    DoesNotMatch,
    /// It matches, and lets pass while the rules below are asked what would have become of it.
    Observes,
    /// It matches, but what it would observe another rule above already does.
    PassedOver,
    /// It matches, and decides.
    Decides,
}

impl Step {
    /// The word for programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DoesNotMatch => "does_not_match",
            Self::Observes => "observes",
            Self::PassedOver => "passed_over",
            Self::Decides => "decides",
        }
    }
}

/// A rule that was asked about a statement.
#[derive(Debug, Clone)]
pub struct Considered<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// Its conditions, in the order in which they are looked at; empty where it is for everything.
    pub outcomes: Vec<Outcome>,
    /// What it does.
    pub step: Step,
}

impl Policy {
    /// The rules that are asked about a statement, in their order, up to the one that decides. Where none does, no
    /// rule matches.
    #[must_use]
    pub fn explain(&self, subject: &Subject<'_>, facts: &Facts) -> Vec<Considered<'_>> {
        let mut considered: Vec<Considered<'_>> = Vec::new();
        for rule in self.rules() {
            let is_observed = considered.iter().any(|before| before.step == Step::Observes);
            let step = match (rule.matches(subject, facts), rule.action()) {
                (false, _) => Step::DoesNotMatch,
                (true, Action::Observe) if is_observed => Step::PassedOver,
                (true, Action::Observe) => Step::Observes,
                (true, _) => Step::Decides,
            };
            considered.push(Considered {
                rule,
                outcomes: rule.explain(subject, facts),
                step,
            });
            if step == Step::Decides {
                break;
            }
        }
        considered
    }
}

impl Rule {
    /// How each condition of the rule fares with a statement, in the order in which they are looked at. The rule
    /// matches if all of them hold.
    #[must_use]
    pub fn explain(&self, subject: &Subject<'_>, facts: &Facts) -> Vec<Outcome> {
        let doubt = self.action.doubt();
        Condition::ALL
            .into_iter()
            .filter_map(|condition| {
                let holds = self.when.holds(condition, subject, facts, doubt);
                let sure = doubt.asks_for_certainty();
                let why = match (why(&self.when, condition, subject, facts, sure), holds) {
                    (Some(why), _) => why,
                    (None, true) => return None,
                    // The one condition that is there without being named.
                    (None, false) => "what is unknown is allowed only by a rule that names it".to_owned(),
                };
                Some(Outcome {
                    key: key(condition),
                    holds,
                    why,
                })
            })
            .collect()
    }
}

const fn key(condition: Condition) -> &'static str {
    match condition {
        Condition::Databases => "databases",
        Condition::Users => "users",
        Condition::Groups => "groups",
        Condition::NotGroups => "not_groups",
        Condition::ApplicationNames => "application_names",
        Condition::Clients => "clients",
        Condition::Schedule => "schedule",
        Condition::Effects => "effects",
        Condition::Where => "where",
        Condition::Limit => "limit",
        Condition::Shapes => "shapes",
        Condition::Commands => "commands",
        Condition::Tables => "tables",
        Condition::Columns => "columns",
        Condition::Functions => "functions",
    }
}

/// `None` where the rule does not name the condition.
fn why(
    when: &When,
    condition: Condition,
    subject: &Subject<'_>,
    facts: &Facts,
    sure: bool,
) -> Option<String> {
    Some(match condition {
        Condition::Databases => one_of(subject.database, when.databases.as_deref()?),
        Condition::Users => one_of(subject.user, when.users.as_deref()?),
        Condition::Groups => member(subject, when.groups.as_deref()?),
        Condition::NotGroups => member(subject, when.not_groups.as_deref()?),
        Condition::ApplicationNames => {
            let globs = when.application_names.as_deref()?;
            let is_listed = globs.iter().any(|glob| glob.matches(subject.application_name));
            let name = format!("\"{}\"", subject.application_name);
            is_or_is_not(is_listed, &name, "one of", globs)
        }
        Condition::Clients => {
            let networks = when.clients.as_deref()?;
            match subject.client {
                Some(client) => {
                    let is_in = networks.iter().any(|network| network.contains(client));
                    is_or_is_not(is_in, &client, "in", networks)
                }
                None if sure => format!("without an address, it is not surely in {}", list(networks)),
                None => format!("without an address, it could be in {}", list(networks)),
            }
        }
        Condition::Schedule => {
            let schedule = when.schedule.as_ref()?;
            let is = if schedule.includes(subject.at) {
                "is"
            } else {
                "is not"
            };
            format!("{} {is} within {schedule}", schedule.local(subject.at))
        }
        Condition::Effects => {
            let effects: Vec<_> = when.effects?.effects().collect();
            is_or_is_not(effects.contains(&facts.effect), &facts.effect, "one of", &effects)
        }
        Condition::Where => {
            when.filtered?;
            let has = if facts.unfiltered { "has an" } else { "has no" };
            format!("it {has} UPDATE or DELETE without a WHERE")
        }
        Condition::Limit => {
            when.limited?;
            let hands = if facts.unlimited { "hands" } else { "does not hand" };
            format!("it {hands} out all rows of a query")
        }
        Condition::Shapes => {
            let shapes = when.shapes.as_deref()?;
            match facts.shape {
                Some(shape) if shapes.contains(&shape) => "its shape is one of them".to_owned(),
                Some(_) => "its shape is not one of them".to_owned(),
                None => "it has no shape".to_owned(),
            }
        }
        Condition::Commands | Condition::Tables | Condition::Columns | Condition::Functions => {
            return listed(when, condition, facts, sure);
        }
    })
}

/// The conditions that compare lists.
fn listed(when: &When, condition: Condition, facts: &Facts, sure: bool) -> Option<String> {
    Some(match condition {
        Condition::Commands => {
            let globs = when.commands.as_deref()?;
            compared("command", &facts.commands, globs, sure, |glob, command| {
                glob.matches(command)
            })
        }
        Condition::Tables => {
            let names: Vec<Shown<_>> = facts
                .tables
                .iter()
                .map(|table| Shown(table.qualified(), table))
                .collect();
            compared(
                "table",
                &names,
                when.tables.as_deref()?,
                sure,
                |pattern, table| table_is_meant(pattern, table.1, sure),
            )
        }
        Condition::Columns => {
            let names: Vec<Shown<_>> = facts
                .columns
                .iter()
                .map(|column| Shown(column_name(column), column))
                .collect();
            compared(
                "column",
                &names,
                when.columns.as_deref()?,
                sure,
                |pattern, column| {
                    if sure {
                        pattern.surely(column.1)
                    } else {
                        pattern.possibly(column.1)
                    }
                },
            )
        }
        Condition::Functions => {
            let patterns = when.functions.as_deref()?;
            compared("function", &facts.functions, patterns, sure, |pattern, name| {
                function_is_meant(pattern, name, sure)
            })
        }
        _ => return None,
    })
}

/// Something with the name that people know it by.
struct Shown<T>(String, T);

impl<T> Display for Shown<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// `schema.table.column`; `*` stands for any column.
#[must_use]
pub fn column_name(written: &ColumnWrite) -> String {
    let schema = written.schema.iter().map(String::as_str);
    let column = written.column.as_deref().unwrap_or("*");
    let parts: Vec<&str> = schema.chain([written.table.as_str(), column]).collect();
    parts.join(".")
}

fn compared<P: Display, T: Display>(
    what: &str,
    items: &[T],
    patterns: &[P],
    sure: bool,
    is_meant: impl Fn(&P, &T) -> bool,
) -> String {
    let meant = |item: &T| patterns.iter().any(|pattern| is_meant(pattern, item));
    let patterns_listed = list(patterns);
    if items.is_empty() {
        return format!("it has no {what} that could be one of {patterns_listed}");
    }
    if sure {
        match items.iter().find(|item| !meant(item)) {
            Some(item) => format!("{item} is not surely one of {patterns_listed}"),
            None => format!("each of {} is one of {patterns_listed}", list(items)),
        }
    } else {
        match items.iter().find(|item| meant(item)) {
            Some(item) => format!("{item} is, or could be, one of {patterns_listed}"),
            None => format!("none of {} could be one of {patterns_listed}", list(items)),
        }
    }
}

fn one_of(name: &str, names: &[String]) -> String {
    let is_listed = names.iter().any(|listed| listed == name);
    is_or_is_not(is_listed, &name, "one of", names)
}

fn member(subject: &Subject<'_>, groups: &[String]) -> String {
    match groups.iter().find(|group| subject.groups.contains(group)) {
        Some(group) => format!("{} is in {group}", subject.user),
        None => format!("{} is in none of {}", subject.user, list(groups)),
    }
}

fn is_or_is_not(is: bool, what: &impl Display, relation: &str, those: &[impl Display]) -> String {
    let is = if is { "is" } else { "is not" };
    format!("{what} {is} {relation} {}", list(those))
}

fn list(items: &[impl Display]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    items.join(", ")
}
