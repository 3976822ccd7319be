//! Cursors and named portals whose statement does more than read: each FETCH from them is judged as that
//! statement, since it runs it on, or again.

use std::collections::HashMap;
use std::num::NonZeroU32;

use super::names::cut;
use crate::model::{Effect, Facts};

/// With more than this many, every FETCH is Unknown.
const LIMIT: usize = 1000;
/// So many different statements are told apart that stood behind a name; with more, its FETCH is Unknown.
const LIMIT_OF_ONE: usize = 16;

/// The cursors of a session, by name.
#[derive(Debug, Default)]
pub(super) struct Cursors {
    by_name: HashMap<Box<[u8]>, Known>,
    full: bool,
    /// One has, or had, a name that is not ASCII, which the server may know by other bytes: as it converts them, or folds
    /// their case.
    has_other_names: bool,
    /// How often there was something new to know.
    news: u32,
}

/// What stood behind a name.
#[derive(Debug)]
struct Known {
    facts: Facts,
    statements: usize,
}

impl Cursors {
    pub(super) fn is_empty(&self) -> bool {
        self.by_name.is_empty() && !self.full
    }

    /// A cursor is about to be made. Plain reads need no entry: but a name once entered stays, since the
    /// cursor that it stood for may still be there if this one is not made.
    pub(super) fn note(&mut self, name: &[u8], facts: &Facts) {
        if facts.effect > Effect::Read && self.enter(name, facts) {
            self.news = self.news.wrapping_add(1);
        }
    }

    /// Differs where there was something new to know.
    pub(super) fn news(&self) -> NonZeroU32 {
        NonZeroU32::MIN.saturating_add(self.news)
    }

    /// Gives whether it is news.
    fn enter(&mut self, name: &[u8], facts: &Facts) -> bool {
        let is_news = !name.is_ascii() && !std::mem::replace(&mut self.has_other_names, true);
        if let Some(known) = self.by_name.get_mut(cut(name)) {
            known.note(facts) || is_news
        } else if self.by_name.len() < LIMIT {
            let known = Known {
                facts: facts.clone(),
                statements: 1,
            };
            self.by_name.insert(cut(name).into(), known);
            true
        } else {
            !std::mem::replace(&mut self.full, true) || is_news
        }
    }

    /// What a FETCH from this cursor adds to the facts; `None` for a plain one.
    pub(super) fn facts(&self, name: &[u8]) -> Option<Facts> {
        if self.has_other_names && !name.is_ascii() {
            return Some(Facts::unknown(NOT_ASCII));
        }
        let known = self.by_name.get(cut(name)).map(|known| known.facts.clone());
        known.or_else(|| self.full.then(|| Facts::unknown(TOO_MANY)))
    }
}

impl Known {
    /// Another statement stands, or may stand, behind the name. Gives whether it is news.
    fn note(&mut self, facts: &Facts) -> bool {
        if self.statements > LIMIT_OF_ONE {
            return false;
        }
        let mut both = self.facts.clone();
        both.absorb(facts);
        if both == self.facts {
            return false;
        }
        self.statements += 1;
        self.facts = if self.statements > LIMIT_OF_ONE {
            Facts::unknown("there were too many cursors of this name to know which it is")
        } else {
            both
        };
        true
    }
}

const TOO_MANY: &str = "there are too many cursors in this session to know this one";
const NOT_ASCII: &str =
    "it fetches by a name that is not ASCII, and may stand for a cursor that does more than read";
