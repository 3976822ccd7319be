//! Ways around approval that somebody tried: each ends in people being asked, or in an error.

use crate::support::Proxy;
use crate::support::raw::{Frames, Message, Raw, tags};

/// A session whose transaction is reviewed as a whole.
async fn reviewed(proxy: &Proxy) -> Raw {
    let mut alice = proxy.alice.raw().await;
    alice
        .exchange(Frames::new().query("SET holdpoint.review = 'transaction'"))
        .await;
    alice.exchange(Frames::new().query("BEGIN")).await;
    alice
}

async fn deletes(alice: &mut Raw, id: u32) {
    let delete = format!("DELETE FROM items WHERE id = {id}");
    let answers = alice.exchange(Frames::new().query(&delete)).await;
    assert_eq!(tags(&answers), "CZ");
}

fn errors(answers: &[Message]) -> usize {
    answers.iter().filter(|message| message.tag == b'E').count()
}

#[tokio::test]
async fn a_commit_that_was_bound_before_commits_nothing_in_review() {
    let proxy = Proxy::start().await;
    for portal in ["p", ""] {
        // Bound before anything is in review.
        let mut alice = reviewed(&proxy).await;
        let bound = Frames::new().parse("c", "COMMIT").bind(portal, "c", &[]).sync();
        assert_eq!(tags(&alice.exchange(bound).await), "12Z");
        deletes(&mut alice, 1).await;
        let answers = alice.exchange(Frames::new().execute(portal, 0).sync()).await;
        assert_eq!(tags(&answers), "EZ", "portal {portal:?}");
        alice.leave().await;

        // In one segment with the write.
        let mut alice = reviewed(&proxy).await;
        let segment = Frames::new()
            .parse("c", "COMMIT")
            .bind("p", "c", &[])
            .parse("", "DELETE FROM items WHERE id = 1")
            .bind("", "", &[])
            .execute("", 0)
            .execute("p", 0)
            .sync();
        let answers = alice.exchange(segment).await;
        assert_eq!(errors(&answers), 1, "{}", tags(&answers));
        alice.leave().await;
    }
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn an_approved_commit_commits_what_was_reviewed_and_nothing_later() {
    let proxy = Proxy::start().await;
    let mut alice = reviewed(&proxy).await;
    deletes(&mut alice, 1).await;
    let bound = Frames::new().parse("c", "COMMIT").bind("p", "c", &[]).sync();
    alice.send(bound).await;
    proxy.bob.approves_next().await;
    alice.ready().await;
    // It waits by itself now.
    alice
        .send(Frames::new().query("DELETE FROM items WHERE id = 2"))
        .await;
    let request = proxy.bob.pending_one().await;
    assert!(request.field("basis").is_null());
    proxy.bob.approve(&request).await;
    alice.ready().await;
    let answers = alice.exchange(Frames::new().execute("p", 0).sync()).await;
    assert_eq!(tags(&answers), "EZ");
    alice.leave().await;
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn what_ends_the_transaction_before_a_write_takes_it_out_of_review() {
    let proxy = Proxy::start().await;
    for end in ["COMMIT", "ROLLBACK"] {
        let mut alice = reviewed(&proxy).await;
        let segment = Frames::new()
            .statement(end)
            .statement("DELETE FROM items WHERE id = 1")
            .sync();
        alice.send(segment).await;
        let request = proxy.bob.rejects_next("no").await;
        assert!(request.statement().contains("DELETE"), "{}", request.statement());
        alice.ready().await;
        alice.leave().await;
    }
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn out_of_a_failed_transaction_nothing_commits_unseen() {
    let proxy = Proxy::start().await;
    let ways = [
        (Frames::new().query("ROLLBACK TO a; COMMIT"), false),
        (Frames::new().query("ROLLBACK TO a").query("COMMIT"), true),
        (
            Frames::new()
                .statement("ROLLBACK TO a")
                .statement("COMMIT")
                .sync(),
            true,
        ),
    ];
    for (frames, is_held) in ways {
        let mut alice = reviewed(&proxy).await;
        deletes(&mut alice, 1).await;
        alice.exchange(Frames::new().query("SAVEPOINT a")).await;
        alice.exchange(Frames::new().query("SELECT 1/0")).await;
        alice.send(frames).await;
        if is_held {
            let request = proxy.bob.rejects_next("no").await;
            assert!(
                request.statement().contains("-- 2: SAVEPOINT"),
                "{}",
                request.statement()
            );
        } else {
            alice.ready().await;
        }
        alice.leave().await;
        assert_eq!(proxy.database.items().await, 10);
    }
    // The plain end of a failed one is a rollback, and nobody's business.
    let mut alice = reviewed(&proxy).await;
    deletes(&mut alice, 1).await;
    alice.exchange(Frames::new().query("SELECT 1/0")).await;
    let answers = alice.exchange(Frames::new().query("COMMIT")).await;
    assert_eq!(answers[0].text(), "ROLLBACK");
}

#[tokio::test]
async fn what_a_rollback_does_not_undo_or_what_shows_rows_waits_by_itself() {
    let proxy = Proxy::start().await;
    proxy.database.run("CREATE SEQUENCE numbers").await;
    for text in [
        "SELECT setval('numbers', 4711)",
        "UPDATE items SET price = nextval('numbers') WHERE id = 1",
        "DELETE FROM items WHERE id = 1 RETURNING *",
        "SELECT * FROM items FOR UPDATE",
        "WITH d AS (DELETE FROM items WHERE id = 1 RETURNING *) SELECT * FROM d",
        "CREATE TABLE other (x int)",
        "LOCK TABLE items IN ACCESS EXCLUSIVE MODE",
        "SET LOCAL ROLE pg_monitor",
        "DELETE FROM items WHERE id = 1; DELETE FROM items WHERE id = 2",
    ] {
        let mut alice = reviewed(&proxy).await;
        alice.send(Frames::new().query(text)).await;
        let request = proxy.bob.rejects_next("no").await;
        assert_eq!(request.statement(), text);
        assert!(request.field("basis").is_null(), "{text}");
        alice.ready().await;
        alice.leave().await;
    }
    assert_eq!(proxy.database.value("SELECT last_value FROM numbers").await, "1");
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn a_rule_that_reviews_statements_is_not_overruled() {
    let policy = r#"
        default_groups = ["dba"]
        [[rule]]
        name = "reads pass"
        when = { effects = ["read", "session"] }
        then = "allow"
        [[rule]]
        name = "one by one"
        then = { hold = { groups = ["dba"], review = "statement" } }
    "#;
    let proxy = Proxy::with().policy(policy).start().await;
    let mut alice = reviewed(&proxy).await;
    alice
        .send(Frames::new().query("DELETE FROM items WHERE id = 1"))
        .await;
    let request = proxy.bob.rejects_next("no").await;
    assert!(request.field("basis").is_null());
    alice.ready().await;
}

#[tokio::test]
async fn a_setting_is_shown_in_no_other_encoding_than_it_was_read_in() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    alice
        .exchange(Frames::new().query("SET holdpoint.reason = 'ッ\\'"))
        .await;
    let shown = alice.exchange(Frames::new().query("SHOW holdpoint.reason")).await;
    assert_eq!(tags(&shown), "TDCZ");
    assert_eq!(shown[1].values(), ["ッ\\"]);
    let answers = alice
        .exchange(Frames::new().statement("SHOW holdpoint.reason").sync())
        .await;
    assert_eq!(tags(&answers), "EZ");
    alice
        .send(Frames::new().query("SET client_encoding = 'SJIS'"))
        .await;
    proxy.bob.approves_next().await;
    alice.ready().await;
    let answers = alice
        .exchange(Frames::new().query("SET holdpoint.reason = 'a'"))
        .await;
    assert_eq!(tags(&answers), "EZ");
}

#[tokio::test]
async fn a_setting_behind_an_open_segment_ends_it_as_a_query_does() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    alice
        .send(Frames::new().statement("DELETE FROM items WHERE id = 1").flush())
        .await;
    proxy.bob.approves_next().await;
    alice.up_to(b'C').await;
    let answers = alice
        .exchange(Frames::new().query("SET holdpoint.reason = 'a'"))
        .await;
    assert_eq!(tags(&answers), "CZ");
    assert_eq!(answers[0].text(), "SET");
    assert_eq!(proxy.database.items().await, 9);
    let answers = alice.exchange(Frames::new().query("SELECT 1")).await;
    assert_eq!(tags(&answers), "TDCZ");
}

#[tokio::test]
async fn a_shape_says_nothing_where_names_depend_on_the_session() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.psql().await;
    alice.types("DELETE FROM items WHERE id = -1;");
    let request = proxy.bob.approves_next().await;
    assert!(request.field("shape").is_string());
    alice.prompt().await;
    alice.runs("SET search_path = public;").await;
    alice.types("DELETE FROM items WHERE id = -1;");
    let request = proxy.bob.approves_next().await;
    assert!(request.field("shape").is_null(), "{request:?}");
    alice.prompt().await;
}

#[tokio::test]
async fn an_approved_commit_that_does_not_commit_ends_no_review() {
    let proxy = Proxy::start().await;
    let segments = [
        // The portal is bound to something else.
        Frames::new()
            .bind("", "c", &[])
            .bind("", "s", &[])
            .execute("", 0)
            .sync(),
        // The server refuses the Bind.
        Frames::new().bind("p", "c", &["1"]).execute("p", 0).sync(),
        // What was reviewed is rolled back in between.
        Frames::new()
            .bind("p", "c", &[])
            .bind("", "r", &[])
            .execute("", 0)
            .execute("p", 0)
            .sync(),
    ];
    for segment in segments {
        let mut alice = reviewed(&proxy).await;
        let prepared = Frames::new()
            .parse("c", "COMMIT")
            .parse("s", "SELECT 1")
            .parse("r", "ROLLBACK TO a")
            .sync();
        alice.exchange(prepared).await;
        deletes(&mut alice, 1).await;
        alice.exchange(Frames::new().query("SAVEPOINT a")).await;
        alice.send(segment).await;
        proxy.bob.approves_next().await;
        alice.ready().await;
        alice.exchange(Frames::new().query("ROLLBACK TO a")).await;
        alice.send(Frames::new().query("COMMIT")).await;
        let request = proxy.bob.rejects_next("not so").await;
        for said in ["DELETE FROM items WHERE id = 1", ": ROLLBACK:"] {
            assert!(request.statement().contains(said), "{}", request.statement());
        }
        alice.ready().await;
        alice.leave().await;
        assert_eq!(proxy.database.items().await, 10);
    }
}

#[tokio::test]
async fn a_changed_bind_leaves_the_names_of_its_program_alone() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    let prepared = Frames::new()
        .parse("", "SELECT 'mine'::text")
        .parse_typed("s", "DELETE FROM items WHERE id = $1", &[23])
        .sync();
    alice.exchange(prepared).await;
    for round in 1..=2 {
        alice
            .send(Frames::new().bind("p", "s", &["4"]).execute("p", 0).sync())
            .await;
        let request = proxy.bob.pending_one().await;
        let body = serde_json::json!({ "statement": format!("DELETE FROM items WHERE id = $1 + {round}") });
        assert!(proxy.bob.decide(request.id(), "edit", &body).await.is_taken());
        let answers: Vec<_> = alice.ready().await;
        let plain: Vec<_> = answers
            .into_iter()
            .filter(|message| message.tag != b'N')
            .collect();
        assert_eq!(tags(&plain), "2CZ");
        assert_eq!(plain[1].text(), "DELETE 1");
        let answers = alice
            .exchange(Frames::new().bind("", "", &[]).execute("", 0).sync())
            .await;
        assert_eq!(answers[1].values(), ["mine"]);
    }
    assert_eq!(proxy.database.items().await, 8);
}

#[tokio::test]
async fn what_was_changed_and_approved_is_bound_once() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    let segment = Frames::new()
        .parse("_holdpoint_edit", "SELECT 1")
        .parse_typed("", "DELETE FROM items WHERE id = $1", &[23])
        .bind("", "", &["4"])
        .execute("", 0)
        .sync();
    alice.send(segment).await;
    let request = proxy.bob.pending_one().await;
    let body = serde_json::json!({ "statement": "DELETE FROM items WHERE id = $1 + 1" });
    assert!(proxy.bob.decide(request.id(), "edit", &body).await.is_taken());
    alice.ready().await;
    let names = "SELECT name FROM pg_prepared_statements WHERE name ~ '^_holdpoint_[0-9a-f]{16}$'";
    let answers = alice.exchange(Frames::new().query(names)).await;
    let name = answers
        .iter()
        .find(|message| message.tag == b'D')
        .unwrap()
        .values()[0]
        .clone();
    for frames in [
        Frames::new().bind("", &name, &["6"]).execute("", 0).sync(),
        Frames::new()
            .bind("", "_holdpoint_edit", &["6"])
            .execute("", 0)
            .sync(),
        Frames::new()
            .parse(&name, "SELECT 1")
            .bind("", &name, &["6"])
            .execute("", 0)
            .sync(),
    ] {
        let answers = alice.exchange(frames).await;
        assert_eq!(errors(&answers), 1, "{}", tags(&answers));
    }
    assert_eq!(proxy.database.items().await, 9);
}
