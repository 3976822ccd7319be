//! A wire between holdpoint and the server that can be listened to, talked into, held up, and cut.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Proxy;
use super::cluster::cluster;
use super::database::Database;
use super::raw::{Frames, Raw, describe};

/// The wire: whoever connects to `address` reaches the server. Dropped, it is cut.
#[derive(Debug)]
pub(crate) struct Middle {
    pub(crate) address: SocketAddr,
    says: UnboundedSender<Vec<u8>>,
    /// Whether what the server says stays here.
    holds_up: watch::Sender<bool>,
    /// Whether what holdpoint says on the first connection stays here.
    keeps_back: watch::Sender<bool>,
    /// How many connections may reach the server.
    most: watch::Sender<usize>,
    /// How many holdpoint has asked for.
    asked: watch::Receiver<usize>,
    /// What holdpoint has sent.
    sent: watch::Receiver<Vec<u8>>,
    /// How much of that was asked for.
    heard: usize,
    task: tokio::task::JoinHandle<()>,
}

impl Middle {
    /// For one connection.
    pub(crate) async fn start() -> Self {
        Self::for_as_many(1).await
    }

    /// For so many connections; what is said in the server's stead is said on the first.
    pub(crate) async fn for_as_many(connections: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (says, said) = unbounded_channel();
        let (sends, sent) = watch::channel(Vec::new());
        let (holds_up, held_up) = watch::channel(false);
        let (keeps_back, kept_back) = watch::channel(false);
        let (most, mut limit) = watch::channel(connections);
        let (asks, asked) = watch::channel(0);
        let task = tokio::spawn(async move {
            let mut said = Some(said);
            let mut wires = JoinSet::new();
            let mut back = Some(kept_back);
            for number in 1..=connections {
                let (near, _) = listener.accept().await.expect("holdpoint connects");
                asks.send_replace(number);
                let may = limit.wait_for(|most| *most >= number).await.map(drop);
                may.expect("the wire is whole");
                let far = TcpStream::connect(("127.0.0.1", cluster().port)).await;
                let far = far.expect("the server listens");
                let back = back.take().unwrap_or_else(|| watch::channel(false).1);
                let ends = Ends { near, far };
                wires.spawn(forward(ends, said.take(), sends.clone(), held_up.clone(), back));
            }
            wires.join_all().await;
        });
        Self {
            address,
            says,
            holds_up,
            keeps_back,
            most,
            asked,
            sent,
            heard: 0,
            task,
        }
    }

    /// Says something in the server's stead. The server is at rest: it comes between two messages.
    pub(crate) fn says(&self, message: &[u8]) {
        self.says.send(message.to_vec()).expect("the wire is whole");
    }

    /// Keeps what the server says from now on, or no longer.
    pub(crate) fn holds_up(&self, is_kept: bool) {
        self.holds_up.send(is_kept).expect("the wire is whole");
    }

    /// Keeps what holdpoint says on the first connection from now on, or no longer.
    pub(crate) fn keeps_back(&self, is_kept: bool) {
        self.keeps_back.send(is_kept).expect("the wire is whole");
    }

    /// Lets so many more connections reach the server than holdpoint has asked for so far.
    pub(crate) fn lets_connect(&self, more: usize) {
        let most = *self.asked.borrow() + more;
        self.most.send(most).expect("the wire is whole");
    }

    /// Waits until holdpoint has asked for one more than may reach the server.
    pub(crate) async fn is_asked_for_more(&mut self) {
        let most = *self.most.borrow();
        let asked = self.asked.wait_for(|asked| *asked > most).await;
        asked.map(drop).expect("the wire is whole");
    }

    /// Waits until holdpoint has sent these bytes, since it was last asked for that.
    pub(crate) async fn hears(&mut self, bytes: &[u8]) {
        let from = self.heard;
        let place = |sent: &[u8]| {
            sent[from..]
                .windows(bytes.len())
                .position(|window| window == bytes)
        };
        let sent = self.sent.wait_for(|sent| place(sent).is_some()).await;
        let sent = sent.expect("the wire is whole");
        self.heard = from + place(&sent).unwrap_or_default() + bytes.len();
    }

    /// Cuts it: neither side hears a goodbye.
    pub(crate) fn cut(self) {
        drop(self);
    }
}

impl Drop for Middle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A session whose reads are shielded, at a server whose answers can be held up.
pub(crate) async fn far() -> (Proxy, Database, Middle, Raw) {
    let database = Database::create().await;
    // The catalogue is read on another than the session's, and cancel requests come on their own.
    let middle = Middle::for_as_many(100).await;
    let far = format!(
        "[databases.far]\nupstream = \"postgres://app_trust@{}/{}?sslmode=disable\"",
        middle.address, database.name
    );
    let proxy = Proxy::with().databases(&far).start().await;
    let (mut alice, greeting) = proxy.alice.raw_with(&[("database", "far")]).await;
    assert_eq!(greeting.last().unwrap().tag, b'Z', "{}", describe(&greeting));
    alice.exchange(Frames::new().query("SELECT 1")).await;
    (proxy, database, middle, alice)
}

/// The ends of one connection's wire.
struct Ends {
    near: TcpStream,
    far: TcpStream,
}

async fn forward(
    Ends { mut near, mut far }: Ends,
    mut said: Option<UnboundedReceiver<Vec<u8>>>,
    sends: watch::Sender<Vec<u8>>,
    mut held_up: watch::Receiver<bool>,
    mut kept_back: watch::Receiver<bool>,
) {
    let (mut up, mut down) = (vec![0; 8192], vec![0; 8192]);
    let mut kept = Vec::new();
    loop {
        let is_held_up = *held_up.borrow_and_update();
        let is_kept_back = *kept_back.borrow_and_update();
        let told = async {
            match &mut said {
                Some(said) => said.recv().await,
                None => std::future::pending().await,
            }
        };
        if !is_kept_back && !kept.is_empty() && far.write_all(&std::mem::take(&mut kept)).await.is_err() {
            return;
        }
        let written = tokio::select! {
            biased;
            Ok(()) = held_up.changed() => Ok(()),
            Ok(()) = kept_back.changed() => Ok(()),
            read = near.read(&mut up) => match read {
                Ok(n) if n > 0 => {
                    kept.extend_from_slice(&up[..n]);
                    sends.send_modify(|sent| sent.extend_from_slice(&up[..n]));
                    Ok(())
                }
                _ => return,
            },
            read = far.read(&mut down), if !is_held_up => match read {
                Ok(n) if n > 0 => near.write_all(&down[..n]).await,
                _ => return,
            },
            Some(message) = told => near.write_all(&message).await,
        };
        if written.is_err() {
            return;
        }
    }
}
