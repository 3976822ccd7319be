//! Transcripts of the protocol: files in `tests/wire` that say what clients send and what comes back. Each
//! is played to PostgreSQL and through holdpoint, and must come true both times, with the same bytes.
//!
//! `tests/wire/README.md` tells the format. `HOLDPOINT_BLESS=1` writes PostgreSQL's answers into the files,
//! and `HOLDPOINT_WIRE=NAME` plays those alone whose name contains it.

mod bless;
mod compare;
mod cuts;
mod play;
mod reply;
mod send;
mod slicer;
mod splits;
mod stage;
mod transcript;
mod types;
mod unread;
mod words;

use std::fs;
use std::path::Path;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};

use self::compare::Words;
use self::cuts::Cuts;
use self::play::{PATIENCE, play};
use self::stage::{Stage, Way};
use self::transcript::Transcript;
use crate::support::database::Database;
use crate::support::raw::{Frames, Raw};
use crate::support::{Proxy, Role};

/// A policy under which everything passes.
const EVERYTHING_PASSES: &str = r#"
    default_groups = ["dba"]
    [[rule]]
    name = "everything passes"
    when = { effects = ["session", "read", "write", "schema", "privilege", "server", "unknown"] }
    then = "allow"
"#;

/// Where a difference is known, a reply that has not come for so long does not.
const IMPATIENCE: Duration = Duration::from_secs(2);

/// So many transcripts are played at the same time.
const AT_ONCE: usize = 8;

#[tokio::test]
async fn every_transcript_comes_true_directly_and_through_holdpoint() {
    let proxy = Proxy::with()
        .policy(EVERYTHING_PASSES)
        .role(Role::Trust)
        .start()
        .await;
    let direct = Way::direct(&proxy.database);
    if std::env::var_os("HOLDPOINT_BLESS").is_some() {
        let mut all = transcripts();
        choose(&mut all, &proxy).await;
        each(&all, async |transcript| {
            let stage = Stage::set(&direct, &proxy.database).await;
            if bless::bless(transcript, &stage).await {
                println!("{} is written anew: read it", transcript.path.display());
            }
            stage.clear().await;
            Ok(())
        })
        .await;
    }
    let through = Way::through(&proxy);
    let mut all = transcripts();
    choose(&mut all, &proxy).await;
    each(&all, async |transcript| {
        both(transcript, &direct, &through, &proxy.database).await
    })
    .await;
}

/// Most transcripts then go on with a connection that the session of another has left behind.
#[tokio::test]
async fn every_transcript_comes_true_on_connections_that_others_have_used() {
    let proxy = Proxy::with()
        .policy(EVERYTHING_PASSES)
        .role(Role::Trust)
        .databases("pool = { max_idle = 20 }")
        .start()
        .await;
    let (direct, through) = (Way::direct(&proxy.database), Way::through(&proxy));
    let mut all = transcripts();
    choose(&mut all, &proxy).await;
    each(&all, async |transcript| {
        both(transcript, &direct, &through, &proxy.database).await
    })
    .await;
    // Whoever came last has left one behind: else nothing was shown.
    let kept = "SELECT count(*) > 0 FROM pg_stat_activity WHERE query = 'DISCARD ALL' AND state = 'idle'
                AND datname = current_database()";
    assert_eq!(proxy.database.value(kept).await, "t");
}

/// Plays a transcript both ways.
async fn both(t: &Transcript, direct: &Way, through: &Way, database: &Database) -> Result<(), String> {
    let patience = if t.differs.is_some() { IMPATIENCE } else { PATIENCE };
    let stage = Stage::set(direct, database).await;
    let expected = play(t, &stage, Cuts::Nowhere, PATIENCE, Words::Same).await?;
    stage.clear().await;
    let stage = Stage::set(through, database).await;
    let came = play(t, &stage, Cuts::Nowhere, patience, words(t)).await;
    stage.clear().await;
    let told_apart = |words| {
        came.as_ref()
            .map_err(Clone::clone)
            .and_then(|came| compare::told_apart(t, &expected, came, words))
    };
    let untrue = |directive: &str, reason: &str| {
        let at = t.place(1);
        Err(format!(
            "{at}: \"{directive}: {reason}\" is not true any more: remove that line"
        ))
    };
    match (&t.differs, &t.words) {
        (None, None) => told_apart(Words::Same),
        (Some(reason), _) => match told_apart(words(t)) {
            Ok(()) => untrue("differs", reason),
            Err(difference) => {
                println!("known difference: {difference}");
                Ok(())
            }
        },
        (None, Some(reason)) if told_apart(Words::Same).is_ok() => untrue("words", reason),
        (None, Some(_)) => told_apart(Words::Own),
    }
}

/// How far errors of holdpoint's own must be the server's in this transcript.
fn words(transcript: &Transcript) -> Words {
    match transcript.words {
        Some(_) => Words::Own,
        None => Words::Same,
    }
}

/// All transcripts, read.
fn transcripts() -> Vec<Transcript> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire");
    let files = fs::read_dir(&folder).expect("the folder of the transcripts");
    let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "pt"));
    files.sort();
    let (read, wrong): (Vec<_>, Vec<_>) = files
        .iter()
        .map(|file| Transcript::load(file))
        .partition(Result::is_ok);
    let wrong: String = wrong.into_iter().filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "transcripts that cannot be read:\n{wrong}");
    let mut transcripts: Vec<Transcript> = read.into_iter().filter_map(Result::ok).collect();
    if let Ok(wanted) = std::env::var("HOLDPOINT_WIRE") {
        transcripts.retain(|transcript| transcript.name().contains(&wanted));
    }
    assert!(!transcripts.is_empty(), "no transcripts");
    transcripts
}

/// Keeps those that are about this version of PostgreSQL.
async fn choose(transcripts: &mut Vec<Transcript>, proxy: &Proxy) {
    let mut server = Raw::past(proxy).await;
    server.send(Frames::new().query("SHOW server_version_num")).await;
    let answer = server.ready().await;
    let version = answer.iter().find(|message| message.tag == b'D');
    let version = version.expect("a row").values().concat();
    let major = version.parse::<u32>().expect("a number") / 10_000;
    transcripts.retain(|transcript| {
        let is_meant = transcript.versions.contains(&major);
        if !is_meant {
            println!("{} is not about PostgreSQL {major}", transcript.place(1));
        }
        is_meant
    });
}

/// Does something with each, several at once, and tells of all that went wrong.
async fn each(transcripts: &[Transcript], work: impl AsyncFn(&Transcript) -> Result<(), String>) {
    let work = &work;
    let done = stream::iter(
        transcripts
            .iter()
            .map(|transcript| async move { work(transcript).await }),
    );
    let done: Vec<Result<(), String>> = done.buffer_unordered(AT_ONCE).collect().await;
    let wrong: Vec<String> = done.into_iter().filter_map(Result::err).collect();
    assert!(
        wrong.is_empty(),
        "{} of {} transcripts:\n\n{}",
        wrong.len(),
        transcripts.len(),
        wrong.join("\n\n")
    );
}
