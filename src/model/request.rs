//! A statement that was held or denied, and what became of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Effect, Quorum, RequestId, Shape, TableAccess};

/// A bound value, decoded for reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// `None` is SQL NULL. Binary values that are not decoded read `\x…` (hexadecimal), and their type says so.
    pub value: Option<String>,
    /// The type, as far as it is known, and what must be said about how the value is shown: `int4`, `OID 16400`,
    /// `int4, shown as bytes: …`. `None` for a text whose type is not known.
    pub r#type: Option<String>,
}

/// Where a statement comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The database as the client named it: the NAME of `[databases.NAME]`.
    pub database: String,
    /// The requester.
    pub user: String,
    /// `application_name` as the client gave it: untrusted text for display.
    pub application_name: String,
    /// The client's address and port.
    pub client_addr: String,
    /// Whether it would run inside an open transaction block: locks may be held meanwhile.
    pub in_transaction: bool,
    /// Since when that block has been open, as far as ReadyForQuery told: at least for so long.
    pub transaction_since: Option<Timestamp>,
}

/// A statement that the same session sent before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier {
    /// Its text, or the start of it; empty where it was not kept. A `?` stands where a number was masked. Its commands
    /// alone where it is a request of its own.
    pub text: String,
    /// The identifier of that request: not everybody who may see this one may see that.
    pub request: Option<RequestId>,
    /// Whether the text goes on.
    pub is_cut: bool,
    /// How long before, seconds; give or take one.
    pub seconds_before: u64,
    /// Whether it stands in the transaction that the request would run in.
    pub same_transaction: bool,
    /// What became of it.
    pub outcome: EarlierOutcome,
}

/// What became of an earlier statement, as far as the proxy is concerned: the server may have refused it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EarlierOutcome {
    /// Policy let it pass.
    Passed,
    /// Policy held it, and it ran: people approved it, or there were other grounds.
    Held,
    /// It did not run: rejected, expired, withdrawn or denied.
    Refused,
}

/// What is asked for, before it has a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRequest {
    /// The identifier it will have.
    pub id: RequestId,
    /// Who asks, and from where.
    pub origin: Origin,
    /// The exact text that would run.
    pub statement: String,
    /// The bound values, in order.
    pub parameters: Vec<Parameter>,
    /// SHA-256 of the exact protocol bytes that would be forwarded.
    pub digest: [u8; 32],
    /// Commands, as in [`super::Facts::commands`], joined by ", ".
    pub command: String,
    /// The most severe effect.
    pub effect: Effect,
    /// Tables named.
    pub tables: Vec<TableAccess>,
    /// Functions called.
    pub functions: Vec<String>,
    /// See [`super::Facts::signals`].
    pub signals: Vec<String>,
    /// See [`super::Facts::unfiltered`].
    pub unfiltered: bool,
    /// The rules that held or denied it, joined by ", ".
    pub rule: String,
    /// Who must approve; nobody can, where policy denied it.
    pub quorum: Quorum,
    /// Whether the requester may be among those who approve.
    pub self_approval: bool,
    /// Why it is to run, as the requester said.
    pub justification: Option<String>,
    /// The ticket that it belongs to, as the requester said.
    pub ticket: Option<String>,
    /// The shape that all its statements have; none where they differ.
    pub shape: Option<Shape>,
    /// What its session sent before, oldest first.
    pub earlier: Vec<Earlier>,
    /// When it arrived.
    pub created_at: Timestamp,
    /// When it expires; equal to `created_at` for a denied statement.
    pub expires_at: Timestamp,
}

/// A person's word on a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It may run.
    Approve,
    /// It must not run.
    Reject,
}

/// One person's verdict on a request, as recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Who.
    pub reviewer: String,
    /// For which of the request's groups they can stand, at the time.
    pub groups: Vec<String>,
    /// What they said.
    pub verdict: Verdict,
    /// Their comment or reason; may be empty for an approval.
    pub comment: String,
    /// When.
    pub at: Timestamp,
    /// Those of `groups` that they stand for no more: they have left them, or are disabled. None where nothing is left to
    /// decide, which stays as it was decided.
    #[serde(skip)]
    pub lapsed: Vec<String>,
}

impl Review {
    /// The groups for which it counts.
    #[must_use]
    pub fn stands_for(&self) -> Vec<String> {
        let mut groups = self.groups.clone();
        groups.retain(|group| !self.lapsed.contains(group));
        groups
    }

    /// Whether it counted, and does so no more.
    #[must_use]
    pub fn is_lapsed(&self) -> bool {
        !self.lapsed.is_empty() && self.stands_for().is_empty()
    }

    /// For whom those stand who have approved, each by themselves.
    pub(super) fn approvers(reviews: &[Self]) -> Vec<Vec<String>> {
        let approvals = reviews.iter().filter(|review| review.verdict == Verdict::Approve);
        approvals.map(Self::stands_for).collect()
    }
}

/// A statement as an approver has changed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// Who changed it.
    pub editor: String,
    /// The exact text that would run now.
    pub statement: String,
    /// SHA-256 of the exact protocol bytes that would be forwarded.
    #[serde(skip)]
    pub digest: [u8; 32],
    /// Its commands, as in [`NewRequest::command`].
    pub command: String,
    /// Its most severe effect.
    pub effect: Effect,
    /// Why it was changed; the requester reads it. May be empty.
    pub comment: String,
    /// How many reviews there were before it: they count no more.
    #[serde(skip)]
    pub reviews_before: usize,
    /// When.
    pub at: Timestamp,
}

/// What came of a statement that ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The command tag of the last command, as in `DELETE 3`; empty where there was none.
    pub tag: String,
    /// Rows affected or returned in all; `None` where the tags carry no number, or a change gave its client only some of its rows.
    pub rows: Option<u64>,
    /// SQLSTATE of the error that ended it.
    pub sqlstate: Option<String>,
    /// The error's message, or why the outcome is not known.
    pub error: Option<String>,
    /// From forwarding to completion, milliseconds.
    pub duration_ms: u64,
}

impl Outcome {
    /// In a few words, for people.
    #[must_use]
    pub fn told(&self) -> String {
        match (&self.error, &self.sqlstate) {
            (Some(error), Some(sqlstate)) => format!("it failed ({sqlstate}): {error}"),
            (Some(error), None) => error.clone(),
            (None, _) if self.tag.is_empty() => "it ran to its end".to_owned(),
            (None, _) => format!("it ran to its end: {}", self.tag),
        }
    }
}

/// Why a statement that policy holds ran without waiting for its quorum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Basis {
    /// The requester is an admin, and the rule exempts admins.
    AdminExempt,
    /// The requester broke the glass: people look at it afterwards.
    BreakGlass,
    /// It ran in a transaction whose COMMIT people decide on.
    Transaction {
        /// The identifier of the request for the COMMIT.
        id: String,
    },
    /// A time window was granted to the requester.
    Grant {
        /// The grant's identifier.
        id: String,
    },
    /// Statements like it were approved beforehand.
    StandingApproval {
        /// The standing approval's identifier.
        id: String,
        /// What changes more rows than this is rolled back; `None`: as many as it changes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_rows: Option<u32>,
    },
}

impl Basis {
    /// The word of the API and the store.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::AdminExempt => "admin_exempt",
            Self::BreakGlass => "break_glass",
            Self::Transaction { .. } => "transaction",
            Self::Grant { .. } => "grant",
            Self::StandingApproval { .. } => "standing_approval",
        }
    }

    /// How many rows it may change at the most, where that is limited.
    #[must_use]
    pub const fn max_rows(&self) -> Option<u32> {
        match self {
            Self::StandingApproval { max_rows, .. } => *max_rows,
            _ => None,
        }
    }
}

/// The states of a request, with the facts that each brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestState {
    /// Waiting for people.
    Pending,
    /// Enough people said yes; not yet forwarded.
    Approved,
    /// Recorded as about to run; forwarded right after.
    Running,
    /// It ran to its end.
    Executed(Outcome),
    /// It ran, and the server refused it or its outcome is not known.
    Failed(Outcome),
    /// Somebody said no (see the reviews).
    Rejected,
    /// Nobody decided in time.
    Expired,
    /// The requester took it back, or is gone; the text says which.
    Withdrawn(String),
    /// The proxy stopped before it was settled; the text says when.
    Abandoned(String),
    /// Policy forbids it; the text is the reason.
    Denied(String),
}

/// The name of a state, without its facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is described in RequestState")]
pub enum StateKind {
    Pending,
    Approved,
    Running,
    Executed,
    Failed,
    Rejected,
    Expired,
    Withdrawn,
    Abandoned,
    Denied,
}

impl StateKind {
    /// Every state.
    pub const ALL: [Self; 10] = [
        Self::Pending,
        Self::Approved,
        Self::Running,
        Self::Executed,
        Self::Failed,
        Self::Rejected,
        Self::Expired,
        Self::Withdrawn,
        Self::Abandoned,
        Self::Denied,
    ];

    /// The name used in the API and the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Running => "running",
            Self::Executed => "executed",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
            Self::Abandoned => "abandoned",
            Self::Denied => "denied",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == name)
    }

    /// Whether nothing will change it any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Approved | Self::Running)
    }

    /// Whether a request may go from this state to `next`.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        use StateKind::{
            Abandoned, Approved, Executed, Expired, Failed, Pending, Rejected, Running, Withdrawn,
        };
        matches!(
            (self, next),
            (Pending, Approved | Rejected | Expired | Withdrawn | Abandoned)
                | (Approved, Running | Withdrawn | Abandoned)
                | (Running, Executed | Failed | Abandoned)
        )
    }
}

impl RequestState {
    /// The state's name.
    #[must_use]
    pub const fn kind(&self) -> StateKind {
        match self {
            Self::Pending => StateKind::Pending,
            Self::Approved => StateKind::Approved,
            Self::Running => StateKind::Running,
            Self::Executed(_) => StateKind::Executed,
            Self::Failed(_) => StateKind::Failed,
            Self::Rejected => StateKind::Rejected,
            Self::Expired => StateKind::Expired,
            Self::Withdrawn(_) => StateKind::Withdrawn,
            Self::Abandoned(_) => StateKind::Abandoned,
            Self::Denied(_) => StateKind::Denied,
        }
    }
}

/// A request as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRequest {
    /// What was asked.
    pub asked: NewRequest,
    /// What became of it so far.
    pub state: RequestState,
    /// Why it ran without its quorum, where it did.
    pub basis: Option<Basis>,
    /// Verdicts, oldest first.
    pub reviews: Vec<Review>,
    /// What approvers have made of the statement, oldest first: the last of them is what would run.
    pub edits: Vec<Edit>,
    /// What somebody said afterwards, where it ran because the glass was broken: a rejection objects to it.
    pub followup: Option<Review>,
    /// When it reached a final state.
    pub settled_at: Option<Timestamp>,
    /// Its statement or parameters are longer than a list tells, and are not whole here.
    pub is_cut: bool,
}

impl HeldRequest {
    /// The reviews that count: those of the statement as it stands now.
    #[must_use]
    pub fn counting(&self) -> &[Review] {
        let before = self.edits.last().map_or(0, |edit| edit.reviews_before);
        self.reviews.get(before..).unwrap_or_default()
    }

    /// For whom those stand who have approved the statement as it stands now, each by themselves: what a quorum is met by.
    #[must_use]
    pub fn approvers(&self) -> Vec<Vec<String>> {
        Review::approvers(self.counting())
    }

    /// The text that would run now.
    #[must_use]
    pub fn statement(&self) -> &str {
        self.edits
            .last()
            .map_or(&self.asked.statement, |edit| &edit.statement)
    }

    /// The digest of the bytes that would be forwarded now.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.edits.last().map_or(self.asked.digest, |edit| edit.digest)
    }
}

/// What ends the wait of a held statement: what its session must now do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// Run it.
    Approved {
        /// The reviews that carried it.
        reviews: Vec<Review>,
        /// The digest of the bytes that they are for.
        digest: [u8; 32],
    },
    /// Refuse it, with the review that did so.
    Rejected(Review),
    /// Refuse it: nobody decided in time.
    Expired,
    /// It was settled in another way (abandoned by a shutdown, withdrawn through the API).
    Closed(StateKind),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_states_lead_nowhere() {
        for from in StateKind::ALL {
            assert_eq!(
                from.is_final(),
                StateKind::ALL.into_iter().all(|to| !from.may_become(to)),
                "{from:?}"
            );
            assert_eq!(StateKind::parse(from.as_str()), Some(from));
        }
    }

    #[test]
    fn nothing_runs_that_was_not_approved() {
        for from in StateKind::ALL {
            assert_eq!(from.may_become(StateKind::Running), from == StateKind::Approved);
        }
    }
}
