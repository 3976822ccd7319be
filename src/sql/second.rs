//! The second opinion: sqlparser reads the text too, and may only raise the severity.
//!
//! It knows less of PostgreSQL than `libpg_query`, so that it cannot parse a text says nothing.
//! Where it can, it must see as many statements, and none as more severe.

use std::ops::ControlFlow;

use sqlparser::ast::{CopyTarget, Query, Select, SetExpr, Statement, Visit, Visitor};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use super::readings::distrust;
use crate::model::{Effect, Judged};

/// Longer texts are not read a second time: it would double the work of the longest.
const MAX_TEXT: usize = 64 * 1024;
/// The deepest tree, as `libpg_query` sees it, of a text that is read again. sqlparser's trees
/// are as deep for all that nests, and are walked and dropped by recursion.
const MAX_DEPTH: u32 = 300;
/// sqlparser's own limit, for what it nests and `libpg_query` does not (parentheses).
const RECURSION_LIMIT: usize = 100;

/// Hears sqlparser on a text that `libpg_query` has judged, with a tree of that depth.
pub(super) fn hear(judged: &mut Judged, text: &str, depth: u32) {
    if judged.effect() == Effect::Unknown || text.len() > MAX_TEXT || depth > MAX_DEPTH {
        return;
    }
    let Some(statements) = parse(text) else {
        return;
    };
    if statements.len() != judged.statements.len() {
        let (ours, theirs) = (judged.statements.len(), statements.len());
        let why = format!("the two parsers disagree: one sees {ours} statements, the other {theirs}");
        return distrust(judged, &why);
    }
    for (statement, other) in judged.statements.iter_mut().zip(&statements) {
        let (ours, theirs) = (statement.facts.effect, opinion(other));
        if theirs > ours {
            statement.facts.effect = theirs;
            statement.facts.signals.push(format!(
                "the two parsers disagree: one sees {ours}, the other {theirs}"
            ));
        }
    }
}

fn parse(text: &str) -> Option<Vec<Statement>> {
    Parser::new(&PostgreSqlDialect {})
        .with_recursion_limit(RECURSION_LIMIT)
        .try_with_sql(text)
        .ok()?
        .parse_statements()
        .ok()
}

/// What it takes a statement to do at the least; `Session` where it has no opinion. Not inside
/// EXPLAIN, PREPARE and definitions, whose content does not run as they do.
fn opinion(statement: &Statement) -> Effect {
    match statement {
        Statement::Query(query) => {
            let mut severity = Severity(Effect::Read);
            let _ = query.visit(&mut severity);
            severity.0
        }
        Statement::Insert(_) | Statement::Update(_) | Statement::Delete(_) | Statement::Merge(_) => {
            Effect::Write
        }
        Statement::Truncate(_) | Statement::NOTIFY { .. } => Effect::Write,
        Statement::Copy { to, target, .. } => match target {
            CopyTarget::Program { .. } | CopyTarget::File { .. } => Effect::Server,
            _ if *to => Effect::Read,
            _ => Effect::Write,
        },
        Statement::CreateTable(_)
        | Statement::CreateView(_)
        | Statement::CreateIndex(_)
        | Statement::CreateFunction(_)
        | Statement::CreateTrigger(_)
        | Statement::CreateSchema { .. }
        | Statement::CreateSequence { .. }
        | Statement::CreateType { .. }
        | Statement::AlterTable(_)
        | Statement::AlterIndex { .. }
        | Statement::AlterView { .. }
        | Statement::Drop { .. }
        | Statement::DropFunction(_) => Effect::Schema,
        Statement::Grant(_)
        | Statement::Revoke(_)
        | Statement::CreateRole(_)
        | Statement::AlterRole { .. } => Effect::Privilege,
        Statement::CreateDatabase { .. } | Statement::CreateExtension(_) | Statement::Load { .. } => {
            Effect::Server
        }
        Statement::Call(_) => Effect::Unknown,
        _ => Effect::Session,
    }
}

/// The most severe part of a query.
struct Severity(Effect);

impl Visitor for Severity {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if !query.locks.is_empty() {
            self.0 = self.0.max(Effect::Write);
        }
        if writes(&query.body) {
            self.0 = self.0.max(Effect::Write);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        if select.into.is_some() {
            self.0 = self.0.max(Effect::Schema);
        }
        ControlFlow::Continue(())
    }
}

const fn writes(body: &SetExpr) -> bool {
    matches!(
        body,
        SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_)
    )
}
