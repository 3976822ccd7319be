//! Asking for access and allowing beforehand, for the pages and the API alike: what is checked and what is answered.

use std::time::Duration;

use super::ConsoleState;
use super::decision::check_text;
use super::fault::Fault;
use crate::approval::{AccessAsked, AskError, GrantError, StandingAsked};
use crate::identity::names;
use crate::model::{Effect, Grant, GrantKind, GrantState, Holder, Principal, RequestId, Verdict, duration};
use crate::policy::Subject;
use crate::store::StoreError;

/// A time window as somebody wrote it down.
#[derive(Debug, Clone, Default)]
pub(super) struct Wish<'a> {
    pub(super) database: &'a str,
    pub(super) up_to: &'a str,
    pub(super) length: &'a str,
    pub(super) reason: &'a str,
    pub(super) ticket: Option<&'a str>,
}

/// A standing approval as somebody wrote it down.
#[derive(Debug, Clone, Default)]
pub(super) struct Allowance<'a> {
    pub(super) request: &'a str,
    /// `None`: the requester.
    pub(super) holder: Option<Holder>,
    pub(super) length: &'a str,
    pub(super) times: Option<u32>,
    pub(super) max_rows: Option<u32>,
    pub(super) reason: &'a str,
}

/// Asks for a time window in this person's name. Cancel-safe, as all that is recorded here.
pub(super) async fn ask(state: &ConsoleState, by: &Principal, wish: Wish<'_>) -> Result<Grant, Fault> {
    let database = wish.database.trim();
    if !state.databases.iter().any(|known| known == database) {
        return Err(Fault::invalid(format!(
            "There is no database \"{database}\": names are those of [databases.NAME] in the configuration."
        )));
    }
    let up_to: Effect = wish
        .up_to
        .trim()
        .parse()
        .map_err(|error| Fault::invalid(format!("\"up_to\": {error}.")))?;
    let length = read_length(wish.length)?;
    check_text("reason", wish.reason)?;
    check_text("ticket", wish.ticket.unwrap_or_default())?;
    let (policy, _) = state.policy.in_force();
    let subject = subject(state, database, by);
    let Some(access) = policy.access_for(&subject, up_to) else {
        return Err(Fault::forbidden(format!(
            "No rule lets you ask for access up to {up_to} on \"{database}\": [[access]] in the policy says who \
             may ask for what."
        )));
    };
    let asked = AccessAsked {
        database: database.to_owned(),
        up_to,
        length,
        justification: wish.reason.to_owned(),
        ticket: wish.ticket.map(str::to_owned),
    };
    state
        .broker
        .ask_access(by, asked, access)
        .await
        .map_err(Fault::from)
}

/// What somebody may ask for, as far as a form offers it.
#[derive(Debug, Clone)]
pub(super) struct Askable {
    /// The databases, by name; none: they may ask for nothing.
    pub(super) databases: Vec<String>,
    /// The effects, on one of them or another.
    pub(super) effects: Vec<Effect>,
}

/// What this person may ask for.
pub(super) fn askable(state: &ConsoleState, by: &Principal) -> Askable {
    let (policy, _) = state.policy.in_force();
    let may_ask = |name: &str, effect| policy.access_for(&subject(state, name, by), effect).is_some();
    let mut databases = state.databases.to_vec();
    // No rule is for what reads: the least that can be asked for is to write.
    databases.retain(|name| may_ask(name, Effect::Write));
    let mut effects = Effect::ALL.to_vec();
    effects.retain(|&effect| effect >= Effect::Write && databases.iter().any(|name| may_ask(name, effect)));
    Askable { databases, effects }
}

fn subject<'a>(state: &ConsoleState, database: &'a str, by: &'a Principal) -> Subject<'a> {
    Subject {
        at: state.clock.now(),
        ..Subject::new(database, &by.name, &by.groups)
    }
}

/// Allows statements like a request's beforehand.
pub(super) async fn allow(
    state: &ConsoleState,
    by: &Principal,
    allowance: Allowance<'_>,
) -> Result<Grant, Fault> {
    let id: RequestId = allowance
        .request
        .trim()
        .parse()
        .map_err(|_| Fault::no_such_request())?;
    check_text("reason", allowance.reason)?;
    if let Some(holder) = &allowance.holder {
        check_holder(holder)?;
    }
    let asked = StandingAsked {
        holder: allowance.holder,
        length: read_length(allowance.length)?,
        times: allowance.times,
        max_rows: allowance.max_rows,
        justification: Some(allowance.reason.to_owned()),
    };
    state.broker.allow_like(id, by, asked).await.map_err(Fault::from)
}

/// Refuses what cannot be the name of a user or a group. Whether there is such a one is not asked: with
/// `auth = "passthrough"`, roles that only the server knows send statements, and a group is there with its first member.
fn check_holder(holder: &Holder) -> Result<(), Fault> {
    let checked = match holder {
        Holder::User(name) => names::check_user(name),
        Holder::Group(name) => names::check_group(name),
    };
    checked.map_err(|why| Fault::invalid(sentence(&why.to_string())))
}

/// The grant, if it exists, is of this kind, and this person may see it; a fault otherwise.
pub(super) async fn visible(
    state: &ConsoleState,
    id: &str,
    kind: Option<GrantKind>,
    by: &Principal,
) -> Result<Grant, Fault> {
    let id: RequestId = id.parse().map_err(|_| Fault::no_such_grant())?;
    let found = state.broker.grant(id, by).await?;
    found
        .filter(|grant| kind.is_none_or(|kind| grant.asked.scope.kind() == kind))
        .ok_or_else(Fault::no_such_grant)
}

/// Records a verdict on a grant that waits; an approval may make it shorter.
pub(super) async fn decide(
    state: &ConsoleState,
    grant: &Grant,
    by: &Principal,
    verdict: Verdict,
    length: Option<&str>,
    text: &str,
) -> Result<Grant, Fault> {
    let field = match verdict {
        Verdict::Approve => "comment",
        Verdict::Reject => "reason",
    };
    check_text(field, text)?;
    let length = length.map(read_length).transpose()?;
    let id = grant.asked.id;
    match state.broker.decide_grant(id, by, verdict, length, text).await {
        Ok(grant) => Ok(grant),
        Err(error) => Err(refusal(error)),
    }
}

/// Takes a grant back: withdraws it while it waits, revokes it while it counts.
pub(super) async fn end(
    state: &ConsoleState,
    grant: &Grant,
    by: &Principal,
    why: &str,
) -> Result<Grant, Fault> {
    check_text("reason", why)?;
    match state.broker.end_grant(grant.asked.id, by, why).await {
        Ok(grant) => Ok(grant),
        Err(error) => Err(refusal(error)),
    }
}

fn read_length(text: &str) -> Result<Duration, Fault> {
    duration::parse(text.trim()).map_err(|error| Fault::invalid(format!("\"length\": {error}.")))
}

impl From<AskError> for Fault {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Invalid(why) => Self::invalid(sentence(&why)),
            AskError::NotFound => Self::no_such_request(),
            AskError::Forbidden(why) => Self::forbidden(format!("{} Nothing was changed.", sentence(&why))),
            AskError::Store(error) => error.into(),
        }
    }
}

fn refusal(error: GrantError) -> Fault {
    match error {
        GrantError::NotFound | GrantError::Store(StoreError::NotFound(_)) => Fault::no_such_grant(),
        GrantError::Forbidden(why) => Fault::forbidden(format!("{} Nothing was changed.", sentence(&why))),
        GrantError::AlreadySettled(state) => Fault::settled(settled(state)),
        GrantError::AlreadyReviewed => {
            Fault::reviewed("You have approved this before; it waits for others. Nothing was changed.")
        }
        GrantError::Invalid(why) => Fault::invalid(sentence(&why)),
        GrantError::Store(error) => error.into(),
    }
}

/// How it stands, for somebody who came too late.
fn settled(state: GrantState) -> &'static str {
    match state {
        GrantState::Pending => "It has changed meanwhile; look again. Nothing was changed.",
        GrantState::Active => "It was approved already, and counts. Nothing was changed.",
        GrantState::Rejected => "It was rejected already. Nothing was changed.",
        GrantState::Expired => "It has expired: nobody decided in time. Nothing was changed.",
        GrantState::Withdrawn => "It was taken back by who asked for it. Nothing was changed.",
        GrantState::Revoked => "It was taken back already. Nothing was changed.",
        GrantState::Ended => "It has ended: its time is over, or it was used up. Nothing was changed.",
    }
}

/// What the broker says, with a capital letter and a full stop.
fn sentence(why: &str) -> String {
    let mut letters = why.chars();
    let first = letters.next().map(char::to_uppercase);
    let end = if why.ends_with('.') { "" } else { "." };
    format!(
        "{}{}{end}",
        first.into_iter().flatten().collect::<String>(),
        letters.as_str()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_broker_says_becomes_a_sentence() {
        assert_eq!(sentence("say why"), "Say why.");
        assert_eq!(sentence("Done."), "Done.");
        assert_eq!(sentence(""), ".");
    }
}
