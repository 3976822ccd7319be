//! One key for texts that differ only in integer literals.
//!
//! Clients that put numbers into their texts (`SELECT abalance FROM pgbench_accounts WHERE
//! aid = 12345;`) would miss the cache each time. Where it is certain that the numbers cannot
//! change the judgement, they are replaced by a marker in the text that the cache is asked for.
//!
//! Why they cannot, for a text that [`mask`] accepts:
//! 1. *Tokens.* Every byte is a letter, a digit, `_`, one of `, . ( ) = < > + * ; -`, or a
//!    space, tab or newline, and no `-` is followed by another. So there are no quotes, dollar
//!    signs or backslashes, and no comment can begin (`--`, `/*`): the text is read by the
//!    scanner's ground rules alone, without any state. A run of up to nine digits that follows
//!    a byte that is neither a letter, a digit, `_` nor `.`, and is followed by a space, tab,
//!    newline, `)`, `,`, `;` or the end, is one token, `ICONST`, as no operator and no
//!    identifier holds it or ends in it. Replacing it by another such run gives the same tokens
//!    but for its value, which fits the 32 bits that the grammar keeps it in.
//! 2. *Tree.* The grammar is a table over token kinds; values matter only in its actions. Of
//!    these, `gram.y` of PostgreSQL 18 looks at an integer's value in two places: the precision
//!    in `float(n)`, so a text with the word `float` is not masked, and a column's number in
//!    `ALTER … ALTER COLUMN n`, which is no SELECT, INSERT, UPDATE or DELETE, and only texts
//!    that begin with one of these words and are one statement (a `;` may only end them) are
//!    masked. A minus sign before the literal negates the constant whatever its value.
//! 3. *Judgement.* It looks at no number of the tree but those of enums, and facts hold none;
//!    `SELECT set_config(…)` is judged by strings, EXPLAIN's options count a number as on.
//!    sqlparser's tokens and grammar treat such a run as the same `Number`, too.
//!
//! A judgement that is Unknown is not kept under a masked key (see [`super::judge`]), so that a
//! slip here could at worst hold what should pass on the evidence of one text.

/// The longest text that is masked; OLTP statements are far shorter.
pub(super) const MAX_MASKED: usize = 512;

/// Stands for a literal. No accepted text holds it.
const MARKER: u8 = 0;

/// More digits might not fit 32 bits.
const MAX_DIGITS: usize = 9;

/// The masked form of a text, in `buffer`; `None` if the text holds no literal that can be
/// masked, or anything that could make its numbers matter.
pub(super) fn mask<'b>(text: &[u8], buffer: &'b mut [u8; MAX_MASKED]) -> Option<&'b [u8]> {
    if text.len() > MAX_MASKED || !begins_a_query(text) {
        return None;
    }
    // What stands between two literals is copied at once: `text[copied..at]` is not copied yet.
    let (mut at, mut copied, mut written) = (0, 0, 0);
    while let Some(&byte) = text.get(at) {
        at += match CLASSES[usize::from(byte)] {
            Class::Plain => 1,
            Class::Letter => {
                let length = word_length(&text[at..]);
                if length == FLOAT.len() && text[at..at + length].eq_ignore_ascii_case(FLOAT) {
                    return None;
                }
                length
            }
            Class::Digit => {
                let length = word_length(&text[at..]);
                if !is_literal(text, at, length) {
                    return None;
                }
                written = copy(&text[copied..at], buffer, written);
                buffer[written] = MARKER;
                written += 1;
                copied = at + length;
                length
            }
            Class::Minus if text.get(at + 1) != Some(&b'-') => 1,
            Class::End if text[at + 1..].iter().all(u8::is_ascii_whitespace) => 1,
            Class::Minus | Class::End | Class::Foreign => return None,
        };
    }
    if copied == 0 {
        return None;
    }
    written = copy(&text[copied..], buffer, written);
    Some(&buffer[..written])
}

/// Whether [`mask`] makes `form` of `text`, where it has made it of another; or, where nothing in `form` is masked,
/// whether it is `text`. What it looks at stands in both alike: so it need not be looked at again.
pub(super) fn fits(form: &[u8], text: &[u8]) -> bool {
    let (mut form, mut text) = (form, text);
    let is_short = text.len() <= MAX_MASKED;
    while let Some(at) = memchr::memchr(MARKER, form).filter(|_| is_short) {
        let Some(rest) = text.strip_prefix(&form[..at]) else {
            return false;
        };
        // With more of them, what follows is none of what follows here.
        let digits = rest
            .iter()
            .take(MAX_DIGITS)
            .take_while(|byte| byte.is_ascii_digit());
        let digits = digits.count();
        if digits == 0 {
            return false;
        }
        (form, text) = (&form[at + 1..], &rest[digits..]);
    }
    form == text
}

/// Puts `part` at `written`, and gives where it ends. A marker is no longer than what it stands for, so it fits.
fn copy(part: &[u8], buffer: &mut [u8; MAX_MASKED], written: usize) -> usize {
    let end = written + part.len();
    buffer[written..end].copy_from_slice(part);
    end
}

const FLOAT: &[u8] = b"float";

#[derive(Clone, Copy)]
enum Class {
    Letter,
    Digit,
    Plain,
    Minus,
    End,
    Foreign,
}

static CLASSES: [Class; 256] = {
    let mut classes = [Class::Foreign; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte.to_le_bytes()[0] {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => Class::Letter,
            b'0'..=b'9' => Class::Digit,
            b',' | b'.' | b'(' | b')' | b'=' | b'<' | b'>' | b'+' | b'*' | b' ' | b'\t' | b'\n' => {
                Class::Plain
            }
            b'-' => Class::Minus,
            b';' => Class::End,
            _ => Class::Foreign,
        };
        byte += 1;
    }
    classes
};

fn word_length(text: &[u8]) -> usize {
    text.iter()
        .take_while(|b| matches!(CLASSES[usize::from(**b)], Class::Letter | Class::Digit))
        .count()
}

/// Whether the word of that length, which begins with a digit, is an integer that stands alone.
fn is_literal(text: &[u8], at: usize, length: usize) -> bool {
    length <= MAX_DIGITS
        && text[at..at + length].iter().all(u8::is_ascii_digit)
        && at > 0
        && text[at - 1] != b'.'
        && matches!(
            text.get(at + length),
            None | Some(b' ' | b'\t' | b'\n' | b')' | b',' | b';')
        )
}

fn begins_a_query(text: &[u8]) -> bool {
    let word = &text[..text.iter().take_while(|b| b.is_ascii_alphabetic()).count()];
    matches!(text.get(word.len()), Some(b' ' | b'\t' | b'\n'))
        && [&b"select"[..], b"insert", b"update", b"delete"]
            .iter()
            .any(|w| word.eq_ignore_ascii_case(w))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn masked(text: &str) -> Option<String> {
        let mut buffer = [0; MAX_MASKED];
        mask(text.as_bytes(), &mut buffer).map(|masked| String::from_utf8_lossy(masked).replace('\0', "?"))
    }

    #[test]
    fn integers_that_stand_alone_are_masked() {
        for (text, expected) in [
            (
                "SELECT abalance FROM pgbench_accounts WHERE aid = 12345;",
                "SELECT abalance FROM pgbench_accounts WHERE aid = ?;",
            ),
            (
                "UPDATE pgbench_tellers SET tbalance = tbalance + -569 WHERE tid = 3;\n",
                "UPDATE pgbench_tellers SET tbalance = tbalance + -? WHERE tid = ?;\n",
            ),
            (
                "INSERT INTO h (a, b) VALUES (3, 1, 49213, -569, CURRENT_TIMESTAMP);",
                "INSERT INTO h (a, b) VALUES (?, ?, ?, -?, CURRENT_TIMESTAMP);",
            ),
            (
                "select a1 from t2 where x=5 and y<6 and z>=7",
                "select a1 from t2 where x=? and y<? and z>=?",
            ),
            ("SELECT 1+2", ""),
            ("SELECT a, 999999999", "SELECT a, ?"),
            ("DELETE FROM t WHERE a = 1 - 2", "DELETE FROM t WHERE a = ? - ?"),
        ] {
            assert_eq!(masked(text).unwrap_or_default(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_fits_a_form_is_what_it_is_made_of(
            a in "(?i)(select|insert|delete) [a-z0-9_ ,.()=<>+*;-]{0,40}",
            b in "(?i)(select|insert|delete) [a-z0-9_ ,.()=<>+*;-]{0,40}",
            numbers in proptest::collection::vec("[0-9]{1,11}", 0..8),
        ) {
            let mut buffer = [0; MAX_MASKED];
            if let Some(form) = mask(a.as_bytes(), &mut buffer) {
                prop_assert!(fits(form, a.as_bytes()));
                // The same with other numbers, some of them too long.
                let mut numbers = numbers.iter();
                let mut other = Vec::new();
                for byte in form {
                    match (byte, numbers.next()) {
                        (&MARKER, Some(number)) => other.extend(number.bytes()),
                        (&MARKER, None) => other.push(b'7'),
                        (byte, _) => other.push(*byte),
                    }
                }
                for text in [&other[..], b.as_bytes()] {
                    let mut buffer = [0; MAX_MASKED];
                    prop_assert_eq!(fits(form, text), mask(text, &mut buffer) == Some(form));
                }
            }
            prop_assert_eq!(fits(a.as_bytes(), b.as_bytes()), a == b);
        }
    }

    #[test]
    fn what_does_not_fit_is_told() {
        for (form, text, expected) in [
            ("SELECT ?", "SELECT 1", true),
            ("SELECT ?", "SELECT 123456789", true),
            ("SELECT ?", "SELECT 1234567890", false),
            ("SELECT ?", "SELECT ", false),
            ("SELECT ?", "SELECT 1.5", false),
            ("SELECT ?", "SELECT 1 ", false),
            ("SELECT ?", "SELECT ?", false),
            ("SELECT ?", "select 1", false),
            ("SELECT ?, ?;", "SELECT 1, 22;", true),
            ("SELECT ?, ?;", "SELECT 1, 22", false),
            ("SELECT a", "SELECT a", true),
            ("SELECT a", "SELECT ab", false),
        ] {
            let form = form.replace('?', "\0");
            assert_eq!(fits(form.as_bytes(), text.as_bytes()), expected, "{text}");
        }
        assert!(!fits(b"SELECT \0", b"SELECT \0"), "no text has one");
        let long = format!("SELECT 1, {}", "a".repeat(MAX_MASKED));
        let form = long.replace('1', "\0");
        assert!(!fits(form.as_bytes(), long.as_bytes()), "too long to be masked");
        assert!(fits(long.as_bytes(), long.as_bytes()));
    }

    #[test]
    fn whatever_could_make_a_number_matter_is_left_alone() {
        for text in [
            "SELECT a FROM t",
            "SELECT 1; SELECT 2",
            "SELECT 1;PREPARE p AS SELECT 2",
            "SELECT 1000000000",
            "SELECT 1.5",
            "SELECT .5 ",
            "SELECT t.5",
            "SELECT 1e5",
            "SELECT 0x1f",
            "SELECT 1_000",
            "SELECT 1a",
            "SELECT 1--2",
            "SELECT 1 -- 2",
            "SELECT '1'",
            "SELECT \"1\"",
            "SELECT $1",
            "SELECT 1 / 2",
            "SELECT 1 % 2",
            "SELECT 1::int",
            "SELECT a[1]",
            "SELECT a\\ 1",
            "SELECT 1 \u{a0}",
            "SELECT 1\0",
            "SELECT 1\r\n",
            "SELECT 5 ::float",
            "SELECT CAST(a AS float(5))",
            "SELECT CAST(a AS FLOAT (5))",
            "EXPLAIN (ANALYZE 1) DELETE FROM t",
            "SET work_mem = 5",
            "ALTER TABLE t ALTER 5 SET STATISTICS 6",
            "PREPARE p AS SELECT 5",
            "EXECUTE p (5)",
            "FETCH 5 c",
            "WITH a AS (SELECT 1) SELECT 2",
            " SELECT 5",
            "SELECT5 ",
            "5",
            "",
        ] {
            assert_eq!(masked(text), None, "{text}");
        }
        assert_eq!(masked(&format!("SELECT 1{}", " ".repeat(MAX_MASKED))), None);
    }
}
