//! What the names in a text stand for: SQL `EXECUTE` joined with what it executes, `FETCH` with its cursor.
//!
//! Pure: asks the session's [`Names`] and [`Cursors`], changes neither.

use std::sync::Arc;

use bytes::Bytes;

use crate::model::{Effect, Facts, Judged, NameOp, Statement};
use crate::session::cursors::Cursors;
use crate::session::names::{Lookup, Names, Prepared};

/// What the names in a text stand for; empty where that matters to nothing.
#[derive(Debug, Clone, Default)]
pub(in crate::session) struct Joined {
    /// What it executes by name, in the order of the text.
    pub(in crate::session) used: Vec<Prepared>,
    /// What it does with what its names stand for in it, or with why that is in doubt; `None`: what it does by itself.
    pub(in crate::session) judged: Option<Arc<Judged>>,
}

impl Joined {
    /// What a text with this judgement does, with what its names stand for.
    pub(in crate::session) fn does<'j>(&'j self, judged: &'j Judged) -> &'j Judged {
        self.judged.as_deref().unwrap_or(judged)
    }
}

/// What became of resolving a text.
pub(super) enum Resolved {
    As {
        judged: Arc<Judged>,
        /// What its names stand for.
        used: Vec<Prepared>,
        /// Set where a name stands for something that is not known here. Then `judged` is `unknown`.
        doubt: Option<Doubt>,
    },
    Unanswered,
}

/// Why it is not known what a name stands for.
pub(super) enum Doubt {
    /// Nothing of this name was prepared before the eyes of the session. A function may have done it.
    Missing(String),
    /// The server may know the same name by other bytes.
    NotAscii,
}

/// Joins what SQL `EXECUTE` names with what it would execute: a PREPARE before it in the same text, or
/// what the session knows. `is_moved`: whether what a portal of this name names stands for something else by now.
pub(super) fn resolve(
    judged: &Judged,
    names: &Names,
    cursors: &Cursors,
    segment: u64,
    is_moved: &dyn Fn(&[u8]) -> bool,
) -> Resolved {
    let mut prepared_here: Vec<(&str, Prepared)> = Vec::new();
    let mut used = Vec::new();
    let mut doubt = None;
    let mut statements: Vec<Statement> = Vec::with_capacity(judged.statements.len());
    let (mut moved, mut moved_by_name) = (false, false);
    for statement in &judged.statements {
        let mut statement = Statement::clone(statement);
        let op = judged_op(judged, statements.len());
        // What it executes was judged where it was prepared; what the text itself says, with what it says before.
        let is_by_name = matches!(op, Some(NameOp::Execute { .. }));
        if moved_by_name || (moved && is_by_name) {
            statement.facts.absorb(&Facts::unknown(MOVED));
        }
        match op {
            Some(op) if is_ambiguous(op) => {
                statement.facts.absorb(&Facts::unknown(NOT_ASCII));
                doubt.get_or_insert(Doubt::NotAscii);
            }
            Some(NameOp::Prepare { name, prepared }) => {
                prepared_here.push((name, Prepared::Sql(Arc::clone(prepared), None)));
            }
            Some(NameOp::Execute { .. }) if used.len() >= MOST => {
                statement.facts.absorb(&Facts::unknown(TOO_MANY));
            }
            Some(NameOp::Execute { name }) => {
                let here = prepared_here
                    .iter()
                    .rfind(|(n, _)| n == name)
                    .map(|(_, p)| p.clone());
                let known = match (here, names.lookup(name.as_bytes(), segment)) {
                    (_, Lookup::Unanswered) => return Resolved::Unanswered,
                    // The PREPARE in the text fails where the name exists, and then nothing behind it runs.
                    (Some(here), _) => here,
                    (None, Lookup::Known(known)) => known.clone(),
                    (None, Lookup::Missing) => {
                        statement.facts.absorb(&Facts::unknown(UNSEEN));
                        doubt.get_or_insert_with(|| Doubt::Missing(name.clone()));
                        statements.push(statement);
                        continue;
                    }
                };
                absorb(&mut statement.facts, &known);
                used.push(known);
            }
            Some(NameOp::Fetch { name }) => {
                if let Some(facts) = cursors.facts(name.as_bytes()) {
                    statement.facts.absorb(&facts);
                }
                if is_moved(name.as_bytes()) {
                    statement.facts.absorb(&Facts::unknown(MOVED_SINCE_BIND));
                }
            }
            _ => {}
        }
        let may_move = statement.facts.sets.search_path || statement.facts.effect == Effect::Unknown;
        moved |= may_move;
        moved_by_name |= may_move && matches!(op, Some(NameOp::Execute { .. } | NameOp::Fetch { .. }));
        statements.push(statement);
    }
    Resolved::As {
        judged: Arc::new(Judged {
            statements,
            gist: crate::model::Gist::None,
        }),
        used,
        doubt,
    }
}

pub(super) const UNSEEN: &str =
    "it executes a prepared statement that this session has not seen being prepared";
const MOVED: &str = "the same text may move the search path before it";
const MOVED_SINCE_BIND: &str =
    "it may fetch from a portal that looks its names up now, which the session has moved since it was bound";
/// So many names are followed in one text.
const MOST: usize = 1000;
const TOO_MANY: &str = "it executes more prepared statements than are looked at in one text";
const NOT_ASCII: &str =
    "it names a prepared statement by a name that is not ASCII, which may stand for another here";

fn judged_op(judged: &Judged, at: usize) -> Option<&NameOp> {
    judged.statements.get(at).and_then(|s| s.name_op.as_ref())
}

fn absorb(facts: &mut Facts, prepared: &Prepared) {
    match prepared {
        Prepared::Sql(sql, _) => facts.absorb(&sql.facts),
        Prepared::Protocol { judged, .. } => {
            facts.absorb(&judged.joined_facts());
            if judged
                .statements
                .iter()
                .any(|s| matches!(s.name_op, Some(NameOp::Execute { .. })))
            {
                // PostgreSQL has no EXECUTE of an EXECUTE; what claims to be one is not judged.
                facts.absorb(&Facts::unknown("it executes a statement that executes another"));
            }
            // SQL prepares queries alone, the protocol anything: BEGIN, a savepoint's RELEASE, SET.
            if !judged.statements.iter().all(is_query) {
                facts.absorb(&Facts::unknown("it executes by name what is no query"));
            }
        }
    }
}

/// Whether it is a query, which the server plans, or nothing at all; not a utility statement.
pub(super) fn is_query(statement: &Statement) -> bool {
    statement.facts.commands.first().is_some_and(|command| {
        matches!(
            command.as_str(),
            "SELECT" | "INSERT" | "UPDATE" | "DELETE" | "MERGE" | "SELECT INTO" | "EMPTY"
        )
    })
}

/// Whether it names what the catalogue at hand does not know.
pub(in crate::session) fn is_unresolved(judged: &Judged) -> bool {
    judged
        .statements
        .iter()
        .any(|statement| statement.facts.unresolved)
}

/// A single statement with these facts.
pub(super) fn judged_alone(facts: Facts) -> Arc<Judged> {
    Arc::new(Judged {
        statements: vec![Statement {
            facts,
            name_op: None,
            transaction_control: false,
        }],
        gist: crate::model::Gist::None,
    })
}

/// Whether one of the statements may be a COPY FROM STDIN.
pub(super) fn may_copy(judged: &Judged) -> bool {
    judged.statements.iter().any(|statement| {
        let facts = &statement.facts;
        facts.effect == Effect::Unknown
            || (facts.effect == Effect::Write && facts.commands.iter().any(|command| command == "COPY"))
    })
}

/// Whether a statement of the text executes a name.
pub(super) fn executes(judged: &Judged) -> bool {
    judged
        .statements
        .iter()
        .any(|s| matches!(s.name_op, Some(NameOp::Execute { .. })))
}

/// Whether it stands in the place of a statement that holdpoint answers itself.
pub(super) fn is_own(judged: &Judged) -> bool {
    matches!(&judged.statements[..], [only] if matches!(only.name_op, Some(NameOp::Own { .. })))
}

/// Whether the text names prepared statements in any way.
pub(super) fn changes_names(judged: &Judged) -> bool {
    let cursor = |op: &NameOp| matches!(op, NameOp::Declare { .. } | NameOp::Fetch { .. });
    judged
        .statements
        .iter()
        .any(|s| s.name_op.as_ref().is_some_and(|op| !cursor(op)))
}

/// Whether it may leave more in the server's process than `DISCARD ALL` takes back: definitions, libraries, settings of
/// extensions' and applications' own, which are then no longer as if they had never been set. An SQL `EXECUTE` may run
/// anything that was prepared.
pub(super) fn leaves_traces(judged: &Judged) -> bool {
    let leaves = |facts: &Facts| facts.effect > Effect::Write || facts.sets.seed;
    judged.statements.iter().any(|statement| {
        leaves(&statement.facts)
            || match &statement.name_op {
                Some(NameOp::Execute { .. }) => true,
                Some(NameOp::Prepare { prepared, .. }) => leaves(&prepared.facts),
                _ => false,
            }
    })
}

/// Whether it fetches from a cursor.
pub(super) fn fetches(statement: &Statement) -> bool {
    matches!(statement.name_op, Some(NameOp::Fetch { .. }))
}

/// Whether it names what the server may know under other bytes (see `intake::plain_name`). A cursor that only
/// reads may have any name.
pub(super) fn is_ambiguous(op: &NameOp) -> bool {
    match op {
        NameOp::Prepare { name, .. } | NameOp::Execute { name } | NameOp::Deallocate { name } => {
            !name.is_ascii()
        }
        NameOp::DeallocateAll
        | NameOp::DiscardAll
        | NameOp::Declare { .. }
        | NameOp::Fetch { .. }
        | NameOp::Own { .. } => false,
    }
}

/// The text with what its EXECUTEs stand for, so that people see what would run.
pub(in crate::session) fn with_prepared(text: &[u8], resolved: &[Prepared]) -> Bytes {
    if resolved.is_empty() {
        return Bytes::copy_from_slice(text);
    }
    let mut shown = text.to_vec();
    // As often as it is executed: a short text could ask for more than there is room for.
    for prepared in Prepared::distinct(resolved) {
        shown.extend_from_slice(b"\n\n-- which was prepared as:\n");
        match prepared {
            Prepared::Sql(sql, _) => shown.extend_from_slice(sql.text.as_bytes()),
            Prepared::Protocol {
                source: Some(source), ..
            } => shown.extend_from_slice(source.text()),
            Prepared::Protocol { source: None, .. } => {
                shown.extend_from_slice(b"-- (a statement that passed by itself)");
            }
        }
    }
    Bytes::from(shown)
}
