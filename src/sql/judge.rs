//! Judging as others see it: from the cache, at once, or on the parse threads.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::cache::{Cache, Key, MAX_CACHED, Variant};
use super::grammar::judge_text;
use super::mask::{MAX_MASKED, mask};
use super::pool::Pool;
use super::screen::is_heavy;
use super::{INLINE_MAX, Meaning};
use crate::model::{Effect, Judged};

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
        self.shared.find(text, meaning).or_else(|| {
            let inline = text.len() <= INLINE_MAX || text.len() > self.shared.max_text;
            inline.then(|| self.shared.judge(text, meaning))
        })
    }

    /// The judgement of any text, from the cache or by parsing it on the parse threads; waits
    /// for one of them to be free. Cancel-safe: nothing is lost but the answer.
    pub async fn judge(&self, text: Bytes, meaning: Meaning) -> Arc<Judged> {
        if let Some(judged) = self.shared.find(&text, meaning) {
            return judged;
        }
        let shared = Arc::clone(&self.shared);
        self.pool
            .run(move || shared.judge(&text, meaning))
            .await
            .unwrap_or_else(|| Arc::new(Judged::unknown("it could not be judged: no parse thread took it")))
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
    fn find(&self, text: &[u8], meaning: Meaning) -> Option<Arc<Judged>> {
        if !meaning.encoding_is_safe || text.len() > MAX_CACHED {
            return None;
        }
        let mut buffer = [0; MAX_MASKED];
        if let Some(masked) = mask(text, &mut buffer)
            && let Some(judged) = self.cache.find(key(masked, meaning, true))
        {
            return Some(judged);
        }
        self.cache.find(key(text, meaning, false))
    }

    fn judge(&self, text: &[u8], meaning: Meaning) -> Arc<Judged> {
        let heavy = text.len() <= self.max_text && is_heavy(text);
        let alone = heavy.then(|| self.heavy.lock().unwrap_or_else(PoisonError::into_inner));
        let judged = Arc::new(judge_text(text, meaning, self.max_text));
        drop(alone);
        if meaning.encoding_is_safe {
            let mut buffer = [0; MAX_MASKED];
            match mask(text, &mut buffer) {
                Some(masked) if judged.effect() != Effect::Unknown => {
                    self.cache.keep(key(masked, meaning, true), &judged);
                }
                _ => self.cache.keep(key(text, meaning, false), &judged),
            }
        }
        judged
    }
}

const fn key(text: &[u8], meaning: Meaning, masked: bool) -> Key<'_> {
    let standard_conforming_strings = meaning.standard_conforming_strings;
    Key {
        text,
        variant: Variant {
            standard_conforming_strings,
            masked,
        },
    }
}
