//! Where requests, users, sessions and observations are kept: the traits, what is the same in SQL (`sql`), and one folder per
//! database.
//!
//! Imports `model`. sqlx stays inside these folders. Invariants:
//! - the store's row is the truth; every transition names the state that it expects and
//!   changes exactly one row or none;
//! - a method that returned `Ok` has made its change durable;
//! - all methods are cancel-safe in this sense: dropped half way, a change happened whole or not at all.

mod fellows;
mod people;
pub mod postgres;
mod sql;
pub mod sqlite;

#[cfg(test)]
pub(crate) mod contract;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

pub use fellows::{Beat, Hint, Hints, ProposalId, SharedStore};
pub use people::{Actor, UserChange, UserFilter};

use crate::model::{
    Basis, Edit, Effect, Grant, GrantKind, GrantState, HeldRequest, NewGrant, NewRequest, Outcome, Principal,
    RequestId, Review, Shape, Sightings, StateKind,
};

/// A boxed future, so that stores can be trait objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What can go wrong in a store. Nothing was changed, unless it is said.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database could not be reached or did not take the change.
    #[error("the store cannot be {doing}: {source}")]
    Unavailable {
        /// "read", "written", "opened", "migrated".
        doing: &'static str,
        /// What the database said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The answer to a commit was lost, or it failed: nobody knows whether the change was made.
    #[error("the store cannot be written, and whether it was is not known: {0}")]
    InDoubt(Box<dyn std::error::Error + Send + Sync>),
    /// A row does not read back as what was written.
    #[error("the store is inconsistent: {0}")]
    Inconsistent(String),
    /// A name that must be unique is taken.
    #[error("{0} exists already")]
    Exists(String),
    /// What was named does not exist.
    #[error("there is no {0}")]
    NotFound(String),
    /// Only administrators change users, and this is none (any more).
    #[error("user \"{0}\" is no administrator, or is disabled")]
    NotAdmin(String),
    /// Somebody would lock themselves out.
    #[error(
        "nobody takes the right of an administrator from themselves, or disables themselves: \
         another administrator does it, or the command line"
    )]
    OwnAccess,
}

/// What became of a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// It was recorded; the request as it stands now (Approved, Rejected, or still Pending
    /// where the quorum wants more people).
    Recorded(HeldRequest),
    /// It was recorded, and the request is Running, since whoever waits for it starts at once. As the verdict has left it:
    /// Approved.
    Started(HeldRequest),
    /// The request was settled before (or has expired by `now`): nothing changed.
    AlreadySettled(StateKind),
    /// Somebody has changed the statement since this person looked at it: nothing was recorded.
    Changed,
    /// This reviewer has approved it already, and it waits for others: nothing changed.
    /// (Who approved may still reject while it is Pending; that is recorded.)
    AlreadyReviewed,
    /// The reviewer is disabled, not there, or in none of the review's groups (any more): nothing changed.
    NotEntitled {
        /// The groups that the request names.
        groups: Vec<String>,
    },
}

/// What became of what somebody says afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FollowedUp {
    /// It was recorded.
    Recorded,
    /// The request is none that ran because the glass was broken, or somebody has said it already: nothing changed.
    NotWaitedFor,
    /// As [`Decided::NotEntitled`].
    NotEntitled,
}

/// Which requests to list. Newest first.
#[derive(Debug, Clone, Default)]
pub struct RequestFilter {
    /// Only those in one of these states; empty: every state.
    pub states: Vec<StateKind>,
    /// Only those that ran because the glass was broken, and that nobody has looked at since.
    pub to_review: bool,
    /// Only those that this user asked.
    pub user: Option<String>,
    /// Only those on this database.
    pub database: Option<String>,
    /// Only those with one of these effects; empty: every effect.
    pub effects: Vec<Effect>,
    /// Only those of this shape.
    pub shape: Option<Shape>,
    /// Only those asked at this time or later.
    pub since: Option<Timestamp>,
    /// Only those asked before this time.
    pub until: Option<Timestamp>,
    /// Only those that this person may see: asked by them, or naming one of their groups
    /// (an admin sees all). `None`: no restriction.
    pub visible_to: Option<Principal>,
    /// Only requests older than this one (exclusive), for paging.
    pub before: Option<RequestId>,
    /// At most this many; the caller bounds it.
    pub limit: u32,
}

/// Why a statement that policy holds may run all the same.
#[derive(Debug, Clone, Copy)]
pub struct Grounds<'a> {
    /// It need not wait; grants are not looked for.
    pub bypass: Option<&'a Basis>,
    /// The requester's groups: grants may be held by them.
    pub groups: &'a [String],
    /// Whether the rows that it changes are counted before they stay changed: else no grant with a limit of rows covers
    /// it.
    pub counts_rows: bool,
}

/// How it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placed {
    /// It waits for people.
    Pending,
    /// It waits for people, since its rows are not counted: else it would run on these grounds.
    Uncounted(Basis),
    /// It is about to run, on these grounds.
    Running(Basis),
}

/// Why everything that is not final is abandoned.
#[derive(Debug, Clone, Copy)]
pub struct Abandoned<'a> {
    /// Of what did certainly not run.
    pub before: &'a str,
    /// Of what was running: nobody knows how far.
    pub running: &'a str,
}

/// Held and denied requests.
pub trait RequestStore: Send + Sync + 'static {
    /// Records a request that waits for people.
    fn insert_pending<'a>(&'a self, request: &'a NewRequest) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Records a request that policy denied; final at once.
    fn insert_denied<'a>(
        &'a self,
        request: &'a NewRequest,
        reason: &'a str,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Records what policy holds, in one transaction: as about to run, where there are grounds for that (a bypass, or
    /// a grant that covers it and counts the use), else as one that waits for people.
    fn place<'a>(
        &'a self,
        request: &'a NewRequest,
        grounds: Grounds<'a>,
    ) -> BoxFuture<'a, Result<Placed, StoreError>>;

    /// Records what somebody says afterwards of a request that ran because the glass was broken. The review's groups are looked
    /// at as by [`Self::decide_seen`].
    fn follow_up<'a>(
        &'a self,
        id: RequestId,
        review: &'a Review,
    ) -> BoxFuture<'a, Result<FollowedUp, StoreError>>;

    /// The request, if there is one.
    fn request(&self, id: RequestId) -> BoxFuture<'_, Result<Option<HeldRequest>, StoreError>>;

    /// The request as it is once everything is committed that was about to be, by whomever: a commit in doubt has been made by
    /// then, or never is.
    fn request_in_turn(&self, id: RequestId) -> BoxFuture<'_, Result<Option<HeldRequest>, StoreError>>;

    /// Requests by filter, newest first.
    fn requests(&self, filter: RequestFilter) -> BoxFuture<'_, Result<Vec<HeldRequest>, StoreError>>;

    /// Records a verdict on a Pending request in one transaction: the review, and the transition
    /// that it brings (a rejection settles; an approval settles once `Quorum::is_met`).
    /// It is recorded for those of the review's groups that the reviewer is in at that moment, and earlier approvals count for
    /// those that theirs are in.
    /// A request whose `expires_at` is not after `now` is not decided any more.
    /// `seen` is how often the statement had been changed when the person looked at it: an approval of what has been
    /// changed since is not taken.
    /// `starts`: whoever waits for it starts at once. Where this is the last approval that was needed, it is Running then
    /// ([`Decided::Started`]): the durable intent of [`Self::start`] costs no commit of its own.
    /// `NotFound` where there is no such request. The caller has checked all else of who may decide.
    fn decide_seen(
        &self,
        id: RequestId,
        review: Review,
        seen: usize,
        starts: bool,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Decided, StoreError>>;

    /// As [`Self::decide_seen`], for a statement as it was asked.
    fn decide(
        &self,
        id: RequestId,
        review: Review,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Decided, StoreError>> {
        self.decide_seen(id, review, 0, false, now)
    }

    /// Records what an approver has made of the statement of a Pending request, with `review`, their approval of it so;
    /// earlier approvals count no more. `seen` and `starts` as above.
    fn edit(
        &self,
        id: RequestId,
        edit: Edit,
        review: Review,
        seen: usize,
        starts: bool,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Decided, StoreError>>;

    /// Pending → Expired. `false`: it was not Pending (any more).
    fn expire(&self, id: RequestId, now: Timestamp) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// Expires every Pending request whose time is over; the ids of those it changed.
    fn expire_due(&self, now: Timestamp) -> BoxFuture<'_, Result<Vec<RequestId>, StoreError>>;

    /// Pending or Approved → Withdrawn. `false`: it was in neither state.
    fn withdraw<'a>(
        &'a self,
        id: RequestId,
        why: &'a str,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<bool, StoreError>>;

    /// Pending, Approved or Running → Abandoned. `false`: it was in none of these.
    fn abandon<'a>(
        &'a self,
        id: RequestId,
        why: &'a str,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<bool, StoreError>>;

    /// Abandons everything not final: what a crash left behind. The ids it changed.
    fn abandon_all<'a>(
        &'a self,
        why: Abandoned<'a>,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<RequestId>, StoreError>>;

    /// Approved → Running: the durable intent, before the statement is forwarded.
    /// `false`: it was not Approved, and must not be forwarded.
    fn start(&self, id: RequestId, now: Timestamp) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// Running → Executed (no `sqlstate` and no `error` in the outcome) or Failed.
    fn finish(
        &self,
        id: RequestId,
        outcome: Outcome,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// Writes and reads something, to learn whether the store works.
    fn check(&self) -> BoxFuture<'_, Result<(), StoreError>>;
}

/// What became of a verdict on a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantDecided {
    /// It was recorded; the grant as it stands now.
    Recorded(Box<Grant>),
    /// It was settled before (or has expired by now): nothing changed.
    AlreadySettled(GrantState),
    /// This reviewer has approved it already: nothing changed.
    AlreadyReviewed,
    /// As [`Decided::NotEntitled`].
    NotEntitled,
}

/// How a person ends a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantEnd {
    /// Pending → Withdrawn.
    Withdrawn,
    /// Active → Revoked.
    Revoked,
}

/// Which grants to list. Newest first.
#[derive(Debug, Clone, Default)]
pub struct GrantFilter {
    /// Only those of this kind.
    pub kind: Option<GrantKind>,
    /// Only those in one of these states; empty: every state.
    pub states: Vec<GrantState>,
    /// Only those that this person may see: who asked, who holds them, who may approve, an admin.
    pub visible_to: Option<Principal>,
    /// Only grants older than this one (exclusive), for paging; nothing where there is none.
    pub before: Option<RequestId>,
    /// At most this many; the caller bounds it.
    pub limit: u32,
}

/// What may run without being held.
pub trait GrantStore: Send + Sync + 'static {
    /// Records what is asked for, and a first verdict with it; it counts at once where that is enough. `None`: whose verdict it
    /// is stands for none of its groups (any more), and nothing was recorded.
    fn insert_grant<'a>(
        &'a self,
        asked: &'a NewGrant,
        first: Option<&'a Review>,
    ) -> BoxFuture<'a, Result<Option<Grant>, StoreError>>;

    /// The grant, if there is one.
    fn grant(&self, id: RequestId) -> BoxFuture<'_, Result<Option<Grant>, StoreError>>;

    /// Grants by filter, newest first.
    fn grants<'a>(&'a self, filter: &'a GrantFilter) -> BoxFuture<'a, Result<Vec<Grant>, StoreError>>;

    /// Records a verdict on a Pending grant, and what it brings; with `length` it is made shorter (never longer). Groups count as
    /// for [`RequestStore::decide_seen`].
    /// `NotFound` where there is no such grant. The caller has checked all else of who may decide.
    fn review_grant<'a>(
        &'a self,
        id: RequestId,
        review: &'a Review,
        length: Option<Duration>,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<GrantDecided, StoreError>>;

    /// Ends a grant, with who and why. `false`: it was not in the state that this takes.
    fn end_grant<'a>(
        &'a self,
        id: RequestId,
        end: GrantEnd,
        by: &'a str,
        why: &'a str,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<bool, StoreError>>;

    /// Expires what nobody has decided on in time, and ends what has had its time; the ids of those it changed.
    /// (What has had its time covers nothing before that, either.)
    fn sweep_grants(&self, now: Timestamp) -> BoxFuture<'_, Result<Vec<RequestId>, StoreError>>;
}

/// A user as kept.
#[derive(Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// Name, groups, admin.
    pub principal: Principal,
    /// The verifier in PostgreSQL's form, `SCRAM-SHA-256$iterations:salt$stored:server`.
    pub scram_verifier: String,
    /// Whether the user may no longer sign in anywhere.
    pub disabled: bool,
    /// When the user was added.
    pub created_at: Timestamp,
}

impl fmt::Debug for UserRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserRecord")
            .field("principal", &self.principal)
            .field("disabled", &self.disabled)
            .field("created_at", &self.created_at)
            .finish_non_exhaustive()
    }
}

/// A signed-in browser.
#[derive(Clone, PartialEq, Eq)]
pub struct WebSession {
    /// SHA-256 of the cookie's secret.
    pub token_hash: [u8; 32],
    /// Whose it is.
    pub user: String,
    /// The token that every form of this session carries.
    pub csrf: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl fmt::Debug for WebSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSession")
            .field("user", &self.user)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Users, their API tokens and their browser sessions.
pub trait UserStore: Send + Sync + 'static {
    /// Adds a user. `Exists` where the name is taken, `NotAdmin` where the actor may not.
    fn add_user<'a>(
        &'a self,
        user: &'a UserRecord,
        actor: Actor<'a>,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// The user of that name (case-sensitive), if there is one; disabled ones too.
    fn user<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<UserRecord>, StoreError>>;

    /// All users by name.
    fn users(&self) -> BoxFuture<'_, Result<Vec<UserRecord>, StoreError>>;

    /// Users by filter, by name.
    fn users_by<'a>(&'a self, filter: &'a UserFilter) -> BoxFuture<'a, Result<Vec<UserRecord>, StoreError>>;

    /// Replaces the verifier, and ends the user's browser sessions. `NotFound` where there is no such user.
    fn set_verifier<'a>(&'a self, name: &'a str, verifier: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Changes groups, the right of an administrator, and whether the user is disabled, all of it or nothing;
    /// the user as changed. Disabling ends browser sessions and revokes tokens. `NotFound` likewise, `NotAdmin`
    /// where the actor may not, `OwnAccess` where the actor would be no administrator afterwards.
    fn change_user<'a>(
        &'a self,
        name: &'a str,
        change: &'a UserChange,
        actor: Actor<'a>,
    ) -> BoxFuture<'a, Result<UserRecord, StoreError>>;

    /// Those who were disabled by events with a number above `seen`, whether or not they are now; and the number of the latest
    /// event. (One below `seen` means that the store has forgotten some: a copy of its server may, when it takes over.)
    fn disabled_since(&self, seen: i64) -> BoxFuture<'_, Result<(Vec<String>, i64), StoreError>>;

    /// Revokes all API tokens of a user; how many that were. `NotFound` and `NotAdmin` likewise.
    fn revoke_tokens<'a>(&'a self, name: &'a str, actor: Actor<'a>)
    -> BoxFuture<'a, Result<u64, StoreError>>;

    /// Adds an API token by its SHA-256; a user can have several. `NotFound` likewise.
    fn add_token<'a>(
        &'a self,
        user: &'a str,
        token_hash: [u8; 32],
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// The user (not disabled) whose token hashes to this.
    fn user_by_token(&self, token_hash: [u8; 32]) -> BoxFuture<'_, Result<Option<UserRecord>, StoreError>>;

    /// Records a browser's session; forgets those that ended before `now`.
    fn add_web_session<'a>(
        &'a self,
        session: &'a WebSession,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// The session with this hash that has not ended, and its user (not disabled).
    fn web_session(
        &self,
        token_hash: [u8; 32],
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Option<(WebSession, UserRecord)>, StoreError>>;

    /// Ends a browser's session; no error where there is none.
    fn remove_web_session(&self, token_hash: [u8; 32]) -> BoxFuture<'_, Result<(), StoreError>>;

    /// The installation's own secret: made once, when the store was first opened, and the same ever after.
    fn secret(&self) -> BoxFuture<'_, Result<[u8; 32], StoreError>>;
}

/// Which observations to list, in the order in which they were recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservationQuery {
    /// Those last seen at this time or later. Sightings are counted by the hour, so those earlier in its hour are
    /// among them.
    pub since: Timestamp,
    /// Only those on this database.
    pub database: Option<String>,
    /// Only those of this user.
    pub user: Option<String>,
    /// Only those recorded after this one, for paging; 0: from the first.
    pub after: i64,
    /// At most this many; the caller bounds it.
    pub limit: u32,
}

/// What was recorded of an hour's sightings of one observation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObservation {
    /// Its place in the order; above 0.
    pub id: i64,
    /// What was seen, how often, and when.
    pub sightings: Sightings,
}

/// What was let pass and observed.
pub trait ObservationStore: Send + Sync + 'static {
    /// Counts a batch, all of it or nothing: what was seen in the same hour before is added to, and the rest is
    /// new. With `max_rows` there, nothing new is taken: how many sightings were left out for that.
    fn record_observations<'a>(
        &'a self,
        batch: &'a [Sightings],
        max_rows: u64,
    ) -> BoxFuture<'a, Result<u64, StoreError>>;

    /// Observations by query.
    fn observations<'a>(
        &'a self,
        query: &'a ObservationQuery,
    ) -> BoxFuture<'a, Result<Vec<StoredObservation>, StoreError>>;

    /// Forgets the hours before the one that `before` is in; how many observations that were. May be some
    /// transactions: dropped half way, the newest of them are still there.
    fn prune_observations(&self, before: Timestamp) -> BoxFuture<'_, Result<u64, StoreError>>;
}

/// Everything a store does.
pub trait Store: RequestStore + GrantStore + UserStore + ObservationStore + SharedStore {}
impl<T: RequestStore + GrantStore + UserStore + ObservationStore + SharedStore> Store for T {}

/// Opens the store at `url`, whichever database that is: [`sqlite::SqliteStore::open`], [`postgres::PostgresStore::open`].
///
/// # Errors
/// As these.
pub async fn open(url: &str) -> Result<Arc<dyn Store>, StoreError> {
    if url.starts_with("sqlite:") {
        Ok(Arc::new(sqlite::SqliteStore::open(url).await?))
    } else {
        Ok(Arc::new(postgres::PostgresStore::open(url).await?))
    }
}
