//! The adversarial corpus: texts that try to pass for a plain read, and honest reads, each with what it really does.
//!
//! `corpus.txt` says how its lines are read, and how they were measured. The figure is the number of texts that are
//! judged milder than they are: zero.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use holdpoint::catalogue::Upkeep;
use holdpoint::model::{Effect, Judged, NameOp};
use holdpoint::sql::{Judge, JudgeLimits, Meaning, Sight};
use holdpoint::upstream::{Address, ChannelBinding, Demands, Encryption, Target};
use tokio_postgres::{AsyncMessage, Client, NoTls, SimpleQueryMessage};

use crate::support::cluster::OwnCluster;

const SETTINGS: &str = "
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
wal_level = logical
max_prepared_transactions = 4
shared_buffers = 32MB
";

/// A text of the corpus.
#[derive(Debug)]
struct Text {
    title: String,
    is_superusers: bool,
    /// It changes something that outlives its session.
    changes: bool,
    /// It is honest and must pass, as this.
    honest: Option<Effect>,
    sql: String,
}

fn corpus() -> Vec<Text> {
    let whole = include_str!("corpus.txt");
    let lines: Vec<&str> = whole.lines().filter(|line| !line.starts_with('#')).collect();
    lines
        .split(|line| line.starts_with("== "))
        .skip(1)
        .zip(lines.iter().filter_map(|line| line.strip_prefix("== ")))
        .map(|(lines, title)| text(title, lines))
        .collect()
}

fn text(title: &str, lines: &[&str]) -> Text {
    let head = lines.iter().position(|line| *line == "--").expect("a line --");
    let said = |key: &str| {
        lines[..head]
            .iter()
            .find_map(|line| line.strip_prefix(key))
            .map(str::trim)
    };
    Text {
        title: title.to_owned(),
        is_superusers: said("as:") == Some("superuser"),
        changes: match said("does:") {
            Some("changes") => true,
            Some("nothing") => false,
            other => panic!("{title}: does {other:?}"),
        },
        honest: said("judged:").map(|effect| effect.parse().expect("an effect")),
        sql: characters(&lines[head + 1..].join("\n")),
    }
}

/// With each `{U+…}` as the character that it stands for.
fn characters(text: &str) -> String {
    let mut parts = text.split("{U+");
    let mut characters = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (code, rest) = part.split_once('}').expect("a closing brace");
        let character = u32::from_str_radix(code, 16).ok().and_then(char::from_u32);
        characters.push(character.expect("a character"));
        characters.push_str(rest);
    }
    characters
}

/// The server with the traps, and what judging knows of it.
struct Stage {
    cluster: OwnCluster,
    judge: Judge,
    sight: Arc<Sight>,
}

impl Stage {
    async fn set(name: &str) -> Self {
        let cluster = OwnCluster::start(name, SETTINGS);
        cluster.run_script("postgres", "CREATE ROLE app LOGIN");
        cluster.run_script("postgres", "CREATE DATABASE judged OWNER app");
        cluster.run_script("judged", include_str!("fixture.sql"));
        let target = Target {
            address: Address::Tcp("127.0.0.1".to_owned(), cluster.port),
            user: "app".to_owned(),
            dbname: "judged".to_owned(),
            password: None,
            encryption: Encryption::Never,
            demands: Demands {
                channel_binding: ChannelBinding::Disable,
                methods: None,
            },
            connect_timeout: Duration::from_secs(30),
        };
        let judge = Judge::new(JudgeLimits::default());
        let upkeep = Upkeep::new(
            Arc::new(target),
            judge.clone(),
            tokio::runtime::Handle::current(),
            Duration::from_mins(10),
        );
        let sight = upkeep.fresh().await.catalogue.sight(true);
        Self {
            cluster,
            judge,
            sight,
        }
    }

    async fn judge(&self, text: &str) -> Arc<Judged> {
        let meaning = Meaning {
            standard_conforming_strings: true,
            encoding_is_safe: true,
        };
        let text = Bytes::copy_from_slice(text.as_bytes());
        self.judge
            .judge_in(text, meaning, Some(Arc::clone(&self.sight)))
            .await
    }

    async fn connect(&self, user: &str) -> Client {
        let url = format!(
            "host=127.0.0.1 port={} user={user} dbname=judged",
            self.cluster.port
        );
        let (client, mut connection) = tokio_postgres::connect(&url, NoTls).await.expect("a connection");
        tokio::spawn(async move {
            while let Some(Ok(message)) = std::future::poll_fn(|cx| connection.poll_message(cx)).await {
                assert!(!matches!(message, AsyncMessage::Notification(_)), "{message:?}");
            }
        });
        client
    }
}

#[test]
fn the_corpus_is_what_it_says() {
    let corpus = corpus();
    let mut titles: Vec<&str> = corpus.iter().map(|text| text.title.as_str()).collect();
    titles.sort_unstable();
    let twice = titles.windows(2).find(|pair| pair[0] == pair[1]);
    assert_eq!(twice, None);
    let changing = corpus.iter().filter(|text| text.changes).count();
    let honest = corpus.iter().filter(|text| text.honest.is_some()).count();
    assert!(corpus.len() > 1400 && changing > 800 && honest > 150);
    assert!(corpus.iter().all(|text| text.honest.is_none() || !text.changes));
}

/// What changes something is more than a read, and what is honest passes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_text_is_judged_milder_than_it_is() {
    let stage = Stage::set("judged").await;
    let (mut milder, mut harsher) = (String::new(), String::new());
    let mut passing = Vec::new();
    for text in corpus() {
        let judged = stage.judge(&text.sql).await;
        let effect = effect_of(&judged);
        if effect <= Effect::Read {
            passing.push((
                text.title.clone(),
                text.sql.clone(),
                text.is_superusers,
                judged.statements.len(),
            ));
        }
        if text.changes && effect <= Effect::Read {
            writeln!(
                milder,
                "{} ({effect})\n    {}",
                text.title,
                text.sql.replace('\n', "\n    ")
            )
            .unwrap();
        }
        if text.honest.is_some_and(|honest| honest != effect) {
            let signals = judged.joined_facts().signals.join("; ");
            writeln!(harsher, "{} ({effect}: {signals})\n    {}", text.title, text.sql).unwrap();
        }
    }
    let count = milder.lines().filter(|line| !line.starts_with(' ')).count();
    assert!(
        milder.is_empty() && harsher.is_empty(),
        "{count} judged milder than they are:\n{milder}\nhonest, and do not pass:\n{harsher}"
    );
    let digest = include_str!("digest.sql");
    let watcher = stage.connect("postgres").await;
    watcher
        .batch_execute("LISTEN trap_a; LISTEN trap_b; LISTEN trap_c")
        .await
        .unwrap();
    let before = value(&watcher, digest).await;
    let mut wrong = String::new();
    for (title, sql, is_superusers, statements) in &passing {
        let client = stage
            .connect(if *is_superusers { "postgres" } else { "app" })
            .await;
        if let Ok(messages) = client.simple_query(sql).await {
            let completed = messages
                .iter()
                .filter(|message| matches!(message, SimpleQueryMessage::CommandComplete(_)))
                .count();
            // What holds no statement is answered, too.
            if completed != (*statements).max(1) {
                writeln!(
                    wrong,
                    "{title}: the server sees {completed} statements, and not {statements}"
                )
                .unwrap();
            }
        }
        let _ = client.simple_query("COMMIT").await;
        if value(&watcher, digest).await != before {
            panic!("passes, and changes something: {title}\n{sql}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// The effect of a text, with what it prepares if it executes anything: a session knows which.
fn effect_of(judged: &Judged) -> Effect {
    let operations = || {
        judged
            .statements
            .iter()
            .filter_map(|statement| statement.name_op.as_ref())
    };
    let prepared = operations().filter_map(|operation| match operation {
        NameOp::Prepare { prepared, .. } => Some(prepared.facts.effect),
        _ => None,
    });
    if operations().any(|operation| matches!(operation, NameOp::Execute { .. })) {
        prepared.chain([judged.effect()]).max().unwrap_or(Effect::Unknown)
    } else {
        judged.effect()
    }
}

async fn value(client: &Client, query: &str) -> String {
    let messages = client.simple_query(query).await.expect("a query");
    messages
        .iter()
        .find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        })
        .expect("a row")
}
