//! Which rules can match at all: so that a policy of a thousand rules, most of them about somebody else's tables, costs a
//! statement what the few that are about its own do.
//!
//! Each rule stands in one list, or in one for each name that it lists: by shape, table, user, group or database, whichever it
//! restricts first in this order; those that restrict none of them stand in a list that is always looked at. Of the lists that
//! a statement meets, the rules are tried in the order of the policy. Invariant: what is not tried cannot match; a list
//! leaves out only rules whose condition needs a name that the statement, or who sends it, does not have.

use hashbrown::HashMap;

use super::{Rule, Subject};
use crate::model::{Facts, Shape};

/// Policies with fewer rules are walked: that is as fast.
const FEW: usize = 16;
/// A statement that meets more lists has all rules tried.
const LISTS: usize = 24;

/// Places of rules in the policy, ascending.
type Places = Vec<u32>;

/// What is known of the rules beforehand.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    /// Whether some rule is about the time.
    pub(super) asks_time: bool,
    /// Whether some rule is about what a client calls itself.
    pub(super) asks_application: bool,
    /// `None`: all rules are tried.
    lists: Option<Box<Lists>>,
}

#[derive(Debug, Clone, Default)]
struct Lists {
    always: Places,
    by_shape: HashMap<Shape, Places>,
    by_table: HashMap<Box<str>, Places>,
    by_user: HashMap<Box<str>, Places>,
    by_group: HashMap<Box<str>, Places>,
    by_database: HashMap<Box<str>, Places>,
}

impl Index {
    /// Of these rules, in this order.
    pub(super) fn of(rules: &[Rule]) -> Self {
        Self {
            lists: (rules.len() >= FEW).then(|| Box::new(Lists::of(rules))),
            ..Self::of_few(rules)
        }
    }

    fn of_few(rules: &[Rule]) -> Self {
        Self {
            asks_time: rules.iter().any(|rule| rule.when.schedule.is_some()),
            asks_application: rules.iter().any(|rule| rule.when.application_names.is_some()),
            lists: None,
        }
    }

    /// The first of `rules`, those of [`Self::of`], that matches. Does not allocate.
    pub(super) fn find<'r>(
        &self,
        rules: &'r [Rule],
        subject: &Subject<'_>,
        facts: &Facts,
    ) -> Option<&'r Rule> {
        let met = self
            .lists
            .as_deref()
            .and_then(|lists| lists.met_by(subject, facts));
        let Some(mut met) = met else {
            return rules.iter().find(|rule| rule.matches(subject, facts));
        };
        while let Some(place) = met.next() {
            let rule = rules.get(usize::try_from(place).ok()?)?;
            if rule.matches(subject, facts) {
                return Some(rule);
            }
        }
        None
    }
}

impl Lists {
    fn of(rules: &[Rule]) -> Self {
        let mut lists = Self::default();
        for (place, rule) in (0_u32..).zip(rules) {
            lists.add(place, rule);
        }
        lists
    }

    fn add(&mut self, place: u32, rule: &Rule) {
        let when = &rule.when;
        let tables = when.tables.as_ref().and_then(|patterns| {
            let names = patterns.iter().map(super::pattern::NamePattern::literal_name);
            names.collect::<Option<Vec<_>>>()
        });
        if let Some(shapes) = &when.shapes {
            for shape in shapes {
                push(self.by_shape.entry(*shape).or_default(), place);
            }
        } else if let Some(tables) = tables {
            post(&mut self.by_table, tables.into_iter(), place);
        } else if let Some(users) = &when.users {
            post(&mut self.by_user, users.iter().map(String::as_str), place);
        } else if let Some(groups) = &when.groups {
            post(&mut self.by_group, groups.iter().map(String::as_str), place);
        } else if let Some(databases) = &when.databases {
            post(&mut self.by_database, databases.iter().map(String::as_str), place);
        } else {
            self.always.push(place);
        }
    }

    /// The lists with rules that can match; `None`: too many.
    fn met_by(&self, subject: &Subject<'_>, facts: &Facts) -> Option<Met<'_>> {
        let mut met = Met::default();
        met.add(Some(&self.always))?;
        met.add(self.by_user.get(subject.user))?;
        met.add(self.by_database.get(subject.database))?;
        for group in subject.groups {
            met.add(self.by_group.get(group.as_str()))?;
        }
        for table in &facts.tables {
            met.add(self.by_table.get(table.name.as_str()))?;
        }
        if let Some(shape) = &facts.shape {
            met.add(self.by_shape.get(shape))?;
        }
        Some(met)
    }
}

fn post<'n>(lists: &mut HashMap<Box<str>, Places>, names: impl Iterator<Item = &'n str>, place: u32) {
    for name in names {
        push(lists.entry(name.into()).or_default(), place);
    }
}

/// A rule may name the same twice.
fn push(places: &mut Places, place: u32) {
    if places.last() != Some(&place) {
        places.push(place);
    }
}

/// Several lists, as one.
#[derive(Debug, Default)]
struct Met<'l> {
    lists: [&'l [u32]; LISTS],
    count: usize,
}

impl<'l> Met<'l> {
    fn add(&mut self, list: Option<&'l Places>) -> Option<()> {
        if let Some(list) = list.filter(|list| !list.is_empty()) {
            *self.lists.get_mut(self.count)? = list;
            self.count += 1;
        }
        Some(())
    }

    /// The next place; each once.
    fn next(&mut self) -> Option<u32> {
        let lists = self.lists.get_mut(..self.count)?;
        let next = *lists.iter().filter_map(|list| list.first()).min()?;
        for list in lists {
            if list.first() == Some(&next) {
                *list = &list[1..];
            }
        }
        Some(next)
    }
}

#[cfg(test)]
impl Index {
    /// As [`Self::of`], of however few rules.
    pub(super) fn of_all(rules: &[Rule]) -> Self {
        Self {
            lists: Some(Box::new(Lists::of(rules))),
            ..Self::of_few(rules)
        }
    }
}
