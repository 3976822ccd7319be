//! What comes between the data of a COPY, directly and through holdpoint.

use super::EVERYTHING_PASSES;
use crate::support::raw::{Frames, Message, Raw, describe};
use crate::support::{Proxy, Role, eventually};

/// What is sent, and up to what its answers are read.
struct Step(Frames, Until);

enum Until {
    /// So many messages of this type.
    Seen(u8, usize),
    Closed,
}

const COPY: &str = "COPY t FROM STDIN";

fn ready(times: usize) -> Until {
    Until::Seen(b'Z', times)
}

fn begun(frames: Frames) -> Step {
    Step(frames, Until::Seen(b'G', 1))
}

fn data(frames: Frames, row: &str) -> Frames {
    frames.frame(b'd', format!("{row}\n").as_bytes())
}

fn done(frames: Frames) -> Frames {
    frames.frame(b'c', b"")
}

/// What is sent step by step, and what it is.
type Conversation = (&'static str, Vec<Step>);

fn simple() -> Step {
    begun(Frames::new().query(COPY))
}

fn extended() -> Step {
    begun(Frames::new().statement(COPY).sync())
}

fn bad(frames: Frames) -> Frames {
    data(frames, "no number")
}

fn amid_good_data() -> Vec<Conversation> {
    let e = Frames::new;
    vec![
        (
            "syncs and flushes between good data",
            vec![
                simple(),
                Step(
                    done(data(data(e(), "1").sync().flush().sync(), "2").sync()),
                    ready(1),
                ),
            ],
        ),
        (
            "the same, extended, and each by itself",
            vec![
                extended(),
                Step(data(e(), "1").sync(), Until::Seen(0, 0)),
                Step(e().flush().sync(), Until::Seen(0, 0)),
                Step(data(e(), "2").sync(), Until::Seen(0, 0)),
                Step(done(e()).sync(), ready(1)),
            ],
        ),
    ]
}

fn behind_bad_data() -> Vec<Conversation> {
    let e = Frames::new;
    vec![
        (
            "a sync behind bad data",
            vec![
                extended(),
                Step(bad(e()).sync(), ready(1)),
                Step(e().query("SELECT 1"), ready(1)),
            ],
        ),
        (
            "a sync behind the bad data of a simple query",
            vec![
                simple(),
                Step(bad(e()).sync(), ready(2)),
                Step(e().query("SELECT 1"), ready(1)),
            ],
        ),
        (
            "messages behind bad data",
            vec![
                extended(),
                Step(
                    bad(e())
                        .sync()
                        .parse("x", "SELECT 2")
                        .sync()
                        .statement("SELECT 3")
                        .sync(),
                    ready(3),
                ),
            ],
        ),
        (
            "messages behind the bad data of a simple query, without a sync",
            vec![
                simple(),
                Step(bad(e()).query("SELECT 2").statement("SELECT 3").sync(), ready(3)),
            ],
        ),
        (
            "messages behind bad data that are skipped",
            vec![
                extended(),
                Step(
                    bad(e()).statement("SELECT 2").sync().statement("SELECT 3").sync(),
                    ready(2),
                ),
            ],
        ),
        (
            "much more behind bad data",
            vec![
                extended(),
                Step(done(data(bad(e()), &"9\n".repeat(1 << 20))).sync(), ready(1)),
                Step(e().query("SELECT 1"), ready(1)),
            ],
        ),
        (
            "a violated constraint that is found at the end",
            vec![
                extended(),
                Step(done(data(data(e(), "1").sync(), "1")).sync(), ready(1)),
            ],
        ),
        (
            "given up behind a sync",
            vec![
                simple(),
                Step(data(e(), "1").sync().frame(b'f', b"changed my mind\0"), ready(1)),
            ],
        ),
    ]
}

fn ahead_and_out_of_place() -> Vec<Conversation> {
    let e = Frames::new;
    vec![
        (
            "all of it at once",
            vec![Step(done(data(data(e().query(COPY), "1").sync(), "2")), ready(1))],
        ),
        (
            "all of it at once, extended",
            vec![Step(
                done(data(data(e().statement(COPY).sync(), "1").sync(), "2")).sync(),
                ready(1),
            )],
        ),
        (
            "two in one text",
            vec![Step(
                done(
                    data(
                        done(data(e().query("COPY t FROM STDIN; COPY t FROM STDIN"), "1")),
                        "2",
                    )
                    .sync(),
                ),
                ready(1),
            )],
        ),
        (
            "data for nobody",
            vec![
                Step(data(e().statement("SELECT 1"), "1").sync(), ready(1)),
                Step(data(e().query("SELECT 1"), "1").sync(), ready(2)),
                Step(
                    done(data(done(data(e().query("SELECT 1"), "1")), "2"))
                        .statement("SELECT 2")
                        .sync(),
                    ready(2),
                ),
            ],
        ),
        (
            "a query between good data",
            vec![simple(), Step(data(e(), "1").query("SELECT 1"), Until::Closed)],
        ),
        (
            "a statement between good data, behind a sync",
            vec![
                extended(),
                Step(data(e(), "1").sync().statement("SELECT 1").sync(), Until::Closed),
            ],
        ),
        (
            "a statement sent ahead",
            vec![Step(
                e().statement(COPY).statement("SELECT 1").sync(),
                Until::Closed,
            )],
        ),
    ]
}

#[tokio::test]
async fn what_comes_between_copy_data_is_taken_as_postgresql_takes_it() {
    let proxy = Proxy::with()
        .policy(EVERYTHING_PASSES)
        .role(Role::Trust)
        .start()
        .await;
    let conversations = [amid_good_data(), behind_bad_data(), ahead_and_out_of_place()];
    for (what, steps) in conversations.into_iter().flatten() {
        let mut direct = Raw::past(&proxy).await;
        let mut through = proxy.alice.raw().await;
        for raw in [&mut direct, &mut through] {
            raw.send(Frames::new().query("CREATE TEMP TABLE t (id int PRIMARY KEY)"))
                .await;
            raw.ready().await;
        }
        let mut closed = false;
        for step in steps {
            let expected = play(&mut direct, &step).await;
            let answer = play(&mut through, &step).await;
            assert_eq!(describe(&answer), describe(&expected), "{what}");
            closed = matches!(step.1, Until::Closed);
        }
        if closed {
            continue;
        }
        let rows = Step(
            Frames::new().query("SELECT id + 0 AS id FROM t ORDER BY id"),
            ready(1),
        );
        let expected = play(&mut direct, &rows).await;
        assert_eq!(
            describe(&play(&mut through, &rows).await),
            describe(&expected),
            "{what}"
        );
    }
}

async fn play(raw: &mut Raw, step: &Step) -> Vec<Message> {
    raw.send(&step.0).await;
    let mut seen = Vec::new();
    match step.1 {
        Until::Closed => seen = raw.rest().await,
        Until::Seen(tag, times) => {
            for _ in 0..times {
                seen.extend(raw.up_to(tag).await);
            }
        }
    }
    seen.into_iter().map(without_context).collect()
}

/// An error that holdpoint has to give itself does not know the line.
fn without_context(message: Message) -> Message {
    let mut message = message.without_source();
    if message.tag == b'E' {
        let fields = message.body.split(|&byte| byte == 0);
        let kept = fields.filter(|field| field.first() != Some(&b'W'));
        message.body = kept.collect::<Vec<_>>().join(&0);
    }
    message
}

#[tokio::test]
async fn a_client_that_vanishes_amid_its_data_leaves_nothing_behind() {
    let proxy = Proxy::with().policy(EVERYTHING_PASSES).start().await;
    for begin in [
        Frames::new().query("COPY items (id, name) FROM STDIN"),
        Frames::new().statement("COPY items (id, name) FROM STDIN").sync(),
    ] {
        let mut alice = proxy.alice.raw().await;
        alice.send(&begin).await;
        alice.up_to(b'G').await;
        alice.send(data(Frames::new(), "11\tnever")).await;
        drop(alice);
        eventually("the COPY is gone from the server", async || {
            let copies = "SELECT count(*) FROM pg_stat_activity
                          WHERE usename = 'app' AND datname = current_database()";
            (proxy.database.value(copies).await == "0").then_some(())
        })
        .await;
    }
    assert_eq!(proxy.database.items().await, 10);
}
