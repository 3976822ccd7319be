//! Who must say yes, to what, and on which grounds something runs without it.

mod justified;
mod own;
mod quorum;
mod transaction;
