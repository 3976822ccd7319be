//! A wire between holdpoint and the server that can be listened to, talked into, and cut.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::cluster::cluster;

/// The wire: whoever connects to `address` reaches the server. Dropped, it is cut.
#[derive(Debug)]
pub(crate) struct Middle {
    pub(crate) address: SocketAddr,
    says: UnboundedSender<Vec<u8>>,
    task: tokio::task::JoinHandle<()>,
}

impl Middle {
    /// For one connection.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (says, said) = unbounded_channel();
        let task = tokio::spawn(async move {
            let (near, _) = listener.accept().await.expect("holdpoint connects");
            let far = TcpStream::connect(("127.0.0.1", cluster().port)).await;
            forward(near, far.expect("the server listens"), said).await;
        });
        Self { address, says, task }
    }

    /// Says something in the server's stead. The server is at rest: it comes between two messages.
    pub(crate) fn says(&self, message: &[u8]) {
        self.says.send(message.to_vec()).expect("the wire is whole");
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

async fn forward(mut near: TcpStream, mut far: TcpStream, mut said: UnboundedReceiver<Vec<u8>>) {
    let (mut up, mut down) = (vec![0; 8192], vec![0; 8192]);
    loop {
        let written = tokio::select! {
            read = near.read(&mut up) => match read {
                Ok(n) if n > 0 => far.write_all(&up[..n]).await,
                _ => return,
            },
            read = far.read(&mut down) => match read {
                Ok(n) if n > 0 => near.write_all(&down[..n]).await,
                _ => return,
            },
            Some(message) = said.recv() => near.write_all(&message).await,
        };
        if written.is_err() {
            return;
        }
    }
}
