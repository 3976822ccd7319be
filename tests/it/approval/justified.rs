//! What a requester must give with a statement, and the ways to give it.

use crate::support::Proxy;

const POLICY: &str = r#"
    default_groups = ["dba"]
    [[rule]]
    name = "reads pass"
    when = { effects = ["read", "session"] }
    then = "allow"
    [[rule]]
    name = "writes need a word"
    then = { hold = { groups = ["dba"], justification = ["reason", "ticket"] } }
"#;

#[tokio::test]
async fn without_it_nobody_is_asked_and_the_refusal_says_how_to_give_it() {
    let proxy = Proxy::with().policy(POLICY).start().await;
    let mut alice = proxy.alice.psql().await;
    let shown = alice.runs("DELETE FROM items WHERE id = 3;").await;
    for said in [
        "ERROR:  this DELETE needs a reason and a ticket before it can be reviewed",
        "/* reason: why it is to run; ticket: OPS-42 */",
        "SET holdpoint.reason = 'why it is to run';",
    ] {
        assert!(shown.contains(said), "{said} in {shown}");
    }
    let shown = alice
        .runs("/* reason: a refund */ DELETE FROM items WHERE id = 3;")
        .await;
    assert!(shown.contains("this DELETE needs a ticket"), "{shown}");
    assert!(proxy.bob.requests("?state=pending").await.is_empty());
}

#[tokio::test]
async fn a_comment_a_setting_or_the_programs_name_gives_it() {
    let proxy = Proxy::with().policy(POLICY).start().await;
    let mut alice = proxy
        .alice
        .psql_with(&[("PGAPPNAME", "billing; ticket: OPS-1; reason: nightly")])
        .await;
    alice.types("DELETE FROM items WHERE id = 1;");
    let request = proxy.bob.approves_next().await;
    assert_eq!(
        (request.text("justification"), request.text("ticket")),
        ("nightly", "OPS-1")
    );
    alice.prompt().await;

    assert_eq!(alice.runs("SET holdpoint.reason = 'a refund';").await, "SET\n");
    alice.types("DELETE FROM items WHERE id = 2;");
    let request = proxy.bob.approves_next().await;
    assert_eq!(
        (request.text("justification"), request.text("ticket")),
        ("a refund", "OPS-1")
    );
    alice.prompt().await;

    // psql itself keeps comments at the head of a statement from version 15 on.
    alice.types("/* reason: this one; ticket: OPS-2 */ DELETE FROM items WHERE id = 3;");
    let request = proxy.bob.approves_next().await;
    assert_eq!(
        (request.text("justification"), request.text("ticket")),
        ("this one", "OPS-2")
    );
    alice.prompt().await;

    let mut other = proxy
        .alice
        .psql_with(&[(
            "PGOPTIONS",
            r"-c holdpoint.reason=by\ option -c holdpoint.ticket=OPS-3",
        )])
        .await;
    other.types("DELETE FROM items WHERE id = 4;");
    let request = proxy.bob.approves_next().await;
    assert_eq!(
        (request.text("justification"), request.text("ticket")),
        ("by option", "OPS-3")
    );
    assert!(other.prompt().await.ends_with("DELETE 1\n"));
}
