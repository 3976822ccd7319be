#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::identity::test_clock::TestClock;
use crate::store::sqlite::SqliteStore;
use crate::store::{Actor, UserChange, UserStore as _};

pub(super) const PASSWORD: &str = "correct horse";

pub(super) async fn directory() -> (Directory, Arc<TestClock>) {
    let store = Arc::new(SqliteStore::open("sqlite::memory:").await.unwrap());
    let secret = store.secret().await.unwrap();
    let clock = Arc::new(TestClock::default());
    (Directory::new(store, clock.clone(), secret), clock)
}

fn groups(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

pub(super) async fn add(directory: &Directory, name: &str, member_of: &[&str], admin: bool) {
    let user = NewUser {
        name,
        groups: &groups(member_of),
        admin,
    };
    directory
        .add_user(Actor::CommandLine, user, PASSWORD)
        .await
        .unwrap();
}

pub(super) async fn set_disabled(directory: &Directory, name: &str, disabled: bool) {
    let change = UserChange::disabled(disabled);
    directory
        .change_user(Actor::CommandLine, name, &change)
        .await
        .unwrap();
}

async fn with_bob() -> (Directory, Arc<TestClock>) {
    let (directory, clock) = directory().await;
    add(&directory, "bob", &["ops", "dba", "ops"], false).await;
    (directory, clock)
}

fn bob() -> Principal {
    Principal {
        name: "bob".to_owned(),
        groups: groups(&["dba", "ops"]),
        admin: false,
    }
}

async fn sign_in(directory: &Directory) -> NewWebSession {
    let (principal, session) = directory.sign_in("bob", PASSWORD).await.unwrap().unwrap();
    assert_eq!(principal, bob());
    session
}

#[tokio::test]
async fn the_right_password_signs_in_and_nothing_else_does() {
    let (directory, _clock) = with_bob().await;
    sign_in(&directory).await;
    let long = "x".repeat(MAX_PASSWORD + 1);
    for (user, password) in [
        ("bob", ""),
        ("bob", "correct horse "),
        ("bob", long.as_str()),
        ("Bob", PASSWORD),
        ("nobody", PASSWORD),
        ("", ""),
        ("bob\0", PASSWORD),
    ] {
        assert!(
            directory.sign_in(user, password).await.unwrap().is_none(),
            "{user:?} {password:?}"
        );
    }
}

#[tokio::test]
async fn a_cookie_leads_to_its_user_for_twelve_hours() {
    let (directory, clock) = with_bob().await;
    let session = sign_in(&directory).await;
    assert_eq!(session.expires_at, clock.now() + SESSION_LIFE);
    clock.advance(12 * 3600 - 1);
    let (found, principal) = directory.by_cookie(&session.cookie).await.unwrap().unwrap();
    assert_eq!((found.csrf, principal), (session.csrf.clone(), bob()));
    clock.advance(1);
    assert!(directory.by_cookie(&session.cookie).await.unwrap().is_none());
    for cookie in [
        "",
        "hp_",
        session.csrf.as_str(),
        "hp_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ] {
        assert!(directory.by_cookie(cookie).await.unwrap().is_none());
        directory.sign_out(cookie).await.unwrap();
    }
}

#[tokio::test]
async fn signing_out_ends_that_session_alone() {
    let (directory, _clock) = with_bob().await;
    let (one, other) = (sign_in(&directory).await, sign_in(&directory).await);
    assert_ne!(one.cookie, other.cookie);
    assert_ne!(one.csrf, other.csrf);
    directory.sign_out(&one.cookie).await.unwrap();
    assert!(directory.by_cookie(&one.cookie).await.unwrap().is_none());
    assert!(directory.by_cookie(&other.cookie).await.unwrap().is_some());
}

#[tokio::test]
async fn a_new_password_replaces_the_old_one_and_ends_sessions() {
    let (directory, _clock) = with_bob().await;
    let session = sign_in(&directory).await;
    directory.set_password("bob", "battery staple").await.unwrap();
    assert!(directory.by_cookie(&session.cookie).await.unwrap().is_none());
    assert!(directory.sign_in("bob", PASSWORD).await.unwrap().is_none());
    assert!(
        directory
            .sign_in("bob", "battery staple")
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn somebody_who_proved_it_elsewhere_is_known_by_name() {
    let (directory, _) = with_bob().await;
    assert_eq!(directory.standing("bob").await.unwrap(), Standing::User(bob()));
    let Standing::Stranger(nobody) = directory.standing("Bob").await.unwrap() else {
        panic!("names are compared exactly")
    };
    assert_eq!(
        (nobody.name.as_str(), nobody.groups.len(), nobody.admin),
        ("Bob", 0, false)
    );
    set_disabled(&directory, "bob", true).await;
    assert_eq!(directory.standing("bob").await.unwrap(), Standing::Disabled);
}

#[tokio::test]
async fn a_disabled_user_gets_in_nowhere() {
    let (directory, _clock) = with_bob().await;
    let session = sign_in(&directory).await;
    let token = directory.issue_token("bob").await.unwrap();
    set_disabled(&directory, "bob", true).await;
    assert!(directory.sign_in("bob", PASSWORD).await.unwrap().is_none());
    assert!(directory.by_cookie(&session.cookie).await.unwrap().is_none());
    assert!(directory.by_token(&token).await.unwrap().is_none());
    let credentials = directory.credentials("bob").await.unwrap();
    assert_eq!(credentials.principal, None);
    assert!(!credentials.verifier.matches(PASSWORD));
    let refused = directory.issue_token("bob").await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "user \"bob\" is disabled: enable the user first"
    );
    set_disabled(&directory, "bob", false).await;
    assert!(directory.by_token(&token).await.unwrap().is_none());
    sign_in(&directory).await;
}

#[tokio::test]
async fn credentials_of_nobody_are_stable_and_of_somebody_are_theirs() {
    let (directory, _clock) = with_bob().await;
    let real = directory.credentials("bob").await.unwrap();
    assert_eq!(real.principal.as_deref(), Some(&bob()));
    assert!(real.verifier.matches(PASSWORD));
    let one = directory.credentials("nobody").await.unwrap();
    let again = directory.credentials("nobody").await.unwrap();
    assert_eq!((one.principal, again.principal), (None, None));
    assert_eq!(one.verifier, again.verifier);
}

#[tokio::test]
async fn a_token_leads_to_its_user() {
    let (directory, _clock) = with_bob().await;
    let token = directory.issue_token("bob").await.unwrap();
    assert!(token.starts_with("hp_"));
    assert_eq!(directory.by_token(&token).await.unwrap(), Some(bob()));
    assert_ne!(directory.issue_token("bob").await.unwrap(), token);
    let mut wrong = token.clone();
    // Somewhere in the middle, where every character is a legal one.
    let changed = if wrong.as_bytes()[20] == b'A' { "B" } else { "A" };
    wrong.replace_range(20..21, changed);
    for text in ["", "bob", wrong.as_str(), &token[3..]] {
        assert_eq!(directory.by_token(text).await.unwrap(), None);
    }
    let refused = directory.issue_token("carol").await.unwrap_err();
    assert_eq!(refused.to_string(), "there is no user \"carol\"");
}

#[tokio::test]
async fn what_is_not_fit_is_refused_with_a_reason() {
    let (directory, _clock) = with_bob().await;
    for (name, group, password, expected) in [
        ("", "dba", "x", "a user name has 1 to 63 bytes; this one has 0"),
        ("a\nb", "dba", "x", "\"a\\nb\" cannot be a user name"),
        ("carol", "", "x", "a group name has 1 to 63 bytes; this one has 0"),
        ("carol", "dba", "", "the password is empty"),
        ("bob", "dba", "x", "user \"bob\" exists already"),
    ] {
        let user = NewUser {
            name,
            groups: &groups(&[group]),
            admin: false,
        };
        let refused = directory
            .add_user(Actor::CommandLine, user, password)
            .await
            .unwrap_err();
        assert!(refused.to_string().contains(expected), "{refused}");
    }
    assert!(matches!(
        directory.set_password("bob", "").await,
        Err(DirectoryError::Invalid(InvalidInput::EmptyPassword))
    ));
    assert!(matches!(
        directory.set_password("carol", "x").await,
        Err(DirectoryError::Store(StoreError::NotFound(_)))
    ));
    let names: Vec<_> = directory
        .users()
        .await
        .unwrap()
        .into_iter()
        .map(|user| user.principal)
        .collect();
    assert_eq!(names, [bob()]);
}

#[tokio::test]
async fn debug_forms_keep_secrets() {
    let (directory, _clock) = with_bob().await;
    let session = sign_in(&directory).await;
    let users = directory.users().await.unwrap();
    let credentials = directory.credentials("bob").await.unwrap();
    let (kept, _) = directory.by_cookie(&session.cookie).await.unwrap().unwrap();
    let shown = format!("{directory:?} {session:?} {users:?} {credentials:?} {kept:?}");
    for secret in [&session.cookie, &session.csrf, &users[0].scram_verifier] {
        assert!(!shown.contains(secret.as_str()));
    }
    assert!(!shown.contains("SCRAM-SHA-256"));
}

#[tokio::test]
async fn groups_are_whoever_is_in_them() {
    let (directory, _clock) = with_bob().await;
    assert_eq!(directory.groups().await.unwrap().len(), 2);
    add(&directory, "carol", &["dba"], false).await;
    add(&directory, "alice", &[], true).await;
    set_disabled(&directory, "carol", true).await;
    let change = UserChange {
        join: groups(&["security", "dba"]),
        leave: groups(&["ops", "never was"]),
        ..UserChange::default()
    };
    let changed = directory
        .change_user(Actor::Admin("alice"), "bob", &change)
        .await
        .unwrap();
    assert_eq!(changed.principal.groups, ["dba", "security"]);
    let member = |name: &str, disabled| Member {
        name: name.to_owned(),
        disabled,
    };
    let group = |name: &str, members: &[Member]| Group {
        name: name.to_owned(),
        members: members.to_vec(),
    };
    assert_eq!(
        directory.groups().await.unwrap(),
        [
            group("dba", &[member("bob", false), member("carol", true)]),
            group("security", &[member("bob", false)]),
        ],
        "ops has nobody left"
    );
}

#[tokio::test]
async fn a_change_counts_for_who_is_signed_in() {
    let (directory, _clock) = with_bob().await;
    let session = sign_in(&directory).await;
    let token = directory.issue_token("bob").await.unwrap();
    let change = UserChange {
        groups: Some(groups(&["security"])),
        admin: Some(true),
        ..UserChange::default()
    };
    directory
        .change_user(Actor::CommandLine, "bob", &change)
        .await
        .unwrap();
    let expected = Principal {
        groups: groups(&["security"]),
        admin: true,
        ..bob()
    };
    let (_, by_cookie) = directory.by_cookie(&session.cookie).await.unwrap().unwrap();
    assert_eq!(by_cookie, expected);
    assert_eq!(directory.by_token(&token).await.unwrap(), Some(expected));
    assert_eq!(
        directory.revoke_tokens(Actor::CommandLine, "bob").await.unwrap(),
        1
    );
    assert_eq!(directory.by_token(&token).await.unwrap(), None);
    assert!(directory.by_cookie(&session.cookie).await.unwrap().is_some());
}

#[tokio::test]
async fn a_group_that_nobody_could_read_is_not_joined() {
    let (directory, _clock) = with_bob().await;
    for change in [
        UserChange {
            join: groups(&["dba", "a\nb"]),
            ..UserChange::default()
        },
        UserChange {
            groups: Some(groups(&[""])),
            ..UserChange::default()
        },
    ] {
        let refused = directory.change_user(Actor::CommandLine, "bob", &change).await;
        assert!(matches!(refused, Err(DirectoryError::Invalid(_))), "{refused:?}");
    }
    assert_eq!(directory.user("bob").await.unwrap().unwrap().principal, bob());
}
