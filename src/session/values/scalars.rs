//! Values that are neither numbers nor texts.
//!
//! Source: `bool.c`, `tid.c`, `varbit.c`, `uuid.c`, `pg_lsn.c`, `xid8funcs.c` in `src/backend/utils/adt`.

use std::fmt::Write as _;

use crate::wire::{Fields, Malformed};

use super::decode::{count, i64};
use super::out::Out;

/// Any byte but zero is true.
pub(super) fn bool(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    out.push(if fields.u8()? == 0 { 'f' } else { 't' });
    Ok(())
}

/// What a procedure's OUT parameters are declared as: nothing.
#[expect(clippy::unnecessary_wraps, reason = "a decoder")]
pub(super) fn void(_: &mut Fields<'_>, _: &mut Out) -> Result<(), Malformed> {
    Ok(())
}

/// Block and offset.
pub(super) fn tid(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    let (block, offset) = (fields.i32()?.cast_unsigned(), fields.i16()?.cast_unsigned());
    let _ = write!(out, "({block},{offset})");
    Ok(())
}

/// `bit` and `varbit`: a number of bits, and the bits.
pub(super) fn bits(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    let bits = usize::try_from(fields.i32()?).map_err(|_| Malformed("a negative number of bits"))?;
    let bytes = fields.bytes(bits.div_ceil(8))?;
    for bit in 0..bits {
        let is_set = bytes[bit / 8] & (0x80 >> (bit % 8)) != 0;
        out.push(if is_set { '1' } else { '0' });
        if out.is_cut() {
            break;
        }
    }
    Ok(())
}

pub(super) fn uuid(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    for (at, byte) in fields.bytes(16)?.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        let _ = write!(out, "{byte:02x}");
    }
    Ok(())
}

pub(super) fn pg_lsn(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    let lsn = i64(fields)?.cast_unsigned();
    let _ = write!(out, "{:X}/{:X}", lsn >> 32, lsn & 0xffff_ffff);
    Ok(())
}

/// `pg_snapshot` and `txid_snapshot`: `xmin:xmax:xip,…`.
pub(super) fn snapshot(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    // The count stands before the two bounds.
    let running = count(fields, 8)?;
    let (xmin, xmax) = (i64(fields)?, i64(fields)?);
    let _ = write!(out, "{xmin}:{xmax}:");
    for at in 0..running {
        let separator = if at == 0 { "" } else { "," };
        let _ = write!(out, "{separator}{}", i64(fields)?);
        if out.is_cut() {
            break;
        }
    }
    Ok(())
}
