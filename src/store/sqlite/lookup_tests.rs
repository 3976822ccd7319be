//! Looking users up on a connection that is kept.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::pin::pin;
use std::task::{Context, Waker};

use crate::store::contract::{person, start};
use crate::store::sqlite::SqliteStore;
use crate::store::{Actor, UserRecord, UserStore as _};

async fn with_users(folder: &tempfile::TempDir) -> SqliteStore {
    let url = format!("sqlite://{}", folder.path().join("holdpoint.db").display());
    let store = SqliteStore::open(&url).await.unwrap();
    for name in ["ann", "bob"] {
        let user = UserRecord {
            principal: person(name, &[], false),
            scram_verifier: "a verifier".to_owned(),
            disabled: false,
            created_at: start(),
        };
        store.add_user(&user, Actor::CommandLine).await.unwrap();
    }
    store
}

#[tokio::test]
async fn a_question_that_nobody_waits_for_answers_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let store = with_users(&folder).await;
    for polls in (0..4).cycle().take(200) {
        {
            let mut given_up = pin!(store.user("ann"));
            for _ in 0..polls {
                let polled = given_up.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                if polled.is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        let found = store.user("bob").await.unwrap().unwrap();
        assert_eq!(found.principal.name, "bob");
        assert!(store.user("nobody").await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_connection_that_fails_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let store = with_users(&folder).await;
    assert!(store.user("ann").await.unwrap().is_some());
    sqlx::raw_sql("ALTER TABLE users RENAME TO elsewhere")
        .execute(&store.writer)
        .await
        .unwrap();
    assert!(store.user("ann").await.is_err());
    sqlx::raw_sql("ALTER TABLE elsewhere RENAME TO users")
        .execute(&store.writer)
        .await
        .unwrap();
    assert!(store.user("ann").await.unwrap().is_some());
    store.close().await;
}
