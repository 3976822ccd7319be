//! What of a statement a rollback does not undo, as far as its text tells.
//!
//! Source: `PreventInTransactionBlock` and `IsInTransactionBlock` in `src/backend/access/transam/xact.c`; what calls them
//! is committed when it completes, whatever comes behind it in its pipeline (`exec_execute_message` in
//! `src/backend/tcop/postgres.c`).

use crate::model::{Effect, Facts, Judged};

/// What stays of a statement although it, or something behind it in its pipeline, fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::session) enum Keeps {
    /// Nothing that is known of.
    #[default]
    Nothing,
    /// What it may do outside of its transaction: files, other servers, what nobody can judge.
    Acts,
    /// The same, and what it may have committed as it went, or what went so behind it.
    Commits,
}

impl Keeps {
    /// Of a text, the names in it resolved. `text`: as much of it as is kept, and whether there is more. `in_block`: it certainly
    /// runs in a transaction block, in which nothing commits but what ends that.
    pub(in crate::session) fn of(judged: &Judged, text: Option<(&[u8], bool)>, in_block: bool) -> Self {
        match &judged.statements[..] {
            // Several in one text are one transaction: there, these fail, or do not commit.
            [only] if !in_block && commits_as_it_goes(&only.facts, text) => Self::Commits,
            all if all.iter().any(|one| one.facts.effect >= Effect::Server) => Self::Acts,
            _ => Self::Nothing,
        }
    }
}

/// Whether a command may commit before the end of its pipeline, be it in its middle or at its own end. What its tag alone tells
/// is in [`is_its_own_transaction`].
fn commits_as_it_goes(facts: &Facts, text: Option<(&[u8], bool)>) -> bool {
    facts.commands.iter().any(|command| match command.as_str() {
        "CALL"
        | "DO"
        | "VACUUM"
        | "ANALYZE"
        | "CLUSTER"
        | "REINDEX"
        | "DISCARD"
        | "ALTER DATABASE"
        | "DROP DATABASE"
        | "CREATE SUBSCRIPTION"
        | "ALTER SUBSCRIPTION"
        | "DROP SUBSCRIPTION"
        | "UNKNOWN"
        | "UNPARSED" => true,
        "CREATE INDEX" | "DROP INDEX" | "ALTER TABLE" => may_say(text, b"concurrently"),
        _ => false,
    })
}

/// Whether a keyword may stand in the text. One in a comment counts as well.
fn may_say(text: Option<(&[u8], bool)>, word: &[u8]) -> bool {
    match text {
        Some((text, false)) => text
            .windows(word.len())
            .any(|part| part.eq_ignore_ascii_case(word)),
        _ => true,
    }
}

/// Whether what completes with this tag was a transaction of its own: the server refuses these in any other.
pub(super) fn is_its_own_transaction(tag: &str) -> bool {
    matches!(
        tag,
        "VACUUM"
            | "CREATE DATABASE"
            | "DROP DATABASE"
            | "CREATE TABLESPACE"
            | "DROP TABLESPACE"
            | "ALTER SYSTEM"
            | "COMMIT PREPARED"
            | "ROLLBACK PREPARED"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{Judge, JudgeLimits, Meaning};

    #[test]
    fn whatever_may_commit_as_it_goes_is_told_from_what_cannot() {
        let judge = Judge::new(JudgeLimits::default());
        let meaning = Meaning {
            standard_conforming_strings: true,
            encoding_is_safe: true,
        };
        for (text, outside, in_block) in [
            ("CALL p()", Keeps::Commits, Keeps::Acts),
            ("DO $$BEGIN END$$", Keeps::Commits, Keeps::Acts),
            ("VACUUM t", Keeps::Commits, Keeps::Nothing),
            ("ANALYZE", Keeps::Commits, Keeps::Nothing),
            ("REINDEX TABLE t", Keeps::Commits, Keeps::Nothing),
            ("DROP DATABASE d", Keeps::Commits, Keeps::Acts),
            (
                "create index Concurrently i on t (a)",
                Keeps::Commits,
                Keeps::Nothing,
            ),
            ("CREATE INDEX i ON t (a)", Keeps::Nothing, Keeps::Nothing),
            ("DROP INDEX CONCURRENTLY i", Keeps::Commits, Keeps::Nothing),
            ("DROP INDEX i", Keeps::Nothing, Keeps::Nothing),
            (
                "ALTER TABLE t DETACH PARTITION u CONCURRENTLY",
                Keeps::Commits,
                Keeps::Nothing,
            ),
            ("ALTER TABLE t ADD a int", Keeps::Nothing, Keeps::Nothing),
            ("COPY t TO PROGRAM 'true'", Keeps::Acts, Keeps::Acts),
            ("this is no SQL", Keeps::Commits, Keeps::Acts),
            // One transaction, in which it cannot commit.
            ("CALL p(); SELECT 1", Keeps::Acts, Keeps::Acts),
            ("DELETE FROM t WHERE a = 1", Keeps::Nothing, Keeps::Nothing),
            ("COMMIT", Keeps::Nothing, Keeps::Nothing),
            ("", Keeps::Nothing, Keeps::Nothing),
        ] {
            let judged = judge.judge_inline(text.as_bytes(), meaning);
            let kept = Some((text.as_bytes(), false));
            let keeps = |is_in| judged.as_ref().map(|judged| Keeps::of(judged, kept, is_in));
            assert_eq!(keeps(false), Some(outside), "{text}");
            assert_eq!(keeps(true), Some(in_block), "{text} in a block");
        }
    }

    #[test]
    fn a_word_that_may_stand_in_what_is_not_kept_counts() {
        let text = b"CREATE INDEX i ON t (a)";
        for (kept, expected) in [
            (Some((&text[..], false)), false),
            (Some((&text[..], true)), true),
            (Some((&b"DROP INDEX concurrentLY i"[..], false)), true),
            (Some((&b""[..], false)), false),
            (None, true),
        ] {
            assert_eq!(may_say(kept, b"concurrently"), expected, "{kept:?}");
        }
    }
}
