//! One statement: its kind, what stands inside it, and what it does to the session's names.

use std::sync::Arc;

use pg_query::NodeEnum;
use pg_query::protobuf::{CopyStmt, DiscardMode, ExplainStmt, Node, PrepareStmt, RawStmt};
use serde::Serialize;

use super::aliases::Aliases;
use super::calls;
use super::defines;
use super::definitions;
use super::findings::{Findings, Runs};
use super::gather::{Gatherer, Tables};
use super::kinds::kind_of;
use super::outline;
use super::references::Eyes;
use super::set;
use super::walk::{Extent, tree_of};
use crate::model::{Effect, Facts, NameOp, PreparedSql, Statement};

/// What judging a text goes by, and what it learns of the text's trees on the way.
#[derive(Debug)]
pub(super) struct Look<'a> {
    pub(super) extent: Extent,
    pub(super) eyes: Eyes<'a>,
}

impl<'a> Look<'a> {
    pub(super) fn with(eyes: Eyes<'a>) -> Self {
        Self {
            extent: Extent::default(),
            eyes,
        }
    }
}

/// What a statement is, does and names. `text` is the text that it was parsed from.
pub(super) fn judge(raw: &RawStmt, text: &str, look: &Look<'_>) -> Statement {
    let Some(node) = raw.stmt.as_ref().and_then(|stmt| stmt.node.as_ref()) else {
        return Statement {
            facts: Facts::unknown("the parser found a statement without content"),
            name_op: None,
            transaction_control: true,
        };
    };
    let mut facts = facts(node, look);
    let name_op = name_op(node, raw, text, look);
    // What it stores is parsed at once.
    if let Some(NameOp::Prepare { prepared, .. }) = &name_op
        && prepared.facts.acts_when_parsed()
    {
        facts.absorb(&prepared.facts);
    }
    Statement {
        facts,
        name_op,
        transaction_control: matches!(node, NodeEnum::TransactionStmt(_)),
    }
}

fn facts(node: &NodeEnum, look: &Look<'_>) -> Facts {
    match node {
        NodeEnum::ExplainStmt(explain) => explained(explain, look),
        // What is prepared is judged into the name, see `name_op`.
        NodeEnum::PrepareStmt(_) => {
            Findings::new("PREPARE", Effect::Session, Runs::Now).into_facts(look.eyes)
        }
        NodeEnum::CopyStmt(copy) => copied(copy, look),
        NodeEnum::VariableSetStmt(set) => set::judge_set(set),
        NodeEnum::CreateSchemaStmt(create) => {
            let mut facts = gathered(node, Runs::Now, look);
            for element in create
                .schema_elts
                .iter()
                .filter_map(|element| element.node.as_ref())
            {
                facts.absorb(&self::facts(element, look));
            }
            facts
        }
        // Stored as they are; nothing in them runs now.
        NodeEnum::ViewStmt(_)
        | NodeEnum::RuleStmt(_)
        | NodeEnum::CreateTrigStmt(_)
        | NodeEnum::CreateFunctionStmt(_)
        | NodeEnum::CreatePolicyStmt(_)
        | NodeEnum::AlterPolicyStmt(_) => gathered(node, Runs::Stored, look),
        _ => gathered(node, Runs::Now, look),
    }
}

/// The facts that a walk over the whole statement finds, on top of those of its kind.
fn gathered(node: &NodeEnum, runs: Runs, look: &Look<'_>) -> Facts {
    let kind = kind_of(node);
    let mut findings = Findings::new(kind.command, kind.effect, runs);
    definitions::judge(node, &mut findings);
    let tables = match node {
        // Locked or kept in order; neither their data nor their definition changes.
        NodeEnum::LockStmt(_)
        | NodeEnum::VacuumStmt(_)
        | NodeEnum::ClusterStmt(_)
        | NodeEnum::ReindexStmt(_) => Tables::Read,
        _ => Tables::Defined,
    };
    gather(node, tables, findings, look)
}

fn gather(node: &impl Serialize, tables: Tables, findings: Findings, look: &Look<'_>) -> Facts {
    match tree_of(node, &look.extent) {
        Ok(tree) => {
            let aliases = if look.extent.calls_in_from() {
                Aliases::of(&tree)
            } else {
                Aliases::default()
            };
            let mut gatherer = Gatherer::new(findings, aliases, tables);
            gatherer.value(&tree);
            let mut findings = gatherer.findings;
            if let Some(statement) = tree.as_node() {
                findings.defines(defines::of(statement));
                outline::note(statement, &tree, &mut findings);
            }
            findings.into_facts(look.eyes)
        }
        Err(refused) => {
            let mut facts = findings.into_facts(look.eyes);
            facts.absorb(&Facts::unknown(refused.to_string()));
            facts
        }
    }
}

/// EXPLAIN plans its statement; with ANALYZE it runs it.
fn explained(explain: &ExplainStmt, look: &Look<'_>) -> Facts {
    let planned = Findings::new("EXPLAIN", Effect::Read, Runs::Planned);
    match inner(explain.query.as_deref()) {
        Some(query) if explain.options.iter().any(analyzes) => {
            let mut own = planned.into_facts(look.eyes);
            own.absorb(&facts(query, look));
            own
        }
        _ => gather(explain, Tables::Read, planned, look),
    }
}

/// Whether an option may ask for execution. Only `off` and `false` do not, whatever else the
/// same list says; a number counts as on, so that no number changes a judgement.
fn analyzes(option: &Node) -> bool {
    let Some(NodeEnum::DefElem(option)) = option.node.as_ref() else {
        return true;
    };
    if !option.defname.eq_ignore_ascii_case("analyze") && !option.defname.eq_ignore_ascii_case("analyse") {
        return false;
    }
    match inner(option.arg.as_deref()) {
        Some(NodeEnum::String(word)) => {
            !word.sval.eq_ignore_ascii_case("off") && !word.sval.eq_ignore_ascii_case("false")
        }
        _ => true,
    }
}

/// COPY, by what stands on its other end.
fn copied(copy: &CopyStmt, look: &Look<'_>) -> Facts {
    let (command, effect) = match (copy.is_program, copy.filename.is_empty(), copy.is_from) {
        (true, _, _) => ("COPY PROGRAM", Effect::Server),
        (false, false, _) => ("COPY FILE", Effect::Server),
        (false, true, true) => ("COPY", Effect::Write),
        (false, true, false) => ("COPY", Effect::Read),
    };
    let mut findings = Findings::new(command, effect, Runs::Now);
    if command != "COPY" {
        let end = if copy.is_program {
            "runs a program on the server"
        } else {
            "uses a file of the server"
        };
        findings.signal(format!("it {end}"));
        if copy.is_from {
            findings.does(Effect::Write);
        }
    }
    gather(
        copy,
        if copy.is_from {
            Tables::Defined
        } else {
            Tables::Read
        },
        findings,
        look,
    )
}

fn name_op(node: &NodeEnum, raw: &RawStmt, text: &str, look: &Look<'_>) -> Option<NameOp> {
    Some(match node {
        NodeEnum::PrepareStmt(prepare) => prepared(prepare, raw, text, look),
        NodeEnum::ExecuteStmt(execute) => NameOp::Execute {
            name: execute.name.clone(),
        },
        NodeEnum::ExplainStmt(explain) => return executed_inside(explain.query.as_deref()),
        NodeEnum::CreateTableAsStmt(create) => return executed_inside(create.query.as_deref()),
        NodeEnum::DeallocateStmt(deallocate) if deallocate.isall => NameOp::DeallocateAll,
        NodeEnum::DeallocateStmt(deallocate) => NameOp::Deallocate {
            name: deallocate.name.clone(),
        },
        NodeEnum::DiscardStmt(discard) if discard.target == DiscardMode::DiscardAll as i32 => {
            NameOp::DiscardAll
        }
        NodeEnum::DeclareCursorStmt(declare) => NameOp::Declare {
            name: declare.portalname.clone(),
        },
        NodeEnum::FetchStmt(fetch) => NameOp::Fetch {
            name: fetch.portalname.clone(),
        },
        _ => return None,
    })
}

/// The EXECUTE inside EXPLAIN, CREATE TABLE AS, or both.
fn executed_inside(query: Option<&Node>) -> Option<NameOp> {
    match inner(query)? {
        NodeEnum::ExecuteStmt(execute) => Some(NameOp::Execute {
            name: execute.name.clone(),
        }),
        NodeEnum::CreateTableAsStmt(create) => executed_inside(create.query.as_deref()),
        _ => None,
    }
}

fn prepared(prepare: &PrepareStmt, raw: &RawStmt, text: &str, look: &Look<'_>) -> NameOp {
    let mut facts = inner(prepare.query.as_deref()).map_or_else(
        || Facts::unknown("the parser found a PREPARE without a statement"),
        |query| facts(query, look),
    );
    facts.absorb(&parameter_types(prepare, look));
    let prepared = PreparedSql {
        text: own_text(raw, text).to_owned(),
        facts,
        sight: look.eyes.number(),
    };
    NameOp::Prepare {
        name: prepare.name.clone(),
        prepared: Arc::new(prepared),
    }
}

/// Values of its parameters are made of these types when it is executed.
fn parameter_types(prepare: &PrepareStmt, look: &Look<'_>) -> Facts {
    let mut findings = Findings::new("PREPARE", Effect::Session, Runs::Now);
    for parameter in &prepare.argtypes {
        match tree_of(parameter, &look.extent) {
            Ok(tree) => {
                if let Some(r#type) = tree.as_node() {
                    calls::judge_type(r#type, &mut findings);
                }
            }
            Err(refused) => findings.raise(Effect::Unknown, refused.to_string()),
        }
    }
    let mut facts = findings.into_facts(look.eyes);
    facts.commands.clear();
    facts
}

/// The part of the text that is this statement; all of it where the parser does not say.
fn own_text<'a>(raw: &RawStmt, text: &'a str) -> &'a str {
    let start = usize::try_from(raw.stmt_location).unwrap_or(0);
    let end = match usize::try_from(raw.stmt_len) {
        Ok(length) if length > 0 => start.saturating_add(length),
        _ => text.len(),
    };
    text.get(start..end).unwrap_or(text).trim()
}

fn inner(node: Option<&Node>) -> Option<&NodeEnum> {
    node.and_then(|node| node.node.as_ref())
}
