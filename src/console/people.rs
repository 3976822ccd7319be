//! Adding and changing users, for the pages and the API alike: who may, what is logged and what is answered.
//! A password goes through here once, and is neither logged nor answered.

use secrecy::{ExposeSecret as _, SecretString};

use super::ConsoleState;
use super::fault::Fault;
use crate::identity::{DirectoryError, NewUser};
use crate::model::Principal;
use crate::store::{Actor, StoreError, UserChange, UserRecord};

/// Refuses everybody but administrators.
pub(super) fn admins_only(who: &Principal) -> Result<(), Fault> {
    if who.admin {
        Ok(())
    } else {
        Err(Fault::forbidden(
            "Only an administrator sees and changes users and groups. Nothing was changed.",
        ))
    }
}

/// Adds a user in the name of `by`. Cancel-safe: dropped half way, the user was added or was not.
pub(super) async fn add(
    state: &ConsoleState,
    by: &Principal,
    user: NewUser<'_>,
    password: &SecretString,
) -> Result<UserRecord, Fault> {
    admins_only(by)?;
    let added = state
        .directory
        .add_user(Actor::Admin(&by.name), user, password.expose_secret())
        .await
        .map_err(|error| refusal(error, user.name))?;
    tracing::info!(user.name = by.name, changed.user = user.name, "a user was added");
    Ok(added)
}

/// Changes a user in the name of `by`; the user as changed. Cancel-safe likewise.
pub(super) async fn change(
    state: &ConsoleState,
    by: &Principal,
    name: &str,
    change: &UserChange,
) -> Result<UserRecord, Fault> {
    admins_only(by)?;
    let changed = state
        .directory
        .change_user(Actor::Admin(&by.name), name, change)
        .await
        .map_err(|error| refusal(error, name))?;
    tracing::info!(
        user.name = by.name,
        changed.user = name,
        ?change,
        "a user was changed"
    );
    Ok(changed)
}

/// Revokes all tokens of a user in the name of `by`; how many that were.
pub(super) async fn revoke_tokens(state: &ConsoleState, by: &Principal, name: &str) -> Result<u64, Fault> {
    admins_only(by)?;
    let revoked = state
        .directory
        .revoke_tokens(Actor::Admin(&by.name), name)
        .await
        .map_err(|error| refusal(error, name))?;
    tracing::info!(
        user.name = by.name,
        changed.user = name,
        tokens = revoked,
        "tokens were revoked"
    );
    Ok(revoked)
}

fn refusal(error: DirectoryError, name: &str) -> Fault {
    match error {
        DirectoryError::Invalid(why) => Fault::invalid(sentence(&why.to_string())),
        DirectoryError::Store(StoreError::Exists(_)) => Fault::user_exists(name),
        DirectoryError::Store(StoreError::NotFound(_)) => Fault::no_such_user(name),
        DirectoryError::Store(StoreError::NotAdmin(_)) => {
            Fault::forbidden("You are no administrator any more. Nothing was changed.")
        }
        DirectoryError::Store(StoreError::OwnAccess) => Fault::own_access(),
        DirectoryError::Store(error) => error.into(),
        DirectoryError::Disabled(_) | DirectoryError::Stopping => {
            Fault::unavailable(sentence(&error.to_string()))
        }
    }
}

/// With a capital and a full stop.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), characters.as_str()),
        None => String::new(),
    }
}
