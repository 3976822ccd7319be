//! Requests as the pages show them: words, times and colours, ready for the templates.
//!
//! Pure. Every text from outside leaves here as [`Markup`](super::sql_text::Markup), or goes
//! through a template's escaping.

mod card;
mod change;
mod context;
mod detail;
mod effect;
mod grant;
mod live;
mod person;
mod quorum;
mod settled;
mod timeline;
mod when;

pub(super) use card::Card;
pub(super) use context::Context;
pub(super) use detail::{Detail, Ways};
pub(super) use grant::GrantView;
pub(super) use live::Live;
pub(super) use person::Person;
pub(super) use quorum::{missing_groups, missing_seats, seats_missing_of};
pub(super) use settled::settled_sentence;
pub(super) use timeline::StateView;
