//! Reading a frame at a time; and no byte beyond it, from a connection whose next bytes are for somebody else.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::frame::HEADER;
use super::{FrameError, Header};

/// A body grows by at most so much at a time: a length that is only announced takes no memory.
const STEP: usize = 4 * 1024;

/// Reads frames one by one. Keeps what has arrived of one, so that reading is cancel-safe.
#[derive(Default)]
pub struct FrameReader {
    partial: Vec<u8>,
    is_greedy: bool,
}

/// Why there is no frame.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The connection failed or ended, also in the middle of a frame (`UnexpectedEof`).
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The length is smaller than itself, or larger than the limit. Nothing of the body was read.
    #[error("invalid message length")]
    Length {
        /// The type that the frame says it is.
        tag: u8,
    },
}

impl FrameReader {
    /// One that reads ahead, for connections on which all that comes is for its caller.
    #[must_use]
    pub fn greedy() -> Self {
        Self {
            partial: Vec::new(),
            is_greedy: true,
        }
    }

    /// Whether nothing has arrived that was not given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.partial.is_empty()
    }

    /// The type and all bytes of the next frame, its header included. `limit` bounds the length that the
    /// frame says, in bytes: it counts itself and the body. Cancel-safe.
    pub async fn read(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        limit: usize,
    ) -> Result<(u8, Vec<u8>), ReadError> {
        loop {
            let header = match Header::peek(&self.partial) {
                Ok(header) => header,
                Err(FrameError::Length | FrameError::Type(_)) => return Err(self.bad_length()),
            };
            if header.is_some_and(|header| header.body + 4 > limit) {
                return Err(self.bad_length());
            }
            let total = header.map_or(HEADER, Header::total);
            if let Some(header) = header
                && self.partial.len() >= total
            {
                let ahead = self.partial.split_off(total);
                return Ok((header.tag, std::mem::replace(&mut self.partial, ahead)));
            }
            let wanted = if self.is_greedy {
                STEP
            } else {
                (total - self.partial.len()).min(STEP)
            };
            self.partial.reserve(wanted);
            let mut read = stream.take(wanted as u64);
            if read.read_buf(&mut self.partial).await? == 0 {
                return Err(ReadError::Io(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    fn bad_length(&self) -> ReadError {
        ReadError::Length {
            tag: self.partial.first().copied().unwrap_or_default(),
        }
    }
}

impl std::fmt::Debug for FrameReader {
    /// Without the bytes, which may be a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrameReader").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test]
    async fn frames_come_one_by_one_and_nothing_beyond_is_read() {
        let mut bytes: &[u8] = b"p\0\0\0\x06ab-R\0\0\0\x04Z";
        let mut reader = FrameReader::default();
        let (tag, frame) = reader.read(&mut bytes, 6).await.unwrap();
        assert_eq!((tag, &frame[..]), (b'p', &b"p\0\0\0\x06ab"[..]));
        assert_eq!(bytes, b"-R\0\0\0\x04Z");
        bytes = &bytes[1..];
        let (tag, frame) = reader.read(&mut bytes, 6).await.unwrap();
        assert_eq!((tag, &frame[..]), (b'R', &b"R\0\0\0\x04"[..]));
        assert_eq!(bytes, b"Z");
        let ended = reader.read(&mut bytes, 6).await.unwrap_err();
        assert!(matches!(ended, ReadError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof));
    }

    #[tokio::test]
    async fn a_greedy_one_reads_ahead() {
        let mut bytes: &[u8] = b"C\0\0\0\x06abZ\0\0\0\x05IS\0";
        let mut reader = FrameReader::greedy();
        for expected in [&b"C\0\0\0\x06ab"[..], b"Z\0\0\0\x05I"] {
            let (_, frame) = reader.read(&mut bytes, 100).await.unwrap();
            assert_eq!((&frame[..], bytes.len()), (expected, 0));
        }
        assert!(!reader.is_empty(), "what is ahead is told");
        let mut rest: &[u8] = b"\0\0\x04";
        let (tag, _) = reader.read(&mut rest, 100).await.unwrap();
        assert_eq!((tag, reader.is_empty()), (b'S', true));
    }

    #[tokio::test]
    async fn lengths_have_their_bounds() {
        for length in [0_u32, 3, 7, u32::MAX] {
            let mut frame = vec![b'p'];
            frame.extend(length.to_be_bytes());
            frame.extend([0; 10]);
            let mut bytes = &frame[..];
            let error = FrameReader::default().read(&mut bytes, 6).await.unwrap_err();
            assert!(matches!(error, ReadError::Length { tag: b'p' }), "{length}");
            assert_eq!(bytes.len(), 10, "nothing of the body was read");
        }
    }

    #[tokio::test]
    async fn a_read_that_was_dropped_goes_on_where_it_was() {
        let (mut ours, mut theirs) = tokio::io::duplex(64);
        let mut reader = FrameReader::default();
        for part in [&b"p\0"[..], b"\0\0\x07a", b"b"] {
            theirs.write_all(part).await.unwrap();
            tokio::select! {
                biased;
                _ = reader.read(&mut ours, 100) => panic!("it is not whole"),
                () = tokio::task::yield_now() => {}
            }
        }
        theirs.write_all(b"c").await.unwrap();
        let (_, frame) = reader.read(&mut ours, 100).await.unwrap();
        assert_eq!(frame, b"p\0\0\0\x07abc");
    }
}
