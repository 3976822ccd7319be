//! What a statement is as a whole: its shape, whether it hands out all rows, and what the walk over its nodes
//! does not see of the columns that it writes.

use super::findings::Findings;
use super::references::{Kind, Reference};
use super::tree::{Tree, Value};
use super::{shape, writes};

/// Notes what the statement is; `value` is the same tree.
pub(super) fn note(statement: &Tree, value: &Value, findings: &mut Findings) {
    match statement.kind {
        "SelectStmt" => {
            findings.shaped(shape::of(value));
            hands_out(statement, findings);
        }
        "InsertStmt" | "UpdateStmt" | "DeleteStmt" | "MergeStmt" => findings.shaped(shape::of(value)),
        "DeclareCursorStmt" => {
            if statement.number("options") & CURSOR_OPT_HOLD != 0 {
                findings.declares_with_hold();
            }
            if let Some(query) = statement.node("query") {
                hands_out(query, findings);
            }
        }
        // BEGIN READ WRITE, what begins another transaction with the modes of the last, and savepoints, of which the
        // shield is made.
        "TransactionStmt"
            if !statement.list("options").is_empty()
                || statement.is("chain")
                || !statement.text("savepoint_name").is_empty() =>
        {
            findings.sets("transaction_read_only");
        }
        "VariableShowStmt" => findings.sets(match statement.text("name") {
            "all" => "*",
            name => name,
        }),
        // Runs what waits for the end of the transaction.
        "ConstraintsSetStmt" => findings.sets("transaction_read_only"),
        "DiscardStmt" => findings.sets("*"),
        "CopyStmt" => copied(statement, findings),
        "TruncateStmt" => statement
            .list("relations")
            .iter()
            .filter_map(Value::as_node)
            .for_each(|table| writes::note_listed(table, &[], findings)),
        _ => {}
    }
}

/// `src/include/nodes/parsenodes.h`.
const CURSOR_OPT_HOLD: i64 = 0x0020;

fn hands_out(query: &Tree, findings: &mut Findings) {
    if query.node("into_clause").is_none() && writes::is_unlimited(query) {
        findings.unlimited();
    }
}

fn copied(copy: &Tree, findings: &mut Findings) {
    match (copy.is("is_from"), copy.node("relation"), copy.node("query")) {
        (true, Some(table), _) => writes::note_listed(table, copy.list("attlist"), findings),
        (false, Some(table), _) => {
            findings.unlimited();
            let name = [table.text("schemaname"), table.text("relname")];
            findings.refers(Reference::new(Kind::Relation, &name, false));
        }
        (false, None, Some(query)) => hands_out(query, findings),
        _ => {}
    }
}
