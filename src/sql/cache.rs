//! Judgements by text, bounded by bytes.
//!
//! A hit takes one lock of a sixteenth of the cache, one hash and one comparison, and allocates
//! nothing. When a shard is full, what was not used since the last time goes; if all was used,
//! all goes. So a flood of distinct texts pushes out itself, and costs what parsing it cost.

use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::{DefaultHashBuilder, HashTable};

use super::weight;
use crate::model::{Gist, Judged};

/// Texts above this many bytes are not kept.
pub(super) const MAX_CACHED: usize = 64 * 1024;

const SHARDS: usize = 16;

/// What a judgement is found by: the text or its masked form, and what changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key<'a> {
    pub(super) text: &'a [u8],
    pub(super) variant: Variant,
}

/// Texts of different variants never meet, however their bytes look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Variant {
    /// See [`super::Meaning`].
    pub(super) standard_conforming_strings: bool,
    /// See [`super::Sight::number`]; 0 where there is none.
    pub(super) sight: u64,
    /// Whether the text is a masked form.
    pub(super) masked: bool,
}

pub(super) struct Cache {
    shards: [Mutex<Shard>; SHARDS],
    hasher: DefaultHashBuilder,
    shard_bytes: usize,
}

#[derive(Default)]
struct Shard {
    entries: HashTable<Entry>,
    bytes: usize,
}

struct Entry {
    hash: u64,
    variant: Variant,
    used: bool,
    text: Arc<[u8]>,
    judged: Arc<Judged>,
    bytes: usize,
}

impl Cache {
    /// A cache of about that many bytes, texts and judgements together.
    pub(super) fn new(bytes: usize) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: DefaultHashBuilder::default(),
            shard_bytes: bytes / SHARDS,
        }
    }

    pub(super) fn find(&self, key: Key<'_>) -> Option<Arc<Judged>> {
        let hash = self.hash(key);
        let mut shard = self.shard(hash);
        let entry = shard.entries.find_mut(hash, |entry| entry.is(key))?;
        entry.used = true;
        Some(Arc::clone(&entry.judged))
    }

    /// Keeps a judgement, unless the text is too long for that.
    pub(super) fn keep(&self, key: Key<'_>, judged: &Arc<Judged>) {
        let bytes = size_of::<Entry>() + key.text.len() + weight::of(judged);
        if key.text.len() > MAX_CACHED || bytes > self.shard_bytes {
            return;
        }
        let hash = self.hash(key);
        let mut shard = self.shard(hash);
        if shard.entries.find(hash, |entry| entry.is(key)).is_some() {
            return;
        }
        if shard.bytes + bytes > self.shard_bytes {
            shard.make_room(self.shard_bytes - bytes);
        }
        shard.bytes += bytes;
        let entry = Entry {
            hash,
            variant: key.variant,
            used: false,
            text: match &judged.gist {
                Gist::Whole(text) if **text == *key.text => Arc::clone(text),
                _ => key.text.into(),
            },
            judged: Arc::clone(judged),
            bytes,
        };
        shard.entries.insert_unique(hash, entry, |entry| entry.hash);
    }

    fn hash(&self, key: Key<'_>) -> u64 {
        self.hasher.hash_one((key.text, key.variant))
    }

    /// The shard of a hash, by bits that the table inside does not start from.
    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        let index = usize::try_from((hash >> 40) & (SHARDS as u64 - 1)).unwrap_or(0);
        // Nothing panics while a shard is locked, and a half-done change of one is not unsound.
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    /// Drops entries until at most `target` bytes are left.
    fn make_room(&mut self, target: usize) {
        let mut left = 0;
        self.entries.retain(|entry| {
            let stays = std::mem::take(&mut entry.used);
            left += if stays { entry.bytes } else { 0 };
            stays
        });
        self.bytes = left;
        // A shard that stays nearly full would be swept again for every few texts.
        if left > target.min(target / 4 * 3) {
            self.entries.clear();
            self.bytes = 0;
        }
    }
}

impl Entry {
    fn is(&self, key: Key<'_>) -> bool {
        self.variant == key.variant && *self.text == *key.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXACT: Variant = Variant {
        standard_conforming_strings: true,
        sight: 0,
        masked: false,
    };

    fn key(text: &str) -> Key<'_> {
        Key {
            text: text.as_bytes(),
            variant: EXACT,
        }
    }

    fn bytes(cache: &Cache) -> usize {
        let of = |shard: &Mutex<Shard>| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            assert_eq!(
                shard.bytes,
                shard.entries.iter().map(|entry| entry.bytes).sum::<usize>()
            );
            shard.bytes
        };
        cache.shards.iter().map(of).sum()
    }

    #[test]
    fn what_is_kept_is_found_under_its_own_key_alone() {
        let cache = Cache::new(1_000_000);
        let judged = Arc::new(Judged::unknown("x"));
        cache.keep(key("SELECT 1"), &judged);
        cache.keep(key("SELECT 1"), &judged);
        assert!(
            cache
                .find(key("SELECT 1"))
                .is_some_and(|found| Arc::ptr_eq(&found, &judged))
        );
        assert_eq!(cache.find(key("SELECT 2")), None);
        assert_eq!(cache.find(key("SELECT 1 ")), None);
        for variant in [
            Variant {
                masked: true,
                ..EXACT
            },
            Variant {
                standard_conforming_strings: false,
                ..EXACT
            },
            Variant { sight: 7, ..EXACT },
        ] {
            assert_eq!(
                cache.find(Key {
                    text: b"SELECT 1",
                    variant
                }),
                None
            );
        }
    }

    #[test]
    fn it_stays_within_its_bytes_and_keeps_what_is_used() {
        let limit = 400_000;
        let cache = Cache::new(limit);
        let judged = Arc::new(Judged::unknown("x"));
        cache.keep(key("SELECT 'hot'"), &judged);
        let mut lost = 0;
        for n in 0..50_000 {
            if cache.find(key("SELECT 'hot'")).is_none() {
                lost += 1;
                cache.keep(key("SELECT 'hot'"), &judged);
            }
            cache.keep(key(&format!("SELECT {n}")), &judged);
            if n % 1000 == 0 {
                assert!(bytes(&cache) <= limit);
            }
        }
        assert!(bytes(&cache) > limit / 4);
        assert_eq!(lost, 0, "a flood pushed out what is used all the time");
    }

    #[test]
    fn what_is_used_by_all_does_not_make_it_grow() {
        let limit = 400_000;
        let cache = Cache::new(limit);
        let judged = Arc::new(Judged::unknown("x"));
        for n in 0..20_000 {
            let text = format!("SELECT {n}");
            cache.keep(key(&text), &judged);
            cache.find(key(&text));
        }
        assert!(bytes(&cache) <= limit);
    }

    #[test]
    fn what_is_too_long_is_not_kept() {
        let cache = Cache::new(100_000_000);
        let judged = Arc::new(Judged::default());
        for (length, kept) in [(MAX_CACHED, true), (MAX_CACHED + 1, false)] {
            let text = "x".repeat(length);
            cache.keep(key(&text), &judged);
            assert_eq!(cache.find(key(&text)).is_some(), kept);
        }
        let nothing = Cache::new(0);
        nothing.keep(key("SELECT 1"), &judged);
        assert_eq!(nothing.find(key("SELECT 1")), None);
    }
}
