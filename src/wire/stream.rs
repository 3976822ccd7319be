//! A connection's bytes, whatever carries them: a socket, or TLS over one.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsStream;

use super::socket::Socket;

/// A connection. All methods are as cancel-safe as tokio's.
#[derive(Debug)]
pub enum Stream {
    /// As the bytes are.
    Plain(Socket),
    /// TLS, after its handshake.
    Tls(Box<TlsStream<Socket>>),
    /// None any more: it is at its end, and takes nothing.
    Closed,
}

impl Stream {
    /// A TCP connection; see [`Socket::tcp`].
    #[must_use]
    pub fn tcp(stream: TcpStream) -> Self {
        Self::Plain(Socket::tcp(stream))
    }

    /// A TCP connection that was accepted; see [`Socket::accepted`].
    #[must_use]
    pub fn accepted(stream: TcpStream) -> Self {
        Self::Plain(Socket::accepted(stream))
    }

    /// A Unix-domain connection.
    #[must_use]
    pub fn unix(stream: UnixStream) -> Self {
        Self::Plain(Socket::Unix(stream))
    }

    /// The socket beneath, while there is one.
    #[must_use]
    pub fn socket(&self) -> Option<&Socket> {
        match self {
            Self::Plain(socket) => Some(socket),
            Self::Tls(tls) => Some(tls.get_ref().0),
            Self::Closed => None,
        }
    }

    /// Takes the bare socket out, to make more of it, and leaves [`Self::Closed`] behind; `None`, and nothing
    /// changes, where there is none.
    pub fn take_plain(&mut self) -> Option<Socket> {
        match std::mem::replace(self, Self::Closed) {
            Self::Plain(socket) => Some(socket),
            other => {
                *self = other;
                None
            }
        }
    }

    /// Whether this is TLS.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Whether the peer has closed its side of the socket; see [`Socket::is_read_closed`].
    pub async fn is_read_closed(&self) -> bool {
        match self.socket() {
            Some(socket) => socket.is_read_closed().await,
            None => true,
        }
    }

    /// Whether nothing has arrived that was not read, not even the end. Asks the system, not the runtime.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.socket().is_some_and(Socket::is_quiet)
    }

    /// Known to the runtime of this thread from now on, where that can be done: TLS stays with the one that it is
    /// known to, which goes on to wake whoever waits for it.
    ///
    /// # Errors
    /// The system's, and the connection is closed. Panics outside of a runtime.
    pub fn rehomed(self) -> io::Result<Self> {
        match self {
            Self::Plain(socket) => socket.rehomed().map(Self::Plain),
            other => Ok(other),
        }
    }

    /// Whether bytes that were taken have not reached the socket yet, so that it must be flushed: TLS
    /// takes bytes while the socket is full.
    #[must_use]
    pub fn wants_flush(&self) -> bool {
        match self {
            Self::Plain(_) | Self::Closed => false,
            Self::Tls(tls) => tls.get_ref().1.wants_write(),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_read(cx, buf),
            Self::Tls(s) => Pin::new(s).poll_read(cx, buf),
            Self::Closed => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_write(cx, buf),
            Self::Tls(s) => Pin::new(s).poll_write(cx, buf),
            Self::Closed => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_flush(cx),
            Self::Tls(s) => Pin::new(s).poll_flush(cx),
            Self::Closed => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_shutdown(cx),
            Self::Tls(s) => Pin::new(s).poll_shutdown(cx),
            Self::Closed => Poll::Ready(Ok(())),
        }
    }
}
