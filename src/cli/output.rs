//! What reaches the terminal: tables, and text from strangers made harmless.

use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};

use super::Failure;
use crate::model::hidden::why_hidden;

/// Writes to standard output. A reader that has gone (`… | head`) is no failure.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(Failure::Output(e)),
        _ => Ok(()),
    }
}

/// The text on one line, with everything that a terminal would act on, or would not show, written out.
///
/// A statement, an `application_name` or a comment comes from somebody who may want the reader to see
/// something else than what is there: escape sequences move the cursor, bidirectional controls reorder
/// the line, zero-width characters hide.
pub(super) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if why_hidden(c).is_some() => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// As [`visible`], but line breaks and tabs stay, and every line is indented by four blanks.
pub(super) fn visible_lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for line in text.split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let parts: Vec<String> = line.split('\t').map(visible).collect();
        let _ = writeln!(out, "    {}", parts.join("\t"));
    }
    out
}

/// The first `width` characters, with an ellipsis where something is missing.
pub(super) fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(width.saturating_sub(1)).collect();
    out.push('…');
    out
}

/// JSON on several lines, with everything written out that a terminal would act on or not show: JSON itself does that only
/// with the first 32 characters.
pub(super) fn json(value: &serde_json::Value) -> String {
    let text = format!("{value:#}\n");
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        // The line feeds are those between its lines.
        if why_hidden(c).is_some() {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Columns padded to their widest cell, two blanks between them, none at the end of a line.
/// Cells are taken as they are: pass what is not ours through [`visible`] first.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|h| h.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    let head: Vec<String> = head.iter().map(|&h| h.to_owned()).collect();
    for row in std::iter::once(&head).chain(rows) {
        let line: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, &width)| format!("{cell:<width$}"))
            .collect();
        let _ = writeln!(out, "{}", line.join("  ").trim_end());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_acts_on_gets_through() {
        for (text, shown) in [
            ("SELECT 1", "SELECT 1"),
            ("naïve 你好 🐘", "naïve 你好 🐘"),
            ("a\nb\tc\r", "a\\nb\\tc\\r"),
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("\u{9b}2J\u{7f}", "\\u{9b}2J\\u{7f}"),
            ("abc\u{202e}fed", "abc\\u{202e}fed"),
            ("pay\u{200b}ments", "pay\\u{200b}ments"),
            ("\u{2066}\u{2069}\u{feff}", "\\u{2066}\\u{2069}\\u{feff}"),
            ("id x\u{a0}FROM\u{3000}t", "id x\\u{a0}FROM\\u{3000}t"),
            ("a\u{338}\u{3164}\u{e000}", "a\\u{338}\\u{3164}\\u{e000}"),
        ] {
            assert_eq!(visible(text), shown);
        }
        assert_eq!(visible_lines("a\r\n\tb\u{1b}"), "    a\n    \tb\\u{1b}\n");
    }

    #[test]
    fn json_has_nothing_that_a_terminal_acts_on() {
        let value = serde_json::json!({ "a": "\u{1b}\u{9b}2J\u{7f}\u{202e}\u{e0041} \"é\"\n" });
        let text = json(&value);
        assert!(
            text.chars().all(|c| c == '\n' || why_hidden(c).is_none()),
            "{text:?}"
        );
        assert!(text.contains("é"));
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).unwrap_or_default(),
            value
        );
    }

    #[test]
    fn columns_line_up() {
        let rows = vec![
            vec!["a".to_owned(), "éé".to_owned()],
            vec!["long".to_owned(), String::new()],
        ];
        assert_eq!(table(&["X", "Y"], &rows), "X     Y\na     éé\nlong\n");
    }

    #[test]
    fn what_is_cut_says_so() {
        assert_eq!(shortened("abc", 3), "abc");
        assert_eq!(shortened("abcd", 3), "ab…");
        assert_eq!(shortened("ééé", 2), "é…");
    }
}
