//! Operators: those that are written, and those that syntax stands for.

use super::findings::Findings;
use super::names;
use super::references::{Kind, Reference};
use super::tree::Tree;

const ORDERING: &[&str] = &["<", "<=", ">", ">="];
const EQUALITY: &[&str] = &["="];

/// The operator of that name (empty where none is written) of a node.
pub(super) fn judge(node: &Tree, name: &[&str], findings: &mut Findings) {
    for implied in implied(node, name) {
        findings.refers(Reference::new(Kind::Operator, &[implied], true));
    }
    if name.is_empty() || is_words(name) {
        return;
    }
    let is_own = names::is_own_operator(name);
    // With its schema, PostgreSQL's own is nobody else's.
    if !is_own || name.len() == 1 {
        findings.refers(Reference::new(Kind::Operator, name, is_own));
    }
}

/// Operators that the syntax of a node stands for.
fn implied(node: &Tree, name: &[&str]) -> &'static [&'static str] {
    match node.kind {
        // BETWEEN and its kin, whose name is words.
        "AExpr" if is_words(name) => ORDERING,
        // IN (SELECT …).
        "SubLink" if name.is_empty() && node.node("testexpr").is_some() => EQUALITY,
        // CASE x WHEN y.
        "CaseExpr" if node.node("arg").is_some() => EQUALITY,
        // USING, NATURAL.
        "JoinExpr" if node.is("is_natural") || !node.list("using_clause").is_empty() => EQUALITY,
        _ => &[],
    }
}

/// The words that the parser puts in an operator's place: no operator has letters.
fn is_words(name: &[&str]) -> bool {
    matches!(name, [word] if !word.is_empty() && word.bytes().all(|b| b.is_ascii_uppercase() || b == b' '))
}
