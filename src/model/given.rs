//! What a requester gives with a statement: why it is to run, and the ticket that it belongs to.
//!
//! Written as `reason: …; ticket: …`, in a comment at the head of the statement or in `application_name`.

/// The longest reason that is taken, in characters; what is longer is cut.
pub const LONGEST_REASON: usize = 2_000;

/// The longest ticket that is taken, in characters; what is longer is cut.
pub const LONGEST_TICKET: usize = 200;

/// Comments at the head of a text are looked at up to here, in bytes.
const HEAD: usize = 16 * 1024;

/// What was given, as far as it was.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Given {
    /// Why it is to run.
    pub reason: Option<String>,
    /// The ticket that it belongs to.
    pub ticket: Option<String>,
}

impl Given {
    /// From the comments at the head of a statement: `/* … */`, nested or not, and `-- …`.
    #[must_use]
    pub fn in_comments(text: &str) -> Self {
        let mut given = Self::default();
        let mut rest = &text[..text.floor_char_boundary(HEAD)];
        loop {
            rest = rest.trim_start();
            let (comment, behind) = if let Some(line) = rest.strip_prefix("--") {
                line.split_at(line.find(['\n', '\r']).unwrap_or(line.len()))
            } else if let Some((comment, behind)) = block_comment(rest) {
                (comment, behind)
            } else {
                return given;
            };
            given.read(comment);
            rest = behind;
        }
    }

    /// From `application_name`, as in `billing; reason: nightly run`.
    #[must_use]
    pub fn in_name(application_name: &str) -> Self {
        let mut given = Self::default();
        given.read(application_name);
        given
    }

    /// What is not given here is taken from `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            reason: self.reason.or(other.reason),
            ticket: self.ticket.or(other.ticket),
        }
    }

    /// The first of each kind counts.
    fn read(&mut self, text: &str) {
        for part in text.split([';', '\n', '\r']) {
            let part = part.trim_start_matches(|c: char| c == '*' || c.is_whitespace());
            let Some((key, value)) = part.split_once(':') else {
                continue;
            };
            let (slot, longest) = if key.eq_ignore_ascii_case("reason") {
                (&mut self.reason, LONGEST_REASON)
            } else if key.eq_ignore_ascii_case("ticket") {
                (&mut self.ticket, LONGEST_TICKET)
            } else {
                continue;
            };
            if slot.is_none() {
                *slot = plain(value, longest);
            }
        }
    }
}

/// A text as it is kept: on one line, without control characters, not too long; `None` where nothing is left.
#[must_use]
pub fn plain(text: &str, longest: usize) -> Option<String> {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    let text: String = words.join(" ").chars().take(longest).collect();
    (!text.is_empty()).then_some(text)
}

/// The inside of a block comment at the start of `text`, and what stands behind it. They nest, as in `scan.l`.
fn block_comment(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    if !bytes.starts_with(b"/*") {
        return None;
    }
    let mut depth = 0_usize;
    let mut at = 0;
    while at + 1 < bytes.len() {
        match (bytes[at], bytes[at + 1]) {
            (b'/', b'*') => {
                depth += 1;
                at += 2;
            }
            (b'*', b'/') => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return Some((&text[2..at - 2], &text[at..]));
                }
            }
            _ => at += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(reason: Option<&str>, ticket: Option<&str>) -> Given {
        Given {
            reason: reason.map(str::to_owned),
            ticket: ticket.map(str::to_owned),
        }
    }

    #[test]
    fn comments_at_the_head_are_read() {
        for (text, expected) in [
            ("/* reason: refund */ DELETE FROM t", given(Some("refund"), None)),
            (
                "-- Reason: refund for 4711; TICKET: OPS-1\nDELETE FROM t",
                given(Some("refund for 4711"), Some("OPS-1")),
            ),
            (
                "/* made by x */\n  -- ticket: OPS-2\n/*\n * reason: a\n */ SELECT 1",
                given(Some("a"), Some("OPS-2")),
            ),
            ("/* /* reason: inner */ */ SELECT 1", given(None, None)),
            (
                "/* a /* b */ ; reason: outer */ SELECT 1",
                given(Some("outer"), None),
            ),
            ("/* reason: never closed", given(None, None)),
            ("SELECT 1 /* reason: late */", given(None, None)),
            ("'/* reason: no */'", given(None, None)),
            ("/* reason:   ; ticket: x */ SELECT 1", given(None, Some("x"))),
            ("/* reason: a; reason: b */", given(Some("a"), None)),
            ("", given(None, None)),
            ("/*/ reason: no */", given(None, None)),
        ] {
            assert_eq!(Given::in_comments(text), expected, "{text}");
        }
    }

    #[test]
    fn a_programs_name_can_carry_it() {
        assert_eq!(
            Given::in_name("billing; reason: nightly run; ticket: OPS-42"),
            given(Some("nightly run"), Some("OPS-42"))
        );
        assert_eq!(Given::in_name("psql"), Given::default());
    }

    #[test]
    fn what_is_kept_is_one_line_and_not_too_long() {
        assert_eq!(plain(" a\u{0}\u{1b}[2J\n b\t", 100).as_deref(), Some("a [2J b"));
        assert_eq!(plain(&"x".repeat(5_000), 10).map(|text| text.len()), Some(10));
        assert_eq!(plain(" \n", 10), None);
    }

    #[test]
    fn the_first_place_counts() {
        let first = given(Some("a"), None);
        assert_eq!(first.or(given(Some("b"), Some("t"))), given(Some("a"), Some("t")));
    }
}
