//! Which rules can never match because one before them takes everything that they would.
//!
//! Sound and not complete: a rule that it reports can surely never match, while one that only
//! several earlier rules together leave nothing for is not reported.

use super::condition::{Doubt, EffectSet, When};
use super::rule::Rule;
use crate::model::Effect;

/// Whether `earlier` matches every statement of every subject that `later` matches.
pub(super) fn covers(earlier: &Rule, later: &Rule) -> bool {
    let (a, b) = (&earlier.when, &later.when);
    let (doubt_a, doubt_b) = (earlier.action.doubt(), later.action.doubt());
    within(b.databases.as_deref(), a.databases.as_deref())
        && within(b.users.as_deref(), a.users.as_deref())
        && within(b.groups.as_deref(), a.groups.as_deref())
        && excludes_no_more(a.not_groups.as_deref(), b.not_groups.as_deref())
        && effects(b, doubt_b).is_subset_of(effects(a, doubt_a))
        && (a.filtered.is_none() || a.filtered == b.filtered)
        && list_within(b.commands.as_deref(), doubt_b, a.commands.as_deref(), doubt_a)
        && list_within(b.tables.as_deref(), doubt_b, a.tables.as_deref(), doubt_a)
        && list_within(b.functions.as_deref(), doubt_b, a.functions.as_deref(), doubt_a)
}

/// The effects that a rule can match at all.
fn effects(when: &When, doubt: Doubt) -> EffectSet {
    when.effects.unwrap_or_else(|| {
        Effect::ALL
            .into_iter()
            .filter(|effect| *effect != Effect::Unknown || doubt == Doubt::Matches)
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
    let comparable = wide_doubt == Doubt::Matches || narrow_doubt == Doubt::DoesNotMatch;
    within(narrow, wide) && (wide.is_none() || comparable)
}
