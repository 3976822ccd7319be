//! From a text to its judgement: `libpg_query` decides, both of its ways to read a string count.
//!
//! Runs wholly on the calling thread, the drop of the parse trees included; the thread needs a
//! stack of [`super::STACK_SIZE`].

use std::panic::{AssertUnwindSafe, catch_unwind};

use pg_query::ParserOptions;

use super::Meaning;
use super::readings;
use super::references::Eyes;
use super::screen::screen;
use super::second;
use super::statement::{self, Look};
use crate::model::{Gist, Judged, Statement};

/// Judges a text. Never panics: a panic below is a text that could not be judged.
pub(super) fn judge_text(text: &[u8], meaning: Meaning, max_text: usize, eyes: Eyes<'_>) -> Judged {
    if !meaning.encoding_is_safe {
        return Judged::unknown("the session's client_encoding is one in which texts cannot be judged");
    }
    catch_unwind(AssertUnwindSafe(|| match screen(text, max_text) {
        Ok(text) => judge_screened(text, meaning, eyes),
        Err(refusal) => Judged::unknown(refusal.to_string()),
    }))
    .unwrap_or_else(|_| {
        tracing::error!(
            text.length = text.len(),
            "judging a statement panicked; it counts as unknown"
        );
        Judged::unknown("judging it failed")
    })
}

fn judge_screened(text: &str, meaning: Meaning, eyes: Eyes<'_>) -> Judged {
    let judged = judge_by(text, meaning, eyes);
    // Where names are looked for changes in the middle of it, or has changed when it is executed again.
    let moves = |statement: &Statement| statement.facts.sets.search_path;
    if let Eyes::Open(sight) = eyes
        && judged.statements.len() > 1
        && judged.statements.iter().any(moves)
    {
        return judge_by(text, meaning, Eyes::Open(&sight.without_path()));
    }
    judged
}

fn judge_by(text: &str, meaning: Meaning, eyes: Eyes<'_>) -> Judged {
    let look = Look::with(eyes);
    let as_set = Strings::of(meaning.standard_conforming_strings);
    let mut judged = match parse(text, as_set, &look) {
        Ok(statements) => Judged {
            statements,
            gist: Gist::None,
        },
        Err(why) => Judged::unparsed(why),
    };
    // Without a backslash, both ways to read a string give the same. With one, the setting that
    // we know may be older than the one under which the server will read the text.
    if text.contains('\\') || !meaning.standard_conforming_strings {
        let other = parse(text, as_set.other(), &look);
        readings::join(&mut judged, other);
    }
    second::hear(&mut judged, text, look.extent.deepest());
    judged
}

/// How a backslash in an ordinary string counts: `standard_conforming_strings`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strings {
    Conforming,
    Escaping,
}

impl Strings {
    const fn of(standard_conforming_strings: bool) -> Self {
        if standard_conforming_strings {
            Self::Conforming
        } else {
            Self::Escaping
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::Conforming => Self::Escaping,
            Self::Escaping => Self::Conforming,
        }
    }

    const fn options(self) -> ParserOptions {
        match self {
            Self::Conforming => ParserOptions::DEFAULT,
            Self::Escaping => ParserOptions::DISABLE_STANDARD_CONFORMING_STRINGS,
        }
    }
}

fn parse(text: &str, strings: Strings, look: &Look<'_>) -> Result<Vec<Statement>, String> {
    match pg_query::parse(text, strings.options()) {
        Ok(tree) => Ok(tree
            .protobuf
            .stmts
            .iter()
            .map(|raw| statement::judge(raw, text, look))
            .collect()),
        Err(error) => Err(explain(&error)),
    }
}

/// The parser's message without what it quotes of the text: facts hold no constants.
fn explain(error: &pg_query::Error) -> String {
    let message = match error {
        pg_query::Error::Parse(message) => message.split(" at or near ").next().unwrap_or_default(),
        _ => "",
    };
    if message.is_empty() || message.contains(|c: char| c == '"' || c.is_ascii_digit()) {
        "PostgreSQL's grammar does not accept it".to_owned()
    } else {
        format!("PostgreSQL's grammar does not accept it: {message}")
    }
}
