//! The read shield on connections that outlive their sessions.

use super::shield::{BLIND, TRAPS, UPDATE, hidden_writes_fail};
use crate::support::database::TAKEN_BACK;
use crate::support::raw::{Frames, describe, tags};
use crate::support::{Proxy, eventually};

/// Those leave the shield up: the first read finds it so, and nothing that takes it down by any way is passed on.
#[tokio::test]
async fn a_hidden_write_fails_on_a_connection_that_others_have_read_by() {
    let lines = format!("{BLIND}\npool = {{ max_idle = 1 }}");
    let proxy = Proxy::with().databases(&lines).start().await;
    proxy.database.run(TRAPS).await;
    hidden_writes_fail(&proxy, async || {
        let mut reader = proxy.alice.raw().await;
        reader.exchange(Frames::new().query("SELECT 1")).await;
        reader.send(Frames::new().terminate()).await;
        assert!(reader.next().await.is_none());
        let left = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
             AND query = 'SET default_transaction_read_only TO on' AND state = 'idle'";
        eventually("the connection is back, with the shield up", async || {
            (proxy.database.value(left).await == "1").then_some(())
        })
        .await;
    })
    .await;
    // Nobody sees it: it reads as it is by default, and what is approved writes first of all.
    let mut alice = proxy.alice.raw().await;
    let shown = alice
        .exchange(Frames::new().query("SHOW default_transaction_read_only"))
        .await;
    assert_eq!(shown[1].values(), ["off"]);
    alice.leave().await;
    let mut alice = proxy.alice.raw().await;
    alice.send(Frames::new().query(UPDATE)).await;
    proxy.bob.approves_next().await;
    assert_eq!(tags(&alice.ready().await), "CZ");
}

/// Left up by a session that wore it, and found by one that does not, since policy lets her write by now.
#[tokio::test]
async fn a_shield_that_was_left_up_is_in_nobodys_way() {
    let proxy = Proxy::with().databases("pool = { max_idle = 1 }").start().await;
    let mut reader = proxy.alice.raw().await;
    reader.exchange(Frames::new().query("SELECT 1")).await;
    reader.send(Frames::new().terminate()).await;
    assert!(reader.next().await.is_none());
    let left = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query IN {TAKEN_BACK}"
    );
    eventually("the connection is back", async || {
        (proxy.database.value(&left).await == "1").then_some(())
    })
    .await;
    proxy.rewrite_policy("default_groups = [\"dba\"]\n[[rule]]\nname = \"all\"\nwhen = { users = [\"alice\"] }\nthen = \"allow\"\n");
    proxy.hang_up();
    proxy.logs("read the policies again").await;
    let mut alice = proxy.alice.raw().await;
    for (sql, expected) in [
        ("BEGIN; SELECT 1", "CTDCZ"),
        (UPDATE, "CZ"),
        ("COMMIT", "CZ"),
        (UPDATE, "CZ"),
    ] {
        alice.send(Frames::new().query(sql)).await;
        let answer = alice.ready().await;
        assert_eq!(tags(&answer), expected, "{sql}: {}", describe(&answer));
    }
}
