//! Who there is, as the configuration's store has it.

use secrecy::ExposeSecret as _;

use crate::config::{Config, StoreUrl};
use crate::store::{self, UserRecord};

use super::super::{Failure, block_on};

/// Who there is, as far as that can be known.
#[derive(Debug)]
pub(super) enum People {
    /// All users; not empty.
    Known(Vec<UserRecord>),
    /// It cannot, and why.
    Unknown(&'static str),
}

/// Reads all users. A store that is not there is not made.
pub(super) fn read(config: Option<&Config>) -> Result<People, Failure> {
    let Some(config) = config else {
        return Ok(People::Unknown("there is no configuration that names a store"));
    };
    if let StoreUrl::Sqlite(path) = &config.store.url
        && !path.exists()
    {
        return Ok(People::Unknown("there is no store yet"));
    }
    let users = block_on(async {
        let store = store::open(config.store.url.to_open().expose_secret()).await?;
        let users = store.users().await?;
        store.close().await;
        Ok(users)
    })?;
    Ok(if users.is_empty() {
        People::Unknown("there are no users yet")
    } else {
        People::Known(users)
    })
}
