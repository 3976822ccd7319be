//! Stands between holdpoint and PostgreSQL, and passes on in slices what the server answers.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::cuts::{Cuts, Cutter, Framing};
use super::unread::read_by;
use crate::support::cluster::cluster;

/// The relay. Dropped, it takes no more connections.
#[derive(Debug)]
pub(super) struct Slicer {
    pub(super) address: SocketAddr,
    /// For the next connections.
    cuts: Arc<Mutex<Cuts>>,
    accepting: JoinHandle<()>,
}

impl Slicer {
    /// In front of the tests' server, on a free port.
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let cuts = Arc::new(Mutex::new(Cuts::Nowhere));
        let next = Arc::clone(&cuts);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let cuts = next.lock().expect("no panic inside").clone();
                tokio::spawn(relay(client, cuts));
            }
        });
        Self {
            address,
            cuts,
            accepting,
        }
    }

    /// From now on, connections are cut like this.
    pub(super) fn cut(&self, cuts: Cuts) {
        *self.cuts.lock().expect("no panic inside") = cuts;
    }
}

impl Drop for Slicer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn relay(client: TcpStream, cuts: Cuts) {
    let server = TcpStream::connect(("127.0.0.1", cluster().port)).await;
    let server = server.expect("PostgreSQL listens");
    for stream in [&client, &server] {
        stream.set_nodelay(true).expect("a TCP stream");
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::join!(
        pass(from_client, to_server),
        slice(from_server, to_client, Cutter::new(cuts))
    );
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let _ = tokio::io::copy(&mut from, &mut to).await;
    let _ = to.shutdown().await;
}

async fn slice(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut cutter: Cutter) {
    let here = to.local_addr().expect("a TCP stream");
    let peer = to.peer_addr().expect("it is connected");
    let mut framing = Framing::default();
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let bytes = &buffer[..length];
        let offsets = framing.offsets(bytes);
        let pieces = cutter.pieces(bytes, offsets);
        let last = pieces.len().saturating_sub(1);
        for (at, piece) in pieces.into_iter().enumerate() {
            if to.write_all(piece).await.is_err() {
                return;
            }
            if at < last {
                read_by(peer, here).await;
            }
        }
    }
    let _ = to.shutdown().await;
}
