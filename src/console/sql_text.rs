//! SQL as an approver reads it: coloured, numbered, and with nothing hidden.
//!
//! Imports nothing of ours. Invariants:
//! - the text of the markup is the text that would run, character for character, except that
//!   what the eye cannot see is replaced by a marked escape ([`reveal`]);
//! - everything is escaped for HTML, also within attributes.

mod keywords;
mod lexer;
mod listing;
mod oddities;
mod reveal;

pub(super) use listing::{excerpt, listing};
pub(super) use oddities::Oddities;
pub(super) use reveal::{Markup, count_hidden, shown, shown_name};
