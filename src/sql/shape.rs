//! The shape of a query: what stays when its constants are masked.
//!
//! A SHA-256 over a canonical walk of the tree, with the kind of every node and every field that is set. Left
//! out are the places of words in the text, and the values of constants (but for `true`, `false` and NULL) and parameters; a list of nothing but
//! these behind `IN` counts as one of them, however long. libpg_query's own `fingerprint` is not used: to it, an INSERT's
//! order of columns and the tables of a DELETE with an alias are alike.

use sha2::{Digest as _, Sha256};

use super::tree::{Tree, Value};
use crate::model::Shape;

/// The shape of a statement's tree. Recurses as deep as the tree.
pub(super) fn of(statement: &Value) -> Shape {
    let mut hash = Sha256::new();
    value(statement, &mut hash);
    Shape::new(hash.finalize().into())
}

// What stands before each value: no value can be taken for the beginning of another.
const NOTHING: [u8; 1] = [0];
const YES: [u8; 1] = [1];
const NUMBER: [u8; 1] = [2];
const TEXT: [u8; 1] = [3];
const NODE: [u8; 1] = [4];
const LIST: [u8; 1] = [5];
const MASKED: [u8; 1] = [6];
const END: [u8; 1] = [7];

fn value(value: &Value, hash: &mut Sha256) {
    match value {
        Value::Nothing => hash.update(NOTHING),
        Value::Yes => hash.update(YES),
        Value::Number(number) => {
            hash.update(NUMBER);
            hash.update(number.to_le_bytes());
        }
        Value::Text(text) => {
            hash.update(TEXT);
            string(text, hash);
        }
        Value::Node(tree) => node(tree, hash),
        Value::List(values) => {
            hash.update(LIST);
            for item in values {
                self::value(item, hash);
            }
            hash.update(END);
        }
    }
}

fn node(tree: &Tree, hash: &mut Sha256) {
    if is_constant(tree) {
        hash.update(MASKED);
        return;
    }
    hash.update(NODE);
    string(tree.kind, hash);
    for (name, field) in tree.fields() {
        if is_place(name) {
            continue;
        }
        string(name, hash);
        if tree.kind == "AExpr" && name == "rexpr" && is_list_of_constants(field) {
            hash.update(MASKED);
        } else {
            value(field, hash);
        }
    }
    hash.update(END);
}

fn string(text: &str, hash: &mut Sha256) {
    hash.update((text.len() as u64).to_le_bytes());
    hash.update(text);
}

/// What stands behind `IN`.
fn is_list_of_constants(value: &Value) -> bool {
    let is_masked = |item: &Value| item.as_node().is_some_and(is_constant);
    value
        .as_node()
        .is_some_and(|node| node.kind == "List" && node.list("items").iter().all(is_masked))
}

/// A truth value is none, nor is NULL: `WHERE false` and `WHERE true` are not alike, nor `LIMIT 1` and `LIMIT NULL`.
fn is_constant(tree: &Tree) -> bool {
    let is_truth = |tree: &Tree| tree.node("val").is_some_and(|value| value.kind == "Boolean");
    tree.kind == "ParamRef" || (tree.kind == "AConst" && !is_truth(tree) && !tree.is("isnull"))
}

/// Fields that say where in the text something stands.
fn is_place(field: &str) -> bool {
    field.ends_with("location")
        || matches!(
            field,
            "stmt_len" | "list_start" | "list_end" | "rexpr_list_start" | "rexpr_list_end"
        )
}
