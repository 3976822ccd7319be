//! What was judged lately in this session: a program's loop brings the same few texts again and again.
//!
//! Looking here saves masking a text, hashing it and the cache's lock. Invariants: what is found is what the judge would
//! give, since it was made under the same meaning and by the same sight; what cannot be known for certain to be that is
//! not kept.

use std::sync::Arc;

use bytes::Bytes;

use crate::model::{Gist, Judged};
use crate::sql::{Meaning, is_judgement_of};

/// Texts that are remembered. A session pays 24 bytes for each, and looks at all of them where it meets another.
const REMEMBERED: usize = 4;

/// Under what a text was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scene {
    pub(super) meaning: Meaning,
    /// The number of the sight; 0 where there is none.
    pub(super) sight: u64,
}

/// The judgement of a frame that waits for something, to be gone by when it is looked at again. It is known by its text: the
/// frame may be dropped meanwhile, and another stand in its place.
#[derive(Debug)]
pub(super) struct AtHand {
    pub(super) text: Bytes,
    pub(super) scene: Scene,
    pub(super) judged: Arc<Judged>,
    /// It was waited for: what has changed since then has changed too late.
    pub(super) was_awaited: bool,
}

/// The last judgements.
#[derive(Debug, Default)]
pub(super) struct Lately {
    known: [Option<(Scene, Arc<Judged>)>; REMEMBERED],
    next: u8,
}

impl Lately {
    /// The judgement of a text, if it is among them.
    pub(super) fn find(&self, text: &[u8], scene: Scene) -> Option<Arc<Judged>> {
        let known = self.known.iter().flatten();
        let mut fitting = known.filter(|(of, judged)| *of == scene && is_judgement_of(judged, text));
        fitting.next().map(|(_, judged)| Arc::clone(judged))
    }

    /// The judge has given this, and it holds for others that come by the same text. Only what is small is kept.
    pub(super) fn note(&mut self, judged: &Arc<Judged>, scene: Scene) {
        if !scene.meaning.encoding_is_safe || !matches!(judged.gist, Gist::Whole(_)) {
            return;
        }
        let next = usize::from(self.next);
        self.known[next] = Some((scene, Arc::clone(judged)));
        self.next = if next + 1 < REMEMBERED { self.next + 1 } else { 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Scene = Scene {
        meaning: Meaning {
            standard_conforming_strings: true,
            encoding_is_safe: true,
        },
        sight: 1,
    };

    fn judged(text: &str) -> Arc<Judged> {
        Arc::new(Judged {
            statements: Vec::new(),
            gist: Gist::Whole(text.replace('?', "\0").into_bytes().into()),
        })
    }

    #[test]
    fn a_text_is_found_until_others_came() {
        let mut lately = Lately::default();
        let all: Vec<_> = (0..=REMEMBERED)
            .map(|n| judged(&format!("SELECT a{n}, ?")))
            .collect();
        for judged in &all[..REMEMBERED] {
            lately.note(judged, PLAIN);
        }
        let find = |lately: &Lately, n: usize| lately.find(format!("SELECT a{n}, 5").as_bytes(), PLAIN);
        for (n, judged) in all[..REMEMBERED].iter().enumerate() {
            assert!(find(&lately, n).is_some_and(|found| Arc::ptr_eq(&found, judged)));
        }
        assert!(find(&lately, REMEMBERED).is_none());
        lately.note(&all[REMEMBERED], PLAIN);
        assert!(
            find(&lately, 0).is_none() && find(&lately, 1).is_some() && find(&lately, REMEMBERED).is_some()
        );
    }

    #[test]
    fn another_meaning_or_sight_finds_nothing() {
        let mut lately = Lately::default();
        lately.note(&judged("SELECT a"), PLAIN);
        assert!(lately.find(b"SELECT a", PLAIN).is_some());
        assert!(lately.find(b"SELECT a", Scene { sight: 2, ..PLAIN }).is_none());
        let mut other = PLAIN;
        other.meaning.standard_conforming_strings = false;
        assert!(lately.find(b"SELECT a", other).is_none());
        let mut unsafe_encoding = PLAIN;
        unsafe_encoding.meaning.encoding_is_safe = false;
        lately.note(&judged("SELECT b"), unsafe_encoding);
        assert!(lately.find(b"SELECT b", unsafe_encoding).is_none());
    }

    #[test]
    fn what_is_large_is_not_kept_for_it() {
        let mut lately = Lately::default();
        let large = Arc::new(Judged {
            statements: Vec::new(),
            gist: Gist::Instead(judged("SELECT a")),
        });
        lately.note(&large, PLAIN);
        assert!(lately.find(b"SELECT a", PLAIN).is_none());
    }
}
