//! The time limit of a transaction that is reviewed as a whole ends it wherever it stands.

use crate::support::raw::{Frames, Message, Raw, tags};
use crate::support::request::Request;
use crate::support::{Proxy, eventually};

/// What would be held is reviewed with its COMMIT, for so long.
fn policy(limit: &str) -> String {
    format!(
        r#"
        default_groups = ["dba"]
        [[rule]]
        name = "reads pass"
        when = {{ effects = ["read", "session"] }}
        then = "allow"
        [[rule]]
        name = "transactions"
        when = {{ effects = ["write"] }}
        then = {{ hold = {{ groups = ["dba"], review = "transaction", timeout = "{limit}" }} }}
        [[rule]]
        name = "the rest waits by itself"
        then = {{ hold = {{ groups = ["dba"] }} }}
        "#
    )
}

/// A session with a transaction in review, and the process that serves it on the server.
async fn in_review(proxy: &Proxy) -> (Raw, String) {
    let mut alice = proxy.alice.raw().await;
    let answers = alice
        .exchange(Frames::new().query("SELECT pg_backend_pid()"))
        .await;
    let backend = answers[1].values()[0].clone();
    alice.exchange(Frames::new().query("BEGIN")).await;
    let answers = alice
        .exchange(Frames::new().query("DELETE FROM items WHERE id = 1"))
        .await;
    assert_eq!(tags(&answers), "CZ");
    (alice, backend)
}

async fn is_gone(proxy: &Proxy, backend: &str) {
    let query = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {backend}");
    eventually("the server's process is gone", async || {
        (proxy.database.value(&query).await == "0").then_some(())
    })
    .await;
}

/// The last thing that a session hears.
fn ends_with_the_limit(answers: &[Message]) {
    let last = answers.last().expect("a last word");
    assert_eq!(
        (last.tag, last.code()),
        (b'E', "25P04".to_owned()),
        "{}",
        last.text()
    );
    assert_eq!(last.field(b'S'), Some("FATAL".to_owned()));
    assert!(
        last.field(b'D')
            .expect("a detail")
            .contains("is rolled back: request ")
    );
}

/// The record of the transaction, and that of a statement in it.
async fn recorded(proxy: &Proxy) -> (Request, Request) {
    let mut expired = eventually("the end is recorded", async || {
        let expired = proxy.bob.requests("?state=expired").await;
        (!expired.is_empty()).then_some(expired)
    })
    .await;
    assert_eq!(expired.len(), 1);
    let whole = expired.remove(0);
    let ran = proxy.bob.requests("?state=executed").await;
    let under = ran.into_iter().find(|ran| ran.field("basis")["id"] == whole.id());
    (whole, under.expect("a statement of it"))
}

#[tokio::test]
async fn one_that_idles_is_rolled_back_and_its_session_ends() {
    let proxy = Proxy::with().policy(&policy("2s")).start().await;
    let (mut alice, backend) = in_review(&proxy).await;
    ends_with_the_limit(&alice.rest().await);
    is_gone(&proxy, &backend).await;
    proxy
        .database
        .run("UPDATE items SET name = 'y' WHERE id = 1")
        .await;
    assert_eq!(proxy.database.items().await, 10);
    let (whole, ran) = recorded(&proxy).await;
    assert!(whole.statement().contains("DELETE FROM items WHERE id = 1"));
    assert!(
        whole
            .statement()
            .ends_with("no COMMIT came in time: it was rolled back")
    );
    let said = "no COMMIT came within 2s of the first statement";
    assert!(whole.field("signals").to_string().contains(said), "{whole}");
    assert_eq!(whole.text("rule"), "transactions");
    assert!(whole.text("transaction_since") <= ran.text("created_at"));
}

#[tokio::test]
async fn a_statement_that_runs_is_cancelled_with_it() {
    let proxy = Proxy::with().policy(&policy("2s")).start().await;
    let lock = proxy.database.lock_items().await;
    let mut alice = proxy.alice.raw().await;
    alice.exchange(Frames::new().query("BEGIN")).await;
    alice
        .send(Frames::new().query("DELETE FROM items WHERE id = 2"))
        .await;
    proxy.database.sees_waiting("DELETE FROM items%", "Lock").await;
    ends_with_the_limit(&alice.rest().await);
    // Nobody has let go of the lock that it waited for.
    eventually("the server has ended it", async || {
        let query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DELETE FROM items%' \
                     AND datname = current_database()";
        (proxy.database.value(query).await == "0").then_some(())
    })
    .await;
    drop(lock);
    let failed = eventually("its outcome is recorded", async || {
        proxy.bob.requests("?state=failed").await.pop()
    })
    .await;
    assert_eq!(failed.outcome()["sqlstate"], "25P04");
    assert!(
        failed.outcome()["error"].to_string().contains("rolled back"),
        "{failed}"
    );
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn what_waits_in_it_waits_no_longer() {
    let proxy = Proxy::with().policy(&policy("3s")).start().await;
    let (mut alice, backend) = in_review(&proxy).await;
    alice.send(Frames::new().query("CREATE TABLE more (a int)")).await;
    let request = proxy.bob.pending_one().await;
    let seconds = |time: &str| time.parse::<jiff::Timestamp>().expect("a time").as_second();
    let waits = seconds(request.text("expires_at")) - seconds(request.text("created_at"));
    assert!(waits <= 3, "{request}");
    ends_with_the_limit(&alice.rest().await);
    is_gone(&proxy, &backend).await;
    let state = eventually("it is settled", async || {
        let now = proxy.bob.request(request.id()).await;
        (now.state() != "pending").then(|| now.state().to_owned())
    })
    .await;
    assert!(["withdrawn", "expired"].contains(&state.as_str()), "{state}");
}

#[tokio::test]
async fn a_commit_that_waits_expires_and_the_session_goes_on() {
    let proxy = Proxy::with().policy(&policy("2s")).start().await;
    let (mut alice, _) = in_review(&proxy).await;
    let answers = alice.exchange(Frames::new().query("COMMIT")).await;
    let error = answers
        .iter()
        .find(|answer| answer.tag == b'E')
        .expect("an error");
    assert!(error.text().contains("expired"), "{}", error.text());
    let answers = alice.exchange(Frames::new().query("SELECT 1")).await;
    assert_eq!(tags(&answers), "TDCZ");
    assert_eq!(answers[3].body, b"I");
    let expired = proxy.bob.requests("?state=expired").await;
    assert_eq!(expired.len(), 1, "{expired:?}");
    assert!(expired[0].statement().ends_with("COMMIT"));
    assert!(
        expired[0]
            .field("signals")
            .to_string()
            .contains("hold their locks since ")
    );
}

#[tokio::test]
async fn an_approved_commit_that_is_not_executed_keeps_no_locks() {
    let proxy = Proxy::with().policy(&policy("3s")).start().await;
    let (mut alice, backend) = in_review(&proxy).await;
    let head = Frames::new().parse("c", "COMMIT").bind("", "c", &[]);
    alice.send(head.flush()).await;
    let request = proxy.bob.approves_next().await;
    let answers = alice.rest().await;
    ends_with_the_limit(&answers);
    is_gone(&proxy, &backend).await;
    let failed = proxy.bob.sees(&request, "failed").await;
    assert!(!failed.outcome()["error"].is_null());
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn an_approved_commit_that_is_held_back_keeps_no_locks() {
    let proxy = Proxy::with().policy(&policy("3s")).start().await;
    let (mut alice, backend) = in_review(&proxy).await;
    // Executed, but a Parse that will be held keeps it from going upstream until its Sync comes.
    let segment = Frames::new()
        .parse("c", "COMMIT")
        .bind("", "c", &[])
        .execute("", 0)
        .parse("more", "CREATE TABLE more (a int)");
    alice.send(segment).await;
    let request = proxy.bob.approves_next().await;
    ends_with_the_limit(&alice.rest().await);
    is_gone(&proxy, &backend).await;
    let failed = proxy.bob.sees(&request, "failed").await;
    assert!(
        failed.outcome()["error"].to_string().contains("it did not run"),
        "{failed}"
    );
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn a_client_that_reads_nothing_keeps_no_locks() {
    let proxy = Proxy::with().policy(&policy("3s")).start().await;
    let (mut alice, backend) = in_review(&proxy).await;
    alice
        .send(Frames::new().query("SELECT repeat('x', 1000) FROM generate_series(1, 1000000)"))
        .await;
    proxy.database.sees_waiting("SELECT repeat%", "ClientWrite").await;
    is_gone(&proxy, &backend).await;
    assert_eq!(proxy.database.items().await, 10);
    drop(alice);
}

#[tokio::test]
async fn a_savepoint_in_a_failed_transaction_does_not_outlast_it() {
    let proxy = Proxy::with().policy(&policy("2s")).start().await;
    let (mut alice, backend) = in_review(&proxy).await;
    for (text, status) in [
        ("SAVEPOINT a", b'T'),
        ("SELECT 1/0", b'E'),
        ("ROLLBACK TO a", b'T'),
    ] {
        let answers = alice.exchange(Frames::new().query(text)).await;
        assert_eq!(answers.last().expect("an answer").body, [status], "{text}");
    }
    ends_with_the_limit(&alice.rest().await);
    is_gone(&proxy, &backend).await;
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn what_stands_before_an_approved_commit_keeps_no_locks() {
    let proxy = Proxy::with().policy(&policy("4s")).start().await;
    let (mut alice, backend) = in_review(&proxy).await;
    let slow = "SELECT count(pg_sleep(100))";
    let segment = Frames::new()
        .parse("c", "COMMIT")
        .parse("s", slow)
        .bind("", "s", &[])
        .execute("", 0)
        .bind("", "c", &[])
        .execute("", 0)
        .sync();
    alice.send(segment).await;
    let approving = async {
        // Whether people are asked before it or behind it: nobody is slower than the limit.
        let list = eventually("people are asked, or it is over", async || {
            let list = proxy.bob.requests("?state=pending").await;
            let over = !proxy.bob.requests("?state=expired").await.is_empty();
            (over || !list.is_empty()).then_some(list)
        })
        .await;
        for request in list {
            proxy.bob.approve(&request).await;
        }
    };
    let (answers, ()) = tokio::join!(alice.rest(), approving);
    ends_with_the_limit(&answers);
    is_gone(&proxy, &backend).await;
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn a_savepoint_that_is_sent_ahead_does_not_outlast_it() {
    // Nothing waits for the read shield.
    let proxy = Proxy::with()
        .policy(&policy("3s"))
        .databases("read_shield = false");
    let proxy = proxy.start().await;
    let (mut alice, backend) = in_review(&proxy).await;
    let ahead = Frames::new()
        .query("SAVEPOINT a")
        .query("SELECT count(pg_sleep(100))")
        .query("ROLLBACK TO a; SELECT count(pg_sleep(100))")
        .query("ROLLBACK TO a; SELECT count(pg_sleep(100))");
    alice.send(ahead).await;
    ends_with_the_limit(&alice.rest().await);
    is_gone(&proxy, &backend).await;
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn a_commit_in_a_pipeline_is_asked_about_once_the_rest_of_it_ran() {
    let proxy = Proxy::with().policy(&policy("1m")).start().await;
    let (mut alice, _) = in_review(&proxy).await;
    let prepared = Frames::new()
        .parse("c", "COMMIT")
        .parse("s", "SELECT count(*) FROM items")
        .parse("p", "SAVEPOINT a");
    alice.exchange(prepared.sync()).await;
    let commit = |before: &str| {
        Frames::new()
            .bind("", before, &[])
            .execute("", 0)
            .bind("", "c", &[])
            .execute("", 0)
            .sync()
    };
    alice.send(commit("s")).await;
    let answers = alice.up_to(b'N').await;
    assert!(tags(&answers).starts_with("2DC"), "{}", tags(&answers));
    proxy.bob.approves_next().await;
    let answers = alice.ready().await;
    assert!(tags(&answers).ends_with("2CZ"), "{}", tags(&answers));
    assert_eq!(answers.last().expect("an answer").body, b"I");
    assert_eq!(proxy.database.items().await, 9);

    // Behind what may have changed the transaction, nobody is asked.
    for text in ["BEGIN", "DELETE FROM items WHERE id = 2"] {
        alice.exchange(Frames::new().query(text)).await;
    }
    let answers = alice.exchange(commit("p")).await;
    assert_eq!(tags(&answers), "2CEZ");
    assert_eq!(answers[2].code(), "0A000");
    alice.exchange(Frames::new().query("ROLLBACK")).await;

    // What has run in the same pipeline is told as what has run.
    let delete = Frames::new().parse("d", "DELETE FROM items WHERE id = 3").sync();
    alice.exchange(delete).await;
    alice.exchange(Frames::new().query("BEGIN")).await;
    alice.send(commit("d")).await;
    let request = proxy.bob.rejects_next("no").await;
    assert!(
        request.statement().contains("-- 1: 1 row (request "),
        "{}",
        request.statement()
    );
    alice.ready().await;
    alice.exchange(Frames::new().query("ROLLBACK")).await;

    // Approved, it is executed at once or not at all.
    for text in ["BEGIN", "DELETE FROM items WHERE id = 2"] {
        alice.exchange(Frames::new().query(text)).await;
    }
    let between = Frames::new()
        .bind("mine", "s", &[])
        .bind("", "c", &[])
        .execute("mine", 0)
        .execute("", 0)
        .sync();
    alice.send(between).await;
    proxy.bob.approves_next().await;
    let answers = alice.ready().await;
    assert!(tags(&answers).ends_with("DCEZ"), "{}", tags(&answers));
    assert_eq!(answers[answers.len() - 2].code(), "0A000");
    alice.exchange(Frames::new().query("ROLLBACK")).await;
    assert_eq!(proxy.database.items().await, 9);
}
