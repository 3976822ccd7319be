//! A driver with a TLS of its own: tokio-postgres with rustls.

use futures_util::future::join;
use tokio_postgres::config::{Config, SslMode, SslNegotiation};
use tokio_postgres::error::SqlState;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::support::Proxy;
use crate::support::driver::{config, refusal};
use crate::support::tls::Certificates;

fn strict(proxy: &Proxy, negotiation: SslNegotiation) -> Config {
    let mut config = config(proxy.address(), "alice", &proxy.alice.password());
    config.ssl_mode(SslMode::Require).ssl_negotiation(negotiation);
    config
}

#[tokio::test]
async fn it_connects_both_ways_and_cancels() {
    let certificates = Certificates::new();
    let section = certificates.section("mode = \"require\"");
    let proxy = Proxy::with().proxy(&section).start().await;
    let connector = MakeRustlsConnect::new(certificates.client(None));
    for negotiation in [SslNegotiation::Postgres, SslNegotiation::Direct] {
        let config = strict(&proxy, negotiation);
        let (alice, connection) = config.connect(connector.clone()).await.unwrap();
        let connection = tokio::spawn(connection);
        let row = alice.query_one("SELECT $1::text", &[&"hello"]).await.unwrap();
        assert_eq!(row.get::<_, &str>(0), "hello");
        let cancel = alice.cancel_token();
        let meanwhile = async {
            proxy.database.sees_waiting("SELECT pg_sleep%", "PgSleep").await;
            cancel.cancel_query(connector.clone()).await.unwrap();
        };
        let (done, ()) = join(alice.batch_execute("SELECT pg_sleep(60)"), meanwhile).await;
        refusal(done, &SqlState::QUERY_CANCELED);
        drop(alice);
        connection.await.unwrap().unwrap();
    }
    let mut wrong = strict(&proxy, SslNegotiation::Direct);
    wrong.password("wrong");
    let refused = wrong.connect(connector).await.map(drop);
    refusal(refused, &SqlState::INVALID_PASSWORD);
}
