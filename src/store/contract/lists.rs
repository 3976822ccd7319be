//! Listing requests.

use super::*;
use crate::store::RequestFilter;

async fn ids(store: &dyn Store, filter: RequestFilter) -> Vec<RequestId> {
    let found = store.requests(filter).await.unwrap();
    found.into_iter().map(|held| held.asked.id).collect()
}

fn first(limit: u32) -> RequestFilter {
    RequestFilter {
        limit,
        ..RequestFilter::default()
    }
}

async fn insert_at(store: &dyn Store, number: u64, seconds: i64) {
    let asked = NewRequest {
        created_at: at(seconds),
        ..request(number)
    };
    store.insert_pending(&asked).await.unwrap();
}

pub(crate) async fn the_newest_comes_first(subject: &dyn Subject) {
    let store = subject.open().await;
    for (number, seconds) in [(1, 3), (2, 1), (3, 2)] {
        insert_at(&*store, number, seconds).await;
    }
    assert_eq!(ids(&*store, first(10)).await, [id(1), id(3), id(2)]);
    assert_eq!(ids(&*store, first(2)).await, [id(1), id(3)]);
    assert_eq!(ids(&*store, first(0)).await, []);
}

pub(crate) async fn pages_join_without_gap_or_overlap(subject: &dyn Subject) {
    let store = subject.open().await;
    // Three at a time arrive in the same microsecond.
    for number in 0_u32..20 {
        insert_at(&*store, u64::from(number), i64::from(number / 3)).await;
    }
    let whole = ids(&*store, first(100)).await;
    assert_eq!(whole.len(), 20);
    let mut paged = Vec::new();
    let mut filter = first(3);
    loop {
        let page = ids(&*store, filter.clone()).await;
        let Some(&last) = page.last() else { break };
        paged.extend(page);
        filter.before = Some(last);
    }
    assert_eq!(paged, whole);
}

pub(crate) async fn a_page_before_an_unknown_request_is_not_found(subject: &dyn Subject) {
    let store = with_pending(subject, 1).await;
    let filter = RequestFilter {
        before: Some(id(2)),
        ..first(10)
    };
    assert!(is_not_found(&store.requests(filter).await));
}

pub(crate) async fn states_filter(subject: &dyn Subject) {
    let store = subject.open().await;
    for (number, kind) in (1..).zip(StateKind::ALL) {
        bring_to(&*store, number, kind).await;
    }
    for (number, kind) in (1..).zip(StateKind::ALL) {
        let filter = RequestFilter {
            states: vec![kind],
            ..first(10)
        };
        assert_eq!(ids(&*store, filter).await, [id(number)]);
    }
    let filter = RequestFilter {
        states: vec![StateKind::Pending, StateKind::Denied],
        ..first(10)
    };
    assert_eq!(ids(&*store, filter).await.len(), 2);
}

pub(crate) async fn who_asked_where_and_when_filters(subject: &dyn Subject) {
    let store = subject.open().await;
    for (number, user, database, effect) in [
        (1, "alice", "shop", Effect::Write),
        (2, "dave", "shop", Effect::Schema),
        (3, "alice", "billing", Effect::Unknown),
        (4, "Alice", "SHOP", Effect::Write),
    ] {
        let mut asked = request(number);
        user.clone_into(&mut asked.origin.user);
        database.clone_into(&mut asked.origin.database);
        asked.effect = effect;
        asked.created_at = at(i64::try_from(number).unwrap());
        store.insert_pending(&asked).await.unwrap();
    }
    let (any, all) = (None::<&str>, &[][..]);
    let (some, others) = ([Effect::Write], [Effect::Schema, Effect::Unknown]);
    for (user, database, effects, since, until, expected) in [
        (Some("alice"), any, all, None, None, &[3, 1][..]),
        (Some("al%"), any, all, None, None, &[]),
        (any, Some("shop"), all, None, None, &[2, 1]),
        (Some("alice"), Some("shop"), all, None, None, &[1]),
        (any, any, &some[..], None, None, &[4, 1]),
        (any, any, &others, None, None, &[3, 2]),
        (any, any, all, Some(3), None, &[4, 3]),
        (any, any, all, None, Some(3), &[2, 1]),
        (any, any, all, Some(2), Some(4), &[3, 2]),
        (Some("alice"), any, &others, Some(2), Some(4), &[3]),
    ] {
        let filter = RequestFilter {
            user: user.map(str::to_owned),
            database: database.map(str::to_owned),
            effects: effects.to_vec(),
            since: since.map(at),
            until: until.map(at),
            ..first(10)
        };
        let expected: Vec<_> = expected.iter().map(|&number| id(number)).collect();
        assert_eq!(ids(&*store, filter.clone()).await, expected, "{filter:?}");
    }
    let older = RequestFilter {
        user: Some("alice".to_owned()),
        before: Some(id(3)),
        ..first(10)
    };
    assert_eq!(ids(&*store, older).await, [id(1)]);
}

pub(crate) async fn people_see_what_concerns_them(subject: &dyn Subject) {
    let store = subject.open().await;
    for (number, asker, needed) in [
        (1, "alice", &["dba"][..]),
        (2, "dave", &["dba", "security"]),
        (3, "dave", &["security"]),
        (4, "dave", &[]),
    ] {
        let mut asked = request(number);
        asker.clone_into(&mut asked.origin.user);
        asked.quorum = Quorum::each_of(needed.iter().copied());
        asked.created_at = at(i64::try_from(number).unwrap());
        store.insert_pending(&asked).await.unwrap();
    }
    for (who, expected) in [
        (person("alice", &[], false), &[1][..]),
        (person("bob", &["dba", "ops"], false), &[2, 1]),
        (person("alice", &["security"], false), &[3, 2, 1]),
        (person("eve", &["db", "dba ", "DBA", "d%"], false), &[]),
        (person("root", &[], true), &[4, 3, 2, 1]),
    ] {
        let expected: Vec<_> = expected.iter().map(|&number| id(number)).collect();
        let filter = RequestFilter {
            visible_to: Some(who.clone()),
            ..first(10)
        };
        assert_eq!(ids(&*store, filter.clone()).await, expected, "{who:?}");
        // With everything else at the same time.
        let filter = RequestFilter {
            states: vec![StateKind::Pending],
            before: expected.first().copied(),
            ..filter
        };
        if expected.is_empty() {
            continue;
        }
        assert_eq!(ids(&*store, filter).await, expected[1..], "{who:?}");
    }
}

pub(crate) async fn lists_carry_reviews(subject: &dyn Subject) {
    let store = subject.open().await;
    bring_to(&*store, 1, StateKind::Approved).await;
    bring_to(&*store, 2, StateKind::Pending).await;
    bring_to(&*store, 3, StateKind::Rejected).await;
    for held in store.requests(first(10)).await.unwrap() {
        assert_eq!(store.request(held.asked.id).await.unwrap(), Some(held));
    }
}

pub(crate) async fn a_list_cuts_what_is_long(subject: &dyn Subject) {
    let store = subject.open().await;
    let mut long = request(1);
    long.statement = "\u{e4}".repeat(65_537);
    let mut many = request(2);
    many.parameters[0].value = Some("x".repeat(65_537));
    let mut fits = request(3);
    fits.statement = "\u{e4}".repeat(65_536);
    for asked in [&long, &many, &fits] {
        store.insert_pending(asked).await.unwrap();
    }
    let listed = store.requests(first(10)).await.unwrap();
    let listed = |number| listed.iter().find(|held| held.asked.id == id(number)).unwrap();
    assert_eq!(listed(1).asked.statement, "\u{e4}".repeat(65_536));
    assert_eq!(
        (listed(1).asked.parameters.clone(), listed(1).is_cut),
        (long.parameters.clone(), true)
    );
    assert_eq!((listed(2).asked.parameters.len(), listed(2).is_cut), (0, true));
    assert_eq!((&listed(3).asked, listed(3).is_cut), (&fits, false));
    for (number, asked) in [(1, long), (2, many)] {
        let found = read(&*store, number).await;
        assert_eq!((found.asked, found.is_cut), (asked, false));
    }
}
