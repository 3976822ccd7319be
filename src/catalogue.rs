//! The catalogues of the servers: asked for when they are needed first, kept, and asked for anew.
//!
//! Imports `model`, `sql`, `wire` and `upstream`. Judging itself asks nobody: it has a snapshot (`sql::Catalogue`),
//! which this module makes out of what the server tells.
//!
//! Invariants:
//! - *A snapshot is never older than a definition that passed through here*: whoever changes definitions says so
//!   ([`Upkeep::outdated`]), and from then on there is no snapshot until another one was taken.
//! - *Without a snapshot nothing of the database's own is known*: a server that cannot be asked makes judging
//!   stricter, never milder.

mod load;
mod queries;
mod upkeep;

pub use upkeep::{Snapshot, Upkeep};
