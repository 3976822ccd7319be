//! What may run without being held: a time window, or statements of one shape, approved beforehand.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Effect, NewRequest, Quorum, RequestId, Review, Shape, TableAccess};

/// Whose statements a grant is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// One user's.
    User(String),
    /// Those of a group's members.
    Group(String),
}

/// What a grant is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Scope {
    /// Everything of this effect or a milder one.
    Window {
        /// The most severe effect.
        up_to: Effect,
    },
    /// Statements that differ from an example in constants alone, on the same tables.
    Shape {
        /// The shape.
        shape: Shape,
        /// The effect of the example: the statement must have the same.
        effect: Effect,
        /// Its tables.
        tables: Vec<TableAccess>,
        /// The functions that it calls.
        functions: Vec<String>,
        /// Its commands, as in [`NewRequest::command`].
        command: String,
        /// Its text.
        statement: String,
        /// The request that it is from.
        request: RequestId,
    },
}

impl Scope {
    /// The word of the API and the store.
    #[must_use]
    pub const fn kind(&self) -> GrantKind {
        match self {
            Self::Window { .. } => GrantKind::Window,
            Self::Shape { .. } => GrantKind::Shape,
        }
    }

    /// Whether a statement is in it.
    fn covers(&self, request: &NewRequest) -> bool {
        match self {
            Self::Window { up_to } => request.effect <= *up_to,
            Self::Shape {
                shape,
                effect,
                tables,
                functions,
                command,
                ..
            } => {
                request.shape == Some(*shape)
                    && request.effect == *effect
                    && request.tables == *tables
                    && request.functions == *functions
                    && request.command == *command
            }
        }
    }
}

/// The two kinds of grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantKind {
    /// A time window.
    Window,
    /// A standing approval.
    Shape,
}

impl GrantKind {
    /// The word of the API and the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Window => "window",
            Self::Shape => "shape",
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGrant {
    /// The identifier it will have.
    pub id: RequestId,
    /// Whose statements.
    pub holder: Holder,
    /// On which database: the NAME of `[databases.NAME]`.
    pub database: String,
    /// Which statements.
    pub scope: Scope,
    /// Why.
    pub justification: Option<String>,
    /// The ticket that it belongs to.
    pub ticket: Option<String>,
    /// For how long, from its approval on. Whole microseconds, above zero.
    pub length: Duration,
    /// How often; `None`: as often as is wanted.
    pub times: Option<u32>,
    /// How many rows a statement may change, each time: one that changes more is rolled back, and held. `None`: as many
    /// as it changes. Of standing approvals alone.
    pub max_rows: Option<u32>,
    /// The rule of the policy that lets it be asked for.
    pub rule: String,
    /// Who must approve.
    pub quorum: Quorum,
    /// Whether who holds it may be among those who approve.
    pub self_approval: bool,
    /// Who asks.
    pub asked_by: String,
    /// When.
    pub created_at: Timestamp,
    /// Until when it may be decided.
    pub expires_at: Timestamp,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantState {
    /// It waits for people.
    Pending,
    /// It counts.
    Active,
    /// Somebody said no.
    Rejected,
    /// Nobody decided in time.
    Expired,
    /// Who asked took it back.
    Withdrawn,
    /// It counted, and was taken back.
    Revoked,
    /// Its time is over, or it was used as often as it may be.
    Ended,
}

impl GrantState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Active,
        Self::Rejected,
        Self::Expired,
        Self::Withdrawn,
        Self::Revoked,
        Self::Ended,
    ];

    /// The word of the API and the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
            Self::Revoked => "revoked",
            Self::Ended => "ended",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// A grant as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// What was asked for; its length as approvers have shortened it.
    pub asked: NewGrant,
    /// What became of it.
    pub state: GrantState,
    /// Verdicts, oldest first.
    pub reviews: Vec<Review>,
    /// From when to when it counts, or did.
    pub span: Option<(Timestamp, Timestamp)>,
    /// How often it was used.
    pub used: u32,
    /// When it reached its last state.
    pub settled_at: Option<Timestamp>,
    /// Who took it back.
    pub settled_by: Option<String>,
    /// Why it was taken back.
    pub note: Option<String>,
}

impl Grant {
    /// For whom those stand who have approved it, each by themselves: what its quorum is met by.
    #[must_use]
    pub fn approvers(&self) -> Vec<Vec<String>> {
        Review::approvers(&self.reviews)
    }

    /// Whether this person's statements are covered; for a group's, its members' are.
    #[must_use]
    pub fn is_held_by(&self, user: &str, groups: &[String]) -> bool {
        match &self.asked.holder {
            Holder::User(name) => name == user,
            Holder::Group(name) => groups.contains(name),
        }
    }

    /// Whether it is for a statement like this one. A standing approval is the yes of those people whom the rule of
    /// its example asked: where a rule asks others, or wants somebody else than the requester, it says nothing. A
    /// window was asked for under a rule of its own.
    #[must_use]
    pub fn covers(&self, request: &NewRequest) -> bool {
        let asks_the_same = match self.asked.scope {
            Scope::Window { .. } => true,
            Scope::Shape { .. } => {
                self.asked.quorum == request.quorum && (request.self_approval || !self.asked.self_approval)
            }
        };
        asks_the_same && self.asked.scope.covers(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_have_their_names() {
        for state in GrantState::ALL {
            assert_eq!(GrantState::parse(state.as_str()), Some(state));
        }
        assert_eq!(GrantState::parse("open"), None);
    }
}
