//! How far an approved statement has come, by the server's answers, and what is recorded of that.

use std::fmt::Write as _;

use super::keeps::Keeps;
use crate::model::Outcome;
use crate::wire::backend::{ServerError, rows_of};

/// How far one has come.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// It has run, in part at least.
    pub(super) begun: bool,
    /// In a segment that has ended well.
    pub(super) begun_before: bool,
    /// It has run to its end.
    pub(super) ended: bool,
    tag: String,
    pub(super) rows: Option<u64>,
    /// Where it does more than read, how many rows it has given in parts: how many it has changed may be more, and is not told
    /// before its tag. The server runs a change to its end before it gives the first (`PortalRun` in
    /// `src/backend/tcop/pquery.c`).
    parts: Option<u64>,
    pub(super) error: Option<ServerError>,
    /// The error behind which its Execute was skipped.
    pub(super) skipped: Option<ServerError>,
    /// What of it stays whatever fails.
    pub(super) keeps: Keeps,
    /// So many savepoints may stand behind it, or behind a part of it; none, if 0.
    savepoints: u32,
    /// The command in it, up to which it is committed: it is a text of several.
    committed_by: Option<&'static str>,
}

impl Progress {
    /// It has not begun. `changes`: it does more than read.
    pub(super) fn new(keeps: Keeps, changes: bool) -> Self {
        Self {
            keeps,
            parts: changes.then_some(0),
            ..Self::default()
        }
    }

    /// A command of it has completed.
    pub(super) fn completed(&mut self, tag: &str) {
        self.begun = true;
        self.ended = true;
        tag.clone_into(&mut self.tag);
        if let Some(rows) = rows_of(tag) {
            // The tag counts those of the last part alone.
            let parts = self.parts.as_mut().map_or(0, std::mem::take);
            self.add_rows(rows.saturating_add(parts));
        }
    }

    /// Its portal is suspended after this many rows.
    pub(super) fn suspended(&mut self, rows: u32) {
        self.begun = true;
        match &mut self.parts {
            Some(parts) => *parts = parts.saturating_add(rows.into()),
            None => self.add_rows(rows.into()),
        }
    }

    /// It has failed.
    pub(super) fn failed(&mut self, error: &ServerError) {
        self.begun = true;
        self.ended = true;
        self.error = Some(error.clone());
    }

    fn add_rows(&mut self, rows: u64) {
        self.rows = Some(self.rows.unwrap_or(0).saturating_add(rows));
    }

    /// A command has completed, of it or behind it: notes what that does to savepoints. Which one is released is not known, but
    /// the last one is among them. A rollback to one leaves that, and may leave others.
    pub(super) fn note_savepoint(&mut self, tag: &str) {
        match tag {
            "SAVEPOINT" if self.begun && self.error.is_none() => {
                self.savepoints = self.savepoints.saturating_add(1);
            }
            "RELEASE" => self.savepoints = self.savepoints.saturating_sub(1),
            _ => {}
        }
    }

    /// A command in it, which is a text of several, has committed what stands before that.
    pub(super) fn committed(&mut self, command: &'static str) {
        self.committed_by = Some(command);
        self.savepoints = 0;
    }

    /// Whether its transaction can go on with it behind an error, from a savepoint behind it.
    pub(super) fn outlives_errors(&self) -> bool {
        self.savepoints > 0 && self.error.is_none()
    }

    /// Its outcome, where nothing has undone it.
    pub(super) fn finished(self, duration_ms: u64) -> Outcome {
        let (sqlstate, error) = match self.error {
            Some(error) => (Some(error.sqlstate), Some(error.message)),
            None if self.begun => (None, None),
            None => match self.skipped {
                Some(error) => (Some(error.sqlstate), Some(error.message)),
                None => (None, Some("it was bound, and never executed".to_owned())),
            },
        };
        let (tag, rows) = if error.is_some() {
            (String::new(), None)
        } else {
            (self.tag, self.rows)
        };
        Outcome {
            tag,
            rows,
            sqlstate,
            error,
            duration_ms,
        }
    }

    /// Its outcome, where it has failed, or what has failed in its pipeline has undone it, as far as it could. `in_block`: its
    /// transaction block is still open.
    pub(super) fn undone(self, by: &ServerError, in_block: bool, duration_ms: u64) -> Outcome {
        let mut message = match &self.error {
            Some(own) => own.message.clone(),
            None if !self.ended => by.message.clone(),
            None if self.keeps == Keeps::Commits => {
                format!("its pipeline failed behind it: {}", by.message)
            }
            None => format!("rolled back with its pipeline: {}", by.message),
        };
        self.say_what_stays(in_block, &mut message);
        // What was undone has changed nothing, whatever the server said before.
        let stays = self.ended && self.error.is_none() && self.keeps != Keeps::Nothing;
        let (tag, rows) = if stays {
            (self.tag, self.rows)
        } else {
            (String::new(), None)
        };
        let sqlstate = self.error.map_or_else(|| by.sqlstate.clone(), |own| own.sqlstate);
        Outcome {
            tag,
            rows,
            sqlstate: Some(sqlstate),
            error: Some(message),
            duration_ms,
        }
    }

    /// Its outcome, where the session has failed with this. What has run to its end may be committed by then: the server says
    /// that a query has completed once it has committed it, and is ready later.
    pub(super) fn lost(self, by: &ServerError, duration_ms: u64) -> Outcome {
        if !self.ended || self.error.is_some() {
            return self.undone(by, false, duration_ms);
        }
        Outcome {
            tag: self.tag,
            rows: self.rows,
            sqlstate: Some(by.sqlstate.clone()),
            error: Some(format!(
                "its session ended behind it: {}; whether what it did stays is not known",
                by.message
            )),
            duration_ms,
        }
    }

    /// A record must not let anybody believe that something is gone which may stay.
    fn say_what_stays(&self, in_block: bool, message: &mut String) {
        if let Some(command) = self.committed_by {
            let _ = write!(message, "; what it did up to a {command} in it stays");
        }
        if in_block && self.savepoints > 0 {
            message.push_str("; what it did before a SAVEPOINT may stay");
        }
        match self.keeps {
            // Did it fail in a block, it could not commit there.
            Keeps::Commits if self.begun && !(in_block && self.error.is_some()) => {
                message.push_str("; what was committed by then, if anything, stays");
            }
            Keeps::Acts if self.ended && self.error.is_none() => {
                message.push_str("; what it did outside of its transaction, if anything, stays");
            }
            Keeps::Nothing | Keeps::Acts | Keeps::Commits => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A statement that was answered with `tags`, with others behind it.
    fn ran(tags: &[&str], behind: &[&str], keeps: Keeps) -> Progress {
        let mut progress = Progress::new(keeps, true);
        for tag in tags {
            progress.completed(tag);
            progress.note_savepoint(tag);
        }
        for tag in behind {
            progress.note_savepoint(tag);
        }
        progress
    }

    fn error(message: &str) -> ServerError {
        ServerError {
            sqlstate: "22012".to_owned(),
            message: message.to_owned(),
            ..ServerError::default()
        }
    }

    #[test]
    fn it_outlives_an_error_behind_a_savepoint_that_is_not_released() {
        for (behind, expected) in [
            (&["SAVEPOINT"][..], true),
            (&[], false),
            (&["INSERT 0 1", "SELECT 1"], false),
            (&["SAVEPOINT", "INSERT 0 1", "ROLLBACK"], true),
            (&["SAVEPOINT", "RELEASE"], false),
            (&["SAVEPOINT", "SAVEPOINT", "RELEASE"], true),
            // That of one before it.
            (&["RELEASE", "SAVEPOINT"], true),
        ] {
            let progress = ran(&["DELETE 3"], behind, Keeps::Nothing);
            assert_eq!(progress.outlives_errors(), expected, "{behind:?}");
        }
        let before = ran(&[], &["SAVEPOINT"], Keeps::Nothing);
        assert!(!before.outlives_errors(), "it has not begun");
        let mut failed = ran(&["DELETE 3"], &["SAVEPOINT"], Keeps::Nothing);
        failed.failed(&error("no"));
        assert!(!failed.outlives_errors());
    }

    #[test]
    fn what_failed_behind_it_has_undone_no_more_than_it_could() {
        let committed = "; what was committed by then, if anything, stays";
        let acted = "; what it did outside of its transaction, if anything, stays";
        for (tag, keeps, begins, ends, kept) in [
            (
                "DELETE 3",
                Keeps::Nothing,
                "rolled back with its pipeline: no",
                "",
                false,
            ),
            (
                "SELECT 1",
                Keeps::Acts,
                "rolled back with its pipeline: no",
                acted,
                true,
            ),
            (
                "CALL",
                Keeps::Commits,
                "its pipeline failed behind it: no",
                committed,
                true,
            ),
        ] {
            for in_block in [false, true] {
                let outcome = ran(&[tag], &[], keeps).undone(&error("no"), in_block, 7);
                assert_eq!(outcome.error, Some(format!("{begins}{ends}")));
                assert_eq!(outcome.sqlstate.as_deref(), Some("22012"));
                assert_eq!(outcome.tag, if kept { tag } else { "" });
                assert_eq!(outcome.rows.is_some(), kept && tag == "SELECT 1", "{tag}");
                assert_eq!(outcome.duration_ms, 7);
            }
        }
    }

    #[test]
    fn what_failed_itself_says_what_stays_of_it() {
        let before = "no; what it did before a SAVEPOINT may stay";
        let up_to = "no; what it did up to a COMMIT in it stays";
        let as_it_went = "no; what was committed by then, if anything, stays";
        for (tags, keeps, in_block, expected) in [
            (&["DELETE 3", "SAVEPOINT"][..], Keeps::Nothing, true, before),
            (&["DELETE 3", "SAVEPOINT"], Keeps::Nothing, false, "no"),
            (&["DELETE 3", "SAVEPOINT", "RELEASE"], Keeps::Nothing, true, "no"),
            (&["DELETE 3", "COMMIT"], Keeps::Nothing, false, up_to),
            (&["SAVEPOINT", "COMMIT", "BEGIN"], Keeps::Nothing, true, up_to),
            (&[], Keeps::Commits, false, as_it_went),
            (&[], Keeps::Commits, true, "no"),
            (&[], Keeps::Acts, false, "no"),
        ] {
            let mut progress = ran(&[], &[], keeps);
            for tag in tags {
                progress.completed(tag);
                progress.note_savepoint(tag);
                if *tag == "COMMIT" {
                    progress.committed("COMMIT");
                }
            }
            progress.failed(&error("no"));
            let outcome = progress.undone(&error("no"), in_block, 0);
            assert_eq!(outcome.error.as_deref(), Some(expected), "{tags:?}");
            assert_eq!((&outcome.tag[..], outcome.rows), ("", None), "{tags:?}");
        }
    }

    #[test]
    fn where_the_session_has_failed_nothing_is_told_to_be_gone() {
        let outcome = ran(&["DELETE 3"], &[], Keeps::Nothing).lost(&error("no"), 0);
        let unknown = "its session ended behind it: no; whether what it did stays is not known";
        assert_eq!(outcome.error.as_deref(), Some(unknown));
        assert_eq!((&outcome.tag[..], outcome.rows), ("DELETE 3", Some(3)));
        for (keeps, begun, expected) in [
            (Keeps::Nothing, true, "no"),
            (Keeps::Commits, false, "no"),
            (
                Keeps::Commits,
                true,
                "no; what was committed by then, if anything, stays",
            ),
        ] {
            let mut progress = Progress::new(keeps, true);
            progress.begun = begun;
            let outcome = progress.lost(&error("no"), 0);
            assert_eq!(outcome.error.as_deref(), Some(expected), "{keeps:?}");
        }
    }

    #[test]
    fn what_changes_has_its_rows_by_its_tag_alone() {
        for (changes, tags, expected) in [
            (true, &["DELETE 2"][..], Some(5)),
            (false, &["SELECT 2"], Some(5)),
            (true, &["EXPLAIN"], None),
            (true, &["DELETE 2", "UPDATE 1"], Some(6)),
            (true, &[], None),
            (false, &[], Some(3)),
        ] {
            let mut progress = Progress::new(Keeps::Nothing, changes);
            progress.suspended(1);
            progress.suspended(2);
            for tag in tags {
                progress.completed(tag);
            }
            let outcome = progress.finished(0);
            assert_eq!(outcome.rows, expected, "{changes} {tags:?}");
            assert_eq!(outcome.tag, tags.last().copied().unwrap_or_default());
            assert_eq!(outcome.error, None, "{changes} {tags:?}");
        }
    }

    #[test]
    fn what_nothing_has_undone_has_its_tag_and_all_its_rows() {
        let mut progress = Progress::default();
        progress.suspended(3);
        progress.completed("DELETE 2");
        let outcome = progress.finished(0);
        assert_eq!((&outcome.tag[..], outcome.rows), ("DELETE 2", Some(5)));
        assert_eq!((outcome.sqlstate, outcome.error), (None, None));
        let mut skipped = Progress {
            skipped: Some(error("no")),
            ..Progress::default()
        };
        assert_eq!(Progress::default().finished(0).sqlstate, None);
        skipped.begun = true;
        assert_eq!(skipped.finished(0).error, None, "executed since");
        let never = Progress::default().finished(0).error;
        assert_eq!(never.as_deref(), Some("it was bound, and never executed"));
    }
}
