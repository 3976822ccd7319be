//! The read shield: what passes because it only reads runs where the server itself refuses writes.
//!
//! Judging may be wrong about a read: a definition may have changed a moment ago, or reach further than anybody
//! sees. So the server is asked, too. Outside of transaction blocks the session's `default_transaction_read_only`
//! is on; inside of one, reads run in a subtransaction (`SAVEPOINT`) that is read-only, which can be left again,
//! as a transaction that has once been read-only cannot. (`check_transaction_read_only` in
//! `src/backend/commands/variable.c`; `CommitSubTransaction` in `src/backend/access/transam/xact.c` restores the
//! outer transaction's mode.)
//!
//! Everything else runs with the shield down, as if it were not there: what has a permit to write, and whatever
//! sets, shows or ends modes and savepoints. So the client sees its own settings, and can lift nothing.
//!
//! Pure: says what is to be asked of the server next, and keeps what it has confirmed. `gate/shielding.rs` asks.
//! Invariant: a read is forwarded only after the server has confirmed that the shield is up.

use crate::model::{Effect, Judged, NameOp, Statement};
use crate::wire::backend::TransactionStatus;
use crate::wire::request;

/// What a text needs of the shield.
///
/// In the order of what is taken where it is not certain which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    /// It runs no data, and changes nothing that the shield is made of.
    Nothing,
    /// It has to do with modes and savepoints: the shield should be down, but need not.
    Modes,
    /// It may write.
    Down,
    /// It passes because it reads.
    Up,
}

/// Something to ask of the server: messages of our own, up to a Sync of our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    /// Outside of transaction blocks, from now on.
    RaiseDefault,
    LowerDefault,
    /// In this transaction block.
    RaiseInBlock,
    LowerInBlock,
}

/// Where it stands on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    Down,
    /// `default_transaction_read_only` is on.
    Default,
    /// The transaction block is in a read-only subtransaction.
    Block,
    /// The implicit transaction at hand is read-only from here to its end.
    Implicit,
    /// Outside of blocks: the client has set `default_transaction_read_only` in a block that was read-only by its
    /// birth, and nobody knows whether that was rolled back.
    Uncertain,
}

/// The shield of one session.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about where it stands"
)]
pub(super) struct Shield {
    is_worn: bool,
    /// The server says how `default_transaction_read_only` stands.
    is_possible: bool,
    position: Position,
    /// The client's own `default_transaction_read_only` is on: then there is nothing to raise.
    client_is_read_only: bool,
    /// The transaction block was begun by a text that also reads: it is read-only from its start to its end.
    is_born_read_only: bool,
    /// The implicit transaction that is read-only to its end is so in whole.
    is_implicit_whole: bool,
    /// The segment of the client's with which that transaction ends.
    implicit_segment: u64,
    /// Something that was cleared and is not answered may begin or end transactions, or change their modes.
    is_in_doubt: bool,
    /// It is being moved: where it stands is not known until that is answered.
    is_moving: bool,
    /// How often in a row moving it has failed.
    failures: u32,
    status: TransactionStatus,
    /// The name of its savepoint, and of its prepared statements and portals; nobody can guess it.
    name: Box<str>,
}

impl Shield {
    /// For a session that passes reads and nothing more. `reported` is what the server says of
    /// `default_transaction_read_only`, which it does from PostgreSQL 14 on: without that, none is worn.
    /// `is_up`: it is up already, beyond that.
    pub(super) fn new(is_wanted: bool, reported: Option<&str>, is_up: bool, name: Box<str>) -> Self {
        Self {
            is_worn: is_wanted && reported.is_some(),
            is_possible: reported.is_some(),
            position: if is_up { Position::Default } else { Position::Down },
            client_is_read_only: reported == Some("on"),
            is_born_read_only: false,
            is_implicit_whole: false,
            implicit_segment: 0,
            is_in_doubt: false,
            is_moving: false,
            failures: 0,
            name,
            status: TransactionStatus::Idle,
        }
    }

    /// Whether the session leaves it up, outside of transaction blocks, with the client's own setting off.
    pub(super) fn is_up_by_default(&self) -> bool {
        self.is_worn && self.position == Position::Default && !self.is_moving && !self.client_is_read_only
    }

    pub(super) fn is_worn(&self) -> bool {
        self.is_worn
    }

    /// Puts it on or off, where policy has changed. What is up stays so until the next statement.
    pub(super) fn wear(&mut self, is_wanted: bool) {
        self.is_worn = is_wanted && self.is_possible;
    }

    /// Whether anything has to be asked, or answered, before what needs `need` goes upstream.
    pub(super) fn is_ready(&self, need: Need) -> bool {
        if need == Need::Nothing || !(self.is_worn || self.is_moving || self.position != Position::Down) {
            return true;
        }
        !self.is_in_doubt && !self.is_moving && self.next(need).is_none()
    }

    /// What to ask of the server, all before being answered.
    pub(super) fn next(&self, need: Need) -> Option<Move> {
        match (need, self.status, self.position) {
            // The server refuses everything but the end of the transaction, which needs nothing.
            (Need::Nothing, _, _) | (_, TransactionStatus::Failed, _) => None,
            // One that another session has left up, or that policy no longer wants, is in the way of what reads and then writes.
            (Need::Up, TransactionStatus::Idle, Position::Default) if !self.is_worn => {
                Some(Move::LowerDefault)
            }
            (Need::Up, _, _) if !self.is_worn => None,
            (Need::Up, TransactionStatus::Idle, Position::Down) => {
                (!self.client_is_read_only).then_some(Move::RaiseDefault)
            }
            (Need::Up, TransactionStatus::InTransaction, Position::Down) => {
                (!self.is_born_read_only).then_some(Move::RaiseInBlock)
            }
            (Need::Up, TransactionStatus::Idle, Position::Uncertain) => Some(Move::RaiseDefault),
            (Need::Down | Need::Modes, TransactionStatus::Idle, Position::Default | Position::Uncertain) => {
                Some(Move::LowerDefault)
            }
            (Need::Down | Need::Modes, TransactionStatus::InTransaction, Position::Block) => {
                Some(Move::LowerInBlock)
            }
            // What is read-only to its end stays so.
            (Need::Up | Need::Down | Need::Modes, _, _) => None,
        }
    }

    /// What to raise while the client is not waiting for anything, so that its next read need not.
    pub(super) fn ahead(&self, was_in_block: bool) -> Option<Move> {
        // Who has just ended a block begins the next one with the shield down.
        let is_pointless = was_in_block && self.status == TransactionStatus::Idle;
        if self.is_in_doubt || self.is_moving || is_pointless {
            return None;
        }
        self.next(Need::Up)
    }

    /// The server is asked to move it.
    pub(super) fn moves(&mut self) {
        self.is_moving = true;
    }

    /// The server has done as it was asked.
    pub(super) fn moved(&mut self, done: Move) {
        self.is_moving = false;
        self.failures = 0;
        self.position = match done {
            Move::RaiseDefault => Position::Default,
            Move::RaiseInBlock => Position::Block,
            Move::LowerDefault | Move::LowerInBlock => Position::Down,
        };
    }

    /// The rest of the implicit transaction at hand is made read-only, in the middle of its pipeline. `is_whole`: it is
    /// certainly in no subtransaction, with whose end the server takes that back (`CommitSubTransaction` and
    /// `AbortSubTransaction` in `src/backend/access/transam/xact.c`).
    /// `segment`: the client's, which ends with the transaction.
    pub(super) fn raised_to_its_end(&mut self, is_whole: bool, segment: u64) {
        self.position = Position::Implicit;
        self.implicit_segment = segment;
        self.is_implicit_whole = is_whole;
        self.is_in_doubt = false;
    }

    /// The server was too slow to move it, outside of blocks. Whether to try again.
    pub(super) fn failed_to_move(&mut self) -> bool {
        self.is_moving = false;
        self.failures += 1;
        self.failures <= MAX_FAILURES
    }

    /// Whether what stands in this segment comes behind the end of the transaction that is read-only to its end: the server
    /// has yet to say that it is over, and what is sent before is in another.
    pub(super) fn is_over_in(&self, segment: u64) -> bool {
        self.position == Position::Implicit && self.implicit_segment != segment
    }

    /// Whether the implicit transaction at hand is read-only to its end.
    pub(super) fn lasts_to_its_end(&self) -> bool {
        self.position == Position::Implicit
    }

    /// Whether it cannot be lowered before the transaction at hand has ended, or it is not known which that is.
    pub(super) fn is_fixed(&self) -> bool {
        self.is_in_doubt || self.is_moving || self.position == Position::Implicit
    }

    /// Whether the transaction at hand can write, whatever people say.
    pub(super) fn forbids_writes(&self) -> bool {
        self.is_born_read_only && self.status == TransactionStatus::InTransaction
    }

    /// Something is cleared to be executed that may begin or end transactions, or change their modes.
    pub(super) fn doubt(&mut self) {
        self.is_in_doubt = true;
    }

    /// ReadyForQuery for the client. `all`: everything is answered.
    pub(super) fn ready(&mut self, status: TransactionStatus, all: bool) {
        match status {
            TransactionStatus::Idle => {
                self.is_born_read_only = false;
                if matches!(self.position, Position::Block | Position::Implicit) {
                    self.position = Position::Down;
                }
            }
            TransactionStatus::InTransaction => {
                self.is_born_read_only |= match self.position {
                    Position::Default => true,
                    Position::Implicit => self.is_implicit_whole,
                    _ => false,
                };
                if self.position == Position::Implicit {
                    self.position = Position::Down;
                }
                // It was rolled back to a savepoint from before.
                if self.status == TransactionStatus::Failed && self.position == Position::Block {
                    self.position = Position::Down;
                }
            }
            TransactionStatus::Failed => {}
        }
        self.status = status;
        if all {
            self.is_in_doubt = false;
        }
    }

    /// The server reports `default_transaction_read_only`, and not because we have changed it.
    pub(super) fn reported(&mut self, value: &[u8]) {
        if self.is_born_read_only {
            // In there, what the client sets and what it rolls back look alike.
            self.position = Position::Uncertain;
            return;
        }
        self.client_is_read_only = value == b"on";
        if matches!(self.position, Position::Default | Position::Uncertain) && !self.client_is_read_only {
            self.position = Position::Down;
        }
    }

    /// Whether a text cannot be shielded although it reads: it may undo the shield before it does, or runs on when
    /// the transaction commits.
    pub(super) fn is_slipped_by(&self, judged: &Judged) -> bool {
        if !self.is_worn || judged.effect() > Effect::Read {
            return false;
        }
        let is_alone = judged.statements.len() < 2;
        let in_block = self.status != TransactionStatus::Idle;
        if judged
            .statements
            .iter()
            .any(|statement| statement.facts.sets.with_hold)
            && (!is_alone || (in_block && !self.forbids_writes()))
        {
            return true;
        }
        let (mut has_read, mut is_undone) = (false, false);
        !is_alone
            && judged.statements.iter().any(|statement| {
                let slips = is_undone && reads(statement);
                has_read |= reads(statement);
                // Outside of blocks, what has read may have set what the next transaction begins with.
                is_undone |= statement.facts.sets.read_only
                    || (statement.transaction_control && (in_block || has_read));
                slips
            })
    }
}

/// What a text needs; names in it resolved.
pub(super) fn need_of(judged: &Judged) -> Need {
    let statements = &judged.statements;
    if judged.effect() > Effect::Read {
        Need::Down
    } else if matches!(&statements[..], [only] if is_only_about_modes(only)) {
        Need::Modes
    } else if statements.iter().any(reads) {
        Need::Up
    } else if statements.iter().any(has_to_do_with_modes) {
        Need::Modes
    } else {
        Need::Nothing
    }
}

/// A SELECT of nothing but what sets modes, or what is not done in a subtransaction.
fn is_only_about_modes(statement: &Statement) -> bool {
    let facts = &statement.facts;
    let is_sole = |function: &String| {
        matches!(
            function.strip_prefix("pg_catalog.").unwrap_or(function),
            "set_config" | "pg_export_snapshot"
        )
    };
    let exports = || {
        facts
            .functions
            .iter()
            .any(|function| function.ends_with("pg_export_snapshot"))
    };
    facts.tables.is_empty()
        && statement.name_op.is_none()
        && !facts.functions.is_empty()
        && facts.functions.iter().all(is_sole)
        && (facts.sets.read_only || exports())
}

fn reads(statement: &Statement) -> bool {
    statement.facts.effect == Effect::Read
        || matches!(
            statement.name_op,
            Some(NameOp::Fetch { .. } | NameOp::Execute { .. })
        )
}

/// What ends a transaction as a whole ends the shield in it with it.
fn has_to_do_with_modes(statement: &Statement) -> bool {
    let command = statement.facts.commands.first().map_or("", String::as_str);
    let ends = matches!(command, "COMMIT" | "ROLLBACK") && !statement.facts.sets.read_only;
    statement.facts.sets.read_only || (statement.transaction_control && !ends)
}

/// What executing a text does to the transactions that the shield goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Control {
    /// It begins or ends one for certain, and does nothing else: a Sync behind it changes nothing.
    pub(super) ends: bool,
    /// It may begin or end some, or change their modes.
    pub(super) is_possible: bool,
    /// It may begin or end a subtransaction, or do other things than begin a transaction.
    pub(super) nests: bool,
}

impl Control {
    /// Of what nobody knows.
    pub(super) const UNKNOWN: Self = Self {
        ends: false,
        is_possible: true,
        nests: true,
    };

    /// Of a text, the names in it resolved.
    pub(super) fn of(judged: &Judged) -> Self {
        let statements = &judged.statements;
        let ends = matches!(&statements[..], [only] if only.transaction_control && only.facts.effect == Effect::Session
            && matches!(only.facts.commands.first().map(String::as_str),
                Some("BEGIN" | "START TRANSACTION" | "COMMIT" | "ROLLBACK")));
        let is_control =
            |statement: &Statement| statement.transaction_control || statement.facts.sets.read_only;
        let is_possible = statements.iter().any(is_control) || judged.effect() == Effect::Unknown;
        let begins = |statement: &Statement| {
            let command = statement.facts.commands.first().map(String::as_str);
            matches!(command, Some("BEGIN" | "START TRANSACTION"))
        };
        Self {
            ends,
            is_possible,
            nests: is_possible && !(ends && statements.iter().all(begins)),
        }
    }

    /// Of one or the other.
    pub(super) const fn or(self, other: Self) -> Self {
        Self {
            ends: self.ends && other.ends,
            is_possible: self.is_possible || other.is_possible,
            nests: self.nests || other.nests,
        }
    }
}

/// After so many failures in a row the session ends.
const MAX_FAILURES: u32 = 3;

impl Move {
    /// Its commands, with the savepoint's name where it has one.
    fn commands(self, name: &str) -> Vec<String> {
        match self {
            Self::RaiseDefault => vec!["SET default_transaction_read_only = on".to_owned()],
            Self::LowerDefault => vec!["SET default_transaction_read_only = off".to_owned()],
            Self::RaiseInBlock => vec![
                format!("SAVEPOINT {name}"),
                "SET LOCAL transaction_read_only = on".to_owned(),
            ],
            Self::LowerInBlock => vec![format!("RELEASE SAVEPOINT {name}")],
        }
    }

    /// The tags with which its commands complete.
    pub(super) const fn tags(self) -> &'static [&'static str] {
        match self {
            Self::RaiseDefault | Self::LowerDefault => &["SET"],
            Self::RaiseInBlock => &["SAVEPOINT", "SET"],
            Self::LowerInBlock => &["RELEASE"],
        }
    }
}

/// What answers each [`command`], in this order.
pub(super) const ANSWERS: [u8; 5] = *b"12C33";

impl Shield {
    /// The messages of a move, up to a Sync. In the extended protocol, since a Query would drop the client's
    /// unnamed statement; by a name of our own, closed again.
    pub(super) fn encode(&self, one: Move) -> Vec<u8> {
        let mut out = Vec::new();
        // One that was cut off may have left what it was prepared as.
        let name = match self.failures {
            0 => self.name.to_string(),
            failures => format!("{}_{failures}", self.name),
        };
        for text in one.commands(&self.name) {
            command(name.as_bytes(), &text, &mut out);
        }
        out.extend_from_slice(request::SYNC);
        out
    }

    /// Messages that make the rest of an implicit transaction read-only, without a Sync, which would end it.
    pub(super) fn encode_to_its_end(&self) -> Vec<u8> {
        let mut out = Vec::new();
        command(self.name.as_bytes(), "SET transaction_read_only = on", &mut out);
        out
    }
}

/// A command of our own by a name of our own: Parse, Bind, Execute, Close of both.
pub(super) fn command(name: &[u8], text: &str, out: &mut Vec<u8>) {
    request::parse(name, text.as_bytes(), &[], out);
    request::bind(name, name, out);
    request::execute(name, out);
    request::close_portal(name, out);
    request::close_statement(name, out);
}

#[cfg(test)]
mod tests;
