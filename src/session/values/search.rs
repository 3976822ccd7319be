//! Documents and queries of the full text search.
//!
//! Source: `src/backend/utils/adt/tsvector.c` and `tsquery.c`.

use std::fmt::Write as _;

use crate::wire::{Fields, Malformed};

use super::decode::count;
use super::out::Out;
use super::text::utf8;

/// `'a':1A,2 'cat'`: lexemes with their positions and weights.
pub(super) fn tsvector(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    for at in 0..count(fields, 3)? {
        if at > 0 {
            out.push(' ');
        }
        write_quoted(utf8(fields.cstr()?)?, out);
        for at in 0..fields.i16()?.cast_unsigned() {
            let position = fields.i16()?.cast_unsigned();
            let separator = if at == 0 { ':' } else { ',' };
            let weight = ["", "C", "B", "A"][usize::from(position >> 14)];
            let _ = write!(out, "{separator}{}{weight}", position & 0x3fff);
        }
        if out.is_cut() {
            break;
        }
    }
    Ok(())
}

const TOO_LONG: Malformed = Malformed("a query that is too long");

/// An operand, or an operator over what follows it.
enum Item<'b> {
    Operand {
        weight: u8,
        is_prefix: bool,
        text: &'b str,
    },
    Not,
    And,
    Or,
    Phrase(i16),
}

/// How tightly an operand and the operators bind.
const OPERAND: u8 = 5;
const NOT: u8 = 4;
const PHRASE: u8 = 3;
const AND: u8 = 2;
const OR: u8 = 1;

/// What is made of the items read so far, with how tightly its outermost operator binds.
struct Part {
    text: Out,
    binds: u8,
}

/// `'a' & !( 'b' | 'c':*A )`. The items stand in Polish notation, an operator's right operand before the left;
/// so, from the last item on, each operator finds its operands made.
pub(super) fn tsquery(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    const WRONG: Malformed = Malformed("a query whose operators and operands do not match");
    let number = count(fields, 2)?;
    if number > out.limit() {
        return Err(TOO_LONG);
    }
    let mut items = Vec::with_capacity(number);
    for _ in 0..number {
        items.push(read(fields)?);
    }
    let mut parts: Vec<Part> = Vec::new();
    for item in items.iter().rev() {
        let part = match *item {
            Item::Operand { .. } => operand(item, out),
            Item::Not => {
                let of = parts.pop().ok_or(WRONG)?;
                let mut text = out.part();
                text.push('!');
                of.write(of.binds < NOT, &mut text);
                Part { text, binds: NOT }
            }
            Item::And | Item::Or | Item::Phrase(_) => {
                let right = parts.pop().ok_or(WRONG)?;
                let left = parts.pop().ok_or(WRONG)?;
                join(item, left, &right, out)
            }
        };
        // Its end is not known: what stands around it would be cut at another place.
        if part.text.is_cut() {
            return Err(TOO_LONG);
        }
        parts.push(part);
    }
    match (parts.pop(), parts.is_empty()) {
        (Some(whole), true) => whole.write(false, out),
        (None, _) => {}
        _ => return Err(WRONG),
    }
    Ok(())
}

fn read<'b>(fields: &mut Fields<'b>) -> Result<Item<'b>, Malformed> {
    const WRONG: Malformed = Malformed("a query with an unknown item");
    match fields.u8()? {
        1 => {
            let (weight, prefix) = (fields.u8()?, fields.u8()?);
            if weight > 0xf {
                return Err(WRONG);
            }
            Ok(Item::Operand {
                weight,
                is_prefix: prefix != 0,
                text: utf8(fields.cstr()?)?,
            })
        }
        2 => match fields.u8()? {
            1 => Ok(Item::Not),
            2 => Ok(Item::And),
            3 => Ok(Item::Or),
            4 => fields.i16().map(Item::Phrase),
            _ => Err(WRONG),
        },
        _ => Err(WRONG),
    }
}

fn operand(item: &Item<'_>, out: &Out) -> Part {
    let mut written = out.part();
    if let Item::Operand {
        weight,
        is_prefix,
        text,
    } = *item
    {
        write_quoted(text, &mut written);
        if weight != 0 || is_prefix {
            written.push(':');
        }
        if is_prefix {
            written.push('*');
        }
        for (bit, letter) in [(8, 'A'), (4, 'B'), (2, 'C'), (1, 'D')] {
            if weight & bit != 0 {
                written.push(letter);
            }
        }
    }
    Part {
        text: written,
        binds: OPERAND,
    }
}

fn join(operator: &Item<'_>, left: Part, right: &Part, out: &Out) -> Part {
    let (binds, between) = match operator {
        Item::And => (AND, " & ".to_owned()),
        Item::Phrase(1) => (PHRASE, " <-> ".to_owned()),
        Item::Phrase(distance) => (PHRASE, format!(" <{distance}> ")),
        _ => (OR, " | ".to_owned()),
    };
    // A chain of operators leans to the left: the left operand's text is gone on with, not copied.
    let mut text = if left.binds < binds {
        let mut text = out.part();
        left.write(true, &mut text);
        text
    } else {
        left.text
    };
    text.push_str(&between);
    // Of phrases, unlike of the others, it matters in which order they are joined.
    right.write(
        right.binds < binds || binds == PHRASE && right.binds == PHRASE,
        &mut text,
    );
    Part { text, binds }
}

impl Part {
    fn write(&self, in_brackets: bool, out: &mut Out) {
        let (open, close) = if in_brackets { ("( ", " )") } else { ("", "") };
        out.push_str(open);
        out.push_str(self.text.as_str());
        out.push_str(close);
    }
}

/// In quotation marks, with those in the text, and backslashes, doubled.
fn write_quoted(text: &str, out: &mut Out) {
    out.push('\'');
    for c in text.chars() {
        if matches!(c, '\'' | '\\') {
            out.push(c);
        }
        out.push(c);
    }
    out.push('\'');
}
