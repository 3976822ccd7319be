//! Where the tokens of a text are: for colour alone, no judgement rests on it.
//!
//! Follows the lexical rules of <https://www.postgresql.org/docs/current/sql-syntax-lexical.html>
//! with `standard_conforming_strings` on. Invariants: the tokens joined are the text; a token is
//! never empty.

use super::keywords::{self, Word};

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Space,
    Comment,
    String,
    QuotedName,
    Number,
    Parameter,
    Verb,
    Keyword,
    Name,
    Symbol,
}

/// The tokens of a text, in order.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = (Kind, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let (kind, length) = token(rest, first);
        let (token, after) = rest.split_at(length);
        rest = after;
        Some((kind, token))
    })
}

/// The kind and length in bytes of the token that `rest` begins with.
fn token(rest: &str, first: char) -> (Kind, usize) {
    match first {
        c if is_space(c) => (Kind::Space, while_chars(rest, is_space)),
        '-' if rest.starts_with("--") => (Kind::Comment, while_chars(rest, |c| !matches!(c, '\n' | '\r'))),
        '/' if rest.starts_with("/*") => (Kind::Comment, block_comment(rest)),
        '\'' => (Kind::String, quoted(rest, '\'')),
        '"' => (Kind::QuotedName, quoted(rest, '"')),
        '$' => dollar(rest),
        c if c.is_ascii_digit() => (Kind::Number, number(rest)),
        '.' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => (Kind::Number, number(rest)),
        c if starts_name(c) => word(rest),
        c => (Kind::Symbol, c.len_utf8()),
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{B}' | '\u{C}')
}

fn starts_name(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || !c.is_ascii()
}

fn continues_name(c: char) -> bool {
    starts_name(c) || c.is_ascii_digit() || c == '$'
}

fn while_chars(rest: &str, matches: impl Fn(char) -> bool) -> usize {
    rest.find(|c| !matches(c)).unwrap_or(rest.len())
}

/// Block comments nest.
fn block_comment(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let mut depth = 0_usize;
    let mut at = 0;
    while at < bytes.len() {
        match &bytes[at..] {
            [b'/', b'*', ..] => {
                depth += 1;
                at += 2;
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    rest.len()
}

/// Up to the closing quote, which is not doubled.
fn quoted(rest: &str, quote: char) -> usize {
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == quote && chars.next_if(|&(_, next)| next == quote).is_none() {
            return at + 1;
        }
    }
    rest.len()
}

/// `E'…'`: a backslash takes the next character along, also in the parts that continue the
/// string on a later line.
fn escape_string(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(2).peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            '\'' if chars.next_if(|&(_, next)| next == '\'').is_none() => {
                let gap = while_chars(&rest[at + 1..], is_space);
                let (between, after) = rest[at + 1..].split_at(gap);
                if !between.contains(['\n', '\r']) || !after.starts_with('\'') {
                    return at + 1;
                }
                let goes_on = at + 1 + gap;
                while chars.next_if(|&(at, _)| at <= goes_on).is_some() {}
            }
            _ => {}
        }
    }
    rest.len()
}

/// `$1`, `$$…$$`, `$tag$…$tag$`, or a stray dollar sign.
fn dollar(rest: &str) -> (Kind, usize) {
    let digits = while_chars(&rest[1..], |c| c.is_ascii_digit());
    if digits > 0 {
        return (Kind::Parameter, 1 + digits);
    }
    let tag = while_chars(&rest[1..], |c| continues_name(c) && c != '$');
    let Some(opening) = rest.get(..tag + 2).filter(|o| o.ends_with('$')) else {
        return (Kind::Symbol, 1);
    };
    let body = &rest[opening.len()..];
    let length = body
        .find(opening)
        .map_or(rest.len(), |end| opening.len() * 2 + end);
    (Kind::String, length)
}

fn number(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let exponent_sign = matches!(byte, b'+' | b'-')
            && at > 0
            && matches!(bytes[at - 1], b'e' | b'E')
            && bytes.get(at + 1).is_some_and(u8::is_ascii_digit)
            && !rest.starts_with("0x")
            && !rest.starts_with("0X");
        if !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.') || exponent_sign) {
            break;
        }
        at += 1;
    }
    at
}

/// A bare word, or a string that begins with a letter.
fn word(rest: &str) -> (Kind, usize) {
    let bytes = rest.as_bytes();
    match bytes {
        [b'e' | b'E', b'\'', ..] => return (Kind::String, escape_string(rest)),
        [b'b' | b'B' | b'x' | b'X' | b'n' | b'N', b'\'', ..] => {
            return (Kind::String, 1 + quoted(&rest[1..], '\''));
        }
        [b'u' | b'U', b'&', b'\'', ..] => return (Kind::String, 2 + quoted(&rest[2..], '\'')),
        [b'u' | b'U', b'&', b'"', ..] => return (Kind::QuotedName, 2 + quoted(&rest[2..], '"')),
        _ => {}
    }
    let length = while_chars(rest, continues_name);
    let kind = match keywords::sort(&rest[..length]) {
        Word::Verb => Kind::Verb,
        Word::Keyword => Kind::Keyword,
        Word::Name => Kind::Name,
    };
    (kind, length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kinds(text: &str) -> Vec<(Kind, &str)> {
        tokens(text).filter(|(kind, _)| *kind != Kind::Space).collect()
    }

    #[test]
    fn tokens_are_where_the_server_sees_them() {
        use Kind::{Comment, Keyword, Name, Number, Parameter, QuotedName, String, Symbol, Verb};
        for (text, expected) in [
            (
                "delete from t",
                vec![(Verb, "delete"), (Keyword, "from"), (Name, "t")],
            ),
            ("'it''s' 'x", vec![(String, "'it''s'"), (String, "'x")]),
            (r"E'\'' 1", vec![(String, r"E'\''"), (Number, "1")]),
            (r"'\' 1", vec![(String, r"'\'"), (Number, "1")]),
            ("e'a'\n 'b\\'c' d", vec![(String, "e'a'\n 'b\\'c'"), (Name, "d")]),
            ("$$a$b$$ $1", vec![(String, "$$a$b$$"), (Parameter, "$1")]),
            ("$t$ $$ $t$x", vec![(String, "$t$ $$ $t$"), (Name, "x")]),
            ("a$b$c", vec![(Name, "a$b$c")]),
            (
                "/* a /* b */ c */ 1",
                vec![(Comment, "/* a /* b */ c */"), (Number, "1")],
            ),
            ("1--x\r2", vec![(Number, "1"), (Comment, "--x"), (Number, "2")]),
            ("</*'*/2", vec![(Symbol, "<"), (Comment, "/*'*/"), (Number, "2")]),
            (
                "1.5e-3 .5 0x1F",
                vec![(Number, "1.5e-3"), (Number, ".5"), (Number, "0x1F")],
            ),
            (
                r#""a""b" u&"c""#,
                vec![(QuotedName, r#""a""b""#), (QuotedName, r#"u&"c""#)],
            ),
            ("a\u{A0}b", vec![(Name, "a\u{A0}b")]),
            ("$", vec![(Symbol, "$")]),
            ("$é", vec![(Symbol, "$"), (Name, "é")]),
        ] {
            assert_eq!(kinds(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn tokens_joined_are_the_text(text in r#"([-'"$*/\\ \n\rea1.<é]|\PC){0,60}"#) {
            let joined: String = tokens(&text).map(|(_, token)| token).collect();
            prop_assert!(tokens(&text).all(|(_, token)| !token.is_empty()));
            prop_assert_eq!(joined, text);
        }
    }
}
