//! Settings of the startup packet are judged as the `SET` that they stand for.

use crate::support::cluster::cluster;
use crate::support::raw::{Frames, Message, Raw, describe};
use crate::support::{Proxy, Role};

const EVERYTHING_PASSES: &str = r#"
    default_groups = ["dba"]
    [[rule]]
    name = "everything passes"
    when = { effects = ["session", "read", "write", "schema", "privilege", "server", "unknown"] }
    then = "allow"
"#;

fn without_key(heard: Vec<Message>) -> String {
    let heard: Vec<Message> = heard.into_iter().filter(|m| m.tag != b'K').collect();
    describe(&heard)
}

#[tokio::test]
async fn where_everything_passes_a_start_is_as_a_direct_one() {
    let proxy = Proxy::with()
        .policy(EVERYTHING_PASSES)
        .role(Role::OfTheClient)
        .databases("auth = \"passthrough\"")
        .start()
        .await;
    for (user, name, value) in [
        ("app_trust", "role", "app"),
        ("app_trust", "role", "nobody"),
        ("app_trust", "app.tenant", "7"),
        ("app_trust", "log_statement", "none"),
        ("app_trust", "session_preload_libraries", "x"),
        ("app_trust", "no_such_setting", "x"),
        ("app_trust", "client_encoding", "SJIS"),
        ("app_trust", "client_encoding", "nonsense"),
        ("app_trust", "search_path", "other, pg_catalog"),
        ("app_trust", "default_transaction_read_only", "on"),
        ("app_trust", "options", "-d 5"),
        ("app_trust", "options", "-e"),
        ("app_trust", "options", "-S 512"),
        ("app_trust", "options", "-B 5"),
        ("app_trust", "options", "-c"),
        ("app_trust", "options", "-c work_mem"),
        ("app_trust", "options", "nonsense"),
        ("admin_trust", "session_replication_role", "replica"),
        ("admin_trust", "log_statement", "none"),
        ("admin_trust", "options", "-c log_statement=none -crole=app"),
        ("admin_trust", "session_authorization", "app"),
    ] {
        let ask = |database| [("user", user), ("database", database), (name, value)];
        let mut direct = Raw::connect(([127, 0, 0, 1], cluster().port).into()).await;
        direct.start_up(&ask(&proxy.database.name)).await;
        let expected = direct.authenticate("").await;
        let mut through = Raw::connect(proxy.address()).await;
        through.start_up(&ask("shop")).await;
        let heard = through.authenticate("").await;
        assert_eq!(
            without_key(heard),
            without_key(expected.clone()),
            "{user}: {name} = {value}"
        );
        if expected.last().unwrap().tag == b'Z' {
            let settings =
                Frames::new().query("SELECT name, setting FROM pg_settings WHERE source = 'client'");
            let mut shown = Vec::new();
            for raw in [&mut direct, &mut through] {
                raw.send(&settings).await;
                shown.push(describe(&raw.ready().await));
            }
            assert_eq!(shown[1], shown[0], "{user}: {name} = {value}");
        }
    }
}

#[tokio::test]
async fn a_denied_setting_is_refused_with_the_rules_reason() {
    let policy = r#"
        default_groups = ["dba"]
        [[rule]]
        name = "no other roles"
        when = { effects = ["privilege"], not_groups = ["dba"] }
        then = { deny = { reason = "stay who you are" } }
        [[rule]]
        name = "DBAs may"
        when = { effects = ["session", "read", "privilege"] }
        then = "allow"
    "#;
    let proxy = Proxy::with().policy(policy).role(Role::Trust).start().await;
    let (mut raw, answer) = proxy.alice.raw_with(&[("role", "app")]).await;
    let error = answer.last().unwrap();
    assert_eq!(
        (error.code().as_str(), error.field(b'S').as_deref()),
        ("42501", Some("FATAL"))
    );
    assert_eq!(error.field(b'M').unwrap(), "denied by policy: stay who you are");
    assert!(
        error.field(b'D').unwrap().contains("Rule \"no other roles\""),
        "{error:?}"
    );
    assert!(raw.is_closed().await);

    let (mut raw, answer) = proxy.bob.raw_with(&[("options", "-c role=app")]).await;
    assert_eq!(answer.last().unwrap().tag, b'Z', "{}", describe(&answer));
    raw.send(Frames::new().query("SELECT session_user, current_user"))
        .await;
    assert_eq!(raw.ready().await[1].values(), ["app_trust", "app"]);
}

#[tokio::test]
async fn strangers_do_not_hear_what_is_refused() {
    let proxy = Proxy::start().await;
    let mut raw = Raw::connect(proxy.address()).await;
    raw.start_up(&[("user", "alice"), ("database", "shop"), ("role", "postgres")])
        .await;
    assert_eq!(raw.authenticate("wrong").await.last().unwrap().code(), "28P01");

    let proxy = Proxy::with()
        .role(Role::OfTheClient)
        .databases("auth = \"passthrough\"")
        .start()
        .await;
    for (password, code) in [("wrong", "28P01"), ("app-secret", "42501")] {
        let mut raw = Raw::connect(proxy.address()).await;
        raw.start_up(&[("user", "app"), ("database", "shop"), ("role", "postgres")])
            .await;
        assert_eq!(raw.authenticate(password).await.last().unwrap().code(), code);
    }
}
