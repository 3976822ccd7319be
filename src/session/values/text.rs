//! Texts, and bytes.
//!
//! A text is in the encoding that the client has chosen. What is not UTF-8 is not guessed at.
//!
//! Source: `varlena.c`, `char.c`, `jsonb.c`, `jsonpath.c`, `xml.c` in `src/backend/utils/adt`.

use std::fmt::Write as _;

use crate::wire::{Fields, Malformed};

use super::out::Out;

/// All types whose binary form is their text.
pub(super) fn text(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    out.push_str(utf8(all(fields)?)?);
    Ok(())
}

/// `jsonb` and `jsonpath`: a version, which is 1, and the text.
pub(super) fn versioned(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    match fields.u8()? {
        1 => text(fields, out),
        _ => Err(Malformed("an unknown version of the binary form")),
    }
}

/// A document that names another encoding than UTF-8 is read in that one by the server.
pub(super) fn xml(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    let document = utf8(all(fields)?)?;
    let declaration = document
        .strip_prefix("<?xml")
        .and_then(|rest| rest.split_once("?>"))
        .map(|(declaration, _)| declaration.to_ascii_lowercase());
    let names_another =
        declaration.is_some_and(|d| d.contains("encoding") && !d.contains("utf-8") && !d.contains("utf8"));
    if names_another && !document.is_ascii() {
        return Err(Malformed("a document in another encoding"));
    }
    out.push_str(document);
    Ok(())
}

/// `"char"`: a byte. Zero is shown as nothing, what is not ASCII in octal.
pub(super) fn one_byte(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    match fields.u8()? {
        0 => {}
        byte if byte.is_ascii() => out.push(char::from(byte)),
        byte => {
            let _ = write!(out, "\\{byte:03o}");
        }
    }
    Ok(())
}

pub(super) fn bytea(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    out.push_hexadecimal(all(fields)?);
    Ok(())
}

/// Bytes as text.
pub(super) fn utf8(bytes: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(bytes).map_err(|_| Malformed("a text that is not UTF-8"))
}

fn all<'b>(fields: &mut Fields<'b>) -> Result<&'b [u8], Malformed> {
    fields.bytes(fields.rest().len())
}
