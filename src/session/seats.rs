//! Places for sessions: so many in all, and so many for each user. Counted when a client has logged in, given
//! back when its session ends; under one lock, so that no two take the last one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The places that are taken.
#[derive(Debug)]
pub struct Seats {
    all: usize,
    for_each_user: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    /// Never holds a zero.
    by_user: HashMap<Arc<str>, usize>,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoSeat {
    /// All places are taken.
    InAll,
    /// The user has as many sessions as one may have.
    ForUser,
}

/// A place that a session has; given back when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    user: Arc<str>,
}

impl Seats {
    /// `for_each_user` 0: no limit of its own.
    #[must_use]
    pub fn new(all: usize, for_each_user: usize) -> Self {
        Self {
            all,
            for_each_user: if for_each_user == 0 { all } else { for_each_user },
            taken: Mutex::default(),
        }
    }

    /// Whether all places are taken at this moment.
    pub(super) fn are_full(&self) -> bool {
        self.taken().all >= self.all
    }

    /// A place for a session of `user`.
    pub(super) fn take(self: &Arc<Self>, user: &str) -> Result<Seat, NoSeat> {
        let mut taken = self.taken();
        if taken.all >= self.all {
            return Err(NoSeat::InAll);
        }
        let (user, of_user) = match taken.by_user.get_key_value(user) {
            Some((user, &sessions)) => (Arc::clone(user), sessions),
            None => (user.into(), 0),
        };
        if of_user >= self.for_each_user {
            return Err(NoSeat::ForUser);
        }
        taken.all += 1;
        taken.by_user.insert(Arc::clone(&user), of_user + 1);
        drop(taken);
        Ok(Seat {
            seats: Arc::clone(self),
            user,
        })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken();
        taken.all = taken.all.saturating_sub(1);
        match taken.by_user.get_mut(&self.user) {
            Some(sessions) if *sessions > 1 => *sessions -= 1,
            _ => {
                taken.by_user.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::sync::Barrier;

    use super::*;

    #[test]
    fn there_are_so_many_for_each_user_and_in_all() {
        let seats = Arc::new(Seats::new(3, 2));
        let first = seats.take("alice").unwrap();
        let _second = seats.take("alice").unwrap();
        assert_eq!(seats.take("alice").unwrap_err(), NoSeat::ForUser);
        let _third = seats.take("bob").unwrap();
        assert!(seats.are_full());
        assert_eq!(seats.take("bob").unwrap_err(), NoSeat::InAll);
        drop(first);
        assert!(!seats.are_full());
        let _again = seats.take("alice").unwrap();
    }

    #[test]
    fn nothing_is_left_of_who_has_gone() {
        let seats = Arc::new(Seats::new(10, 0));
        drop((seats.take("alice").unwrap(), seats.take("alice").unwrap()));
        let taken = seats.taken();
        assert_eq!((taken.all, taken.by_user.len()), (0, 0));
    }

    #[test]
    fn no_two_take_the_last_place() {
        let seats = Arc::new(Seats::new(100, 5));
        let together = Barrier::new(16);
        let taken: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..16)
                .map(|_| {
                    scope.spawn(|| {
                        together.wait();
                        let seat = seats.take("alice");
                        together.wait();
                        usize::from(seat.is_ok())
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(taken, 5);
    }
}
