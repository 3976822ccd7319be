//! Slows down guessing of passwords at the console: so many attempts a minute from an address, and for a user.
//!
//! An attempt counts when it begins and is given back when it succeeds, so that parallel guesses gain nothing.
//! What the address is refused does not count for the user: one address alone cannot lock a user out.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use dashmap::{DashMap, Entry};
use jiff::{SignedDuration, Timestamp};

use crate::model::Clock;

/// Attempts that count together, and the time after which they are forgiven.
const WINDOW: SignedDuration = SignedDuration::from_secs(60);
const PER_ADDRESS: u32 = 10;
/// More than [`PER_ADDRESS`]: see above.
const PER_USER: u32 = 25;
/// For everybody who finds the table full.
const IN_OVERFLOW: u32 = 1000;
/// Entries, of some 50 bytes each.
const CAPACITY: usize = 20_000;

/// Too many attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts to sign in: try again in {} seconds", retry_after.as_secs())]
pub struct Throttled {
    /// When it makes sense to try again; whole seconds, at least one.
    pub retry_after: Duration,
}

/// Counts attempts to sign in, in memory, in bounded space.
pub struct SignInThrottle {
    clock: Arc<dyn Clock>,
    windows: DashMap<Key, Window>,
    capacity: usize,
    /// Names are kept as keyed hashes: whatever is typed as a name takes the same space.
    hasher: RandomState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Address(IpAddr),
    User(u64),
    Overflow,
}

struct Window {
    since: Timestamp,
    attempts: u32,
}

impl SignInThrottle {
    /// One for the whole console.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_capacity(clock, CAPACITY)
    }

    fn with_capacity(clock: Arc<dyn Clock>, capacity: usize) -> Self {
        Self {
            clock,
            windows: DashMap::new(),
            capacity,
            hasher: RandomState::new(),
        }
    }

    /// Counts an attempt; to be called before the password is looked at.
    ///
    /// # Errors
    /// There were too many of late: the password must not be looked at.
    pub fn attempt(&self, user: &str, address: IpAddr) -> Result<(), Throttled> {
        let now = self.clock.now();
        self.count(Key::Address(network_of(address)), PER_ADDRESS, now)?;
        self.count(self.user(user), PER_USER, now)
    }

    /// Gives back the attempt that was counted: the password was right.
    pub fn succeeded(&self, user: &str, address: IpAddr) {
        for key in [Key::Address(network_of(address)), self.user(user)] {
            if let Some(mut window) = self.windows.get_mut(&key) {
                window.attempts = window.attempts.saturating_sub(1);
            }
        }
    }

    fn user(&self, name: &str) -> Key {
        Key::User(self.hasher.hash_one(name))
    }

    fn count(&self, key: Key, limit: u32, now: Timestamp) -> Result<(), Throttled> {
        let (key, limit) = self.admit(key, limit, now);
        let mut window = match self.windows.entry(key) {
            Entry::Occupied(entry) => entry.into_ref(),
            Entry::Vacant(entry) => entry.insert(Window {
                since: now,
                attempts: 0,
            }),
        };
        if window.is_over(now) {
            *window = Window {
                since: now,
                attempts: 0,
            };
        }
        if window.attempts >= limit {
            return Err(window.refusal(now));
        }
        window.attempts += 1;
        Ok(())
    }

    /// The key under which to count: its own, or the one for all where the table is full. (Throwing
    /// entries out instead would let a flood of names wipe the count of the one that matters.)
    fn admit(&self, key: Key, limit: u32, now: Timestamp) -> (Key, u32) {
        if self.windows.contains_key(&key) || self.windows.len() < self.capacity {
            return (key, limit);
        }
        self.windows.retain(|_, window| !window.is_over(now));
        if self.windows.len() < self.capacity {
            (key, limit)
        } else {
            (Key::Overflow, IN_OVERFLOW)
        }
    }
}

impl Window {
    /// A clock that was set back ends the window as well, lest it last until the clock catches up.
    fn is_over(&self, now: Timestamp) -> bool {
        let age = now.duration_since(self.since);
        age >= WINDOW || age.is_negative()
    }

    fn refusal(&self, now: Timestamp) -> Throttled {
        let left = WINDOW - now.duration_since(self.since);
        // Up to the next whole second, for a header in seconds.
        let seconds = left.as_secs() + i64::from(left.subsec_nanos() > 0);
        Throttled {
            retry_after: Duration::from_secs(u64::try_from(seconds).unwrap_or(1).max(1)),
        }
    }
}

impl std::fmt::Debug for SignInThrottle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignInThrottle")
            .field("entries", &self.windows.len())
            .finish_non_exhaustive()
    }
}

/// Whoever has one address of an IPv6 network has all of its /64.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::identity::test_clock::TestClock;

    fn throttle(capacity: usize) -> (SignInThrottle, Arc<TestClock>) {
        let clock = Arc::new(TestClock::default());
        (SignInThrottle::with_capacity(clock.clone(), capacity), clock)
    }

    fn address(last: u32) -> IpAddr {
        IpAddr::from((0x0a00_0000 + last).to_be_bytes())
    }

    #[test]
    fn an_address_has_ten_attempts_a_minute() {
        let (throttle, clock) = throttle(100);
        for i in 0..PER_ADDRESS {
            throttle.attempt(&format!("user{i}"), address(1)).unwrap();
        }
        clock.advance(20);
        let refused = throttle.attempt("another", address(1)).unwrap_err();
        assert_eq!(refused.retry_after, Duration::from_secs(40));
        assert_eq!(throttle.attempt("another", address(2)), Ok(()));
        clock.advance(40);
        assert_eq!(throttle.attempt("another", address(1)), Ok(()));
    }

    #[test]
    fn many_addresses_together_cannot_guess_one_password() {
        let (throttle, _clock) = throttle(100);
        for i in 0..PER_USER {
            throttle.attempt("bob", address(i)).unwrap();
        }
        assert!(throttle.attempt("bob", address(50)).is_err());
        assert_eq!(throttle.attempt("alice", address(50)), Ok(()));
    }

    #[test]
    fn one_address_cannot_lock_a_user_out() {
        let (throttle, _clock) = throttle(100);
        for _ in 0..1000 {
            let _ = throttle.attempt("bob", address(1));
        }
        assert_eq!(throttle.attempt("bob", address(2)), Ok(()));
    }

    #[test]
    fn success_costs_nothing() {
        let (throttle, _clock) = throttle(100);
        for _ in 0..1000 {
            throttle.attempt("bob", address(1)).unwrap();
            throttle.succeeded("bob", address(1));
        }
        for _ in 0..PER_ADDRESS {
            throttle.attempt("bob", address(1)).unwrap();
        }
        assert!(throttle.attempt("bob", address(1)).is_err());
    }

    #[test]
    fn an_ipv6_network_counts_as_one() {
        let (throttle, _clock) = throttle(100);
        for i in 0..PER_ADDRESS {
            let address: IpAddr = format!("2001:db8::{i:x}").parse().unwrap();
            throttle.attempt(&format!("user{i}"), address).unwrap();
        }
        assert!(throttle.attempt("x", "2001:db8::ffff".parse().unwrap()).is_err());
        assert!(throttle.attempt("x", "2001:db8:0:1::1".parse().unwrap()).is_ok());
        for i in 0..PER_ADDRESS {
            throttle.attempt(&format!("more{i}"), address(7)).unwrap();
        }
        assert!(
            throttle.attempt("x", "::ffff:10.0.0.7".parse().unwrap()).is_err(),
            "an IPv4 address in IPv6 clothes"
        );
    }

    #[test]
    fn it_is_bounded_and_a_flood_does_not_wipe_a_count() {
        let (throttle, clock) = throttle(50);
        for i in 0..PER_USER {
            throttle.attempt("bob", address(i % 3)).unwrap();
        }
        for i in 0..2000 {
            let _ = throttle.attempt(&format!("user{i}"), address(1000 + i));
        }
        assert!(throttle.windows.len() <= 51, "{}", throttle.windows.len());
        assert!(throttle.attempt("bob", address(3000)).is_err());
        assert!(
            throttle.attempt("carol", address(3001)).is_err(),
            "the flood used up what is left"
        );
        clock.advance(60);
        assert_eq!(throttle.attempt("bob", address(3000)), Ok(()));
    }

    #[test]
    fn a_clock_set_back_does_not_lock_anybody_out() {
        let (throttle, clock) = throttle(100);
        for _ in 0..PER_ADDRESS {
            throttle.attempt("bob", address(1)).unwrap();
        }
        clock.advance(-3600);
        assert_eq!(throttle.attempt("bob", address(1)), Ok(()));
    }
}
