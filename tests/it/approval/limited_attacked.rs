//! Attacks on standing approvals with a limit of rows.

use serde_json::json;

use super::grants::ran;
use super::limited::{basis, failed, hears, limited};
use crate::support::raw::{Frames, describe, tags};
use crate::support::{Proxy, eventually};

#[tokio::test]
async fn a_client_that_reads_nothing_keeps_no_locks_beyond_its_limit() {
    let proxy = Proxy::start().await;
    let id = limited(&proxy, "DELETE FROM items WHERE id < 1", 2).await;
    proxy
        .database
        .run(
            "CREATE FUNCTION tells() RETURNS trigger LANGUAGE plpgsql
               AS $$ BEGIN RAISE NOTICE '%', repeat('x', 4000000); RETURN OLD; END $$;
             CREATE TRIGGER tells AFTER DELETE ON items FOR EACH ROW EXECUTE FUNCTION tells()",
        )
        .await;
    let mut alice = proxy.alice.raw().await;
    alice
        .send(Frames::new().query("DELETE FROM items WHERE id < 99"))
        .await;
    proxy
        .database
        .sees_waiting("DELETE FROM items%", "ClientWrite")
        .await;
    eventually("the server has ended it", async || {
        let query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DELETE FROM items%' \
                     AND datname = current_database()";
        (proxy.database.value(query).await == "0").then_some(())
    })
    .await;
    let tried = failed(&proxy, &basis(&id, 2), 1).await;
    assert!(
        tried.outcome()["error"]
            .to_string()
            .contains("it was rolled back"),
        "{tried}"
    );
    assert_eq!(proxy.database.items().await, 10);
    drop(alice);
}

#[tokio::test]
async fn what_ran_by_itself_is_not_told_as_of_the_next_transaction() {
    let proxy = Proxy::start().await;
    let id = limited(&proxy, "DELETE FROM items WHERE id < 1", 2).await;
    let mut alice = proxy.alice.raw().await;
    let text = "DELETE FROM items WHERE id < 2";
    alice.exchange(Frames::new().query(text)).await;
    alice.exchange(Frames::new().statement(text).sync()).await;
    ran(&proxy, &basis(&id, 2), 2).await;
    alice.exchange(Frames::new().query("BEGIN")).await;
    alice.exchange(Frames::new().query(text)).await;
    alice.send(Frames::new().query("DROP TABLE items")).await;
    let request = proxy.bob.rejects_next("no").await;
    let told: Vec<(&str, bool)> = request
        .field("earlier")
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| {
            let same = one["same_transaction"].as_bool().expect("yes or no");
            (one["text"].as_str().expect("a text"), same)
        })
        .collect();
    assert_eq!(
        told,
        [
            ("DELETE", false),
            ("DELETE", false),
            ("BEGIN", true),
            ("DELETE", true)
        ]
    );
    alice.ready().await;
    alice.exchange(Frames::new().query("ROLLBACK")).await;
    // Right behind each other, without anything in between.
    alice.exchange(Frames::new().query(text)).await;
    alice.send(Frames::new().query("DROP TABLE items")).await;
    let request = proxy.bob.rejects_next("no").await;
    let last = request
        .field("earlier")
        .as_array()
        .and_then(|list| list.last())
        .expect("one");
    assert_eq!(
        (&last["text"], &last["same_transaction"]),
        (&json!("DELETE"), &json!(false))
    );
    alice.ready().await;
}

/// A Close with a name that is refused undoes what stands before it in its segment, as without a limit of rows.
#[tokio::test]
async fn what_is_refused_behind_it_undoes_it() {
    let proxy = Proxy::start().await;
    let id = limited(&proxy, "DELETE FROM items WHERE id = $1", 2).await;
    let mut alice = proxy.alice.raw().await;
    let delete = |value: &str| {
        Frames::new()
            .parse("", "DELETE FROM items WHERE id = $1")
            .bind("", "", &[value])
            .execute("", 0)
    };
    // The name of nothing is nothing to the server, and is no reason not to count.
    let answers = alice.exchange(delete("1").close_statement("none").sync()).await;
    assert_eq!(tags(&answers).replace('N', ""), "12C3Z");
    ran(&proxy, &basis(&id, 2), 1).await;
    assert_eq!(proxy.database.items().await, 9);

    alice.send(delete("2").close_statement("ñ").sync()).await;
    proxy.bob.approves_next().await;
    let answers = alice.ready().await;
    assert_eq!(tags(&answers).replace('N', ""), "12CEZ");
    assert_eq!(proxy.database.items().await, 9);
}

#[tokio::test]
async fn who_cancels_while_the_rest_is_waited_for_is_heard() {
    let proxy = Proxy::start().await;
    limited(&proxy, "DELETE FROM items WHERE id = $1", 2).await;
    let mut alice = proxy.alice.raw().await;
    let key = alice.key.clone();
    let begun = Frames::new()
        .parse("", "DELETE FROM items WHERE id = $1")
        .bind("", "", &["1"])
        .execute("", 0);
    alice.send(begun).await;
    let cancelling = async {
        loop {
            proxy.alice.cancel(&key).await;
        }
    };
    let refused = tokio::select! {
        answers = alice.up_to(b'E') => answers.into_iter().next_back().expect("an error"),
        () = cancelling => unreachable!("it goes on"),
    };
    assert_eq!(
        (refused.code().as_str(), refused.text().contains("user request")),
        ("57014", true)
    );
    alice.exchange(Frames::new().sync()).await;
    assert_eq!(proxy.database.items().await, 10);
    let withdrawn = proxy.bob.requests("?state=withdrawn").await;
    assert!(withdrawn.is_empty(), "nobody was asked yet: {withdrawn:?}");
}

/// The store takes its time.
#[tokio::test]
async fn a_cancel_request_while_its_grounds_are_recorded_withdraws_it() {
    let proxy = Proxy::start().await;
    let id = limited(&proxy, "DELETE FROM items WHERE id < 1", 2).await;
    let mut alice = proxy.alice.raw().await;
    let lock = proxy.store.lock().await;
    alice
        .send(Frames::new().query("DELETE FROM items WHERE id < 2"))
        .await;
    // Those that come before the statement do nothing.
    for _ in 0..20 {
        proxy.alice.cancel(&alice.key).await;
    }
    lock.release().await;
    let answer = alice.ready().await;
    assert_eq!(tags(&answer), "EZ", "{}", describe(&answer));
    assert_eq!(answer[answer.len() - 2].code(), "57014", "{}", describe(&answer));
    let request = failed(&proxy, &basis(&id, 2), 1).await;
    assert_eq!(
        request.outcome()["error"],
        "withdrawn by the requester; it did not run"
    );
    assert_eq!(proxy.database.items().await, 10);
}

/// What a trigger does may stay when it is rolled back.
#[tokio::test]
async fn what_fires_a_trigger_is_held() {
    let proxy = Proxy::start().await;
    proxy
        .database
        .run(
            "CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END';
             CREATE TRIGGER noted BEFORE DELETE ON items FOR EACH ROW EXECUTE FUNCTION noted()",
        )
        .await;
    limited(&proxy, "DELETE FROM items WHERE id < 1", 5).await;
    let mut alice = proxy.alice.raw().await;
    alice
        .send(Frames::new().query("DELETE FROM items WHERE id < 3"))
        .await;
    hears(&mut alice, "and does not cover this").await;
    proxy.bob.rejects_next("no").await;
    assert!(tags(&alice.ready().await).ends_with("EZ"));
    assert_eq!(proxy.database.items().await, 10);
}
