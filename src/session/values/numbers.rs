//! Numbers.
//!
//! Source: `numeric_recv` in `src/backend/utils/adt/numeric.c`; `cash.c`; the integers are big-endian.

use std::fmt::Write as _;

use crate::wire::{Fields, Malformed};

use super::decode::i64;
use super::floats;
use super::out::Out;

pub(super) fn int2(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    let _ = write!(out, "{}", fields.i16()?);
    Ok(())
}

pub(super) fn int4(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    let _ = write!(out, "{}", fields.i32()?);
    Ok(())
}

pub(super) fn int8(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    let _ = write!(out, "{}", i64(fields)?);
    Ok(())
}

/// `oid`, and what stands for it: of a `regclass` and its like, the name is known to the server only.
pub(super) fn unsigned4(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    let _ = write!(out, "{}", fields.i32()?.cast_unsigned());
    Ok(())
}

pub(super) fn unsigned8(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    let _ = write!(out, "{}", i64(fields)?.cast_unsigned());
    Ok(())
}

pub(super) fn float4(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    floats::float4(f32::from_bits(fields.i32()?.cast_unsigned()), out);
    Ok(())
}

pub(super) fn float8(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    floats::float8(f64::from_bits(i64(fields)?.cast_unsigned()), out);
    Ok(())
}

/// Counted in the smallest unit of the currency, of which nearly everywhere a hundred make one. The server's
/// `lc_monetary` decides, which is not known here: the output says that it has an amount of money.
pub(super) fn money(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    let units = i64(fields)?;
    let sign = if units < 0 { "-" } else { "" };
    let (whole, rest) = (units.unsigned_abs() / 100, units.unsigned_abs() % 100);
    let _ = write!(out, "{sign}{whole}.{rest:02}");
    out.note_money();
    Ok(())
}

/// Digits of base 10 000 with a weight, a sign and a number of decimal places.
struct Numeric<'b> {
    digits: &'b [u8],
    weight: i32,
    /// Decimal places: what the digits have beyond them is cut off by the server.
    scale: usize,
}

/// `NUMERIC_DSCALE_MASK`.
const MOST_PLACES: u16 = 0x3fff;

pub(super) fn numeric(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    let count = fields.i16()?.cast_unsigned();
    let weight = fields.i16()?.into();
    let sign = fields.i16()?.cast_unsigned();
    let scale = fields.i16()?.cast_unsigned();
    let digits = fields.bytes(usize::from(count) * 2)?;
    if scale > MOST_PLACES || words(digits).any(|digit| digit >= 10_000) {
        return Err(Malformed("not a numeric"));
    }
    let number = Numeric {
        digits,
        weight,
        scale: scale.into(),
    };
    match sign {
        0x0000 => number.write(out),
        0x4000 => {
            if !number.is_zero() {
                out.push('-');
            }
            number.write(out);
        }
        0xc000 => out.push_str("NaN"),
        0xd000 => out.push_str("Infinity"),
        0xf000 => out.push_str("-Infinity"),
        _ => return Err(Malformed("a numeric without a sign")),
    }
    Ok(())
}

impl Numeric<'_> {
    /// The digit that counts 10 000 to the power of `place`.
    fn digit(&self, place: i32) -> u16 {
        let at = usize::try_from(self.weight - place).ok();
        let digit = at.and_then(|at| self.digits.get(at * 2..)?.first_chunk());
        digit.map_or(0, |&digit| u16::from_be_bytes(digit))
    }

    fn write(&self, out: &mut Out) {
        let mut place = self.weight.max(0);
        while place > 0 && self.digit(place) == 0 {
            place -= 1;
        }
        let _ = write!(out, "{}", self.digit(place));
        while place > 0 && !out.is_cut() {
            place -= 1;
            let _ = write!(out, "{:04}", self.digit(place));
        }
        let mut left = self.scale;
        if left > 0 {
            out.push('.');
        }
        while left > 0 && !out.is_cut() {
            place -= 1;
            let four = format!("{:04}", self.digit(place));
            out.push_str(&four[..left.min(4)]);
            left = left.saturating_sub(4);
        }
    }

    /// Whether nothing is left once the digits beyond the scale are cut off. The server knows no negative zero.
    fn is_zero(&self) -> bool {
        let mut place = self.weight + 1;
        words(self.digits).all(|digit| {
            place -= 1;
            let before = usize::try_from(-1 - place).map_or(0, |groups| groups * 4);
            match (place >= 0, self.scale.saturating_sub(before)) {
                (true, _) | (false, 4..) => digit == 0,
                (false, 3) => digit < 10,
                (false, 2) => digit < 100,
                (false, 1) => digit < 1000,
                (false, 0) => true,
            }
        })
    }
}

fn words(digits: &[u8]) -> impl Iterator<Item = u16> {
    let (pairs, _) = digits.as_chunks();
    pairs.iter().map(|&pair| u16::from_be_bytes(pair))
}
