//! Users as the rest of holdpoint sees them: credentials for the proxy, sign-in for the console,
//! tokens for the API. Their administration is in `people`.

mod known;
#[cfg(test)]
mod known_tests;
mod people;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Semaphore;

pub use known::KNOWN_FOR;
pub use people::{Group, Member, NewUser};

use super::names::{self, InvalidInput, MAX_PASSWORD};
use super::{Token, Verifier};
use crate::model::{Clock, Principal};
use crate::store::{Store, StoreError, UserRecord, WebSession};
use known::Known;

/// How long a browser stays signed in.
const SESSION_LIFE: SignedDuration = SignedDuration::from_hours(12);
/// Password hashes computed at a time, so that a flood of attempts leaves the machine its other cores.
const HASHES_AT_ONCE: usize = 2;

/// What the proxy needs to authenticate somebody.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The verifier for the exchange; one that no password matches where there is no such user.
    pub verifier: Arc<Verifier>,
    /// The user. `None`: nobody gets in, however the exchange ends.
    pub principal: Option<Arc<Principal>>,
}

/// What holdpoint knows of somebody who proved elsewhere who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// A user of that name.
    User(Principal),
    /// No user of that name: a member of no group.
    Stranger(Principal),
    /// A user of that name who is kept out.
    Disabled,
}

/// What a browser that has just signed in is given.
#[derive(Clone)]
pub struct NewWebSession {
    /// The secret of its cookie.
    pub cookie: String,
    /// The token that each of its forms carries.
    pub csrf: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Why a user could not be added or changed.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// A name or a password is not fit.
    #[error(transparent)]
    Invalid(#[from] InvalidInput),
    /// A disabled user is given nothing.
    #[error("user \"{0}\" is disabled: enable the user first")]
    Disabled(String),
    /// The process is going down.
    #[error("holdpoint is stopping")]
    Stopping,
    /// The store did not take it; also: there is such a user already, or there is none.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The users, on top of the store.
pub struct Directory {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// From which the mock verifiers of unknown users are derived.
    server_secret: [u8; 32],
    hashing: Arc<Semaphore>,
    known: Known,
}

impl Directory {
    /// A directory of the store's users. `server_secret` is the store's
    /// ([`crate::store::UserStore::secret`]), the same over restarts.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, server_secret: [u8; 32]) -> Self {
        Self {
            store,
            clock,
            server_secret,
            hashing: Arc::new(Semaphore::new(HASHES_AT_ONCE)),
            known: Known::default(),
        }
    }

    /// What to authenticate `user` against at the proxy: as it is, or as another process has left it [`KNOWN_FOR`] ago.
    pub async fn credentials(&self, user: &str) -> Result<Credentials, StoreError> {
        self.credentials_at(user, Instant::now()).await
    }

    async fn credentials_at(&self, user: &str, now: Instant) -> Result<Credentials, StoreError> {
        let unknown = match self.known.get(user, now) {
            Ok(credentials) => return Ok(credentials),
            Err(unknown) => unknown,
        };
        let credentials = self.read_credentials(user).await?;
        self.known.keep(user, &unknown, &credentials);
        Ok(credentials)
    }

    /// What to authenticate `user` against, as it is.
    async fn read_credentials(&self, user: &str) -> Result<Credentials, StoreError> {
        // Also where it is not needed: how long it takes is not to tell whether there is such a user.
        let mock = Verifier::mock(user, &self.server_secret);
        match self.store.user(user).await? {
            Some(record) if !record.disabled => Ok(Credentials {
                verifier: Arc::new(verifier_of(&record)?),
                principal: Some(Arc::new(record.principal)),
            }),
            _ => Ok(Credentials {
                verifier: Arc::new(mock),
                principal: None,
            }),
        }
    }

    /// What holdpoint knows of a role that the database server has let in.
    pub async fn standing(&self, role: &str) -> Result<Standing, StoreError> {
        Ok(match self.store.user(role).await? {
            Some(record) if record.disabled => Standing::Disabled,
            Some(record) => Standing::User(record.principal),
            None => Standing::Stranger(Principal {
                name: role.to_owned(),
                groups: Vec::new(),
                admin: false,
            }),
        })
    }

    /// Checks a password and begins a browser's session; `None` where the user or the password is wrong.
    /// The caller limits attempts ([`super::SignInThrottle`]).
    pub async fn sign_in(
        &self,
        user: &str,
        password: &str,
    ) -> Result<Option<(Principal, NewWebSession)>, StoreError> {
        if password.len() > MAX_PASSWORD {
            return Ok(None);
        }
        let Credentials { verifier, principal } = self.read_credentials(user).await?;
        let checked = verifier.clone();
        let password = password.to_owned();
        let is_right = self.hash(move || checked.matches(&password)).await;
        let (Some(true), Some(principal)) = (is_right, principal) else {
            return Ok(None);
        };
        let principal = Arc::unwrap_or_clone(principal);
        let session = match self.begin_session(&principal.name).await {
            // Disabled or removed since.
            Err(StoreError::NotFound(_)) => return Ok(None),
            other => other?,
        };
        // A password that was changed since has ended the sessions before this one began.
        if self.read_credentials(user).await?.verifier != verifier {
            self.sign_out(&session.cookie).await?;
            return Ok(None);
        }
        Ok(Some((principal, session)))
    }

    /// The session behind a browser's cookie, and whose it is.
    pub async fn by_cookie(&self, cookie: &str) -> Result<Option<(WebSession, Principal)>, StoreError> {
        let Some(token) = Token::parse(cookie) else {
            return Ok(None);
        };
        let found = self.store.web_session(token.hash(), self.clock.now()).await?;
        Ok(found.map(|(session, record)| (session, record.principal)))
    }

    /// Ends the session behind a browser's cookie, if there is one.
    pub async fn sign_out(&self, cookie: &str) -> Result<(), StoreError> {
        match Token::parse(cookie) {
            Some(token) => self.store.remove_web_session(token.hash()).await,
            None => Ok(()),
        }
    }

    /// Whose API token this is.
    pub async fn by_token(&self, bearer: &str) -> Result<Option<Principal>, StoreError> {
        let Some(token) = Token::parse(bearer) else {
            return Ok(None);
        };
        let found = self.store.user_by_token(token.hash()).await?;
        Ok(found.map(|record| record.principal))
    }

    /// Sets another password, and ends the user's browser sessions.
    pub async fn set_password(&self, user: &str, password: &str) -> Result<(), DirectoryError> {
        let verifier = self.make_verifier(password).await?;
        let change = self.store.set_verifier(user, &verifier);
        Ok(self.known.change(change).await?)
    }

    /// Makes an API token for a user; it can be shown this once only.
    pub async fn issue_token(&self, user: &str) -> Result<String, DirectoryError> {
        let record = self.store.user(user).await?;
        if record.is_some_and(|record| record.disabled) {
            return Err(DirectoryError::Disabled(user.to_owned()));
        }
        let token = Token::random();
        self.store.add_token(user, token.hash(), self.clock.now()).await?;
        Ok(token.into_text())
    }

    /// The names of those who are kept out.
    pub async fn disabled(&self) -> Result<HashSet<String>, StoreError> {
        let users = self.store.users().await?;
        let disabled = users.into_iter().filter(|record| record.disabled);
        Ok(disabled.map(|record| record.principal.name).collect())
    }

    /// The names of those who were disabled behind the event numbered `seen`, also where they are enabled again; and the number
    /// of the latest event. Who logs in from then on does so by what is in the store, and not by what was known before.
    pub async fn disabled_since(&self, seen: i64) -> Result<(Vec<String>, i64), StoreError> {
        let (names, latest) = self.store.disabled_since(seen).await?;
        if !names.is_empty() {
            self.known.forget();
        }
        Ok((names, latest))
    }

    async fn begin_session(&self, user: &str) -> Result<NewWebSession, StoreError> {
        let cookie = Token::random();
        let now = self.clock.now();
        let session = WebSession {
            token_hash: cookie.hash(),
            user: user.to_owned(),
            csrf: Token::random().into_text(),
            expires_at: now.checked_add(SESSION_LIFE).unwrap_or(Timestamp::MAX),
        };
        self.store.add_web_session(&session, now).await?;
        Ok(NewWebSession {
            cookie: cookie.into_text(),
            csrf: session.csrf,
            expires_at: session.expires_at,
        })
    }

    async fn make_verifier(&self, password: &str) -> Result<String, DirectoryError> {
        names::check_password(password)?;
        let password = password.to_owned();
        match self.hash(move || Verifier::of_password(&password)).await {
            Some(Ok(verifier)) => Ok(verifier.to_string()),
            Some(Err(error)) => Err(StoreError::Inconsistent(error.to_string()).into()),
            None => Err(DirectoryError::Stopping),
        }
    }

    /// Computes off the runtime's own threads; `None` where the runtime is going down.
    async fn hash<T: Send + 'static>(&self, compute: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let permit = self.hashing.clone().acquire_owned().await.ok()?;
        tokio::task::spawn_blocking(move || {
            // Held to the end of the computing, also when the caller has gone.
            let _permit = permit;
            compute()
        })
        .await
        .ok()
    }
}

fn verifier_of(record: &UserRecord) -> Result<Verifier, StoreError> {
    record
        .scram_verifier
        .parse()
        .map_err(|error| StoreError::Inconsistent(format!("user \"{}\": {error}", record.principal.name)))
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").finish_non_exhaustive()
    }
}

impl fmt::Debug for NewWebSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewWebSession")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}
