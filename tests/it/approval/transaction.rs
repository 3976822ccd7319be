//! A whole transaction as one request: it runs as it comes, and its COMMIT waits for people.

use crate::support::Proxy;
use crate::support::raw::{Frames, Raw, describe, tags};
use crate::support::request::Request;

/// Alice, who has asked for such a review, and begun.
async fn begun(proxy: &Proxy) -> Raw {
    let mut alice = proxy.alice.raw().await;
    alice
        .exchange(Frames::new().query("SET holdpoint.review = 'transaction'"))
        .await;
    alice.exchange(Frames::new().query("BEGIN")).await;
    alice
}

async fn in_review(proxy: &Proxy) -> crate::support::psql::Psql {
    let mut alice = proxy.alice.psql().await;
    alice.runs("SET holdpoint.review = 'transaction';").await;
    alice.runs("BEGIN;").await;
    let shown = alice.runs("DELETE FROM items WHERE id < 4;").await;
    assert!(
        shown.contains("DELETE runs in the open transaction; its COMMIT will be held")
            && shown.ends_with("DELETE 3\n"),
        "{shown}"
    );
    let shown = alice.runs("UPDATE items SET name = 'x' WHERE id = 5;").await;
    assert!(shown.ends_with("UPDATE 1\n"), "{shown}");
    alice
}

#[tokio::test]
async fn the_approver_sees_all_that_ran_and_the_whole_commits() {
    let proxy = Proxy::start().await;
    let mut alice = in_review(&proxy).await;
    assert_eq!(proxy.database.items().await, 10, "nothing is committed");
    alice.types("COMMIT;");
    let request = proxy.bob.pending_one().await;
    for said in [
        "-- 1: 3 rows (request ",
        "DELETE FROM items WHERE id < 4;",
        "-- 2: 1 row (request ",
        "UPDATE items SET name = 'x' WHERE id = 5;",
        "\nCOMMIT",
    ] {
        assert!(
            request.statement().contains(said),
            "{said} in {}",
            request.statement()
        );
    }
    assert_eq!(request.text("effect"), "write");
    assert!(request.text("transaction_since") <= request.text("created_at"));
    assert!(proxy.bob.approve(&request).await.is_taken());
    let shown = alice.prompt().await;
    assert!(shown.ends_with("COMMIT\n"), "{shown}");
    assert_eq!(proxy.database.items().await, 7);
    let ran = proxy.bob.requests("?state=executed").await;
    let under = ran.iter().filter(|ran| {
        ran.field("basis")["id"] == request.id() && ran.field("basis")["kind"] == "transaction"
    });
    assert_eq!(under.count(), 2);
    // The next one is another.
    alice.runs("BEGIN;").await;
    assert_eq!(alice.runs("COMMIT;").await, "COMMIT\n");
}

#[tokio::test]
async fn what_is_rejected_is_rolled_back_whole() {
    let proxy = Proxy::start().await;
    let mut alice = in_review(&proxy).await;
    alice.types("COMMIT;");
    proxy.bob.rejects_next("too many").await;
    let shown = alice.prompt().await;
    assert!(shown.contains("rejected by bob: too many"), "{shown}");
    assert_eq!(proxy.database.items().await, 10);
    // Its locks are gone at once.
    proxy
        .database
        .run("UPDATE items SET name = 'y' WHERE id = 5")
        .await;
    assert_eq!(alice.runs("SELECT 1;").await, "1\n");
    assert!(
        alice
            .runs("COMMIT;")
            .await
            .contains("there is no transaction in progress")
    );
    assert_eq!(proxy.database.items().await, 10);
}

/// Who waits for the answer of a pipelined COMMIT before the Sync has it also where it is rejected.
#[tokio::test]
async fn a_commit_with_a_flush_behind_it_is_answered_when_it_is_rejected() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    for sql in [
        "SET holdpoint.review = 'transaction'",
        "BEGIN",
        "DELETE FROM items WHERE id = 8",
    ] {
        alice.exchange(Frames::new().query(sql)).await;
    }
    alice.send(Frames::new().statement("COMMIT").flush()).await;
    proxy.bob.rejects_next("no").await;
    while alice.message().await.tag != b'E' {}
    alice.send(Frames::new().sync()).await;
    assert_eq!(tags(&alice.ready().await), "Z");
    assert_eq!(proxy.database.items().await, 10);
}

/// What stands before a savepoint outlives what fails behind it: the approver sees its rows, and what is gone as such.
#[tokio::test]
async fn what_a_savepoint_keeps_is_shown_and_recorded_as_executed() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    let kept = "DELETE FROM items WHERE id < 4";
    let gone = "DELETE FROM items WHERE id = 5";
    for (frames, answer) in [
        (Frames::new().query("SET holdpoint.review = 'transaction'"), "CZ"),
        (Frames::new().query("BEGIN"), "CZ"),
        (
            Frames::new()
                .statement(kept)
                .statement("SAVEPOINT s")
                .statement("SELECT 1/0")
                .sync(),
            "12C12C1EZ",
        ),
        (Frames::new().query("ROLLBACK TO s"), "CZ"),
        (
            Frames::new().statement(gone).statement("SELECT 1/0").sync(),
            "12C1EZ",
        ),
        (Frames::new().query("ROLLBACK TO s"), "CZ"),
    ] {
        let answers = alice.exchange(frames).await;
        assert_eq!(tags(&answers), answer, "{}", describe(&answers));
    }
    alice.send(Frames::new().query("COMMIT")).await;
    let commit = proxy.bob.pending_one().await;
    let shown = commit.statement();
    let [kept, gone] = [asked(&proxy, kept).await, asked(&proxy, gone).await];
    for said in [
        format!("-- 1: 3 rows (request {})", kept.id()),
        format!("-- 4: failed, and changed nothing (request {})", gone.id()),
    ] {
        assert!(shown.contains(&said), "{said} in {shown}");
    }
    assert!(proxy.bob.approve(&commit).await.is_taken());
    assert_eq!(tags(&alice.ready().await), "CZ");
    assert_eq!(proxy.database.items().await, 7);
    let kept = proxy.bob.sees(&kept, "executed").await;
    assert_eq!(kept.outcome()["rows"], 3);
    let gone = proxy.bob.sees(&gone, "failed").await;
    let error = gone.outcome()["error"].as_str().unwrap();
    assert!(error.starts_with("rolled back with its pipeline: "), "{error}");
}

/// The one request with this statement.
async fn asked(proxy: &Proxy, statement: &str) -> Request {
    let mut all = proxy.bob.requests("").await;
    all.retain(|request| request.statement() == statement);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

#[tokio::test]
async fn nothing_commits_in_another_way() {
    let proxy = Proxy::start().await;
    let mut alice = begun(&proxy).await;
    let answers = alice
        .exchange(Frames::new().query("DELETE FROM items WHERE id = 8"))
        .await;
    assert_eq!(tags(&answers), "CZ");
    for text in [
        "COMMIT; SELECT 1",
        "SELECT 1; COMMIT",
        "SELECT 1; END; BEGIN",
        "PREPARE TRANSACTION 'x'",
        "DELETE FROM items; COMMIT",
        "this is no SQL; COMMIT",
    ] {
        let mut alice = proxy.alice.raw().await;
        alice
            .exchange(Frames::new().query("SET holdpoint.review = 'transaction'"))
            .await;
        alice.exchange(Frames::new().query("BEGIN")).await;
        alice
            .exchange(Frames::new().query("DELETE FROM items WHERE id = 9"))
            .await;
        let answers = alice.exchange(Frames::new().query(text)).await;
        assert_eq!(tags(&answers), "EZ", "{text}");
        alice.leave().await;
        // By the extended protocol, with a statement that was prepared before.
        let mut alice = proxy.alice.raw().await;
        alice
            .exchange(Frames::new().query("SET holdpoint.review = 'transaction'"))
            .await;
        alice.exchange(Frames::new().parse("c", "COMMIT").sync()).await;
        alice.exchange(Frames::new().query("BEGIN")).await;
        alice
            .exchange(Frames::new().query("DELETE FROM items WHERE id = 9"))
            .await;
        alice
            .send(Frames::new().bind("", "c", &[]).execute("", 0).sync())
            .await;
        proxy.bob.rejects_next("no").await;
        let answers = alice.ready().await;
        assert!(tags(&answers).ends_with("EZ"), "{}", tags(&answers));
        alice.leave().await;
        assert_eq!(proxy.database.items().await, 10, "{text}");
    }
    // Whoever goes away leaves nothing behind.
    alice.leave().await;
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn a_rule_can_ask_for_it_and_time_ends_it() {
    let policy = r#"
        default_groups = ["dba"]
        [[rule]]
        name = "reads pass"
        when = { effects = ["read", "session"] }
        then = "allow"
        [[rule]]
        name = "transactions"
        when = { effects = ["write"] }
        then = { hold = { groups = ["dba"], review = "transaction", timeout = "2s" } }
    "#;
    let proxy = Proxy::with().policy(policy).start().await;
    let mut alice = proxy.alice.psql().await;
    alice.runs("BEGIN;").await;
    assert!(
        alice
            .runs("DELETE FROM items WHERE id = 1;")
            .await
            .ends_with("DELETE 1\n")
    );
    // What a rollback does not undo is held by itself.
    alice.types("SELECT pg_notify('a', 'b'), pg_switch_wal();");
    assert_eq!(proxy.bob.rejects_next("no").await.text("command"), "SELECT");
    alice.prompt().await;
    alice.runs("ROLLBACK;").await;
    alice.runs("BEGIN;").await;
    alice.runs("DELETE FROM items WHERE id = 1;").await;
    let shown = alice.runs("COMMIT;").await;
    assert!(shown.contains("approval expired"), "{shown}");
    alice.runs("ROLLBACK;").await;
    assert_eq!(proxy.database.items().await, 10);
    // Outside of a block there is nothing to review later.
    alice.types("DELETE FROM items WHERE id = 1;");
    assert_eq!(proxy.bob.approves_next().await.text("command"), "DELETE");
    assert!(alice.prompt().await.ends_with("DELETE 1\n"));
}

const NO_SECRETS: &str = r#"
default_groups = ["dba"]
[[rule]]
name = "secrets are asked about"
when = { tables = ["secrets"] }
then = { hold = { groups = ["dba"] } }
[[rule]]
name = "the rest may be read"
when = { effects = ["session", "read"] }
then = "allow"
"#;

/// In the open transaction, what it has copied can be read, and errors tell of what it has looked at.
#[tokio::test]
async fn what_may_not_be_read_is_not_copied_before_people_are_asked() {
    let proxy = Proxy::with().policy(NO_SECRETS).start().await;
    proxy
        .database
        .run(
            "CREATE TABLE secrets (id int, name text); INSERT INTO secrets VALUES (7, 'x'); \
             GRANT ALL ON secrets TO app",
        )
        .await;
    let mut alice = begun(&proxy).await;
    for sql in [
        "INSERT INTO items SELECT id + 100, name FROM secrets",
        "UPDATE items SET id = (SELECT name FROM secrets)::int WHERE id = 1",
        "UPDATE secrets SET id = 8 WHERE id = 7",
    ] {
        alice.send(Frames::new().query(sql)).await;
        let request = proxy.bob.pending_one().await;
        assert_eq!(request.statement(), sql);
        let why = "asked about by itself, and not with its transaction: policy does not let its client read";
        assert!(request.field("signals").to_string().contains(why), "{sql}");
        proxy.bob.reject(&request, "no").await;
        assert_eq!(tags(&alice.ready().await), "EZ");
        alice.exchange(Frames::new().query("ROLLBACK")).await;
        alice.exchange(Frames::new().query("BEGIN")).await;
    }
    let answer = alice
        .exchange(Frames::new().query("DELETE FROM items WHERE id = 1"))
        .await;
    assert!(tags(&answer).ends_with("CZ"), "{}", describe(&answer));
}

/// A trigger may do what no rollback undoes; so may what a foreign key cascades to, or the partition of a table.
#[tokio::test]
async fn what_runs_more_than_itself_is_asked_about_by_itself() {
    let proxy = Proxy::start().await;
    proxy
        .database
        .run(
            "CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
             CREATE TABLE jobs (id int PRIMARY KEY);
             CREATE TRIGGER noted BEFORE INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION noted();
             CREATE TABLE parts (id int) PARTITION BY RANGE (id);
             CREATE TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (10);
             CREATE TRIGGER noted BEFORE INSERT ON part FOR EACH ROW EXECUTE FUNCTION noted();
             CREATE TABLE owners (id int PRIMARY KEY);
             CREATE TABLE owned (id int REFERENCES owners ON DELETE CASCADE);
             CREATE TRIGGER noted BEFORE DELETE ON owned FOR EACH ROW EXECUTE FUNCTION noted();
             CREATE VIEW over_items AS SELECT * FROM items;
             CREATE FUNCTION acts(int) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RETURN true; END';
             CREATE TABLE kept (id int PRIMARY KEY);
             CREATE TABLE keeper (id int CHECK (acts(id)) REFERENCES kept ON UPDATE CASCADE);
             CREATE TABLE plain (id serial PRIMARY KEY, at timestamptz DEFAULT now());
             GRANT ALL ON ALL TABLES IN SCHEMA public TO app; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO app",
        )
        .await;
    let mut alice = begun(&proxy).await;
    let answer = alice
        .exchange(Frames::new().query("INSERT INTO plain DEFAULT VALUES"))
        .await;
    assert!(tags(&answer).ends_with("CZ"), "{}", describe(&answer));
    for (sql, runs) in [
        (
            "INSERT INTO jobs VALUES (1)",
            "public.jobs runs its trigger noted",
        ),
        (
            "INSERT INTO parts VALUES (1)",
            "public.parts runs its trigger noted (of part)",
        ),
        (
            "DELETE FROM owners WHERE id = 1",
            "public.owners runs its trigger noted (of owned)",
        ),
        (
            "UPDATE kept SET id = 2 WHERE id = 1",
            "acts, which is VOLATILE: it may change data (of keeper)",
        ),
        (
            "DELETE FROM over_items WHERE id = 1",
            "public.over_items runs what is behind the view",
        ),
    ] {
        alice.send(Frames::new().query(sql)).await;
        let request = proxy.bob.pending_one().await;
        assert_eq!(request.statement(), sql);
        let signals = request.field("signals").to_string();
        assert!(signals.contains(runs), "{sql}: {signals}");
        assert!(proxy.bob.approve(&request).await.is_taken());
        let answer = alice.ready().await;
        assert!(tags(&answer).ends_with("CZ"), "{sql}: {}", describe(&answer));
    }
}
