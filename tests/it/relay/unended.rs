//! Segments without an end: who goes in the middle of one, or may not go on, leaves nothing on the server.

use std::process::Stdio;

use super::EVERYTHING_PASSES;
use crate::support::raw::{Frames, tags};
use crate::support::{Proxy, eventually};

const POOL: &str = "pool = { max_idle = 5 }";

/// Waits until the server has no connection any more of whoever calls themselves so.
async fn is_over(proxy: &Proxy, name: &str) {
    let query = format!("SELECT count(*) FROM pg_stat_activity WHERE application_name = '{name}'");
    eventually(&format!("{name} is over"), async || {
        (proxy.database.value(&query).await == "0").then_some(())
    })
    .await;
}

/// Parse, Bind and Execute, and no Sync.
fn unended() -> Frames {
    Frames::new().statement("SELECT id FROM items WHERE id = 1 FOR UPDATE")
}

#[tokio::test]
async fn one_who_goes_in_the_middle_of_a_segment_keeps_no_transaction() {
    for lines in ["", POOL] {
        let proxy = Proxy::with()
            .policy(EVERYTHING_PASSES)
            .databases(lines)
            .start()
            .await;
        let large = vec![b'x'; 300_000];
        let mut head = b"\0s\0\0\0\0\x01".to_vec();
        head.extend_from_slice(&400_000_u32.to_be_bytes());
        head.extend_from_slice(&large);
        let size = u32::try_from(4 + head.len() - large.len() + 400_000 + 2).unwrap();
        let half = [&b"B"[..], &size.to_be_bytes(), &head].concat();
        for (name, frames) in [
            ("parsed", Frames::new().parse("", "SELECT 1")),
            ("executed", unended()),
            ("not_a_copy", unended().frame(b'c', b"")),
            ("flushed", unended().flush().parse("", "SELECT 1")),
            (
                "half",
                Frames::new().parse_typed("s", "SELECT $1", &[25]).bytes(&half),
            ),
        ] {
            for _ in 0..2 {
                let (mut alice, _) = proxy.alice.raw_with(&[("application_name", name)]).await;
                alice.send(frames.as_ref()).await;
                alice.leave().await;
                is_over(&proxy, name).await;
            }
        }
        // Nothing is locked.
        proxy
            .database
            .run("UPDATE items SET name = 'free' WHERE id = 1")
            .await;
    }
}

#[tokio::test]
async fn a_goodbye_in_the_middle_of_a_segment_or_a_copy_is_one() {
    for lines in ["", POOL] {
        let proxy = Proxy::with()
            .policy(EVERYTHING_PASSES)
            .databases(lines)
            .start()
            .await;
        for (name, frames) in [
            ("parsed", Frames::new().parse("", "SELECT 1")),
            ("executed", unended()),
            ("copying", Frames::new().query("COPY items FROM STDIN")),
        ] {
            let (mut alice, _) = proxy.alice.raw_with(&[("application_name", name)]).await;
            alice.send(frames.terminate()).await;
            // The client does not close it: what it waits for is the end.
            alice.rest().await;
            is_over(&proxy, name).await;
        }
    }
}

#[tokio::test]
async fn what_was_approved_and_has_no_end_is_undone_when_its_client_goes() {
    let proxy = Proxy::start().await;
    let (mut alice, _) = proxy.alice.raw_with(&[("application_name", "approved")]).await;
    alice
        .send(Frames::new().statement("DELETE FROM items WHERE id = 1"))
        .await;
    let request = proxy.bob.approves_next().await;
    proxy
        .database
        .sees_waiting("DELETE FROM items WHERE id = 1", "ClientRead")
        .await;
    alice.leave().await;
    is_over(&proxy, "approved").await;
    assert_eq!(proxy.database.items().await, 10);
    proxy.bob.sees(&request, "failed").await;
}

#[tokio::test]
async fn who_is_disabled_cannot_go_on_by_never_coming_to_rest() {
    let proxy = Proxy::with().policy(EVERYTHING_PASSES).start().await;
    let (mut open, _) = proxy.alice.raw_with(&[("application_name", "open")]).await;
    open.send(Frames::new().parse("", "SELECT 'open'")).await;
    proxy.database.sees_waiting("SELECT _open_", "ClientRead").await;
    let (mut copying, _) = proxy.alice.raw_with(&[("application_name", "copying")]).await;
    copying
        .send(Frames::new().query("CREATE TEMP TABLE t (i int)"))
        .await;
    copying.ready().await;
    copying.send(Frames::new().query("COPY t FROM STDIN")).await;
    copying.up_to(b'G').await;
    let mut busy = proxy.alice.raw().await;
    let lock = proxy.database.lock_items().await;
    // What has come already is answered; what comes later, while that is on its way, is not.
    busy.send(
        Frames::new()
            .query("SELECT id FROM items WHERE id = 1 FOR UPDATE")
            .query("SELECT 1"),
    )
    .await;
    proxy.database.sees_waiting("%FOR UPDATE", "Lock").await;
    let done = proxy
        .command(&["user", "disable", "alice"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(done.status.success());
    proxy.logs("users were disabled").await;
    busy.send(Frames::new().query("SELECT 'too late'")).await;
    assert_eq!(open.rest().await.last().unwrap().code(), "57P01");
    assert_eq!(copying.rest().await.last().unwrap().code(), "57P01");
    is_over(&proxy, "open").await;
    is_over(&proxy, "copying").await;
    drop(lock);
    let heard = busy.rest().await;
    assert_eq!(tags(&heard), "TDCZTDCZE");
    assert_eq!(heard.last().unwrap().code(), "57P01");
}
