//! FunctionCall, the fast path: what libpq's interface to large objects consists of.

use super::EVERYTHING_PASSES;
use crate::support::raw::{Frames, Message, Raw, describe, tags};
use crate::support::{Proxy, Role};

const LO_IMPORT: u32 = 764;
const LO_CREATE: u32 = 715;
const LO_OPEN: u32 = 952;
const LO_CLOSE: u32 = 953;
const LOREAD: u32 = 954;
const LOWRITE: u32 = 955;
const LO_UNLINK: u32 = 964;
const INT4PL: u32 = 177;

/// A large object that no other test of the same database makes.
const OBJECT: u32 = 4711;

/// Mode of `lo_open` (`INV_READ | INV_WRITE` in `libpq-fs.h`).
const READ_WRITE: u32 = 0x60000;

/// Adds a call with binary arguments and result, as libpq sends it.
fn call(frames: Frames, function: u32, arguments: &[&[u8]]) -> Frames {
    let mut body = function.to_be_bytes().to_vec();
    body.extend([0, 1, 0, 1]);
    body.extend(u16::try_from(arguments.len()).unwrap().to_be_bytes());
    for argument in arguments {
        body.extend(u32::try_from(argument.len()).unwrap().to_be_bytes());
        body.extend(*argument);
    }
    body.extend([0, 1]);
    frames.frame(b'F', &body)
}

fn one(function: u32, arguments: &[&[u8]]) -> Frames {
    call(Frames::new(), function, arguments)
}

#[tokio::test]
async fn calls_that_pass_cannot_be_told_from_direct_ones() {
    let proxy = Proxy::with()
        .policy(EVERYTHING_PASSES)
        .role(Role::Trust)
        .start()
        .await;
    let object = OBJECT.to_be_bytes();
    let first = 0_u32.to_be_bytes();
    let five = 5_u32.to_be_bytes();
    let scripts = [
        ("made", 1, one(LO_CREATE, &[&object])),
        ("made again", 1, one(LO_CREATE, &[&object])),
        ("begin", 1, Frames::new().query("BEGIN")),
        ("opened", 1, one(LO_OPEN, &[&object, &READ_WRITE.to_be_bytes()])),
        ("written", 1, one(LOWRITE, &[&first, b"hello, world"])),
        ("large", 1, one(LOWRITE, &[&first, &vec![b'x'; 200_000]])),
        ("closed", 1, one(LO_CLOSE, &[&first])),
        (
            "opened again",
            1,
            one(LO_OPEN, &[&object, &READ_WRITE.to_be_bytes()]),
        ),
        ("read", 1, one(LOREAD, &[&first, &five])),
        ("read on", 1, one(LOREAD, &[&first, &300_000_u32.to_be_bytes()])),
        (
            "pipelined",
            3,
            call(
                call(one(LO_CLOSE, &[&first]), LO_CLOSE, &[&first]),
                LO_UNLINK,
                &[&object],
            ),
        ),
        ("in a failed transaction", 1, one(LO_UNLINK, &[&object])),
        ("rolled back", 1, Frames::new().query("ROLLBACK")),
        ("removed", 1, one(LO_UNLINK, &[&object])),
        ("another function", 1, one(INT4PL, &[&five, &five])),
        ("too few arguments", 1, one(INT4PL, &[&five])),
        ("no such function", 1, one(0, &[])),
        (
            "behind a statement without a Sync",
            2,
            call(Frames::new().statement("SELECT 1"), INT4PL, &[&five, &five])
                .statement("SELECT 2")
                .sync(),
        ),
        (
            "skipped behind an error",
            1,
            call(Frames::new().statement("SELECT 1/0"), INT4PL, &[&five, &five]).sync(),
        ),
    ];
    let mut direct = Raw::past(&proxy).await;
    let mut through = proxy.alice.raw().await;
    let mut played = Vec::new();
    for raw in [&mut direct, &mut through] {
        let mut answers = Vec::new();
        for (name, ready, frames) in &scripts {
            raw.send(frames).await;
            let answer = raw.answers(*ready).await;
            answers.push((
                *name,
                answer
                    .into_iter()
                    .map(Message::without_source)
                    .collect::<Vec<_>>(),
            ));
        }
        played.push(answers);
    }
    for ((name, expected), (_, answer)) in played[0].iter().zip(&played[1]) {
        assert_eq!(describe(answer), describe(expected), "{name}");
        assert_eq!(answer, expected, "{name}");
    }
    assert_eq!(tags(&played[0][8].1), "VZ", "it was read");
}

#[tokio::test]
async fn a_call_is_held_as_the_select_that_it_stands_for() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    let made = one(LO_CREATE, &[&OBJECT.to_be_bytes()]);
    alice.send(&made).await;
    let request = proxy.bob.approves_next().await;
    assert_eq!(request.statement(), "SELECT pg_catalog.lo_create($1)");
    assert_eq!(request.parameters(), [Some("4711")]);
    assert_eq!(request.text("effect"), "write");
    assert_eq!(tags(&alice.ready().await), "VZ");
    proxy.bob.sees(&request, "executed").await;

    // It fails on the server.
    alice.send(&made).await;
    let request = proxy.bob.approves_next().await;
    assert_eq!(tags(&alice.ready().await), "EZ");
    assert_eq!(
        proxy.bob.sees(&request, "failed").await.outcome()["sqlstate"],
        "23505"
    );

    alice.send(one(LO_UNLINK, &[&OBJECT.to_be_bytes()])).await;
    proxy.bob.rejects_next("no").await;
    assert_eq!(tags(&alice.ready().await), "EZ");
    let count = "SELECT count(*) FROM pg_largeobject_metadata";
    assert_eq!(proxy.database.value(count).await, "1");
}

#[tokio::test]
async fn a_call_that_nobody_could_review_is_refused() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    let two = 2_u32.to_be_bytes();
    for (refused, code) in [
        (one(INT4PL, &[&two, &two]), "42501"),
        (one(0, &[]), "42501"),
        (one(LO_IMPORT, &[b"/etc/passwd"]), "42501"),
        (Frames::new().frame(b'F', b"\0\0\x03"), "08P01"),
    ] {
        alice.send(&refused).await;
        let answer = alice.ready().await;
        assert_eq!(tags(&answer), "EZ", "{}", describe(&answer));
        assert_eq!(answer[0].code(), code);
    }
    assert!(proxy.bob.requests("?state=pending").await.is_empty());
    alice.send(Frames::new().query("SELECT 1")).await;
    assert_eq!(tags(&alice.ready().await), "TDCZ");
}
