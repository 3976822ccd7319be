//! The audit log of what passes: each statement, in order; and what becomes of statements when it cannot be written.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;

use serde_json::{Value, json};

use super::EVERYTHING_PASSES;
use crate::support::people::Person;
use crate::support::poll::in_time;
use crate::support::raw::{Frames, Raw, tags};
use crate::support::{Proxy, eventually};

/// Passes reads, and holds the rest.
const READS_PASS: &str = r#"
    default_groups = ["dba"]
    [[rule]]
    name = "reads pass"
    when = { effects = ["session", "read"] }
    then = "allow"
"#;

fn file(proxy: &Proxy) -> PathBuf {
    proxy.folder().join("audit.jsonl")
}

fn lines(text: &str) -> Vec<Value> {
    let parsed = text.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    parsed.collect()
}

/// The records of a person, once there are as many as that; others are the test's own.
async fn records(proxy: &Proxy, person: &Person, count: usize) -> Vec<Value> {
    eventually("the records are there", async || {
        let text = fs::read_to_string(file(proxy)).ok()?;
        let whole = &text[..=text.rfind('\n')?];
        let mut records = lines(whole);
        records.retain(|record| record["user"] == person.name);
        (records.len() >= count).then_some(records)
    })
    .await
}

async fn ask(raw: &mut Raw, query: &str) -> String {
    raw.send(Frames::new().query(query)).await;
    tags(&raw.ready().await)
}

#[tokio::test]
async fn what_passes_is_recorded_in_order_and_what_is_held_is_not() {
    let set_up = Proxy::with().policy(READS_PASS).audit("file = 'audit.jsonl'");
    let proxy = set_up.start().await;
    let mut raw = proxy.alice.raw().await;
    ask(&mut raw, "SELECT 1 FROM pg_class WHERE relpages = 4711").await;
    ask(&mut raw, "SET application_name = 'nightly'").await;
    raw.send(Frames::new().query("CREATE TABLE audited ()")).await;
    proxy.bob.approves_next().await;
    raw.ready().await;
    let segment = Frames::new()
        .parse("s", "SELECT $1::text")
        .bind("", "s", &["secret"])
        .execute("", 0)
        .bind("", "s", &["secret"])
        .execute("", 0)
        .sync();
    raw.send(segment).await;
    raw.ready().await;
    ask(&mut raw, "SELECT 'a'; SELECT 'b'").await;

    let records = records(&proxy, &proxy.alice, 5).await;
    let told: Vec<_> = records.iter().map(|record| record["text"].clone()).collect();
    assert_eq!(
        told,
        [
            "SELECT ? FROM pg_class WHERE relpages = ?",
            "SET application_name = 'nightly'",
            "SELECT $1::text",
            "SELECT $1::text",
            "SELECT 'a'; SELECT 'b'",
        ]
    );
    let numbers: Vec<_> = records.iter().map(|record| record["number"].clone()).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    assert_eq!(records[1]["effect"], "session");
    assert_eq!(records[4]["commands"], json!(["SELECT", "SELECT"]));
    let last = records[4].as_object().expect("an object");
    for (key, value) in [
        ("database", json!("shop")),
        ("application", json!("nightly")),
        (
            "session",
            json!(i32::from_be_bytes(raw.key[..4].try_into().expect("a pid"))),
        ),
    ] {
        assert_eq!(last[key], value);
    }
    assert!(
        last["client"]
            .as_str()
            .is_some_and(|client| client.starts_with("127.0.0.1"))
    );
    assert_eq!(records[0]["shapes"].as_array().map(Vec::len), Some(1));
    assert!(
        !fs::read_to_string(file(&proxy))
            .expect("a file")
            .contains("secret"),
        "bound values are not recorded"
    );
}

#[tokio::test]
async fn a_stop_writes_what_waits_and_a_restart_goes_on_in_the_same_file() {
    let set_up = Proxy::with().policy(EVERYTHING_PASSES);
    let mut proxy = set_up
        .audit("file = 'audit.jsonl'\ninterval = '1m'\nstatements = 'changes'")
        .start()
        .await;
    for round in 1..=2 {
        let mut raw = proxy.alice.raw().await;
        ask(&mut raw, "SELECT 1").await;
        ask(&mut raw, "CREATE TEMP TABLE t (a int)").await;
        ask(&mut raw, "SELECT 2").await;
        raw.send(Frames::new().terminate()).await;
        assert!(raw.next().await.is_none());
        proxy.terminate();
        assert!(proxy.stopped().await.success());
        let text = fs::read_to_string(file(&proxy)).expect("a file");
        let texts: Vec<_> = lines(&text).iter().map(|record| record["text"].clone()).collect();
        assert_eq!(texts, vec!["CREATE TEMP TABLE t (a int)"; round]);
        proxy.restart().await;
    }
}

#[tokio::test]
async fn a_file_that_is_moved_away_is_made_again_at_a_hangup() {
    let set_up = Proxy::with()
        .policy(EVERYTHING_PASSES)
        .audit("file = 'audit.jsonl'\ninterval = '10ms'");
    let proxy = set_up.start().await;
    let mut raw = proxy.alice.raw().await;
    ask(&mut raw, "SELECT 'before'").await;
    records(&proxy, &proxy.alice, 1).await;
    fs::rename(file(&proxy), proxy.folder().join("audit.1")).expect("moved");
    proxy.hang_up();
    proxy.logs("opened the audit log again").await;
    ask(&mut raw, "SELECT 'after'").await;
    let after = records(&proxy, &proxy.alice, 1).await;
    assert_eq!(after[0]["text"], "SELECT 'after'");
    assert_eq!(after[0]["number"], 2);
}

/// Far more than a pipe and the smallest queue hold.
const STATEMENTS: usize = 2000;

#[tokio::test]
async fn where_there_is_no_room_statements_wait_and_none_is_lost() {
    let fifo = tempfile::tempdir().expect("a folder");
    let path = fifo.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.expect("mkfifo runs").success());
    let set_up = Proxy::with().policy(EVERYTHING_PASSES).proxy("workers = 1");
    let lines_of_audit = format!(
        "file = '{}'\nmax_queue = '64KiB'\ninterval = '10ms'",
        path.display()
    );
    let proxy = set_up.audit(&lines_of_audit).start().await;

    let mut simple = proxy.alice.raw().await;
    let mut all = Frames::new();
    for _ in 0..STATEMENTS {
        all = all.query("SELECT 1");
    }
    simple.send(all).await;
    proxy.logs("there is no room in the queue of the audit log").await;
    // Another session waits as well, in the extended protocol; one that gives up leaves nothing behind.
    let mut extended = proxy.carol.raw().await;
    extended.send(Frames::new().statement("SELECT 2").sync()).await;
    let mut gone = proxy.bob.raw().await;
    gone.send(Frames::new().query("SELECT 3")).await;
    gone.leave().await;

    let reader = std::thread::spawn(move || {
        let pipe = BufReader::new(fs::File::open(path).expect("a pipe"));
        let mut of_alice = Vec::new();
        let mut of_carol = 0;
        for line in pipe.lines() {
            let record: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
            if record["user"] == "alice" {
                of_alice.push(record["number"].as_u64().expect("a number"));
            } else if record["user"] == "carol" {
                of_carol += 1;
            }
            if of_alice.len() == STATEMENTS && of_carol == 1 {
                break;
            }
        }
        of_alice
    });
    let answers = in_time("all is answered", simple.answers(STATEMENTS)).await;
    assert_eq!(tags(&answers).matches('C').count(), STATEMENTS);
    assert_eq!(tags(&extended.ready().await), "12DCZ");
    let read = in_time("all is recorded", async {
        tokio::task::spawn_blocking(|| reader.join().expect("a reader"))
            .await
            .expect("joined")
    });
    assert_eq!(read.await, (1..=STATEMENTS as u64).collect::<Vec<_>>());
}

#[tokio::test]
async fn where_the_disk_is_full_statements_are_refused_if_that_is_wanted() {
    let set_up = Proxy::with().policy(READS_PASS).proxy("workers = 1");
    let lines = "file = '/dev/full'\nmax_queue = '64KiB'\ninterval = '10ms'\noverflow = 'refuse'";
    let proxy = set_up.audit(lines).start().await;
    let mut raw = proxy.alice.raw().await;
    assert_eq!(ask(&mut raw, "SELECT 1").await, "TDCZ", "there is room");
    proxy.logs("cannot write the audit log").await;
    let refused = in_time("one is refused", async {
        loop {
            raw.send(Frames::new().query("SELECT 1")).await;
            let answer = raw.ready().await;
            if let Some(error) = answer.into_iter().find(|message| message.tag == b'E') {
                return error;
            }
        }
    })
    .await;
    assert_eq!(refused.code(), "53400");
    assert!(refused.text().contains("audit log"), "{}", refused.text());
    assert_eq!(
        tags(&raw.exchange(Frames::new().statement("SELECT 2").sync()).await),
        "1EZ"
    );
    // What is held is recorded by the store, and waits for people as ever.
    raw.send(Frames::new().query("CREATE TABLE not_recorded_there ()"))
        .await;
    proxy.bob.approves_next().await;
    assert!(tags(&raw.ready().await).contains('C'));
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_said_at_the_start() {
    let mut proxy = Proxy::start().await;
    proxy.terminate();
    assert!(proxy.stopped().await.success());
    let config = proxy.folder().join("holdpoint.toml");
    let text = fs::read_to_string(&config).expect("a file");
    fs::write(
        &config,
        text.replace("[audit]", "[audit]\nfile = 'none/audit.jsonl'"),
    )
    .expect("a file");
    let output = proxy.command(&["serve"]).output().expect("it runs");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("[audit] file ") && said.contains("none/audit.jsonl"),
        "{said}"
    );
}
