//! `channel_binding` and `require_auth`: what the server may ask for.

use super::{Behind, alice, in_front_of, outcome};
use crate::support::authority::authority;
use crate::support::front::{Answer, Front};

#[tokio::test]
async fn scram_is_bound_to_the_connection() {
    // It takes TLS off: what is behind it cannot offer channel binding.
    let between = Front::start(Answer::Yes(authority().server.acceptor())).await;
    let over_tls = |role| Behind::as_role(role).with("sslmode", "require");
    let port = between.address.port();
    let binding = "channel_binding";
    let cases = [
        (over_tls("app:app-secret").with(binding, "require"), None),
        (over_tls("app:app-secret").with(binding, "prefer"), None),
        (over_tls("app:app-secret").with(binding, "disable"), None),
        (
            over_tls("app:app-secret")
                .at("127.0.0.1", port)
                .with(binding, "require"),
            Some("but the server does not offer it"),
        ),
        (
            over_tls("app:app-secret")
                .at("127.0.0.1", port)
                .with(binding, "prefer"),
            None,
        ),
        (
            over_tls("app_md5:app-secret").with(binding, "require"),
            Some("but the server did not ask for SCRAM"),
        ),
        (
            over_tls("app_cleartext:app-secret").with(binding, "require"),
            Some("but the server did not ask for SCRAM"),
        ),
        (
            over_tls("app_trust").with(binding, "require"),
            Some("but the server did not ask for SCRAM"),
        ),
        (
            Behind::as_role("app_nossl:app-secret").with(binding, "require"),
            Some("but the connection is without TLS"),
        ),
    ];
    let databases: Vec<Behind> = cases.iter().map(|(behind, _)| behind.clone()).collect();
    let proxy = in_front_of(&databases).await;
    for (number, (behind, why)) in cases.into_iter().enumerate() {
        let before = proxy.log_length();
        match why {
            None => assert!(outcome(&proxy, number).await.is_some(), "{behind:?}"),
            Some(why) => {
                assert_eq!(outcome(&proxy, number).await, None, "{behind:?}");
                proxy.logs_since(before, why).await;
            }
        }
    }
}

#[tokio::test]
async fn methods_can_be_forbidden() {
    let role = Behind::as_role;
    let require = "require_auth";
    let cases = [
        (role("app:app-secret").with(require, "scram-sha-256"), None),
        (
            role("app_md5:app-secret").with(require, "md5,scram-sha-256"),
            None,
        ),
        (role("app_trust").with(require, "none"), None),
        (role("app_cleartext:app-secret").with(require, "!md5"), None),
        (
            role("app:app-secret").with(require, "md5"),
            Some("asks for SCRAM, which"),
        ),
        (
            role("app_md5:app-secret").with(require, "scram-sha-256"),
            Some("asks for an MD5 password, which"),
        ),
        (
            role("app_cleartext:app-secret").with(require, "!password"),
            Some("asks for a cleartext password, which"),
        ),
        (
            role("app_trust").with(require, "scram-sha-256"),
            Some("asks for no authentication, which"),
        ),
    ];
    let databases: Vec<Behind> = cases.iter().map(|(behind, _)| behind.clone()).collect();
    let proxy = in_front_of(&databases).await;
    for (number, (behind, why)) in cases.into_iter().enumerate() {
        match why {
            None => drop(alice(&proxy, number).await.unwrap()),
            Some(why) => {
                assert_eq!(outcome(&proxy, number).await, None, "{behind:?}");
                proxy.logs(why).await;
            }
        }
    }
}
