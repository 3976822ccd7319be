//! Approvers see what the session sent before, also what passed.

use crate::support::Proxy;
use crate::support::raw::Frames;
use crate::support::request::Request;

/// Text, whether it is in the same transaction, and what became of it.
fn earlier(request: &Request) -> Vec<(&str, bool, &str)> {
    let list = request.field("earlier").as_array().expect("a list");
    list.iter()
        .map(|one| {
            (
                one["text"].as_str().expect("a text"),
                one["same_transaction"].as_bool().expect("yes or no"),
                one["outcome"].as_str().expect("a word"),
            )
        })
        .collect()
}

#[tokio::test]
async fn what_passed_is_shown_with_what_did_not() {
    let proxy = Proxy::start().await;
    let mut other = proxy.alice.psql().await;
    other.runs("SELECT 'of another session';").await;
    let mut alice = proxy.alice.psql().await;
    alice.runs("SELECT count(*) FROM items WHERE name = 'x';").await;
    alice.types("DELETE FROM items WHERE id = 1;");
    let first = proxy.bob.rejects_next("no").await;
    assert_eq!(
        earlier(&first),
        [("SELECT count(*) FROM items WHERE name = 'x';", false, "passed")]
    );
    alice.prompt().await;
    alice.runs("BEGIN;").await;
    alice.runs("SELECT name FROM items WHERE id = 4711;").await;
    alice.types("DELETE FROM items WHERE id = 2;");
    let second = proxy.bob.approves_next().await;
    alice.prompt().await;
    alice.types("DELETE FROM items WHERE id = 3;");
    let request = proxy.bob.pending_one().await;
    let told = [
        ("SELECT count(*) FROM items WHERE name = 'x';", false, "passed"),
        ("DELETE", false, "refused"),
        ("BEGIN;", true, "passed"),
        ("SELECT name FROM items WHERE id = ?;", true, "passed"),
        ("DELETE", true, "held"),
    ];
    assert_eq!(earlier(&request), told);
    // What is a request of its own shows its text to those who may see that.
    let list = request.field("earlier");
    assert_eq!(list[1]["request"], first.id());
    assert_eq!(list[4]["request"], second.id());
    assert!(list[3]["request"].is_null());
    // Also on its page and on the command line, with where it comes from.
    let path = format!("/requests/{}", request.id());
    let page = proxy.bob.browser().await.open(&path).await;
    for said in [
        "Before this, in this session",
        "SELECT name FROM items WHERE id = ?;",
        "held, and ran",
        "before, in this transaction",
        &format!("href=\"/requests/{}\"", second.id()),
        request.text("client_addr"),
        request.text("application_name"),
    ] {
        assert!(page.html.contains(said), "{said}: {}", page.html);
    }
    proxy.bob.approve(&request).await;
    alice.prompt().await;
    // Six of them, the oldest first.
    for n in 1..=9 {
        alice.runs(&format!("SELECT 'row {n}';")).await;
    }
    alice.types("DELETE FROM items WHERE id = 4;");
    let request = proxy.bob.rejects_next("no").await;
    let expected: Vec<String> = (4..=9).map(|n| format!("SELECT 'row {n}';")).collect();
    let texts: Vec<&str> = earlier(&request).into_iter().map(|(text, ..)| text).collect();
    assert_eq!(texts, expected);
    alice.prompt().await;
}

#[tokio::test]
async fn what_drivers_bind_is_shown_and_long_texts_are_cut() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    let prepared = Frames::new()
        .parse("s", "SELECT name FROM items WHERE id = $1::int")
        .sync();
    alice.exchange(prepared).await;
    for id in ["7", "8"] {
        let bound = Frames::new().bind("", "s", &[id]).execute("", 0).sync();
        alice.exchange(bound).await;
    }
    let long = format!("SELECT '{}'", "é".repeat(4000));
    alice.exchange(Frames::new().query(&long)).await;
    // A pipeline: two transactions of their own, and the start of a third, which is that of the write.
    let pipeline = Frames::new()
        .statement("SELECT 1")
        .sync()
        .statement("BEGIN")
        .sync()
        .statement("SELECT 2")
        .statement("DELETE FROM items WHERE id = 8")
        .sync();
    alice.send(pipeline).await;
    let request = proxy.bob.approves_next().await;
    let list = earlier(&request);
    assert_eq!(
        list[..2],
        [("SELECT name FROM items WHERE id = $1::int", false, "passed"); 2]
    );
    let (cut, ..) = list[2];
    assert!(cut.len() <= 1024 && long.starts_with(cut), "{cut}");
    assert_eq!(request.field("earlier")[2]["is_cut"], true);
    assert_eq!(
        list[3..],
        [
            ("SELECT ?", false, "passed"),
            ("BEGIN", true, "passed"),
            ("SELECT ?", true, "passed"),
        ]
    );
    alice.answers(3).await;
    alice.leave().await;
}
