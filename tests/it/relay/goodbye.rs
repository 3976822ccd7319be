//! The end of a session, as its client sees it.

use crate::support::Proxy;
use crate::support::raw::Frames;

#[tokio::test]
async fn a_client_that_says_goodbye_hears_nothing_more() {
    let proxy = Proxy::start().await;
    for statement in ["", "SELECT 1"] {
        let mut alice = proxy.alice.raw().await;
        alice.send(Frames::new().query(statement)).await;
        alice.ready().await;
        // It does not close the connection itself: the server does, since it was asked to.
        alice.send(Frames::new().frame(b'X', b"")).await;
        assert!(alice.next().await.is_none(), "nothing but the end");
    }
}
