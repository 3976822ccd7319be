//! Who comes in, and how holdpoint comes in to the server.

use reqwest::Method;
use tokio_postgres::error::SqlState;

use crate::support::driver::{Driver, config};
use crate::support::raw::{Message, Raw};
use crate::support::{Proxy, Role, eventually, finish};

#[tokio::test]
async fn the_server_may_ask_for_a_password_in_any_way() {
    for (role, user) in [
        (Role::Scram, "app"),
        (Role::UnixSocket, "app"),
        (Role::Md5, "app_md5"),
        (Role::Cleartext, "app_cleartext"),
        (Role::Trust, "app_trust"),
    ] {
        let proxy = Proxy::with().role(role).start().await;
        let alice = proxy.alice.driver().await;
        assert_eq!(alice.value("SELECT current_user").await.unwrap(), user);
    }
}

#[tokio::test]
async fn a_wrong_password_of_holdpoints_own_is_not_the_clients_fault() {
    let elsewhere = r#"
        [databases.wrong_password]
        upstream = "postgres://app:wrong@127.0.0.1:PORT/postgres"
        [databases.nobody_there]
        upstream = "postgres://app@127.0.0.1:1/postgres"
        [databases.no_such_database]
        upstream = "postgres://app:app-secret@127.0.0.1:PORT/nowhere"
    "#;
    let port = crate::support::cluster::cluster().port.to_string();
    let proxy = Proxy::with()
        .databases(&elsewhere.replace("PORT", &port))
        .start()
        .await;
    for database in ["wrong_password", "nobody_there", "no_such_database"] {
        let (_, answer) = proxy.alice.raw_with(&[("database", database)]).await;
        let error = answer.last().unwrap();
        let code = error.code();
        assert!(code != "28P01", "it was not the client's password: {error:?}");
        let message = error.field(b'M').unwrap();
        assert!(
            !message.contains("app") && !message.contains(&port),
            "it gives nothing away: {message}"
        );
    }
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_look_the_same() {
    let proxy = Proxy::start().await;
    let wrong = attempt(&proxy, "alice", "wrong").await;
    let unknown = attempt(&proxy, "nobody", "wrong").await;
    assert_eq!(wrong.error.code(), "28P01");
    assert_eq!(wrong.error.field(b'S').unwrap(), "FATAL");
    let as_alice = |message: &Message| String::from_utf8_lossy(&message.body).replace("nobody", "alice");
    assert_eq!(as_alice(&unknown.error), as_alice(&wrong.error));
    assert_eq!(unknown.salt.len(), wrong.salt.len());
    assert_eq!(unknown.iterations, wrong.iterations);
    // The salt of a user that does not exist stays the same, as that of one that does.
    assert_eq!(attempt(&proxy, "nobody", "again").await.salt, unknown.salt);
    assert_ne!(attempt(&proxy, "nobody else", "again").await.salt, unknown.salt);
    // Who asks for a database that does not exist learns it only with the password.
    let mut raw = Raw::connect(proxy.address()).await;
    raw.start_up(&[("user", "alice"), ("database", "nowhere")]).await;
    assert_eq!(raw.authenticate("wrong").await.last().unwrap().code(), "28P01");
}

#[tokio::test]
async fn a_database_that_is_not_configured_does_not_exist() {
    let proxy = Proxy::start().await;
    for database in ["nowhere", "postgres", &proxy.database.name] {
        let (_, answer) = proxy.alice.raw_with(&[("database", database)]).await;
        let error = answer.last().unwrap();
        assert_eq!(
            (error.code().as_str(), error.field(b'S').as_deref()),
            ("3D000", Some("FATAL"))
        );
    }
}

#[tokio::test]
async fn a_disabled_user_has_no_way_in() {
    let proxy = Proxy::start().await;
    drop(proxy.carol.driver().await);
    run(&proxy, &["user", "disable", "carol"], "");
    assert_eq!(
        attempt(&proxy, "carol", &proxy.carol.password())
            .await
            .error
            .code(),
        "28P01"
    );
    let answer = proxy.carol.call(Method::GET, "/api/v1/requests", None).await;
    assert_eq!(answer.status, 401);
    run(&proxy, &["user", "enable", "carol"], "");
    drop(proxy.carol.driver().await);
}

#[tokio::test]
async fn users_come_from_the_command_line() {
    let proxy = Proxy::start().await;
    run(
        &proxy,
        &["user", "add", "dave", "--group", "dba", "--password-stdin"],
        "correct horse battery\n",
    );
    let dave = config(proxy.address(), "dave", "correct horse battery");
    drop(Driver::connect_with(&dave).await.unwrap());
    run(
        &proxy,
        &["user", "passwd", "dave", "--password-stdin"],
        "another good one\n",
    );
    let Err(refused) = Driver::connect_with(&dave).await else {
        panic!("the old password still works");
    };
    assert_eq!(refused.code(), Some(&SqlState::INVALID_PASSWORD));

    let token = run(&proxy, &["user", "token", "dave"], "");
    let token = token.strip_suffix('\n').unwrap();
    assert!(!token.contains(char::is_whitespace), "the token alone: {token:?}");
    let dave = proxy.bob.with_token(token);
    assert_eq!(dave.call(Method::GET, "/api/v1/requests", None).await.status, 200);
}

#[tokio::test]
async fn requests_are_decided_on_from_the_command_line() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.psql().await;
    alice.types("DELETE FROM items WHERE id = 3;");
    let request = proxy.bob.pending_one().await;
    let listed = run_as(&proxy, &["requests", "list"]);
    assert!(listed.contains(request.id()), "{listed}");
    let shown = run_as(&proxy, &["requests", "show", request.id()]);
    assert!(shown.contains("DELETE FROM items WHERE id = 3"), "{shown}");
    run_as(&proxy, &["requests", "approve", request.id()]);
    assert!(alice.prompt().await.ends_with("DELETE 1\n"));
}

#[tokio::test]
async fn there_is_room_for_so_many_and_no_more() {
    let proxy = Proxy::with().proxy("max_connections = 2").start().await;
    let first = proxy.alice.raw().await;
    let second = proxy.bob.raw().await;
    let (_, answer) = proxy.carol.raw_with(&[]).await;
    let error = answer.last().unwrap();
    assert_eq!(
        (error.code().as_str(), error.field(b'S').as_deref()),
        ("53300", Some("FATAL"))
    );
    drop(first);
    eventually("there is room again", async || {
        let (_, answer) = proxy.carol.raw_with(&[]).await;
        (answer.last()?.tag == b'Z').then_some(())
    })
    .await;
    drop(second);
}

#[tokio::test]
async fn who_does_not_log_in_is_put_out() {
    let proxy = Proxy::with().proxy(r#"login_timeout = "1s""#).start().await;
    let mut silent = Raw::connect(proxy.address()).await;
    let mut slow = Raw::connect(proxy.address()).await;
    slow.start_up(&[("user", "alice"), ("database", "shop")]).await;
    assert_eq!(slow.message().await.tag, b'R');
    for raw in [&mut silent, &mut slow] {
        let last = raw.rest().await;
        assert!(last.iter().all(|m| m.tag == b'E'), "{last:?}");
    }
}

/// What a login that failed has shown.
struct Attempt {
    salt: String,
    iterations: String,
    error: Message,
}

async fn attempt(proxy: &Proxy, user: &str, password: &str) -> Attempt {
    let mut raw = Raw::connect(proxy.address()).await;
    raw.start_up(&[("user", user), ("database", "shop")]).await;
    let answer = raw.authenticate(password).await;
    assert_eq!(answer.len(), 1, "{answer:?}");
    assert!(raw.is_closed().await);
    let field = |name: &str| {
        raw.challenge
            .split(',')
            .find_map(|f| f.strip_prefix(name))
            .unwrap()
            .to_owned()
    };
    Attempt {
        salt: field("s="),
        iterations: field("i="),
        error: answer[0].clone(),
    }
}

/// Runs the command line, which must succeed. Gives what it printed.
fn run(proxy: &Proxy, arguments: &[&str], input: &str) -> String {
    finish(proxy.command(arguments), input)
}

/// As [`run`], with bob's token, against the running holdpoint.
fn run_as(proxy: &Proxy, arguments: &[&str]) -> String {
    let mut command = proxy.command(arguments);
    command
        .env("HOLDPOINT_TOKEN", &proxy.bob.token)
        .env("HOLDPOINT_URL", proxy.console());
    finish(command, "")
}

/// Whoever closes a descriptor of a file of the store's loses the process's locks on it (fcntl(2)), SQLite's among them, by
/// which other processes know that they are not alone.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_store_keeps_its_locks_while_clients_come_and_go() {
    use rustix::process::{Flock, FlockOffsetType, FlockType, fcntl_getlk};

    let proxy = Proxy::start().await;
    for person in [&proxy.alice, &proxy.bob, &proxy.carol, &proxy.alice] {
        person.raw().await.leave().await;
    }
    let index = std::fs::File::open(proxy.folder().join("holdpoint.db-shm")).expect("the store is open");
    // The byte of SQLite's "dead man's switch": `UNIX_SHM_DMS` in its `os_unix.c`.
    let wanted = Flock {
        start: 128,
        length: 1,
        pid: None,
        typ: FlockType::WriteLock,
        offset_type: FlockOffsetType::Set,
    };
    let held = fcntl_getlk(&index, &wanted).expect("a file");
    assert!(
        held.is_some(),
        "another process would take itself for the only one"
    );
}
