//! The console's connections: no more than so many, and none that is silent for long.
//!
//! The console shares its process, and its descriptors, with every database session: somebody who is not even signed in must not
//! take those away by opening connections. One more than [`MOST`] waits in the system's queue. Silence is the console's own: a
//! client that sends its request byte by byte does not put it off. To a page that listens to events it says something every 15
//! seconds.
//!
//! Imports axum's listeners and the timers.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::timer::{Instant, Sleep, sleep};

/// Connections at once.
const MOST: usize = 512;
/// So long may a first request take until something is answered.
const FIRST_ANSWER: Duration = Duration::from_secs(30);
/// So long may nothing be answered: longer than reverse proxies keep connections that they do not use.
const LONGEST_SILENCE: Duration = Duration::from_mins(3);
/// Where none can be accepted (`EMFILE`), it is tried again after that.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts as many as there are seats for.
#[derive(Debug)]
pub struct Seats {
    listener: TcpListener,
    seats: Arc<Semaphore>,
}

impl Seats {
    /// At this listener.
    #[must_use]
    pub fn new(listener: TcpListener) -> Self {
        Self {
            listener,
            seats: Arc::new(Semaphore::new(MOST)),
        }
    }
}

impl Listener for Seats {
    type Io = Seated;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Seated, SocketAddr) {
        // Never closed: without a seat, this waits.
        let seat = Arc::clone(&self.seats).acquire_owned().await.ok();
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => return (Seated::new(stream, seat), peer),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection to the console");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that has a seat.
#[derive(Debug)]
pub struct Seated {
    stream: TcpStream,
    silence: Pin<Box<Sleep>>,
    _seat: Option<OwnedSemaphorePermit>,
}

impl Seated {
    fn new(stream: TcpStream, seat: Option<OwnedSemaphorePermit>) -> Self {
        Self {
            stream,
            silence: Box::pin(sleep(FIRST_ANSWER)),
            _seat: seat,
        }
    }

    /// Something was said.
    fn said<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.silence.as_mut().reset(Instant::now() + LONGEST_SILENCE);
        }
        self.moved(cx, written)
    }

    /// What can go one way goes; or else the console has said nothing for too long.
    fn moved<T>(&mut self, cx: &mut Context<'_>, moved: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if moved.is_ready() {
            return moved;
        }
        ready!(self.silence.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Seated {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        this.moved(cx, read)
    }
}

impl AsyncWrite for Seated {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.said(cx, written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.said(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn connected() -> (TcpStream, Seats) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (client, Seats::new(listener))
    }

    #[tokio::test]
    async fn who_has_no_seat_waits_for_one() {
        let (_client, mut seats) = connected().await;
        let taken = Arc::clone(&seats.seats);
        let taken = taken
            .acquire_many_owned(u32::try_from(MOST).unwrap())
            .await
            .unwrap();
        assert!(futures_util::FutureExt::now_or_never(seats.accept()).is_none());
        drop(taken);
        let (seated, _) = seats.accept().await;
        assert_eq!(seats.seats.available_permits(), MOST - 1);
        drop(seated);
        assert_eq!(seats.seats.available_permits(), MOST);
    }

    #[tokio::test]
    async fn a_silent_connection_ends() {
        let (mut client, mut seats) = connected().await;
        let (mut seated, _) = seats.accept().await;
        // What is said puts it off, what is heard does not.
        client.write_u8(7).await.unwrap();
        assert_eq!(seated.read_u8().await.unwrap(), 7);
        assert!(seated.silence.deadline() <= Instant::now() + FIRST_ANSWER);
        seated.write_u8(7).await.unwrap();
        assert!(seated.silence.deadline() > Instant::now() + LONGEST_SILENCE / 2);
        seated.silence = Box::pin(sleep(Duration::from_millis(1)));
        let error = seated.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
