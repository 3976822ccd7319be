#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::approval::Running;
use crate::model::{Clock, RequestState};
use crate::store::Store;
use crate::store::contract::{at, id, outcome, read, request};
use crate::store::sqlite::SqliteStore;

/// A clock that stands still.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        at(5)
    }
}

async fn stage() -> (Broker, Arc<dyn Store>) {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open("sqlite::memory:").await.unwrap());
    let broker = Broker::new(
        Arc::clone(&store),
        Arc::new(Still),
        tokio::runtime::Handle::current(),
    );
    store.insert_pending(&request(1)).await.unwrap();
    (broker, store)
}

#[tokio::test]
async fn what_has_run_does_not_stay_open_where_the_store_has_forgotten_that_it_ran() {
    let (broker, store) = stage().await;
    Running::new(id(1), [7; 32], broker.clone()).finish(outcome());
    broker.drain().await;
    let state = read(&*store, 1).await.state;
    let RequestState::Abandoned(why) = &state else {
        panic!("{state:?}");
    };
    assert!(why.contains("it ran to its end: DELETE 3"), "{why}");
}

#[tokio::test]
async fn what_was_settled_in_another_way_stays_so() {
    let (broker, store) = stage().await;
    assert!(broker.shared.store.withdraw(id(1), "no", at(2)).await.unwrap());
    let other = Outcome {
        error: Some("another".to_owned()),
        ..outcome()
    };
    Running::new(id(1), [7; 32], broker.clone()).finish(other);
    broker.drain().await;
    let state = read(&*store, 1).await.state;
    assert!(
        matches!(&state, RequestState::Withdrawn(why) if why == "no"),
        "{state:?}"
    );
}
