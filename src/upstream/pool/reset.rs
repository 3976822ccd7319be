//! Taking back what a session has set, and asking a connection whether it lives.

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::AsyncWriteExt as _;

use crate::wire::backend::{self, TransactionStatus};
use crate::wire::frame::HEADER;
use crate::wire::{FrameReader, Header, Malformed, ReadError, Stream, request};

/// The longest message of an answer, bytes.
const MAX_MESSAGE: usize = 64 * 1024;
/// Messages at most until the answer is whole: notices, reports and notifications come among them.
const MAX_MESSAGES: usize = 10_000;

/// Why a connection is not used again.
#[derive(Debug, thiserror::Error)]
pub(super) enum ResetError {
    /// The connection failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The server did not do it.
    #[error("the server said: {0} ({1})")]
    Refused(String, String),
    /// The server answered something else.
    #[error("the server answered out of turn")]
    Protocol,
}

impl From<std::io::Error> for ResetError {
    fn from(error: std::io::Error) -> Self {
        Self::Read(error.into())
    }
}

impl From<Malformed> for ResetError {
    fn from(_: Malformed) -> Self {
        Self::Protocol
    }
}

/// What the server has reported since the greeting: the latest value of each setting.
#[derive(Debug, Default)]
pub(super) struct Changes(Vec<Change>);

/// A setting's name and its value.
type Change = (Box<[u8]>, Box<[u8]>);

impl Changes {
    /// Takes note of a report. Beyond [`super::MAX_CHANGES`] names it only counts that there are more.
    pub(super) fn note(&mut self, name: &[u8], value: &[u8]) {
        match self.0.iter().position(|(known, _)| **known == *name) {
            Some(at) if *self.0[at].1 == *value => {}
            Some(at) => self.0[at].1 = value.into(),
            None if self.0.len() > super::MAX_CHANGES => {}
            None => self.0.push((name.into(), value.into())),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The greeting that a session gets from here on; `None`: the same.
    pub(super) fn applied_to(&self, greeting: &Bytes) -> Option<BytesMut> {
        if self.0.is_empty() {
            return None;
        }
        let mut applied = BytesMut::with_capacity(greeting.len());
        let mut rest = &greeting[..];
        let mut given = vec![false; self.0.len()];
        while let Ok(Some(header)) = Header::peek(rest) {
            let Some(frame) = rest.get(..header.total()) else {
                break;
            };
            rest = &rest[header.total()..];
            let reported = (header.tag == b'S').then(|| backend::parameter_status(&frame[HEADER..]));
            let at = match reported {
                Some(Ok((name, _))) => self.0.iter().position(|(known, _)| **known == *name),
                _ => None,
            };
            match at {
                Some(at) => {
                    given[at] = true;
                    self.encode(at, &mut applied);
                }
                None => applied.extend_from_slice(frame),
            }
        }
        for at in (0..given.len()).filter(|&at| !given[at]) {
            self.encode(at, &mut applied);
        }
        Some(applied)
    }

    /// ParameterStatus.
    fn encode(&self, at: usize, out: &mut BytesMut) {
        let (name, value) = &self.0[at];
        let length = 4 + name.len() + 1 + value.len() + 1;
        out.put_u8(b'S');
        out.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
        for text in [name, value] {
            out.extend_from_slice(text);
            out.put_u8(0);
        }
    }
}

/// The query behind [`read_only_after_reset`]'s. A session's own has another text: so one sees which it is, in the server's lists.
const READ_ONLY: &str = "SET default_transaction_read_only TO on";
/// The setting that it sets.
const SETTING: &[u8] = b"default_transaction_read_only";

/// `DISCARD ALL`: settings, prepared statements, cursors, temporary tables, advisory locks, LISTEN, the role. Source:
/// PostgreSQL manual, "DISCARD". Not cancel-safe: the connection is then to be closed.
pub(super) async fn reset(stream: &mut Stream, changes: &mut Changes) -> Result<(), ResetError> {
    send(stream, &["DISCARD ALL"]).await?;
    let mut reader = FrameReader::greedy();
    answer(stream, &mut reader, Some("DISCARD ALL"), changes).await?;
    at_rest(&reader)
}

/// As [`reset`], and leaves `default_transaction_read_only` on, all in one round trip. `changes` are those of the reset alone.
pub(super) async fn read_only_after_reset(
    stream: &mut Stream,
    changes: &mut Changes,
) -> Result<(), ResetError> {
    send(stream, &["DISCARD ALL", READ_ONLY]).await?;
    let mut reader = FrameReader::greedy();
    answer(stream, &mut reader, Some("DISCARD ALL"), changes).await?;
    let mut set = Changes::default();
    answer(stream, &mut reader, Some("SET"), &mut set).await?;
    at_rest(&reader)?;
    // It was off, and is on now. Where it was on, the session to come has it so of its own.
    match &set.0[..] {
        [(name, value)] if **name == *SETTING && **value == *b"on" => Ok(()),
        _ => Err(ResetError::Protocol),
    }
}

/// Whether it answers: to an empty query. Not cancel-safe, as [`reset`].
pub(super) async fn answers(stream: &mut Stream) -> Result<(), ResetError> {
    let mut changes = Changes::default();
    send(stream, &[""]).await?;
    let mut reader = FrameReader::greedy();
    answer(stream, &mut reader, None, &mut changes).await?;
    at_rest(&reader)?;
    // A report would be of a change that the session to come must hear of, and would not.
    if changes.len() == 0 {
        Ok(())
    } else {
        Err(ResetError::Protocol)
    }
}

/// Sends queries, all at once.
async fn send(stream: &mut Stream, queries: &[&str]) -> Result<(), ResetError> {
    let mut out = BytesMut::with_capacity(128);
    for query in queries {
        request::query(query.as_bytes(), &mut out);
    }
    stream.write_all(&out).await?;
    stream.flush().await?;
    Ok(())
}

/// All that was sent is answered, and nothing else has come.
fn at_rest(reader: &FrameReader) -> Result<(), ResetError> {
    if reader.is_empty() {
        Ok(())
    } else {
        Err(ResetError::Protocol)
    }
}

/// Reads the answer to a query. The connection was at rest before: all that comes answers what was sent.
async fn answer(
    stream: &mut Stream,
    reader: &mut FrameReader,
    tag: Option<&str>,
    changes: &mut Changes,
) -> Result<(), ResetError> {
    let mut done = false;
    for _ in 0..MAX_MESSAGES {
        let (kind, frame) = reader.read(stream, MAX_MESSAGE).await?;
        let body = &frame[HEADER..];
        match kind {
            b'C' if !done && tag == Some(backend::command_tag(body)?) => done = true,
            b'I' if !done && tag.is_none() => done = true,
            b'S' => {
                let (name, value) = backend::parameter_status(body)?;
                changes.note(name, value);
            }
            // Notices, and notifications of what it no longer listens to.
            b'N' | b'A' => {}
            b'Z' if done && backend::ready_for_query(body)? == TransactionStatus::Idle => return Ok(()),
            b'E' => {
                let error = backend::error_response(body);
                return Err(ResetError::Refused(error.message, error.sqlstate));
            }
            _ => return Err(ResetError::Protocol),
        }
    }
    Err(ResetError::Protocol)
}
