//! Bound values as text for people. Display only: what runs are the client's bytes.
//!
//! May import `model` and `wire`. A value is shown as PostgreSQL's own output would have it, with the settings
//! `DateStyle = ISO`, `IntervalStyle = postgres`, `TimeZone = UTC`, `bytea_output = hex`. It is read as the
//! server's input functions read it, which take more than its output functions write. What cannot be read that
//! way is shown as its bytes, and its type says so: never a wrong value. What is shown is bounded, for a value
//! and for all values of a statement, and never decides on anything.
//!
//! Source: PostgreSQL's `pg_type.dat` for the OIDs, the types' `*_recv` functions for the binary forms.

mod arrays;
mod composite;
mod decode;
mod floats;
mod geometry;
mod network;
mod numbers;
mod out;
mod ranges;
mod scalars;
mod search;
mod text;
mod times;
mod types;

use std::fmt::Write as _;

use crate::model::Parameter;
use crate::wire::frontend::Bind;

use out::Out;
use types::{BOOL, Known};

/// At most so many bytes of a value are shown.
const SHOWN: usize = 16 * 1024;
/// At most so many bytes of all values together; what remains is said to be there.
const SHOWN_IN_ALL: usize = 4 * 1024 * 1024;
/// Bytes of an unknown type are shown as a text, too, if they are one of at most so many bytes.
const READ_AS_TEXT: usize = 64;

/// The values of a Bind, with the OIDs of their types as far as they are known; 0, or none, is not.
pub(super) fn parameters(bind: &Bind<'_>, types: &[u32]) -> Vec<Parameter> {
    let mut left = SHOWN_IN_ALL;
    bind.values()
        .enumerate()
        .map(|(i, (binary, value))| {
            let oid = types.get(i).copied().unwrap_or(0);
            let shown = show(oid, binary, value, left.min(SHOWN));
            left = left.saturating_sub(shown.value.as_ref().map_or(0, String::len));
            shown
        })
        .collect()
}

/// A type as people call it: `int4`, `int4[]`, and `type 16401` if it is not PostgreSQL's own.
pub(super) fn type_name(oid: u32) -> String {
    Known::of(oid).map_or_else(|| format!("type {oid}"), Known::name)
}

/// A value, in not much more than `limit` bytes.
fn show(oid: u32, binary: bool, value: Option<&[u8]>, limit: usize) -> Parameter {
    let known = Known::of(oid);
    let named = match known {
        Some(known) => Some(known.name()),
        None if oid == 0 => None,
        None => Some(format!("OID {oid}")),
    };
    let Some(bytes) = value else {
        return Parameter {
            value: None,
            r#type: named,
        };
    };
    let mut out = Out::new(limit);
    let note = if binary {
        show_binary(known, bytes, &mut out)
    } else {
        show_text(bytes, &mut out)
    };
    let is_cut = out.is_cut();
    let mut value = out.into_string();
    if is_cut {
        let _ = write!(value, "… ({} bytes in all)", bytes.len());
    }
    let r#type = match note {
        None => named,
        Some(note) => Some(format!("{}, {note}", named.as_deref().unwrap_or("unknown type"))),
    };
    Parameter {
        value: Some(value),
        r#type,
    }
}

/// A value that the client wrote as text: as it did. Gives what must be said about it.
fn show_text(bytes: &[u8], out: &mut Out) -> Option<String> {
    if let Ok(text) = text::utf8(bytes) {
        out.push_str(text);
        None
    } else {
        out.push_hexadecimal(bytes);
        Some("not UTF-8: shown as bytes".to_owned())
    }
}

/// A value in its type's binary form. Gives what must be said about it.
fn show_binary(known: Option<Known>, bytes: &[u8], out: &mut Out) -> Option<String> {
    let Some(known) = known else {
        out.push_hexadecimal(bytes);
        let as_text = text::utf8(bytes)
            .ok()
            .filter(|text| (1..=READ_AS_TEXT).contains(&text.len()) && !text.contains(char::is_control));
        return Some(match as_text {
            Some(text) => format!("shown as bytes, which as text read {text:?}"),
            None => "shown as bytes".to_owned(),
        });
    };
    let mut read = out.part();
    if let Err(wrong) = decode::decode(known, bytes, 0, &mut read) {
        out.push_hexadecimal(bytes);
        return Some(format!("shown as bytes: {}", wrong.0));
    }
    if (known.r#type.oid, known.is_array) == (BOOL, false) {
        // By itself it is shown as a cast to text does, in other values as they do.
        read = out.part();
        read.push_str(if *bytes == [0] { "false" } else { "true" });
    }
    let note = read.has_money().then(|| "two decimal places assumed".to_owned());
    *out = read;
    note
}

#[cfg(test)]
mod tests;
