//! Clients that want more than their share, or that get more than they asked for.

use super::play::{DENIED, Player, query, send, set, stage, untouched};
use crate::support::Proxy;
use crate::support::raw::Frames;

/// Notifications come at any time; a refusal comes between them, never into one.
#[tokio::test]
async fn a_refusal_is_not_written_into_a_notification() {
    const OWN: &str = "SET holdpoint.reason = 'because'";
    const NOTIFICATIONS: usize = 60;
    let proxy = stage().await;
    let mut alice = Player::alice(&proxy).await;
    assert_eq!(alice.plays([query("LISTEN ch")]).await, ["C(LISTEN) Z(I)"]);
    let payload = |i: usize| format!("{i}_{}", "x".repeat(7_900));
    let notify = |i| format!("NOTIFY ch, '{}';", payload(i));
    let script: String = (0..NOTIFICATIONS).map(notify).collect();
    let script = format!("BEGIN;{script}COMMIT");
    for of_own in [false, true, false, true, true, true] {
        let attacks = async {
            let (mut refusals, mut refused, mut notified) = (0, 0, 0);
            while notified < NOTIFICATIONS || refused < refusals {
                if refusals < NOTIFICATIONS + 20 {
                    let sql = if of_own { OWN } else { DENIED };
                    alice.raw.send(Frames::new().query(sql)).await;
                    refusals += 1;
                }
                let message = alice.raw.message().await;
                match message.tag {
                    b'A' => {
                        let body = String::from_utf8(message.body[4..].to_vec()).unwrap();
                        assert_eq!(body, format!("ch\0{}\0", payload(notified)));
                        notified += 1;
                    }
                    b'E' => assert_eq!((message.code().as_str(), of_own), ("42501", false)),
                    b'C' => assert_eq!((message.text(), of_own), ("SET".into(), true)),
                    b'Z' => refused += 1,
                    tag => assert_eq!(tag, b'N', "{message:?}"),
                }
            }
        };
        tokio::join!(attacks, proxy.database.run(&script));
    }
    untouched(&proxy, alice).await;
}

/// Who does not read refusals does not make holdpoint keep them.
#[tokio::test]
async fn refusals_that_nobody_reads_are_not_kept() {
    let proxy = stage().await;
    let mut alice = Player::alice(&proxy).await;
    let before = proxy.peak_memory();
    let flood = b"F\0\0\0\x04".repeat(800_000);
    alice.raw.send_until_stalled(&flood).await;
    // Holdpoint still serves others.
    let mut other = Player::alice(&proxy).await;
    for _ in 0..20 {
        let told = other.plays([query("select 1")]).await;
        assert_eq!(told, ["T D(1) C(SELECT 1) Z(I)"]);
    }
    let grown = proxy.peak_memory() - before;
    assert!(grown < 40 * 1024, "{grown} KiB more");
    untouched(&proxy, alice).await;
}

/// So are those of SQL's `PREPARE`, which passes by itself where it prepares a read.
#[tokio::test]
async fn texts_of_sql_prepare_are_kept_up_to_a_limit() {
    const TEXT: usize = 512 * 1024;
    let setup = Proxy::with().proxy("max_message = \"4MiB\"");
    let proxy = set(setup.start().await).await;
    let mut alice = Player::alice(&proxy).await;
    let before = proxy.peak_memory();
    let constant = "x".repeat(TEXT);
    let mut kept = 0;
    let refused = loop {
        let text = format!("prepare p{kept} as select '{constant}'");
        let told = alice.plays([query(&text)]).await;
        match &*told[0] {
            "C(PREPARE) Z(I)" if kept < 20 => kept += 1,
            other => break other.to_owned(),
        }
    };
    assert_eq!(refused, "E(53400) Z(I)", "{kept} kept");
    assert!((6..=9).contains(&kept), "{kept} kept");
    assert_eq!(
        alice.plays([query("deallocate p0; deallocate p1")]).await,
        ["C(DEALLOCATE) C(DEALLOCATE) Z(I)"]
    );
    let again = format!("prepare again as select '{constant}'");
    assert_eq!(
        alice.plays([query(&again)]).await,
        ["C(PREPARE) Z(I)"],
        "there is room again"
    );
    let grown = proxy.peak_memory() - before;
    assert!(grown < 100 * 1024, "{grown} KiB more");
    untouched(&proxy, alice).await;
}

/// The texts of prepared statements are kept up to the size of one message, and no more.
#[tokio::test]
async fn texts_of_prepared_statements_are_kept_up_to_a_limit() {
    const TEXT: usize = 1 << 20;
    let setup = Proxy::with().proxy("max_message = \"4MiB\"");
    let proxy = set(setup.start().await).await;
    let mut alice = Player::alice(&proxy).await;
    let before = proxy.peak_memory();
    let text = format!("DELETE FROM t WHERE v = '{}'", "x".repeat(TEXT));
    let mut refused = false;
    let mut kept = 0;
    for i in 0..10 {
        let told = alice
            .plays([send(Frames::new().parse(&format!("m{i}"), &text).sync())])
            .await;
        match &*told[0] {
            "1 Z(I)" if !refused => kept += 1,
            "E(53400) Z(I)" => refused = true,
            other => panic!("{other} after {kept}"),
        }
    }
    assert!(refused, "{kept} kept");
    assert!(kept <= 5, "{kept} kept");
    let grown = proxy.peak_memory() - before;
    assert!(grown < 40 * 1024, "{grown} KiB more");
    untouched(&proxy, alice).await;
}

/// Tens of thousands of messages in one write are answered in their order, and others go on meanwhile.
#[tokio::test]
async fn a_flood_in_one_write_is_answered_in_order() {
    const MANY: usize = 15_000;
    let proxy = stage().await;
    let mut alice = Player::alice(&proxy).await;
    let mut other = Player::alice(&proxy).await;
    let mut frames = Frames::new().query("select pg_sleep(0.2)");
    for _ in 0..MANY {
        frames = frames.execute("not_there", 1);
    }
    let flood = async {
        let told = alice.plays([send(frames.sync()).times(2)]).await;
        assert_eq!(told, ["T D() C(SELECT 1) Z(I) E(34000) Z(I)"]);
    };
    let looks = async {
        for _ in 0..20 {
            assert_eq!(
                other.plays([query("select 1")]).await,
                ["T D(1) C(SELECT 1) Z(I)"]
            );
        }
    };
    tokio::join!(flood, looks);
    untouched(&proxy, alice).await;
}
