//! Observations.

use super::*;
use crate::model::{Defines, Facts, Observation, ObservedDecision, Sightings};
use crate::store::{ObservationQuery, StoredObservation};

/// More than any test here records.
const PLENTY: u64 = 1_000;

fn observation(user: &str, statement: &str) -> Observation {
    Observation {
        database: "shop".to_owned(),
        user: user.to_owned(),
        groups: groups(&["developers", "ops"]),
        application_name: "psql".to_owned(),
        client_addr: "2001:db8::7".parse().ok(),
        statement: statement.to_owned(),
        facts: vec![
            Facts {
                effect: Effect::Write,
                commands: vec!["DELETE".to_owned()],
                tables: request(1).tables,
                unfiltered: true,
                // What matters to the session alone is not kept.
                defines: Defines::Nothing,
                ..Facts::unknown("why")
            },
            Facts {
                defines: Defines::Nothing,
                ..Facts::unknown("why else")
            },
        ],
        decision: ObservedDecision::Hold,
        rules: groups(&["writes need a DBA"]),
    }
}

/// Seen by alice, once.
pub(crate) fn seen(statement: &str, seconds: i64) -> Sightings {
    Sightings::once(observation("alice", statement), after(seconds))
}

/// So many seconds after the beginning of an hour.
fn after(seconds: i64) -> Timestamp {
    let hour = start().as_second().div_euclid(3600) * 3600;
    Timestamp::from_second(hour + seconds).unwrap()
}

fn all() -> ObservationQuery {
    ObservationQuery {
        since: Timestamp::UNIX_EPOCH,
        database: None,
        user: None,
        after: 0,
        limit: 1_000,
    }
}

async fn listed(store: &dyn Store, query: &ObservationQuery) -> Vec<Sightings> {
    let found = store.observations(query).await.unwrap();
    found.into_iter().map(|stored| stored.sightings).collect()
}

async fn texts(store: &dyn Store, query: &ObservationQuery) -> Vec<(String, u64)> {
    let found = listed(store, query).await;
    found
        .into_iter()
        .map(|seen| (seen.observation.statement, seen.count))
        .collect()
}

fn counted(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    expected
        .iter()
        .map(|&(text, count)| (text.to_owned(), count))
        .collect()
}

pub(crate) async fn an_observation_reads_back_as_written(subject: &dyn Subject) {
    let store = subject.open().await;
    let full = Sightings {
        count: 12,
        last_seen: after(3_599),
        ..seen("DELETE FROM orders; 🐘\n'x'", 3)
    };
    let bare = Sightings::once(
        Observation {
            groups: Vec::new(),
            application_name: String::new(),
            client_addr: None,
            statement: String::new(),
            facts: Vec::new(),
            decision: ObservedDecision::Allow,
            rules: Vec::new(),
            ..observation("Ада", "")
        },
        after(5),
    );
    let batch = [full.clone(), bare.clone()];
    assert_eq!(store.record_observations(&batch, PLENTY).await.unwrap(), 0);
    assert_eq!(store.record_observations(&[], PLENTY).await.unwrap(), 0);
    drop(store);
    let store = subject.open().await;
    assert_eq!(listed(&*store, &all()).await, batch);
}

pub(crate) async fn the_same_within_an_hour_is_one_row(subject: &dyn Subject) {
    let store = subject.open().await;
    let first = Sightings {
        count: 7,
        last_seen: after(30),
        ..seen("a", 20)
    };
    for batch in [
        vec![first, seen("b", 21), seen("a", 40)],
        vec![seen("a", 10)],
        vec![seen("a", 3_600), seen("a", 3_599)],
    ] {
        assert_eq!(store.record_observations(&batch, PLENTY).await.unwrap(), 0);
    }
    let found = listed(&*store, &all()).await;
    let short: Vec<_> = found
        .iter()
        .map(|seen| {
            let text = seen.observation.statement.as_str();
            (text, seen.count, seen.first_seen, seen.last_seen)
        })
        .collect();
    assert_eq!(
        short,
        [
            ("a", 10, after(10), after(3_599)),
            ("b", 1, after(21), after(21)),
            ("a", 1, after(3_600), after(3_600)),
        ]
    );
}

pub(crate) async fn whatever_differs_is_a_row_of_its_own(subject: &dyn Subject) {
    let store = subject.open().await;
    let ours = || observation("alice", "a");
    let batch: Vec<Sightings> = [
        ours(),
        Observation {
            database: "logs".to_owned(),
            ..ours()
        },
        Observation {
            groups: Vec::new(),
            ..ours()
        },
        Observation {
            client_addr: None,
            ..ours()
        },
        Observation {
            facts: Vec::new(),
            ..ours()
        },
        Observation {
            decision: ObservedDecision::Deny,
            ..ours()
        },
    ]
    .into_iter()
    .map(|observation| Sightings::once(observation, after(1)))
    .collect();
    store.record_observations(&batch, PLENTY).await.unwrap();
    store.record_observations(&batch, PLENTY).await.unwrap();
    let found = listed(&*store, &all()).await;
    assert_eq!(found.len(), batch.len());
    assert!(found.iter().all(|seen| seen.count == 2));
}

pub(crate) async fn those_since_a_time_and_of_somebody(subject: &dyn Subject) {
    let store = subject.open().await;
    let elsewhere = Observation {
        database: "logs".to_owned(),
        ..observation("bob", "c")
    };
    let batch = [
        seen("a", 10),
        seen("b", 20),
        Sightings::once(elsewhere, after(30)),
        Sightings::once(observation("bob", "d"), after(40)),
    ];
    store.record_observations(&batch, PLENTY).await.unwrap();
    let since = |seconds| ObservationQuery {
        since: after(seconds),
        ..all()
    };
    assert_eq!(
        texts(&*store, &since(20)).await,
        counted(&[("b", 1), ("c", 1), ("d", 1)])
    );
    assert_eq!(texts(&*store, &since(41)).await, counted(&[]));
    let of = |database: Option<&str>, user: Option<&str>| ObservationQuery {
        database: database.map(str::to_owned),
        user: user.map(str::to_owned),
        ..all()
    };
    for (query, expected) in [
        (of(Some("shop"), None), &[("a", 1), ("b", 1), ("d", 1)][..]),
        (of(None, Some("bob")), &[("c", 1), ("d", 1)]),
        (of(Some("logs"), Some("bob")), &[("c", 1)]),
        (of(Some("logs"), Some("alice")), &[]),
        (of(Some("Shop"), None), &[]),
    ] {
        assert_eq!(texts(&*store, &query).await, counted(expected), "{query:?}");
    }
}

pub(crate) async fn pages_of_observations_join(subject: &dyn Subject) {
    let store = subject.open().await;
    let batch: Vec<Sightings> = (0..20)
        .map(|number| seen(&format!("SELECT {number}"), number))
        .collect();
    store.record_observations(&batch, PLENTY).await.unwrap();
    let mut paged: Vec<StoredObservation> = Vec::new();
    let mut query = ObservationQuery { limit: 3, ..all() };
    loop {
        let page = store.observations(&query).await.unwrap();
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        assert!(last.id > query.after);
        query.after = last.id;
        paged.extend(page);
    }
    let paged: Vec<Sightings> = paged.into_iter().map(|stored| stored.sightings).collect();
    assert_eq!(paged, batch);
}

pub(crate) async fn a_full_table_goes_on_counting_what_it_has(subject: &dyn Subject) {
    let store = subject.open().await;
    let many = Sightings {
        count: 5,
        ..seen("c", 3)
    };
    let batch = [seen("a", 1), seen("b", 2), many, seen("a", 4)];
    assert_eq!(store.record_observations(&batch, 2).await.unwrap(), 5);
    let known = counted(&[("a", 2), ("b", 1)]);
    assert_eq!(texts(&*store, &all()).await, known);
    assert_eq!(store.record_observations(&[seen("d", 5)], 0).await.unwrap(), 1);
    assert_eq!(store.record_observations(&[seen("b", 5)], 0).await.unwrap(), 0);
    assert_eq!(store.record_observations(&[seen("d", 6)], 3).await.unwrap(), 0);
    let known = counted(&[("a", 2), ("b", 2), ("d", 1)]);
    assert_eq!(texts(&*store, &all()).await, known);
}

pub(crate) async fn what_is_old_is_forgotten_by_the_hour(subject: &dyn Subject) {
    let store = subject.open().await;
    let batch = [
        seen("a", 10),
        seen("b", 3_599),
        seen("c", 3_600),
        seen("d", 7_200),
    ];
    store.record_observations(&batch, PLENTY).await.unwrap();
    assert_eq!(store.prune_observations(after(3_599)).await.unwrap(), 0);
    assert_eq!(store.prune_observations(after(3_600)).await.unwrap(), 2);
    assert_eq!(texts(&*store, &all()).await, counted(&[("c", 1), ("d", 1)]));
    // And there is room again.
    assert_eq!(
        store.record_observations(&[seen("e", 7_201)], 3).await.unwrap(),
        0
    );
    assert_eq!(store.prune_observations(after(100_000)).await.unwrap(), 3);
    assert_eq!(store.prune_observations(after(100_000)).await.unwrap(), 0);
    assert_eq!(listed(&*store, &all()).await, []);
}
