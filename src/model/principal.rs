//! Who acts.

use serde::Serialize;

/// A user as holdpoint knows them at the moment of asking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Principal {
    /// The user's name; unique.
    pub name: String,
    /// The groups the user is a member of, sorted.
    pub groups: Vec<String>,
    /// Whether the user may see every request, and change users.
    pub admin: bool,
}

impl Principal {
    /// Whether the user is a member of `group`.
    #[must_use]
    pub fn is_member(&self, group: &str) -> bool {
        self.groups.iter().any(|g| g == group)
    }
}
