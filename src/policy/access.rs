//! `[[access]]`: who may ask for a time window in which what would be held runs freely.

use std::sync::Arc;
use std::time::Duration;

use super::{Policy, Subject};
use crate::model::{Asks, Effect};

/// A rule on what may be asked for.
#[derive(Debug, Clone)]
pub struct Access {
    pub(super) name: Arc<str>,
    pub(super) databases: Option<Vec<String>>,
    pub(super) users: Option<Vec<String>>,
    pub(super) groups: Option<Vec<String>>,
    pub(super) not_groups: Option<Vec<String>>,
    pub(super) up_to: Effect,
    pub(super) longest: Duration,
    pub(super) asks: Asks,
    /// File and line, as in `default.toml:12`.
    pub(super) place: String,
}

impl Access {
    /// Its name; unique among those of its kind.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The most severe effect that may be asked for.
    #[must_use]
    pub const fn up_to(&self) -> Effect {
        self.up_to
    }

    /// The longest window that may be asked for.
    #[must_use]
    pub const fn longest(&self) -> Duration {
        self.longest
    }

    /// Who must approve, and what else is asked for.
    #[must_use]
    pub const fn asks(&self) -> &Asks {
        &self.asks
    }

    /// Where it is written, as in `default.toml:12`.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    fn is_for(&self, subject: &Subject<'_>) -> bool {
        let names = |list: &Option<Vec<String>>, name: &str| {
            list.as_ref()
                .is_none_or(|list| list.iter().any(|item| item == name))
        };
        let is_member = |list: &[String]| list.iter().any(|group| subject.groups.contains(group));
        names(&self.databases, subject.database)
            && names(&self.users, subject.user)
            && self.groups.as_deref().is_none_or(is_member)
            && !self.not_groups.as_deref().is_some_and(is_member)
    }
}

impl Policy {
    /// The first rule under which the subject may ask for a window up to this effect; `None`: they may not.
    #[must_use]
    pub fn access_for(&self, subject: &Subject<'_>, up_to: Effect) -> Option<&Access> {
        self.access
            .iter()
            .find(|access| access.is_for(subject) && up_to <= access.up_to)
    }

    /// Every rule on what may be asked for, in their order.
    #[must_use]
    pub fn access(&self) -> &[Access] {
        &self.access
    }
}
