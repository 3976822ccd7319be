//! Which rules can never match because one before them takes everything that they would.
//! Schedules are compared as they are: none is taken apart.
//!
//! Sound and not complete: a rule that it reports can surely never match, while one that only
//! several earlier rules together leave nothing for is not reported.

use super::condition::{Doubt, EffectSet, When};
use super::network::Network;
use super::rule::{Action, Rule};
use crate::model::Effect;

/// Whether `earlier` matches every statement of every subject that `later` matches, and leaves it nothing to say:
/// what is observed is decided on by the rules below, too, though not observed again.
pub(super) fn covers(earlier: &Rule, later: &Rule) -> bool {
    let (a, b) = (&earlier.when, &later.when);
    let (doubt_a, doubt_b) = (earlier.action.doubt(), later.action.doubt());
    let goes_on = earlier.action == Action::Observe && later.action != Action::Observe;
    !goes_on
        && subjects_within(b, doubt_b, a, doubt_a)
        && effects(b, doubt_b).is_subset_of(effects(a, doubt_a))
        && (a.filtered.is_none() || a.filtered == b.filtered)
        && (a.limited.is_none() || a.limited == b.limited)
        && within(b.shapes.as_deref(), a.shapes.as_deref())
        && list_within(b.commands.as_deref(), doubt_b, a.commands.as_deref(), doubt_a)
        && list_within(b.tables.as_deref(), doubt_b, a.tables.as_deref(), doubt_a)
        && list_within(b.columns.as_deref(), doubt_b, a.columns.as_deref(), doubt_a)
        && list_within(b.functions.as_deref(), doubt_b, a.functions.as_deref(), doubt_a)
}

/// Whether every subject that `b` is for `a` is for, too.
fn subjects_within(b: &When, doubt_b: Doubt, a: &When, doubt_a: Doubt) -> bool {
    within(b.databases.as_deref(), a.databases.as_deref())
        && within(b.users.as_deref(), a.users.as_deref())
        && within(b.groups.as_deref(), a.groups.as_deref())
        && excludes_no_more(a.not_groups.as_deref(), b.not_groups.as_deref())
        && within(b.application_names.as_deref(), a.application_names.as_deref())
        && networks_within(b.clients.as_deref(), doubt_b, a.clients.as_deref(), doubt_a)
        && (a.schedule.is_none() || a.schedule == b.schedule)
}

/// The effects that a rule can match at all.
fn effects(when: &When, doubt: Doubt) -> EffectSet {
    when.effects.unwrap_or_else(|| {
        Effect::ALL
            .into_iter()
            .filter(|effect| *effect != Effect::Unknown || doubt.takes_unknown())
            .collect()
    })
}

/// Whether what the narrow list admits the wide one admits, too.
fn within<T: PartialEq>(narrow: Option<&[T]>, wide: Option<&[T]>) -> bool {
    match (narrow, wide) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(narrow), Some(wide)) => narrow.iter().all(|item| wide.contains(item)),
    }
}

/// Whether whoever passes `b`'s exclusion passes `a`'s, too.
fn excludes_no_more(a: Option<&[String]>, b: Option<&[String]>) -> bool {
    let a = a.unwrap_or_default();
    let b = b.unwrap_or_default();
    a.iter().all(|group| b.contains(group))
}

/// As [`within`], for lists that read doubt differently: that one item could be meant does not
/// make it sure that all are.
fn list_within<P: PartialEq>(
    narrow: Option<&[P]>,
    narrow_doubt: Doubt,
    wide: Option<&[P]>,
    wide_doubt: Doubt,
) -> bool {
    within(narrow, wide) && (wide.is_none() || is_no_surer(wide_doubt, narrow_doubt))
}

/// Whether who reads doubt as `wide` takes all that who reads it as `narrow` does.
const fn is_no_surer(wide: Doubt, narrow: Doubt) -> bool {
    !wide.asks_for_certainty() || narrow.asks_for_certainty()
}

/// As [`list_within`], for networks: one can be a part of another.
fn networks_within(
    narrow: Option<&[Network]>,
    narrow_doubt: Doubt,
    wide: Option<&[Network]>,
    wide_doubt: Doubt,
) -> bool {
    match (narrow, wide) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(narrow), Some(wide)) => {
            is_no_surer(wide_doubt, narrow_doubt)
                && narrow
                    .iter()
                    .all(|inner| wide.iter().any(|outer| inner.is_within(outer)))
        }
    }
}
