//! Text that grows up to a limit: what is decoded may be much longer than its bytes, and must not be.

use std::fmt;

/// Text of at most so many bytes. What comes behind the limit is dropped, and that is known.
#[derive(Debug)]
pub(super) struct Out {
    text: String,
    limit: usize,
    cut: bool,
    has_money: bool,
}

impl Out {
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            text: String::new(),
            limit,
            cut: false,
            has_money: false,
        }
    }

    /// Another one for a part of this text: it takes what this one can still take.
    pub(super) const fn part(&self) -> Self {
        Self::new(self.limit - self.text.len())
    }

    /// The most bytes that it takes.
    pub(super) const fn limit(&self) -> usize {
        self.limit
    }

    /// Whether something was dropped: all that follows will be, too, and need not be decoded.
    pub(super) const fn is_cut(&self) -> bool {
        self.cut
    }

    /// Notes that an amount of money is in it.
    pub(super) const fn note_money(&mut self) {
        self.has_money = true;
    }

    /// Whether an amount of money is in it.
    pub(super) const fn has_money(&self) -> bool {
        self.has_money
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn into_string(self) -> String {
        self.text
    }

    pub(super) fn push(&mut self, c: char) {
        self.push_str(c.encode_utf8(&mut [0; 4]));
    }

    pub(super) fn push_str(&mut self, text: &str) {
        if self.cut {
            return;
        }
        let room = self.limit - self.text.len();
        if text.len() <= room {
            self.text.push_str(text);
        } else {
            self.text.push_str(&text[..text.floor_char_boundary(room)]);
            self.cut = true;
        }
    }

    /// Bytes in hexadecimal, as `bytea` is shown: `\x00ff`.
    pub(super) fn push_hexadecimal(&mut self, bytes: &[u8]) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        self.push_str("\\x");
        for &byte in bytes {
            self.push(char::from(DIGITS[usize::from(byte >> 4)]));
            self.push(char::from(DIGITS[usize::from(byte & 0xf)]));
            if self.cut {
                return;
            }
        }
    }

    /// `part`, with `escape` before those of its characters that need it, in quotation marks if `quoted`.
    pub(super) fn push_part(&mut self, part: &Self, quoted: bool, escape: impl Fn(char) -> Option<char>) {
        if quoted {
            self.push('"');
            for c in part.text.chars() {
                if let Some(before) = escape(c) {
                    self.push(before);
                }
                self.push(c);
            }
            if !part.cut {
                self.push('"');
            }
        } else {
            self.push_str(&part.text);
        }
        self.cut |= part.cut;
        self.has_money |= part.has_money;
    }
}

impl fmt::Write for Out {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_follows_what_was_cut() {
        let mut out = Out::new(4);
        out.push_str("abé");
        assert!(!out.is_cut());
        out.push('x');
        assert!(out.is_cut());
        let mut out = Out::new(4);
        out.push_str("abcé");
        out.push('x');
        assert_eq!((out.as_str(), out.is_cut()), ("abc", true));
    }

    #[test]
    fn a_part_has_the_room_that_is_left() {
        let mut out = Out::new(6);
        out.push_str("ab");
        let mut part = out.part();
        part.push_str("c\"defg");
        out.push_part(&part, true, |c| (c == '"').then_some('\\'));
        assert_eq!((out.as_str(), out.is_cut()), ("ab\"c\\\"", true));
    }
}
