//! The administration of users and groups. Each change names who makes it; the store records it with the change,
//! and takes it only from an administrator or the command line.

use std::collections::BTreeMap;

use super::{Directory, DirectoryError};
use crate::identity::names;
use crate::model::Principal;
use crate::store::{Actor, StoreError, UserChange, UserFilter, UserRecord};

/// A user who is about to be added.
#[derive(Debug, Clone, Copy)]
pub struct NewUser<'a> {
    /// The name to sign in with.
    pub name: &'a str,
    /// The groups to be a member of, in any order.
    pub groups: &'a [String],
    /// Whether the user is an administrator.
    pub admin: bool,
}

/// A group: whoever is in it. One without members is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its members by name, disabled ones too.
    pub members: Vec<Member>,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The user's name.
    pub name: String,
    /// Whether the user is kept out, and so decides on nothing.
    pub disabled: bool,
}

impl Directory {
    /// Adds a user; the user as added.
    ///
    /// # Errors
    /// A name or the password is not fit, the name is taken, or the actor may not.
    pub async fn add_user(
        &self,
        actor: Actor<'_>,
        user: NewUser<'_>,
        password: &str,
    ) -> Result<UserRecord, DirectoryError> {
        names::check_user(user.name)?;
        check_groups(user.groups)?;
        let mut groups = user.groups.to_vec();
        groups.sort();
        groups.dedup();
        let record = UserRecord {
            principal: Principal {
                name: user.name.to_owned(),
                groups,
                admin: user.admin,
            },
            scram_verifier: self.make_verifier(password).await?,
            disabled: false,
            created_at: self.clock.now(),
        };
        self.known.change(self.store.add_user(&record, actor)).await?;
        Ok(record)
    }

    /// Changes a user's groups, the right of an administrator, or whether the user is disabled; the user as
    /// changed. Counts from the next request to the console and the API, and the next session of the proxy.
    ///
    /// # Errors
    /// The name of a group is not fit, there is no such user, the actor may not, or would lock themselves out.
    pub async fn change_user(
        &self,
        actor: Actor<'_>,
        user: &str,
        change: &UserChange,
    ) -> Result<UserRecord, DirectoryError> {
        check_groups(change.groups.as_deref().unwrap_or_default())?;
        // Not those to leave: whatever is there can be taken away.
        check_groups(&change.join)?;
        let change = self.store.change_user(user, change, actor);
        Ok(self.known.change(change).await?)
    }

    /// Revokes all API tokens of a user; how many that were.
    ///
    /// # Errors
    /// There is no such user, or the actor may not.
    pub async fn revoke_tokens(&self, actor: Actor<'_>, user: &str) -> Result<u64, DirectoryError> {
        Ok(self.store.revoke_tokens(user, actor).await?)
    }

    /// All users by name, disabled ones too.
    pub async fn users(&self) -> Result<Vec<UserRecord>, StoreError> {
        self.store.users().await
    }

    /// Users by filter, by name.
    pub async fn users_by(&self, filter: &UserFilter) -> Result<Vec<UserRecord>, StoreError> {
        self.store.users_by(filter).await
    }

    /// The user of that name, if there is one; disabled ones too.
    pub async fn user(&self, name: &str) -> Result<Option<UserRecord>, StoreError> {
        self.store.user(name).await
    }

    /// All groups by name, with their members.
    pub async fn groups(&self) -> Result<Vec<Group>, StoreError> {
        let mut groups: BTreeMap<String, Vec<Member>> = BTreeMap::new();
        for user in self.store.users().await? {
            for group in user.principal.groups {
                groups.entry(group).or_default().push(Member {
                    name: user.principal.name.clone(),
                    disabled: user.disabled,
                });
            }
        }
        let groups = groups.into_iter();
        Ok(groups.map(|(name, members)| Group { name, members }).collect())
    }
}

fn check_groups(groups: &[String]) -> Result<(), DirectoryError> {
    for group in groups {
        names::check_group(group)?;
    }
    Ok(())
}
