//! A text read in two ways: the more severe counts, and the facts of both.

use std::sync::Arc;

use crate::model::{Effect, Facts, Judged, NameOp, PreparedSql, Statement};

const DEPENDS: &str = "what it does depends on standard_conforming_strings";

/// Joins what the other reading found to what the session's own setting gives.
pub(super) fn join(judged: &mut Judged, other: Result<Vec<Statement>, String>) {
    let other = other.unwrap_or_else(|why| Judged::unknown(why).statements);
    let alike = judged.statements.len() == other.len()
        && judged.statements.iter().zip(&other).all(|(a, b)| {
            a.transaction_control == b.transaction_control
                && same_operation(a.name_op.as_ref(), b.name_op.as_ref())
        });
    if alike {
        for (statement, other) in judged.statements.iter_mut().zip(&other) {
            if statement.facts != other.facts {
                statement.facts.absorb(&other.facts);
            }
            join_prepared(statement, other);
        }
        return;
    }
    let mut others = Facts::unknown(DEPENDS);
    others.commands.clear();
    for statement in &other {
        others.absorb(&statement.facts);
    }
    if judged.statements.is_empty() {
        *judged = Judged::unknown(DEPENDS);
    }
    for statement in &mut judged.statements {
        statement.facts.absorb(&others);
        if let Some(NameOp::Prepare { prepared, .. }) = &mut statement.name_op {
            raise(prepared, &others);
        }
    }
}

/// The same, as far as the session's names go.
fn same_operation(a: Option<&NameOp>, b: Option<&NameOp>) -> bool {
    match (a, b) {
        (Some(NameOp::Prepare { name: a, .. }), Some(NameOp::Prepare { name: b, .. })) => a == b,
        (a, b) => a == b,
    }
}

fn join_prepared(statement: &mut Statement, other: &Statement) {
    if let (Some(NameOp::Prepare { prepared, .. }), Some(NameOp::Prepare { prepared: other, .. })) =
        (&mut statement.name_op, &other.name_op)
        && prepared.facts != other.facts
    {
        raise(prepared, &other.facts);
    }
}

fn raise(prepared: &mut Arc<PreparedSql>, facts: &Facts) {
    let mut joined = PreparedSql::clone(prepared);
    joined.facts.absorb(facts);
    *prepared = Arc::new(joined);
}

/// Raises every statement, and what they prepare, to Unknown.
pub(super) fn distrust(judged: &mut Judged, why: &str) {
    let mut doubt = Facts::unknown(why);
    doubt.commands.clear();
    for statement in &mut judged.statements {
        statement.facts.absorb(&doubt);
        if let Some(NameOp::Prepare { prepared, .. }) = &mut statement.name_op {
            raise(prepared, &doubt);
        }
    }
    debug_assert!(
        judged
            .statements
            .iter()
            .all(|s| s.facts.effect == Effect::Unknown)
    );
}
