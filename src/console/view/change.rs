//! What an approver has made of a statement, line by line.

use similar::{ChangeTag, TextDiff};

use super::super::sql_text::{Markup, shown};
use crate::model::{Effect, HeldRequest};

/// More lines than this of both texts are not compared; the whole texts can be downloaded.
const MOST_LINES: usize = 4_000;
/// Nor more bytes.
const MOST_BYTES: usize = 256 * 1024;

/// A line of one text, or of both.
#[derive(Debug)]
pub(in crate::console) struct Line {
    /// `gone`, `new` or `same`: a class of the style sheet.
    pub(in crate::console) class: &'static str,
    /// What stands before it.
    pub(in crate::console) sign: &'static str,
    pub(in crate::console) text: Markup,
}

/// A statement that is not what was asked.
#[derive(Debug)]
pub(in crate::console) struct ChangeView {
    /// Who changed it last.
    pub(in crate::console) editor: Markup,
    /// From what was asked to what would run; empty where that is too much to compare.
    pub(in crate::console) lines: Vec<Line>,
}

impl ChangeView {
    /// `None`: nobody has changed it.
    pub(in crate::console) fn of(request: &HeldRequest) -> Option<Self> {
        let edit = request.edits.last()?;
        let (old, new) = (&request.asked.statement, &edit.statement);
        let is_long = old.len() + new.len() > MOST_BYTES;
        let is_too_much = is_long || old.lines().count() + new.lines().count() > MOST_LINES;
        Some(Self {
            editor: shown(&edit.editor),
            lines: if is_too_much {
                Vec::new()
            } else {
                compared(old, new)
            },
        })
    }
}

/// The commands and the effect of what would run now. Of a statement that was changed, no more is known.
pub(super) fn as_it_is(request: &HeldRequest) -> (&str, Effect) {
    match request.edits.last() {
        Some(edit) => (edit.command.as_str(), edit.effect),
        None => (request.asked.command.as_str(), request.asked.effect),
    }
}

/// Who changed it last, where somebody has.
pub(super) fn editor(request: &HeldRequest) -> Option<Markup> {
    request.edits.last().map(|edit| shown(&edit.editor))
}

fn compared(old: &str, new: &str) -> Vec<Line> {
    let diff = TextDiff::from_lines(old, new);
    diff.iter_all_changes()
        .map(|change| {
            let (class, sign) = match change.tag() {
                ChangeTag::Delete => ("gone", "−"),
                ChangeTag::Insert => ("new", "+"),
                ChangeTag::Equal => ("same", " "),
            };
            let line = change.value();
            let text = line.strip_suffix('\n').unwrap_or(line);
            // Where lines only end otherwise than they did, that is what is shown.
            let text = match change.tag() {
                ChangeTag::Equal => text.strip_suffix('\r').unwrap_or(text),
                _ => text,
            };
            Line {
                class,
                sign,
                text: shown(text),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_end_otherwise_are_told_apart() {
        let lines = compared("DELETE\r\nFROM t\r\nWHERE true", "DELETE\nFROM t\r\nWHERE true");
        let told: Vec<String> = lines.iter().map(|line| line.text.to_string()).collect();
        assert_eq!(told.len(), 4);
        assert_ne!(told[0], told[1]);
        assert_eq!(told[2], "FROM t");
    }

    #[test]
    fn what_goes_and_what_comes_is_told() {
        let lines = compared("DELETE FROM t\nWHERE true", "DELETE FROM t\nWHERE id = 1\n");
        let told: Vec<(&str, String)> = lines
            .iter()
            .map(|line| (line.class, line.text.to_string()))
            .collect();
        assert_eq!(
            told,
            [
                ("same", "DELETE FROM t".to_owned()),
                ("gone", "WHERE true".to_owned()),
                ("new", "WHERE id = 1".to_owned()),
            ]
        );
    }
}
