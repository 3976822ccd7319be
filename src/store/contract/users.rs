//! Users, tokens, browser sessions.

use super::*;
use crate::store::{Actor, UserChange, UserFilter, UserRecord, WebSession};

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

async fn set_disabled(store: &dyn Store, name: &str, disabled: bool) -> Result<UserRecord, StoreError> {
    let change = UserChange::disabled(disabled);
    store.change_user(name, &change, Actor::CommandLine).await
}

/// A store with bob, and with root, who is an administrator.
async fn with_root(subject: &dyn Subject) -> Arc<dyn Store> {
    let store = with_bob(subject).await;
    let root = UserRecord {
        principal: person("root", &[], true),
        ..record("root")
    };
    store.add_user(&root, Actor::CommandLine).await.unwrap();
    store
}

async fn with_bob(subject: &dyn Subject) -> Arc<dyn Store> {
    let store = subject.open().await;
    store.add_user(&record("bob"), Actor::CommandLine).await.unwrap();
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
    store.add_user(&admin, Actor::CommandLine).await.unwrap();
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
    let refused = store.add_user(&impostor, Actor::CommandLine).await.unwrap_err();
    assert_eq!(refused.to_string(), "user \"bob\" exists already");
    assert_eq!(store.user("bob").await.unwrap(), Some(record("bob")));
}

pub(crate) async fn names_are_case_sensitive_and_listed_in_order(subject: &dyn Subject) {
    let store = subject.open().await;
    for name in ["carol", "alice", "Alice", "bob"] {
        store.add_user(&record(name), Actor::CommandLine).await.unwrap();
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
    assert!(is_not_found(&set_disabled(&*store, "bob", true).await));
    assert!(is_not_found(
        &store.revoke_tokens("bob", Actor::CommandLine).await
    ));
    assert!(is_not_found(&store.add_token("bob", [1; 32], start()).await));
    assert!(is_not_found(
        &store.add_web_session(&session("bob", 1, 60), start()).await
    ));
    assert_eq!(store.user_by_token([1; 32]).await.unwrap(), None);
    store.remove_web_session([1; 32]).await.unwrap();
}

pub(crate) async fn a_new_password_ends_browser_sessions(subject: &dyn Subject) {
    let store = with_bob(subject).await;
    store
        .add_user(&record("carol"), Actor::CommandLine)
        .await
        .unwrap();
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
    set_disabled(&*store, "bob", true).await.unwrap();
    assert!(store.user("bob").await.unwrap().unwrap().disabled);
    assert!(!has_session(&*store, 1, 1).await);
    assert_eq!(store.user_by_token([2; 32]).await.unwrap(), None);
    // Enabling brings neither back.
    set_disabled(&*store, "bob", false).await.unwrap();
    assert_eq!(store.user("bob").await.unwrap(), Some(record("bob")));
    assert!(!has_session(&*store, 1, 1).await);
    assert_eq!(store.user_by_token([2; 32]).await.unwrap(), None);
}

pub(crate) async fn a_disabled_user_is_given_nothing(subject: &dyn Subject) {
    let store = with_bob(subject).await;
    set_disabled(&*store, "bob", true).await.unwrap();
    assert!(is_not_found(&store.add_token("bob", [1; 32], start()).await));
    assert!(is_not_found(
        &store.add_web_session(&session("bob", 1, 60), start()).await
    ));
    set_disabled(&*store, "bob", false).await.unwrap();
    assert_eq!(store.user_by_token([1; 32]).await.unwrap(), None);
    assert!(!has_session(&*store, 1, 1).await);
}

pub(crate) async fn tokens_lead_to_their_user(subject: &dyn Subject) {
    let store = with_bob(subject).await;
    store
        .add_user(&record("carol"), Actor::CommandLine)
        .await
        .unwrap();
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

pub(crate) async fn a_change_is_whole_and_reads_back(subject: &dyn Subject) {
    let store = with_root(subject).await;
    let change = UserChange {
        groups: Some(groups(&["b", "a", "b"])),
        join: groups(&["c", "a"]),
        leave: groups(&["b", "never was"]),
        admin: Some(true),
        disabled: Some(true),
    };
    let expected = UserRecord {
        principal: person("bob", &["a", "c"], true),
        disabled: true,
        ..record("bob")
    };
    let changed = store.change_user("bob", &change, Actor::Admin("root")).await;
    assert_eq!(changed.unwrap(), expected);
    assert_eq!(store.user("bob").await.unwrap(), Some(expected.clone()));
    let same = store
        .change_user("bob", &UserChange::default(), Actor::Admin("root"))
        .await;
    assert_eq!(same.unwrap(), expected);
}

pub(crate) async fn only_administrators_change_users(subject: &dyn Subject) {
    let store = with_root(subject).await;
    let (join, bobs) = (
        UserChange {
            join: groups(&["security"]),
            ..UserChange::default()
        },
        store.user("bob").await.unwrap(),
    );
    let other = UserRecord {
        principal: person("other", &[], true),
        disabled: true,
        ..record("other")
    };
    store.add_user(&other, Actor::CommandLine).await.unwrap();
    store.add_token("bob", [1; 32], start()).await.unwrap();
    for actor in ["bob", "nobody", "other", "ROOT", ""] {
        let actor = Actor::Admin(actor);
        for refused in [
            store.change_user("bob", &join, actor).await.err(),
            store
                .change_user("bob", &UserChange::default(), actor)
                .await
                .err(),
            store.add_user(&record("eve"), actor).await.err(),
            store.revoke_tokens("bob", actor).await.err(),
        ] {
            assert!(matches!(refused, Some(StoreError::NotAdmin(_))), "{refused:?}");
        }
    }
    assert_eq!(store.user("bob").await.unwrap(), bobs);
    assert_eq!(store.user("eve").await.unwrap(), None);
    assert!(store.user_by_token([1; 32]).await.unwrap().is_some());
}

pub(crate) async fn nobody_locks_everybody_out(subject: &dyn Subject) {
    let store = with_root(subject).await;
    let root = Actor::Admin("root");
    for change in [
        UserChange::admin(false),
        UserChange::disabled(true),
        UserChange {
            join: groups(&["dba"]),
            ..UserChange::admin(false)
        },
    ] {
        let refused = store.change_user("root", &change, root).await;
        assert!(matches!(refused, Err(StoreError::OwnAccess)), "{refused:?}");
    }
    assert_eq!(
        store.user("root").await.unwrap().unwrap().principal,
        person("root", &[], true)
    );
    let own_groups = UserChange {
        join: groups(&["dba"]),
        ..UserChange::default()
    };
    store.change_user("root", &own_groups, root).await.unwrap();
    // Whoever may open the store's file could do it anyhow.
    let change = UserChange::admin(false);
    store
        .change_user("root", &change, Actor::CommandLine)
        .await
        .unwrap();
}

pub(crate) async fn of_two_administrators_who_oust_each_other_one_is_left(subject: &dyn Subject) {
    let store = with_root(subject).await;
    let admin = UserChange::admin(true);
    store
        .change_user("bob", &admin, Actor::CommandLine)
        .await
        .unwrap();
    for round in 0..20 {
        let change = if round % 2 == 0 {
            UserChange::admin(false)
        } else {
            UserChange::disabled(true)
        };
        let (one, other) = tokio::join!(
            store.change_user("bob", &change, Actor::Admin("root")),
            store.change_user("root", &change, Actor::Admin("bob")),
        );
        assert_ne!(one.is_ok(), other.is_ok(), "{one:?} {other:?}");
        let again = UserChange {
            disabled: Some(false),
            ..UserChange::admin(true)
        };
        for name in ["bob", "root"] {
            store.change_user(name, &again, Actor::CommandLine).await.unwrap();
        }
    }
}

/// However soon somebody was enabled again.
pub(crate) async fn those_who_were_disabled_are_told_of_once(subject: &dyn Subject) {
    let store = with_root(subject).await;
    let (names, before) = store.disabled_since(0).await.unwrap();
    assert_eq!(names, [""; 0]);
    let other = subject.open().await;
    for (name, disabled) in [("bob", true), ("bob", false), ("root", true)] {
        set_disabled(&*other, name, disabled).await.unwrap();
    }
    let (names, latest) = store.disabled_since(before).await.unwrap();
    assert_eq!(names, ["bob", "root"]);
    for seen in [latest, i64::MAX] {
        assert_eq!(store.disabled_since(seen).await.unwrap(), (Vec::new(), latest));
    }
}

pub(crate) async fn revoking_takes_all_tokens_of_one_user(subject: &dyn Subject) {
    let store = with_root(subject).await;
    for (number, user) in [(1, "bob"), (2, "bob"), (3, "root")] {
        store.add_token(user, [number; 32], start()).await.unwrap();
    }
    let root = Actor::Admin("root");
    store
        .add_web_session(&session("bob", 1, 60), start())
        .await
        .unwrap();
    assert_eq!(store.revoke_tokens("bob", root).await.unwrap(), 2);
    assert_eq!(store.revoke_tokens("bob", root).await.unwrap(), 0);
    for (number, is_there) in [(1, false), (2, false), (3, true)] {
        assert_eq!(
            store.user_by_token([number; 32]).await.unwrap().is_some(),
            is_there
        );
    }
    assert!(has_session(&*store, 1, 1).await);
}

pub(crate) async fn users_are_filtered_and_paged(subject: &dyn Subject) {
    let store = subject.open().await;
    for (name, member_of, disabled) in [
        ("a", &["dba"][..], false),
        ("b", &["DBA", "d%", "dba "], false),
        ("c", &["ops", "dba"], true),
        ("d", &[], true),
    ] {
        let user = UserRecord {
            principal: person(name, member_of, false),
            disabled,
            ..record(name)
        };
        store.add_user(&user, Actor::CommandLine).await.unwrap();
    }
    for (group, disabled, after, limit, expected) in [
        (None, None, None, 10, &["a", "b", "c", "d"][..]),
        (None, None, Some("aa"), 2, &["b", "c"]),
        (None, None, Some("d"), 2, &[]),
        (Some("dba"), None, None, 10, &["a", "c"]),
        (Some("dba"), Some(true), None, 10, &["c"]),
        (Some("dba"), None, Some("a"), 10, &["c"]),
        (Some("nobody's"), None, None, 10, &[]),
        (None, Some(false), None, 10, &["a", "b"]),
        (None, None, None, 0, &[]),
    ] {
        let filter = UserFilter {
            group: group.map(str::to_owned),
            disabled,
            after: after.map(str::to_owned),
            limit,
        };
        let found = store.users_by(&filter).await.unwrap();
        let names: Vec<_> = found.iter().map(|user| user.principal.name.as_str()).collect();
        assert_eq!(names, expected, "{filter:?}");
    }
}

pub(crate) async fn the_secret_is_made_once(subject: &dyn Subject) {
    let store = subject.open().await;
    let secret = store.secret().await.unwrap();
    assert_ne!(secret, [0; 32]);
    drop(store);
    let store = subject.open().await;
    assert_eq!(store.secret().await.unwrap(), secret);
}
