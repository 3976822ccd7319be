//! What becomes of the intent to run that is recorded with the last approval.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::approval::{Asker, Held, Ticket};
use crate::model::{Clock, NewRequest, Outcome, Quorum};
use crate::store::contract::{at, employ, id, outcome, person, read, request, review};
use crate::store::sqlite::SqliteStore;
use crate::store::{Actor, Store, UserChange};

/// A clock that stands still.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        at(5)
    }
}

struct Fixture {
    broker: Broker,
    store: Arc<dyn Store>,
    ticket: Ticket,
}

impl Fixture {
    /// A request that a session waits for.
    async fn new() -> Self {
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open("sqlite::memory:").await.unwrap());
        employ(&*store, &["bob", "carol"]).await;
        let broker = Broker::new(
            Arc::clone(&store),
            Arc::new(Still),
            tokio::runtime::Handle::current(),
        );
        let held = broker.hold(request(1), Asker::default()).await.unwrap();
        let Held::Waits(ticket, None) = held else {
            panic!("{held:?}");
        };
        Self {
            broker,
            store,
            ticket,
        }
    }

    async fn approve(&self) -> HeldRequest {
        let bob = person("bob", &["dba"], false);
        self.broker
            .decide(id(1), &bob, Verdict::Approve, "")
            .await
            .unwrap()
    }

    /// How it stands once all is recorded.
    async fn ended(self) -> RequestState {
        let Self { broker, store, .. } = self;
        broker.drain().await;
        read(&*store, 1).await.state
    }
}

fn taken(news: News) -> Intent {
    match news {
        News::Settled(Settlement::Approved { reviews, digest }, Some(intent)) => {
            assert_eq!((reviews.len(), digest), (1, [7; 32]));
            intent
        }
        other => panic!("{other:?}"),
    }
}

/// Whether it certainly did not run, as whoever looks at it can tell.
fn did_not_run(state: &RequestState) -> bool {
    match state {
        RequestState::Withdrawn(_) => true,
        RequestState::Failed(Outcome { error, .. }) => error.as_ref().unwrap().ends_with("it did not run"),
        _ => false,
    }
}

#[tokio::test]
async fn the_last_approval_brings_the_intent_with_it() {
    let mut one = Fixture::new().await;
    assert_eq!(one.approve().await.state, RequestState::Approved);
    assert_eq!(read(&*one.store, 1).await.state, RequestState::Running);
    let intent = taken(one.ticket.news().await.unwrap());
    let Fixture {
        broker,
        store,
        ticket,
    } = one;
    ticket.run(intent, [7; 32]).finish(outcome());
    broker.drain().await;
    assert_eq!(read(&*store, 1).await.state.kind(), StateKind::Executed);
}

#[tokio::test]
async fn what_waits_elsewhere_is_only_approved() {
    let one = Fixture::new().await;
    one.store.insert_pending(&request(2)).await.unwrap();
    let bob = person("bob", &["dba"], false);
    one.broker
        .decide(id(2), &bob, Verdict::Approve, "")
        .await
        .unwrap();
    assert_eq!(read(&*one.store, 2).await.state, RequestState::Approved);
}

#[tokio::test]
async fn an_intent_that_nobody_takes_over_is_let_go() {
    let mut one = Fixture::new().await;
    one.approve().await;
    drop(one.ticket.news().await.unwrap());
    let state = one.ended().await;
    assert!(did_not_run(&state), "{state:?}");
}

#[tokio::test]
async fn a_session_that_ends_before_it_hears_runs_nothing() {
    let one = Fixture::new().await;
    one.approve().await;
    let Fixture {
        broker,
        store,
        ticket,
    } = one;
    drop(ticket);
    broker.drain().await;
    let state = read(&*store, 1).await.state;
    assert!(did_not_run(&state), "{state:?}");
}

#[tokio::test]
async fn one_that_takes_its_request_back_in_the_same_moment_runs_nothing() {
    let one = Fixture::new().await;
    one.approve().await;
    let Fixture {
        broker,
        store,
        ticket,
    } = one;
    ticket.withdraw("withdrawn by the requester").await.unwrap();
    broker.drain().await;
    let state = read(&*store, 1).await.state;
    assert!(did_not_run(&state), "{state:?}");
}

#[tokio::test]
async fn an_approval_in_the_moment_of_expiry_counts() {
    let mut one = Fixture::new().await;
    one.approve().await;
    let (settlement, intent) = one.ticket.expire().await.unwrap();
    let intent = taken(News::Settled(settlement, intent));
    let Fixture {
        broker,
        store,
        ticket,
    } = one;
    ticket.run(intent, [7; 32]).finish(outcome());
    broker.drain().await;
    assert_eq!(read(&*store, 1).await.state.kind(), StateKind::Executed);
}

/// The commit of this verdict was made, and its answer was lost.
async fn lose_the_answer(one: &Fixture, by: &str, starts: bool) {
    let word = review(by, &["dba"], Verdict::Approve);
    let decided = one.store.decide_seen(id(1), word, 0, starts, at(5)).await;
    assert_eq!(matches!(decided, Ok(Decided::Started(_))), starts, "{decided:?}");
}

/// Bob's proxy looks for his verdict.
fn look(one: &Fixture, starts: bool) {
    let ours = review("bob", &["dba"], Verdict::Approve);
    let no_answer = Err(StoreError::InDoubt("the connection was lost".into()));
    let told = one.broker.announce_decided(id(1), &ours, starts, no_answer);
    assert!(matches!(told, Err(StoreError::InDoubt(_))), "{told:?}");
}

#[tokio::test]
async fn a_verdict_whose_answer_was_lost_is_told_all_the_same() {
    let mut one = Fixture::new().await;
    lose_the_answer(&one, "bob", true).await;
    look(&one, true);
    let intent = taken(one.ticket.news().await.unwrap());
    let Fixture {
        broker,
        store,
        ticket,
    } = one;
    ticket.run(intent, [7; 32]).finish(outcome());
    broker.drain().await;
    assert_eq!(read(&*store, 1).await.state.kind(), StateKind::Executed);
}

#[tokio::test]
async fn what_somebody_else_has_started_is_theirs_to_tell() {
    let one = Fixture::new().await;
    lose_the_answer(&one, "carol", true).await;
    look(&one, true);
    let Fixture {
        broker,
        store,
        ticket,
    } = one;
    broker.drain().await;
    // A second intent would have been let go, and with it what runs.
    assert_eq!(read(&*store, 1).await.state, RequestState::Running);
    drop(ticket);
}

/// As at the approver's proxy, where the session waits at another.
#[tokio::test]
async fn what_its_session_has_started_by_itself_goes_on() {
    let one = Fixture::new().await;
    lose_the_answer(&one, "bob", false).await;
    assert!(one.store.start(id(1), at(5)).await.unwrap());
    look(&one, false);
    let Fixture {
        broker,
        store,
        ticket,
    } = one;
    broker.drain().await;
    assert_eq!(read(&*store, 1).await.state, RequestState::Running);
    drop(ticket);
}

#[tokio::test]
async fn a_verdict_that_was_not_recorded_is_not_told() {
    let one = Fixture::new().await;
    look(&one, true);
    let Fixture {
        broker,
        store,
        mut ticket,
    } = one;
    broker.drain().await;
    assert_eq!(read(&*store, 1).await.state, RequestState::Pending);
    let told = crate::timer::timeout(std::time::Duration::ZERO, ticket.news()).await;
    assert!(told.is_err(), "{told:?}");
}

async fn disable(store: &dyn Store, name: &str) {
    let change = UserChange::disabled(true);
    store
        .change_user(name, &change, Actor::CommandLine)
        .await
        .unwrap();
}

/// What they may was read before.
#[tokio::test]
async fn who_has_left_meanwhile_decides_on_nothing() {
    let mut one = Fixture::new().await;
    disable(&*one.store, "bob").await;
    let bob = person("bob", &["dba"], false);
    for verdict in [Verdict::Approve, Verdict::Reject] {
        let decided = one.broker.decide(id(1), &bob, verdict, "seen").await;
        assert!(
            matches!(&decided, Err(DecideError::NotEntitled { groups }) if *groups == ["dba"]),
            "{decided:?}"
        );
    }
    assert_eq!(read(&*one.store, 1).await.reviews, []);
    let told = crate::timer::timeout(std::time::Duration::ZERO, one.ticket.news()).await;
    assert!(told.is_err(), "{told:?}");
}

#[tokio::test]
async fn who_has_left_is_missing_again() {
    let one = Fixture::new().await;
    let asked = NewRequest {
        quorum: Quorum::each_of(["dba", "owners", "security"]),
        ..request(2)
    };
    one.store.insert_pending(&asked).await.unwrap();
    for (name, group) in [("bob", "dba"), ("carol", "security")] {
        let word = review(name, &[group], Verdict::Approve);
        one.store.decide(id(2), word, at(5)).await.unwrap();
        if name == "bob" {
            disable(&*one.store, name).await;
        }
    }
    let told = news(&read(&*one.store, 2).await);
    let Some(News::Approved { by, missing }) = told else {
        panic!("{told:?}");
    };
    assert_eq!(by.reviewer, "carol");
    assert_eq!(missing, [["dba"], ["owners"]]);
}

#[tokio::test]
async fn a_look_at_what_runs_tells_nobody() {
    let mut one = Fixture::new().await;
    one.approve().await;
    let intent = taken(one.ticket.news().await.unwrap());
    let running = read(&*one.store, 1).await;
    one.broker.announce(&running);
    assert!(news(&running).is_none());
    intent.not_forwarded("it was a test; it did not run");
    let state = one.ended().await;
    assert!(did_not_run(&state), "{state:?}");
}
