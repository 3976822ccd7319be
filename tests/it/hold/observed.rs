//! A database that is observed: nothing is held or denied there, and what would have been is recorded.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio_postgres::error::SqlState;

use crate::support::driver::refusal;
use crate::support::{Proxy, eventually, folder};

const READS_ARE_DENIED: &str = r#"
    default_groups = ["security"]
    [[rule]]
    name = "nobody reads"
    when = { effects = ["read"] }
    then = { deny = { reason = "no" } }
"#;

async fn observed() -> Proxy {
    Proxy::with().databases("observe = true").start().await
}

fn replay(proxy: &Proxy, dir: Option<&Path>) -> Value {
    let mut command = proxy.command(&["policy", "replay", "--json", "--user", "alice"]);
    if let Some(dir) = dir {
        command.arg("--dir").arg(dir);
    }
    let done = command.stdin(Stdio::null()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

/// What a replay says once so many statements are recorded.
async fn recorded(proxy: &Proxy, statements: u64) -> Value {
    eventually("what was observed is recorded", async || {
        let replayed = replay(proxy, None);
        (replayed["statements"] == statements).then_some(replayed)
    })
    .await
}

#[tokio::test]
async fn everything_passes_and_what_would_have_been_is_recorded() {
    let proxy = observed().await;
    let alice = proxy.alice.driver().await;
    alice.simple_query("SELECT 1").await.unwrap();
    // Once parsed, twice bound.
    let delete = alice.prepare("DELETE FROM items WHERE id = $1").await.unwrap();
    for id in [1, 2] {
        assert_eq!(alice.execute(&delete, &[&id]).await.unwrap(), 1);
    }
    alice
        .simple_query("PREPARE p AS UPDATE items SET name = 'x'")
        .await
        .unwrap();
    alice.simple_query("EXECUTE p").await.unwrap();
    alice.simple_query("DELETE FROM items").await.unwrap();
    assert_eq!(proxy.database.items().await, 0);
    assert!(proxy.bob.requests("").await.is_empty());

    let replayed = recorded(&proxy, 6).await;
    assert_eq!(replayed["decisions"]["deny"].as_u64(), Some(2), "{replayed:#}");
    assert_eq!(replayed["changes"], json!([]), "{replayed:#}");
    let held = replayed["rules"].as_array().unwrap().iter();
    let held: Vec<&Value> = held
        .filter(|rule| rule["rule"] == "writes need a DBA")
        .map(|rule| &rule["count"])
        .collect();
    assert_eq!(held, [&json!(2)], "{replayed:#}");
    let shown = replayed.to_string();
    // What runs behind an EXECUTE is there, and not what was only parsed.
    assert!(shown.contains("EXECUTE p -- which was prepared as:"), "{shown}");
    assert!(shown.contains("DELETE FROM items WHERE id = $1"), "{shown}");
}

#[tokio::test]
async fn another_policy_is_tried_on_what_was_recorded() {
    let proxy = observed().await;
    let alice = proxy.alice.driver().await;
    for _ in 0..3 {
        alice.simple_query("SELECT count(*) FROM items").await.unwrap();
    }
    recorded(&proxy, 3).await;
    let dir = folder("policies");
    fs::write(dir.join("other.toml"), READS_ARE_DENIED).unwrap();
    let replayed = replay(&proxy, Some(&dir));
    let change = json!({
        "from": "allow",
        "to": "deny",
        "count": 3,
        "examples": [{ "statement": "SELECT count(*) FROM items", "user": "alice", "count": 3 }],
    });
    assert_eq!(replayed["changes"], json!([change]));
}

#[tokio::test]
async fn what_the_server_refuses_is_as_it_was() {
    let proxy = observed().await;
    let alice = proxy.alice.driver().await;
    refusal(alice.simple_query("SELEC 1").await, &SqlState::SYNTAX_ERROR);
    refusal(
        alice.simple_query("EXECUTE nothing").await,
        &SqlState::INVALID_SQL_STATEMENT_NAME,
    );
    let replayed = recorded(&proxy, 2).await;
    assert_eq!(replayed["unparsed"], 1, "{replayed:#}");
}

#[tokio::test]
async fn what_was_observed_last_is_recorded_at_a_stop() {
    let mut proxy = observed().await;
    proxy.logs("this database is observed").await;
    let alice = proxy.alice.driver().await;
    alice.simple_query("DELETE FROM items").await.unwrap();
    drop(alice);
    proxy.terminate();
    assert!(proxy.stopped().await.success());
    assert_eq!(replay(&proxy, None)["decisions"]["deny"], 1);
}
