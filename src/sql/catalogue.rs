//! What a database's own names stand for, as far as judging goes: which of them do more than read.
//!
//! [`Definitions`] are what the server told; a [`Catalogue`] is made of them once (`reach` follows what reaches
//! what), and then only read. A [`Sight`] is a catalogue seen through one search path.
//!
//! Invariants:
//! - *A doubt counts against the statement.* A name without a schema is any of that name on the search path, or
//!   anywhere where the path is not known. What cannot be followed acts.
//! - What is called only reads if PostgreSQL itself refuses writes in it (a function that is STABLE or IMMUTABLE)
//!   and nothing that it can reach acts.
//!
//! What follows here from PostgreSQL's rules: a function that is not VOLATILE runs its own statements read-only
//! (`SPI_execute` with `read_only`, `src/backend/executor/spi.c`; `init_execution_state` in
//! `src/backend/executor/functions.c`), but may call one that is; C code is trusted to be what it is declared.

mod definitions;
#[cfg(test)]
mod doubt_tests;
mod entries;
mod reach;
mod sight;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::model::Defines;
use entries::{ByName, Entries};

pub use definitions::{Callee, Definitions, Function, Node, Object, Operator, Text, Use};
pub use sight::Sight;

/// More search paths than this are not told apart: names may then stand for anything of that name.
const MAX_SIGHTS: usize = 256;

/// The catalogue of one database, as it was at one time.
#[derive(Debug)]
pub struct Catalogue {
    functions: ByName,
    relations: ByName,
    operators: ByName,
    types: ByName,
    /// Tables and views of `pg_catalog` and `information_schema`, by name, with their schema.
    system: HashMap<Box<str>, Box<str>>,
    /// Types that act, by OID: parameters are given types by number.
    acting_types: HashMap<u32, Arc<str>>,
    /// Types with parts, likewise.
    composed: HashSet<u32>,
    default_path: Vec<Box<str>>,
    /// Sights refer to their catalogue, not it to them.
    sights: Mutex<HashMap<Through, Weak<Sight>>>,
}

/// How a catalogue is seen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Through {
    /// Through a search path, or one that is not known.
    Path(Option<Vec<String>>),
    /// As something that may be outdated.
    Doubt,
}

impl Catalogue {
    /// Follows what reaches what. Takes milliseconds for hundreds of definitions; parses views, and so needs a
    /// stack of [`super::STACK_SIZE`].
    #[must_use]
    pub fn new(definitions: &Definitions) -> Self {
        let entries = Entries::of(definitions);
        Self {
            relations: entries.relations(),
            operators: entries.operators(),
            types: entries.types(),
            functions: entries.functions(),
            system: definitions
                .system
                .iter()
                .map(|(schema, name)| (name.as_str().into(), schema.as_str().into()))
                .collect(),
            acting_types: entries.acting_types(),
            composed: definitions.composed.clone(),
            default_path: definitions.path.iter().map(|s| s.as_str().into()).collect(),
            sights: Mutex::default(),
        }
    }

    /// One that knows no name: everything that is not PostgreSQL's own is missing in it.
    #[must_use]
    pub fn empty() -> Self {
        Self::new(&Definitions::default())
    }

    /// This catalogue seen through the search path that sessions have by default, or through none that is
    /// known: then a name is any of that name.
    pub fn sight(self: &Arc<Self>, path_is_default: bool) -> Arc<Sight> {
        let path = path_is_default.then(|| self.default_path.iter().map(ToString::to_string).collect());
        self.through(path)
    }

    /// This catalogue seen through a search path: names of schemas in their order.
    pub fn through(self: &Arc<Self>, path: Option<Vec<String>>) -> Arc<Sight> {
        self.as_seen(Through::Path(path))
    }

    /// This catalogue where definitions are being changed, or could not be read again: what it says to act still
    /// does, nothing of users' is known to only read, and PostgreSQL's own is what it was.
    pub fn in_doubt(self: &Arc<Self>) -> Arc<Sight> {
        self.as_seen(Through::Doubt)
    }

    /// As [`Self::in_doubt`], for a session that has itself defined this, which nobody else sees yet.
    pub fn in_doubt_of(self: &Arc<Self>, defined: Defines) -> Arc<Sight> {
        Arc::new(Sight::new(Arc::clone(self), None, Some(defined), next_number()))
    }

    fn as_seen(self: &Arc<Self>, mut through: Through) -> Arc<Sight> {
        let mut sights = self.sights.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = sights.get(&through).and_then(Weak::upgrade) {
            return known;
        }
        sights.retain(|_, sight| sight.strong_count() > 0);
        if sights.len() >= MAX_SIGHTS && through != Through::Doubt {
            through = Through::Path(None);
            if let Some(known) = sights.get(&through).and_then(Weak::upgrade) {
                return known;
            }
        }
        let (path, doubt) = match &through {
            Through::Path(path) => (path.clone(), None),
            Through::Doubt => (None, Some(Defines::Nothing)),
        };
        let sight = Arc::new(Sight::new(Arc::clone(self), path, doubt, next_number()));
        sights.insert(through, Arc::downgrade(&sight));
        sight
    }

    /// Where names are looked for in sessions that begin now.
    pub fn default_path(&self) -> &[Box<str>] {
        &self.default_path
    }

    /// Whether it knows nothing at all.
    fn is_empty(&self) -> bool {
        self.system.is_empty() && self.functions.is_empty() && self.relations.is_empty()
    }
}

/// Numbers of sights are never used again, so that no judgement under an older one is found.
fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
