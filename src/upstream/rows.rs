//! A query of holdpoint's own, on a connection of its own.

use tokio::io::AsyncWriteExt as _;

use super::{ConnectError, Connected};
use crate::wire::frame::HEADER;
use crate::wire::{FrameReader, Malformed, backend, request};

/// The schemas in which names without one are looked for, a line each. `rows` gives them as one text.
pub const CURRENT_SCHEMAS: &str = "SELECT array_to_string(current_schemas(true), E'\\n')";

/// The longest message of an answer, bytes.
const MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// One row, as texts.
pub type Row = Vec<Option<String>>;

/// Why there are no rows.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    /// The connection.
    #[error(transparent)]
    Connection(#[from] ConnectError),
    /// The server.
    #[error("the server refused: {0} ({1})")]
    Refused(String, String),
    /// The answer is larger than what was left of the budget.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
}

impl From<Malformed> for RowsError {
    fn from(malformed: Malformed) -> Self {
        Self::Connection(malformed.into())
    }
}

/// Sends a simple query of one statement, and gives its rows. Takes their size off `budget`, in bytes. Not
/// cancel-safe: dropped, the rest of the answer is still to be read.
pub async fn rows(connected: &mut Connected, query: &str, budget: &mut usize) -> Result<Vec<Row>, RowsError> {
    let mut message = Vec::new();
    request::query(query.as_bytes(), &mut message);
    let stream = &mut connected.stream;
    let io = |error: std::io::Error| RowsError::Connection(error.into());
    stream.write_all(&message).await.map_err(io)?;
    stream.flush().await.map_err(io)?;
    let whole = *budget;
    let mut reader = FrameReader::default();
    let mut rows = Vec::new();
    let mut refused = None;
    loop {
        let read = reader.read(&mut connected.stream, MAX_MESSAGE).await;
        let (tag, frame) = read.map_err(|error| RowsError::Connection(error.into()))?;
        match tag {
            b'D' => {
                *budget = budget
                    .checked_sub(frame.len())
                    .ok_or(RowsError::TooLarge(whole))?;
                rows.push(row(&frame[HEADER..])?);
            }
            b'E' => {
                let error = backend::error_response(&frame[HEADER..]);
                if error.ends_session() {
                    return Err(RowsError::Refused(error.message, error.sqlstate));
                }
                refused.get_or_insert(RowsError::Refused(error.message, error.sqlstate));
            }
            b'Z' => return refused.map_or(Ok(rows), Err),
            _ => {}
        }
    }
}

/// DataRow: a count, then for each column its length (-1 is NULL) and its bytes. Source: PostgreSQL manual,
/// "Message Formats".
fn row(body: &[u8]) -> Result<Row, Malformed> {
    const BAD: Malformed = Malformed("a malformed DataRow");
    let (count, mut rest) = body.split_first_chunk::<2>().ok_or(BAD)?;
    let mut row = Vec::with_capacity(usize::from(u16::from_be_bytes(*count)).min(64));
    for _ in 0..u16::from_be_bytes(*count) {
        let (length, behind) = rest.split_first_chunk::<4>().ok_or(BAD)?;
        rest = behind;
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
            row.push(None);
            continue;
        };
        let value = rest.get(..length).ok_or(BAD)?;
        rest = &rest[length..];
        row.push(Some(std::str::from_utf8(value).map_err(|_| BAD)?.to_owned()));
    }
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_and_what_is_none_is_refused() {
        let body = b"\0\x03\0\0\0\x02ab\xff\xff\xff\xff\0\0\0\0";
        assert_eq!(
            row(body).ok(),
            Some(vec![Some("ab".into()), None, Some(String::new())])
        );
        for end in 0..body.len() {
            assert!(row(&body[..end]).is_err(), "{end}");
        }
        assert!(row(b"\0\x01\0\0\0\x01\xff").is_err(), "not UTF-8");
    }
}
