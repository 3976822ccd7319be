//! The sockets that carry a connection.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// A TCP or Unix-domain socket. All methods are as cancel-safe as tokio's.
#[derive(Debug)]
pub enum Socket {
    /// TCP.
    Tcp(TcpStream),
    /// A Unix-domain socket (to the server only).
    Unix(UnixStream),
}

/// A peer is looked for after this much silence, and given up after [`GIVE_UP`].
const SILENCE: Duration = Duration::from_secs(30);
/// The time between two looks.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);
/// Looks without an answer until the peer is given up.
const LOOKS: u32 = 3;
/// How long bytes may stay unacknowledged (`TCP_USER_TIMEOUT`).
const GIVE_UP: Duration = Duration::from_mins(1);

impl Socket {
    /// A TCP connection, set up so that small messages are not delayed and a peer whose machine has
    /// gone is noticed within a minute, whether or not anything is being sent.
    #[must_use]
    pub fn tcp(stream: TcpStream) -> Self {
        if let Err(error) = configure(&SockRef::from(&stream)) {
            // It works without, only slower or blinder.
            tracing::debug!(%error, "a socket option cannot be set");
        }
        Self::Tcp(stream)
    }

    /// A TCP connection that a listener has accepted which went through [`prepare_listener`]: what is set up there, it
    /// has by itself, where the system does so.
    #[must_use]
    pub fn accepted(stream: TcpStream) -> Self {
        if INHERITS {
            Self::Tcp(stream)
        } else {
            Self::tcp(stream)
        }
    }

    /// Whether the peer has closed its side, also where unread bytes stand before the end.
    /// Needs a readiness event that the runtime has seen: true within one turn of the event loop.
    pub async fn is_read_closed(&self) -> bool {
        // With unread bytes `ready` returns at once; without, the caller's read sees the end itself.
        let interest = Interest::READABLE;
        let ready = async {
            match self {
                Self::Tcp(s) => s.ready(interest).await,
                Self::Unix(s) => s.ready(interest).await,
            }
        };
        tokio::select! {
            biased;
            ready = ready => ready.is_ok_and(tokio::io::Ready::is_read_closed),
            () = std::future::ready(()) => false,
        }
    }
}

impl Socket {
    /// See [`super::Stream::is_quiet`].
    pub(super) fn is_quiet(&self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        let peeked = match self {
            Self::Tcp(s) => SockRef::from(s).peek(&mut byte),
            Self::Unix(s) => SockRef::from(s).peek(&mut byte),
        };
        peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// See [`super::Stream::rehomed`].
    pub(super) fn rehomed(self) -> io::Result<Self> {
        match self {
            Self::Tcp(s) => Ok(Self::Tcp(TcpStream::from_std(s.into_std()?)?)),
            Self::Unix(s) => Ok(Self::Unix(UnixStream::from_std(s.into_std()?)?)),
        }
    }

    /// The next bytes, left unread: as many as have arrived, one at least, or none at the end. A Unix-domain socket has
    /// nothing to show.
    pub async fn peek(&self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(s) => s.peek(bytes).await,
            Self::Unix(_) => Ok(0),
        }
    }

    /// Whether a byte has arrived that was not read.
    pub async fn has_arrived(&self) -> bool {
        let mut byte = [0];
        tokio::select! {
            biased;
            arrived = self.peek(&mut byte) => arrived.is_ok_and(|arrived| arrived > 0),
            () = std::future::ready(()) => false,
        }
    }
}

/// Whether connections have the options of the listener that accepted them. Linux copies them (tcp(7)); that is not
/// said of others.
const INHERITS: bool = cfg!(target_os = "linux");

/// Sets a listener up so that the connections that it accepts are as [`Socket::tcp`] has them, without six calls of
/// the system for each.
///
/// # Errors
/// The system's.
pub fn prepare_listener(listener: &std::net::TcpListener) -> io::Result<()> {
    if INHERITS {
        configure(&SockRef::from(listener))?;
    }
    Ok(())
}

fn configure(socket: &SockRef<'_>) -> io::Result<()> {
    let keepalive = TcpKeepalive::new()
        .with_time(SILENCE)
        .with_interval(LOOK_INTERVAL)
        .with_retries(LOOKS);
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&keepalive)?;
    user_timeout(socket)
}

#[cfg(target_os = "linux")]
fn user_timeout(socket: &SockRef<'_>) -> io::Result<()> {
    socket.set_tcp_user_timeout(Some(GIVE_UP))
}

#[cfg(not(target_os = "linux"))]
fn user_timeout(_: &SockRef<'_>) -> io::Result<()> {
    let _ = GIVE_UP;
    Ok(())
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(s) => Pin::new(s).poll_read(cx, buf),
            Self::Unix(s) => Pin::new(s).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(s) => Pin::new(s).poll_write(cx, buf),
            Self::Unix(s) => Pin::new(s).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(s) => Pin::new(s).poll_flush(cx),
            Self::Unix(s) => Pin::new(s).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(s) => Pin::new(s).poll_shutdown(cx),
            Self::Unix(s) => Pin::new(s).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[tokio::test]
    async fn an_accepted_connection_is_set_up_as_others_are() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        prepare_listener(&listener).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let address = listener.local_addr().unwrap();
        let (theirs, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let ours = [
            Socket::accepted(accepted.unwrap().0),
            Socket::tcp(theirs.unwrap()),
        ];
        for socket in &ours {
            let Socket::Tcp(stream) = socket else {
                panic!("it is TCP");
            };
            let socket = SockRef::from(stream);
            assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
            assert_eq!(socket.tcp_keepalive_time().unwrap(), SILENCE);
            #[cfg(target_os = "linux")]
            assert_eq!(socket.tcp_user_timeout().unwrap(), Some(GIVE_UP));
        }
    }
}
