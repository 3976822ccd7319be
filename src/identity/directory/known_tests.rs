//! What is remembered of users for logins: how long, and what ends it.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use super::known::{Known, MAX_KNOWN};
use super::tests::{PASSWORD, add, directory, set_disabled};
use super::*;
use crate::store::{Actor, UserChange};

/// Two proxies with one store: what the second changes, the first hears of by reading.
async fn two() -> (Directory, Directory) {
    let (one, clock) = directory().await;
    let other = Directory::new(Arc::clone(&one.store), clock, one.server_secret);
    add(&one, "bob", &["ops"], false).await;
    (one, other)
}

async fn may_log_in(directory: &Directory, user: &str) -> bool {
    directory.credentials(user).await.unwrap().principal.is_some()
}

#[tokio::test]
async fn a_change_counts_at_once_where_it_is_made() {
    let (directory, _) = two().await;
    assert!(may_log_in(&directory, "bob").await);
    set_disabled(&directory, "bob", true).await;
    assert!(!may_log_in(&directory, "bob").await);
    set_disabled(&directory, "bob", false).await;
    let before = directory.credentials("bob").await.unwrap().verifier;
    directory.set_password("bob", "battery staple").await.unwrap();
    assert_ne!(directory.credentials("bob").await.unwrap().verifier, before);
    assert!(!may_log_in(&directory, "eve").await);
    add(&directory, "eve", &[], false).await;
    assert!(may_log_in(&directory, "eve").await);
}

#[tokio::test]
async fn a_change_of_another_process_counts_a_moment_later() {
    let (one, other) = two().await;
    assert!(may_log_in(&one, "bob").await);
    assert!(!may_log_in(&one, "eve").await);
    set_disabled(&other, "bob", true).await;
    add(&other, "eve", &[], false).await;
    let later = Instant::now() + KNOWN_FOR;
    let (bob, eve) = (
        one.credentials_at("bob", later).await,
        one.credentials_at("eve", later).await,
    );
    assert_eq!(bob.unwrap().principal, None);
    assert!(eve.unwrap().principal.is_some());
}

#[tokio::test]
async fn a_user_is_read_once_in_a_moment_whether_there_is_one_or_not() {
    let (one, other) = two().await;
    let (now, just_before) = (Instant::now(), KNOWN_FOR.saturating_sub(Duration::from_nanos(1)));
    for user in ["bob", "eve"] {
        one.credentials_at(user, now).await.unwrap();
    }
    set_disabled(&other, "bob", true).await;
    add(&other, "eve", &[], false).await;
    let bob = one.credentials_at("bob", now + just_before).await.unwrap();
    let eve = one.credentials_at("eve", now + just_before).await.unwrap();
    assert!(bob.principal.is_some() && eve.principal.is_none());
}

/// Their sessions end, and those that begin then are to know of what else was changed.
#[tokio::test]
async fn who_was_disabled_is_read_anew() {
    let (one, other) = two().await;
    let (_, seen) = one.disabled_since(i64::MAX).await.unwrap();
    let now = Instant::now();
    one.credentials_at("bob", now).await.unwrap();
    set_disabled(&other, "bob", true).await;
    let back = UserChange {
        leave: vec!["ops".to_owned()],
        ..UserChange::disabled(false)
    };
    other.change_user(Actor::CommandLine, "bob", &back).await.unwrap();
    let stale = one.credentials_at("bob", now).await.unwrap();
    assert_eq!(stale.principal.unwrap().groups, ["ops"]);
    let (names, latest) = one.disabled_since(seen).await.unwrap();
    assert_eq!(names, ["bob"]);
    let fresh = one.credentials_at("bob", now).await.unwrap();
    assert_eq!(fresh.principal.unwrap().groups, [""; 0]);
    assert_eq!(one.disabled_since(latest).await.unwrap().0, [""; 0]);
}

#[tokio::test]
async fn the_console_looks_each_time() {
    let (one, other) = two().await;
    assert!(may_log_in(&one, "bob").await);
    other.set_password("bob", "battery staple").await.unwrap();
    assert!(one.sign_in("bob", PASSWORD).await.unwrap().is_none());
    assert!(one.sign_in("bob", "battery staple").await.unwrap().is_some());
}

fn mock(user: &str) -> Credentials {
    Credentials {
        verifier: Arc::new(Verifier::mock(user, &[0; 32])),
        principal: None,
    }
}

#[tokio::test]
async fn what_a_change_has_overtaken_is_not_kept() {
    let (known, now) = (Known::default(), Instant::now());
    let unknown = known.get("bob", now).unwrap_err();
    known.change(async { Ok(()) }).await.unwrap();
    known.keep("bob", &unknown, &mock("bob"));
    assert!(known.get("bob", now).is_err());
    let unknown = known.get("bob", now).unwrap_err();
    known.keep("bob", &unknown, &mock("bob"));
    assert!(known.get("bob", now).is_ok());
}

/// It may come about at any time.
#[tokio::test]
async fn after_a_change_in_doubt_nothing_is_kept() {
    let known = Known::default();
    let kept_at = |time| {
        let unknown = known.get("bob", time).unwrap_err();
        known.keep("bob", &unknown, &mock("bob"));
        known.get("bob", time).is_ok()
    };
    let minute = Duration::from_secs(61);
    let lost: Result<(), _> = known
        .change(async { Err(StoreError::InDoubt("no answer".into())) })
        .await;
    assert!(lost.is_err());
    assert!(!kept_at(Instant::now()));
    assert!(kept_at(Instant::now() + minute));
    let dropped = known.change(std::future::pending::<Result<(), StoreError>>());
    assert!(crate::timer::timeout(Duration::ZERO, dropped).await.is_err());
    assert!(!kept_at(Instant::now()));
    // One that has failed is over.
    let other = Known::default();
    let failed: Result<(), _> = other.change(async { Err(StoreError::OwnAccess) }).await;
    assert!(failed.is_err());
    let unknown = other.get("bob", Instant::now()).unwrap_err();
    other.keep("bob", &unknown, &mock("bob"));
    assert!(other.get("bob", Instant::now()).is_ok());
}

#[test]
fn a_flood_of_names_is_not_kept() {
    let (known, now) = (Known::default(), Instant::now());
    for number in 0..10_000 {
        let user = format!("user{number}");
        let unknown = known.get(&user, now).unwrap_err();
        known.keep(&user, &unknown, &mock(&user));
        assert!(known.get(&user, now).is_ok());
    }
    assert!(known.count() <= MAX_KNOWN);
    let long = "x".repeat(64);
    let unknown = known.get(&long, now).unwrap_err();
    known.keep(&long, &unknown, &mock(&long));
    assert!(known.get(&long, now).is_err());
}
