//! The server's side: connecting, authenticating, cancelling.
//!
//! Imports `wire`. Invariants: requesters' credentials never come here; the credentials of
//! `[databases.NAME]` never leave here, in errors and logs neither.

mod auth;
mod cancel;
mod connect;
mod target;

pub use cancel::CancelKey;
pub use connect::{ConnectError, Connected, connect};
pub use target::{Address, Target};
