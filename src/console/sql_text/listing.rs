//! A statement as a listing with numbered lines, and its beginning on one line for the queue.

use super::lexer::{Kind, tokens};
use super::reveal::Markup;

/// The longest excerpt, in characters.
const EXCERPT: usize = 240;

/// The whole text, every line an element of its own; the numbers come from the style sheet, so
/// that they are not part of the text that somebody copies.
pub(in crate::console) fn listing(text: &str) -> Markup {
    let mut markup = Markup::default();
    markup.tag(LINE);
    for (kind, token) in tokens(text) {
        let mut parts = token.split_inclusive(['\n', '\r']).peekable();
        while let Some(part) = parts.next() {
            // CR LF is one line break.
            let cr_of_crlf = part.ends_with('\r') && parts.peek() == Some(&"\n");
            let visible = part.strip_suffix(['\n', '\r']).unwrap_or(part);
            coloured(&mut markup, kind, visible);
            if cr_of_crlf {
                markup.carriage_return();
            } else if visible.len() < part.len() {
                // A line feed as it is; a carriage return alone ends a comment for the server,
                // and hides the line for a terminal, so it is shown, and ends the line here too.
                markup.text(&part[visible.len()..]);
                markup.tag("</span>");
                markup.tag(LINE);
            }
        }
    }
    markup.tag("</span>");
    markup
}

const LINE: &str = r#"<span class="line">"#;

/// The beginning of the text on one line, from the first token that is no comment, cut to a length;
/// and whether there is more. Line breaks stay visible, for a line comment ends at one.
pub(in crate::console) fn excerpt(text: &str) -> (Markup, bool) {
    let mut begin = 0;
    for (kind, token) in tokens(text) {
        if !matches!(kind, Kind::Space | Kind::Comment) {
            break;
        }
        begin += token.len();
    }
    // A text of comments alone begins at its beginning.
    let (skipped, rest) = text.split_at(if begin == text.len() { 0 } else { begin });
    let rest = rest.trim();
    let cut = rest.char_indices().nth(EXCERPT).map_or(rest.len(), |(at, _)| at);
    let mut markup = Markup::default();
    for (kind, token) in tokens(&rest[..cut]) {
        let mut lines = token.split('\n').map(|line| line.trim_matches([' ', '\t', '\r']));
        if !token.contains('\n') {
            coloured(&mut markup, kind, token);
            continue;
        }
        coloured(&mut markup, kind, lines.next().unwrap_or_default());
        for line in lines {
            markup.tag(r#"<span class="br"> ↵ </span>"#);
            coloured(&mut markup, kind, line);
        }
    }
    (markup, !skipped.trim().is_empty() || cut < rest.len())
}

/// One token, or the part of it on one line.
fn coloured(markup: &mut Markup, kind: Kind, text: &str) {
    if text.is_empty() {
        return;
    }
    let class = match kind {
        Kind::Space | Kind::Symbol => return markup.text(text),
        Kind::Name => return markup.name(text),
        Kind::QuotedName => {
            markup.tag(r#"<span class="q">"#);
            markup.name(text);
            return markup.tag("</span>");
        }
        Kind::Comment => r#"<span class="c">"#,
        Kind::String => r#"<span class="s">"#,
        Kind::Number => r#"<span class="n">"#,
        Kind::Parameter => r#"<span class="p">"#,
        Kind::Verb => r#"<span class="v">"#,
        Kind::Keyword => r#"<span class="k">"#,
    };
    markup.tag(class);
    markup.text(text);
    markup.tag("</span>");
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "tests")]

    use proptest::prelude::*;

    use super::super::reveal::escape;
    use super::*;
    use crate::model::hidden::why_hidden;

    /// What a browser makes of our markup: tags away, references resolved.
    fn text_content(markup: &str) -> String {
        let mut text = String::new();
        let mut rest = markup;
        while let Some(at) = rest.find('<') {
            text.push_str(&rest[..at]);
            let end = rest[at..].find('>').expect("a tag ends");
            rest = &rest[at + end + 1..];
        }
        text.push_str(rest);
        text.replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&#39;", "'")
            .replace("&#13;", "\r")
            .replace("&amp;", "&")
    }

    /// The text with only what is hidden replaced, and CR LF left alone.
    fn revealed(text: &str) -> String {
        let mut out = String::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            if c == '\r' && chars.peek() == Some(&'\n') || why_hidden(c).is_none() {
                out.push(c);
            } else {
                out.push_str(&escape(c));
            }
        }
        out
    }

    #[test]
    fn a_string_over_two_lines_is_coloured_on_both() {
        assert_eq!(
            listing("'a\nb'").to_string(),
            "<span class=\"line\"><span class=\"s\">&#39;a</span>\n</span>\
             <span class=\"line\"><span class=\"s\">b&#39;</span></span>"
        );
    }

    #[test]
    fn a_lone_carriage_return_hides_nothing() {
        let markup = listing("SELECT 1 -- \rDROP TABLE t").to_string();
        assert!(
            markup.contains("[U+000D]</span></span><span class=\"line\"><span class=\"v\">DROP"),
            "{markup}"
        );
    }

    #[test]
    fn letters_that_pass_for_others_are_marked() {
        let markup = listing("SELECT * FROM p\u{430}yments").to_string();
        assert!(
            markup.contains("p<span class=\"odd\" title=\"U+0430\">\u{430}</span>yments"),
            "{markup}"
        );
    }

    #[test]
    fn the_excerpt_skips_leading_comments_and_says_that_there_is_more() {
        for (text, expected, more) in [
            ("SELECT 1", "SELECT 1", false),
            ("-- harmless\nDROP TABLE t;\n", "DROP TABLE t;", true),
            ("\n\n  SELECT 1;\n\n", "SELECT 1;", false),
            (
                "SELECT 1; -- one\r\n\tSELECT 2",
                "SELECT 1; -- one ↵ SELECT 2",
                false,
            ),
            ("SELECT 'a\n  b'", "SELECT 'a ↵ b'", false),
            ("/* only */", "/* only */", false),
            ("", "", false),
        ] {
            let (markup, has_more) = excerpt(text);
            assert_eq!(
                (text_content(&markup.to_string()).as_str(), has_more),
                (expected, more),
                "{text}"
            );
        }
        let long = format!("SELECT '{}'", "é".repeat(500));
        let (markup, more) = excerpt(&long);
        assert!(more);
        assert_eq!(text_content(&markup.to_string()).chars().count(), EXCERPT);
    }

    proptest! {
        #[test]
        fn a_listing_reads_as_the_text(
            text in r#"([-'"$*/\\ \n\rea1.<>&é;]|--|/\*|\*/|[\u{0}-\u{20}\u{200B}-\u{2069}]|\PC){0,60}"#
        ) {
            prop_assert_eq!(text_content(&listing(&text).to_string()), revealed(&text));
        }

        #[test]
        fn no_hidden_character_is_left(text in any::<String>()) {
            let markup = listing(&text).to_string();
            prop_assert!(markup.chars().all(|c| why_hidden(c).is_none()));
        }
    }
}
