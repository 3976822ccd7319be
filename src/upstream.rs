//! The server's side: connecting, authenticating, cancelling; connections that outlive their sessions.
//!
//! Imports `wire` and `tls`. Invariants: the credentials of `[databases.NAME]` never leave here, in errors and
//! logs neither; those of requesters who sign in to the server by themselves pass through [`Pending`] and are
//! never looked at.

mod auth;
mod cancel;
mod connect;
mod demands;
mod encryption;
mod pool;
mod rows;
mod scram;
mod target;

pub use cancel::CancelKey;
pub use connect::{ConnectError, Connected, Pending, connect, connect_as};
pub use demands::{ChannelBinding, Demands, Methods};
pub use encryption::{Encryption, Tls};
pub use pool::{Beginning, Lease, Pool, PoolLimits};
pub use rows::{CURRENT_SCHEMAS, Row, RowsError, rows};
pub use scram::ScramKeys;
pub use target::{Address, Target};
