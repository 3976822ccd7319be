//! Rows.
//!
//! Source: `src/backend/utils/adt/rowtypes.c`.

use crate::wire::{Fields, Malformed};

use super::decode::{count, counted, decode, is_space};
use super::out::Out;
use super::types::Known;

/// `(1,"a b",)`. A row with a value of a type that is not known here is not decoded.
pub(super) fn record(fields: &mut Fields<'_>, depth: usize, out: &mut Out) -> Result<(), Malformed> {
    let columns = count(fields, 8)?;
    out.push('(');
    for at in 0..columns {
        if at > 0 {
            out.push(',');
        }
        let oid = fields.i32()?.cast_unsigned();
        if let Some(bytes) = counted(fields)? {
            let known = Known::of(oid).ok_or(Malformed("a row with a value of an unknown type"))?;
            let mut part = out.part();
            decode(known, bytes, depth + 1, &mut part)?;
            let special = |c| is_space(c) || matches!(c, '"' | '\\' | '(' | ')' | ',');
            let quoted = part.as_str().is_empty() || part.as_str().contains(special);
            out.push_part(&part, quoted, |c| matches!(c, '"' | '\\').then_some(c));
        }
        if out.is_cut() {
            break;
        }
    }
    out.push(')');
    Ok(())
}
