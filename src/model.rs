//! The vocabulary of holdpoint: plain types without I/O, shared by everything else.
//!
//! Imports nothing of ours. Invariant: no function here reads a clock, a file or a socket;
//! time and identifiers are passed in.

pub mod clock;
pub mod command;
pub mod decision;
pub mod defines;
pub mod duration;
pub mod effect;
pub mod facts;
pub mod given;
pub mod grant;
pub mod hidden;
pub mod id;
pub mod nearest;
pub mod observation;
pub mod principal;
pub mod quorum;
pub mod request;

pub use clock::{Clock, CoarseClock, SystemClock};
pub use decision::{Asks, Decision, HoldTerms, Justification, ReviewMode};
pub use defines::Defines;
pub use effect::Effect;
pub use facts::{
    ColumnWrite, Facts, Gist, Judged, KEPT_TEXT, NameOp, NoShape, PreparedSql, Sets, Shape, Statement,
    TableAccess, cut_text,
};
pub use given::Given;
pub use grant::{Grant, GrantKind, GrantState, Holder, NewGrant, Scope};
pub use id::RequestId;
pub use observation::{Observation, ObservedDecision, Sightings};
pub use principal::Principal;
pub use quorum::{Quorum, Seat};
pub use request::{
    Basis, Earlier, EarlierOutcome, Edit, HeldRequest, NewRequest, Origin, Outcome, Parameter, RequestState,
    Review, Settlement, StateKind, Verdict,
};
