//! Points and figures made of them.
//!
//! Source: `src/backend/utils/adt/geo_ops.c`.

use crate::wire::{Fields, Malformed};

use super::decode::{count, i64};
use super::floats;
use super::out::Out;

/// Bytes of a point.
const POINT: usize = 16;

type Point = (f64, f64);

pub(super) fn point(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    write_point(read_point(fields)?, out);
    Ok(())
}

/// `[(1,2),(3,4)]`.
pub(super) fn lseg(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    points(fields, 2, ('[', ']'), out)
}

/// The upper right corner, then the lower left one, in whatever order they come.
pub(super) fn r#box(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    let (mut high, mut low) = (read_point(fields)?, read_point(fields)?);
    if is_less(high.0, low.0) {
        std::mem::swap(&mut high.0, &mut low.0);
    }
    if is_less(high.1, low.1) {
        std::mem::swap(&mut high.1, &mut low.1);
    }
    write_point(high, out);
    out.push(',');
    write_point(low, out);
    Ok(())
}

/// Closed, in round brackets, or open, in square ones.
pub(super) fn path(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    let brackets = if fields.u8()? == 0 { ('[', ']') } else { ('(', ')') };
    let number = some(count(fields, POINT)?)?;
    points(fields, number, brackets, out)
}

pub(super) fn polygon(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    let number = some(count(fields, POINT)?)?;
    points(fields, number, ('(', ')'), out)
}

/// `{A,B,C}`, of the equation `Ax + By + C = 0`.
pub(super) fn line(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    let (a, b, c) = (number(fields)?, number(fields)?, number(fields)?);
    for (before, number) in [('{', a), (',', b), (',', c)] {
        out.push(before);
        floats::float8(number, out);
    }
    out.push('}');
    Ok(())
}

/// `<(1,2),3>`: centre and radius.
pub(super) fn circle(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    out.push('<');
    point(fields, out)?;
    out.push(',');
    floats::float8(number(fields)?, out);
    out.push('>');
    Ok(())
}

fn points(
    fields: &mut Fields<'_>,
    number: usize,
    (open, close): (char, char),
    out: &mut Out,
) -> Result<(), Malformed> {
    out.push(open);
    for at in 0..number {
        if at > 0 {
            out.push(',');
        }
        point(fields, out)?;
        if out.is_cut() {
            break;
        }
    }
    out.push(close);
    Ok(())
}

fn some(number: usize) -> Result<usize, Malformed> {
    match number {
        0 => Err(Malformed("a figure without points")),
        number => Ok(number),
    }
}

fn read_point(fields: &mut Fields<'_>) -> Result<Point, Malformed> {
    Ok((number(fields)?, number(fields)?))
}

fn number(fields: &mut Fields<'_>) -> Result<f64, Malformed> {
    i64(fields).map(|bits| f64::from_bits(bits.cast_unsigned()))
}

fn write_point((x, y): Point, out: &mut Out) {
    out.push('(');
    floats::float8(x, out);
    out.push(',');
    floats::float8(y, out);
    out.push(')');
}

/// The server's order, in which NaN is the greatest.
const fn is_less(a: f64, b: f64) -> bool {
    !a.is_nan() && (b.is_nan() || a < b)
}
