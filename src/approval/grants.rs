//! Grants: time windows that requesters ask for, and standing approvals that approvers give.
//!
//! Who may ask for what is policy's to say ([`Access`]); who may decide is checked here; the store counts.

use std::time::Duration;

use super::Broker;
use super::entitlement::standing_groups;
use crate::model::given::{LONGEST_REASON, LONGEST_TICKET, plain};
use crate::model::{
    Effect, Grant, GrantState, HeldRequest, Holder, NewGrant, Principal, Quorum, RequestId, Review, Scope,
    Shape, Verdict, duration,
};
use crate::policy::Access;
use crate::store::{GrantDecided, GrantEnd, GrantFilter, StoreError};

#[cfg(test)]
mod tests;

/// The longest that a standing approval counts: 90 days.
pub const LONGEST_STANDING: Duration = Duration::from_hours(90 * 24);
/// How often a standing approval can be used at the most.
pub const MOST_TIMES: u32 = 100_000;
/// How many rows a limit of a standing approval is at the most.
pub const MOST_ROWS: u32 = 1_000_000_000;
/// The commands whose rows can be limited: their tags count what they change.
const COUNTED: [&str; 4] = ["INSERT", "UPDATE", "DELETE", "MERGE"];
/// How long a standing approval waits for others who must agree.
const STANDING_WAITS: Duration = Duration::from_hours(24);
/// How long access that is asked for waits, where nothing says how long.
const ACCESS_WAITS: Duration = Duration::from_mins(30);
/// How many grants of one person's may wait at a time.
const MOST_WAITING: u32 = 20;

/// What a requester asks for.
#[derive(Debug, Clone)]
pub struct AccessAsked {
    /// The NAME of `[databases.NAME]`.
    pub database: String,
    /// The most severe effect.
    pub up_to: Effect,
    /// For how long.
    pub length: Duration,
    /// Why.
    pub justification: String,
    /// The ticket that it belongs to.
    pub ticket: Option<String>,
}

/// What an approver allows beforehand.
#[derive(Debug, Clone)]
pub struct StandingAsked {
    /// Whose statements; `None`: the requester's.
    pub holder: Option<Holder>,
    /// For how long.
    pub length: Duration,
    /// How often; `None`: as often as is wanted.
    pub times: Option<u32>,
    /// How many rows each may change; `None`: as many as it changes.
    pub max_rows: Option<u32>,
    /// Why.
    pub justification: Option<String>,
}

/// Why something cannot be asked for.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// What was asked is wrong in itself.
    #[error("{0}")]
    Invalid(String),
    /// There is no such request, or the person may not see it.
    #[error("there is no such request")]
    NotFound,
    /// Not this person.
    #[error("{0}")]
    Forbidden(String),
    /// The store failed. Nothing changed; or, in doubt, what was asked for is taken back as soon as the store takes that.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a verdict on a grant was not taken.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    /// There is no such grant, or the person may not see it.
    #[error("there is no such grant")]
    NotFound,
    /// The person may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// It is settled.
    #[error("the grant is {} already", .0.as_str())]
    AlreadySettled(GrantState),
    /// The person approved it before.
    #[error("you have approved this already; it waits for others")]
    AlreadyReviewed,
    /// What was said is wrong in itself.
    #[error("{0}")]
    Invalid(String),
    /// The store failed. Nothing changed; or, in doubt, nobody knows: the grant itself says how it stands.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Broker {
    /// Asks for a time window, under the rule that lets this person ask.
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn ask_access(
        &self,
        by: &Principal,
        asked: AccessAsked,
        access: &Access,
    ) -> Result<Grant, AskError> {
        let invalid = |message: String| Err(AskError::Invalid(message));
        if asked.length > access.longest() {
            return invalid(format!(
                "at most {} can be asked for (rule \"{}\")",
                duration::format(access.longest()),
                access.name()
            ));
        }
        if asked.length < Duration::from_mins(1) {
            return invalid("a time window is at least a minute long".to_owned());
        }
        let Some(justification) = plain(&asked.justification, LONGEST_REASON) else {
            return invalid("say why: a reason is required".to_owned());
        };
        // Those that others ask for are not to hide one's own behind the limit.
        let alone = Principal {
            name: by.name.clone(),
            groups: Vec::new(),
            admin: false,
        };
        let waiting = GrantFilter {
            states: vec![GrantState::Pending],
            visible_to: Some(alone),
            limit: 1_000,
            ..GrantFilter::default()
        };
        let waiting = self.shared.store.grants(&waiting).await?;
        if waiting
            .iter()
            .filter(|grant| grant.asked.asked_by == by.name)
            .count()
            >= MOST_WAITING as usize
        {
            return Err(AskError::Forbidden(format!(
                "{MOST_WAITING} of your requests for access wait already; withdraw one first"
            )));
        }
        let now = self.now();
        let asks = access.asks();
        let ticket = asked
            .ticket
            .as_deref()
            .and_then(|ticket| plain(ticket, LONGEST_TICKET));
        if asks.justification.ticket && ticket.is_none() {
            return invalid(format!("rule \"{}\" asks for a ticket", access.name()));
        }
        let timeout = asks.timeout.unwrap_or(ACCESS_WAITS);
        let grant = NewGrant {
            id: RequestId::from_random(rand::random()),
            holder: Holder::User(by.name.clone()),
            database: asked.database,
            scope: Scope::Window { up_to: asked.up_to },
            justification: Some(justification),
            ticket,
            length: asked.length,
            times: None,
            max_rows: None,
            rule: access.name().to_owned(),
            quorum: asks.quorum.clone(),
            self_approval: asks.self_approval,
            asked_by: by.name.clone(),
            created_at: now,
            expires_at: now.saturating_add(timeout).unwrap_or(now),
        };
        self.add(grant, None).await
    }

    /// Allows statements like that of a request beforehand, as far as `by` can; others may have to agree.
    ///
    /// # Errors
    /// What is wrong with it, or why `by` cannot.
    pub async fn allow_like(
        &self,
        id: RequestId,
        by: &Principal,
        asked: StandingAsked,
    ) -> Result<Grant, AskError> {
        let request = self.request(id, by).await?.ok_or(AskError::NotFound)?;
        let (holder, shape, groups) = may_allow(&request, by, &asked)?;
        let now = self.now();
        let justification = asked
            .justification
            .as_deref()
            .and_then(|text| plain(text, LONGEST_REASON));
        let first = Review {
            reviewer: by.name.clone(),
            groups,
            verdict: Verdict::Approve,
            comment: justification.clone().unwrap_or_default(),
            at: now,
            lapsed: Vec::new(),
        };
        let what = request.asked;
        let grant = NewGrant {
            id: RequestId::from_random(rand::random()),
            holder,
            database: what.origin.database,
            scope: Scope::Shape {
                shape,
                effect: what.effect,
                tables: what.tables,
                functions: what.functions,
                command: what.command,
                statement: what.statement,
                request: what.id,
            },
            justification,
            ticket: what.ticket,
            length: asked.length,
            times: asked.times,
            max_rows: asked.max_rows,
            rule: what.rule,
            quorum: what.quorum,
            self_approval: what.self_approval,
            asked_by: by.name.clone(),
            created_at: now,
            expires_at: now.saturating_add(STANDING_WAITS).unwrap_or(now),
        };
        self.add(grant, Some(first)).await
    }

    /// A person's verdict on a grant that waits; with `length`, for no longer than that.
    ///
    /// # Errors
    /// Why it was not taken.
    pub async fn decide_grant(
        &self,
        id: RequestId,
        by: &Principal,
        verdict: Verdict,
        length: Option<Duration>,
        comment: &str,
    ) -> Result<Grant, GrantError> {
        let grant = self.grant(id, by).await?.ok_or(GrantError::NotFound)?;
        let groups = may_decide(&grant, by).map_err(GrantError::Forbidden)?;
        if verdict == Verdict::Reject && comment.trim().is_empty() {
            return Err(GrantError::Invalid(
                "a rejection needs a reason: who asked reads it".to_owned(),
            ));
        }
        if length.is_some_and(|length| length.is_zero() || length > grant.asked.length) {
            return Err(GrantError::Invalid(format!(
                "it can be made shorter than {}, not longer",
                duration::format(grant.asked.length)
            )));
        }
        let review = Review {
            reviewer: by.name.clone(),
            groups,
            verdict,
            comment: comment.trim().to_owned(),
            at: self.now(),
            lapsed: Vec::new(),
        };
        let broker = self.clone();
        let decided = self.on_control(async move {
            let now = broker.now();
            let decided = broker.shared.store.review_grant(id, &review, length, now).await?;
            broker.changed(id);
            Ok(decided)
        });
        match decided.await? {
            GrantDecided::Recorded(grant) => {
                tracing::info!(grant.id = %id, grant.state = grant.state.as_str(), user.name = by.name,
                    ?verdict, "a verdict on a grant was recorded");
                Ok(*grant)
            }
            GrantDecided::AlreadySettled(state) => Err(GrantError::AlreadySettled(state)),
            GrantDecided::AlreadyReviewed => Err(GrantError::AlreadyReviewed),
            GrantDecided::NotEntitled => Err(GrantError::Forbidden(only_members(
                &grant.asked.quorum,
                "decide on",
            ))),
        }
    }

    /// Takes a grant back: who asked for it or holds it, while it waits or counts; who could approve it, and an
    /// admin, while it counts.
    ///
    /// # Errors
    /// Why it was not taken back.
    pub async fn end_grant(&self, id: RequestId, by: &Principal, why: &str) -> Result<Grant, GrantError> {
        let grant = self.grant(id, by).await?.ok_or(GrantError::NotFound)?;
        let end = match (grant.state, ending(&grant, by)) {
            (_, Some(end)) => end,
            (GrantState::Pending | GrantState::Active, None) => {
                return Err(GrantError::Forbidden(
                    "only who asked for it or holds it, who could approve it, or an admin can take it back"
                        .to_owned(),
                ));
            }
            (settled, None) => return Err(GrantError::AlreadySettled(settled)),
        };
        let (broker, name, why) = (self.clone(), by.name.clone(), why.trim().to_owned());
        let ended = self.on_control(async move {
            let now = broker.now();
            let ended = broker.shared.store.end_grant(id, end, &name, &why, now).await?;
            broker.changed(id);
            Ok(ended)
        });
        let ended = ended.await?;
        let grant = self.grant(id, by).await?.ok_or(GrantError::NotFound)?;
        if !ended {
            return Err(GrantError::AlreadySettled(grant.state));
        }
        tracing::info!(grant.id = %id, user.name = by.name, "a grant was taken back");
        Ok(grant)
    }

    /// The grant, if `by` may see it.
    pub async fn grant(&self, id: RequestId, by: &Principal) -> Result<Option<Grant>, StoreError> {
        let found = self.shared.store.grant(id).await?;
        Ok(found.filter(|grant| may_see(grant, by)))
    }

    /// Grants by filter, newest first.
    pub async fn grants(&self, filter: GrantFilter) -> Result<Vec<Grant>, StoreError> {
        self.shared.store.grants(&filter).await
    }

    /// Whether `by` could decide on this grant now.
    #[must_use]
    pub fn may_decide_grant(&self, grant: &Grant, by: &Principal) -> bool {
        grant.state == GrantState::Pending
            && may_decide(grant, by).is_ok()
            && (!grant.reviews.iter().any(|review| review.reviewer == by.name)
                || grant.asked.quorum.is_met(&grant.approvers()))
    }

    /// Whether `by` could take this grant back now.
    #[must_use]
    pub fn may_end_grant(&self, grant: &Grant, by: &Principal) -> bool {
        ending(grant, by).is_some()
    }

    /// Whether `by` could allow statements like this request's beforehand, for somebody.
    #[must_use]
    pub fn may_allow_like(&self, request: &HeldRequest, by: &Principal) -> bool {
        request.asked.shape.is_some()
            && request.edits.is_empty()
            && (request.asked.origin.user != by.name || request.asked.self_approval)
            && !standing_groups(request, by).is_empty()
    }

    /// Whether a limit of rows can go with that.
    #[must_use]
    pub fn may_limit_rows(&self, request: &HeldRequest) -> bool {
        may_limit_rows(request)
    }

    async fn add(&self, grant: NewGrant, first: Option<Review>) -> Result<Grant, AskError> {
        let forbidden = only_members(&grant.quorum, "allow");
        tracing::info!(grant.id = %grant.id, user.name = grant.asked_by, database.name = grant.database,
            kind = grant.scope.kind().as_str(), "a grant is asked for");
        let broker = self.clone();
        let inserted = self.on_control(async move {
            let inserted = broker.shared.store.insert_grant(&grant, first.as_ref()).await;
            if let Err(StoreError::InDoubt(_)) = inserted {
                // Who asked hears that it failed, and may ask again: it is not to count beside that.
                broker.take_back_grant_later(grant.id, &grant.asked_by);
            }
            let inserted = inserted?;
            broker.changed(grant.id);
            Ok(inserted)
        });
        inserted.await?.ok_or(AskError::Forbidden(forbidden))
    }
}

/// Who can do that, for somebody who cannot.
fn only_members(quorum: &Quorum, what: &str) -> String {
    format!(
        "only a member of {} can {what} this",
        quorum.groups().join(" or ")
    )
}

/// The groups for which this person can stand, or why they cannot decide.
fn may_decide(grant: &Grant, by: &Principal) -> Result<Vec<String>, String> {
    let mut groups = grant.asked.quorum.groups();
    groups.retain(|group| by.is_member(group));
    if groups.is_empty() {
        return Err(only_members(&grant.asked.quorum, "decide on"));
    }
    if grant.is_held_by(&by.name, &by.groups) && !grant.asked.self_approval {
        return Err("nobody decides on a grant of their own".to_owned());
    }
    Ok(groups)
}

/// How this person could take it back as it stands.
fn ending(grant: &Grant, by: &Principal) -> Option<GrantEnd> {
    let is_theirs = grant.asked.asked_by == by.name || grant.asked.holder == Holder::User(by.name.clone());
    let may_revoke = by.admin || by.groups.iter().any(|group| grant.asked.quorum.names(group));
    match grant.state {
        GrantState::Pending if is_theirs => Some(GrantEnd::Withdrawn),
        GrantState::Active if is_theirs || may_revoke => Some(GrantEnd::Revoked),
        _ => None,
    }
}

/// Whether the person may see it: who asked, who holds it, who may decide, an admin.
fn may_see(grant: &Grant, by: &Principal) -> bool {
    by.admin
        || grant.asked.asked_by == by.name
        || grant.is_held_by(&by.name, &by.groups)
        || by.groups.iter().any(|group| grant.asked.quorum.names(group))
}

/// Whether what is like the request can be allowed with a limit of rows, as far as its commands tell.
fn may_limit_rows(request: &HeldRequest) -> bool {
    COUNTED.contains(&request.asked.command.as_str())
}

/// Whose statements like the request's `by` allows beforehand, their shape, and the groups for which `by` stands.
fn may_allow(
    request: &HeldRequest,
    by: &Principal,
    asked: &StandingAsked,
) -> Result<(Holder, Shape, Vec<String>), AskError> {
    let groups = standing_groups(request, by);
    if groups.is_empty() {
        return Err(AskError::Forbidden(only_members(&request.asked.quorum, "allow")));
    }
    let origin = &request.asked.origin;
    let holder = asked
        .holder
        .clone()
        .unwrap_or_else(|| Holder::User(origin.user.clone()));
    let for_themselves = match &holder {
        Holder::User(name) => *name == by.name,
        Holder::Group(name) => by.is_member(name),
    };
    if (for_themselves || origin.user == by.name) && !request.asked.self_approval {
        return Err(AskError::Forbidden(
            "nobody allows their own statements beforehand, nor those of a group that they are in".to_owned(),
        ));
    }
    if request.asked.effect > Effect::Write {
        return Err(AskError::Invalid(
            "only reads and changes of rows can be allowed beforehand: what else there is turns on its constants".to_owned(),
        ));
    }
    if !request.edits.is_empty() {
        return Err(AskError::Invalid(
            "this statement was changed by an approver, and what its program sends is the one before: allow statements like \
             one that was approved as it came"
                .to_owned(),
        ));
    }
    let Some(shape) = request.asked.shape else {
        return Err(AskError::Invalid(
            "this statement has no shape by which others could be told to be like it: only single queries and \
             changes of rows have one"
                .to_owned(),
        ));
    };
    if asked.length.is_zero() || asked.length > LONGEST_STANDING {
        return Err(AskError::Invalid(format!(
            "a standing approval counts for at most {}",
            duration::format(LONGEST_STANDING)
        )));
    }
    if asked.times.is_some_and(|times| times == 0 || times > MOST_TIMES) {
        return Err(AskError::Invalid(format!(
            "a number of times is from 1 to {MOST_TIMES}"
        )));
    }
    if let Some(rows) = asked.max_rows {
        if rows == 0 || rows > MOST_ROWS {
            return Err(AskError::Invalid(format!(
                "a number of rows is from 1 to {MOST_ROWS}"
            )));
        }
        if !may_limit_rows(request) {
            return Err(AskError::Invalid(
                "only the rows of a single INSERT, UPDATE, DELETE or MERGE can be limited".to_owned(),
            ));
        }
    }
    Ok((holder, shape, groups))
}
