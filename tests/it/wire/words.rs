//! One line of a transcript as words: `name`, `"text"`, `\x00ff`, and each of them behind `key=`.

use std::fmt::Write as _;
use std::iter::Peekable;
use std::str::Chars;

/// A word, with the key before it if it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) key: Option<String>,
    pub(super) value: Value,
}

/// What a word says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// Written without quotes.
    Bare(String),
    /// `"…"`, or bytes as `\x…`.
    Bytes(Vec<u8>),
}

impl Value {
    /// The bytes, however they were written.
    pub(super) fn bytes(self) -> Vec<u8> {
        match self {
            Self::Bare(word) => word.into_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

/// The arguments of a message: they are taken one by one, and none may be left.
#[derive(Debug)]
pub(super) struct Words(Vec<Word>);

impl Words {
    /// Splits a line. The error says what is wrong with it.
    pub(super) fn of(line: &str) -> Result<Self, String> {
        let mut rest = line.chars().peekable();
        let mut words = Vec::new();
        loop {
            while rest.next_if(|c| c.is_whitespace()).is_some() {}
            if rest.peek().is_none() {
                return Ok(Self(words));
            }
            words.push(word(&mut rest)?);
        }
    }

    /// The next word without a key.
    pub(super) fn next(&mut self) -> Option<Value> {
        let at = self.0.iter().position(|word| word.key.is_none())?;
        Some(self.0.remove(at).value)
    }

    /// As [`Self::next`], where there must be one; `what` names it.
    pub(super) fn needs(&mut self, what: &str) -> Result<Vec<u8>, String> {
        let value = self.next().ok_or_else(|| format!("{what} is missing"))?;
        Ok(value.bytes())
    }

    /// All further words without a key.
    pub(super) fn all(&mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.next()).collect()
    }

    /// The value behind `key=`.
    pub(super) fn keyed(&mut self, key: &str) -> Option<Value> {
        let at = self.0.iter().position(|word| word.key.as_deref() == Some(key))?;
        Some(self.0.remove(at).value)
    }

    /// The name behind `key=`; without it the empty one.
    pub(super) fn name(&mut self, key: &str) -> Vec<u8> {
        self.keyed(key).map(Value::bytes).unwrap_or_default()
    }

    /// The number behind `key=`; without it 0.
    pub(super) fn number(&mut self, key: &str) -> Result<i32, String> {
        let Some(value) = self.keyed(key) else {
            return Ok(0);
        };
        let text = String::from_utf8_lossy(&value.bytes()).into_owned();
        text.parse()
            .map_err(|_| format!("{key}={text}: {text} is no number"))
    }

    /// The words behind `key=`, with commas between them; without it none.
    pub(super) fn list(&mut self, key: &str) -> Vec<String> {
        let value = self.keyed(key).map(Value::bytes).unwrap_or_default();
        let text = String::from_utf8_lossy(&value).into_owned();
        let words = text.split(',').filter(|word| !word.is_empty());
        words.map(str::to_owned).collect()
    }

    /// What is left that has a key.
    pub(super) fn pairs(&mut self) -> Vec<(String, Vec<u8>)> {
        let (pairs, others) = std::mem::take(&mut self.0)
            .into_iter()
            .partition(|word| word.key.is_some());
        self.0 = others;
        let pair = |word: Word| (word.key.unwrap_or_default(), word.value.bytes());
        pairs.into_iter().map(pair).collect()
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Result<(), String> {
        match self.0.into_iter().next() {
            None => Ok(()),
            Some(Word { key: Some(key), .. }) => Err(format!("this message has no {key}=")),
            Some(Word { value, .. }) => Err(format!(
                "this message takes no {:?} at this place",
                String::from_utf8_lossy(&value.bytes())
            )),
        }
    }
}

fn word(rest: &mut Peekable<Chars<'_>>) -> Result<Word, String> {
    let value = value(rest)?;
    match value {
        Value::Bare(key) if rest.next_if_eq(&'=').is_some() => {
            let at_end = rest.peek().is_none_or(|c| c.is_whitespace());
            let value = if at_end {
                Value::Bare(String::new())
            } else {
                self::value(rest)?
            };
            Ok(Word {
                key: Some(key),
                value,
            })
        }
        value => Ok(Word { key: None, value }),
    }
}

fn value(rest: &mut Peekable<Chars<'_>>) -> Result<Value, String> {
    if rest.next_if_eq(&'"').is_some() {
        let text = quoted(rest)?;
        let times = if rest.next_if_eq(&'*').is_some() {
            let digits = bare(rest);
            digits
                .parse()
                .map_err(|_| format!("\"…\"*{digits}: {digits:?} is no number"))?
        } else {
            1
        };
        return Ok(Value::Bytes(text.repeat(times)));
    }
    let word = bare(rest);
    if word.is_empty() {
        let what = rest.peek().map(char::to_string).unwrap_or_default();
        return Err(format!("a word cannot begin with {what}"));
    }
    match word.strip_prefix("\\x") {
        Some(digits) => hex(digits).map(Value::Bytes),
        None => Ok(Value::Bare(word)),
    }
}

fn bare(rest: &mut Peekable<Chars<'_>>) -> String {
    std::iter::from_fn(|| rest.next_if(|c| !c.is_whitespace() && !matches!(c, '"' | '='))).collect()
}

/// A text in quotes, behind the first of them.
fn quoted(rest: &mut impl Iterator<Item = char>) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    let mut put = |c: char| text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    loop {
        match rest.next() {
            None => return Err("a text has no closing quote".to_owned()),
            Some('"') => return Ok(text),
            Some('\\') => match rest.next() {
                Some('n') => put('\n'),
                Some('r') => put('\r'),
                Some('t') => put('\t'),
                Some('0') => put('\0'),
                Some(c @ ('"' | '\\')) => put(c),
                other => {
                    let other = other.map(String::from).unwrap_or_default();
                    return Err(format!(
                        "\\{other} is not known in a text: there are \\n \\r \\t \\0 \\\" \\\\"
                    ));
                }
            },
            Some(c) => put(c),
        }
    }
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(digits: &str) -> Result<Vec<u8>, String> {
    let wrong = || format!("{digits:?} is not an even number of hexadecimal digits");
    if !digits.len().is_multiple_of(2) || !digits.is_ascii() {
        return Err(wrong());
    }
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| wrong());
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// Bytes as [`Words::of`] reads them: a text if they are one that people can read, else digits.
pub(super) fn shown(bytes: &[u8]) -> String {
    let repeated = bytes.len() >= SHORTENED && bytes.iter().all(|byte| *byte == bytes[0]);
    if repeated && bytes[0].is_ascii_graphic() {
        return format!("{}*{}", shown(&bytes[..1]), bytes.len());
    }
    let is_readable = |c: char| !c.is_control() || matches!(c, '\n' | '\t' | '\r');
    match std::str::from_utf8(bytes) {
        Ok(text) if text.chars().all(is_readable) => {
            let escaped = text
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n")
                .replace('\t', "\\t")
                .replace('\r', "\\r");
            format!("\"{escaped}\"")
        }
        _ => {
            let mut digits = "\\x".to_owned();
            for byte in bytes {
                let _ = write!(digits, "{byte:02x}");
            }
            digits
        }
    }
}

/// So many equal bytes are shown as one, and their number.
const SHORTENED: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_texts_and_bytes_are_told_apart() {
        let mut words = Words::of(r#"s "a \"b\"\n" \x00ff k=v t="x"*3 empty= NULL"#).unwrap();
        assert_eq!(words.keyed("k"), Some(Value::Bare("v".into())));
        assert_eq!(words.name("t"), b"xxx");
        assert_eq!(words.keyed("empty"), Some(Value::Bare(String::new())));
        assert_eq!(words.name("none"), b"");
        assert_eq!(
            words.all(),
            [
                Value::Bare("s".into()),
                Value::Bytes(b"a \"b\"\n".into()),
                Value::Bytes(vec![0, 255]),
                Value::Bare("NULL".into()),
            ]
        );
        assert_eq!(words.end(), Ok(()));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, said) in [
            ("\"abc", "no closing quote"),
            (r#""\q""#, "\\q is not known"),
            (r"\x0", "hexadecimal"),
            (r"\x0g", "hexadecimal"),
            (r"\xé", "hexadecimal"),
            ("\"x\"*many", "no number"),
            ("=x", "cannot begin"),
        ] {
            let error = Words::of(line).unwrap_err();
            assert!(error.contains(said), "{line}: {error}");
        }
        assert!(Words::of("rows=x").unwrap().number("rows").is_err());
        assert!(Words::of("rows=1").unwrap().end().unwrap_err().contains("rows="));
        assert!(Words::of("more").unwrap().end().is_err());
    }

    #[test]
    fn what_is_shown_can_be_read() {
        for bytes in [
            &b""[..],
            b"x",
            b"a \"b\" \\ \n\t\r",
            "zwölf …".as_bytes(),
            b"\0\x01\xff",
            &[b'x'; 5000],
            &[0; 100],
            &[b'"'; 40],
        ] {
            let shown = shown(bytes);
            assert!(shown.len() < 250, "{shown}");
            assert_eq!(Words::of(&shown).unwrap().all(), [Value::Bytes(bytes.into())]);
        }
    }
}
