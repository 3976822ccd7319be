//! The session's prepared statements. SQL `PREPARE` and protocol Parse share one namespace.
//!
//! A name is known for certain only once the server has answered. Within one segment (up to Sync)
//! a Bind may rely on the Parse before it: if that fails, the server skips the Bind too. Across
//! segments it must wait for the answer ([`Lookup::Unanswered`]).
//!
//! Portals need no list: whatever creates one (Bind, DECLARE) is judged when it does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use hashbrown::{HashMap, HashSet};

use crate::model::{Effect, Facts, Gist, Judged, NameOp, PreparedSql};

/// A prepared statement as judged.
#[derive(Debug, Clone)]
pub(super) enum Prepared {
    /// By the protocol's Parse.
    Protocol {
        judged: Arc<Judged>,
        /// The text and the types given for its parameters; `None` where policy let it pass when it
        /// was parsed, and its text was not worth keeping.
        source: Option<Source>,
        /// The number of the sight that it was judged by (`sql::Sight`).
        sight: u64,
    },
    /// By SQL `PREPARE`; its bytes count as those of a [`Source`] do, where the session keeps it.
    Sql(Arc<PreparedSql>, Option<Arc<Charge>>),
}

/// What was parsed, for showing it to people. Its bytes count against the session's budget while any
/// clone of it is kept.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) types: Arc<[u32]>,
    kept: Arc<Kept>,
}

impl Source {
    /// Keeps the text of this judgement: what the judgement keeps of it, if that is all of it, else a copy. `is_certain`: the
    /// server reads the same characters in it.
    pub(super) fn new(
        text: &[u8],
        judged: &Judged,
        types: &[u32],
        is_certain: bool,
        budget: &Arc<AtomicUsize>,
    ) -> Self {
        let charge = Charge::of(text.len() + size_of_val(types), budget);
        let text = match &judged.gist {
            Gist::Whole(whole) if **whole == *text => Arc::clone(whole),
            _ => text.into(),
        };
        Self {
            // Most give none, and an empty one takes no memory.
            types: if types.is_empty() {
                Arc::default()
            } else {
                types.into()
            },
            kept: Arc::new(Kept {
                text,
                is_certain,
                _charge: charge,
            }),
        }
    }

    /// The text.
    pub(super) fn text(&self) -> &[u8] {
        &self.kept.text
    }
}

/// A text, and what was taken for it.
#[derive(Debug)]
struct Kept {
    text: Arc<[u8]>,
    /// The server reads the same characters.
    is_certain: bool,
    _charge: Charge,
}

/// Bytes taken from a budget; given back when dropped.
#[derive(Debug)]
pub(super) struct Charge {
    bytes: usize,
    budget: Arc<AtomicUsize>,
}

impl Charge {
    fn of(bytes: usize, budget: &Arc<AtomicUsize>) -> Self {
        budget.fetch_add(bytes, Ordering::Relaxed);
        Self {
            bytes,
            budget: Arc::clone(budget),
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Prepared {
    /// Whether both stand for the very same PREPARE or Parse. A judgement alone does not tell: texts that differ in numbers
    /// share one. Where no text is kept, whoever was asked has not seen one either.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Protocol {
                    judged: a,
                    source: of_a,
                    ..
                },
                Self::Protocol {
                    judged: b,
                    source: of_b,
                    ..
                },
            ) => {
                let is_same_source = match (of_a, of_b) {
                    (Some(a), Some(b)) => Arc::ptr_eq(&a.kept, &b.kept),
                    (None, None) => a.effect() <= Effect::Read,
                    _ => false,
                };
                is_same_source && Arc::ptr_eq(a, b)
            }
            (Self::Sql(a, _), Self::Sql(b, _)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl Prepared {
    /// Each of them once, in their order.
    pub(super) fn distinct(all: &[Self]) -> impl Iterator<Item = &Self> {
        let mut seen = HashSet::new();
        all.iter().filter(move |prepared| seen.insert(prepared.address()))
    }

    /// The same for the same PREPARE or Parse alone, while it is kept.
    fn address(&self) -> usize {
        match self {
            Self::Protocol {
                source: Some(source), ..
            } => Arc::as_ptr(&source.kept).addr(),
            Self::Protocol { judged, .. } => Arc::as_ptr(judged).addr(),
            Self::Sql(prepared, _) => Arc::as_ptr(prepared).addr(),
        }
    }

    /// Whether holdpoint answers it.
    pub(super) fn is_own(&self) -> bool {
        let own = |judged: &Judged| matches!(&judged.statements[..], [only] if matches!(only.name_op, Some(NameOp::Own { .. })));
        matches!(self, Self::Protocol { judged, .. } if own(judged))
    }

    /// The number of the sight that it was judged by.
    pub(super) fn sight(&self) -> u64 {
        match self {
            Self::Protocol { sight, .. } => *sight,
            Self::Sql(prepared, _) => prepared.sight,
        }
    }

    /// Whether the server has read the same characters in its text. SQL in which it might not is none that is known here.
    pub(super) fn is_certain(&self) -> bool {
        match self {
            Self::Protocol { source, .. } => source.as_ref().is_some_and(|source| source.kept.is_certain),
            Self::Sql(..) => true,
        }
    }

    /// The types of its parameters, as far as they are known.
    pub(super) fn types(&self) -> Arc<[u32]> {
        match self {
            Self::Protocol {
                source: Some(source), ..
            } => Arc::clone(&source.types),
            Self::Protocol { .. } | Self::Sql(..) => Arc::default(),
        }
    }

    /// Its text, where it was kept.
    pub(super) fn text(&self) -> Option<Bytes> {
        match self {
            Self::Protocol { source, .. } => source
                .as_ref()
                .map(|source| Bytes::copy_from_slice(source.text())),
            Self::Sql(prepared, _) => Some(Bytes::copy_from_slice(prepared.text.as_bytes())),
        }
    }

    /// The same, judged anew as `judged`, which is the judgement of its text.
    pub(super) fn rejudged(&self, judged: Arc<Judged>, number: u64) -> Self {
        match self {
            Self::Protocol { source, .. } => Self::Protocol {
                judged,
                source: source.clone(),
                sight: number,
            },
            Self::Sql(old, charge) => {
                let again = judged
                    .statements
                    .iter()
                    .find_map(|statement| match &statement.name_op {
                        Some(NameOp::Prepare { prepared, .. }) => Some(Arc::clone(prepared)),
                        _ => None,
                    });
                let again = again.unwrap_or_else(|| {
                    Arc::new(PreparedSql {
                        facts: Facts::unknown("it could not be judged again"),
                        sight: number,
                        ..PreparedSql::clone(old)
                    })
                });
                Self::Sql(again, charge.clone())
            }
        }
    }
}

/// What is known of a name.
#[derive(Debug)]
pub(super) enum Lookup<'a> {
    /// This is what it stands for, or the server does not know the name.
    Known(&'a Prepared),
    /// There is no such prepared statement.
    Missing,
    /// The server has not answered yet what decides it.
    Unanswered,
}

#[derive(Debug, Default)]
struct Slot {
    committed: Option<Prepared>,
    /// The latest not answered yet, with the segment it stands in.
    pending: Option<(u64, Prepared)>,
    /// How many are not answered yet.
    unanswered: u32,
}

impl Slot {
    fn answered(&mut self) {
        self.unanswered = self.unanswered.saturating_sub(1);
        if self.unanswered == 0 {
            self.pending = None;
        }
    }

    fn is_blank(&self) -> bool {
        self.committed.is_none() && self.unanswered == 0
    }
}

/// The namespace.
#[derive(Debug, Default)]
pub(super) struct Names {
    unnamed: Slot,
    named: HashMap<Box<[u8]>, Slot>,
    /// Whether a name was announced whose completion may never be answered (SQL `PREPARE`).
    announced_sql: bool,
    /// Bytes of the texts that are kept, those of SQL `PREPARE` among them.
    pub(super) kept: Arc<AtomicUsize>,
}

/// The server's names end after this many bytes (`NAMEDATALEN` − 1): what is longer is cut, and two names
/// that begin alike are one.
const NAME_LENGTH: usize = 63;

/// A name as the server knows it.
pub(super) fn cut(name: &[u8]) -> &[u8] {
    name.get(..NAME_LENGTH).unwrap_or(name)
}

impl Names {
    /// How many names there are.
    pub(super) fn len(&self) -> usize {
        self.named.len()
    }

    /// What `name` stands for, seen from `segment`.
    pub(super) fn lookup(&self, name: &[u8], segment: u64) -> Lookup<'_> {
        let name = cut(name);
        let slot = if name.is_empty() {
            Some(&self.unnamed)
        } else {
            self.named.get(name)
        };
        match slot {
            Some(Slot {
                pending: Some((of, prepared)),
                ..
            }) => {
                if *of == segment {
                    Lookup::Known(prepared)
                } else {
                    Lookup::Unanswered
                }
            }
            Some(Slot {
                committed: Some(prepared),
                ..
            }) => Lookup::Known(prepared),
            Some(_) | None => Lookup::Missing,
        }
    }

    /// Whether the server knows the name already, as the protocol's or SQL's, and nothing that changes it is on its way.
    pub(super) fn is_answered(&self, name: &[u8]) -> bool {
        let name = cut(name);
        let slot = if name.is_empty() {
            Some(&self.unnamed)
        } else {
            self.named.get(name)
        };
        slot.is_some_and(|slot| slot.pending.is_none() && slot.committed.is_some())
    }

    /// What a name stands for was judged anew, if it still stands for that: the same name may stand for one statement that
    /// the server has, and for another that it has not answered yet.
    pub(super) fn rejudge(&mut self, name: &[u8], of: &Prepared, judged: &Arc<Judged>, number: u64) {
        let name = cut(name);
        let slot = if name.is_empty() {
            Some(&mut self.unnamed)
        } else {
            self.named.get_mut(name)
        };
        let Some(slot) = slot else { return };
        let pending = slot.pending.as_mut().map(|(_, prepared)| prepared);
        for there in slot.committed.iter_mut().chain(pending) {
            if there.address() == of.address() {
                *there = there.rejudged(Arc::clone(judged), number);
            }
        }
    }

    /// A Parse, or a PREPARE's completion, is awaited.
    pub(super) fn announce(&mut self, name: &[u8], segment: u64, prepared: Prepared) {
        let slot = self.slot(name);
        slot.pending = Some((segment, prepared));
        slot.unanswered += 1;
    }

    /// Announces what the statements of a text will do to names.
    pub(super) fn announce_all(&mut self, judged: &Judged, segment: u64) {
        for statement in &judged.statements {
            if let Some(NameOp::Prepare { name, prepared }) = &statement.name_op {
                self.announce(name.as_bytes(), segment, self.charged(prepared));
                self.announced_sql = true;
            }
        }
    }

    fn charged(&self, prepared: &Arc<PreparedSql>) -> Prepared {
        let charge = Charge::of(prepared.text.len(), &self.kept);
        Prepared::Sql(Arc::clone(prepared), Some(Arc::new(charge)))
    }

    /// A probe drops the unnamed statement.
    pub(super) fn forget_unnamed(&mut self) {
        self.unnamed.committed = None;
    }

    /// The server has told the types of a statement's parameters: they serve the reading of binary values.
    pub(super) fn described(&mut self, name: &[u8], described: &[u32]) {
        if let Some(Prepared::Protocol {
            source: Some(source), ..
        }) = &mut self.slot(name).committed
        {
            source.types = described.into();
        }
    }

    /// ParseComplete.
    pub(super) fn parsed(&mut self, name: Option<&[u8]>, prepared: Prepared) {
        let slot = self.slot(name.unwrap_or_default());
        slot.committed = Some(prepared);
        slot.answered();
    }

    /// A Parse that failed or was skipped. A failed Parse of the unnamed statement may have dropped
    /// the old one; a skipped one has not: the old one stays known, which is never milder.
    pub(super) fn parse_failed(&mut self, name: Option<&[u8]>) {
        let name = cut(name.unwrap_or_default());
        self.slot(name).answered();
        self.forget_blank(name);
    }

    /// CloseComplete for a prepared statement.
    pub(super) fn closed(&mut self, name: &[u8]) {
        let name = cut(name);
        self.slot(name).committed = None;
        self.forget_blank(name);
    }

    /// A SQL statement that changes names has completed.
    pub(super) fn completed(&mut self, op: &NameOp) {
        match op {
            NameOp::Prepare { name, prepared } => {
                let charged = self.charged(prepared);
                let slot = self.slot(name.as_bytes());
                slot.committed = Some(charged);
                slot.answered();
            }
            NameOp::Deallocate { name } => self.closed(name.as_bytes()),
            NameOp::DeallocateAll | NameOp::DiscardAll => {
                // The unnamed statement stays: `DropAllPreparedStatements` in `prepare.c`.
                self.named.retain(|_, slot| {
                    slot.committed = None;
                    !slot.is_blank()
                });
            }
            NameOp::Execute { .. } | NameOp::Declare { .. } | NameOp::Fetch { .. } | NameOp::Own { .. } => {}
        }
    }

    /// Everything forwarded is answered: what was announced and did not complete has failed.
    pub(super) fn settle(&mut self) {
        if std::mem::take(&mut self.announced_sql) {
            self.named.retain(|_, slot| {
                slot.pending = None;
                slot.unanswered = 0;
                !slot.is_blank()
            });
        }
    }

    fn slot(&mut self, name: &[u8]) -> &mut Slot {
        let name = cut(name);
        if name.is_empty() {
            return &mut self.unnamed;
        }
        if !self.named.contains_key(name) {
            self.named.insert(name.into(), Slot::default());
        }
        // Just made sure of.
        self.named.entry(name.into()).or_default()
    }

    fn forget_blank(&mut self, name: &[u8]) {
        if self.named.get(name).is_some_and(Slot::is_blank) {
            self.named.remove(name);
        }
    }
}
