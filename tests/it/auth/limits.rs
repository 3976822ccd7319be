//! How many sessions there may be, and for whom.

use futures_util::future::join_all;

use crate::support::raw::Raw;
use crate::support::{Proxy, Role, eventually};

#[tokio::test]
async fn one_user_may_have_so_many_sessions_and_others_have_room() {
    let proxy = Proxy::with().proxy("max_connections_per_user = 2").start().await;
    let first = proxy.alice.raw().await;
    let _second = proxy.alice.raw().await;
    let (_, answer) = proxy.alice.raw_with(&[]).await;
    let error = answer.last().unwrap();
    assert_eq!(
        (error.code().as_str(), error.field(b'S').as_deref()),
        ("53300", Some("FATAL"))
    );
    assert_eq!(
        error.field(b'M').unwrap(),
        "too many connections for role \"alice\""
    );
    drop(proxy.bob.raw().await);

    first.leave().await;
    eventually("there is room again", async || {
        let (_, answer) = proxy.alice.raw_with(&[]).await;
        (answer.last()?.tag == b'Z').then_some(())
    })
    .await;
}

#[tokio::test]
async fn it_is_said_as_the_server_says_it() {
    let proxy = Proxy::with()
        .proxy("max_connections_per_user = 1")
        .role(Role::OfTheClient)
        .databases("auth = \"passthrough\"")
        .start()
        .await;
    let port = crate::support::cluster::cluster().port;
    let mut direct = Raw::connect(([127, 0, 0, 1], port).into()).await;
    direct
        .start_up(&[("user", "app_full"), ("database", &proxy.database.name)])
        .await;
    let expected = direct.authenticate("").await.pop().unwrap().without_source();

    let mut first = Raw::connect(proxy.address()).await;
    first.log_in("app_trust", "", "shop").await;
    let mut second = Raw::connect(proxy.address()).await;
    second
        .start_up(&[("user", "app_trust"), ("database", "shop")])
        .await;
    let heard = second.authenticate("").await.pop().unwrap();
    let as_other = String::from_utf8_lossy(&heard.body).replace("app_trust", "app_full");
    assert_eq!(as_other, String::from_utf8_lossy(&expected.body));
}

#[tokio::test]
async fn no_two_take_the_last_place() {
    for limits in ["max_connections_per_user = 3", "max_connections = 3"] {
        let proxy = Proxy::with().proxy(limits).start().await;
        let logins = join_all((0..12).map(|_| proxy.alice.raw_with(&[]))).await;
        let in_session = logins
            .iter()
            .filter(|(_, answer)| answer.last().unwrap().tag == b'Z');
        assert_eq!(in_session.count(), 3, "{limits}");
        let refused = logins
            .iter()
            .filter_map(|(_, answer)| answer.last().filter(|m| m.tag == b'E'));
        for error in refused {
            assert_eq!(error.code(), "53300");
        }
    }
}
