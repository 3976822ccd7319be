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
mod reach;
mod sight;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

pub use definitions::{Callee, Definitions, Function, Node, Object, Operator, Text, Use};
pub use sight::Sight;

/// More search paths than this are not told apart: names may then stand for anything of that name.
const MAX_SIGHTS: usize = 256;

/// The catalogue of one database, as it was at one time.
#[derive(Debug)]
pub struct Catalogue {
    functions: HashMap<Box<str>, Vec<Entry>>,
    relations: HashMap<Box<str>, Vec<Entry>>,
    operators: HashMap<Box<str>, Vec<Entry>>,
    types: HashMap<Box<str>, Vec<Entry>>,
    /// Tables and views of `pg_catalog` and `information_schema`, by name, with their schema.
    system: HashMap<Box<str>, Box<str>>,
    /// Types that act, by OID: parameters are given types by number.
    acting_types: HashMap<u32, Arc<str>>,
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

/// Something with a name.
#[derive(Debug)]
struct Entry {
    schema: Box<str>,
    /// Why it may do more than read, where names in the bodies of functions are looked for in the default path;
    /// `None` where it does not.
    acts: Option<Arc<str>>,
    /// The same, where they are looked for anywhere.
    acts_anywhere: Option<Arc<str>>,
    /// An operand of an operator is of a type of a user's.
    takes_users_types: bool,
    /// A function's first argument can be a row.
    takes_row: bool,
    /// The least and the most arguments of a function.
    arguments: (usize, usize),
}

impl Entry {
    fn why(&self, has_default_path: bool) -> Option<&Arc<str>> {
        if has_default_path {
            self.acts.as_ref()
        } else {
            self.acts_anywhere.as_ref()
        }
    }
}

impl Catalogue {
    /// Follows what reaches what. Takes milliseconds for hundreds of definitions; parses views, and so needs a
    /// stack of [`super::STACK_SIZE`].
    #[must_use]
    pub fn new(definitions: &Definitions) -> Self {
        let (by_path, anywhere) = reach::follow(definitions);
        let entry = |node: Node, schema: &str, arguments| Entry {
            schema: schema.into(),
            acts: by_path.get(&node).cloned(),
            acts_anywhere: anywhere.get(&node).cloned(),
            takes_users_types: false,
            takes_row: false,
            arguments,
        };
        let mut functions: HashMap<Box<str>, Vec<Entry>> = HashMap::new();
        for function in &definitions.functions {
            let object = &function.object;
            functions
                .entry(object.name.as_str().into())
                .or_default()
                .push(Entry {
                    takes_row: function.takes_row,
                    ..entry(Node::Function(object.oid), &object.schema, function.arguments)
                });
        }
        let by_name = |objects: &[Object], node: fn(u32) -> Node| {
            let mut entries: HashMap<Box<str>, Vec<Entry>> = HashMap::new();
            for object in objects {
                let entry = entry(node(object.oid), &object.schema, (0, 0));
                entries
                    .entry(object.name.as_str().into())
                    .or_default()
                    .push(entry);
            }
            entries
        };
        let mut operators: HashMap<Box<str>, Vec<Entry>> = HashMap::new();
        for operator in &definitions.operators {
            let object = &operator.object;
            let entry = entry(Node::Operator(object.oid), &object.schema, (0, 0));
            operators
                .entry(object.name.as_str().into())
                .or_default()
                .push(Entry {
                    takes_users_types: operator.operands.iter().any(|oid| !Node::Type(*oid).is_own()),
                    ..entry
                });
        }
        Self {
            relations: by_name(&definitions.relations, Node::Relation),
            operators,
            types: by_name(&definitions.types, Node::Type),
            functions,
            system: definitions
                .system
                .iter()
                .map(|(schema, name)| (name.as_str().into(), schema.as_str().into()))
                .collect(),
            acting_types: anywhere
                .iter()
                .filter_map(|(node, why)| match node {
                    Node::Type(oid) => Some((*oid, Arc::clone(why))),
                    _ => None,
                })
                .collect(),
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
        let (path, is_in_doubt) = match &through {
            Through::Path(path) => (path.clone(), false),
            Through::Doubt => (None, true),
        };
        let sight = Arc::new(Sight::new(Arc::clone(self), path, is_in_doubt, next_number()));
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
