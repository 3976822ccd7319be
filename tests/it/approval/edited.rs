//! Approving with a change.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::Proxy;
use crate::support::people::Person;
use crate::support::raw::{Frames, Message, Raw, describe, tags};
use crate::support::request::{Answer, Request};

pub(super) async fn edit(person: &Person, request: &Request, statement: &str, edits: usize) -> Answer {
    let body = json!({ "statement": statement, "comment": "only this one", "edits": edits });
    let path = format!("/api/v1/requests/{}/edit", request.id());
    person.call(Method::POST, &path, Some(&body)).await
}

/// Proposes changes that cannot run, with why not.
pub(super) async fn is_refused(person: &Person, request: &Request, changes: &[(&str, &str)]) {
    for (statement, why) in changes {
        let answer = edit(person, request, statement, 0).await;
        assert_eq!(answer.status, 422, "{statement}: {answer:?}");
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(detail.contains(why), "{statement}: {detail}");
    }
}

pub(super) async fn is_taken(person: &Person, request: &Request, statement: &str) {
    let answer = edit(person, request, statement, 0).await;
    assert!(answer.is_taken(), "{answer:?}");
}

/// The answers without the notices of holds.
pub(super) async fn ready(raw: &mut Raw) -> Vec<Message> {
    let mut answers = raw.ready().await;
    answers.retain(|message| message.tag != b'N');
    answers
}

/// How many statements of holdpoint's own the session has prepared.
pub(super) async fn prepared_by_holdpoint(raw: &mut Raw) -> String {
    let count = "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE '\\_holdpoint%'";
    let answers = raw.exchange(Frames::new().query(count)).await;
    assert_eq!(tags(&answers), "TDCZ");
    answers[1].values()[0].clone()
}

#[tokio::test]
async fn what_the_approver_made_of_it_runs_and_the_requester_is_told() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.psql().await;
    alice.types("DELETE FROM items WHERE id > 0;");
    let request = proxy.bob.pending_one().await;
    let answer = edit(&proxy.bob, &request, "DELETE FROM items WHERE id = 3", 0).await;
    assert!(answer.is_taken(), "{answer:?}");
    let shown = alice.prompt().await;
    for said in [
        "bob has changed the statement; it runs so",
        "only this one",
        "DELETE FROM items WHERE id = 3",
    ] {
        assert!(shown.contains(said), "{said} in {shown}");
    }
    assert!(shown.ends_with("DELETE 1\n"), "{shown}");
    assert_eq!(proxy.database.items().await, 9);
    let request = proxy.bob.sees(&request, "executed").await;
    assert_eq!(request.statement(), "DELETE FROM items WHERE id > 0;");
    assert_eq!(
        request.field("edits")[0]["statement"],
        "DELETE FROM items WHERE id = 3"
    );
    assert_eq!(request.outcome()["rows"], 1);
    // The session goes on as ever.
    assert_eq!(alice.runs("SELECT count(*) FROM items;").await, "9\n");
}

#[tokio::test]
async fn with_two_people_the_second_approves_what_the_first_made_of_it() {
    let policy = r#"
        default_groups = ["dba"]
        [[rule]]
        name = "reads pass"
        when = { effects = ["read", "session"] }
        then = "allow"
        [[rule]]
        name = "no truncation"
        when = { commands = ["TRUNCATE TABLE"] }
        then = { deny = { reason = "never" } }
        [[rule]]
        name = "definitions"
        when = { effects = ["schema"] }
        then = { hold = { groups = ["owners"] } }
        [[rule]]
        name = "two people"
        then = { hold = { groups = ["dba"], min_approvals = 2 } }
    "#;
    let proxy = Proxy::with().policy(policy).start().await;
    let mut alice = proxy.alice.raw().await;
    // In a pipeline, with something behind it.
    let both = Frames::new()
        .query("DELETE FROM items WHERE id < 9")
        .query("SELECT count(*) FROM items");
    alice.send(both).await;
    let request = proxy.bob.pending_one().await;
    for (statement, why) in [
        ("TRUNCATE items", "policy denies it: never"),
        ("DROP TABLE items", "it needs approval by a member of owners"),
        ("DELETE FROM items WHERE", "no SQL that holdpoint knows"),
        (
            "DELETE FROM items WHERE id = 1; COMMIT",
            "begins or ends transactions",
        ),
        ("EXECUTE x", "names prepared statements"),
        ("", "a statement is expected"),
        ("DELETE FROM items WHERE id < 9", "as it is already"),
    ] {
        let answer = edit(&proxy.bob, &request, statement, 0).await;
        assert_eq!(answer.status, 422, "{statement}: {answer:?}");
        assert!(
            answer.body["detail"].as_str().unwrap().contains(why),
            "{answer:?}"
        );
    }
    assert!(proxy.carol.approve(&request).await.is_taken());
    assert!(
        edit(&proxy.bob, &request, "DELETE FROM items WHERE id < 2", 0)
            .await
            .is_taken()
    );
    // Carol's approval was for something else; and what she has not seen she does not approve.
    let stale = proxy.carol.approve(&request).await;
    assert_eq!(stale.status, 409, "{stale:?}");
    assert_eq!(proxy.database.items().await, 10);
    let seen: Value = json!({ "edits": 1 });
    assert!(
        proxy
            .carol
            .decide(request.id(), "approve", &seen)
            .await
            .is_taken()
    );
    let answers = alice.answers(2).await;
    let last = answers.iter().rfind(|message| message.tag == b'D').unwrap();
    assert_eq!(last.values(), ["9"]);
}

#[tokio::test]
async fn what_a_driver_binds_is_changed_where_its_parameters_and_columns_stay() {
    let proxy = Proxy::start().await;
    let alice = Arc::new(proxy.alice.driver().await);
    let deleting = {
        let alice = Arc::clone(&alice);
        tokio::spawn(async move { alice.execute("DELETE FROM items WHERE id = $1", &[&3]).await })
    };
    let request = proxy.bob.pending_one().await;
    let changes = [
        (
            "DELETE FROM items WHERE id = $2",
            "it takes 2 parameters, and the program gives values for 1",
        ),
        (
            "DELETE FROM items WHERE id = $1 RETURNING id",
            "it gives rows, and the original gives none",
        ),
        ("SELECT $1", "it gives rows"),
        ("-- nothing", "one statement is expected"),
        (
            "DELETE FROM items WHERE id = $1; SELECT 1",
            "one statement is expected",
        ),
        ("COPY items FROM STDIN", "COPY talks to its program"),
        (
            "DELETE FROM items WHERE name = $1",
            "the server says of it: operator does not exist: text = integer",
        ),
    ];
    is_refused(&proxy.bob, &request, &changes).await;
    is_taken(
        &proxy.bob,
        &request,
        "DELETE FROM items WHERE id >= $1 AND id < $1 + 2",
    )
    .await;
    assert_eq!(deleting.await.unwrap().unwrap(), 2);
    assert_eq!(proxy.database.items().await, 8);
    // The session goes on as ever, and its statements stand for what they stood for.
    assert_eq!(
        alice.value("SELECT count(*)::text FROM items").await.unwrap(),
        "8"
    );
    let deleting = tokio::spawn(async move { alice.execute("DELETE FROM items WHERE id = $1", &[&9]).await });
    let request = proxy.bob.approves_next().await;
    assert_eq!(request.statement(), "DELETE FROM items WHERE id = $1");
    assert_eq!(deleting.await.unwrap().unwrap(), 1);
}

#[tokio::test]
async fn what_a_driver_reads_is_changed_where_its_columns_stay() {
    let proxy = Proxy::start().await;
    let alice = proxy.alice.driver().await;
    // Parse, Describe and Sync, and then Bind, Execute and Sync, with binary values.
    let deleting = tokio::spawn(async move {
        let delete = "DELETE FROM items WHERE id = $1 RETURNING id, name";
        let rows = alice.query(delete, &[&3]).await.unwrap();
        let read = |row: &tokio_postgres::Row| (row.get::<_, i32>("id"), row.get::<_, String>("name"));
        rows.iter().map(read).collect::<Vec<_>>()
    });
    let request = proxy.bob.pending_one().await;
    let changes = [
        (
            "DELETE FROM items WHERE id = $1 RETURNING id::int8, name",
            "column 1 is int8 where the original gives int4",
        ),
        (
            "DELETE FROM items WHERE id = $1 RETURNING id, name AS label",
            "column 2 is called \"label\" where the original calls it \"name\"",
        ),
        (
            "DELETE FROM items WHERE id = $1 RETURNING id",
            "it gives 1 columns where the original gives 2",
        ),
        ("DELETE FROM items WHERE id = $1", "it gives no rows"),
        (
            "DELETE FROM nowhere WHERE id = $1 RETURNING id, name",
            "the server says of it: relation \"nowhere\" does not exist",
        ),
    ];
    is_refused(&proxy.bob, &request, &changes).await;
    let change = "DELETE FROM items WHERE id BETWEEN $1 AND $1 + 1 RETURNING id, 'gone'::text AS name";
    is_taken(&proxy.bob, &request, change).await;
    let rows = deleting.await.unwrap();
    assert_eq!(rows, [(3, "gone".to_owned()), (4, "gone".to_owned())]);
    assert_eq!(proxy.database.items().await, 8);
}

#[tokio::test]
async fn a_whole_segment_with_its_parse_is_changed_likewise() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    let segment = Frames::new()
        .parse_typed("", "DELETE FROM items WHERE id = $1", &[23])
        .bind("", "", &["3"])
        .describe_portal("")
        .execute("", 0)
        .parse("", "SELECT count(*)::text FROM items")
        .bind("", "", &[])
        .execute("", 0)
        .sync();
    alice.send(segment).await;
    let request = proxy.bob.pending_one().await;
    is_taken(&proxy.bob, &request, "DELETE FROM items WHERE id <= $1").await;
    let answers = ready(&mut alice).await;
    assert_eq!(tags(&answers), "12nC12DCZ");
    assert_eq!(answers[3].text(), "DELETE 3");
    assert_eq!(answers[6].values(), ["7"]);
    // The server finds out the types of its parameters; and its columns, which are not known before either.
    let segment = Frames::new()
        .parse("", "DELETE FROM items WHERE id = $1 RETURNING id, price")
        .bind("", "", &["9"])
        .describe_portal("")
        .execute("", 0)
        .sync();
    alice.send(segment).await;
    let request = proxy.bob.pending_one().await;
    let changes = [(
        "DELETE FROM items WHERE name = $1 RETURNING id, price",
        "operator does not exist: text = integer",
    )];
    is_refused(&proxy.bob, &request, &changes).await;
    let change = "DELETE FROM items WHERE id > $1 RETURNING id, 0::numeric AS price";
    is_taken(&proxy.bob, &request, change).await;
    let answers = ready(&mut alice).await;
    assert_eq!(tags(&answers), "12TDCZ");
    assert_eq!(answers[3].values(), ["10", "0"]);
    // Only what runs is left, one for each.
    assert_eq!(prepared_by_holdpoint(&mut alice).await, "2");
}

#[tokio::test]
async fn in_another_encoding_nobody_is_misled_about_characters() {
    let proxy = Proxy::start().await;
    for deletes in [
        Frames::new().query("DELETE FROM items WHERE id < 3 AND name <> 'ü'"),
        Frames::new()
            .parse("", "DELETE FROM items WHERE id < 3 AND name <> $1")
            .bind("", "", &["ü"])
            .execute("", 0)
            .sync(),
    ] {
        let (mut alice, _) = proxy.alice.raw_with(&[("client_encoding", "LATIN1")]).await;
        alice.send(deletes.as_ref()).await;
        let request = proxy.bob.pending_one().await;
        let signals = request.field("signals").to_string();
        assert!(signals.contains("client_encoding is not UTF8"), "{signals}");
        let changed = "DELETE FROM items WHERE id < 2 AND name <> 'ü'";
        is_refused(&proxy.bob, &request, &[(changed, "client_encoding is not UTF8")]).await;
        proxy.bob.rejects_next("no").await;
        ready(&mut alice).await;
        // As soon as it is UTF8, they are what they seem.
        alice
            .exchange(Frames::new().query("SET client_encoding = 'UTF8'"))
            .await;
        alice.send(deletes.as_ref()).await;
        let request = proxy.bob.pending_one().await;
        assert_eq!(*request.field("signals"), json!([]));
        proxy.bob.rejects_next("no").await;
        ready(&mut alice).await;
    }
    let (mut alice, _) = proxy.alice.raw_with(&[("client_encoding", "LATIN1")]).await;
    alice
        .send(Frames::new().query("DELETE FROM items WHERE id < 3"))
        .await;
    let request = proxy.bob.pending_one().await;
    assert_eq!(*request.field("signals"), json!([]));
    is_taken(&proxy.bob, &request, "DELETE FROM items WHERE id < 2").await;
    assert_eq!(tags(&ready(&mut alice).await), "CZ");
}

/// Under holdpoint's own name it is a little larger than it was.
#[tokio::test]
async fn what_is_as_large_as_it_may_be_can_be_changed() {
    let proxy = Proxy::with().proxy(r#"max_message = "1MiB""#).start().await;
    let mut alice = proxy.alice.raw().await;
    let value = "x".repeat((1 << 20) - 24);
    let frames = Frames::new()
        .parse("", "DELETE FROM items WHERE name <> $1")
        .bind("", "", &[&value])
        .execute("", 0)
        .sync();
    alice.send(frames).await;
    let request = proxy.bob.pending_one().await;
    is_taken(
        &proxy.bob,
        &request,
        "DELETE FROM items WHERE id = 3 AND name <> $1",
    )
    .await;
    let answer = ready(&mut alice).await;
    assert_eq!(tags(&answer), "12CZ", "{}", describe(&answer));
    assert_eq!(proxy.database.items().await, 9);
    proxy.bob.sees(&request, "executed").await;
}
