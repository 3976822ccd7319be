//! Ranges and multiranges.
//!
//! Shown with the bounds that were sent: `[1,3]` where the server will store `[1,4)`.
//!
//! Source: `src/backend/utils/adt/rangetypes.c` and `multirangetypes.c`.

use crate::wire::{Fields, Malformed};

use super::decode::{count, decode, is_space};
use super::out::Out;
use super::types::Known;

const EMPTY: u8 = 0x01;
const LOWER_INCLUSIVE: u8 = 0x02;
const UPPER_INCLUSIVE: u8 = 0x04;
const LOWER_INFINITE: u8 = 0x08;
const UPPER_INFINITE: u8 = 0x10;

/// A range of values of the type with the OID `of`.
pub(super) fn range(of: u32, fields: &mut Fields<'_>, depth: usize, out: &mut Out) -> Result<(), Malformed> {
    // Other bits are ignored.
    let flags = fields.u8()?;
    if flags & EMPTY != 0 {
        out.push_str("empty");
        return Ok(());
    }
    let has = |flag: u8| flags & flag != 0;
    let is_closed = has(LOWER_INCLUSIVE) && !has(LOWER_INFINITE);
    out.push(if is_closed { '[' } else { '(' });
    if !has(LOWER_INFINITE) {
        bound(of, fields, depth, out)?;
    }
    out.push(',');
    if !has(UPPER_INFINITE) && !out.is_cut() {
        bound(of, fields, depth, out)?;
    }
    let is_closed = has(UPPER_INCLUSIVE) && !has(UPPER_INFINITE);
    out.push(if is_closed { ']' } else { ')' });
    Ok(())
}

fn bound(of: u32, fields: &mut Fields<'_>, depth: usize, out: &mut Out) -> Result<(), Malformed> {
    let known = Known::of(of).ok_or(Malformed("a range of an unknown type"))?;
    let length = usize::try_from(fields.i32()?).map_err(|_| Malformed("a negative length"))?;
    let bytes = fields.bytes(length)?;
    let mut part = out.part();
    decode(known, bytes, depth + 1, &mut part)?;
    let special = |c| is_space(c) || matches!(c, '"' | '\\' | '(' | ')' | '[' | ']' | ',');
    let quoted = part.as_str().is_empty() || part.as_str().contains(special);
    out.push_part(&part, quoted, |c| matches!(c, '"' | '\\').then_some(c));
    Ok(())
}

/// Ranges of the type with the OID `of`.
pub(super) fn multirange(
    of: u32,
    fields: &mut Fields<'_>,
    depth: usize,
    out: &mut Out,
) -> Result<(), Malformed> {
    let known = Known::of(of).ok_or(Malformed("a multirange of an unknown type"))?;
    let number = count(fields, 5)?;
    out.push('{');
    for at in 0..number {
        if at > 0 {
            out.push(',');
        }
        let length = usize::try_from(fields.i32()?).map_err(|_| Malformed("a negative length"))?;
        decode(known, fields.bytes(length)?, depth + 1, out)?;
        if out.is_cut() {
            break;
        }
    }
    out.push('}');
    Ok(())
}
