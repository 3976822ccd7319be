//! Framing: a type byte, a length that counts itself, a body.
//!
//! Source: PostgreSQL manual, "Message Formats"; limits as in `src/backend/libpq/pqcomm.c` and
//! `src/backend/tcop/postgres.c` (`SocketBackend`).

/// Bytes of a frame's header: type and length.
pub const HEADER: usize = 5;
/// The largest length that PostgreSQL accepts for any message (`PQ_LARGE_MESSAGE_LIMIT`): `MaxAllocSize` − 1.
pub const LARGE_MESSAGE_LIMIT: usize = 0x3fff_fffe;
/// The largest length for messages that carry names or an error only (`PQ_SMALL_MESSAGE_LIMIT`).
pub const SMALL_MESSAGE_LIMIT: usize = 10_000;

/// The head of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The type byte.
    pub tag: u8,
    /// Bytes of the body, without the header.
    pub body: usize,
}

/// A frame that PostgreSQL would not accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The length is smaller than itself or larger than the type allows.
    #[error("invalid message length")]
    Length,
    /// There is no such type from a client.
    #[error("invalid frontend message type {0}")]
    Type(u8),
}

impl Header {
    /// The header at the start of `bytes`; `None` while fewer than five are there.
    /// The length is checked against four (itself) only.
    pub fn peek(bytes: &[u8]) -> Result<Option<Self>, FrameError> {
        let Some(&[tag, a, b, c, d]) = bytes.first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        let body = length.checked_sub(4).ok_or(FrameError::Length)?;
        Ok(Some(Self { tag, body }))
    }

    /// The header of a client's message after login: its type must exist and its length be one that
    /// PostgreSQL accepts for that type.
    pub fn peek_frontend(bytes: &[u8]) -> Result<Option<Self>, FrameError> {
        let Some(&tag) = bytes.first() else {
            return Ok(None);
        };
        let limit = match tag {
            b'Q' | b'P' | b'B' | b'F' | b'd' => LARGE_MESSAGE_LIMIT,
            b'E' | b'D' | b'C' | b'S' | b'H' | b'X' | b'c' | b'f' => SMALL_MESSAGE_LIMIT,
            other => return Err(FrameError::Type(other)),
        };
        match Self::peek(bytes)? {
            Some(header) if header.body + 4 > limit => Err(FrameError::Length),
            header => Ok(header),
        }
    }

    /// Bytes of the whole frame.
    #[must_use]
    pub const fn total(self) -> usize {
        HEADER + self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_must_count_itself() {
        assert_eq!(Header::peek(b"Q\0\0\0\x03"), Err(FrameError::Length));
        assert_eq!(
            Header::peek(b"Q\0\0\0\x04"),
            Ok(Some(Header { tag: b'Q', body: 0 }))
        );
        assert_eq!(Header::peek(b"Q\0\0\0"), Ok(None));
    }

    #[test]
    fn types_and_lengths_are_those_of_postgresql() {
        assert_eq!(Header::peek_frontend(b"z"), Err(FrameError::Type(b'z')));
        for tag in *b"EDCSHXcf" {
            let largest = [tag, 0, 0, 0x27, 0x10];
            assert_eq!(
                Header::peek_frontend(&largest),
                Ok(Some(Header { tag, body: 9996 }))
            );
            let larger = [tag, 0, 0, 0x27, 0x11];
            assert_eq!(Header::peek_frontend(&larger), Err(FrameError::Length));
        }
        assert_eq!(
            Header::peek_frontend(b"Q\x7f\xff\xff\xff"),
            Err(FrameError::Length)
        );
        assert_eq!(
            Header::peek_frontend(b"Q\x3f\xff\xff\xfe"),
            Ok(Some(Header {
                tag: b'Q',
                body: LARGE_MESSAGE_LIMIT - 4
            }))
        );
    }
}
