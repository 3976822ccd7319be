//! Asking the server what a statement takes and gives, amid the client's own session.
//!
//! What an approver makes of a Bind must take the parameters and give the columns that its program counts on, and only
//! the server knows these, in this very session. So the text is prepared there under a name of our own, and described.
//! That runs nothing, and the client sees nothing of it: every answer is swallowed.
//!
//! A question is three units, each up to a Sync of its own, so that the last is heard whatever becomes of the second.
//! The first enters a transaction of ours, or a subtransaction where the client is in a block, so that an error is ours
//! alone; it is read-only, should the reading of a constant run more than it seems to. The second asks; the third rolls the first back, with the locks that the second has taken. A statement that was
//! prepared stays: none is part of a transaction (`exec_parse_message` in `src/backend/tcop/postgres.c`). From then on
//! the server itself refuses to run it should its columns change (`RevalidateCachedQuery` in
//! `src/backend/utils/cache/plancache.c`).
//!
//! Two things are left of it: the server's clocks of idle sessions and transactions begin anew, and a block with the
//! isolation REPEATABLE READ or above has its snapshot, as from any Parse.
//!
//! Invariants: asked only while the server is at rest, before all that is cleared; afterwards the transaction stands as
//! before, or the session ends.

use tokio::sync::oneshot;

use super::Fault;
use super::inflight::{Desync, Expect};
use super::relay::Session;
use super::shield::{ANSWERS, command};
use crate::wire::backend::{self, Column, ServerError, TransactionStatus};
use crate::wire::request;

/// So long the server waits for a lock, in milliseconds; then it says so.
const LOCK_TIMEOUT: u32 = 1500;

/// So long it looks at a statement, in milliseconds. Two questions take less than an approver is let wait.
const STATEMENT_TIMEOUT: u32 = 2000;

/// What a statement takes and gives.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Description {
    /// The OIDs of its parameters' types.
    pub(super) parameters: Vec<u32>,
    /// Its columns; `None` where it gives no rows.
    pub(super) columns: Option<Vec<Column>>,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Question<'q> {
    /// What this name stands for.
    Name(&'q [u8]),
    /// What this text is. It is prepared under the name, with these types of its parameters (0: the server finds out),
    /// and stays so.
    Text {
        name: &'q str,
        text: &'q [u8],
        types: &'q [u32],
    },
}

/// The answer, or the server's error.
pub(super) type Reply = Result<Description, ServerError>;

/// A question that was sent, and what is known of its answer.
#[derive(Debug)]
pub(super) struct Inquiry {
    /// The types of the messages that answer it, one behind the other.
    expected: Vec<u8>,
    /// How many have come.
    answered: usize,
    description: Description,
    /// The first error.
    error: Option<ServerError>,
    /// What it has prepared.
    prepared: Option<String>,
    asker: Option<oneshot::Sender<Reply>>,
}

/// A name that nobody can guess: a client that had prepared something harmless under it could bind what was approved
/// once more, as if it were that. It is not known by that name here, so that a Bind of it is refused.
pub(super) fn private_name() -> String {
    format!("_holdpoint_{:016x}", rand::random::<u64>())
}

impl Inquiry {
    /// A question in a session of this status, and the closing of statements that nobody needs, as bytes for the server.
    fn new(
        question: Option<Question<'_>>,
        unused: &[String],
        status: TransactionStatus,
    ) -> (Self, Vec<u8>, oneshot::Receiver<Reply>) {
        let (mut out, mut expected) = (Vec::new(), Vec::new());
        let mut prepared = None;
        let own = private_name();
        let run = |text: &str, out: &mut Vec<u8>, expected: &mut Vec<u8>| {
            command(own.as_bytes(), text, out);
            expected.extend_from_slice(&ANSWERS);
        };
        let in_block = status != TransactionStatus::Idle;
        if let Some(question) = question {
            let enter = if in_block {
                format!("SAVEPOINT {own}")
            } else {
                "BEGIN ISOLATION LEVEL READ COMMITTED".to_owned()
            };
            run(&enter, &mut out, &mut expected);
            run("SET LOCAL transaction_read_only = on", &mut out, &mut expected);
            for (setting, value) in [
                ("lock_timeout", LOCK_TIMEOUT),
                ("statement_timeout", STATEMENT_TIMEOUT),
            ] {
                run(&format!("SET LOCAL {setting} = {value}"), &mut out, &mut expected);
            }
            sync(&mut out, &mut expected);
            if let Question::Text { name, .. } = question {
                prepared = Some(name.to_owned());
            }
            question.encode(&mut out, &mut expected);
            sync(&mut out, &mut expected);
            if in_block {
                run(&format!("ROLLBACK TO SAVEPOINT {own}"), &mut out, &mut expected);
                run(&format!("RELEASE SAVEPOINT {own}"), &mut out, &mut expected);
            } else {
                run("ROLLBACK", &mut out, &mut expected);
            }
        }
        for name in unused {
            request::close_statement(name.as_bytes(), &mut out);
            expected.push(b'3');
        }
        sync(&mut out, &mut expected);
        let (asker, reply) = oneshot::channel();
        let inquiry = Self {
            expected,
            answered: 0,
            description: Description::default(),
            error: None,
            prepared,
            asker: Some(asker),
        };
        (inquiry, out, reply)
    }

    /// A message of the server's. Gives the status of the transaction once all is answered.
    fn answer(&mut self, tag: u8, body: &[u8]) -> Result<Option<TransactionStatus>, Fault> {
        let rest = self.expected.get(self.answered..).unwrap_or_default();
        let expected = rest.first().copied().unwrap_or_default();
        match tag {
            b'E' => {
                self.error.get_or_insert_with(|| backend::error_response(body));
                // What is left of the unit is skipped.
                self.answered += memchr::memchr(b'Z', rest).unwrap_or(rest.len());
                return Ok(None);
            }
            // NoData stands where a RowDescription may.
            b'n' if expected == b'T' => {}
            _ if tag != expected => return Err(Fault::desync(Desync::Unasked)),
            b't' => {
                let types = backend::parameter_description(body).map_err(Fault::server_message)?;
                self.description.parameters = types;
            }
            b'T' => {
                let columns = backend::row_description(body).map_err(Fault::server_message)?;
                self.description.columns = Some(columns);
            }
            _ => {}
        }
        self.answered += 1;
        if tag == b'Z' && self.answered == self.expected.len() {
            return backend::ready_for_query(body)
                .map(Some)
                .map_err(Fault::server_message);
        }
        Ok(None)
    }

    /// Tells whoever asked. Gives the statement that was prepared for one who is not there any more.
    fn tell(self) -> Option<String> {
        let reply = match self.error {
            Some(error) => Err(error),
            None => Ok(self.description),
        };
        let told = self.asker.map(|asker| asker.send(reply));
        self.prepared.filter(|_| !matches!(told, Some(Ok(()))))
    }
}

impl Question<'_> {
    fn encode(&self, out: &mut Vec<u8>, expected: &mut Vec<u8>) {
        let name = match self {
            Self::Name(name) => *name,
            Self::Text { name, text, types } => {
                request::parse(name.as_bytes(), text, types, out);
                expected.push(b'1');
                name.as_bytes()
            }
        };
        request::describe_statement(name, out);
        expected.extend_from_slice(b"tT");
    }
}

fn sync(out: &mut Vec<u8>, expected: &mut Vec<u8>) {
    out.extend_from_slice(request::SYNC);
    expected.push(b'Z');
}

impl Session {
    /// Asks the server, and has it forget what nobody needs any more. Only while a statement is held.
    ///
    /// # Errors
    /// Why nothing can be asked now, for the approver.
    pub(super) fn ask(&mut self, question: Question<'_>) -> Result<oneshot::Receiver<Reply>, &'static str> {
        self.may_ask()?;
        Ok(self.send_inquiry(Some(question)))
    }

    /// Has the server forget the statements that were prepared for changes which nobody has approved; those that it
    /// cannot be told of now, the next time.
    pub(super) fn close_unused(&mut self) {
        if !self.unused.is_empty() && self.may_ask().is_ok() {
            drop(self.send_inquiry(None));
        }
    }

    fn send_inquiry(&mut self, question: Option<Question<'_>>) -> oneshot::Receiver<Reply> {
        let unused = std::mem::take(&mut self.unused);
        let (inquiry, bytes, reply) = Inquiry::new(question, &unused, self.status);
        self.server.out().extend_from_slice(&bytes);
        self.inflight.push_own_before(Expect::Inquiry(Box::new(inquiry)));
        reply
    }

    /// Whether the server is at rest: nothing of ours would stand in the middle of something.
    fn may_ask(&self) -> Result<(), &'static str> {
        if self.inflight.awaits_ready() || self.must_wait_for_cancel() {
            return Err("the server is busy with what came before: try again");
        }
        if self.status == TransactionStatus::Failed {
            return Err("its transaction has failed");
        }
        let has_all_answers = self.inflight.is_empty() && !self.busy;
        if has_all_answers {
            return Ok(());
        }
        if self.intake.has_begun() {
            return Err(
                "the server is in the middle of its pipeline, and cannot be asked there whether a change fits",
            );
        }
        // A Parse takes a snapshot, behind which the modes of a transaction cannot be set any more.
        if self.status == TransactionStatus::InTransaction && self.intake.has_control {
            return Err(
                "transactions begin or end before it in its pipeline, and the server cannot be asked there whether a \
                 change fits",
            );
        }
        Ok(())
    }

    /// A message of the server's: whether it answers a question of ours.
    pub(super) fn inquiry_answered(&mut self, tag: u8, body: &[u8]) -> Result<bool, Fault> {
        let Some(inquiry) = self.inflight.inquiry() else {
            return Ok(false);
        };
        if tag == b'S' || (tag == b'E' && backend::error_response(body).ends_session()) {
            return Ok(false);
        }
        // With `client_min_messages`, a notice has what is proposed in it, and under which name.
        if tag == b'N' {
            return Ok(true);
        }
        if let Some(status) = inquiry.answer(tag, body)? {
            let done = self.inflight.inquiry_done();
            if status != self.status {
                return Err(Fault::Inquiry);
            }
            self.unused.extend(done.and_then(|inquiry| inquiry.tell()));
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::wire::{Header, frontend};

    const TEXT: Question<'_> = Question::Text {
        name: "e",
        text: b"SELECT $1",
        types: &[23],
    };

    fn tags_of(mut bytes: &[u8]) -> String {
        let mut tags = String::new();
        while let Ok(Some(header)) = Header::peek_frontend(bytes) {
            let body = &bytes[5..header.total()];
            match header.tag {
                b'P' => drop(frontend::Parse::read(body).unwrap()),
                b'B' => drop(frontend::Bind::read(body).unwrap()),
                b'E' => drop(frontend::execute(body).unwrap()),
                b'C' | b'D' => drop(frontend::target(body).unwrap()),
                _ => assert!(body.is_empty()),
            }
            tags.push(char::from(header.tag));
            bytes = &bytes[header.total()..];
        }
        assert!(bytes.is_empty());
        tags
    }

    #[test]
    fn questions_are_framed_as_they_say_and_each_message_has_its_answer() {
        let unused = ["u".to_owned()];
        let cases = [
            (
                Some(TEXT),
                TransactionStatus::Idle,
                &unused[..],
                "PBECCPBECCPBECCPBECCS PDS PBECCCS",
                "12C3312C3312C3312C33Z 1tTZ 12C333Z",
            ),
            (
                Some(Question::Name(b"s")),
                TransactionStatus::InTransaction,
                &[],
                "PBECCPBECCPBECCPBECCS DS PBECCPBECCS",
                "12C3312C3312C3312C33Z tTZ 12C3312C33Z",
            ),
            (None, TransactionStatus::InTransaction, &unused[..], "CS", "3Z"),
        ];
        for (question, status, unused, sent, expected) in cases {
            let (inquiry, bytes, _) = Inquiry::new(question, unused, status);
            assert_eq!(tags_of(&bytes), sent.replace(' ', ""));
            assert_eq!(
                String::from_utf8_lossy(&inquiry.expected),
                expected.replace(' ', "")
            );
        }
    }

    /// Answers of the server's; gives what is told, or the status where it is not the end.
    fn answered(answers: &[(u8, &[u8])]) -> Option<Reply> {
        let (mut inquiry, _, mut reply) = Inquiry::new(Some(TEXT), &[], TransactionStatus::Idle);
        let mut end = None;
        for (tag, body) in answers {
            assert!(end.is_none(), "it has ended before");
            end = inquiry.answer(*tag, body).ok()?;
        }
        end?;
        assert_eq!(inquiry.tell(), None);
        Some(reply.try_recv().unwrap())
    }

    const ENTERED: &[(u8, &[u8])] = &[
        (b'1', b""),
        (b'2', b""),
        (b'C', b"BEGIN\0"),
        (b'3', b""),
        (b'3', b""),
        (b'1', b""),
        (b'2', b""),
        (b'C', b"SET\0"),
        (b'3', b""),
        (b'3', b""),
        (b'1', b""),
        (b'2', b""),
        (b'C', b"SET\0"),
        (b'3', b""),
        (b'3', b""),
        (b'1', b""),
        (b'2', b""),
        (b'C', b"SET\0"),
        (b'3', b""),
        (b'3', b""),
        (b'Z', b"T"),
    ];
    const LEFT: &[(u8, &[u8])] = &[
        (b'1', b""),
        (b'2', b""),
        (b'C', b"ROLLBACK\0"),
        (b'3', b""),
        (b'3', b""),
        (b'Z', b"I"),
    ];
    const ERROR: &[u8] = b"VERROR\0C42P01\0Mno such thing\0\0";

    #[test]
    fn answers_are_told_and_errors_skip_to_the_end_of_their_unit() {
        let parameters: (u8, &[u8]) = (b't', &[0, 1, 0, 0, 0, 23]);
        let good = [
            ENTERED,
            &[(b'1', b""), parameters, (b'n', b""), (b'Z', b"T")],
            LEFT,
        ]
        .concat();
        let description = answered(&good).unwrap().unwrap();
        assert_eq!(description.parameters, [23]);
        assert_eq!(description.columns, None);
        for middle in [
            &[(b'E', ERROR), (b'Z', &b"E"[..])][..],
            &[(b'1', b""), parameters, (b'E', ERROR), (b'Z', b"E")],
        ] {
            let reply = answered(&[ENTERED, middle, LEFT].concat()).unwrap();
            assert_eq!(reply.unwrap_err().message, "no such thing");
        }
        // Out of turn.
        for middle in [
            &[(b'1', &b""[..]), (b'n', b"")][..],
            &[(b'1', b""), (b'Z', b"T")],
            &[(b'D', b"")],
        ] {
            assert_eq!(answered(&[ENTERED, middle].concat()), None);
        }
    }

    #[test]
    fn what_was_prepared_for_nobody_is_given_back() {
        let (inquiry, _, reply) = Inquiry::new(Some(TEXT), &[], TransactionStatus::Idle);
        drop(reply);
        assert_eq!(inquiry.tell().as_deref(), Some("e"));
    }
}
