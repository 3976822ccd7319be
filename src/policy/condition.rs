//! When a rule matches: conditions, all of which must hold.

use super::Subject;
use super::column::ColumnPattern;
use super::network::Network;
use super::pattern::{Glob, NamePattern};
use super::schedule::Schedule;
use crate::model::{Effect, Facts, Shape, TableAccess};

/// How a rule takes what is not certain about a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// For rules that allow: everything in the statement must surely be meant.
    DoesNotMatch,
    /// For rules that observe: likewise, but a rule that names no effects is for what could not be judged, too.
    /// It is there to find out about just that.
    UnknownMatches,
    /// For rules that hold or deny: one thing that could be meant is enough.
    Matches,
}

impl Doubt {
    /// Whether everything in the statement must surely be meant.
    pub(super) const fn asks_for_certainty(self) -> bool {
        !matches!(self, Self::Matches)
    }

    /// Whether a rule that names no effects is for what could not be judged, too.
    pub(super) const fn takes_unknown(self) -> bool {
        !matches!(self, Self::DoesNotMatch)
    }
}

/// Effects as a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EffectSet(u8);

impl EffectSet {
    pub(super) fn contains(self, effect: Effect) -> bool {
        self.0 & bit(effect) != 0
    }

    pub(super) const fn is_subset_of(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// Mildest first.
    pub(super) fn effects(self) -> impl Iterator<Item = Effect> {
        Effect::ALL
            .into_iter()
            .filter(move |effect| self.contains(*effect))
    }

    /// Whether each of them is milder than this one.
    pub(super) fn all_below(self, effect: Effect) -> bool {
        self.effects().all(|each| each < effect)
    }
}

impl FromIterator<Effect> for EffectSet {
    fn from_iter<T: IntoIterator<Item = Effect>>(effects: T) -> Self {
        Self(effects.into_iter().fold(0, |set, effect| set | bit(effect)))
    }
}

const fn bit(effect: Effect) -> u8 {
    1 << effect as u8
}

/// A condition of `when`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    Databases,
    Users,
    Groups,
    NotGroups,
    ApplicationNames,
    Clients,
    Schedule,
    Effects,
    Where,
    Limit,
    Shapes,
    Commands,
    Tables,
    Columns,
    Functions,
}

impl Condition {
    /// In the order in which they are looked at: what is cheap comes first.
    pub(super) const ALL: [Self; 15] = [
        Self::Databases,
        Self::Users,
        Self::Groups,
        Self::NotGroups,
        Self::Effects,
        Self::Where,
        Self::Limit,
        Self::Shapes,
        Self::ApplicationNames,
        Self::Clients,
        Self::Commands,
        Self::Tables,
        Self::Columns,
        Self::Functions,
        Self::Schedule,
    ];
}

/// What a function that a read calls can write by.
const WRITES: [&str; 5] = ["INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE"];

/// The conditions of a rule; `None` restricts nothing. Lists are never empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct When {
    pub(super) databases: Option<Vec<String>>,
    pub(super) users: Option<Vec<String>>,
    pub(super) groups: Option<Vec<String>>,
    pub(super) not_groups: Option<Vec<String>>,
    pub(super) application_names: Option<Vec<Glob>>,
    pub(super) clients: Option<Vec<Network>>,
    /// `days`, `hours` and `time_zone`.
    pub(super) schedule: Option<Schedule>,
    pub(super) effects: Option<EffectSet>,
    /// Whether every UPDATE and DELETE has a WHERE.
    pub(super) filtered: Option<bool>,
    /// Whether it does not hand out all rows of a query.
    pub(super) limited: Option<bool>,
    pub(super) shapes: Option<Vec<Shape>>,
    /// Upper case.
    pub(super) commands: Option<Vec<Glob>>,
    pub(super) tables: Option<Vec<NamePattern>>,
    pub(super) columns: Option<Vec<ColumnPattern>>,
    pub(super) functions: Option<Vec<NamePattern>>,
}

impl When {
    /// Whether all conditions hold. Does not allocate.
    pub(super) fn matches(&self, subject: &Subject<'_>, facts: &Facts, doubt: Doubt) -> bool {
        Condition::ALL
            .into_iter()
            .all(|condition| self.holds(condition, subject, facts, doubt))
    }

    /// Whether it is for some writes of this subject: for those of some tables or columns, or by some of the commands. `write`
    /// stands for one in all the rest; so conditions on how a text is put ("where", shapes, functions) are for none.
    pub(super) fn is_for_writes(&self, subject: &Subject<'_>, write: &Facts) -> bool {
        Condition::ALL.into_iter().all(|condition| match condition {
            Condition::Tables | Condition::Columns => true,
            Condition::Commands => self.commands.as_ref().is_none_or(|globs| {
                globs
                    .iter()
                    .any(|glob| WRITES.iter().any(|word| glob.matches(word)))
            }),
            _ => self.holds(condition, subject, write, Doubt::Matches),
        })
    }

    /// Whether one condition holds; one that the rule does not name does, except that what could not be judged
    /// is allowed only by name. Does not allocate.
    pub(super) fn holds(
        &self,
        condition: Condition,
        subject: &Subject<'_>,
        facts: &Facts,
        doubt: Doubt,
    ) -> bool {
        let sure = doubt.asks_for_certainty();
        match condition {
            Condition::Databases => is_named(self.databases.as_deref(), subject.database),
            Condition::Users => is_named(self.users.as_deref(), subject.user),
            Condition::Groups => self.groups.is_none() || is_member(self.groups.as_deref(), subject),
            Condition::NotGroups => !is_member(self.not_groups.as_deref(), subject),
            Condition::ApplicationNames => self
                .application_names
                .as_ref()
                .is_none_or(|globs| globs.iter().any(|glob| glob.matches(subject.application_name))),
            Condition::Clients => self.clients.as_ref().is_none_or(|networks| {
                let is_in = |address| networks.iter().any(|network| network.contains(address));
                subject.client.map_or(!sure, is_in)
            }),
            Condition::Schedule => self.schedule.as_ref().is_none_or(|s| s.includes(subject.at)),
            Condition::Effects => match self.effects {
                Some(effects) => effects.contains(facts.effect),
                None => facts.effect != Effect::Unknown || doubt.takes_unknown(),
            },
            Condition::Where => self.filtered.is_none_or(|filtered| filtered != facts.unfiltered),
            Condition::Limit => self.limited.is_none_or(|limited| limited != facts.unlimited),
            Condition::Shapes => self
                .shapes
                .as_ref()
                .is_none_or(|shapes| facts.shape.is_some_and(|shape| shapes.contains(&shape))),
            Condition::Commands => every_or_any(
                self.commands.as_deref(),
                &facts.commands,
                sure,
                |glob, command| glob.matches(command),
            ),
            Condition::Tables => {
                every_or_any(self.tables.as_deref(), &facts.tables, sure, |pattern, table| {
                    table_is_meant(pattern, table, sure)
                })
            }
            Condition::Columns => every_or_any(
                self.columns.as_deref(),
                &facts.columns,
                sure,
                |pattern, column| {
                    if sure {
                        pattern.surely(column)
                    } else {
                        pattern.possibly(column)
                    }
                },
            ),
            Condition::Functions => every_or_any(
                self.functions.as_deref(),
                &facts.functions,
                sure,
                |pattern, name| function_is_meant(pattern, name, sure),
            ),
        }
    }
}

fn is_named(names: Option<&[String]>, name: &str) -> bool {
    names.is_none_or(|names| names.iter().any(|listed| listed == name))
}

/// Whether the subject is in one of the groups; not where there are none.
fn is_member(groups: Option<&[String]>, subject: &Subject<'_>) -> bool {
    groups
        .unwrap_or_default()
        .iter()
        .any(|group| subject.groups.contains(group))
}

/// Whether a pattern surely, or possibly, means this table.
pub(super) fn table_is_meant(pattern: &NamePattern, table: &TableAccess, sure: bool) -> bool {
    let schema = table.schema.as_deref();
    if sure {
        pattern.surely(schema, &table.name)
    } else {
        pattern.possibly(schema, &table.name)
    }
}

/// Likewise, this function.
pub(super) fn function_is_meant(pattern: &NamePattern, name: &str, sure: bool) -> bool {
    if sure {
        surely_function(pattern, name)
    } else {
        possibly_function(pattern, name)
    }
}

/// Whether the statement's items satisfy a list condition: every one of them (and at least one
/// there) where it must be sure, else any one.
fn every_or_any<P, T>(
    patterns: Option<&[P]>,
    items: &[T],
    sure: bool,
    matches: impl Fn(&P, &T) -> bool,
) -> bool {
    let Some(patterns) = patterns else {
        return true;
    };
    let meant = |item: &T| patterns.iter().any(|pattern| matches(pattern, item));
    if sure {
        !items.is_empty() && items.iter().all(meant)
    } else {
        items.iter().any(meant)
    }
}

/// A function's name comes as one text, in which a dot may be part of a quoted name: with more
/// than one dot it is not certain where the schema ends.
fn surely_function(pattern: &NamePattern, function: &str) -> bool {
    match function.split_once('.') {
        None => pattern.surely(None, function),
        Some((_, name)) if name.contains('.') => false,
        Some((schema, name)) => pattern.surely(Some(schema), name),
    }
}

fn possibly_function(pattern: &NamePattern, function: &str) -> bool {
    pattern.possibly(None, function)
        || function
            .match_indices('.')
            .any(|(dot, _)| pattern.possibly(Some(&function[..dot]), &function[dot + 1..]))
}
