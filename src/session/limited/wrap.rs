//! The commands that stand around a statement: those of a transaction, or of a savepoint in the client's.

use crate::wire::backend::TransactionStatus;

/// What stands around the statement.
#[derive(Debug)]
pub(super) struct Wrap {
    /// A name that nobody can guess, of our prepared statements and portals, and of the savepoint.
    pub(super) name: String,
    /// The client is in a transaction block of its own.
    pub(super) in_block: bool,
}

impl Wrap {
    pub(super) fn new(in_block: bool) -> Self {
        Self {
            name: format!("_holdpoint_rows_{:016x}", rand::random::<u64>()),
            in_block,
        }
    }

    pub(super) fn begin(&self) -> (String, &'static str) {
        if self.in_block {
            (format!("SAVEPOINT {}", self.name), "SAVEPOINT")
        } else {
            ("BEGIN".to_owned(), "BEGIN")
        }
    }

    pub(super) fn keep(&self) -> (String, &'static str) {
        if self.in_block {
            (format!("RELEASE SAVEPOINT {}", self.name), "RELEASE")
        } else {
            ("COMMIT".to_owned(), "COMMIT")
        }
    }

    pub(super) fn undo(&self) -> Vec<(String, &'static str)> {
        if self.in_block {
            let back = format!("ROLLBACK TO SAVEPOINT {}", self.name);
            vec![(back, "ROLLBACK"), self.keep()]
        } else {
            vec![("ROLLBACK".to_owned(), "ROLLBACK")]
        }
    }

    /// Where the client's transaction stands without it.
    pub(super) const fn outside(&self) -> TransactionStatus {
        if self.in_block {
            TransactionStatus::InTransaction
        } else {
            TransactionStatus::Idle
        }
    }
}
