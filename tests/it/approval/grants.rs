//! Time windows: asked for in psql, approved by API, and recorded with each statement that ran in one.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::people::Person;
use crate::support::psql::Psql;
use crate::support::{Proxy, eventually};

const POLICY: &str = r#"
    default_groups = ["dba"]
    [[rule]]
    name = "nobody empties a table"
    when = { where = false }
    then = { deny = { reason = "add a WHERE" } }
    [[rule]]
    name = "reads pass"
    when = { effects = ["read", "session"] }
    then = "allow"
    [[access]]
    name = "developers write for a while"
    when = { groups = ["developers"] }
    up_to = "write"
    longest = "2h"
    approval = { groups = ["dba"], justification = ["reason"] }
"#;

/// Calls the API with a body, and expects it to be done.
pub(super) async fn post(person: &Person, path: &str, body: Value) -> Value {
    let answer = person
        .call(Method::POST, &format!("/api/v1{path}"), Some(&body))
        .await;
    assert!((200..300).contains(&answer.status), "{path}: {answer:?}");
    answer.body
}

async fn get(person: &Person, path: &str) -> Value {
    let answer = person.call(Method::GET, &format!("/api/v1{path}"), None).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.body
}

/// Waits until this many of what alice ran are recorded as executed on these grounds; the latest.
pub(super) async fn ran(proxy: &Proxy, basis: &Value, count: usize) -> Value {
    eventually(&format!("{count} are recorded under {basis}"), async || {
        let list = get(&proxy.bob, "/requests?state=executed").await;
        let list = list["requests"].as_array().expect("a list").clone();
        let ran: Vec<Value> = list
            .into_iter()
            .filter(|request| request["basis"] == *basis)
            .collect();
        (ran.len() == count).then(|| ran[0].clone())
    })
    .await
}

/// alice's psql, with a window that bob has approved, and the window.
async fn granted(proxy: &Proxy) -> (Psql, String) {
    let mut alice = proxy.alice.psql().await;
    let shown = alice
        .runs("SET holdpoint.request = 'write for 1h: incident 42';")
        .await;
    assert!(
        shown.contains("access up to write on shop for 1h waits for approval by a member of dba"),
        "{shown}"
    );
    let waiting = get(&proxy.bob, "/grants?state=pending").await;
    let grant = waiting["grants"][0].clone();
    assert_eq!(grant["justification"], "incident 42");
    let id = grant["id"].as_str().expect("an id").to_owned();
    assert!(shown.contains(&id), "{shown}");
    let approved = post(&proxy.bob, &format!("/grants/{id}/approve"), json!({})).await;
    assert_eq!(approved["state"], "active");
    (alice, id)
}

#[tokio::test]
async fn what_would_be_held_runs_and_is_recorded_until_it_is_taken_back() {
    let proxy = Proxy::with().policy(POLICY).start().await;
    let (mut alice, id) = granted(&proxy).await;
    assert_eq!(alice.runs("DELETE FROM items WHERE id = 1;").await, "DELETE 1\n");
    let basis = json!({"kind": "grant", "id": id});
    let recorded = ran(&proxy, &basis, 1).await;
    assert_eq!(recorded["statement"], "DELETE FROM items WHERE id = 1;");
    assert_eq!(recorded["reviews"], json!([]));
    // Prepared statements as well.
    let driver = proxy.alice.driver().await;
    driver
        .execute("DELETE FROM items WHERE id = $1", &[&2_i32])
        .await
        .expect("it is covered");
    ran(&proxy, &basis, 2).await;
    assert_eq!(get(&proxy.alice, &format!("/grants/{id}")).await["used"], 2);

    // In the middle of the session, and of a transaction.
    alice.runs("BEGIN;").await;
    assert_eq!(alice.runs("DELETE FROM items WHERE id = 3;").await, "DELETE 1\n");
    let ended = post(
        &proxy.bob,
        &format!("/grants/{id}/end"),
        json!({"reason": "over"}),
    )
    .await;
    assert_eq!(ended["state"], "revoked");
    alice.types("DELETE FROM items WHERE id = 4;");
    proxy.bob.rejects_next("not any more").await;
    assert!(alice.prompt().await.contains("not any more"));
}

#[tokio::test]
async fn it_is_for_one_person_and_one_effect_and_what_is_denied_stays_denied() {
    let proxy = Proxy::with().policy(POLICY).start().await;
    let (mut alice, _) = granted(&proxy).await;
    let shown = alice.runs("DELETE FROM items;").await;
    assert!(shown.contains("denied by policy: add a WHERE"), "{shown}");
    alice.types("DROP TABLE items;");
    proxy.bob.rejects_next("that is no write").await;
    assert!(alice.prompt().await.contains("that is no write"));
    let mut carol = proxy.carol.psql().await;
    carol.types("DELETE FROM items WHERE id = 1;");
    proxy.bob.rejects_next("it is not yours").await;
    assert!(carol.prompt().await.contains("it is not yours"));
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn who_asks_for_too_much_is_told_so() {
    let proxy = Proxy::with().policy(POLICY).start().await;
    let mut alice = proxy.alice.psql().await;
    for (wish, why) in [
        ("write for 3h: x", "at most 2h"),
        ("schema for 1h: x", "no rule lets \"alice\" ask"),
        ("write for 1h", "a reason is required"),
        ("write", "does not say what for how long"),
    ] {
        let shown = alice.runs(&format!("SET holdpoint.request = '{wish}';")).await;
        assert!(shown.contains("ERROR") && shown.contains(why), "{wish}: {shown}");
    }
    let mut bob = proxy.bob.psql().await;
    let shown = bob.runs("SET holdpoint.request = 'write for 1h: x';").await;
    assert!(shown.contains("no rule lets \"bob\" ask"), "{shown}");
    let none = get(&proxy.bob, "/grants").await;
    assert_eq!(none["grants"], json!([]));
}
