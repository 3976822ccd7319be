//! Approving with a change.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::Proxy;
use crate::support::people::Person;
use crate::support::request::{Answer, Request};

async fn edit(person: &Person, request: &Request, statement: &str, edits: usize) -> Answer {
    let body = json!({ "statement": statement, "comment": "only this one", "edits": edits });
    let path = format!("/api/v1/requests/{}/edit", request.id());
    person.call(Method::POST, &path, Some(&body)).await
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
    let both = crate::support::raw::Frames::new()
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
    for (statement, why) in [
        (
            "DELETE FROM items WHERE id = $2",
            "it has the parameter $2, and the program gives 1",
        ),
        (
            "DELETE FROM items WHERE id = $1 RETURNING id",
            "counts on its columns",
        ),
        ("SELECT $1", "counts on its columns"),
    ] {
        let answer = edit(&proxy.bob, &request, statement, 0).await;
        assert_eq!(answer.status, 422, "{statement}: {answer:?}");
        assert!(
            answer.body["detail"].as_str().unwrap().contains(why),
            "{answer:?}"
        );
    }
    let answer = edit(
        &proxy.bob,
        &request,
        "DELETE FROM items WHERE id >= $1 AND id < $1 + 2",
        0,
    )
    .await;
    assert!(answer.is_taken(), "{answer:?}");
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
async fn a_whole_segment_with_its_parse_is_changed_likewise() {
    use crate::support::raw::{Frames, tags};
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
    let answer = edit(&proxy.bob, &request, "DELETE FROM items WHERE id <= $1", 0).await;
    assert!(answer.is_taken(), "{answer:?}");
    let answers = alice.ready().await;
    let plain: Vec<_> = answers
        .into_iter()
        .filter(|message| message.tag != b'N')
        .collect();
    assert_eq!(tags(&plain), "12nC12DCZ");
    assert_eq!(plain[3].text(), "DELETE 3");
    assert_eq!(plain[6].values(), ["7"]);
    // Without the types of its parameters it is not.
    let segment = Frames::new()
        .parse("", "DELETE FROM items WHERE id = $1")
        .bind("", "", &["9"])
        .execute("", 0)
        .sync();
    alice.send(segment).await;
    let request = proxy.bob.pending_one().await;
    let answer = edit(&proxy.bob, &request, "DELETE FROM items WHERE id < $1", 0).await;
    assert_eq!(answer.status, 422);
    assert!(
        answer.body["detail"]
            .as_str()
            .unwrap()
            .contains("without their types"),
        "{answer:?}"
    );
    proxy.bob.reject(&request, "no").await;
    alice.ready().await;
}
