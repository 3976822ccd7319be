//! `auth = "passthrough"`: the server decides on the login, and the role is who asks.

use std::net::SocketAddr;
use std::process::Stdio;

use tokio_postgres::error::SqlState;

use crate::support::cluster::cluster;
use crate::support::driver::{Driver, config, refusal};
use crate::support::psql::Psql;
use crate::support::raw::{Frames, Message, Raw, describe};
use crate::support::{Proxy, Role, eventually};

/// Roles, and their passwords, one for each way in which the server asks.
const ROLES: [(&str, &str); 4] = [
    ("app", "app-secret"),
    ("app_md5", "app-secret"),
    ("app_cleartext", "app-secret"),
    ("app_trust", ""),
];

async fn passthrough() -> Proxy {
    Proxy::with()
        .role(Role::OfTheClient)
        .databases("auth = \"passthrough\"")
        .start()
        .await
}

fn server() -> SocketAddr {
    ([127, 0, 0, 1], cluster().port).into()
}

/// What a client hears from its password to the end of the login.
async fn log_in(to: SocketAddr, parameters: &[(&str, &str)], password: &str) -> (Raw, Vec<Message>) {
    let mut raw = Raw::connect(to).await;
    raw.start_up(parameters).await;
    let heard = raw.authenticate(password).await;
    (raw, heard)
}

/// Cancel keys differ.
fn without_key(mut heard: Vec<Message>) -> Vec<Message> {
    heard.retain(|message| message.tag != b'K');
    heard
}

#[tokio::test]
async fn every_way_of_asking_passes_and_cannot_be_told_from_a_direct_one() {
    let proxy = passthrough().await;
    for (user, password) in ROLES {
        let more = [
            ("user", user),
            ("application_name", "gølden"),
            ("DateStyle", "German"),
            ("options", "-c statement_timeout=5s --work-mem=8MB"),
            ("client_encoding", "UTF8"),
        ];
        let with = |database| [&more[..], &[("database", database)]].concat();
        let (_, expected) = log_in(server(), &with(&proxy.database.name), password).await;
        let (mut raw, heard) = log_in(proxy.address(), &with("shop"), password).await;
        assert_eq!(raw.key.len(), 8);
        assert_eq!(
            describe(&without_key(heard)),
            describe(&without_key(expected)),
            "{user}"
        );
        raw.send(Frames::new().query("SELECT current_user, current_setting('statement_timeout')"))
            .await;
        assert_eq!(raw.ready().await[1].values(), [user, "5s"]);
    }
}

#[tokio::test]
async fn psql_and_a_driver_sign_in_as_themselves() {
    let proxy = passthrough().await;
    for (user, password) in ROLES {
        let mut psql = Psql::connect(proxy.address(), user, password).await;
        assert_eq!(psql.runs("SELECT current_user;").await, format!("{user}\n"));
        let driver = Driver::connect_with(&config(proxy.address(), user, password))
            .await
            .unwrap();
        assert_eq!(driver.value("SELECT session_user").await.unwrap(), user);
    }
    let log = proxy.log_text();
    assert!(!log.contains("app-secret"), "{log}");
}

#[tokio::test]
async fn the_servers_refusals_are_the_clients_to_read() {
    let proxy = passthrough().await;
    for (user, password) in [
        ("app", "wrong"),
        ("app_md5", "wrong"),
        ("app_cleartext", "hush-hush"),
        // There is no such role.
        ("ghost", "wrong"),
        // pg_hba.conf has no entry for it, or one that refuses it.
        ("nobody", ""),
        ("app_rejected", ""),
        // The server is content, and then is not.
        ("app_full", ""),
    ] {
        let (_, expected) = log_in(
            server(),
            &[("user", user), ("database", &proxy.database.name)],
            password,
        )
        .await;
        let (mut raw, heard) =
            log_in(proxy.address(), &[("user", user), ("database", "shop")], password).await;
        assert_eq!(heard.last().unwrap().tag, b'E');
        assert_eq!(describe(&heard), describe(&expected), "{user}");
        assert!(raw.is_closed().await);
    }
    assert!(!proxy.log_text().contains("hush-hush"));
}

#[tokio::test]
async fn a_wrong_setting_fails_as_it_would_directly() {
    let proxy = passthrough().await;
    for setting in [
        ("statement_timeout", "soon"),
        ("DateStyle", "Klingon"),
        ("options", "-c work_mem=none"),
    ] {
        let ask = |database| [("user", "app_trust"), ("database", database), setting];
        let (_, expected) = log_in(server(), &ask(&proxy.database.name), "").await;
        let (_, heard) = log_in(proxy.address(), &ask("shop"), "").await;
        assert_eq!(heard.last().unwrap().code(), "22023");
        assert_eq!(describe(&heard), describe(&expected), "{setting:?}");
    }
}

#[tokio::test]
async fn the_role_is_who_asks_and_nobody_approves_their_own() {
    let proxy = passthrough().await;
    let bob = Driver::connect_with(&config(proxy.address(), "bob", "bob on the server"))
        .await
        .unwrap();
    let asked = tokio::spawn(async move { bob.execute("DELETE FROM items WHERE id = 3", &[]).await });
    let request = proxy.carol.pending_one().await;
    assert_eq!(request.text("user"), "bob");
    let answer = proxy.bob.approve(&request).await;
    assert_eq!(answer.status, 403, "{answer:?}");
    assert!(proxy.carol.approve(&request).await.is_taken());
    assert_eq!(asked.await.unwrap().unwrap(), 1);
    assert_eq!(proxy.database.items().await, 9);
}

#[tokio::test]
async fn groups_are_those_of_the_user_of_the_same_name() {
    let policy = r#"
        default_groups = ["dba"]
        [[rule]]
        name = "for DBAs"
        when = { not_groups = ["dba"], effects = ["read"] }
        then = { deny = { reason = "not for you" } }
        [[rule]]
        name = "reads pass"
        when = { effects = ["session", "read"] }
        then = "allow"
    "#;
    let proxy = Proxy::with()
        .role(Role::OfTheClient)
        .databases("auth = \"passthrough\"\naccess = [\"@dba\", \"alice\", \"app_trust\"]")
        .policy(policy)
        .start()
        .await;
    let as_role = async |user: &str, password: &str| {
        Driver::connect_with(&config(proxy.address(), user, password)).await
    };
    let bob = as_role("bob", "bob on the server").await.unwrap();
    assert_eq!(bob.value("SELECT 1").await.unwrap(), "1");
    for (user, password) in [("alice", "alice on the server"), ("app_trust", "")] {
        let other = as_role(user, password).await.unwrap();
        refusal(other.value("SELECT 1").await, &SqlState::INSUFFICIENT_PRIVILEGE);
    }
    let refused = as_role("app", "app-secret").await.err().unwrap();
    let refused = refused.as_db_error().unwrap();
    assert_eq!(refused.code(), &SqlState::INSUFFICIENT_PRIVILEGE);
    assert_eq!(refused.message(), "permission denied for database \"shop\"");
}

#[tokio::test]
async fn a_disabled_user_stays_out_and_strangers_do_not_hear_of_it() {
    let proxy = passthrough().await;
    let disable = proxy
        .command(&["user", "disable", "bob"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(disable.status.success());
    let asked = [("user", "bob"), ("database", "shop")];
    let (_, heard) = log_in(proxy.address(), &asked, "bob on the server").await;
    let error = heard.last().unwrap();
    assert_eq!(error.code(), "28000", "{error:?}");
    assert!(error.field(b'M').unwrap().contains("is disabled"), "{error:?}");
    let (_, heard) = log_in(proxy.address(), &asked, "wrong").await;
    assert_eq!(heard.last().unwrap().code(), "28P01");
}

#[tokio::test]
async fn a_database_that_is_not_there_is_known_after_the_login_only() {
    let proxy = passthrough().await;
    let asked = [("user", "app"), ("database", "nowhere")];
    let (_, heard) = log_in(proxy.address(), &asked, "wrong").await;
    assert_eq!(heard.last().unwrap().code(), "28P01");
    let (_, heard) = log_in(proxy.address(), &asked, "app-secret").await;
    assert_eq!(heard.last().unwrap().code(), "3D000");
    let (_, heard) = log_in(
        proxy.address(),
        &[("user", "app"), ("database", &proxy.database.name)],
        "app-secret",
    )
    .await;
    assert_eq!(heard.last().unwrap().code(), "3D000");
}

#[tokio::test]
async fn a_name_that_the_server_would_cut_off_is_nobodys() {
    let proxy = passthrough().await;
    let long = format!("app_trust{}", "x".repeat(60));
    let (_, heard) = log_in(proxy.address(), &[("user", &long), ("database", "shop")], "").await;
    assert_eq!(heard.last().unwrap().code(), "28000", "{}", describe(&heard));
}

#[tokio::test]
async fn only_passwords_pass_before_the_login() {
    let proxy = passthrough().await;
    let sasl = |body: &[u8]| Frames::new().frame(b'p', body);
    for (user, frames) in [
        ("app_cleartext", Frames::new().query("SELECT 1")),
        ("app_md5", Frames::new().frame(b'd', b"x")),
        ("app", Frames::new().query("SELECT 1")),
        ("app_md5", sasl(b"plain\0")),
        ("app_cleartext", sasl(b"")),
        ("app_cleartext", sasl(b"two\0strings\0")),
        ("app_cleartext", sasl("x".repeat(70_000).as_bytes())),
        ("app", sasl(&[b'x'; 5_000])),
        ("app", sasl(b"SCRAM-SHA-1\0\0\0\0\0")),
        ("app", sasl(b"SCRAM-SHA-256-PLUS\0\0\0\0\x08n,,n=,r=x")),
        ("app", sasl(b"SCRAM-SHA-256\0\0\0\0\x05n,,xx")),
    ] {
        let mut heard = Vec::new();
        for (to, database) in [
            (server(), proxy.database.name.as_str()),
            (proxy.address(), "shop"),
        ] {
            let mut raw = Raw::connect(to).await;
            raw.start_up(&[("user", user), ("database", database)]).await;
            assert_eq!(raw.message().await.tag, b'R');
            raw.send_in_vain(&frames).await;
            let rest = raw.rest().await.into_iter().map(Message::without_source);
            heard.push(describe(&rest.collect::<Vec<_>>()));
        }
        assert_eq!(heard[1], heard[0], "{user}: {frames:?}");
    }
}

#[tokio::test]
async fn bytes_of_a_login_may_come_one_by_one_and_the_session_behind_it() {
    let proxy = passthrough().await;
    let mut raw = Raw::connect(proxy.address()).await;
    raw.start_up(&[("user", "app_cleartext"), ("database", "shop")])
        .await;
    assert_eq!(raw.message().await.tag, b'R');
    let frames = Frames::new()
        .frame(b'p', b"app-secret\0")
        .query("SELECT current_user")
        .query("DELETE FROM items");
    for byte in frames.as_ref() {
        raw.send([*byte]).await;
    }
    raw.ready().await;
    assert_eq!(raw.ready().await[1].values(), ["app_cleartext"]);
    // It went the way of every statement.
    assert_eq!(raw.ready().await[0].code(), "42501");
}

#[tokio::test]
async fn who_goes_away_in_the_middle_leaves_nothing_on_the_server() {
    let proxy = passthrough().await;
    let mut raw = Raw::connect(proxy.address()).await;
    raw.start_up(&[
        ("user", "app_cleartext"),
        ("database", "shop"),
        ("application_name", "half"),
    ])
    .await;
    assert_eq!(raw.message().await.tag, b'R');
    raw.leave().await;
    eventually("its connection is gone", async || {
        let logging_in = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'
            AND datname IS NULL AND usename = 'app_cleartext'";
        (proxy.database.value(logging_in).await == "0").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_cancel_request_finds_what_runs() {
    let proxy = passthrough().await;
    let mut psql = Psql::connect(proxy.address(), "app_trust", "").await;
    psql.types("SELECT pg_sleep(60);");
    proxy.database.sees_waiting("SELECT pg_sleep%", "PgSleep").await;
    psql.interrupt();
    assert!(
        psql.prompt()
            .await
            .contains("canceling statement due to user request")
    );
}
