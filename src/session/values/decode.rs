//! A binary value to text, by its type's form.

use crate::wire::{Fields, Malformed};

use super::out::Out;
use super::types::{Form, Known};
use super::{arrays, composite, ranges};

/// Rows in arrays in rows …: what is nested deeper is not decoded.
pub(super) const DEEPEST: usize = 8;

/// Appends a value's text, as the type's output function writes it. `depth` is how deep inside of other values
/// it stands. All bytes must belong to the value, unless the output is cut.
pub(super) fn decode(known: Known, bytes: &[u8], depth: usize, out: &mut Out) -> Result<(), Malformed> {
    if depth > DEEPEST {
        return Err(Malformed("values nested too deep"));
    }
    let mut fields = Fields::of(bytes);
    if known.is_array {
        arrays::array(known.r#type, &mut fields, depth, out)?;
    } else {
        match known.r#type.form {
            Form::Plain(decoder) => decoder(&mut fields, out)?,
            Form::Range(of) => ranges::range(of, &mut fields, depth, out)?,
            Form::Multirange(of) => ranges::multirange(of, &mut fields, depth, out)?,
            Form::Record => composite::record(&mut fields, depth, out)?,
            Form::None => return Err(Malformed("a type without a binary form")),
        }
    }
    if out.is_cut() { Ok(()) } else { fields.end() }
}

/// A value that stands in another one, behind its length: its bytes, or NULL.
pub(super) fn counted<'b>(fields: &mut Fields<'b>) -> Result<Option<&'b [u8]>, Malformed> {
    match fields.i32()? {
        -1 => Ok(None),
        length => {
            let length = usize::try_from(length).map_err(|_| Malformed("a negative length"))?;
            fields.bytes(length).map(Some)
        }
    }
}

/// A count of 32 bits of things that take at least `least` bytes each: one that lies is found out before
/// anything is done that often.
pub(super) fn count(fields: &mut Fields<'_>, least: usize) -> Result<usize, Malformed> {
    let count = usize::try_from(fields.i32()?).map_err(|_| Malformed("a negative count"))?;
    if count > fields.rest().len() / least {
        return Err(Malformed("a count beyond the value's end"));
    }
    Ok(count)
}

/// A big-endian integer of 64 bits.
pub(super) fn i64(fields: &mut Fields<'_>) -> Result<i64, Malformed> {
    let bytes = fields.bytes(8)?.first_chunk();
    Ok(bytes.map_or(0, |bytes| i64::from_be_bytes(*bytes)))
}

/// Whether the server's `isspace` in its own parsers takes it for a space.
pub(super) const fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}
