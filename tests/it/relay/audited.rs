//! The audit log of what passes: each statement, in order; and what becomes of statements when it cannot be written.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::EVERYTHING_PASSES;
use crate::support::home;
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

/// Lets everything pass, and records what may change something.
async fn recording_changes() -> Proxy {
    let set_up = Proxy::with().policy(EVERYTHING_PASSES);
    let set_up = set_up.audit("file = 'audit.jsonl'\nstatements = 'changes'");
    set_up.start().await
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
    assert_eq!(records[4]["commands"], json!(["SELECT"]));
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
        // Nor does it wait for who has not asked yet.
        let console = proxy.console().replace("http://", "");
        let mut half = TcpStream::connect(console).await.expect("the console");
        half.write_all(b"GET / HTTP/1.1\r\nHo").await.expect("sent");
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

/// Records what passes in a file on a disk that is full, until it is repaired.
async fn on_a_full_disk(lines: &str) -> Proxy {
    let folder = home::folder("audit");
    let path = folder.join("audit.jsonl");
    std::os::unix::fs::symlink("/dev/full", &path).expect("a link");
    let set_up = Proxy::with()
        .policy(EVERYTHING_PASSES)
        .proxy(&format!("workers = 1\n{lines}"));
    let lines = format!(
        "file = '{}'\nmax_queue = '64KiB'\ninterval = '10ms'",
        path.display()
    );
    set_up.audit(&lines).start().await
}

/// Sends so much that the queue is full.
async fn fill(proxy: &Proxy) -> Raw {
    let mut raw = proxy.alice.raw().await;
    let mut all = Frames::new();
    for _ in 0..STATEMENTS {
        all = all.query("SELECT 1");
    }
    raw.send(all).await;
    proxy.logs("there is no room in the queue of the audit log").await;
    raw
}

/// Puts another disk in its place. Gives the file.
fn repair(proxy: &Proxy) -> PathBuf {
    let log = proxy.log_text();
    let recorded = log
        .lines()
        .find(|line| line.contains("what passes is recorded"))
        .expect("said");
    let recorded: Value = serde_json::from_str(recorded).expect("JSON");
    let path = PathBuf::from(recorded["fields"]["path"].as_str().expect("a path"));
    fs::remove_file(&path).expect("a link");
    proxy.hang_up();
    path
}

/// More than the smallest queue holds.
const STATEMENTS: usize = 1000;

#[tokio::test]
async fn where_there_is_no_room_statements_wait_and_none_is_lost() {
    let proxy = on_a_full_disk("").await;
    let mut simple = fill(&proxy).await;
    // Another session waits as well, in the extended protocol; one that gives up leaves nothing behind.
    let mut extended = proxy.carol.raw().await;
    extended.send(Frames::new().statement("SELECT 2").sync()).await;
    let mut gone = proxy.bob.raw().await;
    gone.send(Frames::new().query("SELECT 3")).await;
    gone.leave().await;

    let path = repair(&proxy);
    let answers = in_time("all is answered", simple.answers(STATEMENTS)).await;
    assert_eq!(tags(&answers).matches('C').count(), STATEMENTS);
    assert_eq!(tags(&extended.ready().await), "12DCZ");
    let read = eventually("all is recorded", async || {
        let text = fs::read_to_string(&path).ok()?;
        let records = lines(&text[..=text.rfind('\n')?]);
        let of = |name: &str| -> Vec<u64> {
            let records = records.iter().filter(|record| record["user"] == name);
            records
                .map(|record| record["number"].as_u64().expect("a number"))
                .collect()
        };
        (of("alice").len() >= STATEMENTS && of("carol") == [1]).then(|| of("alice"))
    });
    assert_eq!(read.await, (1..=STATEMENTS as u64).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_statement_that_waits_for_room_can_be_cancelled() {
    let proxy = on_a_full_disk("").await;
    let full = fill(&proxy).await;
    let mut raw = proxy.carol.raw().await;
    let key = raw.key.clone();
    for frames in [
        Frames::new().query("CREATE TABLE cancelled ()"),
        Frames::new().statement("CREATE TABLE cancelled ()").sync(),
    ] {
        raw.send(frames).await;
        let cancelling = async {
            loop {
                proxy.carol.cancel(&key).await;
            }
        };
        let answers = tokio::select! {
            answers = raw.ready() => answers,
            () = cancelling => unreachable!("it goes on"),
        };
        let error = answers
            .iter()
            .find(|message| message.tag == b'E')
            .expect("an error");
        assert_eq!(error.code(), "57014", "{}", error.text());
    }
    repair(&proxy);
    // What comes next is not cancelled with it.
    raw.send(Frames::new().query("SELECT count(*) FROM pg_class WHERE relname = 'cancelled'"))
        .await;
    let answers = raw.ready().await;
    assert_eq!(answers[1].values(), ["0"]);
    drop(full);
}

#[tokio::test]
async fn a_client_that_goes_while_its_statement_waits_for_room_keeps_no_locks() {
    let proxy = on_a_full_disk("hold_buffer = \"64KiB\"").await;
    let mut raw = proxy.carol.raw().await;
    ask(&mut raw, "BEGIN").await;
    ask(&mut raw, "UPDATE items SET name = 'locked' WHERE id = 1").await;
    let full = fill(&proxy).await;
    let mut more = Frames::new().query("COMMIT");
    for _ in 0..20 {
        more = more.query(&format!("SELECT '{}'", "x".repeat(8000)));
    }
    raw.send_in_vain(more).await;
    drop(raw);
    let locked =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'";
    eventually("the transaction is rolled back", async || {
        (proxy.database.value(locked).await == "0").then_some(())
    })
    .await;
    drop(full);
}

#[tokio::test]
async fn a_stop_while_statements_wait_for_room_says_what_is_lost() {
    let mut proxy = on_a_full_disk("").await;
    let full = fill(&proxy).await;
    proxy.terminate();
    assert!(proxy.stopped().await.success());
    assert!(proxy.log_text().contains("records of the audit log are lost"));
    drop(full);
}

/// A name is recorded with what it stands for: what runs is what counts.
#[tokio::test]
async fn what_is_executed_by_name_is_recorded_as_what_it_is() {
    let proxy = recording_changes().await;
    let mut raw = proxy.alice.raw().await;
    ask(&mut raw, "PREPARE sql AS DELETE FROM items WHERE id = $1").await;
    ask(&mut raw, "EXECUTE sql (1)").await;
    let prepared = Frames::new()
        .parse("protocol", "DELETE FROM items WHERE id = 2")
        .parse("by name", "EXECUTE sql (3)")
        .bind("", "by name", &[])
        .execute("", 0)
        .sync();
    raw.send(prepared).await;
    raw.ready().await;
    ask(&mut raw, "EXECUTE protocol").await;
    raw.send(Frames::new().bind("", "sql", &["4"]).execute("", 0).sync())
        .await;
    raw.ready().await;
    assert_eq!(proxy.database.items().await, 6);
    let records = records(&proxy, &proxy.alice, 4).await;
    let told: Vec<_> = records
        .iter()
        .map(|record| {
            (
                record["effect"].clone(),
                record["text"].clone(),
                record["executes"].clone(),
            )
        })
        .collect();
    let sql = "PREPARE sql AS DELETE FROM items WHERE id = $1";
    assert_eq!(
        told,
        [
            (json!("write"), json!("EXECUTE sql (1)"), json!([sql])),
            (json!("write"), json!("EXECUTE sql (3)"), json!([sql])),
            (
                json!("write"),
                json!("EXECUTE protocol"),
                json!(["DELETE FROM items WHERE id = 2"])
            ),
            (json!("write"), json!(sql), Value::Null),
        ]
    );
}

/// A name that stands for something else at the Execute than at its Bind: that is recorded as well.
#[tokio::test]
async fn what_a_portal_executes_is_recorded_even_where_the_name_has_changed_since() {
    let proxy = recording_changes().await;
    let mut raw = proxy.alice.raw().await;
    let prepares = Frames::new()
        .parse("p", "SELECT 1")
        .parse("e", "EXECUTE p")
        .sync();
    raw.exchange(prepares).await;
    let delete = "DELETE FROM items WHERE id = 1";
    let renames = Frames::new()
        .bind("", "e", &[])
        .close_statement("p")
        .parse("p", delete);
    raw.exchange(renames.execute("", 0).sync()).await;
    assert_eq!(proxy.database.items().await, 9);
    // The second time, it is what it was.
    raw.exchange(
        Frames::new()
            .bind("", "e", &[])
            .execute("", 0)
            .execute("", 0)
            .sync(),
    )
    .await;
    let records = records(&proxy, &proxy.alice, 2).await;
    assert_eq!(records.len(), 2);
    for record in records {
        assert_eq!(
            (&record["effect"], &record["text"]),
            (&json!("write"), &json!("EXECUTE p"))
        );
        assert_eq!(record["commands"], json!(["EXECUTE", "DELETE"]));
        assert_eq!(record["executes"], json!([delete]));
    }
}

/// A portal with a name may change names, where what is unknown passes.
#[tokio::test]
async fn what_portals_with_names_do_to_names_is_followed() {
    let proxy = recording_changes().await;
    let mut raw = proxy.alice.raw().await;
    ask(&mut raw, "PREPARE p AS SELECT 1").await;
    let delete = "PREPARE p AS DELETE FROM items WHERE id = 1";
    let renames = Frames::new()
        .parse("d", "DEALLOCATE p")
        .parse("r", delete)
        .bind("one", "d", &[])
        .bind("two", "r", &[])
        .execute("one", 0)
        .execute("two", 0)
        .sync();
    raw.exchange(renames).await;
    ask(&mut raw, "EXECUTE p").await;
    // And one that stands for another between its Bind and its Execute.
    let other = "DELETE FROM items WHERE id = 2";
    let renames = Frames::new()
        .parse("q", "SELECT 1")
        .parse("e", "EXECUTE q")
        .bind("three", "e", &[])
        .close_statement("q")
        .parse("q", other)
        .execute("three", 0)
        .sync();
    raw.exchange(renames).await;
    assert_eq!(proxy.database.items().await, 8);
    let records = records(&proxy, &proxy.alice, 2).await;
    let told: Vec<_> = records.iter().map(|record| record["executes"].clone()).collect();
    assert_eq!(told, [json!([delete]), json!([other])]);
}

/// What a name stands for is not known, or more than its text says: then that is recorded.
#[tokio::test]
async fn what_may_be_a_change_is_recorded_among_the_changes() {
    let proxy = recording_changes().await;
    let mut raw = proxy.alice.raw().await;
    for text in [
        "PREPARE \"ä\" AS DELETE FROM items WHERE id = 1",
        "EXECUTE \"ä\"",
        "EXECUTE unheard_of",
        "BEGIN",
        "DECLARE c CURSOR FOR SELECT pg_terminate_backend(0)",
        "FETCH FROM c",
        "ROLLBACK",
    ] {
        ask(&mut raw, text).await;
    }
    let records = records(&proxy, &proxy.alice, 5).await;
    let told: Vec<_> = records
        .iter()
        .map(|record| (record["effect"].clone(), record["text"].clone()))
        .collect();
    assert_eq!(
        told,
        [
            (
                json!("unknown"),
                json!("PREPARE \"ä\" AS DELETE FROM items WHERE id = 1")
            ),
            (json!("unknown"), json!("EXECUTE \"ä\"")),
            (json!("unknown"), json!("EXECUTE unheard_of")),
            (
                json!("server"),
                json!("DECLARE c CURSOR FOR SELECT pg_terminate_backend(0)")
            ),
            (json!("server"), json!("FETCH FROM c")),
        ]
    );
}

/// A cancel request is for what runs, and not for what waits for room behind it.
#[tokio::test]
async fn what_runs_before_a_statement_that_waits_for_room_is_what_is_cancelled() {
    let proxy = on_a_full_disk("").await;
    let mut raw = proxy.carol.raw().await;
    let key = raw.key.clone();
    let lock = proxy.database.lock_items().await;
    raw.send(Frames::new().query("UPDATE items SET name = 'x' WHERE id = 1"))
        .await;
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    eventually("it waits for the lock", async || {
        (proxy.database.value(waits).await == "1").then_some(())
    })
    .await;
    let full = fill(&proxy).await;
    raw.send(Frames::new().query("SELECT 'behind'")).await;
    proxy.carol.cancel(&key).await;
    let answers = raw.ready().await;
    assert_eq!(tags(&answers), "EZ");
    assert_eq!(answers[0].code(), "57014");
    repair(&proxy);
    let answers = raw.ready().await;
    assert_eq!(answers[1].values(), ["behind"]);
    drop((lock, full));
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
