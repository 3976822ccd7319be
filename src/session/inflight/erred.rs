//! What an ErrorResponse ends, and whose it is.

use super::copy::Copying;
use super::open::Open;
use super::{Expect, Inflight, Relay, Seen};
use crate::session::names::Names;
use crate::wire::Report;
use crate::wire::backend::ServerError;

/// The function that reports what comes while the server waits: a timeout, or on a standby what stands in the way of recovery.
const INTERRUPTS: &str = "ProcessInterrupts";
/// What it says of a cancel request, which it does not report while it waits for the client.
const CANCELLED: &str = "canceling statement due to user request";

/// The function that refuses a Parse of several statements, after the grammar has taken them.
const TAKES_ONE_STATEMENT: &str = "exec_parse_message";

/// The function that reads the data of a COPY.
const READS_COPY_DATA: &str = "CopyGetData";
/// What it says to a CopyFail (`query_canceled`).
const COPY_FAILED: &str = "57014";

/// What an ErrorResponse means.
#[derive(Debug, PartialEq)]
pub(in crate::session) struct Erred {
    /// For the client.
    pub(in crate::session) relay: Relay,
    /// Which approved statement it hit.
    pub(in crate::session) seen: Seen,
    /// The server now discards everything until a Sync that has not been forwarded yet.
    pub(in crate::session) skipping: bool,
    /// It cannot be told whether it does.
    pub(in crate::session) is_lost: bool,
    /// It is the answer to a CopyFail of ours: until then the COPY took data.
    pub(in crate::session) copy_failed: bool,
}

impl Erred {
    fn pass(seen: Seen) -> Self {
        Self {
            relay: Relay::Pass,
            seen,
            skipping: false,
            is_lost: false,
            copy_failed: false,
        }
    }
}

impl Inflight {
    /// ErrorResponse.
    pub(in crate::session) fn error(&mut self, error: &ServerError, names: &mut Names) -> Erred {
        let failing = std::mem::replace(&mut self.copying, Copying::No) == Copying::Failing;
        let pass = Erred::pass;
        if error.ends_session() {
            // Nothing follows it: it belongs to the session, not to the statement at the front.
            return pass(Seen::default());
        }
        if failing && error.sqlstate == COPY_FAILED && error.routine == READS_COPY_DATA {
            return Erred {
                relay: Relay::Swallow,
                copy_failed: true,
                ..pass(Seen::default())
            };
        }
        self.drop_unanswered();
        if let Some(of_none) = self.error_of_none(error) {
            return of_none;
        }
        match self.front() {
            Some(Expect::Query { run, .. } | Expect::Call { run, .. }) => pass(Seen { run: *run, rows: 0 }),
            // It may have been that of a Flush before, too, and a query skipped; but who sends a query waits for its end.
            Some(Expect::Pause {
                before_query: true,
                failed,
            }) if error.routine == INTERRUPTS => {
                *failed = true;
                pass(Seen::default())
            }
            // The client's segment goes on behind the pause: it is skipped as behind any error.
            Some(Expect::Pause { .. }) => Erred {
                skipping: true,
                ..pass(Seen::default())
            },
            Some(Expect::Probe {
                accepted,
                in_transaction: false,
            }) if error.routine == TAKES_ONE_STATEMENT => {
                // It is SQL, several statements of it.
                *accepted = true;
                Erred {
                    relay: Relay::Swallow,
                    ..pass(Seen::default())
                }
            }
            // Its ReadyForQuery is due in either case; it is the client's, as the error is.
            Some(Expect::Probe { .. } | Expect::Sync(_) | Expect::RollBack { simple: true, .. }) | None => {
                pass(Seen::default())
            }
            Some(Expect::Poison {
                simple: true, report, ..
            }) => {
                let report = std::mem::replace(report, Box::new(Report::notice("")));
                Erred {
                    relay: Relay::Replace(report),
                    ..pass(Seen::default())
                }
            }
            Some(_) => self.extended_error(names),
        }
    }

    /// An error that comes where nothing is awaited, or that may be that of a message which is not answered otherwise
    /// (see `open.rs`).
    fn error_of_none(&mut self, error: &ServerError) -> Option<Erred> {
        let Open {
            begun,
            flushed,
            stray,
        } = self.open;
        let is_simple = matches!(
            self.queue.front(),
            Some(
                Expect::Query { .. }
                    | Expect::Call { .. }
                    | Expect::Poison { simple: true, .. }
                    | Expect::RollBack { simple: true, .. }
            )
        );
        let lost = Erred {
            is_lost: true,
            ..Erred::pass(Seen::default())
        };
        match self.queue.front() {
            _ if stray => Some(lost),
            None if flushed => {
                self.segment_ended();
                Some(Erred {
                    skipping: true,
                    ..Erred::pass(Seen::default())
                })
            }
            None => Some(lost),
            // Was it that of the Flush, this is skipped, too; else it has failed, and the server is ready.
            Some(_) if is_simple && begun && flushed => {
                let may_be_earlier = error.routine == INTERRUPTS && error.message != CANCELLED;
                may_be_earlier.then_some(lost)
            }
            Some(_) => None,
        }
    }

    /// In the extended protocol an error ends everything up to Sync.
    fn extended_error(&mut self, names: &mut Names) -> Erred {
        let mut erred = Erred::pass(Seen::default());
        let mut first = true;
        while let Some(expect) = self.queue.front() {
            match expect {
                Expect::Sync(_) => return erred,
                // Here the server stops skipping; for the client, the segment goes on to its own Sync.
                Expect::Pause { .. } => break,
                _ => {}
            }
            // A simple query behind the error is discarded too, with the ReadyForQuery it would have had.
            match self.take_front() {
                Some(Expect::Poison { report, .. }) if first => erred.relay = Relay::Replace(report),
                Some(Expect::Execute { run, .. }) if first => erred.seen.run = run,
                Some(Expect::Parse { name, .. }) => names.parse_failed(name.as_deref()),
                _ => {}
            }
            first = false;
        }
        self.segment_ended();
        erred.skipping = true;
        erred
    }
}
