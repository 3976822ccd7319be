//! Calls, types and sampling methods: what a name in a query makes the server run.
//!
//! What is PostgreSQL's own is judged here, by lists; the rest is noted as a [`Reference`].

use super::findings::Findings;
use super::names::{self, Function};
use super::references::{Kind, Reference};
use super::set;
use super::tree::Tree;
use crate::model::Effect;

/// `CoercionForm::CoerceSqlSyntax`: the grammar made the call from syntax (`EXTRACT(… FROM …)`).
const FROM_SYNTAX: i64 = 4;

/// A function call.
pub(super) fn judge(call: &Tree, findings: &mut Findings) {
    let name = call.names("funcname");
    let what = names::function(&name);
    if call.number("funcformat") == FROM_SYNTAX && what == Function::Reading {
        // Another of the name may have been put next to PostgreSQL's own.
        findings.refers(reference(call, &name, true));
        return;
    }
    findings.function(&name);
    if name.last() == Some(&"setseed") {
        findings.seeds();
    }
    match what {
        // Syntax for it came with PostgreSQL 17: before, it is a bare name.
        Function::Reading if name == ["pg_catalog", "json_object"] => {
            findings.refers(reference(call, &["json_object"], true));
        }
        Function::Reading => findings.refers(reference(call, &name, true)),
        Function::Acting(acting) => {
            // The next number of another sequence is a gap in it, and no more.
            if name.last() != Some(&"nextval") {
                findings.acts_on_constants();
            }
            findings.calls(
                acting.effect,
                format!("the function {} {}", name.join("."), acting.does),
            );
        }
        Function::SetConfig => {
            findings.acts_on_constants();
            set::judge_set_config(call, findings);
        }
        Function::Foreign => findings.refers(reference(call, &name, false)),
    }
}

fn reference(call: &Tree, name: &[&str], is_own: bool) -> Reference {
    let countable = !call.is("func_variadic") && !call.is("agg_within_group");
    let arguments = countable.then(|| call.list("args").len());
    Reference::new(Kind::Function(arguments), name, is_own)
}

/// A type, in a cast or a column definition.
pub(super) fn judge_type(r#type: &Tree, findings: &mut Findings) {
    let name = r#type.names("names");
    if name.is_empty() {
        return;
    }
    // A server before 17 has no syntax for it, and may find another `json` first.
    let name = if name == ["pg_catalog", "json"] {
        vec!["json"]
    } else {
        name
    };
    findings.refers(Reference {
        is_array: !r#type.list("array_bounds").is_empty(),
        ..Reference::new(Kind::Type, &name, names::is_own_type(&name))
    });
}

/// `TABLESAMPLE method (…)`: a method is a function.
pub(super) fn judge_sampling(sample: &Tree, findings: &mut Findings) {
    let name = sample.names("method");
    if !matches!(
        name[..],
        ["system" | "bernoulli"] | ["pg_catalog", "system" | "bernoulli"]
    ) {
        let why = format!("the sampling method {} is not known to only read", name.join("."));
        findings.calls(Effect::Unknown, why);
    }
}
