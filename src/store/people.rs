//! What is changed of users, by whom, and which of them are listed.

use super::UserRecord;

/// Who changes a user. Recorded with the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor<'a> {
    /// The command line: whoever may open the store's file may do everything.
    CommandLine,
    /// Somebody through the API or the console, by name. A store takes the change only while this is an
    /// administrator who is not disabled, and who still is one afterwards: so one is always left.
    Admin(&'a str),
}

impl<'a> Actor<'a> {
    /// The name that is recorded; the command line has none.
    #[must_use]
    pub fn name(self) -> Option<&'a str> {
        match self {
            Self::CommandLine => None,
            Self::Admin(name) => Some(name),
        }
    }
}

/// What is to change of a user. The default changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserChange {
    /// The groups to be a member of, in place of all before; in any order.
    pub groups: Option<Vec<String>>,
    /// Groups to be a member of, too.
    pub join: Vec<String>,
    /// Groups to be a member of no longer; counts after `join`.
    pub leave: Vec<String>,
    /// Whether the user is an administrator.
    pub admin: Option<bool>,
    /// Whether the user is kept out.
    pub disabled: Option<bool>,
}

impl UserChange {
    /// Makes somebody an administrator, or no longer.
    #[must_use]
    pub fn admin(admin: bool) -> Self {
        Self {
            admin: Some(admin),
            ..Self::default()
        }
    }

    /// Disables or enables somebody.
    #[must_use]
    pub fn disabled(disabled: bool) -> Self {
        Self {
            disabled: Some(disabled),
            ..Self::default()
        }
    }

    /// The user as changed; groups are sorted, and named once.
    #[must_use]
    pub fn applied_to(&self, before: &UserRecord) -> UserRecord {
        let mut after = before.clone();
        let groups = &mut after.principal.groups;
        if let Some(all) = &self.groups {
            groups.clone_from(all);
        }
        groups.extend(self.join.iter().cloned());
        groups.retain(|group| !self.leave.contains(group));
        groups.sort();
        groups.dedup();
        if let Some(admin) = self.admin {
            after.principal.admin = admin;
        }
        if let Some(disabled) = self.disabled {
            after.disabled = disabled;
        }
        after
    }
}

/// Which users to list, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserFilter {
    /// Only members of this group.
    pub group: Option<String>,
    /// Only those who are disabled, or only those who are not.
    pub disabled: Option<bool>,
    /// Only those behind this name (which nobody needs to have), for paging.
    pub after: Option<String>,
    /// At most this many; the caller bounds it.
    pub limit: u32,
}
