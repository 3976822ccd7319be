//! What the server's catalogue adds to judging, end to end.

mod hidden;
mod locked;

use crate::support::cluster::Role;
use crate::support::raw::{Frames, Raw, describe, tags};
use crate::support::{Proxy, eventually};

/// Everything here is a plain read to a parser.
const TRAPS: &str = "
CREATE FUNCTION take() RETURNS int LANGUAGE sql VOLATILE AS 'DELETE FROM public.items WHERE id = 1; SELECT 1';
CREATE FUNCTION taken(i items) RETURNS int LANGUAGE sql VOLATILE AS 'DELETE FROM public.items WHERE id = 1; SELECT 1';
CREATE FUNCTION taken_all(VARIADIC i items[]) RETURNS int LANGUAGE sql VOLATILE
    AS 'DELETE FROM public.items WHERE id = 1; SELECT 1';
CREATE FUNCTION lies() RETURNS int LANGUAGE sql STABLE AS 'SELECT take()';
CREATE FUNCTION twice(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT i * 2';
CREATE FUNCTION add_up(a int, b int) RETURNS bool LANGUAGE sql VOLATILE
    AS 'DELETE FROM public.items WHERE id = 1; SELECT true';
CREATE OPERATOR <~> (FUNCTION = add_up, LEFTARG = int, RIGHTARG = int);
CREATE VIEW trap AS SELECT take() AS taken;
CREATE VIEW over_trap AS SELECT * FROM trap;
CREATE VIEW honest AS SELECT id, twice(id) AS double FROM items;
CREATE DOMAIN guarded AS int CHECK (add_up(VALUE, 1));
CREATE TABLE secrets (id int, owner text);
ALTER TABLE secrets OWNER TO app;
CREATE TYPE mood AS ENUM ('sad', 'glad');
ALTER VIEW honest OWNER TO app;
GRANT ALL ON ALL TABLES IN SCHEMA public TO app;
";

/// Two that a search path decides between.
const SAME: &str = "
CREATE SCHEMA good AUTHORIZATION app;
CREATE FUNCTION good.same() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
CREATE FUNCTION public.same() RETURNS int LANGUAGE sql VOLATILE
    AS 'DELETE FROM public.items WHERE id = 1; SELECT 1';
";

async fn stage() -> Proxy {
    let proxy = Proxy::start().await;
    proxy.database.run(TRAPS).await;
    proxy
}

async fn passes(alice: &mut Raw, sql: &str) {
    alice.send(Frames::new().query(sql)).await;
    let answer = alice.ready().await;
    assert!(tags(&answer).ends_with("CZ"), "{sql}: {}", describe(&answer));
}

/// Somebody asks for this, and it runs.
async fn is_approved(proxy: &Proxy, raw: &mut Raw, sql: &str) {
    raw.send(Frames::new().query(sql)).await;
    proxy.bob.approves_next().await;
    assert!(tags(&raw.ready().await).ends_with("CZ"), "{sql}");
}

async fn is_held(proxy: &Proxy, alice: &mut Raw, frames: Frames) {
    alice.send(frames).await;
    proxy.bob.rejects_next("no").await;
    assert!(tags(&alice.ready().await).ends_with("EZ"));
}

#[tokio::test]
async fn what_reaches_further_than_it_says_is_held() {
    let proxy = stage().await;
    let mut alice = proxy.alice.raw().await;
    for sql in [
        "SELECT take()",
        "SELECT lies()",
        "SELECT i.taken FROM items i",
        "SELECT i.taken_all FROM items i",
        "SELECT (i).taken FROM items i",
        "SELECT 1 <~> 2",
        "SELECT * FROM trap",
        "SELECT * FROM over_trap",
        "TABLE over_trap",
        "COPY over_trap TO STDOUT",
        "SELECT 5::guarded",
        "SELECT guarded '5'",
    ] {
        is_held(&proxy, &mut alice, Frames::new().query(sql)).await;
        is_held(&proxy, &mut alice, Frames::new().statement(sql).sync()).await;
    }
    assert_eq!(proxy.database.items().await, 10);
    for sql in [
        "SELECT * FROM honest",
        "SELECT twice(4), 'glad'::mood",
        "SELECT * FROM items i ORDER BY i.name",
    ] {
        passes(&mut alice, sql).await;
    }
}

/// What is defined while a session goes on counts for its next statement, whoever has defined it.
#[tokio::test]
async fn definitions_that_change_are_seen() {
    let proxy = stage().await;
    let mut alice = proxy.alice.raw().await;
    passes(&mut alice, "SELECT * FROM honest").await;
    let e = Frames::new;
    alice.send(e().parse("s", "SELECT * FROM honest").sync()).await;
    alice.ready().await;
    alice.send(e().bind("", "s", &[]).execute("", 0).sync()).await;
    assert!(tags(&alice.ready().await).ends_with("CZ"));
    // Through holdpoint, by another session.
    let mut other = proxy.alice.raw().await;
    is_approved(&proxy, &mut other, "CREATE VIEW mine AS SELECT * FROM items").await;
    passes(&mut alice, "SELECT * FROM mine").await;
    is_approved(
        &proxy,
        &mut other,
        "CREATE OR REPLACE VIEW mine AS SELECT * FROM items WHERE take() = 1",
    )
    .await;
    is_held(&proxy, &mut alice, e().query("SELECT * FROM mine")).await;
    // A statement that was prepared before is judged again, by both protocols' names.
    alice
        .send(
            e().parse("m", "SELECT * FROM honest")
                .query("PREPARE q AS SELECT * FROM honest"),
        )
        .await;
    alice.answers(1).await;
    proxy
        .database
        .run("CREATE OR REPLACE VIEW honest AS SELECT id, take() AS double FROM items")
        .await;
    // Behind holdpoint's back: something has to have it look.
    alice.send(e().query("SELECT * FROM not_there")).await;
    assert_eq!(alice.ready().await[0].code(), "42P01");
    is_held(&proxy, &mut alice, e().bind("", "m", &[]).execute("", 0).sync()).await;
    is_held(&proxy, &mut alice, e().query("EXECUTE q")).await;
    assert_eq!(proxy.database.items().await, 10);
}

/// What a transaction defines nobody else sees yet; until its end, names are not known in it.
#[tokio::test]
async fn in_a_transaction_that_defines_nothing_of_the_databases_own_is_known() {
    let proxy = stage().await;
    let mut alice = proxy.alice.raw().await;
    let e = Frames::new;
    passes(&mut alice, "SELECT * FROM honest").await;
    passes(&mut alice, "BEGIN").await;
    is_approved(
        &proxy,
        &mut alice,
        "CREATE OR REPLACE VIEW honest AS SELECT id, take() AS double FROM items",
    )
    .await;
    is_held(&proxy, &mut alice, e().query("SELECT * FROM honest")).await;
    passes(&mut alice, "ROLLBACK").await;
    passes(&mut alice, "SELECT * FROM honest").await;
    assert_eq!(proxy.database.items().await, 10);
}

/// A name that nobody knows is mostly a slip: the server says so at once, and people are not asked.
#[tokio::test]
async fn a_slip_in_a_name_fails_at_once() {
    let proxy = stage().await;
    let mut alice = proxy.alice.raw().await;
    let e = Frames::new;
    for (sql, code) in [
        ("SELECT * FROM itmes", "42P01"),
        ("SELECT twise(4)", "42883"),
        ("SELECT 4::nonsense", "42704"),
        ("SELECT 4 <=?=> 5", "42883"),
    ] {
        for frames in [
            e().query(sql),
            e().statement(sql).sync(),
            e().parse("", sql).sync(),
        ] {
            alice.send(frames).await;
            let answer = alice.ready().await;
            assert_eq!(answer[0].code(), code, "{sql}: {}", describe(&answer));
        }
    }
    assert!(proxy.bob.requests("").await.is_empty(), "nobody was asked");
    // In a block, it is aborted as ever.
    passes(&mut alice, "BEGIN").await;
    alice.send(e().query("SELECT * FROM itmes")).await;
    let answer = alice.ready().await;
    assert_eq!((answer[0].code().as_str(), answer[1].body[0]), ("42P01", b'E'));
}

/// `secrets` and `public.secrets` are one table to a rule, however they are written.
#[tokio::test]
async fn names_are_resolved_for_rules() {
    let policy = r#"
default_groups = ["dba"]
[[rule]]
name = "no secrets"
when = { tables = ["public.secrets"] }
then = { deny = { reason = "they are secret" } }
[[rule]]
name = "what is public may be read"
when = { effects = ["read"], tables = ["public.*"] }
then = "allow"
[[rule]]
name = "sessions"
when = { effects = ["session"] }
then = "allow"
"#;
    let proxy = Proxy::with().policy(policy).start().await;
    proxy.database.run(TRAPS).await;
    proxy
        .database
        .run(
            "CREATE SCHEMA other; CREATE TABLE other.secrets (id int); GRANT ALL ON SCHEMA other TO app;
              GRANT ALL ON other.secrets TO app",
        )
        .await;
    let mut alice = proxy.alice.raw().await;
    for sql in [
        "SELECT * FROM secrets",
        "SELECT * FROM public.secrets",
        "SELECT * FROM \"secrets\"",
    ] {
        alice.send(Frames::new().query(sql)).await;
        assert_eq!(alice.ready().await[0].code(), "42501", "{sql}");
    }
    // Surely public, though it does not say so.
    passes(&mut alice, "SELECT * FROM items").await;
    // With another path, nobody knows which it is.
    passes(&mut alice, "SET search_path = other").await;
    alice.send(Frames::new().query("SELECT * FROM secrets")).await;
    assert_eq!(alice.ready().await[0].code(), "42501");
    is_held(
        &proxy,
        &mut alice,
        Frames::new().query("SELECT * FROM other.secrets"),
    )
    .await;
}

/// A server that cannot be asked makes judging stricter.
#[tokio::test]
async fn without_an_answer_nothing_is_known() {
    let proxy = stage().await;
    // Whoever asks for the catalogue is refused its functions.
    proxy
        .database
        .run("REVOKE ALL ON FUNCTION pg_catalog.pg_get_viewdef(oid) FROM PUBLIC")
        .await;
    let mut alice = proxy.alice.raw().await;
    passes(&mut alice, "SELECT 1").await;
    is_held(&proxy, &mut alice, Frames::new().query("SELECT * FROM items")).await;
    proxy.logs("cannot read the server's catalogue").await;
}

/// What is explained is what would be decided.
#[tokio::test]
async fn explaining_asks_the_server_where_it_is_told_to() {
    let proxy = stage().await;
    let explain = |more: &[&str]| {
        let mut command = proxy.command(&["policy", "explain", "--user", "alice", "--database", "shop"]);
        let output = command
            .args(more)
            .arg("SELECT * FROM over_trap")
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    let offline = explain(&[]);
    assert!(
        offline.contains("Outcome: allow") && offline.contains("--connect"),
        "{offline}"
    );
    let online = explain(&["--connect"]);
    assert!(
        online.contains("Outcome: hold") && online.contains("public.take, which is VOLATILE"),
        "{online}"
    );
    let json: serde_json::Value = serde_json::from_str(&explain(&["--connect", "--json"])).unwrap();
    assert_eq!(json["catalogue_looked_up"], true);
    assert_eq!(json["statements"][0]["facts"]["tables"][0]["schema"], "public");
}

/// A parameter's type is told by number: its values may be made by what writes.
#[tokio::test]
async fn types_of_parameters_count() {
    let proxy = stage().await;
    let mut alice = proxy.alice.raw().await;
    let guarded: u32 = proxy
        .database
        .value("SELECT 'guarded'::regtype::oid")
        .await
        .parse()
        .unwrap();
    let e = Frames::new;
    let typed = |oid| {
        e().parse_typed("", "SELECT $1", &[oid])
            .bind("", "", &["5"])
            .execute("", 0)
            .sync()
    };
    is_held(&proxy, &mut alice, typed(guarded)).await;
    alice.send(typed(23)).await;
    assert_eq!(tags(&alice.ready().await), "12DCZ");
    is_held(
        &proxy,
        &mut alice,
        e().query("PREPARE p (guarded) AS SELECT $1; EXECUTE p (5)"),
    )
    .await;
    assert_eq!(proxy.database.items().await, 10);
}

/// What runs without a word of it in the text: defaults of arguments, negators, keys of partitions, statistics.
#[tokio::test]
async fn what_runs_unnamed_counts() {
    let proxy = stage().await;
    proxy
        .database
        .run(
            "CREATE SEQUENCE counter;
            CREATE FUNCTION by_default(a bigint DEFAULT nextval('counter')) RETURNS bigint STABLE LANGUAGE sql
                AS 'SELECT a';
            CREATE FUNCTION fine(a int DEFAULT 3) RETURNS int STABLE LANGUAGE sql AS 'SELECT a';
            CREATE FUNCTION same(a int, b int) RETURNS bool STABLE LANGUAGE sql AS 'SELECT a = b';
            CREATE OPERATOR === (FUNCTION = same, LEFTARG = int, RIGHTARG = int, NEGATOR = !==);
            CREATE OPERATOR !== (FUNCTION = add_up, LEFTARG = int, RIGHTARG = int, NEGATOR = ===);
            CREATE FUNCTION fixed(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN take(); END';
            CREATE TABLE parted (a int) PARTITION BY RANGE ((a + fixed(1)));
            CREATE FUNCTION any_number(VARIADIC a int[] DEFAULT '{}') RETURNS int STABLE LANGUAGE sql AS 'SELECT 3';
            CREATE TABLE counted (a int, b int);
            CREATE STATISTICS of_counted ON (fixed(1) + a), b FROM counted;
            GRANT ALL ON ALL TABLES IN SCHEMA public TO app",
        )
        .await;
    let mut alice = proxy.alice.raw().await;
    for sql in [
        "SELECT by_default()",
        "SELECT NOT (1 === 2)",
        "SELECT count(*) FROM parted",
        "SELECT * FROM counted WHERE a = 1 AND b = 2",
    ] {
        is_held(&proxy, &mut alice, Frames::new().query(sql)).await;
    }
    passes(&mut alice, "SELECT fine()").await;
    // It has fewer arguments than none, as one counts them.
    passes(&mut alice, "SELECT any_number()").await;
}

/// In a transaction that changes definitions nothing is milder than outside of it.
#[tokio::test]
async fn what_acted_before_a_definition_acts_behind_it() {
    let proxy = stage().await;
    proxy
        .database
        .run(
            "CREATE FUNCTION refund(i int) RETURNS int LANGUAGE sql VOLATILE
                AS 'DELETE FROM public.items WHERE id = 1; SELECT 1';
            CREATE FUNCTION lower(i int) RETURNS int LANGUAGE sql VOLATILE
                AS 'DELETE FROM public.items WHERE id = 1; SELECT 1'",
        )
        .await;
    let mut alice = proxy.alice.raw().await;
    for sql in [
        "SELECT (4711).refund",
        "SELECT lower(4)",
        "SELECT x.refund FROM unnest(ARRAY[4711]) AS x",
        "SELECT i.taken FROM items i",
    ] {
        alice
            .send(
                Frames::new()
                    .query("BEGIN")
                    .query("CREATE TABLE migrated (a int)"),
            )
            .await;
        proxy.bob.approves_next().await;
        alice.answers(2).await;
        is_held(&proxy, &mut alice, Frames::new().query(sql)).await;
        passes(&mut alice, "ROLLBACK").await;
        passes(&mut alice, "SELECT relname FROM pg_class").await;
    }
    assert_eq!(proxy.database.items().await, 10);
}

/// A session goes on with the search path that it began with, whatever those begin with that come after it.
#[tokio::test]
async fn a_new_default_path_is_not_that_of_sessions_that_are_open() {
    let proxy = stage().await;
    proxy.database.run(SAME).await;
    let mut alice = proxy.alice.raw().await;
    let e = Frames::new;
    is_held(&proxy, &mut alice, e().query("SELECT same()")).await;
    let name = proxy.database.value("SELECT current_database()").await;
    proxy
        .database
        .run(&format!(
            "ALTER ROLE app IN DATABASE {name} SET search_path = good"
        ))
        .await;
    let mut other = proxy.alice.raw().await;
    is_approved(&proxy, &mut other, "CREATE TABLE good.another (id int)").await;
    is_held(&proxy, &mut alice, e().query("SELECT same()")).await;
    is_held(&proxy, &mut alice, e().statement("SELECT same()").sync()).await;
    assert_eq!(proxy.database.items().await, 10);
    // One that begins now has the new one.
    let mut new = proxy.alice.raw().await;
    passes(&mut new, "SELECT same()").await;
}

/// Nor is what somebody changes through holdpoint before its first statement, which is when the catalogue is first read.
#[tokio::test]
async fn a_default_path_that_was_changed_before_the_catalogue_was_read_is_not_that_of_sessions_that_were_open()
 {
    let proxy = stage().await;
    proxy.database.run(SAME).await;
    let mut alice = proxy.alice.raw().await;
    let mut other = proxy.alice.raw().await;
    let name = proxy.database.value("SELECT current_database()").await;
    let e = Frames::new;
    is_approved(
        &proxy,
        &mut other,
        &format!("ALTER ROLE app IN DATABASE {name} SET search_path = good"),
    )
    .await;
    is_held(&proxy, &mut alice, e().query("SELECT same()")).await;
    assert_eq!(proxy.database.items().await, 10);
    let mut new = proxy.alice.raw().await;
    passes(&mut new, "SELECT same()").await;
}

/// What else somebody changes leaves the search path as it is.
#[tokio::test]
async fn the_default_path_is_known_whatever_else_was_changed_before_the_first_statement() {
    let proxy = stage().await;
    proxy
        .database
        .run(
            "CREATE SCHEMA other;
            CREATE FUNCTION public.same() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
            CREATE FUNCTION other.same() RETURNS int LANGUAGE sql VOLATILE
                AS 'DELETE FROM public.items WHERE id = 1; SELECT 1'",
        )
        .await;
    let mut alice = proxy.alice.raw().await;
    let mut other = proxy.alice.raw().await;
    is_approved(&proxy, &mut other, "CREATE TABLE another (id int)").await;
    passes(&mut alice, "SELECT same()").await;
}

/// Another role has another `$user` in its search path, also where it is the one that a session begins with.
#[tokio::test]
async fn the_search_path_of_a_role_that_a_session_begins_as_is_not_the_default() {
    let policy = r#"
        default_groups = ["dba"]
        [[rule]]
        name = "who somebody is"
        when = { effects = ["session", "read", "privilege"] }
        then = "allow"
    "#;
    let proxy = Proxy::with().policy(policy).role(Role::Trust).start().await;
    proxy
        .database
        .run(
            "CREATE SCHEMA app AUTHORIZATION app;
            CREATE FUNCTION public.same() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
            CREATE FUNCTION app.same() RETURNS int LANGUAGE sql VOLATILE
                AS 'DELETE FROM public.items WHERE id = 1; SELECT 1'",
        )
        .await;
    let mut alice = proxy.alice.raw().await;
    passes(&mut alice, "SELECT same()").await;
    for options in ["-c role=app", "-cSession_Authorization=app_trust"] {
        let (mut alice, greeting) = proxy.alice.raw_with(&[("options", options)]).await;
        assert_eq!(greeting.last().unwrap().tag, b'Z', "{}", describe(&greeting));
        is_held(&proxy, &mut alice, Frames::new().query("SELECT same()")).await;
    }
    assert_eq!(proxy.database.items().await, 10);
}

/// The server goes on with what a client that is gone has sent: what it defines then is seen once it is there.
#[tokio::test]
async fn what_is_defined_when_its_session_is_gone_is_seen() {
    let proxy = stage().await;
    let mut alice = proxy.alice.raw().await;
    let e = Frames::new;
    let mut other = proxy.alice.raw().await;
    is_approved(
        &proxy,
        &mut other,
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1'",
    )
    .await;
    passes(&mut alice, "SELECT mine()").await;
    proxy.database.run("SELECT pg_advisory_lock(7)").await;
    other
        .send(e().query(
            "SELECT pg_advisory_lock(7); CREATE OR REPLACE FUNCTION mine() RETURNS int LANGUAGE sql VOLATILE
                AS 'DELETE FROM public.items WHERE id = 1; SELECT 1'",
        ))
        .await;
    let request = proxy.bob.approves_next().await;
    proxy
        .database
        .sees_waiting("SELECT pg_advisory_lock(7); CREATE%", "advisory")
        .await;
    // With what it has not read: its connection is reset.
    drop(other);
    proxy.bob.sees(&request, "failed").await;
    passes(&mut alice, "SELECT mine()").await;
    proxy.database.run("SELECT pg_advisory_unlock(7)").await;
    eventually("it is held", async || {
        alice.send(e().query("SELECT mine()")).await;
        tokio::select! {
            _ = alice.ready() => None,
            request = proxy.bob.pending_one() => {
                proxy.bob.reject(&request, "no").await;
                alice.ready().await;
                Some(())
            }
        }
    })
    .await;
    assert_eq!(proxy.database.items().await, 10);
}

/// It is only heard to its end where it says little: what has rows for a client that is gone ends, as it does without holdpoint.
#[tokio::test]
async fn what_defines_something_and_goes_on_and_on_ends_with_its_client() {
    let proxy = stage().await;
    let mut other = proxy.alice.raw().await;
    let rows = "CREATE TABLE another (id int); SELECT repeat('x', 1000), generate_series(1, 100000000)";
    other.send(Frames::new().query(rows)).await;
    let request = proxy.bob.approves_next().await;
    while other.message().await.tag != b'D' {}
    drop(other);
    proxy.bob.sees(&request, "failed").await;
    eventually("the server has rolled back", async || {
        let runs = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE TABLE another%'
            AND datname = current_database()";
        (proxy.database.value(runs).await == "0").then_some(())
    })
    .await;
}
