//! Cursors and named portals whose statement does more than read: each FETCH from them is judged as that
//! statement, since it runs it on, or again.

use std::collections::HashMap;

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
        if facts.effect <= Effect::Read {
            return;
        }
        if let Some(known) = self.by_name.get_mut(cut(name)) {
            if known.statements > LIMIT_OF_ONE {
                return;
            }
            let mut both = known.facts.clone();
            both.absorb(facts);
            if both == known.facts {
                return;
            }
            known.statements += 1;
            known.facts = if known.statements > LIMIT_OF_ONE {
                Facts::unknown("there were too many cursors of this name to know which it is")
            } else {
                both
            };
        } else if self.by_name.len() < LIMIT {
            let known = Known {
                facts: facts.clone(),
                statements: 1,
            };
            self.by_name.insert(cut(name).into(), known);
        } else {
            self.full = true;
        }
    }

    /// What a FETCH from this cursor adds to the facts; `None` for a plain one.
    pub(super) fn facts(&self, name: &[u8]) -> Option<Facts> {
        let known = self.by_name.get(cut(name)).map(|known| known.facts.clone());
        known.or_else(|| {
            self.full
                .then(|| Facts::unknown("there are too many cursors in this session to know this one"))
        })
    }
}
