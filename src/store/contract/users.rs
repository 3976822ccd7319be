//! Users, tokens, browser sessions.

use super::*;
use crate::store::{UserRecord, WebSession};

fn record(name: &str) -> UserRecord {
    UserRecord {
        principal: person(name, &["dba", "ops"], false),
        scram_verifier: format!("verifier of {name}"),
        disabled: false,
        created_at: start(),
    }
}

fn session(of: &str, number: u8, ends: i64) -> WebSession {
    WebSession {
        token_hash: [number; 32],
        user: of.to_owned(),
        csrf: format!("csrf {number}"),
        expires_at: at(ends),
    }
}

async fn with_bob(subject: &dyn Subject) -> Arc<dyn Store> {
    let store = subject.open().await;
    store.add_user(&record("bob")).await.unwrap();
    store
}

async fn has_session(store: &dyn Store, number: u8, now: i64) -> bool {
    store.web_session([number; 32], at(now)).await.unwrap().is_some()
}

pub(crate) async fn a_user_reads_back_as_written(subject: &dyn Subject) {
    let store = with_bob(subject).await;
    let admin = UserRecord {
        principal: person("Ада", &[], true),
        disabled: true,
        ..record("x")
    };
    store.add_user(&admin).await.unwrap();
    assert_eq!(store.user("bob").await.unwrap(), Some(record("bob")));
    assert_eq!(store.user("Ада").await.unwrap(), Some(admin.clone()));
    assert_eq!(store.users().await.unwrap(), [record("bob"), admin]);
}

pub(crate) async fn a_name_is_taken_once(subject: &dyn Subject) {
    let store = with_bob(subject).await;
    let impostor = UserRecord {
        scram_verifier: "another".to_owned(),
        ..record("bob")
    };
    let refused = store.add_user(&impostor).await.unwrap_err();
    assert_eq!(refused.to_string(), "user \"bob\" exists already");
    assert_eq!(store.user("bob").await.unwrap(), Some(record("bob")));
}

pub(crate) async fn names_are_case_sensitive_and_listed_in_order(subject: &dyn Subject) {
    let store = subject.open().await;
    for name in ["carol", "alice", "Alice", "bob"] {
        store.add_user(&record(name)).await.unwrap();
    }
    assert_eq!(store.user("ALICE").await.unwrap(), None);
    let names: Vec<_> = store
        .users()
        .await
        .unwrap()
        .into_iter()
        .map(|user| user.principal.name)
        .collect();
    assert_eq!(names, ["Alice", "alice", "bob", "carol"]);
}

pub(crate) async fn changes_of_nobody_are_not_found(subject: &dyn Subject) {
    let store = subject.open().await;
    assert!(is_not_found(&store.set_verifier("bob", "v").await));
    assert!(is_not_found(&store.set_disabled("bob", true).await));
    assert!(is_not_found(&store.add_token("bob", [1; 32], start()).await));
    assert!(is_not_found(
        &store.add_web_session(&session("bob", 1, 60), start()).await
    ));
    assert_eq!(store.user_by_token([1; 32]).await.unwrap(), None);
    store.remove_web_session([1; 32]).await.unwrap();
}

pub(crate) async fn a_new_password_ends_browser_sessions(subject: &dyn Subject) {
    let store = with_bob(subject).await;
    store.add_user(&record("carol")).await.unwrap();
    store
        .add_web_session(&session("bob", 1, 60), start())
        .await
        .unwrap();
    store
        .add_web_session(&session("carol", 2, 60), start())
        .await
        .unwrap();
    store.add_token("bob", [3; 32], start()).await.unwrap();
    store.set_verifier("bob", "another").await.unwrap();
    assert_eq!(
        store.user("bob").await.unwrap().unwrap().scram_verifier,
        "another"
    );
    assert!(!has_session(&*store, 1, 1).await);
    assert!(has_session(&*store, 2, 1).await);
    assert!(store.user_by_token([3; 32]).await.unwrap().is_some());
}

pub(crate) async fn disabling_ends_sessions_and_revokes_tokens(subject: &dyn Subject) {
    let store = with_bob(subject).await;
    store
        .add_web_session(&session("bob", 1, 60), start())
        .await
        .unwrap();
    store.add_token("bob", [2; 32], start()).await.unwrap();
    store.set_disabled("bob", true).await.unwrap();
    assert!(store.user("bob").await.unwrap().unwrap().disabled);
    assert!(!has_session(&*store, 1, 1).await);
    assert_eq!(store.user_by_token([2; 32]).await.unwrap(), None);
    // Enabling brings neither back.
    store.set_disabled("bob", false).await.unwrap();
    assert_eq!(store.user("bob").await.unwrap(), Some(record("bob")));
    assert!(!has_session(&*store, 1, 1).await);
    assert_eq!(store.user_by_token([2; 32]).await.unwrap(), None);
}

pub(crate) async fn a_disabled_user_is_given_nothing(subject: &dyn Subject) {
    let store = with_bob(subject).await;
    store.set_disabled("bob", true).await.unwrap();
    assert!(is_not_found(&store.add_token("bob", [1; 32], start()).await));
    assert!(is_not_found(
        &store.add_web_session(&session("bob", 1, 60), start()).await
    ));
    store.set_disabled("bob", false).await.unwrap();
    assert_eq!(store.user_by_token([1; 32]).await.unwrap(), None);
    assert!(!has_session(&*store, 1, 1).await);
}

pub(crate) async fn tokens_lead_to_their_user(subject: &dyn Subject) {
    let store = with_bob(subject).await;
    store.add_user(&record("carol")).await.unwrap();
    store.add_token("bob", [1; 32], start()).await.unwrap();
    store.add_token("bob", [2; 32], start()).await.unwrap();
    store.add_token("carol", [3; 32], start()).await.unwrap();
    for (number, name) in [(1, "bob"), (2, "bob"), (3, "carol")] {
        assert_eq!(
            store.user_by_token([number; 32]).await.unwrap(),
            Some(record(name))
        );
    }
    assert_eq!(store.user_by_token([4; 32]).await.unwrap(), None);
}

pub(crate) async fn a_session_ends_in_time_and_by_hand(subject: &dyn Subject) {
    let store = with_bob(subject).await;
    store
        .add_web_session(&session("bob", 1, 60), start())
        .await
        .unwrap();
    store
        .add_web_session(&session("bob", 2, 90), start())
        .await
        .unwrap();
    let expected = (session("bob", 1, 60), record("bob"));
    assert_eq!(store.web_session([1; 32], at(59)).await.unwrap(), Some(expected));
    assert!(!has_session(&*store, 1, 60).await);
    // The third makes the store forget the first, which is over, and not the second.
    store
        .add_web_session(&session("bob", 3, 200), at(60))
        .await
        .unwrap();
    assert!(!has_session(&*store, 1, 1).await);
    assert!(has_session(&*store, 2, 60).await);
    store.remove_web_session([2; 32]).await.unwrap();
    assert!(!has_session(&*store, 2, 60).await);
    assert!(has_session(&*store, 3, 60).await);
}

pub(crate) async fn the_secret_is_made_once(subject: &dyn Subject) {
    let store = subject.open().await;
    let secret = store.secret().await.unwrap();
    assert_ne!(secret, [0; 32]);
    drop(store);
    let store = subject.open().await;
    assert_eq!(store.secret().await.unwrap(), secret);
}
