//! An attack as a play: what is sent, and what comes of it, in a few words.

use std::net::SocketAddr;
use std::time::Duration;

use crate::support::cluster::cluster;
use crate::support::people::Person;
use crate::support::raw::{Frames, Message, Raw};
use crate::support::request::Request;
use crate::support::{Proxy, eventually};

/// What the attacks would like to run. The default policy holds it.
pub(super) const DELETE: &str = "DELETE FROM t WHERE true";

/// What the default policy denies.
pub(super) const DENIED: &str = "DELETE FROM t";

/// A reply that takes longer does not come.
const DEADLINE: Duration = Duration::from_secs(15);

/// A part of an attack.
#[derive(Debug)]
pub(super) struct Part {
    frames: Frames,
    until: u8,
    times: usize,
    approved: bool,
}

/// Sends, and waits for `ReadyForQuery`.
pub(super) fn send(frames: Frames) -> Part {
    Part {
        frames,
        until: b'Z',
        times: 1,
        approved: false,
    }
}

/// Sends a simple query, and waits for `ReadyForQuery`.
pub(super) fn query(sql: &str) -> Part {
    send(Frames::new().query(sql))
}

impl Part {
    /// Waits for a message of this type instead.
    pub(super) fn until(mut self, tag: u8) -> Self {
        self.until = tag;
        self
    }

    /// Waits for so many of them.
    pub(super) fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// Bob approves what is held.
    pub(super) fn approved(mut self) -> Self {
        self.approved = true;
        self
    }
}

/// How a part ended.
enum End {
    Reached,
    Closed,
    Held(Request),
}

/// A holdpoint with the table `t` of 1000 rows behind it.
pub(super) async fn stage() -> Proxy {
    set(Proxy::start().await).await
}

/// Puts the table `t` of 1000 rows behind a holdpoint.
pub(super) async fn set(proxy: Proxy) -> Proxy {
    proxy
        .database
        .run(
            "CREATE TABLE t (id int PRIMARY KEY, v text);
             INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, 1000) g;
             ALTER TABLE t OWNER TO app",
        )
        .await;
    proxy
}

/// How many rows `t` has.
pub(super) async fn rows(proxy: &Proxy) -> String {
    proxy.database.value("SELECT count(*) FROM t").await
}

/// A client's side of an attack.
#[derive(Debug)]
pub(super) struct Player {
    pub(super) raw: Raw,
    /// Who approves; none where there is no holdpoint.
    bob: Option<Person>,
    /// What bob has approved.
    pub(super) approved: Vec<Request>,
    /// What is held.
    pub(super) held: Option<Request>,
}

impl Player {
    /// Alice, before holdpoint.
    pub(super) async fn alice(proxy: &Proxy) -> Self {
        Self {
            raw: proxy.alice.raw().await,
            bob: Some(proxy.bob.clone()),
            approved: Vec::new(),
            held: None,
        }
    }

    /// A superuser, before the server itself.
    pub(super) async fn behind(proxy: &Proxy) -> Self {
        let server = SocketAddr::from(([127, 0, 0, 1], cluster().port));
        let mut raw = Raw::connect(server).await;
        raw.log_in("postgres", "", &proxy.database.name).await;
        Self {
            raw,
            bob: None,
            approved: Vec::new(),
            held: None,
        }
    }

    /// Plays the parts, up to one that is held or that ends the connection. Says of each what was answered.
    pub(super) async fn plays(&mut self, parts: impl IntoIterator<Item = Part>) -> Vec<String> {
        let mut told = Vec::new();
        for part in parts {
            let mut seen = Vec::new();
            let ended = tokio::time::timeout(DEADLINE, self.part(&part, &mut seen)).await;
            let mut words = words(&seen);
            let Ok(ended) = ended else {
                panic!("{told:?}, and then it hangs after {words:?}");
            };
            let over = match ended {
                End::Reached => false,
                End::Closed => {
                    words.push("closed".to_owned());
                    true
                }
                End::Held(request) => {
                    words.push(format!("held: {}", request.statement()));
                    self.held = Some(request);
                    true
                }
            };
            told.push(words.join(" "));
            if over {
                break;
            }
        }
        told
    }

    async fn part(&mut self, part: &Part, seen: &mut Vec<Message>) -> End {
        self.raw.send_in_vain(&part.frames).await;
        let reading = reads(&mut self.raw, part, seen);
        let Some(bob) = &self.bob else {
            return reading.await;
        };
        if part.approved {
            let (end, request) = tokio::join!(reading, bob.approves_next());
            self.approved.push(request);
            return end;
        }
        tokio::select! {
            biased;
            end = reading => end,
            request = pending(bob) => End::Held(request),
        }
    }
}

async fn reads(raw: &mut Raw, part: &Part, seen: &mut Vec<Message>) -> End {
    let mut left = part.times;
    while left > 0 {
        let Some(message) = raw.next().await else {
            return End::Closed;
        };
        left -= usize::from(message.tag == part.until);
        seen.push(message);
    }
    End::Reached
}

async fn pending(bob: &Person) -> Request {
    eventually("something is held", async || {
        bob.requests("?state=pending").await.pop()
    })
    .await
}

/// Plays an attack against a fresh holdpoint. No row of `t` may be gone, and what is held goes with its
/// client.
pub(super) async fn attack(proxy: &Proxy, parts: impl IntoIterator<Item = Part>) -> Vec<String> {
    let mut alice = Player::alice(proxy).await;
    let told = alice.plays(parts).await;
    untouched(proxy, alice).await;
    told
}

/// Ends the client, and looks whether all rows are still there.
pub(super) async fn untouched(proxy: &Proxy, player: Player) {
    assert_eq!(rows(proxy).await, "1000");
    drop(player.raw);
    eventually("nothing is pending any more", async || {
        let pending = proxy.bob.requests("?state=pending").await;
        pending.is_empty().then_some(())
    })
    .await;
    assert_eq!(rows(proxy).await, "1000");
}

/// Messages in a few words: no notices, and only what tells a reply from another.
pub(super) fn words(messages: &[Message]) -> Vec<String> {
    let messages = messages.iter().filter(|m| m.tag != b'N');
    messages
        .map(|m| match m.tag {
            b'E' => format!("E({})", m.code()),
            b'C' | b'Z' => format!("{}({})", m.tag as char, m.text()),
            b'D' => format!("D({})", m.values().join(",")),
            tag => (tag as char).to_string(),
        })
        .collect()
}
