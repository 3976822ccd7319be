//! Calls, types and sampling methods: what a name in a query makes the server run.
//!
//! A cast to a type that is not PostgreSQL's own stays a read, with a signal. It can run code (a
//! domain's CHECK, a cast's function), as reading from a view can, and a parser sees neither.
//! Such code comes into being only through a definition, which is never a read; and drivers
//! cast to enums in the most ordinary queries. A call by name is refused because functions that
//! write are ordinary, too.

use super::findings::Findings;
use super::names::{self, Function};
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
        return;
    }
    findings.function(&name);
    match what {
        Function::Reading => {}
        Function::Acting(acting) => {
            findings.calls(
                acting.effect,
                format!("the function {} {}", name.join("."), acting.does),
            );
        }
        Function::SetConfig => set::judge_set_config(call, findings),
        Function::Foreign => {
            let why = format!("the function {} is not known to only read", name.join("."));
            findings.calls(Effect::Unknown, why);
        }
    }
}

/// A type, in a cast or a column definition.
pub(super) fn judge_type(r#type: &Tree, findings: &mut Findings) {
    let name = r#type.names("names");
    if !name.is_empty() && !names::is_own_type(&name) {
        findings.signal(format!(
            "the type {} is not PostgreSQL's own: casts to it may run code",
            name.join(".")
        ));
    }
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
