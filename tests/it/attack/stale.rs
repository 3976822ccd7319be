//! The unnamed portal after a Bind that failed: it is still that of an earlier text.

use super::play::{DENIED, Part, attack, query, send, stage};
use crate::support::raw::Frames;

/// Leaves a suspended portal behind, and a Bind that fails where a PREPARE was to stand.
fn suspended() -> Vec<Part> {
    let parsed = Frames::new()
        .parse("x", DENIED)
        .parse("prep", "PREPARE x AS SELECT 1")
        .parse("gs", "SELECT g FROM generate_series(1, 3) g")
        .parse("begin", "BEGIN")
        .parse("save", "SAVEPOINT a")
        .parse("back", "ROLLBACK TO a")
        .sync();
    // By named portals: a simple query would replace the unnamed one.
    let run = |name: &str| {
        let portal = format!("p_{name}");
        send(Frames::new().bind(&portal, name, &[]).execute(&portal, 0).sync())
    };
    vec![
        send(parsed),
        run("begin"),
        send(Frames::new().bind("", "gs", &[]).execute("", 1).sync()),
        run("save"),
        // A parameter too many.
        send(Frames::new().bind("", "prep", &["1"]).sync()),
        run("back"),
    ]
}

const SUSPENDED: [&str; 6] = [
    "1 1 1 1 1 1 Z(I)",
    "2 C(BEGIN) Z(T)",
    "2 D(1) s Z(T)",
    "2 C(SAVEPOINT) Z(T)",
    "E(08P01) Z(E)",
    "2 C(ROLLBACK) Z(T)",
];

#[tokio::test]
async fn the_end_of_an_older_portal_changes_no_name() {
    let proxy = stage().await;
    let after = [
        send(Frames::new().execute("", 0).sync()),
        query("COMMIT"),
        query("EXECUTE x"),
    ];
    let told = attack(&proxy, suspended().into_iter().chain(after)).await;
    assert_eq!(told[..6], SUSPENDED);
    assert_eq!(told[6..], ["E(26000) Z(E)", "C(ROLLBACK) Z(I)", "E(42501) Z(I)"]);
}

#[tokio::test]
async fn a_part_of_an_older_portal_announces_no_name() {
    let proxy = stage().await;
    let after = send(
        Frames::new()
            .parse("e", "EXECUTE x")
            .execute("", 1)
            .bind("q", "e", &[])
            .execute("q", 0)
            .sync(),
    );
    let told = attack(&proxy, suspended().into_iter().chain([after])).await;
    assert_eq!(told[..6], SUSPENDED);
    assert_eq!(told[6], "1 E(26000) Z(E)");
}
