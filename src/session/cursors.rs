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
    /// One was declared for whose name there was no room.
    has_more_declared: bool,
    /// How often there was something new to know.
    news: u32,
}

/// What stood behind a name.
#[derive(Debug)]
struct Known {
    facts: Facts,
    statements: usize,
    /// One of them is a cursor that was declared.
    is_declared: bool,
}

impl Cursors {
    pub(super) fn is_empty(&self) -> bool {
        self.by_name.is_empty() && !self.full
    }

    /// A cursor or a portal is about to be made. Plain reads need no entry: but a name once entered stays, since what it
    /// stood for may still be there if this one is not made.
    pub(super) fn note(&mut self, name: &[u8], facts: &Facts) {
        if facts.effect > Effect::Read && self.enter(name, facts) {
            self.news = self.news.wrapping_add(1);
        }
    }

    /// As [`Self::note`], of a DECLARE: it runs nothing, and what it makes was not approved to run.
    pub(super) fn note_declared(&mut self, name: &[u8], facts: &Facts) {
        self.note(name, facts);
        if facts.effect > Effect::Read {
            match self.by_name.get_mut(cut(name)) {
                Some(known) => known.is_declared = true,
                None => self.has_more_declared = true,
            }
        }
    }

    /// Whether a cursor that was declared, and does more than read, may stand behind this name.
    pub(super) fn may_be_declared(&self, name: &[u8]) -> bool {
        self.by_name
            .get(cut(name))
            .map_or(self.has_more_declared, |known| known.is_declared)
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
                is_declared: false,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn does(effect: Effect) -> Facts {
        let mut facts = Facts::unknown("a test");
        facts.effect = effect;
        facts
    }

    #[test]
    fn a_cursor_that_acts_is_told_from_a_portal_of_its_name() {
        let mut cursors = Cursors::default();
        cursors.note(b"bound", &does(Effect::Write));
        cursors.note_declared(b"reads", &does(Effect::Read));
        cursors.note_declared(b"declared", &does(Effect::Write));
        cursors.note_declared(b"bound later", &does(Effect::Write));
        cursors.note(b"bound later", &does(Effect::Schema));
        cursors.note(b"bound before", &does(Effect::Schema));
        cursors.note_declared(b"bound before", &does(Effect::Write));
        let long = "p".repeat(63);
        cursors.note_declared(format!("{long}x").as_bytes(), &does(Effect::Write));
        for (name, acts, may_be_declared) in [
            ("none", false, false),
            ("bound", true, false),
            ("reads", false, false),
            ("declared", true, true),
            ("bound later", true, true),
            ("bound before", true, true),
            (&format!("{long}y"), true, true),
        ] {
            let name_of = name.as_bytes();
            assert_eq!(cursors.facts(name_of).is_some(), acts, "{name}");
            assert_eq!(cursors.may_be_declared(name_of), may_be_declared, "{name}");
        }
    }

    #[test]
    fn where_there_is_no_room_for_names_one_of_the_others_may_be_declared() {
        let mut cursors = Cursors::default();
        for number in 0..LIMIT {
            cursors.note(format!("c{number}").as_bytes(), &does(Effect::Write));
        }
        cursors.note(b"bound", &does(Effect::Write));
        assert!(cursors.facts(b"other").is_some(), "it may be any");
        assert!(!cursors.may_be_declared(b"other"), "none was declared");
        cursors.note_declared(b"declared", &does(Effect::Write));
        assert!(cursors.may_be_declared(b"other"));
        assert!(!cursors.may_be_declared(b"c0"), "there was room for it");
        cursors.note_declared(b"c0", &does(Effect::Write));
        assert!(cursors.may_be_declared(b"c0"));
    }
}
