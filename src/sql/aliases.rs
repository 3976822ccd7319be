//! Which names in a statement stand for the single values that a function in FROM returns.

use std::collections::{HashMap, HashSet};

use super::names::{self, Function};
use super::tree::{self, Tree, Value};

/// The aliases of functions in FROM that return single values, with the columns they are known
/// to have. Scopes are not told apart: an alias that is also a table's elsewhere in the
/// statement is judged more strictly than need be, never less.
#[derive(Debug, Default)]
pub(super) struct Aliases<'t> {
    columns: HashMap<&'t str, HashSet<&'t str>>,
    /// Some value in FROM has a name that cannot be told from the text.
    nameless: bool,
}

impl<'t> Aliases<'t> {
    /// The aliases of a whole statement.
    pub(super) fn of(statement: &'t Value) -> Self {
        let mut aliases = Self::default();
        aliases.visit(statement);
        aliases
    }

    /// Whether `qualifier.name` is a column, as far as functions in FROM are concerned. One that has the name of what acts
    /// is not taken for sure.
    pub(super) fn has_column(&self, qualifier: &str, name: &str) -> bool {
        let acts = || matches!(names::function(&[name]), Function::Acting(_));
        match self.columns.get(qualifier) {
            Some(columns) => columns.contains(name) && !acts(),
            None => !self.nameless,
        }
    }

    fn visit(&mut self, value: &'t Value) {
        match value {
            Value::Node(node) => {
                if node.kind == "RangeFunction" {
                    self.note(node);
                }
                node.fields().for_each(|(_, value)| self.visit(value));
            }
            Value::List(values) => values.iter().for_each(|value| self.visit(value)),
            Value::Nothing | Value::Yes | Value::Number(_) | Value::Text(_) => {}
        }
    }

    fn note(&mut self, range: &'t Tree) {
        // ROWS FROM (f(), g()) and WITH ORDINALITY make rows.
        let [function] = range.list("functions") else {
            return;
        };
        if range.is("ordinality") || !range.list("coldeflist").is_empty() {
            return;
        }
        let call = function
            .as_node()
            .and_then(|pair| pair.list("items").first())
            .and_then(Value::as_node);
        let name = call
            .filter(|call| call.kind == "FuncCall")
            .map_or_else(Vec::new, |call| call.names("funcname"));
        if names::returns_rows(&name) {
            return;
        }
        let alias = range.node("alias");
        let Some(known_as) = alias
            .map(|alias| alias.text("aliasname"))
            .or_else(|| name.last().copied())
        else {
            self.nameless = true;
            return;
        };
        let columns: HashSet<_> = match alias.map_or(&[][..], |alias| alias.list("colnames")) {
            [] => only_column(&name, known_as).into_iter().collect(),
            renamed => tree::names(renamed).into_iter().collect(),
        };
        // An alias that is given twice has the columns that both have: scopes are not told apart.
        self.columns
            .entry(known_as)
            .and_modify(|known| known.retain(|column| columns.contains(column)))
            .or_insert(columns);
    }
}

/// The one column of a function that returns single values: its OUT parameter, or else what it is known as, and no other.
/// Whether a user's has such a parameter is not known. Source: `chooseScalarFunctionAlias` in PostgreSQL's
/// `parse_relation.c`.
fn only_column<'t>(function: &[&'t str], known_as: &'t str) -> Option<&'t str> {
    match (function.last().and_then(|name| out_parameter(name)), function) {
        (Some(parameter), _) => Some(parameter),
        // An expression of the grammar's own, such as CAST.
        (None, []) => Some(known_as),
        (None, _) => (names::function(function) != Function::Foreign).then_some(known_as),
    }
}

/// The name of a function's one OUT parameter, which is the column's name.
fn out_parameter(function: &str) -> Option<&'static str> {
    match function {
        "json_array_elements"
        | "json_array_elements_text"
        | "jsonb_array_elements"
        | "jsonb_array_elements_text" => Some("value"),
        "pg_partition_ancestors" => Some("relid"),
        _ => None,
    }
}
