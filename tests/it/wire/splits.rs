//! The same transcripts, cut differently: wherever the network cuts what is sent, the answers are the same.

use std::fmt::Write as _;
use std::sync::Mutex;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use super::compare::{Words, told_apart};
use super::cuts::Cuts;
use super::play::{PATIENCE, play};
use super::reply::Reply;
use super::slicer::Slicer;
use super::stage::{Stage, Way};
use super::transcript::Transcript;
use super::{EVERYTHING_PASSES, choose, transcripts, words};
use crate::support::database::Database;
use crate::support::{Proxy, Role};

/// So many plays at the same time, each with a server's side of its own.
const LANES: usize = 4;

/// Every message is cut before one of these bytes: inside its header, behind it, and a little further. Each
/// transcript takes some of them, all transcripts together take each many times.
const EARLY: usize = 9;

/// How many of them a transcript takes.
const EARLY_OF_EACH: usize = 2;

/// Transcripts as short as this are cut at every single place, one after the other.
const SHORT: usize = 32;

/// A greeting of the server's has about so many bytes.
const GREETING: usize = 450;

const RANDOM_CASES: u32 = 120;

/// Which side's stream is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

/// A holdpoint with several databases, each behind a [`Slicer`].
struct Theatre {
    proxy: Proxy,
    lanes: Vec<Lane>,
    transcripts: Vec<Played>,
}

struct Lane {
    database: Database,
    slicer: Slicer,
    way: Way,
}

/// A transcript with what PostgreSQL answers, uncut.
struct Played {
    transcript: Transcript,
    replies: Vec<Reply>,
}

impl Theatre {
    async fn open() -> Self {
        let mut sides = Vec::new();
        let mut tables = String::new();
        for number in 0..LANES {
            let (database, slicer) = (Database::create().await, Slicer::start().await);
            let (address, name) = (slicer.address, &database.name);
            let upstream = format!("upstream = \"postgres://app_trust@{address}/{name}\"");
            let _ = writeln!(tables, "[databases.lane{number}]\n{upstream}");
            sides.push((database, slicer));
        }
        let proxy = Proxy::with()
            .policy(EVERYTHING_PASSES)
            .role(Role::Trust)
            .databases(&tables)
            .start()
            .await;
        let lanes = sides.into_iter().enumerate();
        let lanes = lanes
            .map(|(number, (database, slicer))| Lane {
                way: Way::to(proxy.address(), &proxy.alice, &format!("lane{number}")),
                database,
                slicer,
            })
            .collect();
        let mut theatre = Self {
            proxy,
            lanes,
            transcripts: Vec::new(),
        };
        theatre.rehearse().await;
        theatre
    }

    /// Plays every transcript to PostgreSQL itself.
    async fn rehearse(&mut self) {
        let mut all = transcripts();
        // What differs uncut differs here as well.
        all.retain(|transcript| transcript.differs.is_none());
        let database = &self.proxy.database;
        choose(&mut all, &self.proxy).await;
        let way = Way::direct(database);
        for transcript in all {
            let stage = Stage::set(&way, database).await;
            let replies = play(&transcript, &stage, Cuts::Nowhere, PATIENCE, Words::Same).await;
            stage.clear().await;
            let replies = replies.unwrap_or_else(|wrong| panic!("{wrong}"));
            self.transcripts.push(Played { transcript, replies });
        }
    }
}

impl Lane {
    /// Plays a transcript with one side cut.
    async fn plays(&self, played: &Played, side: Side, cuts: &Cuts) -> Result<(), String> {
        let (client, server) = match side {
            Side::Client => (cuts.clone(), Cuts::Nowhere),
            Side::Server => (Cuts::Nowhere, cuts.clone()),
        };
        self.slicer.cut(server);
        let stage = Stage::set(&self.way, &self.database).await;
        let words = words(&played.transcript);
        let came = play(&played.transcript, &stage, client, PATIENCE, words).await;
        stage.clear().await;
        came.and_then(|came| told_apart(&played.transcript, &played.replies, &came, words))
            .map_err(|wrong| format!("{side:?} side cut {cuts:?}: {wrong}"))
    }
}

impl Played {
    /// How many bytes one side sends, about.
    fn bytes(&self, side: Side) -> usize {
        match side {
            Side::Client => self.transcript.messages().map(<[u8]>::len).sum(),
            Side::Server => GREETING + self.replies.iter().map(Reply::len).sum::<usize>(),
        }
    }

    /// The ways in which one side is to be cut; `number` is the transcript's.
    fn cuts(&self, number: usize, side: Side) -> Vec<Cuts> {
        let mut cuts = vec![Cuts::EachByte];
        cuts.extend((0..EARLY_OF_EACH).map(|n| Cuts::Before((number + n * EARLY / EARLY_OF_EACH) % EARLY)));
        let bytes = self.bytes(side);
        if bytes <= SHORT {
            cuts.extend((1..bytes).map(|place| Cuts::At(vec![place])));
        }
        cuts
    }
}

#[tokio::test]
async fn the_client_may_be_cut_anywhere() {
    cut_systematically(Side::Client).await;
}

#[tokio::test]
async fn the_server_may_be_cut_anywhere() {
    cut_systematically(Side::Server).await;
}

async fn cut_systematically(side: Side) {
    let theatre = Theatre::open().await;
    let plays = theatre
        .transcripts
        .iter()
        .enumerate()
        .flat_map(|(number, played)| {
            let cuts = played.cuts(number, side).into_iter();
            cuts.map(move |cuts| (played, cuts))
        });
    let plays = Mutex::new(plays);
    let next = || plays.lock().expect("no panic inside").next();
    let lanes = theatre.lanes.iter().map(async |lane| {
        let mut wrong = Vec::new();
        while let Some((played, cuts)) = next() {
            wrong.extend(lane.plays(played, side, &cuts).await.err());
        }
        wrong
    });
    let wrong = futures_util::future::join_all(lanes).await.concat();
    assert!(
        wrong.is_empty(),
        "{} plays:\n\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
}

/// Both sides, at places that nobody has thought of.
#[test]
fn both_sides_may_be_cut_at_random() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let theatre = runtime.block_on(Theatre::open());
    let config = Config {
        cases: RANDOM_CASES,
        failure_persistence: None,
        max_shrink_iters: 50,
        ..Config::default()
    };
    let places = prop::collection::vec(any::<Index>(), 1..20);
    let cases = (
        any::<Index>(),
        prop::bool::ANY.prop_map(|client| if client { Side::Client } else { Side::Server }),
        places,
    );
    let played = TestRunner::new(config).run(&cases, |(which, side, places)| {
        let played = which.get(&theatre.transcripts);
        let bytes = played.bytes(side).max(1);
        let mut places: Vec<usize> = places.iter().map(|place| place.index(bytes)).collect();
        places.sort_unstable();
        let cuts = Cuts::At(places);
        let play = theatre.lanes[0].plays(played, side, &cuts);
        runtime.block_on(play).map_err(TestCaseError::fail)
    });
    played.unwrap_or_else(|wrong| panic!("{wrong}"));
}
