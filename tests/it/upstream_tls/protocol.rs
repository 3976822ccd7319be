//! Protocol 3.2 towards the server: versions, and keys of any length.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::{Behind, in_front_of};
use crate::support::raw::{Frames, Message, Raw};

/// What PostgreSQL 18 says and does at a session's start and at a cancel request, by hand: the server that
/// the other tests run against may be older.
struct NewServer {
    port: u16,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The versions that StartupMessages asked for.
    versions: Mutex<Vec<u32>>,
    /// What CancelRequests have behind their code.
    cancels: Mutex<Vec<Vec<u8>>>,
    cancelled: Notify,
}

/// How the server answers a StartupMessage.
#[derive(Clone)]
struct Manners {
    /// Before anything else.
    first: Vec<u8>,
    /// The secret of its key.
    secret: Vec<u8>,
}

impl NewServer {
    async fn start(manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Seen::default());
        let of_server = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, manners.clone(), Arc::clone(&of_server)));
            }
        });
        Self { port, seen }
    }

    fn behind(&self) -> Behind {
        Behind::as_role("app")
            .at("127.0.0.1", self.port)
            .with("sslmode", "disable")
            // It would be asked on a connection of its own, which is not looked at here.
            .with_word("catalogue", "false")
    }
}

/// The process id of every session.
const PID: u32 = 4711;

async fn serve(mut stream: TcpStream, manners: Manners, seen: Arc<Seen>) -> Option<()> {
    let length = stream.read_u32().await.ok()? as usize;
    let mut packet = vec![0; length - 4];
    stream.read_exact(&mut packet).await.ok()?;
    let (code, rest) = packet.split_first_chunk()?;
    let code = u32::from_be_bytes(*code);
    if code == 80_877_102 {
        seen.cancels.lock().unwrap().push(rest.to_vec());
        seen.cancelled.notify_one();
        return None;
    }
    seen.versions.lock().unwrap().push(code);
    let mut key = PID.to_be_bytes().to_vec();
    key.extend_from_slice(&manners.secret);
    let greeting = Frames::new()
        .bytes(&manners.first)
        .frame(b'R', &[0; 4])
        .frame(b'S', b"standard_conforming_strings\0on\0")
        .frame(b'S', b"client_encoding\0UTF8\0")
        .frame(b'K', &key)
        .frame(b'Z', b"I");
    stream.write_all(greeting.as_ref()).await.ok()?;
    // Whatever is asked runs until it is cancelled.
    while stream.read_u8().await.ok()? == b'Q' {
        let length = stream.read_u32().await.ok()? as usize;
        stream.read_exact(&mut vec![0; length - 4]).await.ok()?;
        seen.cancelled.notified().await;
        let answer = Frames::new()
            .frame(b'E', b"SERROR\0VERROR\0C57014\0Mcancelled\0\0")
            .frame(b'Z', b"I");
        stream.write_all(answer.as_ref()).await.ok()?;
    }
    None
}

/// NegotiateProtocolVersion.
fn negotiate(version: u32, options: &[&str]) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    body.extend(u32::try_from(options.len()).unwrap().to_be_bytes());
    for option in options {
        body.extend_from_slice(option.as_bytes());
        body.push(0);
    }
    Frames::new().frame(b'v', &body).as_ref().to_vec()
}

/// Alice asks for this version, and for database `d0`.
async fn alice(proxy: &crate::support::Proxy, version: u32) -> (Raw, Message) {
    let mut raw = Raw::connect(proxy.address()).await;
    raw.start_up_with(version, &[("database", "d0")]).await;
    let greeting = raw.authenticate(&proxy.alice.password()).await;
    (raw, greeting.last().unwrap().clone())
}

#[tokio::test]
async fn the_server_is_asked_for_what_the_client_asks_for() {
    for (asked, upstream, secret) in [
        (0x0003_0000, 0x0003_0000, 4),
        (0x0003_0001, 0x0003_0000, 4),
        (0x0003_0002, 0x0003_0002, 32),
        (0x0003_270f, 0x0003_0002, 32),
        // Longer than PostgreSQL's: the protocol allows it.
        (0x0003_0002, 0x0003_0002, 256),
    ] {
        let manners = Manners {
            first: Vec::new(),
            secret: (0..secret).map(|n| u8::try_from(n % 251).unwrap()).collect(),
        };
        let server = NewServer::start(manners.clone()).await;
        let proxy = in_front_of(&[server.behind()]).await;
        let (mut raw, last) = alice(&proxy, asked).await;
        assert_eq!(last.tag, b'Z', "{last:?}");
        assert_eq!(*server.seen.versions.lock().unwrap(), [upstream]);
        raw.send(Frames::new().query("SELECT 1")).await;
        let key = raw.key.clone();
        // A cancel request that comes before the statement would find nothing to cancel.
        let answer = crate::support::eventually("it is cancelled", async || {
            proxy.alice.cancel(&key).await;
            let cancelled = !server.seen.cancels.lock().unwrap().is_empty();
            cancelled.then_some(())
        });
        answer.await;
        assert_eq!(raw.ready().await[0].code(), "57014");
        let mut expected = PID.to_be_bytes().to_vec();
        expected.extend_from_slice(&manners.secret);
        assert_eq!(server.seen.cancels.lock().unwrap()[0], expected);
    }
}

#[tokio::test]
async fn an_older_server_goes_down_and_the_client_need_not_know() {
    let manners = Manners {
        first: negotiate(0x0003_0000, &[]),
        secret: vec![7; 4],
    };
    let server = NewServer::start(manners).await;
    let proxy = in_front_of(&[server.behind()]).await;
    let (raw, last) = alice(&proxy, 0x0003_0002).await;
    assert_eq!(last.tag, b'Z', "{last:?}");
    assert_eq!(raw.key.len(), 4 + 32, "the client's key is holdpoint's own");
    assert_eq!(*server.seen.versions.lock().unwrap(), [0x0003_0002]);
}

#[tokio::test]
async fn a_negotiation_that_makes_no_sense_ends_it() {
    let twice = [negotiate(0x0003_0000, &[]), negotiate(0x0003_0000, &[])].concat();
    for (asked, first, secret) in [
        (0x0003_0002, negotiate(0x0003_0002, &[]), 32),
        (0x0003_0002, negotiate(0x0003_0003, &[]), 32),
        (0x0003_0002, negotiate(0x0003_0001, &[]), 4),
        (0x0003_0002, negotiate(0x0002_0000, &[]), 4),
        (0x0003_0002, negotiate(0x0003_0000, &["_pq_.x"]), 4),
        (0x0003_0002, twice, 4),
        (0x0003_0000, negotiate(0x0003_0000, &[]), 4),
        (0x0003_0002, Vec::new(), 3),
        (0x0003_0002, Vec::new(), 257),
    ] {
        let server = NewServer::start(Manners {
            first: first.clone(),
            secret: vec![7; secret],
        })
        .await;
        let proxy = in_front_of(&[server.behind()]).await;
        let (mut raw, last) = alice(&proxy, asked).await;
        assert_eq!(
            (last.tag, last.code().as_str()),
            (b'E', "08001"),
            "{asked:x} {first:?}"
        );
        assert!(raw.is_closed().await);
    }
}
