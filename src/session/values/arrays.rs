//! Arrays.
//!
//! Source: `array_recv` and `array_out` in `src/backend/utils/adt/arrayfuncs.c`; `int.c` and `oid.c` for the vectors.

use std::fmt::Write as _;

use crate::wire::{Fields, Malformed};

use super::decode::{counted, decode, is_space};
use super::out::Out;
use super::types::{BOX, FIRST_UNSTABLE, INT2, Known, OID, Type};

/// The server's limit (`MAXDIM`).
const MOST_DIMENSIONS: usize = 6;

/// The shape that an array's bytes begin with.
#[derive(Debug, Default)]
struct Shape {
    dimensions: usize,
    lengths: [usize; MOST_DIMENSIONS],
    lower: [i32; MOST_DIMENSIONS],
    /// The type that the client says the elements have.
    of: u32,
    elements: usize,
}

impl Shape {
    fn read(fields: &mut Fields<'_>) -> Result<Self, Malformed> {
        let dimensions = usize::try_from(fields.i32()?).unwrap_or(usize::MAX);
        if dimensions > MOST_DIMENSIONS {
            return Err(Malformed("an array of too many dimensions"));
        }
        if !matches!(fields.i32()?, 0 | 1) {
            return Err(Malformed("an array with unknown flags"));
        }
        let mut shape = Self {
            dimensions,
            of: fields.i32()?.cast_unsigned(),
            elements: usize::from(dimensions > 0),
            ..Self::default()
        };
        for at in 0..dimensions {
            let (length, lower) = (fields.i32()?, fields.i32()?);
            let fits = lower.checked_add(length).is_some();
            shape.lengths[at] = usize::try_from(length)
                .ok()
                .filter(|_| fits)
                .ok_or(Malformed("an array with a wrong dimension"))?;
            shape.lower[at] = lower;
        }
        for length in &shape.lengths[..dimensions] {
            shape.elements = shape
                .elements
                .checked_mul(*length)
                .ok_or(Malformed("an array of too many elements"))?;
        }
        // Each has at least a length.
        if shape.elements > fields.rest().len() / 4 {
            return Err(Malformed("an array with fewer elements than it says"));
        }
        Ok(shape)
    }

    /// How many dimensions begin with the element `at`, and equally end before it.
    fn begin_at(&self, at: usize) -> usize {
        let mut stride = 1;
        let inner = self.lengths[..self.dimensions].iter().rev();
        inner
            .take_while(|length| {
                stride *= **length;
                at.is_multiple_of(stride)
            })
            .count()
    }
}

/// An array of values of the type `of`.
pub(super) fn array(
    of: &'static Type,
    fields: &mut Fields<'_>,
    depth: usize,
    out: &mut Out,
) -> Result<(), Malformed> {
    let shape = Shape::read(fields)?;
    // The server takes its own word for the type where the client's is not a built-in one.
    if shape.of != of.oid && shape.of < FIRST_UNSTABLE {
        return Err(Malformed("an array of values of another type"));
    }
    if shape.elements == 0 {
        out.push_str("{}");
        return Ok(());
    }
    let (lengths, lower) = (
        &shape.lengths[..shape.dimensions],
        &shape.lower[..shape.dimensions],
    );
    if lower.iter().any(|&lower| lower != 1) {
        for (&lower, &length) in lower.iter().zip(lengths) {
            let upper = i64::from(lower) + i64::try_from(length).unwrap_or(i64::MAX) - 1;
            let _ = write!(out, "[{lower}:{upper}]");
        }
        out.push('=');
    }
    let delimiter = if of.oid == BOX { ';' } else { ',' };
    let element = Known {
        r#type: of,
        is_array: false,
    };
    for at in 0..shape.elements {
        let begin = shape.begin_at(at);
        if at > 0 {
            out.push_str(&"}".repeat(begin));
            out.push(delimiter);
        }
        out.push_str(&"{".repeat(begin));
        match counted(fields)? {
            None => out.push_str("NULL"),
            Some(bytes) => {
                let mut part = out.part();
                decode(element, bytes, depth + 1, &mut part)?;
                let quoted = needs_quotes(part.as_str(), delimiter);
                out.push_part(&part, quoted, |c| matches!(c, '"' | '\\').then_some('\\'));
            }
        }
        if out.is_cut() {
            return Ok(());
        }
    }
    out.push_str(&"}".repeat(lengths.len()));
    Ok(())
}

fn needs_quotes(text: &str, delimiter: char) -> bool {
    let special = |c| c == delimiter || is_space(c) || matches!(c, '"' | '\\' | '{' | '}');
    text.is_empty() || text.eq_ignore_ascii_case("NULL") || text.contains(special)
}

pub(super) fn int2vector(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    vector(INT2, fields, out)
}

pub(super) fn oidvector(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    vector(OID, fields, out)
}

/// An array of one dimension that begins at 0 and has no NULL, shown without anything around it. One without
/// elements has no dimension, once it is read, and the server does not take it.
fn vector(of: u32, fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    const WRONG: Malformed = Malformed("not a vector");
    let shape = Shape::read(fields)?;
    if (shape.dimensions, shape.lower[0], shape.of) != (1, 0, of) || shape.elements == 0 {
        return Err(WRONG);
    }
    let element = Known::of(of).ok_or(WRONG)?;
    for at in 0..shape.elements {
        if at > 0 {
            out.push(' ');
        }
        let bytes = counted(fields)?.ok_or(WRONG)?;
        decode(element, bytes, 1, out)?;
        if out.is_cut() {
            break;
        }
    }
    Ok(())
}
