//! A parse tree without types: kinds, fields and children, as small as it can be.
//!
//! Made by [`super::walk`] from `libpg_query`'s own tree. Fields at their default (absent, empty,
//! zero, false) are left out, and so is the wrapper that `libpg_query` puts around every node.
//! Invariant: every node and every other field of the tree that it was made from is here, so
//! that whoever visits all of it has seen the statement.

/// What a field holds.
#[derive(Debug)]
pub(super) enum Value {
    /// Absent, empty, zero or false.
    Nothing,
    /// `true`.
    Yes,
    /// A number; an enum's number too.
    Number(i64),
    /// A string.
    Text(Box<str>),
    /// One node.
    Node(Tree),
    /// Several values.
    List(Vec<Value>),
}

/// One node.
#[derive(Debug)]
pub(super) struct Tree {
    /// The name of its type, as in `SelectStmt`.
    pub(super) kind: &'static str,
    fields: Vec<(&'static str, Value)>,
}

impl Tree {
    pub(super) const fn new(kind: &'static str, fields: Vec<(&'static str, Value)>) -> Self {
        Self { kind, fields }
    }

    /// Every field that is not at its default, in the order of the grammar's definition.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.fields.iter().map(|(name, value)| (*name, value))
    }

    fn field(&self, name: &str) -> Option<&Value> {
        self.fields
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| value)
    }

    /// The node in a field, if there is one.
    pub(super) fn node(&self, name: &str) -> Option<&Self> {
        match self.field(name) {
            Some(Value::Node(node)) => Some(node),
            _ => None,
        }
    }

    /// The string in a field; empty where there is none.
    pub(super) fn text(&self, name: &str) -> &str {
        match self.field(name) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    /// The number in a field; zero where there is none.
    pub(super) fn number(&self, name: &str) -> i64 {
        match self.field(name) {
            Some(Value::Number(number)) => *number,
            _ => 0,
        }
    }

    /// Whether a field is true.
    pub(super) fn is(&self, name: &str) -> bool {
        matches!(self.field(name), Some(Value::Yes))
    }

    /// The values of a list; none where there is no such list.
    pub(super) fn list(&self, name: &str) -> &[Value] {
        match self.field(name) {
            Some(Value::List(values)) => values,
            _ => &[],
        }
    }

    /// The strings of a list of names; anything else in it is passed over, so check
    /// [`Self::kind`] of the values where that could matter.
    pub(super) fn names(&self, field: &str) -> Vec<&str> {
        names(self.list(field))
    }
}

/// The strings among values: `String` nodes, as names are in parse trees.
pub(super) fn names(values: &[Value]) -> Vec<&str> {
    values.iter().filter_map(Value::name).collect()
}

impl Value {
    /// The node, if it is one.
    pub(super) const fn as_node(&self) -> Option<&Tree> {
        match self {
            Self::Node(node) => Some(node),
            _ => None,
        }
    }

    /// The text of a `String` node.
    pub(super) fn name(&self) -> Option<&str> {
        self.as_node()
            .filter(|node| node.kind == "String")
            .map(|node| node.text("sval"))
    }
}
