//! A cancel request goes the way of its session.

use futures_util::future::join;
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;

use super::{Behind, alice, in_front_of};
use crate::support::authority::authority;
use crate::support::driver::refusal;
use crate::support::front::{Answer, CANCEL_REQUEST, Front};

#[tokio::test]
async fn a_cancel_request_is_encrypted_where_its_session_is() {
    let acceptor = || authority().server.acceptor();
    let fronts = [
        (
            Front::start(Answer::Only(acceptor())).await,
            "require",
            "postgres",
            true,
        ),
        (
            Front::start(Answer::Only(acceptor())).await,
            "require",
            "direct",
            true,
        ),
        (
            Front::start(Answer::Yes(acceptor())).await,
            "prefer",
            "postgres",
            true,
        ),
        (Front::start(Answer::No).await, "prefer", "postgres", false),
        (
            Front::start(Answer::Yes(acceptor())).await,
            "allow",
            "postgres",
            false,
        ),
    ];
    let databases = fronts.each_ref().map(|(front, mode, negotiation, _)| {
        Behind::as_role("app:app-secret")
            .at("localhost", front.address.port())
            .with("sslmode", mode)
            .with("sslnegotiation", negotiation)
    });
    let proxy = in_front_of(&databases).await;
    for (number, (front, mode, _, encrypted)) in fronts.iter().enumerate() {
        let alice = alice(&proxy, number).await.unwrap();
        let cancel = alice.cancel_token();
        let mark = format!("SELECT pg_sleep(60) /* {number} */");
        let meanwhile = async {
            sees_running(&proxy, &mark).await;
            cancel.cancel_query(NoTls).await.unwrap();
        };
        let (done, ()) = join(alice.batch_execute(&mark), meanwhile).await;
        refusal(done, &SqlState::QUERY_CANCELED);
        let opening = front.sees(CANCEL_REQUEST).await;
        assert_eq!(opening.encrypted, *encrypted, "{mode}");
        assert_eq!(alice.value("SELECT 1").await.unwrap(), "1");
    }
}

#[tokio::test]
async fn the_real_server_takes_a_cancel_request_over_tls() {
    let proxy = in_front_of(&[Behind::as_role("app_ssl:app-secret").with("sslmode", "require")]).await;
    let alice = alice(&proxy, 0).await.unwrap();
    let cancel = alice.cancel_token();
    let statement = "SELECT pg_sleep(60) /* over TLS alone */";
    let meanwhile = async {
        sees_running(&proxy, statement).await;
        cancel.cancel_query(NoTls).await.unwrap();
    };
    let (done, ()) = join(alice.batch_execute(statement), meanwhile).await;
    refusal(done, &SqlState::QUERY_CANCELED);
}

/// Waits until the statement runs, in whatever database.
async fn sees_running(proxy: &crate::support::Proxy, statement: &str) {
    let query = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE query = '{statement}' AND wait_event = 'PgSleep'"
    );
    crate::support::eventually("it runs", async || {
        (proxy.database.value(&query).await == "1").then_some(())
    })
    .await;
}
