//! Who must say yes, to what, and on which grounds something runs without it.

mod attacked;
mod checked;
mod commands;
mod earlier;
mod edited;
mod glass;
mod grants;
mod justified;
mod limited;
mod limited_attacked;
mod overdue;
mod own;
mod quorum;
mod standing;
mod transaction;
