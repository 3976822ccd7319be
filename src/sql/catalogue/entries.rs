//! The things of a catalogue by their names, each with why it may do more than read.

use std::collections::{HashMap, HashSet, VecDeque, hash_map};
use std::sync::Arc;

use super::definitions::{Definitions, Function, Node, Object};
use super::reach::{self, Acts};

/// Things by their names without schema.
pub(super) type ByName = HashMap<Box<str>, Vec<Entry>>;

/// Something with a name.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub(super) struct Entry {
    pub(super) schema: Box<str>,
    /// Why it may do more than read, where names in the bodies of functions are looked for in the default path;
    /// `None` where it does not.
    acts: Option<Arc<str>>,
    /// The same, where they are looked for anywhere.
    acts_anywhere: Option<Arc<str>>,
    /// An operator is found by the types of its operands ([`Definitions::is_found_by_type`]).
    pub(super) is_found_by_type: bool,
    /// It is C: what it does is what it did, whatever else is defined anew.
    pub(super) is_fixed: bool,
    /// A type has parts, which are made when a constant is read.
    pub(super) has_parts: bool,
    /// What a change of a table runs beside itself.
    pub(super) when_written: Option<Box<str>>,
    /// A function's first argument can be a row.
    pub(super) takes_row: bool,
    /// The least and the most arguments of a function.
    pub(super) arguments: (usize, usize),
}

impl Entry {
    pub(super) fn why(&self, has_default_path: bool) -> Option<&Arc<str>> {
        if has_default_path {
            self.acts.as_ref()
        } else {
            self.acts_anywhere.as_ref()
        }
    }
}

/// What entries are made of.
pub(super) struct Entries<'d> {
    definitions: &'d Definitions,
    by_path: Acts,
    anywhere: Acts,
}

impl<'d> Entries<'d> {
    /// Follows what reaches what.
    pub(super) fn of(definitions: &'d Definitions) -> Self {
        let (by_path, anywhere) = reach::follow(definitions);
        Self {
            definitions,
            by_path,
            anywhere,
        }
    }

    pub(super) fn functions(&self) -> ByName {
        let functions = self.definitions.functions.iter().map(|function| {
            let entry = Entry {
                takes_row: function.takes_row,
                is_fixed: is_fixed(function),
                arguments: function.arguments,
                ..self.entry(Node::Function(function.object.oid), &function.object)
            };
            (&function.object, entry)
        });
        by_name(functions)
    }

    pub(super) fn operators(&self) -> ByName {
        let functions = self.definitions.functions.iter();
        let changing: HashSet<u32> = functions
            .filter(|function| !is_fixed(function))
            .map(|function| function.object.oid)
            .collect();
        let calls = self.definitions.calls.iter();
        let changing: HashSet<Node> = calls
            .filter(|(_, callee)| changing.contains(&callee.object.oid))
            .map(|(by, _)| *by)
            .collect();
        let operators = self.definitions.operators.iter().map(|operator| {
            let entry = Entry {
                is_fixed: !changing.contains(&Node::Operator(operator.object.oid)),
                is_found_by_type: self.definitions.is_found_by_type(operator),
                ..self.entry(Node::Operator(operator.object.oid), &operator.object)
            };
            (&operator.object, entry)
        });
        by_name(operators)
    }

    pub(super) fn relations(&self) -> ByName {
        let writing = writing(self.definitions, &self.anywhere);
        let relations = self.definitions.relations.iter().map(|relation| {
            let entry = Entry {
                when_written: writing.get(&relation.oid).map(|what| Box::from(&**what)),
                ..self.entry(Node::Relation(relation.oid), relation)
            };
            (relation, entry)
        });
        by_name(relations)
    }

    pub(super) fn types(&self) -> ByName {
        let types = self.definitions.types.iter().map(|object| {
            let entry = Entry {
                has_parts: self.definitions.composed.contains(&object.oid),
                ..self.entry(Node::Type(object.oid), object)
            };
            (object, entry)
        });
        by_name(types)
    }

    /// Types that act, by OID, wherever names in the bodies of functions are looked for.
    pub(super) fn acting_types(&self) -> HashMap<u32, Arc<str>> {
        let acting = self.anywhere.iter().filter_map(|(node, why)| match node {
            Node::Type(oid) => Some((*oid, Arc::clone(why))),
            _ => None,
        });
        acting.collect()
    }

    fn entry(&self, node: Node, object: &Object) -> Entry {
        Entry {
            schema: object.schema.as_str().into(),
            acts: self.by_path.get(&node).cloned(),
            acts_anywhere: self.anywhere.get(&node).cloned(),
            is_found_by_type: false,
            is_fixed: false,
            has_parts: false,
            when_written: None,
            takes_row: false,
            arguments: (0, 0),
        }
    }
}

/// An aggregate calls functions.
fn is_fixed(function: &Function) -> bool {
    matches!(&*function.language, "c" | "internal") && function.source != "aggregate_dummy"
}

/// What a change of each table runs beside itself, or of what is changed with it.
fn writing(definitions: &Definitions, acts: &Acts) -> HashMap<u32, Arc<str>> {
    let names: HashMap<u32, &str> = definitions
        .relations
        .iter()
        .map(|object| (object.oid, object.name.as_str()))
        .collect();
    let mut named_with: HashMap<u32, Vec<u32>> = HashMap::new();
    for (named, changed) in &definitions.changed_with {
        named_with.entry(*changed).or_default().push(*named);
    }
    let mut runs: HashMap<u32, Arc<str>> = HashMap::new();
    let mut queue = VecDeque::new();
    let by_themselves = definitions
        .writing
        .iter()
        .map(|(oid, what)| (*oid, what.as_str()));
    let when_read = acts.iter().filter_map(|(node, why)| match node {
        Node::Relation(oid) => Some((*oid, &**why)),
        _ => None,
    });
    for (oid, what) in by_themselves.chain(when_read) {
        if let hash_map::Entry::Vacant(place) = runs.entry(oid) {
            place.insert(what.into());
            let of = names.get(&oid).copied().unwrap_or_default();
            queue.push_back((oid, Arc::<str>::from(format!("{what} (of {of})"))));
        }
    }
    while let Some((oid, what)) = queue.pop_front() {
        for named in named_with.get(&oid).into_iter().flatten() {
            if !runs.contains_key(named) {
                runs.insert(*named, Arc::clone(&what));
                queue.push_back((*named, Arc::clone(&what)));
            }
        }
    }
    runs
}

fn by_name<'d>(all: impl Iterator<Item = (&'d Object, Entry)>) -> ByName {
    let mut named = ByName::new();
    for (object, entry) in all {
        named.entry(object.name.as_str().into()).or_default().push(entry);
    }
    named
}
