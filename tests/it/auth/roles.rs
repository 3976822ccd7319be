//! Which users may come in, and as which roles they act.

use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;

use crate::support::driver::{Driver, config, refusal};
use crate::support::{Proxy, Role};

/// alice is a developer, bob and carol are DBAs.
const MAPPED: &str = r#"
    [[databases.shop.roles]]
    for = "bob"
    role = "app_trust"
    [[databases.shop.roles]]
    for = ["@dba", "nobody"]
    role = "app_md5"
    password = "app-secret"
"#;

#[tokio::test]
async fn users_act_as_the_first_role_that_is_for_them() {
    let proxy = Proxy::with().databases(MAPPED).start().await;
    for (person, role) in [
        (&proxy.bob, "app_trust"),
        (&proxy.carol, "app_md5"),
        (&proxy.alice, "app"),
    ] {
        assert_eq!(
            person.driver().await.value("SELECT current_user").await.unwrap(),
            role
        );
    }
    let mut carol = proxy.carol.psql().await;
    assert_eq!(carol.runs("SELECT session_user;").await, "app_md5\n");
}

#[tokio::test]
async fn a_held_statement_runs_as_the_requesters_role_and_is_cancelled_there() {
    let proxy = Proxy::with().databases(MAPPED).start().await;
    let carol = proxy.carol.driver().await;
    let cancel = carol.cancel_token();
    let asked = tokio::spawn(async move {
        let who = carol
            .value("INSERT INTO items (id, name) SELECT 11, current_user RETURNING name")
            .await;
        (who.unwrap(), carol.value("SELECT pg_sleep(60)").await)
    });
    let request = proxy.bob.approves_next().await;
    assert_eq!(
        request.text("user"),
        "carol",
        "people see who asked, not the role"
    );
    proxy.database.sees_waiting("SELECT pg_sleep%", "PgSleep").await;
    cancel.cancel_query(NoTls).await.unwrap();
    let (who, slept) = asked.await.unwrap();
    assert_eq!(who, "app_md5");
    refusal(slept, &SqlState::QUERY_CANCELED);
}

#[tokio::test]
async fn those_without_a_role_may_have_to_stay_out() {
    let lines = format!("unmapped = \"refuse\"\n{MAPPED}");
    let proxy = Proxy::with().databases(&lines).start().await;
    drop(proxy.carol.driver().await);
    let (mut raw, answer) = proxy.alice.raw_with(&[]).await;
    let error = answer.last().unwrap();
    assert_eq!(error.code(), "42501");
    assert_eq!(
        error.field(b'M').unwrap(),
        "permission denied for database \"shop\""
    );
    assert!(raw.is_closed().await);
}

#[tokio::test]
async fn a_database_is_for_those_whom_it_names() {
    let proxy = Proxy::with()
        .databases("access = [\"alice\", \"@dba\"]")
        .start()
        .await;
    for person in [&proxy.alice, &proxy.bob, &proxy.carol] {
        drop(person.driver().await);
    }
    let proxy = Proxy::with().databases("access = [\"@dba\"]").start().await;
    drop(proxy.bob.driver().await);
    let (_, answer) = proxy.alice.raw_with(&[]).await;
    let error = answer.last().unwrap();
    assert_eq!(
        (error.code().as_str(), error.field(b'S').as_deref()),
        ("42501", Some("FATAL"))
    );
    assert_eq!(
        error.field(b'M').unwrap(),
        "permission denied for database \"shop\""
    );
    // Only who has the password learns it.
    let wrong = Driver::connect_with(&config(proxy.address(), "alice", "wrong")).await;
    assert_eq!(wrong.err().unwrap().code(), Some(&SqlState::INVALID_PASSWORD));
}

#[tokio::test]
async fn a_wrong_password_of_a_role_is_not_the_clients_fault() {
    let lines = MAPPED.replace("app-secret", "no-secret");
    let proxy = Proxy::with().role(Role::Trust).databases(&lines).start().await;
    let (_, answer) = proxy.carol.raw_with(&[]).await;
    let error = answer.last().unwrap();
    assert_eq!(error.code(), "08001");
    assert!(!error.field(b'M').unwrap().contains("app_md5"), "{error:?}");
    assert!(!proxy.log_text().contains("no-secret"));
}
