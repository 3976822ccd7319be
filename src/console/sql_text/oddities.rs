//! What is odd about a text, for a warning above it.

use super::lexer::{Kind, tokens};
use super::reveal::{count_hidden, is_plain};
use crate::model::hidden::why_hidden;

/// Blank lines in a row that push what follows out of sight.
const BLANK_LINES: usize = 10;
/// Spaces in a row that do the same on a line.
const BLANKS: usize = 100;

/// What an approver should look out for in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::console) struct Oddities {
    /// Invisible, direction-changing and other hidden characters.
    pub(in crate::console) hidden: usize,
    /// Letters outside of ASCII in names.
    pub(in crate::console) foreign_letters: usize,
    /// Whether wide gaps push a part of the text out of sight.
    pub(in crate::console) gaps: bool,
}

impl Oddities {
    /// Looks through a text.
    pub(in crate::console) fn of(text: &str) -> Self {
        let mut found = Self {
            hidden: count_hidden(text),
            foreign_letters: 0,
            gaps: has_gaps(text.trim_end()),
        };
        if is_plain(text) {
            return found;
        }
        for (kind, token) in tokens(text) {
            if matches!(kind, Kind::Name | Kind::QuotedName) {
                let foreign = |c: &char| !c.is_ascii() && why_hidden(*c).is_none();
                found.foreign_letters += token.chars().filter(foreign).count();
            }
        }
        found
    }
}

/// Whether anything follows on very many blanks or blank lines, be it in a comment or not.
fn has_gaps(text: &str) -> bool {
    let (mut lines, mut blanks) = (0, 0);
    text.chars().any(|c| {
        match c {
            '\n' => (lines, blanks) = (lines + 1, 0),
            c if c.is_whitespace() => blanks += 1,
            _ => (lines, blanks) = (0, 0),
        }
        lines > BLANK_LINES || blanks > BLANKS
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_texts_are_not_odd() {
        for text in [
            "SELECT 1;\r\nSELECT 'é';\n",
            "",
            &format!("SELECT 1{}", "\n".repeat(50)),
        ] {
            assert_eq!(Oddities::of(text), Oddities::default(), "{text}");
        }
    }

    #[test]
    fn oddities_are_counted() {
        assert_eq!(Oddities::of("SELECT '\u{202E}\u{200B}'").hidden, 2);
        assert_eq!(Oddities::of("SELECT p\u{430}y").foreign_letters, 1);
        assert!(Oddities::of(&format!("SELECT 1;{}DROP TABLE t", "\n".repeat(12))).gaps);
        assert!(Oddities::of(&format!("SELECT 1;{}DROP TABLE t", " ".repeat(200))).gaps);
    }
}
