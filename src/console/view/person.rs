//! A user in the list of people.

use super::when::When;
use crate::model::Principal;
use crate::store::UserRecord;

/// A user, ready for the template. Names have only characters that show: the directory takes no others.
#[derive(Debug)]
pub(in crate::console) struct Person {
    pub(in crate::console) name: String,
    pub(in crate::console) groups: Vec<String>,
    pub(in crate::console) admin: bool,
    pub(in crate::console) disabled: bool,
    pub(in crate::console) added: When,
    /// Whether the viewer is looking at themselves.
    pub(in crate::console) is_viewer: bool,
}

impl Person {
    /// As `viewer` sees them.
    pub(in crate::console) fn of(user: UserRecord, viewer: &Principal) -> Self {
        Self {
            is_viewer: user.principal.name == viewer.name,
            name: user.principal.name,
            groups: user.principal.groups,
            admin: user.principal.admin,
            disabled: user.disabled,
            added: When::at(user.created_at),
        }
    }
}
