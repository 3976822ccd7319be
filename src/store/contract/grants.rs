//! The life of a grant.

use std::time::Duration;

use super::*;
use crate::model::{Grant, GrantKind, GrantState, Holder, NewGrant, Scope, Shape};
use crate::store::{GrantDecided, GrantEnd, GrantFilter};

pub(super) const HOUR: Duration = Duration::from_hours(1);

/// alice asks to write for an hour, with a member of dba who must approve within ten minutes of [`start`].
pub(super) fn window(number: u64) -> NewGrant {
    NewGrant {
        id: id(number),
        holder: Holder::User("alice".to_owned()),
        database: "shop".to_owned(),
        scope: Scope::Window { up_to: Effect::Write },
        justification: Some("incident 42".to_owned()),
        ticket: Some("OPS-42".to_owned()),
        length: HOUR,
        times: None,
        max_rows: None,
        rule: "on call".to_owned(),
        quorum: Quorum::each_of(["dba"]),
        self_approval: false,
        asked_by: "alice".to_owned(),
        created_at: start(),
        expires_at: at(600),
    }
}

/// bob allows alice statements like [`like`].
pub(crate) fn standing(number: u64) -> NewGrant {
    let example = like(number);
    NewGrant {
        scope: Scope::Shape {
            shape: example.shape.unwrap(),
            effect: example.effect,
            tables: example.tables,
            functions: example.functions,
            command: example.command,
            statement: example.statement,
            request: example.id,
        },
        justification: None,
        ticket: None,
        times: Some(2),
        rule: example.rule,
        asked_by: "bob".to_owned(),
        ..window(number)
    }
}

/// A request with a shape, half a minute after [`start`].
pub(super) fn like(number: u64) -> NewRequest {
    NewRequest {
        shape: Some(Shape::new([9; 32])),
        created_at: at(30),
        expires_at: at(630),
        ..request(number)
    }
}

/// Records a grant that counts from the fifth second on: bob approves.
pub(super) async fn active(store: &dyn Store, asked: NewGrant) -> Grant {
    employ(store, &["bob"]).await;
    let grant = store.insert_grant(&asked, Some(&approval("bob"))).await.unwrap();
    let grant = grant.unwrap();
    assert_eq!(grant.state, GrantState::Active);
    grant
}

pub(super) async fn grant(store: &dyn Store, number: u64) -> Grant {
    store.grant(id(number)).await.unwrap().unwrap()
}

fn pending(asked: NewGrant) -> Grant {
    Grant {
        asked,
        state: GrantState::Pending,
        reviews: Vec::new(),
        span: None,
        used: 0,
        settled_at: None,
        settled_by: None,
        note: None,
    }
}

pub(super) fn recorded(decided: GrantDecided) -> Grant {
    let GrantDecided::Recorded(grant) = decided else {
        panic!("{decided:?}");
    };
    *grant
}

pub(crate) async fn a_grant_reads_back_as_written(subject: &dyn Subject) {
    let store = subject.open().await;
    let group = NewGrant {
        holder: Holder::Group("developers".to_owned()),
        quorum: Quorum::new(&[], &groups(&["dba", "security"]), 2),
        self_approval: true,
        max_rows: Some(1_000_000_000),
        ..standing(2)
    };
    for asked in [window(1), group] {
        let expected = Some(pending(asked.clone()));
        assert_eq!(store.insert_grant(&asked, None).await.unwrap(), expected);
        assert_eq!(subject.open().await.grant(asked.id).await.unwrap(), expected);
    }
    assert_eq!(store.grant(id(3)).await.unwrap(), None);
}

pub(crate) async fn an_id_of_a_grant_is_taken_once(subject: &dyn Subject) {
    let store = staffed(subject).await;
    store.insert_grant(&window(1), None).await.unwrap();
    let again = store.insert_grant(&standing(1), Some(&approval("bob"))).await;
    assert!(matches!(again, Err(StoreError::Exists(_))));
    assert_eq!(grant(&*store, 1).await, pending(window(1)));
}

pub(crate) async fn a_first_verdict_that_is_enough_makes_it_count(subject: &dyn Subject) {
    let store = staffed(subject).await;
    let one = active(&*store, standing(1)).await;
    assert_eq!(one.reviews, [approval("bob")]);
    assert_eq!(one.span, Some((at(5), at(3_605))));
    let two = NewGrant {
        quorum: Quorum::each_of(["dba", "security"]),
        ..standing(2)
    };
    let two = store.insert_grant(&two, Some(&approval("bob"))).await.unwrap();
    let two = two.unwrap();
    assert_eq!((two.state, two.span), (GrantState::Pending, None));
    assert_eq!(two.reviews, [approval("bob")]);
}

pub(crate) async fn a_grant_waits_for_its_quorum_and_counts_from_then(subject: &dyn Subject) {
    let store = staffed(subject).await;
    let asked = NewGrant {
        quorum: Quorum::each_of(["dba", "security"]),
        ..window(1)
    };
    store.insert_grant(&asked, None).await.unwrap();
    let review_of = review("carol", &["security"], Verdict::Approve);
    let first = store.review_grant(id(1), &review_of, None, at(20)).await.unwrap();
    assert_eq!(recorded(first).state, GrantState::Pending);
    let second = store
        .review_grant(id(1), &approval("bob"), None, at(60))
        .await
        .unwrap();
    let grant = recorded(second);
    assert_eq!(grant.state, GrantState::Active);
    assert_eq!(grant.span, Some((at(60), at(3_660))));
    assert_eq!(grant.settled_at, None);
    let nothing = store.review_grant(id(9), &approval("bob"), None, at(60)).await;
    assert!(is_not_found(&nothing));
}

pub(crate) async fn a_grant_is_made_shorter_and_never_longer(subject: &dyn Subject) {
    let store = staffed(subject).await;
    for (number, length, expected) in [
        (1, Duration::from_mins(10), Duration::from_mins(10)),
        (2, HOUR * 2, HOUR),
    ] {
        store.insert_grant(&window(number), None).await.unwrap();
        let decided = store
            .review_grant(id(number), &approval("bob"), Some(length), at(20))
            .await
            .unwrap();
        let grant = recorded(decided);
        assert_eq!(grant.asked.length, expected);
        let ends = at(20) + SignedDuration::try_from(expected).unwrap();
        assert_eq!(grant.span, Some((at(20), ends)));
    }
}

pub(crate) async fn a_settled_grant_takes_no_verdict(subject: &dyn Subject) {
    let store = staffed(subject).await;
    store.insert_grant(&window(1), None).await.unwrap();
    let decided = store
        .review_grant(id(1), &rejection("bob"), None, at(20))
        .await
        .unwrap();
    let rejected = recorded(decided);
    assert_eq!(rejected.state, GrantState::Rejected);
    assert_eq!((rejected.settled_at, rejected.span), (Some(at(20)), None));
    // Its time to be decided on is over, and nobody has swept.
    store.insert_grant(&window(2), None).await.unwrap();
    active(&*store, window(3)).await;
    for (number, state) in [
        (1, GrantState::Rejected),
        (2, GrantState::Expired),
        (3, GrantState::Active),
    ] {
        for word in [approval("carol"), rejection("carol")] {
            let decided = store
                .review_grant(id(number), &word, None, at(600))
                .await
                .unwrap();
            assert_eq!(decided, GrantDecided::AlreadySettled(state));
        }
    }
    assert_eq!(grant(&*store, 2).await, pending(window(2)));
}

pub(crate) async fn an_approver_counts_once_and_may_still_reject(subject: &dyn Subject) {
    let store = staffed(subject).await;
    let asked = NewGrant {
        quorum: Quorum::new(&groups(&["dba"]), &[], 2),
        ..window(1)
    };
    store.insert_grant(&asked, Some(&approval("bob"))).await.unwrap();
    let again = store
        .review_grant(id(1), &approval("bob"), None, at(20))
        .await
        .unwrap();
    assert_eq!(again, GrantDecided::AlreadyReviewed);
    let rejected = store
        .review_grant(id(1), &rejection("bob"), None, at(20))
        .await
        .unwrap();
    let rejected = recorded(rejected);
    assert_eq!(rejected.state, GrantState::Rejected);
    assert_eq!(rejected.reviews, [approval("bob"), rejection("bob")]);
}

pub(crate) async fn a_grant_is_taken_back_in_its_state_only(subject: &dyn Subject) {
    let store = subject.open().await;
    store.insert_grant(&window(1), None).await.unwrap();
    active(&*store, window(2)).await;
    let end = |number, end| {
        let store = store.clone();
        async move {
            store
                .end_grant(id(number), end, "carol", "not needed", at(40))
                .await
                .unwrap()
        }
    };
    assert!(!end(1, GrantEnd::Revoked).await);
    assert!(!end(2, GrantEnd::Withdrawn).await);
    assert!(!end(9, GrantEnd::Revoked).await);
    for (number, how, state) in [
        (1, GrantEnd::Withdrawn, GrantState::Withdrawn),
        (2, GrantEnd::Revoked, GrantState::Revoked),
    ] {
        assert!(end(number, how).await);
        assert!(!end(number, how).await);
        let grant = grant(&*store, number).await;
        assert_eq!((grant.state, grant.settled_at), (state, Some(at(40))));
        assert_eq!(grant.settled_by.as_deref(), Some("carol"));
        assert_eq!(grant.note.as_deref(), Some("not needed"));
    }
    // What has had its time is not revoked any more.
    active(&*store, window(3)).await;
    let late = store.end_grant(id(3), GrantEnd::Revoked, "carol", "", at(3_605));
    assert!(!late.await.unwrap());
}

pub(crate) async fn what_has_had_its_time_is_swept(subject: &dyn Subject) {
    let store = subject.open().await;
    store.insert_grant(&window(1), None).await.unwrap();
    active(&*store, window(2)).await;
    let later = NewGrant {
        expires_at: at(7_200),
        ..window(3)
    };
    store.insert_grant(&later, None).await.unwrap();
    assert_eq!(store.sweep_grants(at(599)).await.unwrap(), []);
    assert_eq!(store.sweep_grants(at(600)).await.unwrap(), [id(1)]);
    assert_eq!(store.sweep_grants(at(3_604)).await.unwrap(), []);
    assert_eq!(store.sweep_grants(at(3_605)).await.unwrap(), [id(2)]);
    assert_eq!(store.sweep_grants(at(3_605)).await.unwrap(), []);
    let states = [1, 2, 3].map(|number| (number, store.clone()));
    let mut found = Vec::new();
    for (number, store) in states {
        found.push(grant(&*store, number).await.state);
    }
    assert_eq!(
        found,
        [GrantState::Expired, GrantState::Ended, GrantState::Pending]
    );
}

fn ids(grants: &[Grant]) -> Vec<RequestId> {
    grants.iter().map(|grant| grant.asked.id).collect()
}

pub(crate) async fn grants_are_filtered_and_paged(subject: &dyn Subject) {
    let store = staffed(subject).await;
    for number in 1..=6 {
        let asked = NewGrant {
            created_at: at(i64::try_from(number).unwrap() / 2),
            ..if number % 2 == 0 {
                window(number)
            } else {
                standing(number)
            }
        };
        let first = (number > 3).then(|| approval("bob"));
        store.insert_grant(&asked, first.as_ref()).await.unwrap();
    }
    let find = |filter: GrantFilter| {
        let store = store.clone();
        async move { ids(&store.grants(&filter).await.unwrap()) }
    };
    let all = GrantFilter {
        limit: 10,
        ..GrantFilter::default()
    };
    let newest = find(all.clone()).await;
    assert_eq!(newest.len(), 6);
    let windows = GrantFilter {
        kind: Some(GrantKind::Window),
        ..all.clone()
    };
    assert_eq!(find(windows).await, [id(6), id(4), id(2)]);
    let waiting = GrantFilter {
        states: vec![GrantState::Pending, GrantState::Rejected],
        ..all.clone()
    };
    let waiting = find(waiting).await;
    assert_eq!(waiting.len(), 3);
    assert!([1, 2, 3].map(id).iter().all(|one| waiting.contains(one)));
    let mut pages = Vec::new();
    let mut before = None;
    loop {
        let page = GrantFilter {
            before,
            limit: 2,
            ..all.clone()
        };
        let page = find(page).await;
        before = page.last().copied();
        pages.extend(page);
        if before.is_none() {
            break;
        }
    }
    assert_eq!(pages, newest);
}

pub(crate) async fn people_see_grants_that_concern_them(subject: &dyn Subject) {
    let store = subject.open().await;
    store.insert_grant(&window(1), None).await.unwrap();
    let of_group = NewGrant {
        holder: Holder::Group("developers".to_owned()),
        asked_by: "bob".to_owned(),
        quorum: Quorum::each_of(["security"]),
        created_at: at(1),
        ..standing(2)
    };
    store.insert_grant(&of_group, None).await.unwrap();
    for (who, seen) in [
        (person("alice", &[], false), vec![id(1)]),
        (person("alice", &["developers"], false), vec![id(2), id(1)]),
        (person("bob", &[], false), vec![id(2)]),
        (person("dan", &["dba"], false), vec![id(1)]),
        (person("sue", &["security"], false), vec![id(2)]),
        (person("eve", &["ops"], false), vec![]),
        (person("ruth", &[], true), vec![id(2), id(1)]),
    ] {
        let filter = GrantFilter {
            visible_to: Some(who.clone()),
            limit: 10,
            ..GrantFilter::default()
        };
        assert_eq!(ids(&store.grants(&filter).await.unwrap()), seen, "{who:?}");
    }
}
