//! One side of a session: a connection, and the bytes that it did not take yet.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::wire::Stream;

/// Bytes read at once. One buffer for each thread, not for each session: an idle session has none.
const SCRATCH: usize = 64 * 1024;

/// Room for what is mostly said at once, bytes.
const MESSAGE: usize = 256;

thread_local! {
    static BUFFER: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// A connection with its spill.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) stream: Stream,
    /// What waits to be written. The other side is not read while this holds anything, so it stays
    /// as small as one read and what we add ourselves.
    out: BytesMut,
}

impl Leg {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream,
            out: BytesMut::new(),
        }
    }

    /// Our own bytes, to be written with the next flush.
    pub(super) fn out(&mut self) -> &mut BytesMut {
        if self.out.capacity() == 0 {
            self.out.reserve(MESSAGE);
        }
        &mut self.out
    }

    /// Bytes that wait to be written.
    pub(super) fn spill(&self) -> usize {
        self.out.len() + usize::from(self.stream.wants_flush())
    }

    /// Writes `bytes` at once as far as the connection takes them; the rest waits.
    pub(super) fn write(&mut self, cx: &mut Context<'_>, mut bytes: &[u8]) -> io::Result<()> {
        if self.out.is_empty() {
            while !bytes.is_empty() {
                match Pin::new(&mut self.stream).poll_write(cx, bytes) {
                    Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                    Poll::Ready(Ok(n)) => bytes = &bytes[n..],
                    Poll::Ready(Err(error)) => return Err(error),
                    Poll::Pending => break,
                }
            }
        }
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    /// Writes what waits. `Ready` once nothing does.
    pub(super) fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let is_idle = self.out.is_empty();
        while self.out.has_remaining() {
            let n = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.out))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.out.advance(n);
        }
        // What passes is written from where it was read: this holds what is said seldom, and ten thousand idle sessions are
        // not to keep it. (Where it was full, nothing is left of its capacity, and yet it is there.)
        if !is_idle {
            self.out = BytesMut::new();
        }
        if self.stream.wants_flush() {
            return Pin::new(&mut self.stream).poll_flush(cx);
        }
        Poll::Ready(Ok(()))
    }

    /// Reads up to the connection's end, also by an error; what comes is nobody's. Cancel-safe.
    pub(super) async fn read_to_end(&mut self) {
        std::future::poll_fn(|cx| {
            let mut scratch = Scratch::take();
            loop {
                match ready!(self.poll_read(cx, &mut scratch.bytes)) {
                    Ok(0) | Err(_) => return Poll::Ready(()),
                    Ok(_) => {}
                }
            }
        })
        .await;
    }

    /// Reads once into `scratch`; 0 is the end.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, scratch: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut read = ReadBuf::new(scratch);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
        Poll::Ready(Ok(read.filled().len()))
    }
}

/// The thread's read buffer, taken for the length of one read. Given back when dropped.
#[derive(Debug)]
pub(super) struct Scratch {
    pub(super) bytes: Box<[u8]>,
}

impl Scratch {
    /// Takes the buffer; a new one is made where it is in use (never, while reads do not nest).
    pub(super) fn take() -> Self {
        let bytes = BUFFER
            .take()
            .unwrap_or_else(|| vec![0; SCRATCH].into_boxed_slice());
        Self { bytes }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        BUFFER.set(Some(std::mem::take(&mut self.bytes)));
    }
}
