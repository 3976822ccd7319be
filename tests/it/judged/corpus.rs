//! The adversarial corpus: texts that try to pass for a plain read, and honest reads, each with what it really does.
//!
//! `corpus.txt` says how its lines are read, and how they were measured. The figure is the number of texts that are
//! judged milder than they are: zero.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

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
            scram_keys: holdpoint::upstream::ScramKeys::default(),
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
    let watch = Watch::over(&stage).await;
    let mut wrong = String::new();
    for (title, sql, is_superusers, statements) in &passing {
        let user = if *is_superusers { "postgres" } else { "app" };
        let seen = watch.runs(&stage, user, sql).await;
        if let Some(completed) = seen.completed
            // What holds no statement is answered, too.
            && completed != (*statements).max(1)
        {
            writeln!(
                wrong,
                "{title}: the server sees {completed} statements, and not {statements}"
            )
            .unwrap();
        }
        assert!(!seen.has_changed, "passes, and changes something: {title}\n{sql}");
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Mutants of the corpus that would pass are run, and must change nothing. For `HOLDPOINT_MUTATE` seconds (5 unless
/// said otherwise), from the seed `HOLDPOINT_SEED` on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_mutant_that_passes_changes_anything() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|value| value.parse::<u64>().ok())
    };
    let seconds = number("HOLDPOINT_MUTATE").unwrap_or(5);
    let mut number_of_mutant = number("HOLDPOINT_SEED").unwrap_or(1);
    let stage = Stage::set("mutated").await;
    let watch = Watch::over(&stage).await;
    let corpus = corpus();
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut judged, mut run) = (0_u64, 0_u64);
    while Instant::now() < end {
        let sql = mutant(
            &corpus,
            Dice(number_of_mutant.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
        );
        judged += 1;
        if effect_of(&*stage.judge(&sql).await) <= Effect::Read {
            run += 1;
            let seen = watch.runs(&stage, "app", &sql).await;
            assert!(
                !seen.has_changed,
                "mutant {number_of_mutant} passes, and changes something:\n{sql}"
            );
        }
        number_of_mutant += 1;
    }
    println!("{judged} mutants judged, {run} of them run; the next is {number_of_mutant}");
    assert!(judged > 10 && run > 0);
}

/// Words and signs that make texts mean something else.
const SPICES: [&str; 44] = [
    ";",
    "; ",
    " -- ",
    "/*",
    "*/",
    "'",
    "''",
    "\"",
    "$$",
    "$x$",
    "E'",
    "U&'",
    "\\",
    "(",
    ")",
    "[1]",
    ".",
    ",",
    "::",
    " AS ",
    " INTO ",
    " FOR UPDATE ",
    " UNION ALL ",
    " UNION SELECT ",
    " ORDER BY 1 ",
    " LIMIT 1 ",
    " RETURNING * ",
    "SELECT ",
    "EXPLAIN ANALYZE ",
    "WITH x AS (",
    "DELETE FROM audit_log",
    "audit_log",
    "note('x')",
    "evil_view",
    "stable_lie(1)",
    "::evil_int",
    "accounts",
    " a.",
    "\n",
    "\u{a0}",
    "\t",
    "pg_catalog.",
    "public.",
    "evil.",
];

/// Throws (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    /// A place between two characters.
    fn place(&mut self, text: &str) -> usize {
        let at = self.below(text.len() + 1);
        (at..=text.len())
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(text.len())
    }
}

fn mutant(corpus: &[Text], mut dice: Dice) -> String {
    let texts: Vec<&str> = corpus
        .iter()
        .filter(|text| !text.is_superusers && text.sql.len() < 2000)
        .map(|text| text.sql.as_str())
        .collect();
    let mut text = texts[dice.below(texts.len())].to_owned();
    for _ in 0..=dice.below(4) {
        let at = dice.place(&text);
        match dice.below(6) {
            0 | 1 => text.insert_str(at, SPICES[dice.below(SPICES.len())]),
            2 => {
                let length = 1 + dice.below(12);
                let end = (at + length..=text.len())
                    .find(|end| text.is_char_boundary(*end))
                    .unwrap_or(text.len());
                text.replace_range(at..end, "");
            }
            3 => {
                // A word for a word of another text.
                let other = texts[dice.below(texts.len())];
                let words: Vec<&str> = other.split_whitespace().collect();
                let own: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
                if let (Some(new), Some(old)) =
                    (words.get(dice.below(words.len())), own.get(dice.below(own.len())))
                {
                    text = text.replacen(old.as_str(), new, 1);
                }
            }
            4 => {
                let other = texts[dice.below(texts.len())];
                text = format!("{text}; {other}");
            }
            _ => {
                let other = texts[dice.below(texts.len())];
                let from = dice.place(other);
                text.insert_str(at, &other[from..]);
            }
        }
    }
    text
}

/// Looks at the server before and after.
struct Watch {
    watcher: Client,
    before: String,
}

/// What came of running a text.
struct Seen {
    /// How many statements the server has completed; `None` where one failed.
    completed: Option<usize>,
    has_changed: bool,
}

impl Watch {
    async fn over(stage: &Stage) -> Self {
        let watcher = stage.connect("postgres").await;
        watcher
            .batch_execute("LISTEN trap_a; LISTEN trap_b; LISTEN trap_c")
            .await
            .unwrap();
        let before = value(&watcher, DIGEST).await;
        Self { watcher, before }
    }

    async fn runs(&self, stage: &Stage, user: &str, sql: &str) -> Seen {
        let client = stage.connect(user).await;
        // Some wait for ever, on purpose.
        let _ = client.batch_execute("SET statement_timeout = '5s'").await;
        let completed = client.simple_query(sql).await.ok().map(|messages| {
            let completed =
                |message: &&SimpleQueryMessage| matches!(message, SimpleQueryMessage::CommandComplete(_));
            messages.iter().filter(completed).count()
        });
        let _ = client.simple_query("COMMIT").await;
        Seen {
            completed,
            has_changed: value(&self.watcher, DIGEST).await != self.before,
        }
    }
}

const DIGEST: &str = include_str!("digest.sql");

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
