//! How many bytes a judgement takes, about.

use crate::model::{Facts, Judged, NameOp, Statement};

/// The heap of a judgement, counted from its lengths.
pub(super) fn of(judged: &Judged) -> usize {
    size_of::<Judged>() + judged.statements.iter().map(of_statement).sum::<usize>()
}

fn of_statement(statement: &Statement) -> usize {
    let named = match &statement.name_op {
        Some(NameOp::Prepare { name, prepared }) => {
            name.len() + prepared.text.len() + of_facts(&prepared.facts)
        }
        Some(
            NameOp::Execute { name }
            | NameOp::Deallocate { name }
            | NameOp::Declare { name }
            | NameOp::Fetch { name },
        ) => name.len(),
        Some(NameOp::DeallocateAll | NameOp::DiscardAll | NameOp::Own { .. }) | None => 0,
    };
    size_of::<Statement>() + of_facts(&statement.facts) + named
}

fn of_facts(facts: &Facts) -> usize {
    let strings = |strings: &[String]| {
        strings
            .iter()
            .map(|s| size_of::<String>() + s.len())
            .sum::<usize>()
    };
    let tables: usize = facts
        .tables
        .iter()
        .map(|table| size_of_val(table) + table.name.len() + table.schema.as_ref().map_or(0, String::len))
        .sum();
    size_of::<Facts>()
        + strings(&facts.commands)
        + strings(&facts.functions)
        + strings(&facts.signals)
        + tables
}
