//! A server in front of PostgreSQL that answers questions about encryption as a test wants it, and
//! remembers what clients opened with. Behind the answer is the real server, in plaintext.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::cluster::cluster;
use super::poll::eventually;

/// The code of a CancelRequest.
pub(crate) const CANCEL_REQUEST: u32 = 80_877_102;
const SSL_REQUEST: u32 = 80_877_103;

/// How SSLRequest is answered.
#[derive(Clone)]
pub(crate) enum Answer {
    /// As by a server without TLS.
    No,
    /// As by one that has it. Connections that begin with TLS are taken, too.
    Yes(TlsAcceptor),
    /// As by one that takes nothing but TLS: a startup packet in plaintext ends the connection.
    Only(TlsAcceptor),
    /// With these bytes, in one segment; then nothing is heard.
    Bytes(&'static [u8]),
}

/// What a client opened with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Opening {
    /// TLS came first.
    pub(crate) encrypted: bool,
    /// And then this code: of a request, or the version of a StartupMessage.
    pub(crate) code: u32,
}

/// The server. Dropped, it takes no more.
pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    openings: Arc<Mutex<Vec<Opening>>>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Front {
    pub(crate) async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let openings = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&openings);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, answer.clone(), Arc::clone(&seen)));
            }
        });
        Self {
            address,
            openings,
            accepting,
        }
    }

    /// What clients have opened with so far, in order; questions about encryption are left out.
    pub(crate) fn openings(&self) -> Vec<Opening> {
        self.openings.lock().expect("no panic inside").clone()
    }

    /// Waits for an opening with this code.
    pub(crate) async fn sees(&self, code: u32) -> Opening {
        eventually("an opening", async || {
            self.openings().into_iter().find(|opening| opening.code == code)
        })
        .await
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(mut stream: TcpStream, answer: Answer, seen: Arc<Mutex<Vec<Opening>>>) -> Option<()> {
    let mut first = [0; 1];
    stream.peek(&mut first).await.ok()?;
    if first == [0x16] {
        let (Answer::Yes(acceptor) | Answer::Only(acceptor)) = answer else {
            return None;
        };
        return relay(acceptor.accept(stream).await.ok()?, None, true, &seen).await;
    }
    let packet = read_packet(&mut stream).await?;
    if code_of(&packet) != SSL_REQUEST {
        if matches!(answer, Answer::Only(_)) {
            return None;
        }
        return relay(stream, Some(packet), false, &seen).await;
    }
    match answer {
        Answer::No => {
            stream.write_all(b"N").await.ok()?;
            relay(stream, None, false, &seen).await
        }
        Answer::Yes(acceptor) | Answer::Only(acceptor) => {
            stream.write_all(b"S").await.ok()?;
            relay(acceptor.accept(stream).await.ok()?, None, true, &seen).await
        }
        Answer::Bytes(bytes) => {
            stream.write_all(bytes).await.ok()?;
            // Until the client goes.
            while stream.read(&mut [0; 512]).await.ok()? > 0 {}
            None
        }
    }
}

async fn relay(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    packet: Option<Vec<u8>>,
    encrypted: bool,
    seen: &Mutex<Vec<Opening>>,
) -> Option<()> {
    let packet = match packet {
        Some(packet) => packet,
        None => read_packet(&mut client).await?,
    };
    let code = code_of(&packet);
    seen.lock()
        .expect("no panic inside")
        .push(Opening { encrypted, code });
    let mut server = TcpStream::connect(("127.0.0.1", cluster().port)).await.ok()?;
    server.write_all(&packet).await.ok()?;
    copy_bidirectional(&mut client, &mut server).await.ok()?;
    Some(())
}

/// A packet with its length.
async fn read_packet(stream: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let mut packet = vec![0; 4];
    stream.read_exact(&mut packet).await.ok()?;
    let length = u32::from_be_bytes(*packet.first_chunk()?) as usize;
    packet.resize(length, 0);
    stream.read_exact(&mut packet[4..]).await.ok()?;
    Some(packet)
}

fn code_of(packet: &[u8]) -> u32 {
    let code = packet.get(4..8).and_then(|code| code.first_chunk());
    code.map_or(0, |code| u32::from_be_bytes(*code))
}
