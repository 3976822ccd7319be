//! Approval: holding a statement until people decided, and the permit to forward it.
//!
//! Imports `model`, `policy` (what may be asked for) and `store`. Invariants:
//! - a held statement is a durable row before its requester hears of it;
//! - the row is the truth; a waiter is only woken by it, and what it may do next is again a
//!   guarded transition of the row;
//! - bytes go upstream only as a [`Permit`], and a permit covers only bytes that were cleared.
//!
//! What is let pass and observed is counted here, too ([`Observer`]): off the path, and with none of these promises.

mod broker;
mod edits;
mod entitlement;
mod expiry;
mod fellows;
mod grants;
mod observer;
mod owed;
mod permit;
mod ticket;
mod verdict;
mod waiters;

pub use broker::{Asker, Broker, DecideError, Held};
pub use edits::EditError;
pub use expiry::sweep_expired;
pub use fellows::{beat_on, follow_fellows};
pub use grants::{AccessAsked, AskError, GrantError, LONGEST_STANDING, MOST_ROWS, MOST_TIMES, StandingAsked};
pub use observer::{Observer, ObserverLimits, record_observed};
pub(crate) use permit::digest;
pub use permit::{Allowed, Clearance, Permit, Standing, Unapproved, stand};
pub use ticket::{Intent, Running, Started, Ticket};
pub use waiters::{Answer, Fitting, News};
