//! Who was disabled, or has left a group, while what they say was on its way, or after they had said it.

use super::grants::{grant, recorded, standing, window};
use super::model::edit;
use super::*;
use crate::model::{Basis, GrantState, NewGrant, RequestState};
use crate::store::{FollowedUp, GrantDecided, Grounds, UserChange};

/// How somebody ceases to stand for dba.
fn ways_out() -> [UserChange; 2] {
    let leaves = UserChange {
        leave: groups(&["dba"]),
        ..UserChange::default()
    };
    [UserChange::disabled(true), leaves]
}

async fn change(store: &dyn Store, name: &str, change: UserChange) {
    store
        .change_user(name, &change, Actor::CommandLine)
        .await
        .unwrap();
}

async fn comes_back(store: &dyn Store, name: &str) {
    let back = UserChange {
        join: groups(&["dba"]),
        ..UserChange::disabled(false)
    };
    change(store, name, back).await;
}

/// A request that a member of each of these groups must approve.
fn asks(number: u64, needed: &[&str]) -> NewRequest {
    NewRequest {
        quorum: Quorum::each_of(needed.iter().copied()),
        ..request(number)
    }
}

fn approval_for(reviewer: &str, stands_for: &[&str]) -> Review {
    review(reviewer, stands_for, Verdict::Approve)
}

/// What a verdict has left of a request that it was recorded for.
async fn decided(store: &dyn Store, number: u64, word: Review) -> HeldRequest {
    match store.decide(id(number), word, at(6)).await.unwrap() {
        Decided::Recorded(held) => held,
        other => panic!("{other:?}"),
    }
}

fn not_entitled() -> Decided {
    Decided::NotEntitled {
        groups: groups(&["dba"]),
    }
}

pub(crate) async fn who_has_left_decides_on_nothing(subject: &dyn Subject) {
    let store = with_pending(subject, 1).await;
    for way in ways_out() {
        change(&*store, "bob", way).await;
        for word in [approval("bob"), rejection("bob"), approval("nobody")] {
            let decided = store.decide(id(1), word, at(5)).await;
            assert_eq!(decided.unwrap(), not_entitled());
        }
        comes_back(&*store, "bob").await;
    }
    assert_eq!(read(&*store, 1).await.reviews, []);
    assert_eq!(
        decided(&*store, 1, approval("bob")).await.state,
        RequestState::Approved
    );
}

pub(crate) async fn who_has_left_changes_nothing(subject: &dyn Subject) {
    let store = with_pending(subject, 1).await;
    for way in ways_out() {
        change(&*store, "bob", way).await;
        let edited = store.edit(id(1), edit(0, 1), approval("bob"), 0, false, at(5));
        assert_eq!(edited.await.unwrap(), not_entitled());
        comes_back(&*store, "bob").await;
    }
    let held = read(&*store, 1).await;
    assert_eq!((held.edits.len(), held.reviews.len()), (0, 0));
    let edited = store.edit(id(1), edit(0, 1), approval("bob"), 0, false, at(5));
    assert!(matches!(edited.await, Ok(Decided::Recorded(_))));
}

pub(crate) async fn a_verdict_is_for_the_groups_that_are_left(subject: &dyn Subject) {
    let store = staffed(subject).await;
    let [_, leaves] = ways_out();
    change(&*store, "bob", leaves).await;
    store
        .insert_pending(&asks(1, &["dba", "security"]))
        .await
        .unwrap();
    let held = decided(&*store, 1, approval_for("bob", &["dba", "security"])).await;
    assert_eq!(held.reviews, [approval_for("bob", &["security"])]);
    assert_eq!(read(&*store, 1).await, held);
    let held = decided(&*store, 1, approval("carol")).await;
    assert_eq!(held.state, RequestState::Approved);
}

/// Nobody is missing then, and nothing would bring it about but one of them.
pub(crate) async fn who_comes_back_counts_again(subject: &dyn Subject) {
    let store = staffed(subject).await;
    let [_, leaves] = ways_out();
    store
        .insert_pending(&asks(1, &["dba", "security"]))
        .await
        .unwrap();
    decided(&*store, 1, approval("bob")).await;
    change(&*store, "bob", leaves).await;
    let held = decided(&*store, 1, approval_for("carol", &["security"])).await;
    assert_eq!(held.state, RequestState::Pending);
    for who in ["bob", "carol"] {
        let again = store.decide(id(1), approval_for(who, &["security"]), at(6)).await;
        assert_eq!(again.unwrap(), Decided::AlreadyReviewed, "{who}");
    }
    comes_back(&*store, "bob").await;
    let held = decided(&*store, 1, approval("bob")).await;
    assert_eq!(held.state, RequestState::Approved);
    assert_eq!(held.reviews.len(), 2, "each is there once");
    assert_eq!(read(&*store, 1).await.state, RequestState::Approved);
}

pub(crate) async fn who_has_left_fills_no_seat(subject: &dyn Subject) {
    let store = staffed(subject).await;
    for (number, way) in (1..).zip(ways_out()) {
        store
            .insert_pending(&asks(number, &["dba", "owners", "security"]))
            .await
            .unwrap();
        decided(&*store, number, approval("bob")).await;
        change(&*store, "bob", way).await;
        decided(&*store, number, approval_for("carol", &["security"])).await;
        let held = decided(&*store, number, approval_for("frank", &["owners"])).await;
        assert_eq!(held.state, RequestState::Pending, "all three have approved");
        assert_eq!(
            held.approvers(),
            [groups(&[]), groups(&["security"]), groups(&["owners"])]
        );
        // It stays in the record.
        assert_eq!(
            (&held.reviews[0].groups, held.reviews[0].is_lapsed()),
            (&groups(&["dba"]), true)
        );
        assert_eq!(read(&*store, number).await, held);
        let held = decided(&*store, number, approval("dan")).await;
        assert_eq!(held.state, RequestState::Approved);
        comes_back(&*store, "bob").await;
    }
    // Who has come back counts again.
    store
        .insert_pending(&asks(9, &["dba", "security"]))
        .await
        .unwrap();
    decided(&*store, 9, approval("bob")).await;
    change(&*store, "bob", UserChange::disabled(true)).await;
    comes_back(&*store, "bob").await;
    let held = decided(&*store, 9, approval_for("carol", &["security"])).await;
    assert_eq!(held.state, RequestState::Approved);
}

pub(crate) async fn who_has_left_one_of_their_groups_sits_for_the_other(subject: &dyn Subject) {
    let store = staffed(subject).await;
    for (number, second, expected) in [
        (1, "dba", RequestState::Approved),
        (2, "security", RequestState::Pending),
    ] {
        store
            .insert_pending(&asks(number, &["dba", "security"]))
            .await
            .unwrap();
        decided(&*store, number, approval_for("bob", &["dba", "security"])).await;
        let [_, leaves] = ways_out();
        change(&*store, "bob", leaves).await;
        let held = decided(&*store, number, approval_for("carol", &[second])).await;
        assert_eq!(held.state, expected, "{second}");
        assert_eq!(held.reviews[0].lapsed, ["dba"]);
        comes_back(&*store, "bob").await;
    }
}

pub(crate) async fn what_was_decided_stays_so(subject: &dyn Subject) {
    let store = with_pending(subject, 1).await;
    decided(&*store, 1, approval("bob")).await;
    let before = read(&*store, 1).await;
    change(&*store, "bob", UserChange::disabled(true)).await;
    assert_eq!(read(&*store, 1).await, before);
    assert!(store.start(id(1), at(7)).await.unwrap());
}

pub(crate) async fn who_has_left_looks_at_nothing_afterwards(subject: &dyn Subject) {
    let store = staffed(subject).await;
    let grounds = Grounds {
        bypass: Some(&Basis::BreakGlass),
        groups: &[],
        counts_rows: false,
    };
    store.place(&request(1), grounds).await.unwrap();
    for way in ways_out() {
        change(&*store, "bob", way).await;
        let followed = store.follow_up(id(1), &approval("bob")).await;
        assert_eq!(followed.unwrap(), FollowedUp::NotEntitled);
        comes_back(&*store, "bob").await;
    }
    assert_eq!(read(&*store, 1).await.followup, None);
    let followed = store
        .follow_up(id(1), &approval_for("bob", &["dba", "auditors"]))
        .await;
    assert_eq!(followed.unwrap(), FollowedUp::Recorded);
    change(&*store, "bob", UserChange::disabled(true)).await;
    assert_eq!(read(&*store, 1).await.followup, Some(approval("bob")));
}

pub(crate) async fn who_has_left_allows_nothing(subject: &dyn Subject) {
    let store = staffed(subject).await;
    store.insert_grant(&window(1), None).await.unwrap();
    for way in ways_out() {
        change(&*store, "bob", way).await;
        let given = store.insert_grant(&standing(2), Some(&approval("bob"))).await;
        assert_eq!(given.unwrap(), None);
        assert_eq!(store.grant(id(2)).await.unwrap(), None);
        for word in [approval("bob"), rejection("bob")] {
            let decided = store.review_grant(id(1), &word, None, at(20)).await;
            assert_eq!(decided.unwrap(), GrantDecided::NotEntitled);
        }
        comes_back(&*store, "bob").await;
    }
    let found = grant(&*store, 1).await;
    assert_eq!((found.state, found.reviews), (GrantState::Pending, Vec::new()));
}

pub(crate) async fn who_has_left_fills_no_seat_of_a_grant(subject: &dyn Subject) {
    let store = staffed(subject).await;
    for (number, way) in (1..).zip(ways_out()) {
        let asked = NewGrant {
            quorum: Quorum::each_of(["dba", "security"]),
            ..standing(number)
        };
        store.insert_grant(&asked, Some(&approval("bob"))).await.unwrap();
        change(&*store, "bob", way).await;
        let word = approval_for("carol", &["security"]);
        let found = recorded(store.review_grant(id(number), &word, None, at(20)).await.unwrap());
        assert_eq!(found.state, GrantState::Pending, "both have approved");
        assert_eq!(found.approvers(), [groups(&[]), groups(&["security"])]);
        let word = approval("dan");
        let found = recorded(store.review_grant(id(number), &word, None, at(30)).await.unwrap());
        assert_eq!((found.state, found.reviews.len()), (GrantState::Active, 3));
        comes_back(&*store, "bob").await;
    }
}
