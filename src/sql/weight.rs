//! How many bytes a judgement takes, about; and what is small enough to be remembered.

use crate::model::{Facts, Gist, Judged, KEPT_TEXT, NameOp, Statement};

/// The most that a judgement may take to be remembered with its text, bytes.
const REMEMBERED: usize = 4 * 1024;

/// What may be remembered of a text with this judgement.
pub(super) fn gist_of(judged: &Judged, text: &[u8]) -> Gist {
    if text.len() <= KEPT_TEXT && of(judged) <= REMEMBERED {
        return Gist::Whole(text.into());
    }
    Judged::default().with_text(text).gist
}

/// The heap of a judgement, counted from its lengths.
pub(super) fn of(judged: &Judged) -> usize {
    // The text of a small one is shared with the key that it is found by.
    let gist = match &judged.gist {
        Gist::None | Gist::Whole(_) | Gist::Request { .. } => 0,
        Gist::Start(text) => text.len(),
        Gist::Instead(other) => of(other),
    };
    size_of::<Judged>() + judged.statements.iter().map(of_statement).sum::<usize>() + gist
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
