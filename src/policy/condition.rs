//! When a rule matches: conditions, all of which must hold.

use super::Subject;
use super::pattern::{Glob, NamePattern};
use crate::model::{Effect, Facts};

/// How a rule takes what is not certain about a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// For rules that let pass: everything in the statement must surely be meant.
    DoesNotMatch,
    /// For rules that hold or deny: one thing that could be meant is enough.
    Matches,
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
}

impl FromIterator<Effect> for EffectSet {
    fn from_iter<T: IntoIterator<Item = Effect>>(effects: T) -> Self {
        Self(effects.into_iter().fold(0, |set, effect| set | bit(effect)))
    }
}

const fn bit(effect: Effect) -> u8 {
    1 << effect as u8
}

/// The conditions of a rule; `None` restricts nothing. Lists are never empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct When {
    pub(super) databases: Option<Vec<String>>,
    pub(super) users: Option<Vec<String>>,
    pub(super) groups: Option<Vec<String>>,
    pub(super) not_groups: Option<Vec<String>>,
    pub(super) effects: Option<EffectSet>,
    /// Upper case.
    pub(super) commands: Option<Vec<Glob>>,
    pub(super) tables: Option<Vec<NamePattern>>,
    pub(super) functions: Option<Vec<NamePattern>>,
    /// Whether every UPDATE and DELETE has a WHERE.
    pub(super) filtered: Option<bool>,
}

impl When {
    /// Whether all conditions hold. Does not allocate.
    pub(super) fn matches(&self, subject: &Subject<'_>, facts: &Facts, doubt: Doubt) -> bool {
        self.matches_subject(subject)
            && self.matches_effect(facts.effect, doubt)
            && self.filtered.is_none_or(|filtered| filtered != facts.unfiltered)
            && every_or_any(
                self.commands.as_deref(),
                &facts.commands,
                doubt,
                |glob, command| glob.matches(command),
            )
            && every_or_any(self.tables.as_deref(), &facts.tables, doubt, |pattern, table| {
                let schema = table.schema.as_deref();
                match doubt {
                    Doubt::DoesNotMatch => pattern.surely(schema, &table.name),
                    Doubt::Matches => pattern.possibly(schema, &table.name),
                }
            })
            && every_or_any(
                self.functions.as_deref(),
                &facts.functions,
                doubt,
                |pattern, function| match doubt {
                    Doubt::DoesNotMatch => surely_function(pattern, function),
                    Doubt::Matches => possibly_function(pattern, function),
                },
            )
    }

    fn matches_subject(&self, subject: &Subject<'_>) -> bool {
        let is_member = |groups: &Vec<String>| groups.iter().any(|g| subject.groups.contains(g));
        self.databases
            .as_ref()
            .is_none_or(|names| names.iter().any(|name| name == subject.database))
            && self
                .users
                .as_ref()
                .is_none_or(|names| names.iter().any(|name| name == subject.user))
            && self.groups.as_ref().is_none_or(is_member)
            && !self.not_groups.as_ref().is_some_and(is_member)
    }

    /// Unknown is let pass only where the rule names it.
    fn matches_effect(&self, effect: Effect, doubt: Doubt) -> bool {
        match self.effects {
            Some(effects) => effects.contains(effect),
            None => effect != Effect::Unknown || doubt == Doubt::Matches,
        }
    }
}

/// Whether the statement's items satisfy a list condition: every one of them (and at least one
/// there) where doubt does not match, any one where it does.
fn every_or_any<P, T>(
    patterns: Option<&[P]>,
    items: &[T],
    doubt: Doubt,
    matches: impl Fn(&P, &T) -> bool,
) -> bool {
    let Some(patterns) = patterns else {
        return true;
    };
    let meant = |item: &T| patterns.iter().any(|pattern| matches(pattern, item));
    match doubt {
        Doubt::DoesNotMatch => !items.is_empty() && items.iter().all(meant),
        Doubt::Matches => items.iter().any(meant),
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
