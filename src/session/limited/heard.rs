//! What the server answers to a step, taken strictly: whatever does not fit ends the session.

use crate::session::Fault;
use crate::wire::backend::{self, ServerError, TransactionStatus, rows_of};

/// What the server has answered to one step, up to its ReadyForQuery.
#[derive(Debug, Default)]
pub(in crate::session) struct Heard {
    /// The types of the answers that are still to come, the next one last.
    pub(super) awaited: Vec<u8>,
    /// It is the step of the statement itself, and has got rows.
    pub(super) is_statement: bool,
    pub(super) gave_rows: bool,
    pub(super) bound: usize,
    pub(super) described: usize,
    pub(super) tag: String,
    /// With the body of its message.
    pub(super) error: Option<(ServerError, Vec<u8>)>,
    pub(super) status: Option<TransactionStatus>,
}

impl Heard {
    /// A message of the server's. `None`: it is none of an answer; an error: nothing is answered so.
    pub(super) fn take(&mut self, tag: u8, body: &[u8]) -> Result<Option<()>, Fault> {
        match tag {
            b'S' | b'A' | b'N' => return Ok(None),
            b'E' => {
                let error = backend::error_response(body);
                if error.ends_session() {
                    return Ok(None);
                }
                if self.error.is_some() {
                    return Err(Fault::Limited);
                }
                self.error = Some((error, body.to_vec()));
            }
            b'Z' => {
                if self.error.is_none() && !self.gave_rows && !self.awaited.is_empty() {
                    return Err(Fault::Limited);
                }
                self.status = Some(backend::ready_for_query(body).map_err(Fault::server_message)?);
            }
            b'T' | b'D' | b's' if self.is_statement => self.gave_rows = true,
            b'1' | b'2' | b'3' | b'n' | b'C' if self.error.is_none() => {
                if !self.gave_rows && self.awaited.pop() != Some(tag) {
                    return Err(Fault::Limited);
                }
                self.bound += usize::from(tag == b'2');
                self.described += usize::from(tag == b'n');
                if tag == b'C' {
                    backend::command_tag(body)
                        .unwrap_or_default()
                        .clone_into(&mut self.tag);
                }
            }
            _ => return Err(Fault::Limited),
        }
        Ok(Some(()))
    }

    /// The rows that the statement has changed, where they are told.
    pub(super) fn rows(&self) -> Option<u64> {
        let is_change = matches!(
            self.tag.split(' ').next(),
            Some("INSERT" | "UPDATE" | "DELETE" | "MERGE")
        );
        rows_of(&self.tag).filter(|_| is_change && !self.gave_rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes messages up to the first that does not fit. Gives how many that were, with what is known then.
    fn heard(awaited: &[u8], is_statement: bool, messages: &[(u8, &[u8])]) -> (usize, Heard) {
        let mut heard = Heard {
            awaited: awaited.iter().rev().copied().collect(),
            is_statement,
            ..Heard::default()
        };
        let fits = |(tag, body): &&(u8, &[u8])| heard.take(*tag, body).is_ok();
        let count = messages.iter().take_while(fits).count();
        (count, heard)
    }

    const DELETED: (u8, &[u8]) = (b'C', b"DELETE 7\0");
    const READY: (u8, &[u8]) = (b'Z', b"T");
    const ERROR: (u8, &[u8]) = (b'E', b"VERROR\0C23505\0\0");

    #[test]
    fn the_rows_are_those_of_one_whole_answer() {
        for (messages, rows) in [
            (vec![DELETED, READY], Some(7)),
            (
                vec![(b'N', b""), (b'A', b""), DELETED, (b'S', b""), READY],
                Some(7),
            ),
            (vec![(b'C', b"INSERT 0 3\0"), READY], Some(3)),
            (vec![(b'C', b"SELECT 3\0"), READY], None),
            (vec![(b'C', b"DELETE\0"), READY], None),
            (vec![(b'T', b""), (b'D', b""), DELETED, READY], None),
            (vec![(b's', b""), READY], None),
        ] {
            let (count, heard) = heard(b"C", true, &messages);
            assert_eq!(count, messages.len());
            assert_eq!((heard.rows(), heard.status.is_some()), (rows, true));
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (awaited, is_statement, messages) in [
            // More than one command, or none.
            (&b"C"[..], true, vec![DELETED, DELETED]),
            (b"C", true, vec![READY]),
            (b"2nC", true, vec![(b'2', b""), DELETED]),
            (b"2C", true, vec![(b'1', b"")]),
            (b"C", true, vec![(b'G', b"")]),
            (b"C", true, vec![(b'I', b"")]),
            (b"C", true, vec![ERROR, DELETED]),
            (b"C", true, vec![ERROR, ERROR]),
            (b"12C33", false, vec![(b'1', b""), (b'2', b""), (b'T', b"")]),
        ] {
            let (count, _) = heard(awaited, is_statement, &messages);
            assert_eq!(count, messages.len() - 1, "{messages:?}");
        }
    }

    #[test]
    fn an_error_is_kept_and_the_end_of_the_session_is_not() {
        let (count, kept) = heard(b"2nC", true, &[(b'2', b""), ERROR, (b'Z', b"E")]);
        assert_eq!((count, kept.bound, kept.described), (3, 1, 0));
        assert_eq!(
            kept.error.map(|(error, _)| error.sqlstate).as_deref(),
            Some("23505")
        );
        assert_eq!(kept.status, Some(TransactionStatus::Failed));
        let (_, ended) = heard(b"C", true, &[(b'E', b"VFATAL\0C57P01\0\0")]);
        assert!(ended.error.is_none() && ended.status.is_none());
    }
}
