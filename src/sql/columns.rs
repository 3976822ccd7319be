//! Column notation that calls a function.
//!
//! PostgreSQL takes `(x).f` for `f(x)` where `x` is no row or has no column `f`: `(4711).refund`
//! calls `refund(4711)`, and so does `x.refund` after `FROM unnest(ARRAY[4711]) AS x`, because
//! the row of a function that returns single values is the value itself. What is certainly a
//! row is let pass; `t.f` of a table may call a function that takes the table's rows, which
//! only the catalogue can tell.

use super::aliases::Aliases;
use super::findings::Findings;
use super::names::{self, Function};
use super::references::{Kind, Reference};
use super::tree::{Tree, Value};
use crate::model::Effect;

/// Columns of `information_schema._pg_expandarray`, which the JDBC driver takes from a column
/// of a subquery in its catalogue queries, which it calls `keys`.
const EXPANDARRAY: [&str; 2] = ["x", "n"];
const EXPANDED: &str = "keys";

/// `q.name`: not a call unless `q` stands for a value.
pub(super) fn judge_reference(reference: &Tree, aliases: &Aliases<'_>, findings: &mut Findings) {
    let fields = reference.list("fields");
    if let [_, .., name] = fields
        && let Some(name) = name.name()
    {
        findings.refers(Reference::new(Kind::Attribute, &[name], false));
    }
    let [qualifier, name] = fields else {
        return;
    };
    if let (Some(qualifier), Some(name)) = (qualifier.name(), name.name())
        && !aliases.has_column(qualifier, name)
    {
        may_call(name, findings);
    }
}

/// `(expression).name`.
pub(super) fn judge_indirection(indirection: &Tree, findings: &mut Findings) {
    let names = indirection.list("indirection").iter().filter_map(Value::name);
    // The first name is a column if the expression is a row; what follows it may be anything.
    let known = usize::from(indirection.node("arg").is_some_and(is_row));
    let first_is_name = indirection
        .list("indirection")
        .first()
        .and_then(Value::name)
        .is_some();
    for name in names.clone() {
        findings.refers(Reference::new(Kind::Attribute, &[name], false));
    }
    let is_expanded = indirection.node("arg").is_some_and(is_expanded_array);
    for name in names.skip(if first_is_name { known } else { 0 }) {
        if !(is_expanded && EXPANDARRAY.contains(&name)) {
            may_call(name, findings);
        }
    }
}

fn is_expanded_array(expression: &Tree) -> bool {
    expression.kind == "ColumnRef" && expression.list("fields").last().and_then(Value::name) == Some(EXPANDED)
}

fn is_row(expression: &Tree) -> bool {
    match expression.kind {
        "RowExpr" => true,
        "FuncCall" => names::returns_rows(&expression.names("funcname")),
        _ => false,
    }
}

fn may_call(name: &str, findings: &mut Findings) {
    findings.function(&[name]);
    match names::function(&[name]) {
        Function::Acting(acting) => {
            let why = format!("\".{name}\" may call {name}, which {}", acting.does);
            findings.calls(acting.effect.max(Effect::Unknown), why);
        }
        _ => findings.refers(Reference::new(Kind::Call, &[name], false)),
    }
}
