//! A timeout that the server reports at a message which is answered by nothing else, and what it skips then.

use super::play::{DELETE, Player, query, send, stage, untouched};
use crate::support::Proxy;
use crate::support::raw::Frames;

/// What would run `s` as something else if the answers were one behind.
async fn nothing_is_shifted(alice: &mut Player) {
    let told = alice
        .plays([
            send(Frames::new().parse("s", "select 1").sync()),
            send(Frames::new().parse("s", DELETE).sync()),
            send(Frames::new().parse("bad", "select nocolumn from t").sync()),
            send(Frames::new().bind("", "s", &[]).execute("", 0).sync()),
        ])
        .await;
    assert_eq!(
        told,
        [
            "1 Z(I)",
            "E(42P05) Z(I)",
            "E(42703) Z(I)",
            "2 D(1) C(SELECT 1) Z(I)"
        ]
    );
}

/// The timeout counts from the Parse, while the server waits for what comes.
async fn is_timed_out(proxy: &Proxy, alice: &mut Player) {
    let told = alice
        .plays([
            query("SET statement_timeout = '50ms'"),
            send(Frames::new().parse("a", "select 1").flush()).until(b'1'),
        ])
        .await;
    assert!(told[0].starts_with("C(SET) Z(") && told[1] == "1", "{told:?}");
    // Nothing shows it before the next message: the server's own clock is waited for.
    proxy.database.run("SELECT pg_sleep(0.2)").await;
}

#[tokio::test]
async fn a_flush_that_fails_ends_its_segment() {
    let proxy = stage().await;
    let mut alice = Player::alice(&proxy).await;
    is_timed_out(&proxy, &mut alice).await;
    let told = alice
        .plays([
            send(Frames::new().flush()).until(b'E'),
            send(Frames::new().query("select 1").sync()),
        ])
        .await;
    assert_eq!(told, ["E(57014)", "Z(I)"]);
    nothing_is_shifted(&mut alice).await;
    untouched(&proxy, alice).await;
}

#[tokio::test]
async fn a_flush_with_a_body_is_refused_as_the_server_would() {
    let proxy = stage().await;
    let mut alice = Player::alice(&proxy).await;
    let told = alice
        .plays([
            send(Frames::new().frame(b'H', b"x")).until(b'E'),
            send(Frames::new().query("select 1").sync()),
        ])
        .await;
    assert_eq!(told, ["E(08P01)", "Z(I)"]);
    nothing_is_shifted(&mut alice).await;
    untouched(&proxy, alice).await;
}

/// A timeout that comes while the server waits hits the query that comes next, and that alone; also where holdpoint has put a
/// Sync of its own before it.
#[tokio::test]
async fn a_query_behind_a_flush_is_hit_by_a_timeout_as_directly() {
    let proxy = stage().await;
    for begin in ["select 1", "BEGIN"] {
        let mut alice = Player::alice(&proxy).await;
        assert!(alice.plays([query(begin)]).await[0].starts_with(['T', 'C']));
        is_timed_out(&proxy, &mut alice).await;
        let told = alice
            .plays([query("select 1"), query("ROLLBACK"), query("select 1")])
            .await;
        assert!(told[0].starts_with("E(57014) Z("), "{told:?}");
        assert_eq!(told[1..], ["C(ROLLBACK) Z(I)", "T D(1) C(SELECT 1) Z(I)"]);
        nothing_is_shifted(&mut alice).await;
        untouched(&proxy, alice).await;
    }
}

/// What belongs to no COPY does not come to the server, which would ignore it, or report the timeout and be ready.
#[tokio::test]
async fn what_belongs_to_no_copy_shifts_nothing() {
    let proxy = stage().await;
    for tag in [b'd', b'c', b'f'] {
        let mut alice = Player::alice(&proxy).await;
        is_timed_out(&proxy, &mut alice).await;
        let told = alice.plays([send(Frames::new().frame(tag, b"x\0").sync())]).await;
        assert_eq!(told, ["E(57014) Z(I)"]);
        nothing_is_shifted(&mut alice).await;
        untouched(&proxy, alice).await;
    }
}

/// A Parse of holdpoint's own in the place of the client's has gone upstream: a move of the read shield does not come before it.
#[tokio::test]
async fn the_shield_is_not_moved_before_what_has_gone_upstream() {
    let proxy = stage().await;
    let mut alice = Player::alice(&proxy).await;
    let own = |frames: Frames, name: &str| frames.parse(name, "SET holdpoint.reason = 'x'");
    let prepares = Frames::new()
        .parse("s", DELETE)
        .parse("path", "SET search_path = public")
        .parse("one", "select 1");
    let told = alice
        .plays([query("SET statement_timeout = '50ms'"), send(prepares.sync())])
        .await;
    assert_eq!(told, ["C(SET) Z(I)", "1 1 1 Z(I)"]);
    // The shield is down, and nothing is in doubt.
    let lowers = Frames::new().query("ROLLBACK TO a").query("COPY t TO nowhere");
    let told = alice.plays([send(own(lowers, "q")).times(2)]).await;
    assert_eq!(told, ["E(25P01) Z(I) E(42601) Z(I)"]);
    proxy.database.run("SELECT pg_sleep(0.2)").await;
    let slips = own(Frames::new(), "s")
        .parse("x", "select 1")
        .parse("y", "select 2")
        .parse("z", "select nocolumn from t")
        .bind("", "path", &[])
        .bind("", "one", &[])
        .execute("", 0)
        .sync();
    let told = alice.plays([send(slips)]).await;
    assert_eq!(told, ["1 E(57014) Z(I)"]);
    let runs = Frames::new()
        .query("ROLLBACK TO a")
        .bind("", "s", &[])
        .execute("", 0)
        .sync();
    let told = alice.plays([send(runs).times(2)]).await;
    assert_eq!(told, ["E(25P01) Z(I) held: DELETE FROM t WHERE true"]);
    untouched(&proxy, alice).await;
}

/// A query behind a Flush, as some drivers send it behind what they prepare, may be interrupted for its own reasons.
#[tokio::test]
async fn a_query_behind_a_flush_fails_by_itself() {
    let proxy = stage().await;
    let mut alice = Player::alice(&proxy).await;
    let prepares = || {
        send(
            Frames::new()
                .parse("a", "select 1")
                .describe_statement("a")
                .flush(),
        )
        .until(b'T')
    };
    let closes = || send(Frames::new().close_statement("a").sync());
    for failing in ["select pg_sleep(5)", "select count(*) from t"] {
        let told = alice.plays([query("SET statement_timeout = '200ms'")]).await;
        assert_eq!(told, ["C(SET) Z(I)"]);
        let mut other = Player::behind(&proxy).await;
        if failing.ends_with('t') {
            // Before it has told of its columns.
            other.plays([query("BEGIN"), query("LOCK TABLE t")]).await;
        }
        let told = alice
            .plays([prepares(), query(&format!("BEGIN; {failing}"))])
            .await;
        assert!(told[1].ends_with("E(57014) Z(E)"), "{told:?}");
        let told = alice
            .plays([query("ROLLBACK"), closes(), query("select 1")])
            .await;
        assert_eq!(told, ["C(ROLLBACK) Z(I)", "3 Z(I)", "T D(1) C(SELECT 1) Z(I)"]);
    }
    untouched(&proxy, alice).await;
}
