//! Many at once: one wins, ever.

use std::future::Future;

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::*;
use crate::model::RequestState;

const PEOPLE: usize = 50;

/// Makes so many people who may review.
pub(super) async fn employ_crowd(store: &dyn Store, people: usize) {
    let names: Vec<String> = (0..people).map(|i| format!("person {i}")).collect();
    employ(store, &names).await;
}

/// Runs them all, let go at the same moment.
pub(super) async fn all_at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    tasks: impl IntoIterator<Item = F>,
) -> Vec<T> {
    let tasks: Vec<F> = tasks.into_iter().collect();
    let barrier = Arc::new(Barrier::new(tasks.len()));
    let mut running = JoinSet::new();
    for task in tasks {
        let barrier = barrier.clone();
        running.spawn(async move {
            barrier.wait().await;
            task.await
        });
    }
    running.join_all().await
}

pub(crate) async fn of_fifty_verdicts_one_wins(subject: &dyn Subject) {
    let store = with_pending(subject, 1).await;
    employ_crowd(&*store, PEOPLE).await;
    let verdicts = (0..PEOPLE).map(|i| {
        let store = store.clone();
        let name = format!("person {i}");
        let word = if i % 2 == 0 {
            approval(&name)
        } else {
            rejection(&name)
        };
        async move { store.decide(id(1), word, at(5)).await.unwrap() }
    });
    let decided = all_at_once(verdicts).await;
    let held = read(&*store, 1).await;
    let recorded: Vec<_> = decided
        .iter()
        .filter(|one| matches!(one, Decided::Recorded(_)))
        .collect();
    assert_eq!(recorded, [&Decided::Recorded(held.clone())]);
    let lost = Decided::AlreadySettled(held.state.kind());
    assert_eq!(decided.iter().filter(|one| **one == lost).count(), PEOPLE - 1);
    let [word] = &held.reviews[..] else {
        panic!("{held:?}");
    };
    let expected = match word.verdict {
        Verdict::Approve => RequestState::Approved,
        Verdict::Reject => RequestState::Rejected,
    };
    assert_eq!(held.state, expected);
}

pub(crate) async fn of_fifty_approvals_by_one_person_one_counts(subject: &dyn Subject) {
    let store = staffed(subject).await;
    let asked = NewRequest {
        quorum: Quorum::each_of(["dba", "security"]),
        ..request(1)
    };
    store.insert_pending(&asked).await.unwrap();
    let approvals = (0..PEOPLE).map(|_| {
        let store = store.clone();
        let word = review("bob", &["dba", "security"], Verdict::Approve);
        async move { store.decide(id(1), word, at(5)).await.unwrap() }
    });
    let decided = all_at_once(approvals).await;
    let refused = decided
        .iter()
        .filter(|one| **one == Decided::AlreadyReviewed)
        .count();
    assert_eq!(refused, PEOPLE - 1);
    let held = read(&*store, 1).await;
    assert_eq!((held.state, held.reviews.len()), (RequestState::Pending, 1));
}

pub(crate) async fn a_request_is_settled_in_one_way(subject: &dyn Subject) {
    let store = staffed(subject).await;
    for number in 1..=20 {
        let asked = NewRequest {
            expires_at: at(10),
            ..request(number)
        };
        store.insert_pending(&asked).await.unwrap();
        let contenders = (0..6).map(|contender| {
            let store = store.clone();
            async move {
                let id = id(number);
                match contender {
                    0 | 1 => {
                        let word = if contender == 0 {
                            approval("bob")
                        } else {
                            rejection("carol")
                        };
                        matches!(store.decide(id, word, at(9)).await.unwrap(), Decided::Recorded(_))
                    }
                    2 => store.expire(id, at(10)).await.unwrap(),
                    3 => store.expire_due(at(10)).await.unwrap() == [id],
                    4 => store.withdraw(id, "gone", at(9)).await.unwrap(),
                    _ => store.abandon(id, "stopping", at(9)).await.unwrap(),
                }
            }
        });
        let winners = all_at_once(contenders)
            .await
            .into_iter()
            .filter(|&won| won)
            .count();
        let held = read(&*store, number).await;
        // After an approval one of withdraw and abandon may still come.
        let was_approved = held.reviews.iter().any(|word| word.verdict == Verdict::Approve);
        let settled_after = was_approved && held.state != RequestState::Approved;
        assert_eq!(winners, 1 + usize::from(settled_after), "{held:?}");
        assert!(held.state != RequestState::Pending);
        assert!(!was_approved || !matches!(held.state, RequestState::Expired | RequestState::Rejected));
        assert_eq!(held.settled_at.is_some(), held.state.kind().is_final());
    }
}

pub(crate) async fn an_approved_request_starts_once_or_is_withdrawn(subject: &dyn Subject) {
    let store = subject.open().await;
    let other = subject.open().await;
    for number in 1..=10 {
        bring_to(&*store, number, StateKind::Approved).await;
        let contenders = (0..10).map(|contender| {
            let store = if contender % 4 < 2 {
                store.clone()
            } else {
                other.clone()
            };
            async move {
                if contender % 2 == 0 {
                    store.start(id(number), at(6)).await.unwrap()
                } else {
                    store.withdraw(id(number), "gone", at(6)).await.unwrap()
                }
            }
        });
        let winners = all_at_once(contenders)
            .await
            .into_iter()
            .filter(|&won| won)
            .count();
        assert_eq!(winners, 1);
        assert!(matches!(
            state(&*store, number).await,
            StateKind::Running | StateKind::Withdrawn
        ));
    }
}

pub(crate) async fn two_openers_race_for_a_quorum(subject: &dyn Subject) {
    let (one, other) = (subject.open().await, subject.open().await);
    employ_crowd(&*one, 8).await;
    for number in 1..=10 {
        let asked = NewRequest {
            quorum: Quorum::each_of(["dba", "security"]),
            ..request(number)
        };
        one.insert_pending(&asked).await.unwrap();
        let approvals = (0..8).map(|i| {
            let store = if i % 2 == 0 { one.clone() } else { other.clone() };
            let name = format!("person {i}");
            let word = review(&name, &[["dba", "security"][i / 4]], Verdict::Approve);
            async move { store.decide(id(number), word, at(5)).await.unwrap() }
        });
        let decided = all_at_once(approvals).await;
        let settling = decided
            .iter()
            .filter(|one| matches!(one, Decided::Recorded(held) if held.state == RequestState::Approved))
            .count();
        assert_eq!(settling, 1);
        let recorded = decided
            .iter()
            .filter(|one| matches!(one, Decided::Recorded(_)))
            .count();
        let held = read(&*other, number).await;
        assert_eq!(held.state, RequestState::Approved);
        assert_eq!(held.reviews.len(), recorded);
    }
}
