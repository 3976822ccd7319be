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
}

impl Stream {
    /// A TCP connection; see [`Socket::tcp`].
    #[must_use]
    pub fn tcp(stream: TcpStream) -> Self {
        Self::Plain(Socket::tcp(stream))
    }

    /// A Unix-domain connection.
    #[must_use]
    pub fn unix(stream: UnixStream) -> Self {
        Self::Plain(Socket::Unix(stream))
    }

    /// The socket beneath.
    #[must_use]
    pub fn socket(&self) -> &Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => tls.get_ref().0,
        }
    }

    /// Whether the peer has closed its side of the socket; see [`Socket::is_read_closed`].
    pub async fn is_read_closed(&self) -> bool {
        self.socket().is_read_closed().await
    }

    /// Whether bytes that were taken have not reached the socket yet, so that it must be flushed: TLS
    /// takes bytes while the socket is full.
    #[must_use]
    pub fn wants_flush(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(tls) => tls.get_ref().1.wants_write(),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_read(cx, buf),
            Self::Tls(s) => Pin::new(s).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_write(cx, buf),
            Self::Tls(s) => Pin::new(s).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_flush(cx),
            Self::Tls(s) => Pin::new(s).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_shutdown(cx),
            Self::Tls(s) => Pin::new(s).poll_shutdown(cx),
        }
    }
}
