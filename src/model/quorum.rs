//! Who must approve: seats, each to be filled by a person of its own.

use std::fmt;

use serde::{Deserialize, Serialize};

/// More seats than this are not asked for: nobody waits for so many people.
pub const MOST_SEATS: usize = 16;

/// One approval that is needed: by a member of any of these groups. Sorted, without duplicates.
pub type Seat = Vec<String>;

/// What an approval needs: a person for each seat, and every person in one seat only, however many
/// groups they are in.
///
/// Invariants: seats are sorted; none is empty. No seats at all are never filled: what names nobody
/// cannot be approved.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Quorum {
    seats: Vec<Seat>,
}

impl Quorum {
    /// One member of each of these groups.
    #[must_use]
    pub fn each_of<T: Into<String>>(groups: impl IntoIterator<Item = T>) -> Self {
        let mut groups: Vec<String> = groups.into_iter().map(Into::into).collect();
        groups.sort();
        groups.dedup();
        Self::of_seats(groups.into_iter().map(|group| vec![group]).collect())
    }

    /// One member of each of `each`; beside them, where `any_of` names groups, one of any of those; and as
    /// many more, of any of the groups named, as it takes to be `at_least` people.
    #[must_use]
    pub fn new(each: &[String], any_of: &[String], at_least: usize) -> Self {
        let mut quorum = Self::each_of(each.iter().cloned());
        if !any_of.is_empty() {
            quorum.seats.push(seat(any_of.iter().cloned()));
        }
        let anybody = quorum.groups();
        if !anybody.is_empty() {
            while quorum.seats.len() < at_least.min(MOST_SEATS) {
                quorum.seats.push(anybody.clone());
            }
        }
        quorum.seats.sort();
        quorum
    }

    fn of_seats(mut seats: Vec<Seat>) -> Self {
        seats.sort();
        Self { seats }
    }

    /// The seats.
    #[must_use]
    pub fn seats(&self) -> &[Seat] {
        &self.seats
    }

    /// Whether nobody can fill it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    /// Every group that it names, sorted, without duplicates.
    #[must_use]
    pub fn groups(&self) -> Vec<String> {
        let mut groups: Vec<String> = self.seats.iter().flatten().cloned().collect();
        groups.sort();
        groups.dedup();
        groups
    }

    /// Whether a member of `group` can fill a seat.
    #[must_use]
    pub fn names(&self, group: &str) -> bool {
        self.seats.iter().flatten().any(|named| named == group)
    }

    /// What both ask for: where they have a seat in common, it is one seat.
    pub fn join(&mut self, other: &Self) {
        for seat in &other.seats {
            let count = |seats: &[Seat]| seats.iter().filter(|s| *s == seat).count();
            while count(&self.seats) < count(&other.seats) {
                self.seats.push(seat.clone());
            }
        }
        self.seats.sort();
    }

    /// Whether approvers with these memberships, each in one seat, fill every seat.
    #[must_use]
    pub fn is_met(&self, approvers: &[Vec<String>]) -> bool {
        !self.seats.is_empty() && self.missing(approvers).is_empty()
    }

    /// Seats that are still free, after the best placing of the approvers: the more particular a seat, the
    /// sooner it is filled. A maximum bipartite matching (augmenting paths); both sides are small.
    #[must_use]
    pub fn missing(&self, approvers: &[Vec<String>]) -> Vec<&Seat> {
        let mut taken_by: Vec<Option<usize>> = vec![None; self.seats.len()];
        for person in 0..approvers.len() {
            let mut seen = vec![false; self.seats.len()];
            self.assign(person, approvers, &mut taken_by, &mut seen);
        }
        self.seats
            .iter()
            .zip(&taken_by)
            .filter(|(_, by)| by.is_none())
            .map(|(seat, _)| seat)
            .collect()
    }

    fn assign(
        &self,
        person: usize,
        approvers: &[Vec<String>],
        taken_by: &mut [Option<usize>],
        seen: &mut [bool],
    ) -> bool {
        let mut order: Vec<usize> = (0..self.seats.len()).collect();
        order.sort_by_key(|&s| self.seats[s].len());
        for s in order {
            let sits = self.seats[s]
                .iter()
                .any(|group| approvers[person].contains(group));
            if seen[s] || !sits {
                continue;
            }
            seen[s] = true;
            let free = match taken_by[s] {
                None => true,
                Some(other) => self.assign(other, approvers, taken_by, seen),
            };
            if free {
                taken_by[s] = Some(person);
                return true;
            }
        }
        false
    }
}

fn seat(groups: impl IntoIterator<Item = String>) -> Seat {
    let mut seat: Seat = groups.into_iter().collect();
    seat.sort();
    seat.dedup();
    seat
}

/// In words: `a member of dba`, `one member each of dba and security`, `2 members of dba`,
/// `a member of dba and 2 members of dba or security`.
impl fmt::Display for Quorum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seats: Vec<&Seat> = self.seats.iter().collect();
        f.write_str(&in_words(&seats))
    }
}

/// Seats in words, as [`Quorum`]'s `Display` has them.
#[must_use]
pub fn in_words(seats: &[&Seat]) -> String {
    let mut counted: Vec<(&Seat, usize)> = Vec::new();
    for seat in seats {
        match counted.iter_mut().find(|(known, _)| known == seat) {
            Some((_, count)) => *count += 1,
            None => counted.push((seat, 1)),
        }
    }
    counted.sort_by_key(|(seat, _)| seat.len());
    if counted.len() > 1 && counted.iter().all(|(seat, count)| seat.len() == 1 && *count == 1) {
        let groups: Vec<&str> = counted.iter().map(|(seat, _)| seat[0].as_str()).collect();
        return format!("one member each of {}", groups.join(" and "));
    }
    let parts: Vec<String> = counted
        .iter()
        .map(|(seat, count)| match count {
            1 => format!("a member of {}", seat.join(" or ")),
            count => format!("{count} members of {}", seat.join(" or ")),
        })
        .collect();
    if parts.is_empty() {
        return "nobody".to_owned();
    }
    parts.join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(names: &[&str]) -> Vec<String> {
        names.iter().map(|&n| n.to_owned()).collect()
    }

    #[test]
    fn one_group_takes_any_member() {
        let quorum = Quorum::each_of(["dba"]);
        assert!(!quorum.is_met(&[]));
        assert!(!quorum.is_met(&[groups(&["security"])]));
        assert!(quorum.is_met(&[groups(&["security", "dba"])]));
    }

    #[test]
    fn a_person_counts_for_one_group_only() {
        let quorum = Quorum::each_of(["dba", "security"]);
        assert!(!quorum.is_met(&[groups(&["dba", "security"])]));
        // Whoever came first: the second can only stand for dba, so the first stands for security.
        assert!(quorum.is_met(&[groups(&["dba", "security"]), groups(&["dba"])]));
        assert_eq!(
            quorum.missing(&[groups(&["dba"]), groups(&["dba"])]),
            [&groups(&["security"])]
        );
    }

    #[test]
    fn any_of_takes_one_of_either() {
        let quorum = Quorum::new(&[], &groups(&["security", "dba"]), 1);
        assert!(quorum.is_met(&[groups(&["dba"])]));
        assert!(quorum.is_met(&[groups(&["security"])]));
        assert!(!quorum.is_met(&[groups(&["owners"])]));
    }

    #[test]
    fn a_number_asks_for_so_many_people() {
        let two = Quorum::new(&groups(&["dba"]), &[], 2);
        assert!(!two.is_met(&[groups(&["dba"])]));
        assert!(two.is_met(&[groups(&["dba"]), groups(&["dba"])]));
        // One of each, and one more of either.
        let three = Quorum::new(&groups(&["dba", "security"]), &[], 3);
        let (dba, security) = (groups(&["dba"]), groups(&["security"]));
        assert!(!three.is_met(&[dba.clone(), dba.clone(), dba.clone()]));
        assert!(three.is_met(&[dba.clone(), dba.clone(), security.clone()]));
        assert_eq!(
            three.missing(std::slice::from_ref(&dba)),
            [&groups(&["dba", "security"]), &groups(&["security"])]
        );
        assert_eq!(
            Quorum::new(&groups(&["dba"]), &[], 1_000).seats().len(),
            MOST_SEATS
        );
    }

    #[test]
    fn joining_asks_for_no_seat_twice() {
        let mut quorum = Quorum::each_of(["dba"]);
        quorum.join(&Quorum::new(&groups(&["dba"]), &[], 2));
        assert_eq!(quorum, Quorum::new(&groups(&["dba"]), &[], 2));
        quorum.join(&Quorum::each_of(["dba", "security"]));
        assert_eq!(quorum.seats().len(), 3);
        assert_eq!(quorum.groups(), ["dba", "security"]);
    }

    #[test]
    fn nobody_named_means_nobody_can_approve() {
        assert!(!Quorum::each_of::<String>([]).is_met(&[groups(&["dba"])]));
        assert!(!Quorum::new(&[], &[], 3).is_met(&[groups(&["dba"])]));
    }

    #[test]
    fn it_reads_as_people_say_it() {
        for (quorum, words) in [
            (Quorum::each_of(["dba"]), "a member of dba"),
            (
                Quorum::each_of(["security", "dba"]),
                "one member each of dba and security",
            ),
            (Quorum::new(&groups(&["dba"]), &[], 2), "2 members of dba"),
            (
                Quorum::new(&[], &groups(&["dba", "security"]), 1),
                "a member of dba or security",
            ),
            (
                Quorum::new(&groups(&["dba"]), &groups(&["owners", "security"]), 2),
                "a member of dba and a member of owners or security",
            ),
            (Quorum::default(), "nobody"),
        ] {
            assert_eq!(quorum.to_string(), words);
        }
    }
}
