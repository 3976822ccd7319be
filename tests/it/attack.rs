//! Ways past the gate, and ways to bring it down, that were tried: each must be held, refused, or answered
//! as PostgreSQL answers.
//!
//! Most of them try to make holdpoint and the server disagree on what a name stands for, or on where in
//! the stream of messages they are.

mod bound;
mod copy;
mod dropped;
mod interrupted;
mod late;
mod names;
mod outcomes;
mod play;
mod portals;
mod rejudged;
mod resources;
mod skipped;
mod stale;
