//! A wire between holdpoint and the server that can be listened to, talked into, held up, and cut.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::cluster::cluster;

/// The wire: whoever connects to `address` reaches the server. Dropped, it is cut.
#[derive(Debug)]
pub(crate) struct Middle {
    pub(crate) address: SocketAddr,
    says: UnboundedSender<Vec<u8>>,
    /// Whether what the server says stays here.
    holds_up: watch::Sender<bool>,
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
        let task = tokio::spawn(async move {
            let mut said = Some(said);
            let mut wires = JoinSet::new();
            for _ in 0..connections {
                let (near, _) = listener.accept().await.expect("holdpoint connects");
                let far = TcpStream::connect(("127.0.0.1", cluster().port)).await;
                let far = far.expect("the server listens");
                wires.spawn(forward(near, far, said.take(), sends.clone(), held_up.clone()));
            }
            wires.join_all().await;
        });
        Self {
            address,
            says,
            holds_up,
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

async fn forward(
    mut near: TcpStream,
    mut far: TcpStream,
    mut said: Option<UnboundedReceiver<Vec<u8>>>,
    sends: watch::Sender<Vec<u8>>,
    mut held_up: watch::Receiver<bool>,
) {
    let (mut up, mut down) = (vec![0; 8192], vec![0; 8192]);
    loop {
        let is_held_up = *held_up.borrow_and_update();
        let told = async {
            match &mut said {
                Some(said) => said.recv().await,
                None => std::future::pending().await,
            }
        };
        let written = tokio::select! {
            biased;
            Ok(()) = held_up.changed() => Ok(()),
            read = near.read(&mut up) => match read {
                Ok(n) if n > 0 => {
                    sends.send_modify(|sent| sent.extend_from_slice(&up[..n]));
                    far.write_all(&up[..n]).await
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
