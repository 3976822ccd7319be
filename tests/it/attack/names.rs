//! Names of prepared statements that the server reads otherwise than they are written.

use super::play::{DELETE, Player, attack, query, send, stage, untouched, words};
use crate::support::raw::Frames;

/// A text that holdpoint's own parser does not take, and that the server does.
fn odd(sql: &str) -> String {
    format!("{sql} /{}/", "*".repeat(400))
}

/// The server cuts a name off after 63 bytes.
#[tokio::test]
async fn a_name_that_the_server_cuts_off_is_not_another() {
    let proxy = stage().await;
    let short = "A".repeat(63);
    let long = format!("{short}y");
    let told = attack(
        &proxy,
        [
            send(Frames::new().parse(&long, "select 1").sync()),
            send(Frames::new().close_statement(&short).parse(&short, DELETE).sync()),
            send(Frames::new().bind("", &long, &[]).execute("", 0).sync()),
        ],
    )
    .await;
    assert_eq!(told, ["1 Z(I)", "3 1 Z(I)", "held: DELETE FROM t WHERE true",]);
}

/// The server reads a name in the client's encoding, which the client may change: only ASCII is the same
/// in each.
#[tokio::test]
async fn a_name_in_another_encoding_is_refused() {
    let proxy = stage().await;
    let latin1 = |tag, before: &[u8], after: &[u8]| (tag, [before, b"\xe9\0", after].concat());
    let (close, close_body) = latin1(b'C', b"S", b"");
    let (parse, parse_body) = latin1(b'P', b"", &[DELETE.as_bytes(), b"\0\0\0"].concat());
    let told = attack(
        &proxy,
        [
            send(Frames::new().parse("é", "select 1").sync()),
            query("SET client_encoding = LATIN1"),
            send(
                Frames::new()
                    .frame(close, &close_body)
                    .frame(parse, &parse_body)
                    .sync(),
            ),
            query("SET client_encoding = UTF8"),
            send(Frames::new().bind("", "é", &[]).execute("", 0).sync()),
        ],
    )
    .await;
    assert_eq!(
        told,
        [
            "E(08P01) Z(I)",
            "C(SET) S Z(I)",
            "E(08P01) Z(I)",
            "C(SET) S Z(I)",
            "E(08P01) Z(I)",
        ]
    );
}

/// To ask the server whether a text is SQL must not leave it behind as the unnamed statement.
#[tokio::test]
async fn a_text_that_was_only_tried_is_not_the_unnamed_statement() {
    let proxy = stage().await;
    let mut alice = Player::alice(&proxy).await;
    let prepares = send(Frames::new().parse("", "select 1").sync());
    assert_eq!(alice.plays([prepares]).await, ["1 Z(I)"]);
    alice.raw.send(Frames::new().query(&odd(DELETE))).await;
    let request = proxy.bob.pending_one().await;
    assert_eq!(request.statement(), odd(DELETE));
    proxy.alice.cancel(&alice.raw.key).await;
    let cancelled = alice.raw.ready().await;
    assert_eq!(words(&cancelled).join(" "), "E(57014) Z(I)");
    let executes = send(Frames::new().bind("", "", &[]).execute("", 0).sync());
    let told = alice.plays([executes]).await;
    // Where the server was asked to lift the read shield meanwhile, it is the server that fails: at a Query, which ends the
    // unnamed statement.
    let is_fine = |told: &String| ["2 D(1) C(SELECT 1) Z(I)", "E(26000) Z(I)"].contains(&told.as_str());
    assert!(told.len() == 1 && told.iter().all(is_fine), "{told:?}");
    untouched(&proxy, alice).await;
}

/// Asked once, the server need not be asked again.
#[tokio::test]
async fn a_text_that_only_the_server_takes_is_held() {
    let proxy = stage().await;
    let told = attack(&proxy, [query(&odd("select 1"))]).await;
    assert_eq!(told, [format!("held: {}", odd("select 1"))]);
}

/// What was announced by a PREPARE that fails is no reason to wait for an answer.
#[tokio::test]
async fn a_prepare_that_fails_does_not_hang_what_is_behind_it() {
    let proxy = stage().await;
    let prepare = "PREPARE p1 AS select 1";
    let again = Frames::new().query(prepare).close_statement("p1");
    let again = again.bind("", "p1", &[]).sync();
    let told = attack(&proxy, [query(prepare), send(again).times(2)]).await;
    assert_eq!(told, ["C(PREPARE) Z(I)", "E(42P05) Z(I) 3 E(26000) Z(I)"]);
}
