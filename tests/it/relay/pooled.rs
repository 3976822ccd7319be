//! Connections to the server that outlive their sessions: who gets which, and that nothing is left in them.

use std::time::Duration;

use super::EVERYTHING_PASSES;
use crate::support::database::TAKEN_BACK;
use crate::support::people::Person;
use crate::support::poll::in_time;
use crate::support::raw::{Frames, Message, Raw, describe};
use crate::support::{Proxy, eventually};

const POOL: &str = "pool = { max_idle = 5 }";

async fn pooled(lines: &str) -> Proxy {
    let set_up = Proxy::with().policy(EVERYTHING_PASSES).databases(lines);
    set_up.start().await
}

async fn value(raw: &mut Raw, query: &str) -> String {
    raw.send(Frames::new().query(query)).await;
    let answer = raw.ready().await;
    let row = answer.iter().find(|message| message.tag == b'D');
    row.unwrap_or_else(|| panic!("{query}: {}", describe(&answer)))
        .values()
        .concat()
}

async fn pid(raw: &mut Raw) -> String {
    value(raw, "SELECT pg_backend_pid()").await
}

/// How many connections there are to the proxy's server that nobody uses now.
async fn idle(proxy: &Proxy) -> String {
    let query = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename LIKE 'app%'
                 AND application_name NOT LIKE 'holdpoint%' AND query IN {TAKEN_BACK} AND state = 'idle'"
    );
    proxy.database.value(&query).await
}

/// Says goodbye, and waits until the connection is back.
async fn part(proxy: &Proxy, mut raw: Raw) {
    raw.send(Frames::new().terminate()).await;
    assert!(raw.next().await.is_none());
    eventually("the connection is back", async || {
        (idle(proxy).await == "1").then_some(())
    })
    .await;
}

/// A session of hers that runs this and leaves; then the process ids of its connection and of the next session's.
async fn before_and_after(proxy: &Proxy, person: &Person, work: &str) -> (String, String) {
    let mut first = person.raw().await;
    let before = pid(&mut first).await;
    first.send(Frames::new().query(work)).await;
    first.ready().await;
    first.send(Frames::new().terminate()).await;
    assert!(first.next().await.is_none());
    let query =
        format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {before} AND query NOT IN {TAKEN_BACK}");
    eventually("the session is over", async || {
        (proxy.database.value(&query).await == "0").then_some(())
    })
    .await;
    let after = pid(&mut person.raw().await).await;
    (before, after)
}

/// What a session is greeted with, but for its own key.
fn greeting(messages: &[Message]) -> String {
    let told: Vec<Message> = messages
        .iter()
        .filter(|message| message.tag != b'K')
        .cloned()
        .collect();
    describe(&told)
}

#[tokio::test]
async fn the_next_session_that_begins_alike_goes_on_with_it_and_others_do_not() {
    let proxy = pooled(POOL).await;
    let mut first = proxy.alice.raw().await;
    let there = pid(&mut first).await;
    part(&proxy, first).await;

    // Somebody else, and one who begins otherwise.
    let mut other = proxy.bob.raw().await;
    assert_ne!(pid(&mut other).await, there);
    let (mut otherwise, _) = proxy.alice.raw_with(&[("application_name", "another")]).await;
    assert_ne!(pid(&mut otherwise).await, there);
    let mut second = proxy.alice.raw().await;
    assert_eq!(pid(&mut second).await, there);
    // It serves one at a time.
    let mut third = proxy.alice.raw().await;
    assert_ne!(pid(&mut third).await, there);
}

#[tokio::test]
async fn nothing_is_left_of_the_session_before() {
    let proxy = pooled(POOL).await;
    let (mut first, greeted) = proxy.alice.raw_with(&[]).await;
    let there = pid(&mut first).await;
    let settings = "SELECT string_agg(name || '=' || setting, ',' ORDER BY name) FROM pg_settings";
    let as_new = value(&mut first, settings).await;
    for work in [
        "SET work_mem = '77MB'; SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'German'; SET client_min_messages = error",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY; SET default_transaction_isolation = serializable",
        "SET application_name = 'left over'; SET statement_timeout = '1h'; SET search_path = pg_catalog",
        "LISTEN left_over; NOTIFY left_over",
        "SELECT pg_advisory_lock(77); DECLARE left_over CURSOR WITH HOLD FOR SELECT 1",
        "PREPARE left_over AS SELECT 1",
    ] {
        first.send(Frames::new().query(work)).await;
        let answer = first.ready().await;
        assert!(
            answer.iter().all(|message| message.tag != b'E'),
            "{work}: {}",
            describe(&answer)
        );
    }
    first
        .send(Frames::new().parse("of the protocol", "SELECT 1").sync())
        .await;
    first.ready().await;
    part(&proxy, first).await;

    let (mut second, greeted_again) = proxy.alice.raw_with(&[]).await;
    assert_eq!(pid(&mut second).await, there);
    assert_eq!(greeting(&greeted_again), greeting(&greeted));
    assert_eq!(value(&mut second, settings).await, as_new);
    for left in [
        "SELECT count(*) FROM pg_listening_channels()",
        "SELECT count(*) FROM pg_cursors WHERE name <> ''",
        "SELECT count(*) FROM pg_prepared_statements",
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
    ] {
        assert_eq!(value(&mut second, left).await, "0", "{left}");
    }
    // Nor does the proxy take anything for known.
    second
        .send(
            Frames::new()
                .bind("", "of the protocol", &[])
                .execute("", 0)
                .sync(),
        )
        .await;
    let answer = second.ready().await;
    assert_eq!(answer.first().map(Message::code).as_deref(), Some("26000"));
}

#[tokio::test]
async fn a_reset_that_changes_what_was_greeted_with_is_told_to_the_next() {
    let proxy = pooled(POOL).await;
    let first = proxy.alice.raw().await;
    // From now on, sessions begin otherwise, and those that are there return to another default.
    let alter = format!("ALTER DATABASE {} SET work_mem = '5MB'", proxy.database.name);
    proxy.database.run(&alter).await;
    part(&proxy, first).await;
    let mut second = proxy.alice.raw().await;
    // As a session that has been there all along: the documented limit of keeping connections.
    assert_eq!(value(&mut second, "SHOW work_mem").await, "4MB");
    second
        .send(Frames::new().query("SET TimeZone = 'Asia/Tokyo'"))
        .await;
    second.ready().await;
    part(&proxy, second).await;
    let (mut third, greeted) = proxy.alice.raw_with(&[]).await;
    let told: Vec<String> = greeted
        .iter()
        .map(Message::text)
        .filter(|text| text.contains("TimeZone"))
        .collect();
    let now = value(&mut third, "SHOW TimeZone").await;
    assert!(told.len() == 1 && told[0].contains(&now), "{told:?}: {now}");
}

#[tokio::test]
async fn what_a_reset_does_not_take_back_is_not_passed_on() {
    let proxy = pooled(POOL).await;
    let (before, after) = before_and_after(&proxy, &proxy.alice, "SELECT 1").await;
    assert_eq!(before, after, "else nothing below means anything");
    for work in [
        "SET app.tenant = '7'",
        "SELECT set_config('app.tenant', '7', false)",
        "SELECT setseed(0.5)",
        "CREATE TEMP TABLE mine (id int)",
        "DO $$ BEGIN PERFORM 1; END $$",
        "PREPARE it AS SELECT 1; EXECUTE it",
        "LOAD 'plpgsql'",
        // Not outside of a transaction.
        "BEGIN",
        "BEGIN; SELECT 1/0",
    ] {
        let (before, after) = before_and_after(&proxy, &proxy.alice, work).await;
        assert_ne!(before, after, "{work}");
    }
}

#[tokio::test]
async fn one_who_goes_in_the_middle_leaves_nothing_to_others() {
    let proxy = pooled(POOL).await;
    let frames = [
        // Its answer is not read.
        Frames::new().query("SELECT pg_sleep(0.2)"),
        Frames::new().query("SELECT repeat('x', 1000) FROM generate_series(1, 100000)"),
        // A segment that has begun and has no end.
        Frames::new()
            .parse("", "SELECT 1")
            .bind("", "", &[])
            .execute("", 0)
            .flush(),
        Frames::new().bytes(b"Q\0\0\0"),
    ];
    for (number, frames) in frames.into_iter().enumerate() {
        let mut first = proxy.alice.raw().await;
        let before = pid(&mut first).await;
        first.send(frames).await;
        if number == 2 {
            first.up_to(b'C').await;
        }
        first.leave().await;
        let mut second = proxy.alice.raw().await;
        let mut answers = vec![pid(&mut second).await];
        answers.push(value(&mut second, "SELECT 'whole'").await);
        assert_eq!(answers[1], "whole", "{number}: {before}");
    }
}

#[tokio::test]
async fn a_connection_that_has_died_is_not_given_to_anybody() {
    let proxy = pooled(POOL).await;
    let mut first = proxy.alice.raw().await;
    let there = pid(&mut first).await;
    part(&proxy, first).await;
    let killed = format!("SELECT pg_terminate_backend({there}, 5000)");
    assert_eq!(proxy.database.value(&killed).await, "t");
    let mut second = proxy.alice.raw().await;
    assert_ne!(pid(&mut second).await, there);
}

#[tokio::test]
async fn a_key_of_a_session_that_is_over_cancels_nothing() {
    let proxy = pooled(POOL).await;
    let mut first = proxy.alice.raw().await;
    let there = pid(&mut first).await;
    let old = first.key.clone();
    part(&proxy, first).await;
    let mut second = proxy.alice.raw().await;
    assert_eq!(pid(&mut second).await, there);
    second
        .send(Frames::new().query("SELECT 'not cancelled' FROM pg_sleep(0.3)"))
        .await;
    proxy.alice.cancel(&old).await;
    let answer = second.ready().await;
    assert!(
        answer.iter().any(|message| message.tag == b'D'),
        "{}",
        describe(&answer)
    );
    // Its own does.
    second.send(Frames::new().query("SELECT pg_sleep(600)")).await;
    proxy
        .database
        .sees_waiting("SELECT pg_sleep(600)", "PgSleep")
        .await;
    proxy.alice.cancel(&second.key.clone()).await;
    let answer = second.ready().await;
    let error = answer.iter().find(|message| message.tag == b'E');
    assert_eq!(error.map(Message::code).as_deref(), Some("57014"));
}

#[tokio::test]
async fn there_are_no_more_than_may_be_and_who_waits_gets_one() {
    let lines = "pool = { max_idle = 1, max_connections = 1, wait_timeout = \"20s\" }";
    let proxy = pooled(lines).await;
    let mut first = proxy.alice.raw().await;
    let there = pid(&mut first).await;
    let second = proxy.alice.raw_with(&[]);
    let mut second = std::pin::pin!(second);
    // It waits as long as the first is there.
    let early = tokio::time::timeout(Duration::from_millis(300), &mut second).await;
    assert!(early.is_err());
    first.send(Frames::new().terminate()).await;
    let (mut second, _) = in_time("its turn", second).await;
    assert_eq!(pid(&mut second).await, there);
    // One that nobody uses makes room for somebody else.
    part(&proxy, second).await;
    let mut other = proxy.bob.raw().await;
    assert_ne!(pid(&mut other).await, there);
}

#[tokio::test]
async fn who_waits_in_vain_is_told() {
    let lines = "pool = { max_idle = 1, max_connections = 1, wait_timeout = \"100ms\" }";
    let proxy = pooled(lines).await;
    let _first = proxy.alice.raw().await;
    let (_, answer) = proxy.bob.raw_with(&[]).await;
    let error = answer.last().unwrap();
    assert_eq!(
        (error.code().as_str(), error.field(b'S').as_deref()),
        ("53300", Some("FATAL"))
    );
}

#[tokio::test]
async fn they_end_when_they_are_old_or_not_used_and_some_are_kept_ready() {
    let proxy = pooled("pool = { max_idle = 5, idle_timeout = \"1s\" }").await;
    part(&proxy, proxy.alice.raw().await).await;
    eventually("it is closed", async || (idle(&proxy).await == "0").then_some(())).await;

    let proxy =
        pooled("pool = { max_idle = 5, min_idle = 2, idle_timeout = \"1s\", max_lifetime = \"2s\" }").await;
    let mut first = proxy.alice.raw().await;
    let there = pid(&mut first).await;
    first.send(Frames::new().terminate()).await;
    let others = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename LIKE 'app%'
         AND application_name NOT LIKE 'holdpoint%' AND pid <> {there}"
    );
    eventually("two others are ready", async || {
        (proxy.database.value(&others).await == "2").then_some(())
    })
    .await;
    assert_ne!(pid(&mut proxy.alice.raw().await).await, there);
}

#[tokio::test]
async fn a_stop_closes_them() {
    let mut proxy = pooled(POOL).await;
    part(&proxy, proxy.alice.raw().await).await;
    proxy.terminate();
    assert!(proxy.stopped().await.success());
    eventually("they are closed", async || {
        (idle(&proxy).await == "0").then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_is_held_and_approved_runs_on_one_as_on_any_other() {
    let proxy = Proxy::with().databases(POOL).start().await;
    let mut first = proxy.alice.raw().await;
    let there = pid(&mut first).await;
    part(&proxy, first).await;
    let mut second = proxy.alice.raw().await;
    assert_eq!(pid(&mut second).await, there);
    let before = proxy.database.items().await;
    second
        .send(Frames::new().query("INSERT INTO items VALUES (900, 'pooled', 1, now())"))
        .await;
    proxy.bob.approves_next().await;
    let answer = second.ready().await;
    assert!(
        answer.iter().any(|message| message.tag == b'C'),
        "{}",
        describe(&answer)
    );
    assert_eq!(proxy.database.items().await, before + 1);
    // The read shield was moved on it, and the next hears nothing of that.
    part(&proxy, second).await;
    let (mut third, greeted) = proxy.alice.raw_with(&[]).await;
    assert_eq!(pid(&mut third).await, there);
    let (_, fresh) = proxy.alice.raw_with(&[]).await;
    assert_eq!(greeting(&greeted), greeting(&fresh));
}

#[tokio::test]
async fn who_the_server_refuses_is_nobody_to_keep_connections_ready_for() {
    let proxy = pooled("pool = { max_idle = 5, min_idle = 2 }").await;
    let first = proxy.alice.raw().await;
    let (_, refused) = proxy.alice.raw_with(&[("TimeZone", "Nowhere/AtAll")]).await;
    assert_eq!(refused.last().map(Message::code).as_deref(), Some("22023"));
    let ready =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename LIKE 'app%'
                 AND application_name NOT LIKE 'holdpoint%'
                 AND (query = '' OR query LIKE '%current_schemas%')";
    eventually("two are ready", async || {
        (proxy.database.value(ready).await == "3").then_some(())
    })
    .await;
    drop(first);
}

/// So does what was kept ready before the default has changed, and has served nobody yet.
#[tokio::test]
async fn one_that_was_kept_ready_is_judged_by_the_search_path_that_it_began_with() {
    let reserve = "pool = { max_idle = 5, min_idle = 1 }\nread_shield = false";
    let proxy = Proxy::with().databases(reserve).start().await;
    two_of_the_same_name(&proxy).await;
    // While somebody uses one, another is kept ready.
    let first = proxy.alice.raw().await;
    let ready = "SELECT string_agg(pid::text, ',') FROM pg_stat_activity WHERE datname = current_database()
                 AND usename LIKE 'app%' AND application_name NOT LIKE 'holdpoint%' AND state = 'idle'
                 AND query LIKE '%current_schemas%'";
    let reserve = eventually("one is ready", async || {
        let pids = proxy.database.value(ready).await;
        (pids != "NULL").then_some(pids)
    })
    .await;
    begin_in_good(&proxy).await;
    let mut second = proxy.alice.raw().await;
    assert_eq!(pid(&mut second).await, reserve);
    // By now, the default path that the catalogue knows is the other.
    let (mut new, _) = proxy.alice.raw_with(&[("application_name", "new")]).await;
    new.send(Frames::new().query("CREATE TABLE good.another (id int)"))
        .await;
    proxy.bob.approves_next().await;
    new.ready().await;
    second.send(Frames::new().query("SELECT same()")).await;
    proxy.bob.rejects_next("it acts").await;
    second.ready().await;
    assert_eq!(proxy.database.items().await, 10);
    drop(first);
}

/// `good.same` reads, and `public.same` acts.
async fn two_of_the_same_name(proxy: &Proxy) {
    proxy
        .database
        .run(
            "CREATE SCHEMA good AUTHORIZATION app;
            CREATE FUNCTION good.same() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
            CREATE FUNCTION public.same() RETURNS int LANGUAGE sql VOLATILE
                AS 'DELETE FROM public.items WHERE id = 1; SELECT 1'",
        )
        .await;
}

/// Sessions begin in the schema `good` from now on.
async fn begin_in_good(proxy: &Proxy) {
    let name = &proxy.database.name;
    let alter = format!("ALTER ROLE app IN DATABASE {name} SET search_path = good");
    proxy.database.run(&alter).await;
}

/// A reset returns to the search path that the connection began with, whatever sessions begin with by now.
#[tokio::test]
async fn the_next_session_is_judged_by_the_search_path_of_its_connection() {
    let proxy = Proxy::with().databases(POOL).start().await;
    two_of_the_same_name(&proxy).await;
    let mut first = proxy.alice.raw().await;
    let there = pid(&mut first).await;
    first.send(Frames::new().query("SELECT same()")).await;
    proxy.bob.rejects_next("it acts").await;
    first.ready().await;
    part(&proxy, first).await;
    begin_in_good(&proxy).await;
    let (mut other, _) = proxy.alice.raw_with(&[("application_name", "other")]).await;
    other
        .send(Frames::new().query("CREATE TABLE good.another (id int)"))
        .await;
    proxy.bob.approves_next().await;
    other.ready().await;
    // By now it is known, and holds for who begins now.
    other.send(Frames::new().query("SELECT 1")).await;
    other.ready().await;
    let (mut new, _) = proxy.alice.raw_with(&[("application_name", "new")]).await;
    assert_eq!(value(&mut new, "SELECT same()").await, "1");
    let mut second = proxy.alice.raw().await;
    assert_eq!(pid(&mut second).await, there);
    second.send(Frames::new().query("SELECT same()")).await;
    proxy.bob.rejects_next("it acts").await;
    second.ready().await;
    assert_eq!(proxy.database.items().await, 10);
}
