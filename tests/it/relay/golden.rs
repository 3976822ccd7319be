//! The same messages to PostgreSQL directly and through holdpoint: the answers must be the same bytes.

use super::EVERYTHING_PASSES;
use crate::support::raw::{Frames, Message, Raw, describe};
use crate::support::{Proxy, Role};

/// What a client sends, and how many times the server then says that it is ready.
struct Script {
    name: &'static str,
    frames: Frames,
    ready: usize,
}

fn script(name: &'static str, ready: usize, frames: Frames) -> Script {
    Script { name, frames, ready }
}

#[tokio::test]
async fn sessions_cannot_be_told_apart() {
    let proxy = Proxy::with()
        .policy(EVERYTHING_PASSES)
        .role(Role::Trust)
        .start()
        .await;
    for scripts in [
        simple(),
        extended(),
        pipelines(),
        transactions(),
        copies(),
        names(),
    ] {
        let mut direct = Raw::past(&proxy).await;
        let mut through = proxy.alice.raw().await;
        for script in scripts {
            let expected = play(&mut direct, &script).await;
            let answer = play(&mut through, &script).await;
            assert_eq!(describe(&answer), describe(&expected), "{}", script.name);
            assert_eq!(answer, expected, "{}", script.name);
        }
    }
}

#[tokio::test]
async fn greetings_cannot_be_told_apart() {
    let proxy = Proxy::with().role(Role::Trust).start().await;
    let parameters = [
        ("database", proxy.database.name.as_str()),
        ("user", "app_trust"),
        ("application_name", "gølden"),
        ("DateStyle", "German"),
        ("options", "-c statement_timeout=5s --work-mem=8MB"),
        ("client_encoding", "UTF8"),
        ("extra_float_digits", "2"),
    ];
    let mut direct = Raw::connect(([127, 0, 0, 1], crate::support::cluster::cluster().port).into()).await;
    direct.start_up(&parameters).await;
    let expected = direct.authenticate("").await;
    let (mut through, greeting) = proxy.alice.raw_with(&parameters[2..]).await;

    let without_key = |greeting: Vec<Message>| -> Vec<Message> {
        greeting
            .into_iter()
            .filter(|message| message.tag != b'K')
            .collect()
    };
    assert_eq!(describe(&without_key(greeting)), describe(&without_key(expected)));
    assert_eq!((through.key.len(), direct.key.len()), (8, 8));
    let shown = Frames::new().query("SHOW statement_timeout; SHOW work_mem");
    through.send(&shown).await;
    let answer = through.ready().await;
    let values: Vec<_> = answer
        .iter()
        .filter(|m| m.tag == b'D')
        .flat_map(Message::values)
        .collect();
    assert_eq!(values, ["5s", "8MB"]);
}

async fn play(raw: &mut Raw, script: &Script) -> Vec<Message> {
    raw.send(&script.frames).await;
    let mut messages = Vec::new();
    for _ in 0..script.ready {
        messages.extend(raw.ready().await.into_iter().map(Message::without_source));
    }
    messages
}

fn simple() -> Vec<Script> {
    let query = |sql: &str| Frames::new().query(sql);
    vec![
        script(
            "a row",
            1,
            query("SELECT 1 AS one, 'zwölf' AS text, NULL AS nothing"),
        ),
        script("nothing", 1, query("")),
        script("only a comment", 1, query("-- nothing\n;;")),
        script(
            "several statements",
            1,
            query("SELECT 1; SELECT 2, 3; ;SELECT 'x'"),
        ),
        script("a syntax error", 1, query("SELEC 1")),
        script("a syntax error behind a statement", 1, query("SELECT 1; SELEC 2")),
        script(
            "an error between statements",
            1,
            query("SELECT 1; SELECT 1/0; SELECT 3"),
        ),
        script("no such table", 1, query("SELECT * FROM nowhere")),
        script(
            "several queries at once",
            3,
            query("SELECT 1").query("SELECT 1/0").query("SELECT 3"),
        ),
        script(
            "a notice",
            1,
            query("DO $$ BEGIN RAISE NOTICE 'hello' USING HINT = 'none'; END $$"),
        ),
        script(
            "a setting that is reported",
            1,
            query("SET application_name = 'other'; SET TimeZone = 'UTC'"),
        ),
        script("a setting that fails", 1, query("SET TimeZone = 'Nowhere/None'")),
        script(
            "many columns and rows",
            1,
            query("SELECT g, g * 2, repeat('x', g) FROM generate_series(1, 500) g"),
        ),
        script(
            "a write",
            1,
            query("CREATE TEMP TABLE t (id int); INSERT INTO t VALUES (1), (2); UPDATE t SET id = 3"),
        ),
        script("a sync by itself", 1, Frames::new().sync()),
    ]
}

fn extended() -> Vec<Script> {
    let e = Frames::new;
    vec![
        script("one statement", 1, e().statement("SELECT 1").sync()),
        script(
            "described",
            1,
            e().parse("", "SELECT $1::int + 1 AS next")
                .describe_statement("")
                .bind("", "", &["41"])
                .describe_portal("")
                .execute("", 0)
                .sync(),
        ),
        script(
            "no rows described",
            1,
            e().parse("", "CREATE TEMP TABLE u (id int)")
                .describe_statement("")
                .bind("", "", &[])
                .describe_portal("")
                .execute("", 0)
                .sync(),
        ),
        script("nothing", 1, e().statement("").sync()),
        script("a syntax error", 1, e().statement("SELEC 1").sync()),
        script(
            "an error in a value",
            1,
            e().parse("", "SELECT $1::int")
                .bind("", "", &["x"])
                .execute("", 0)
                .sync(),
        ),
        script("an error while it runs", 1, e().statement("SELECT 1/0").sync()),
        script(
            "several statements in one Parse",
            1,
            e().statement("SELECT 1; SELECT 2").sync(),
        ),
        script(
            "too few values",
            1,
            e().parse("", "SELECT $1::int")
                .bind("", "", &[])
                .execute("", 0)
                .sync(),
        ),
        script(
            "no such statement",
            1,
            e().bind("", "nowhere", &[]).execute("", 0).sync(),
        ),
        script("no such portal", 1, e().execute("nowhere", 0).sync()),
        script(
            "no such statement to describe",
            1,
            e().describe_statement("nowhere").sync(),
        ),
        script(
            "closing what is not there",
            1,
            e().close_statement("nowhere").sync(),
        ),
        script(
            "flushed first",
            1,
            e().statement("SELECT 1").flush().statement("SELECT 2").sync(),
        ),
        script(
            "executed twice",
            1,
            e().statement("SELECT 1").execute("", 0).sync(),
        ),
    ]
}

fn pipelines() -> Vec<Script> {
    let e = Frames::new;
    vec![
        script(
            "a temporary table",
            1,
            e().query("CREATE TEMP TABLE t (id int PRIMARY KEY)"),
        ),
        script(
            "three at once",
            3,
            e().statement("SELECT 1")
                .sync()
                .statement("SELECT 2")
                .sync()
                .statement("SELECT 3")
                .sync(),
        ),
        script(
            "one transaction",
            1,
            e().statement("INSERT INTO t VALUES (1)")
                .statement("INSERT INTO t VALUES (1)")
                .sync(),
        ),
        script("which was rolled back", 1, e().query("SELECT count(*) FROM t")),
        script(
            "an error, and what is skipped behind it",
            2,
            e().statement("SELECT 1")
                .statement("SELECT 1/0")
                .statement("SELECT 3")
                .sync()
                .statement("SELECT 4")
                .sync(),
        ),
        script(
            "a simple query among them",
            3,
            e().statement("SELECT 1")
                .sync()
                .query("SELECT 2")
                .statement("SELECT 3")
                .sync(),
        ),
        script("syncs without anything", 3, e().sync().sync().sync()),
        script(
            "a hundred",
            1,
            (0..100)
                .fold(e(), |f, i| f.statement(&format!("SELECT {i}")))
                .sync(),
        ),
    ]
}

fn transactions() -> Vec<Script> {
    let e = Frames::new;
    vec![
        script("begin", 1, e().query("BEGIN")),
        script("inside", 1, e().statement("SELECT 1").sync()),
        script(
            "some rows of a portal",
            1,
            e().parse("", "SELECT generate_series(1, 5)")
                .bind("p", "", &[])
                .execute("p", 2)
                .sync(),
        ),
        script(
            "more rows of it",
            1,
            e().execute("p", 2).execute("p", 2).execute("p", 2).sync(),
        ),
        script(
            "a cursor",
            1,
            e().query("DECLARE c CURSOR FOR SELECT generate_series(1, 5)"),
        ),
        script("fetched by the protocol", 1, e().execute("c", 2).sync()),
        script("fetched by a statement", 1, e().query("FETCH 2 FROM c; CLOSE c")),
        script("an error", 1, e().query("SELECT 1/0")),
        script("aborted", 1, e().query("SELECT 1")),
        script("aborted, extended", 1, e().statement("SELECT 1").sync()),
        script("committed in vain", 1, e().query("COMMIT")),
        script(
            "begun twice",
            1,
            e().query("BEGIN; BEGIN; SELECT 1; ROLLBACK; SELECT 2; COMMIT"),
        ),
        script(
            "savepoints",
            4,
            e().query("BEGIN; SAVEPOINT s")
                .query("SELECT 1/0")
                .query("ROLLBACK TO s")
                .query("END"),
        ),
        script("no transaction", 1, e().query("COMMIT")),
    ]
}

fn copies() -> Vec<Script> {
    let e = Frames::new;
    let data = |frames: Frames, rows: &[u8]| frames.frame(b'd', rows);
    vec![
        script(
            "a temporary table",
            1,
            e().query("CREATE TEMP TABLE t (id int PRIMARY KEY)"),
        ),
        script(
            "in",
            1,
            data(data(e().query("COPY t FROM STDIN"), b"1\n2\n"), b"3\n").frame(b'c', b""),
        ),
        script(
            "in, extended, with a sync that is ignored",
            1,
            data(e().statement("COPY t FROM STDIN").sync(), b"4\n")
                .frame(b'c', b"")
                .sync(),
        ),
        script(
            "out",
            1,
            e().query("COPY (SELECT * FROM t ORDER BY id) TO STDOUT"),
        ),
        script(
            "out, extended",
            1,
            e().statement("COPY t TO STDOUT (FORMAT binary)").sync(),
        ),
        script(
            "given up by the client",
            1,
            e().query("COPY t FROM STDIN").frame(b'f', b"changed my mind\0"),
        ),
        script(
            "a duplicate in mid-stream",
            1,
            data(data(e().query("COPY t FROM STDIN"), b"1\n"), b"9\n").frame(b'c', b""),
        ),
        script(
            "no number in mid-stream, extended",
            1,
            data(data(e().statement("COPY t FROM STDIN"), b"x\n"), b"9\n")
                .frame(b'c', b"")
                .sync(),
        ),
        script("behind it", 1, e().query("SELECT count(*) FROM t")),
        script(
            "between statements",
            1,
            data(e().query("SELECT 1; COPY t FROM STDIN; SELECT 2"), b"5\n").frame(b'c', b""),
        ),
        script(
            "data that nobody asked for",
            1,
            data(e(), b"6\n")
                .frame(b'c', b"")
                .frame(b'f', b"\0")
                .query("SELECT 3"),
        ),
    ]
}

fn names() -> Vec<Script> {
    let e = Frames::new;
    vec![
        script("a name", 1, e().parse("s", "SELECT $1::int").sync()),
        script(
            "used",
            1,
            e().bind("", "s", &["1"])
                .execute("", 0)
                .bind("", "s", &["2"])
                .execute("", 0)
                .sync(),
        ),
        script("given twice", 1, e().parse("s", "SELECT 2").sync()),
        script(
            "still the old one",
            1,
            e().bind("", "s", &["3"]).execute("", 0).sync(),
        ),
        script("executed by SQL", 1, e().query("EXECUTE s(4)")),
        script("closed", 1, e().close_statement("s").sync()),
        script("gone", 1, e().query("EXECUTE s(5)")),
        script("prepared by SQL", 1, e().query("PREPARE q(int) AS SELECT $1 + 1")),
        script(
            "bound by the protocol",
            1,
            e().bind("", "q", &["5"]).execute("", 0).sync(),
        ),
        script(
            "prepared and closed in one pipeline",
            1,
            e().parse("n", "SELECT 7")
                .bind("", "n", &[])
                .execute("", 0)
                .close_statement("n")
                .parse("n", "SELECT 8")
                .bind("", "n", &[])
                .execute("", 0)
                .sync(),
        ),
        script("all forgotten", 1, e().query("DISCARD ALL")),
        script("gone too", 1, e().bind("", "q", &["5"]).execute("", 0).sync()),
        script("and by SQL", 1, e().query("EXECUTE n")),
        script("the unnamed one", 1, e().parse("", "SELECT 9").sync()),
        script("is still there", 1, e().bind("", "", &[]).execute("", 0).sync()),
        script("until a simple query", 1, e().query("SELECT 1")),
        script("when it is gone", 1, e().bind("", "", &[]).execute("", 0).sync()),
        script(
            "a name of many bytes",
            1,
            e().parse(&"x".repeat(100), "SELECT 1")
                .bind("", &"x".repeat(100), &[])
                .execute("", 0)
                .sync(),
        ),
    ]
}
