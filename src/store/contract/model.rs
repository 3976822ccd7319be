//! Random lives of requests, against a reference that is written for nothing but being right.

use std::collections::BTreeSet;

use tokio::task::JoinSet;

use super::*;
use crate::model::{Edit, RequestState};

/// A small generator of numbers, so that a failure can be had again by its seed.
struct Dice(u64);

impl Dice {
    /// A number below `sides`. The generator is `SplitMix64`.
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

/// As they review; each is in all groups.
const PEOPLE: [(&str, &[&str]); 5] = [
    ("bob", &["dba"]),
    ("carol", &["dba", "security"]),
    ("dan", &["security"]),
    ("erin", &["dba"]),
    ("frank", &["owners"]),
];

/// What happens to a request.
#[derive(Debug, Clone, Copy)]
enum Step {
    Approve {
        person: usize,
        seen: usize,
        starts: bool,
    },
    Reject {
        person: usize,
    },
    Edit {
        person: usize,
        seen: usize,
        starts: bool,
    },
    Expire,
    Withdraw,
    Start,
    Finish,
    Restart,
}

fn step(dice: &mut Dice) -> Step {
    let person = usize::try_from(dice.throw(PEOPLE.len() as u64)).unwrap();
    // Mostly what is there, now and then what was there before, or is not there yet.
    let seen = usize::try_from(dice.throw(3)).unwrap();
    let starts = dice.throw(2) == 0;
    match dice.throw(24) {
        0..=11 => Step::Approve { person, seen, starts },
        12 => Step::Reject { person },
        13..=15 => Step::Edit { person, seen, starts },
        16 => Step::Expire,
        17 => Step::Withdraw,
        18..=21 => Step::Start,
        22 => Step::Finish,
        _ => Step::Restart,
    }
}

/// The reference: what a request is, in the plainest words.
#[derive(Debug, Clone)]
struct Reference {
    state: StateKind,
    seats: Vec<Vec<String>>,
    edits: usize,
    /// Who approved the statement as it is now.
    approved: BTreeSet<usize>,
    ran: u32,
}

impl Reference {
    /// Whether the people can be seated one by one: all ways are tried.
    fn is_met(&self) -> bool {
        fn seat(seats: &[Vec<String>], people: &[usize]) -> bool {
            let Some((first, others)) = seats.split_first() else {
                return true;
            };
            (0..people.len()).any(|i| {
                let sits = first
                    .iter()
                    .any(|group| PEOPLE[people[i]].1.contains(&group.as_str()));
                let mut rest = people.to_vec();
                rest.remove(i);
                sits && seat(others, &rest)
            })
        }
        let people: Vec<usize> = self.approved.iter().copied().collect();
        seat(&self.seats, &people)
    }

    /// Approved, if all who are needed have approved; and running, if it `starts` at once.
    fn approved_by_all(&mut self, starts: bool) {
        if self.is_met() {
            self.state = if starts {
                StateKind::Running
            } else {
                StateKind::Approved
            };
            self.ran += u32::from(starts);
        }
    }

    /// What a step does; whether it is taken.
    fn take(&mut self, step: Step) -> bool {
        use StateKind::{Abandoned, Approved, Executed, Expired, Pending, Rejected, Running, Withdrawn};
        let (from, to) = match step {
            Step::Approve { person, seen, starts } => {
                let taken = self.state == Pending && seen == self.edits && self.approved.insert(person);
                if taken {
                    self.approved_by_all(starts);
                }
                return taken;
            }
            Step::Edit { person, seen, starts } => {
                let taken = self.state == Pending && seen == self.edits;
                if taken {
                    self.edits += 1;
                    self.approved = BTreeSet::from([person]);
                    self.approved_by_all(starts);
                }
                return taken;
            }
            Step::Reject { .. } => (vec![Pending], Rejected),
            Step::Expire => (vec![Pending], Expired),
            Step::Withdraw => (vec![Pending, Approved], Withdrawn),
            Step::Start => (vec![Approved], Running),
            Step::Finish => (vec![Running], Executed),
            Step::Restart => (vec![Pending, Approved, Running], Abandoned),
        };
        let taken = from.contains(&self.state);
        if taken {
            self.state = to;
            self.ran += u32::from(to == Running);
        }
        taken
    }
}

fn review(person: usize, verdict: Verdict) -> Review {
    let (name, groups_of) = PEOPLE[person];
    Review {
        reviewer: name.to_owned(),
        groups: groups(groups_of),
        verdict,
        comment: String::new(),
        at: at(5),
        lapsed: Vec::new(),
    }
}

pub(super) fn edit(person: usize, number: usize) -> Edit {
    Edit {
        editor: PEOPLE[person].0.to_owned(),
        statement: format!("DELETE FROM payments WHERE id = {number}"),
        digest: [u8::try_from(number % 250).unwrap() + 1; 32],
        command: "DELETE".to_owned(),
        effect: Effect::Write,
        comment: String::new(),
        reviews_before: 0,
        at: at(5),
    }
}

/// Whether a verdict was recorded.
fn is_recorded(decided: &Decided) -> bool {
    match decided {
        Decided::Recorded(request) => request.state != RequestState::Running,
        // As the verdict has left it.
        Decided::Started(request) => request.state == RequestState::Approved,
        _ => false,
    }
}

/// Carries a verdict out.
async fn decide(store: &dyn Store, number: u64, step: Step) -> Decided {
    let id = id(number);
    let decided = match step {
        Step::Approve { person, seen, starts } => {
            let word = review(person, Verdict::Approve);
            store.decide_seen(id, word, seen, starts, at(5)).await
        }
        Step::Reject { person } => {
            let word = review(person, Verdict::Reject);
            // A rejection starts nothing.
            store.decide_seen(id, word, 0, true, at(5)).await
        }
        Step::Edit { person, seen, starts } => {
            let word = review(person, Verdict::Approve);
            store
                .edit(id, edit(person, seen + 1), word, seen, starts, at(5))
                .await
        }
        other => panic!("{other:?} is no verdict"),
    };
    decided.unwrap()
}

/// Carries a step out; whether it was taken.
async fn carry_out(store: &dyn Store, number: u64, step: Step) -> bool {
    let id = id(number);
    match step {
        Step::Approve { .. } | Step::Reject { .. } | Step::Edit { .. } => {
            is_recorded(&decide(store, number, step).await)
        }
        Step::Expire => store.expire(id, at(5)).await.unwrap(),
        Step::Withdraw => store.withdraw(id, "gone", at(5)).await.unwrap(),
        Step::Start => store.start(id, at(5)).await.unwrap(),
        Step::Finish => {
            let outcome = Outcome {
                tag: "DELETE 1".to_owned(),
                rows: Some(1),
                sqlstate: None,
                error: None,
                duration_ms: 1,
            };
            store.finish(id, outcome, at(5)).await.unwrap()
        }
        Step::Restart => !store
            .abandon_all(left_over("stopped"), at(5))
            .await
            .unwrap()
            .is_empty(),
    }
}

fn quorum(dice: &mut Dice) -> Quorum {
    match dice.throw(5) {
        0 => Quorum::each_of(["dba"]),
        1 => Quorum::each_of(["dba", "security"]),
        2 => Quorum::new(&groups(&["dba"]), &[], 2),
        3 => Quorum::new(&[], &groups(&["dba", "security"]), 2),
        _ => Quorum::new(&groups(&["dba", "security"]), &groups(&["dba", "owners"]), 3),
    }
}

pub(crate) async fn random_lives_are_those_of_the_reference(subject: &dyn Subject) {
    staffed(subject).await;
    for seed in 1..=120_u64 {
        // A restart is another opener of the same database.
        let mut store = subject.open().await;
        let mut dice = Dice(seed);
        let asked = NewRequest {
            quorum: quorum(&mut dice),
            ..request(seed)
        };
        store.insert_pending(&asked).await.unwrap();
        let mut reference = Reference {
            state: StateKind::Pending,
            seats: asked.quorum.seats().to_vec(),
            edits: 0,
            approved: BTreeSet::new(),
            ran: 0,
        };
        let mut history = Vec::new();
        for _ in 0..25 {
            let step = step(&mut dice);
            history.push(step);
            if matches!(step, Step::Restart) {
                store = subject.open().await;
            }
            let taken = carry_out(&*store, seed, step).await;
            assert_eq!(taken, reference.take(step), "seed {seed}: {history:?}");
            let held = read(&*store, seed).await;
            assert_eq!(held.state.kind(), reference.state, "seed {seed}: {history:?}");
            assert_eq!(held.edits.len(), reference.edits, "seed {seed}: {history:?}");
        }
        assert!(reference.ran <= 1, "seed {seed}");
        let ended = store.withdraw(id(seed), "the end", at(6)).await.unwrap();
        let finished = carry_out(&*store, seed, Step::Finish).await;
        assert!(!(ended && finished), "seed {seed}");
    }
}

pub(crate) async fn many_people_at_once_run_nothing_that_was_not_approved(subject: &dyn Subject) {
    let store = staffed(subject).await;
    for round in 1..=12_u64 {
        let mut dice = Dice(round * 7_919);
        let asked = NewRequest {
            quorum: quorum(&mut dice),
            ..request(round)
        };
        store.insert_pending(&asked).await.unwrap();
        let mut tasks = JoinSet::new();
        for task in 0..8_u64 {
            let store = subject.open().await;
            tasks.spawn(async move {
                let mut dice = Dice(round * 1_000 + task);
                let mut started = 0;
                for _ in 0..12 {
                    let step = match step(&mut dice) {
                        // It would end what others do.
                        Step::Restart | Step::Withdraw | Step::Expire => Step::Start,
                        other => other,
                    };
                    let is_start = matches!(step, Step::Start);
                    if is_start {
                        // What is started is what was approved: nothing changes between the two.
                        let before = read(&*store, round).await;
                        if carry_out(&*store, round, step).await {
                            started += 1;
                            let after = read(&*store, round).await;
                            if before.state == RequestState::Approved {
                                assert_eq!(before.digest(), after.digest());
                            }
                            let approvers: Vec<Vec<String>> = after
                                .counting()
                                .iter()
                                .filter(|review| review.verdict == Verdict::Approve)
                                .map(|review| review.groups.clone())
                                .collect();
                            assert!(after.asked.quorum.is_met(&approvers), "{after:?}");
                            assert!(
                                !after
                                    .reviews
                                    .iter()
                                    .any(|review| review.verdict == Verdict::Reject)
                            );
                        }
                    } else if let Step::Approve { .. } | Step::Edit { .. } = step {
                        let decided = decide(&*store, round, step).await;
                        started += u32::from(matches!(decided, Decided::Started(_)));
                    } else {
                        carry_out(&*store, round, step).await;
                    }
                }
                started
            });
        }
        let started: u32 = tasks.join_all().await.into_iter().sum();
        assert!(started <= 1, "round {round}: it ran {started} times");
    }
}

const fn approve(person: usize, seen: usize) -> Step {
    Step::Approve {
        person,
        seen,
        starts: false,
    }
}

const fn change(person: usize, seen: usize) -> Step {
    Step::Edit {
        person,
        seen,
        starts: false,
    }
}

pub(crate) async fn an_edit_drops_earlier_approvals(subject: &dyn Subject) {
    let store = staffed(subject).await;
    let asked = NewRequest {
        quorum: Quorum::each_of(["dba", "security"]),
        ..request(1)
    };
    store.insert_pending(&asked).await.unwrap();
    assert!(carry_out(&*store, 1, approve(0, 0)).await);
    assert!(carry_out(&*store, 1, change(2, 0)).await);
    let held = read(&*store, 1).await;
    assert_eq!(held.state, RequestState::Pending);
    assert_eq!(held.statement(), "DELETE FROM payments WHERE id = 1");
    assert_ne!(held.digest(), held.asked.digest);
    assert_eq!((held.reviews.len(), held.counting().len()), (2, 1));
    // Who has not seen the change does not approve it.
    let stale = store
        .decide_seen(id(1), review(0, Verdict::Approve), 0, false, at(6))
        .await
        .unwrap();
    assert_eq!(stale, Decided::Changed);
    assert!(carry_out(&*store, 1, approve(0, 1)).await);
    assert_eq!(read(&*store, 1).await.state, RequestState::Approved);
    assert!(!carry_out(&*store, 1, change(2, 1)).await);
}
