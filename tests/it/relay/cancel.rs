//! Cancel requests for what runs.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::join;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;

use crate::support::Proxy;
use crate::support::driver::refusal;
use crate::support::middle::far;
use crate::support::raw::{Frames, Raw, describe, tags};

#[tokio::test]
async fn ctrl_c_cancels_what_runs() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.psql().await;
    alice.types("SELECT pg_sleep(60);");
    proxy.database.sees_waiting("SELECT pg_sleep%", "PgSleep").await;
    alice.interrupt();
    let shown = alice.prompt().await;
    assert!(
        shown.ends_with("ERROR:  canceling statement due to user request\n"),
        "{shown}"
    );
    assert_eq!(alice.runs("SELECT 1;").await, "1\n");
}

#[tokio::test]
async fn a_drivers_cancel_request_cancels_what_runs() {
    let proxy = Proxy::start().await;
    let alice = proxy.alice.driver().await;
    let sleep = alice.prepare("SELECT pg_sleep($1)").await.unwrap();
    let cancel = alice.cancel_token();
    let meanwhile = async {
        proxy.database.sees_waiting("SELECT pg_sleep%", "PgSleep").await;
        cancel.cancel_query(NoTls).await.unwrap();
    };
    let (done, ()) = join(alice.query(&sleep, &[&60.0]), meanwhile).await;
    refusal(done, &SqlState::QUERY_CANCELED);
    assert_eq!(alice.value("SELECT 1").await.unwrap(), "1");
}

#[tokio::test]
async fn a_cancel_request_never_hits_the_next_statement() {
    let proxy = Proxy::start().await;
    let alice = proxy.alice.driver().await;
    let cancel = alice.cancel_token();
    for round in 0..50 {
        let short = format!("SELECT pg_sleep({})", f64::from(round) * 0.0002);
        let (done, cancelled) = join(alice.batch_execute(&short), cancel.cancel_query(NoTls)).await;
        cancelled.unwrap();
        if done.is_err() {
            refusal(done, &SqlState::QUERY_CANCELED);
        }
        assert_eq!(alice.value("SELECT 1").await.unwrap(), "1", "in round {round}");
    }
}

#[tokio::test]
async fn a_cancel_request_while_nothing_runs_does_nothing() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.psql().await;
    let backend = alice.runs("SELECT pg_backend_pid();").await;
    let raw = proxy.alice.raw().await;
    proxy.alice.cancel(&raw.key).await;
    proxy.alice.cancel(&[0; 8]).await;
    proxy.alice.cancel(&[0; 256]).await;
    assert_eq!(alice.runs("SELECT pg_backend_pid();").await, backend);
}

/// Of several at a time one goes to the server, and the others do not end the wait for it.
#[tokio::test]
async fn nothing_begins_while_one_of_several_cancel_requests_is_on_its_way() {
    let (proxy, database, mut middle, mut alice) = far().await;
    let lock = database.hide_items().await;
    alice
        .send(Frames::new().query("SELECT 1 FROM items LIMIT 1"))
        .await;
    database.sees_waiting("SELECT 1 FROM items%", "relation").await;
    middle.lets_connect(0);
    let key = alice.key.clone();
    let first = proxy.alice.cancel(&key);
    let meanwhile = async {
        middle.is_asked_for_more().await;
        proxy.alice.cancel(&key).await;
        drop(lock);
        let answer = alice.ready().await;
        assert_eq!(tags(&answer), "TDCZ", "it was not hit: {}", describe(&answer));
        let next = "SELECT 'next' FROM pg_sleep(0.2)";
        alice.send(Frames::new().query(next)).await;
        let early = tokio::time::timeout(Duration::from_millis(300), middle.hears(next.as_bytes())).await;
        assert!(early.is_err(), "the request would hit it");
        middle.lets_connect(0);
        let answer = alice.ready().await;
        assert_eq!(tags(&answer), "TDCZ", "it is another: {}", describe(&answer));
    };
    join(first, meanwhile).await;
}

/// While a statement waits for the server's catalogue, Ctrl-C is for it.
#[tokio::test]
async fn a_cancel_request_while_a_statement_is_judged_is_for_that() {
    let (proxy, _database, mut middle, mut alice) = far().await;
    alice
        .send(Frames::new().query("CREATE TABLE another (id int)"))
        .await;
    middle.lets_connect(0);
    proxy.bob.approves_next().await;
    assert!(tags(&alice.ready().await).ends_with("CZ"));
    for frames in [
        Frames::new().query("SELECT * FROM items"),
        Frames::new().statement("SELECT * FROM items").sync(),
    ] {
        alice.send(frames).await;
        middle.is_asked_for_more().await;
        proxy.alice.cancel(&alice.key).await;
        let answer = alice.ready().await;
        assert_eq!(tags(&answer), "EZ", "{}", describe(&answer));
        assert_eq!(answer[0].code(), "57014", "{}", describe(&answer));
    }
    middle.lets_connect(10);
    let answer = alice
        .exchange(Frames::new().query("SELECT count(*) FROM items"))
        .await;
    assert_eq!(tags(&answer), "TDCZ", "{}", describe(&answer));
}

/// Somebody who pipelines waits for the first answer first.
#[tokio::test]
async fn a_cancel_request_is_meant_for_what_runs_and_not_for_what_waits_behind_it() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    let sleep = Frames::new().statement("SELECT pg_sleep(60)").sync();
    let delete = "DELETE FROM items WHERE id = 3";
    alice.send(sleep.statement(delete).sync()).await;
    proxy.database.sees_waiting("SELECT pg_sleep%", "PgSleep").await;
    proxy.alice.cancel(&alice.key).await;
    let answer = alice.ready().await;
    assert_eq!(tags(&answer), "12EZ", "{}", describe(&answer));
    assert_eq!(answer[2].code(), "57014");
    proxy.bob.approves_next().await;
    assert_eq!(tags(&alice.ready().await), "12CZ");
    assert_eq!(proxy.database.items().await, 9);
}

/// Cancel requests at any moment, in several sessions at a time: only a statement that was on its way when the
/// request was sent, in the same session, may be hit.
#[tokio::test]
async fn cancel_requests_under_load_hit_nothing_but_their_target() {
    const SESSIONS: usize = 6;
    const ROUNDS: u32 = 40;
    let proxy = Proxy::start().await;
    let bystander = proxy.alice.driver().await;
    let quiet = async {
        for _ in 0..SESSIONS * 60 {
            assert_eq!(
                bystander.value("SELECT 1 FROM pg_sleep(0.002)").await.unwrap(),
                "1"
            );
        }
    };
    let session = async |number: u32| {
        let alice = proxy.alice.driver().await;
        let statement = alice.prepare("SELECT 1 FROM pg_sleep($1)").await.unwrap();
        let mut hit = 0;
        for round in 0..ROUNDS {
            // Before it, in its midst, at its end, and behind it.
            let seconds = f64::from((round * 7 + number) % 10) * 0.001;
            let patience = Duration::from_micros(u64::from((round * 13 + number * 5) % 40) * 250);
            let cancel = alice.cancel_token();
            let cancelling = async {
                tokio::time::sleep(patience).await;
                let stream = TcpStream::connect(proxy.address()).await.unwrap();
                cancel.cancel_query_raw(Patient(stream), NoTls).await.unwrap();
            };
            let (done, ()) = join(alice.query(&statement, &[&seconds]), cancelling).await;
            if done.is_err() {
                refusal(done, &SqlState::QUERY_CANCELED);
                hit += 1;
            }
            // The request has been carried out: what comes now is another statement.
            for _ in 0..3 {
                assert_eq!(
                    alice.value("SELECT 1").await.unwrap(),
                    "1",
                    "in session {number}, round {round}"
                );
            }
        }
        hit
    };
    let sessions = futures_util::future::join_all((0..SESSIONS).map(|n| session(u32::try_from(n).unwrap())));
    let (hits, ()) = join(sessions, quiet).await;
    assert!(hits.iter().sum::<u32>() > 0, "some were in time: {hits:?}");
}

#[tokio::test]
async fn only_the_whole_key_cancels() {
    let proxy = Proxy::start().await;
    for (version, secret) in [(0x0003_0000, 4), (0x0003_0002, 32)] {
        let mut raw = Raw::connect(proxy.address()).await;
        raw.start_up_with(version, &[]).await;
        raw.authenticate(&proxy.alice.password()).await;
        let key = raw.key.clone();
        assert_eq!(key.len(), 4 + secret);
        raw.send(Frames::new().query("SELECT pg_sleep(60)")).await;
        proxy.database.sees_waiting("SELECT pg_sleep%", "PgSleep").await;
        let mut longer = key.clone();
        longer.push(0);
        let mut other = key.clone();
        *other.last_mut().unwrap() ^= 1;
        for wrong in [
            &key[..8 - 1],
            &key[..key.len() - 1],
            &key[..4],
            &longer,
            &other,
            &[],
        ] {
            proxy.alice.cancel(wrong).await;
        }
        // Nothing was cancelled.
        proxy.database.sees_waiting("SELECT pg_sleep%", "PgSleep").await;
        proxy.alice.cancel(&key).await;
        let answer = raw.ready().await;
        let error = answer.iter().find(|message| message.tag == b'E').unwrap();
        assert_eq!(error.code(), "57014");
    }
}

/// A connection whose shutdown waits for the other side's: a cancel request was carried out then. The driver by
/// itself only sends it.
struct Patient(TcpStream);

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut nothing = [0; 16];
        let mut into = ReadBuf::new(&mut nothing);
        // Nothing is ever said but the end.
        Pin::new(&mut self.0).poll_read(cx, &mut into)
    }
}
