//! Text from strangers as markup in which nothing is invisible.
//!
//! Somebody who wants a statement approved can put characters into it that change the order of
//! what is read, or that take no room at all ("Trojan Source", CVE-2021-42574). Here they become
//! `[U+202E]`, marked, so that a person reads what the server reads.

use std::fmt::{self, Write as _};

use crate::model::hidden::why_hidden;

/// Finished HTML: escaped, and safe to put between tags.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::console) struct Markup(String);

impl fmt::Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl askama::filters::HtmlSafe for Markup {}

impl Markup {
    /// Adds markup of our own; never text from outside.
    pub(super) fn tag(&mut self, markup: &'static str) {
        self.0.push_str(markup);
    }

    /// Adds text as it is to be read: escaped, the invisible made visible.
    pub(super) fn text(&mut self, text: &str) {
        for c in text.chars() {
            match why_hidden(c) {
                Some(why) => {
                    // Writing into a String cannot fail.
                    let _ = write!(self.0, r#"<span class="esc" title="{why}">{}</span>"#, escape(c));
                }
                None => self.visible(c),
            }
        }
    }

    /// Adds a name: as text, with letters outside of ASCII marked, for they can pass for others.
    pub(super) fn name(&mut self, text: &str) {
        for c in text.chars() {
            if c.is_ascii() || why_hidden(c).is_some() {
                self.text(c.encode_utf8(&mut [0; 4]));
            } else {
                let _ = write!(self.0, r#"<span class="odd" title="U+{:04X}">"#, u32::from(c));
                self.visible(c);
                self.0.push_str("</span>");
            }
        }
    }

    /// Adds the carriage return of a CRLF: nothing to see, and nothing to hide behind.
    pub(super) fn carriage_return(&mut self) {
        // As a reference, because HTML parsers turn the character itself into a line feed.
        self.0.push_str("&#13;");
    }

    fn visible(&mut self, c: char) {
        match c {
            '&' => self.0.push_str("&amp;"),
            '<' => self.0.push_str("&lt;"),
            '>' => self.0.push_str("&gt;"),
            '"' => self.0.push_str("&quot;"),
            '\'' => self.0.push_str("&#39;"),
            c => self.0.push(c),
        }
    }
}

/// Text from outside, ready for a page.
pub(in crate::console) fn shown(text: &str) -> Markup {
    let mut markup = Markup::default();
    markup.text(text);
    markup
}

/// A name from a statement, ready for a page.
pub(in crate::console) fn shown_name(name: &str) -> Markup {
    let mut markup = Markup::default();
    markup.name(name);
    markup
}

/// How many characters of a text cannot be left as they are; those of CR LF line breaks can.
pub(in crate::console) fn count_hidden(text: &str) -> usize {
    if is_plain(text) {
        return 0;
    }
    let mut chars = text.chars().peekable();
    let mut count = 0;
    while let Some(c) = chars.next() {
        let is_line_break = c == '\r' && chars.peek() == Some(&'\n');
        count += usize::from(why_hidden(c).is_some() && !is_line_break);
    }
    count
}

/// Whether a text is printable ASCII on lines: found out fast, for long texts.
pub(super) fn is_plain(text: &str) -> bool {
    text.bytes()
        .all(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\t'))
}

/// How a hidden character reads.
pub(super) fn escape(c: char) -> String {
    format!("[U+{:04X}]", u32::from(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_text_is_text() {
        assert_eq!(
            shown(r#"<img src=x onerror="a('b')">&amp;"#).to_string(),
            "&lt;img src=x onerror=&quot;a(&#39;b&#39;)&quot;&gt;&amp;amp;"
        );
    }

    #[test]
    fn what_cannot_be_seen_is_shown() {
        for (c, reads) in [
            ('\u{202E}', "[U+202E]"),
            ('\u{200B}', "[U+200B]"),
            ('\0', "[U+0000]"),
            ('\r', "[U+000D]"),
            ('\u{E0041}', "[U+E0041]"),
        ] {
            let markup = shown(&format!("a{c}b")).to_string();
            assert!(markup.contains(&format!(">{reads}</span>b")), "{markup}");
            assert!(!markup.contains(c), "{markup}");
        }
    }

    #[test]
    fn ordinary_text_stays_as_it_is() {
        for text in ["a\tb\nc", "Zoë 売上 Ω שלום", "e\u{301}"] {
            assert_eq!(shown(text).to_string(), text);
        }
    }
}
