#![expect(clippy::unwrap_used, reason = "tests")]

use jiff::Timestamp;

use super::*;
use crate::model::ObservedDecision;
use crate::store::sqlite::SqliteStore;
use crate::store::{ObservationQuery, ObservationStore as _};

/// A clock that stands still.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }
}

fn observation(statement: &str) -> Observation {
    Observation {
        database: "shop".to_owned(),
        user: "alice".to_owned(),
        groups: vec!["developers".to_owned()],
        application_name: String::new(),
        client_addr: None,
        statement: statement.to_owned(),
        facts: vec![Facts::unknown("?")],
        decision: ObservedDecision::Allow,
        rules: Vec::new(),
    }
}

async fn setup(max_rows: u64) -> (Arc<SqliteStore>, Observer) {
    let store = Arc::new(SqliteStore::open("sqlite::memory:").await.unwrap());
    let limits = ObserverLimits {
        keep: Duration::from_hours(24),
        max_rows,
    };
    let shared: Arc<dyn Store> = Arc::clone(&store) as Arc<dyn Store>;
    (store, Observer::new(shared, Arc::new(Still), limits))
}

async fn counts(store: &SqliteStore) -> Vec<(String, u64)> {
    let query = ObservationQuery {
        since: Timestamp::UNIX_EPOCH,
        database: None,
        user: None,
        after: 0,
        limit: 100_000,
    };
    let found = store.observations(&query).await.unwrap();
    let mut counts: Vec<_> = found
        .into_iter()
        .map(|stored| (stored.sightings.observation.statement, stored.sightings.count))
        .collect();
    counts.sort();
    counts
}

#[tokio::test]
async fn the_same_is_counted_before_it_is_written() {
    let (store, observer) = setup(100).await;
    for statement in ["a", "b", "a", "a"] {
        observer.observe(observation(statement));
    }
    assert!(counts(&store).await.is_empty());
    assert_eq!(observer.flush().await.unwrap(), 0);
    observer.observe(observation("a"));
    assert_eq!(observer.flush().await.unwrap(), 0);
    assert_eq!(counts(&store).await, [("a".to_owned(), 4), ("b".to_owned(), 1)]);
    assert_eq!(observer.buffer().bytes, 0);
}

#[tokio::test]
async fn a_full_buffer_counts_what_it_loses_and_what_it_knows() {
    let (store, observer) = setup(100_000).await;
    for number in 0..MOST_ENTRIES + 3 {
        observer.observe(observation(&number.to_string()));
    }
    observer.observe(observation("0"));
    assert_eq!(observer.lost(), 3);
    assert_eq!(observer.lost(), 0);
    observer.flush().await.unwrap();
    assert_eq!(counts(&store).await.len(), MOST_ENTRIES);
    let large = "x".repeat(crate::model::observation::STATEMENT_LIMIT);
    for number in 0..MOST_BYTES / large.len() + 3 {
        observer.observe(observation(&format!("{number}{large}")));
    }
    assert!(observer.lost() >= 3);
}

#[tokio::test]
async fn what_the_store_has_no_room_for_is_told() {
    let (store, observer) = setup(1).await;
    observer.observe(observation("a"));
    assert_eq!(observer.flush().await.unwrap(), 0);
    for statement in ["a", "b", "b"] {
        observer.observe(observation(statement));
    }
    assert_eq!(observer.flush().await.unwrap(), 2);
    assert_eq!(counts(&store).await, [("a".to_owned(), 2)]);
}

#[tokio::test]
async fn what_the_store_does_not_take_is_tried_again() {
    let (store, observer) = setup(100).await;
    observer.observe(observation("a"));
    store.close().await;
    observer.flush().await.unwrap_err();
    observer.observe(observation("a"));
    let taken = observer.buffer().take();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].1.count, 2);
}

#[tokio::test]
async fn the_rest_is_written_at_the_end_and_the_old_forgotten() {
    let (store, observer) = setup(100).await;
    let old = Sightings::once(observation("old"), Timestamp::UNIX_EPOCH);
    store.record_observations(&[old], 100).await.unwrap();
    let stopping = CancellationToken::new();
    let recording = tokio::spawn(record_observed(observer.clone(), stopping.clone()));
    while !counts(&store).await.is_empty() {
        tokio::task::yield_now().await;
    }
    observer.observe(observation("a"));
    stopping.cancel();
    recording.await.unwrap();
    assert_eq!(counts(&store).await, [("a".to_owned(), 1)]);
}

#[test]
fn rows_are_as_many_as_are_written_in_time() {
    let ms = Duration::from_millis;
    for (at_once, rows, took, next) in [
        (10, 10, ms(1), 20),
        (400, 400, ms(1), 500),
        (500, 500, ms(1), 500),
        (200, 60, ms(1), 200),
        (200, 200, ms(80), 200),
        (200, 200, ms(101), 100),
        (200, 3, ms(101), 100),
        (10, 10, ms(5000), 10),
    ] {
        assert_eq!(fitting(at_once, rows, took), next, "{at_once} {rows} {took:?}");
    }
}
