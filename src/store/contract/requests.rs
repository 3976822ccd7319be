//! The life of a request.

use std::task::{Context, Waker};

use super::*;
use crate::model::RequestState;

pub(crate) async fn a_pending_request_reads_back_as_written(subject: &dyn Subject) {
    let store = with_pending(subject, 1).await;
    let expected = HeldRequest {
        basis: None,
        edits: Vec::new(),
        followup: None,
        asked: request(1),
        state: RequestState::Pending,
        reviews: Vec::new(),
        settled_at: None,
        is_cut: false,
    };
    assert_eq!(store.request(id(1)).await.unwrap(), Some(expected));
    assert_eq!(store.request(id(2)).await.unwrap(), None);
}

pub(crate) async fn a_denied_request_is_final_at_once(subject: &dyn Subject) {
    let store = subject.open().await;
    let asked = NewRequest {
        quorum: Quorum::default(),
        expires_at: start(),
        ..request(1)
    };
    store.insert_denied(&asked, "no WHERE").await.unwrap();
    let expected = HeldRequest {
        basis: None,
        edits: Vec::new(),
        followup: None,
        asked,
        state: RequestState::Denied("no WHERE".to_owned()),
        reviews: Vec::new(),
        settled_at: Some(start()),
        is_cut: false,
    };
    assert_eq!(read(&*store, 1).await, expected);
}

pub(crate) async fn an_id_is_taken_once(subject: &dyn Subject) {
    let store = with_pending(subject, 1).await;
    let again = NewRequest {
        statement: "DROP TABLE orders".to_owned(),
        ..request(1)
    };
    assert!(matches!(
        store.insert_pending(&again).await,
        Err(StoreError::Exists(_))
    ));
    assert!(matches!(
        store.insert_denied(&again, "no").await,
        Err(StoreError::Exists(_))
    ));
    assert_eq!(read(&*store, 1).await.asked, request(1));
}

pub(crate) async fn odd_texts_survive(subject: &dyn Subject) {
    let store = staffed(subject).await;
    let texts = [
        "",
        "\0",
        "a\0b",
        "'; DROP TABLE requests; --",
        "\u{1f512}\u{202e}",
        "\\",
        "%s ? ?1 $1",
        "\r\n\t",
    ];
    for (number, text) in (1..).zip(texts) {
        let mut asked = request(number);
        text.clone_into(&mut asked.statement);
        text.clone_into(&mut asked.origin.application_name);
        asked.parameters[0].value = Some(text.to_owned());
        asked.signals = vec![text.to_owned()];
        store.insert_pending(&asked).await.unwrap();
        let word = Review {
            comment: text.to_owned(),
            ..approval("bob")
        };
        store.decide(id(number), word.clone(), at(5)).await.unwrap();
        let found = read(&*store, number).await;
        assert_eq!(found.asked, asked, "{text:?}");
        assert_eq!(found.reviews, [word], "{text:?}");
    }
    let mut long = request(100);
    long.statement = "x".repeat(3 << 20);
    store.insert_pending(&long).await.unwrap();
    assert_eq!(read(&*store, 100).await.asked, long);
}

pub(crate) async fn an_approval_settles_a_quorum_of_one(subject: &dyn Subject) {
    let store = with_pending(subject, 1).await;
    let decided = store.decide(id(1), approval("bob"), at(5)).await.unwrap();
    let expected = HeldRequest {
        basis: None,
        edits: Vec::new(),
        followup: None,
        asked: request(1),
        state: RequestState::Approved,
        reviews: vec![approval("bob")],
        settled_at: None,
        is_cut: false,
    };
    assert_eq!(decided, Decided::Recorded(expected.clone()));
    assert_eq!(read(&*store, 1).await, expected);
}

pub(crate) async fn a_quorum_of_two_waits_for_the_second_person(subject: &dyn Subject) {
    let store = staffed(subject).await;
    let asked = NewRequest {
        quorum: Quorum::each_of(["dba", "security"]),
        ..request(1)
    };
    store.insert_pending(&asked).await.unwrap();
    let both = |name: &str| review(name, &["dba", "security"], Verdict::Approve);

    let first = store.decide(id(1), both("bob"), at(5)).await.unwrap();
    assert!(
        matches!(&first, Decided::Recorded(held) if held.state == RequestState::Pending && held.reviews == [both("bob")])
    );
    // One person does not make two, however often they say so.
    assert_eq!(
        store.decide(id(1), both("bob"), at(5)).await.unwrap(),
        Decided::AlreadyReviewed
    );
    let last = review("carol", &["dba"], Verdict::Approve);
    let settled = store.decide(id(1), last, at(6)).await.unwrap();
    let Decided::Recorded(held) = settled else {
        panic!("{settled:?}");
    };
    assert_eq!(held.state, RequestState::Approved);
    let reviewers: Vec<_> = held
        .reviews
        .iter()
        .map(|review| review.reviewer.as_str())
        .collect();
    assert_eq!(reviewers, ["bob", "carol"]);
}

pub(crate) async fn a_rejection_settles_whatever_was_approved(subject: &dyn Subject) {
    let store = staffed(subject).await;
    let asked = NewRequest {
        quorum: Quorum::each_of(["dba", "security"]),
        ..request(1)
    };
    store.insert_pending(&asked).await.unwrap();
    store.decide(id(1), approval("bob"), at(5)).await.unwrap();
    store.decide(id(1), rejection("carol"), at(9)).await.unwrap();
    let held = read(&*store, 1).await;
    assert_eq!(held.state, RequestState::Rejected);
    assert_eq!(held.settled_at, Some(at(9)));
    assert_eq!(held.reviews, [approval("bob"), rejection("carol")]);
}

pub(crate) async fn who_approved_may_still_reject(subject: &dyn Subject) {
    let store = staffed(subject).await;
    let asked = NewRequest {
        quorum: Quorum::each_of(["dba", "security"]),
        ..request(1)
    };
    store.insert_pending(&asked).await.unwrap();
    store.decide(id(1), approval("bob"), at(5)).await.unwrap();
    store.decide(id(1), rejection("bob"), at(6)).await.unwrap();
    assert_eq!(state(&*store, 1).await, StateKind::Rejected);
}

pub(crate) async fn an_expired_request_is_not_decided(subject: &dyn Subject) {
    let store = with_pending(subject, 1).await;
    for now in [at(600), at(601)] {
        for word in [approval("bob"), rejection("bob")] {
            assert_eq!(
                store.decide(id(1), word, now).await.unwrap(),
                Decided::AlreadySettled(StateKind::Expired)
            );
        }
    }
    let held = read(&*store, 1).await;
    assert_eq!((held.state, held.reviews), (RequestState::Pending, Vec::new()));
    let just_in_time = at(600) - SignedDuration::from_micros(1);
    store.decide(id(1), approval("bob"), just_in_time).await.unwrap();
    assert_eq!(state(&*store, 1).await, StateKind::Approved);
}

pub(crate) async fn a_verdict_on_nothing_is_not_found(subject: &dyn Subject) {
    let store = subject.open().await;
    assert!(is_not_found(&store.decide(id(1), approval("bob"), at(5)).await));
}

pub(crate) async fn a_settled_request_takes_no_verdict(subject: &dyn Subject) {
    let store = staffed(subject).await;
    for (number, kind) in (1..).zip(StateKind::ALL) {
        bring_to(&*store, number, kind).await;
        if kind == StateKind::Pending {
            continue;
        }
        let before = read(&*store, number).await;
        for word in [approval("dave"), rejection("dave")] {
            assert_eq!(
                store.decide(id(number), word, at(8)).await.unwrap(),
                Decided::AlreadySettled(kind)
            );
        }
        assert_eq!(read(&*store, number).await, before);
    }
}

pub(crate) async fn every_transition_from_every_state(subject: &dyn Subject) {
    let store = subject.open().await;
    let mut number = 0;
    for from in StateKind::ALL {
        for to in [
            StateKind::Expired,
            StateKind::Withdrawn,
            StateKind::Abandoned,
            StateKind::Running,
            StateKind::Executed,
        ] {
            number += 1;
            bring_to(&*store, number, from).await;
            let before = read(&*store, number).await;
            let id = id(number);
            let changed = match to {
                StateKind::Expired => store.expire(id, at(9)).await,
                StateKind::Withdrawn => store.withdraw(id, "why", at(9)).await,
                StateKind::Abandoned => store.abandon(id, "why", at(9)).await,
                StateKind::Running => store.start(id, at(9)).await,
                _ => store.finish(id, outcome(), at(9)).await,
            };
            assert_eq!(changed.unwrap(), from.may_become(to), "{from:?} → {to:?}");
            let after = read(&*store, number).await;
            if from.may_become(to) {
                assert_eq!(after.state.kind(), to);
                assert_eq!(after.settled_at, to.is_final().then(|| at(9)));
            } else {
                assert_eq!(after, before, "{from:?} → {to:?}");
            }
        }
    }
    assert!(!store.start(id(9999), at(9)).await.unwrap());
}

pub(crate) async fn the_outcome_tells_executed_from_failed(subject: &dyn Subject) {
    let store = subject.open().await;
    let unknown = Outcome {
        error: Some("the connection to the server was lost".to_owned()),
        ..outcome()
    };
    let odd = Outcome {
        rows: Some(u64::MAX),
        duration_ms: u64::MAX,
        ..outcome()
    };
    for (number, came, expected) in [
        (1, outcome(), RequestState::Executed(outcome())),
        (2, failure(), RequestState::Failed(failure())),
        (3, unknown.clone(), RequestState::Failed(unknown)),
        (4, odd.clone(), RequestState::Executed(odd)),
    ] {
        bring_to(&*store, number, StateKind::Running).await;
        assert!(store.finish(id(number), came, at(7)).await.unwrap());
        assert_eq!(read(&*store, number).await.state, expected);
    }
}

pub(crate) async fn expiry_takes_what_is_due_and_no_more(subject: &dyn Subject) {
    let store = staffed(subject).await;
    for (number, due) in [(1, 30), (2, 10), (3, 31), (4, 20)] {
        let asked = NewRequest {
            expires_at: at(due),
            ..request(number)
        };
        store.insert_pending(&asked).await.unwrap();
    }
    store.decide(id(4), approval("bob"), at(5)).await.unwrap();
    assert_eq!(store.expire_due(at(9)).await.unwrap(), []);
    assert_eq!(store.expire_due(at(30)).await.unwrap(), [id(2), id(1)]);
    assert_eq!(store.expire_due(at(30)).await.unwrap(), []);
    let expired = read(&*store, 1).await;
    assert_eq!(
        (expired.state, expired.settled_at),
        (RequestState::Expired, Some(at(30)))
    );
    assert_eq!(state(&*store, 3).await, StateKind::Pending);
    assert_eq!(state(&*store, 4).await, StateKind::Approved);
}

pub(crate) async fn a_crash_leaves_nothing_unfinished(subject: &dyn Subject) {
    let store = subject.open().await;
    let unfinished = StateKind::ALL.into_iter().filter(|kind| !kind.is_final()).count();
    for (number, kind) in (1..).zip(StateKind::ALL) {
        bring_to(&*store, number, kind).await;
    }
    let changed = store
        .abandon_all(left_over("holdpoint stopped"), at(50))
        .await
        .unwrap();
    assert_eq!(changed.len(), unfinished);
    for (number, kind) in (1..).zip(StateKind::ALL) {
        let held = read(&*store, number).await;
        assert_eq!(changed.contains(&id(number)), !kind.is_final());
        if kind.is_final() {
            assert_eq!(held.state.kind(), kind);
        } else {
            let why = if kind == StateKind::Running {
                "it ran"
            } else {
                "holdpoint stopped"
            };
            assert_eq!(held.state, RequestState::Abandoned(why.to_owned()));
            assert_eq!(held.settled_at, Some(at(50)));
        }
    }
    assert_eq!(store.abandon_all(left_over("again"), at(51)).await.unwrap(), []);
}

pub(crate) async fn reopening_keeps_everything(subject: &dyn Subject) {
    let store = subject.open().await;
    for (number, kind) in (1..).zip(StateKind::ALL) {
        bring_to(&*store, number, kind).await;
    }
    let mut before = Vec::new();
    for (number, _) in (1..).zip(StateKind::ALL) {
        before.push(read(&*store, number).await);
    }
    drop(store);
    let store = subject.open().await;
    for (number, expected) in (1..).zip(before) {
        assert_eq!(read(&*store, number).await, expected);
    }
}

pub(crate) async fn another_opener_sees_changes_at_once(subject: &dyn Subject) {
    let one = with_pending(subject, 1).await;
    let other = subject.open().await;
    assert_eq!(state(&*other, 1).await, StateKind::Pending);
    other.decide(id(1), approval("bob"), at(5)).await.unwrap();
    assert_eq!(state(&*one, 1).await, StateKind::Approved);
    assert!(one.start(id(1), at(6)).await.unwrap());
    assert!(!other.start(id(1), at(6)).await.unwrap());
    assert_eq!(state(&*other, 1).await, StateKind::Running);
}

pub(crate) async fn the_check_passes(subject: &dyn Subject) {
    let store = subject.open().await;
    store.check().await.unwrap();
    store.check().await.unwrap();
}

pub(crate) async fn a_call_dropped_half_way_leaves_the_store_usable(subject: &dyn Subject) {
    let store = staffed(subject).await;
    let mut context = Context::from_waker(Waker::noop());
    for number in 1..=200 {
        store.insert_pending(&request(number)).await.unwrap();
        let mut deciding = store.decide(id(number), approval("bob"), at(5));
        // Some way in, each time another; a yield lets the other side go on.
        for _ in 0..number % 40 {
            if deciding.as_mut().poll(&mut context).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(deciding);
        let held = read(&*store, number).await;
        let whole = match held.state {
            RequestState::Pending => held.reviews.is_empty(),
            RequestState::Approved => held.reviews.len() == 1,
            _ => false,
        };
        assert!(whole, "{held:?}");
    }
    // Whatever was under way when it was dropped has ended by now, one way or the other.
    store.check().await.unwrap();
    let decided = store.decide(id(200), approval("carol"), at(6)).await.unwrap();
    assert!(matches!(
        decided,
        Decided::Recorded(_) | Decided::AlreadySettled(StateKind::Approved)
    ));
}
