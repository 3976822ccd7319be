//! Patterns for names: written as in SQL, with `*` for any run of characters.
//!
//! Invariants: what matches surely also matches possibly; a pattern is displayed so that it is read back as
//! the same.

use std::fmt;

/// A text with `*` in it: the literal pieces between the stars.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Glob {
    /// One more than there are stars; never empty.
    pieces: Vec<String>,
}

impl Glob {
    /// Every `*` is a star.
    pub(super) fn new(text: &str) -> Self {
        Self {
            pieces: text.split('*').map(str::to_owned).collect(),
        }
    }

    /// No `*` is a star.
    fn literal(text: String) -> Self {
        Self { pieces: vec![text] }
    }

    /// For a part of a name: there are no stars within quotes.
    pub(super) fn of(part: Identifier) -> Self {
        match part {
            Identifier::Plain(text) => Self::new(&text),
            Identifier::Quoted(text) => Self::literal(text),
        }
    }

    /// Whether it matches every text because it is nothing but stars.
    pub(super) fn is_any(&self) -> bool {
        self.pieces.len() > 1 && self.pieces.iter().all(String::is_empty)
    }

    /// Whether the whole text matches. Linear in the text for each piece.
    pub(super) fn matches(&self, text: &str) -> bool {
        let [first, middle @ .., last] = self.pieces.as_slice() else {
            return self.pieces.iter().all(|only| only == text);
        };
        let Some(mut rest) = text
            .strip_prefix(first.as_str())
            .and_then(|rest| rest.strip_suffix(last.as_str()))
        else {
            return false;
        };
        for piece in middle {
            match rest.find(piece.as_str()) {
                Some(at) => rest = &rest[at + piece.len()..],
                None => return false,
            }
        }
        true
    }

    /// As a part of a name, in quotes where it needs them.
    pub(super) fn as_identifier(&self) -> String {
        let text = self.to_string();
        let is_odd = |c: char| matches!(c, '.' | '"') || c.is_whitespace() || c.is_ascii_uppercase();
        let has_plain_star = self.pieces.len() == 1 && text.contains('*');
        if text.is_empty() || text.contains(is_odd) || has_plain_star {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text
        }
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pieces.join("*"))
    }
}

/// A pattern for a table or function: `name` (in whatever schema) or `schema.name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamePattern {
    schema: Option<Glob>,
    name: Glob,
}

impl NamePattern {
    /// Reads a pattern as SQL reads a name: folded to lower case unless in double quotes, where `*`
    /// is no star. The error says what is wrong, without the pattern.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        Self::of_parts(split_identifiers(text)?)
            .ok_or("write \"name\" or \"schema.name\"; a database goes to `databases`")
    }

    /// From a name, or a schema and a name.
    pub(super) fn of_parts(parts: Vec<Identifier>) -> Option<Self> {
        let mut parts = parts.into_iter().map(Glob::of);
        match (parts.next(), parts.next(), parts.next()) {
            (Some(name), None, None) => Some(Self { schema: None, name }),
            (Some(schema), Some(name), None) => Some(Self {
                // Any schema is the same as none: then an unqualified name matches surely, too.
                schema: Some(schema).filter(|schema| !schema.is_any()),
                name,
            }),
            _ => None,
        }
    }

    /// The one name that it is for, in whatever schema; `None` where it is for several.
    pub(super) fn literal_name(&self) -> Option<&str> {
        match &self.name.pieces[..] {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Whether this name is one of those meant, whatever the session's `search_path`.
    pub(super) fn surely(&self, schema: Option<&str>, name: &str) -> bool {
        let in_schema = match (&self.schema, schema) {
            (None, _) => true,
            (Some(pattern), Some(schema)) => pattern.matches(schema),
            (Some(_), None) => false,
        };
        in_schema && self.name.matches(name)
    }

    /// Whether this name is one of those meant under some `search_path`.
    pub(super) fn possibly(&self, schema: Option<&str>, name: &str) -> bool {
        let in_schema = match (&self.schema, schema) {
            (None, _) | (Some(_), None) => true,
            (Some(pattern), Some(schema)) => pattern.matches(schema),
        };
        in_schema && self.name.matches(name)
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{}.", schema.as_identifier())?;
        }
        f.write_str(&self.name.as_identifier())
    }
}

/// One part of a dotted name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Identifier {
    /// Without quotes, folded.
    Plain(String),
    /// From within quotes.
    Quoted(String),
}

/// Splits a name at the dots outside of double quotes. Folds ASCII only, as PostgreSQL does in
/// UTF-8 (`src/backend/parser/scansup.c`).
pub(super) fn split_identifiers(text: &str) -> Result<Vec<Identifier>, &'static str> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        let (part, after) = match rest.strip_prefix('"') {
            Some(quoted) => split_quoted(quoted)?,
            None => split_plain(rest)?,
        };
        parts.push(part);
        if after.is_empty() {
            return Ok(parts);
        }
        rest = after
            .strip_prefix('.')
            .ok_or("after a closing quote comes a dot or the end")?;
    }
}

fn split_plain(text: &str) -> Result<(Identifier, &str), &'static str> {
    let (part, after) = text.split_at(text.find('.').unwrap_or(text.len()));
    if part.is_empty() {
        return Err("a name is empty");
    }
    if part.contains('"') {
        return Err("a quote stands at the beginning and the end of a name");
    }
    if part.contains(char::is_whitespace) {
        return Err("a name with spaces stands in double quotes");
    }
    Ok((Identifier::Plain(part.to_ascii_lowercase()), after))
}

fn split_quoted(text: &str) -> Result<(Identifier, &str), &'static str> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('"').ok_or("a quote is not closed")?;
        name.push_str(part);
        match after.strip_prefix('"') {
            Some(after) => {
                name.push('"');
                rest = after;
            }
            None if name.is_empty() => return Err("a name is empty"),
            None => return Ok((Identifier::Quoted(name), after)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn globs_match_whole_texts() {
        for (pattern, text, expected) in [
            ("orders", "orders", true),
            ("orders", "orders2", false),
            ("*", "", true),
            ("**", "x", true),
            ("ord*", "orders", true),
            ("ord*", "ord", true),
            ("ord*", "xord", false),
            ("*ers", "orders", true),
            ("o*e*s", "orders", true),
            ("o*z*s", "orders", false),
            ("ab*ba", "aba", false),
            ("ab*ba", "abba", true),
            ("a*b*b", "ab", false),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(Glob::new(pattern).matches(text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn names_match_surely_or_possibly() {
        // pattern, schema, name, surely, possibly
        for (pattern, schema, name, surely, possibly) in [
            ("orders", None, "orders", true, true),
            ("orders", Some("sales"), "orders", true, true),
            ("ORDERS", None, "orders", true, true),
            ("\"Orders\"", None, "orders", false, false),
            ("\"Orders\"", None, "Orders", true, true),
            ("public.orders", Some("public"), "orders", true, true),
            ("public.orders", Some("sales"), "orders", false, false),
            ("public.orders", None, "orders", false, true),
            ("public.orders", None, "items", false, false),
            ("public.*", None, "items", false, true),
            ("pub*.orders", Some("public"), "orders", true, true),
            ("*.orders", None, "orders", true, true),
            ("*", None, "orders", true, true),
            ("\"*\"", None, "orders", false, false),
            ("\"*\"", None, "*", true, true),
            ("\"*\".orders", None, "orders", false, true),
            ("\"we.ird\".\"a\"\"b\"", Some("we.ird"), "a\"b", true, true),
        ] {
            let parsed = NamePattern::parse(pattern).unwrap();
            assert_eq!(NamePattern::parse(&parsed.to_string()).as_ref(), Ok(&parsed));
            assert_eq!(
                parsed.surely(schema, name),
                surely,
                "{pattern} on {schema:?}.{name}"
            );
            assert_eq!(
                parsed.possibly(schema, name),
                possibly,
                "{pattern} on {schema:?}.{name}"
            );
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for pattern in [
            "", ".", "a.", ".a", "a..b", "a.b.c", "\"", "\"\"", "\"a", "\"a\"b", "a\"b\"", "my table", "a. b",
        ] {
            assert!(NamePattern::parse(pattern).is_err(), "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn sure_is_possible(
            pattern in "[ab*]{1,3}(\\.[ab*]{1,3})?",
            schema in proptest::option::of("[ab]{1,2}"),
            name in "[ab]{1,3}",
        ) {
            let pattern = NamePattern::parse(&pattern).unwrap();
            let schema = schema.as_deref();
            prop_assert!(!pattern.surely(schema, &name) || pattern.possibly(schema, &name));
        }

        #[test]
        fn a_glob_is_its_regular_expression(pattern in "[ab*]{0,6}", text in "[ab]{0,8}") {
            prop_assert_eq!(Glob::new(&pattern).matches(&text), naive(&pattern, &text));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*|[a.\"*]{0,8}") {
            let _ = NamePattern::parse(&text);
        }
    }

    fn naive(pattern: &str, text: &str) -> bool {
        match pattern.chars().next() {
            None => text.is_empty(),
            Some('*') => (0..=text.len()).any(|at| naive(&pattern[1..], &text[at..])),
            Some(c) => text.starts_with(c) && naive(&pattern[1..], &text[1..]),
        }
    }
}
