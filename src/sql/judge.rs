//! Judging as others see it: from the cache, at once, or on the parse threads.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::cache::{Cache, Key, MAX_CACHED, Variant};
use super::catalogue::{Catalogue, Definitions, Sight};
use super::grammar::judge_text;
use super::mask::{MAX_MASKED, fits, mask};
use super::pool::Pool;
use super::references::Eyes;
use super::screen::is_heavy;
use super::weight::gist_of;
use super::{INLINE_MAX, Meaning};
use crate::model::{Effect, Gist, Judged};

/// Bounds of judging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JudgeLimits {
    /// The longest text that is judged, bytes; longer ones are Unknown.
    pub max_text: usize,
    /// About how much the cache takes, bytes: texts and judgements together.
    pub cache_bytes: usize,
    /// Threads for texts above [`INLINE_MAX`], each with a stack of [`super::STACK_SIZE`].
    /// Parsing 1 MiB takes a tenth of a second and a few hundred megabytes, at worst a gigabyte and
    /// seconds; of such texts, one is parsed at a time.
    pub parse_threads: usize,
}

impl Default for JudgeLimits {
    fn default() -> Self {
        Self {
            max_text: 1024 * 1024,
            cache_bytes: 64 * 1024 * 1024,
            parse_threads: 2,
        }
    }
}

/// Judges texts. Clones share everything.
#[derive(Clone)]
pub struct Judge {
    shared: Arc<Shared>,
    pool: Pool,
}

struct Shared {
    cache: Cache,
    max_text: usize,
    /// Held while a text is parsed that takes much memory.
    heavy: Mutex<()>,
}

impl Judge {
    /// A judge with its own cache and threads, which end with its last clone.
    #[must_use]
    pub fn new(limits: JudgeLimits) -> Self {
        let shared = Shared {
            cache: Cache::new(limits.cache_bytes),
            max_text: limits.max_text,
            heavy: Mutex::new(()),
        };
        Self {
            shared: Arc::new(shared),
            pool: Pool::new(limits.parse_threads),
        }
    }

    /// The judgement of a text, from the cache or (up to [`INLINE_MAX`]) by parsing it here and
    /// now, in some microseconds per kilobyte; `None` for longer texts that are not in the
    /// cache: use [`Self::judge`]. `text` is without its trailing NUL.
    ///
    /// The calling thread must have a stack of [`super::STACK_SIZE`] with little of it in use: a
    /// deeply nested text of 8 KiB overflows a smaller one, which ends the process.
    #[must_use]
    pub fn judge_inline(&self, text: &[u8], meaning: Meaning) -> Option<Arc<Judged>> {
        self.judge_inline_in(text, meaning, None)
    }

    /// As [`Self::judge_inline`], in a database: what is not PostgreSQL's own is looked up in its catalogue.
    #[must_use]
    pub fn judge_inline_in(
        &self,
        text: &[u8],
        meaning: Meaning,
        sight: Option<&Sight>,
    ) -> Option<Arc<Judged>> {
        self.shared.find(text, meaning, sight).or_else(|| {
            let inline = text.len() <= INLINE_MAX || text.len() > self.shared.max_text;
            inline.then(|| self.shared.judge(text, meaning, sight))
        })
    }

    /// The judgement of any text, from the cache or by parsing it on the parse threads; waits
    /// for one of them to be free. Cancel-safe: nothing is lost but the answer.
    pub async fn judge(&self, text: Bytes, meaning: Meaning) -> Arc<Judged> {
        self.judge_in(text, meaning, None).await
    }

    /// As [`Self::judge`], in a database. Cancel-safe.
    pub async fn judge_in(&self, text: Bytes, meaning: Meaning, sight: Option<Arc<Sight>>) -> Arc<Judged> {
        if let Some(judged) = self.shared.find(&text, meaning, sight.as_deref()) {
            return judged;
        }
        let shared = Arc::clone(&self.shared);
        self.pool
            .run(move || shared.judge(&text, meaning, sight.as_deref()))
            .await
            .unwrap_or_else(|| Arc::new(Judged::unknown("it could not be judged: no parse thread took it")))
    }
}

/// Whether this judgement, which a [`Judge`] has made, is that of `text` as well, under the same [`Meaning`] and
/// [`Sight`]: it is the same text, or differs in integers that do not matter. Costs less than asking the judge, which
/// would give it. `false` where too little of its own text is kept to tell.
#[must_use]
pub fn is_judgement_of(judged: &Judged, text: &[u8]) -> bool {
    match &judged.gist {
        Gist::Whole(form) => fits(form, text),
        _ => false,
    }
}

impl Judge {
    /// A catalogue of these definitions, made on a parse thread; `None` if there is none, or it panicked.
    /// Cancel-safe.
    pub async fn catalogue(&self, definitions: Definitions) -> Option<Arc<Catalogue>> {
        let made = self.pool.run(move || Arc::new(Catalogue::new(&definitions)));
        made.await
    }
}

impl std::fmt::Debug for Judge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Judge")
            .field("max_text", &self.shared.max_text)
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn find(&self, text: &[u8], meaning: Meaning, sight: Option<&Sight>) -> Option<Arc<Judged>> {
        if !meaning.encoding_is_safe || text.len() > MAX_CACHED {
            return None;
        }
        let scene = Scene::of(meaning, sight);
        let mut buffer = [0; MAX_MASKED];
        if let Some(masked) = mask(text, &mut buffer)
            && let Some(judged) = self.cache.find(key(masked, scene, true))
        {
            return Some(judged);
        }
        self.cache.find(key(text, scene, false))
    }

    fn judge(&self, text: &[u8], meaning: Meaning, sight: Option<&Sight>) -> Arc<Judged> {
        let heavy = text.len() <= self.max_text && is_heavy(text);
        let alone = heavy.then(|| self.heavy.lock().unwrap_or_else(PoisonError::into_inner));
        let eyes = sight.map_or(Eyes::Blind, Eyes::Open);
        let mut judged = judge_text(text, meaning, self.max_text, eyes);
        drop(alone);
        // What is not known may be known by the next look.
        let keeps = meaning.encoding_is_safe && !is_unresolved(&judged);
        let mut buffer = [0; MAX_MASKED];
        let masked = (keeps && judged.effect() != Effect::Unknown)
            .then(|| mask(text, &mut buffer))
            .flatten();
        // Whoever finds it later may have brought other numbers: they are told of none.
        let found_by = masked.unwrap_or(text);
        judged.gist = gist_of(&judged, found_by);
        let judged = Arc::new(judged);
        if keeps {
            let scene = Scene::of(meaning, sight);
            self.cache.keep(key(found_by, scene, masked.is_some()), &judged);
        }
        judged
    }
}

fn is_unresolved(judged: &Judged) -> bool {
    judged
        .statements
        .iter()
        .any(|statement| statement.facts.unresolved)
}

/// What a text is judged under.
#[derive(Debug, Clone, Copy)]
struct Scene {
    standard_conforming_strings: bool,
    /// The number of the sight; 0 where there is none.
    sight: u64,
}

impl Scene {
    fn of(meaning: Meaning, sight: Option<&Sight>) -> Self {
        Self {
            standard_conforming_strings: meaning.standard_conforming_strings,
            sight: sight.map_or(0, Sight::number),
        }
    }
}

const fn key(text: &[u8], scene: Scene, masked: bool) -> Key<'_> {
    Key {
        text,
        variant: Variant {
            standard_conforming_strings: scene.standard_conforming_strings,
            sight: scene.sight,
            masked,
        },
    }
}
