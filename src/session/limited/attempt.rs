//! The record of a statement that runs under a limit of rows: every way out of it writes what is known.

use std::time::{Duration, Instant};

use super::heard::Heard;
use crate::approval::Running;
use crate::model::Outcome;
use crate::wire::backend::ServerError;

/// The statement's record. Dropped before it is settled, it says what is known.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) running: Option<Running>,
    pub(super) since: Option<Instant>,
    /// Whether it stays changed is for the server to say.
    pub(super) is_keeping: bool,
}

impl Attempt {
    fn finish(&mut self, outcome: Outcome) {
        if let Some(running) = self.running.take() {
            running.finish(outcome);
        }
    }

    fn outcome(&self) -> Outcome {
        let elapsed = self.since.map_or(Duration::ZERO, |since| since.elapsed());
        Outcome {
            tag: String::new(),
            rows: None,
            sqlstate: None,
            error: None,
            duration_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        }
    }

    pub(super) fn kept(&mut self, heard: &Heard) {
        let outcome = self.outcome();
        self.finish(Outcome {
            tag: heard.tag.clone(),
            rows: heard.rows(),
            ..outcome
        });
    }

    pub(super) fn failed(&mut self, error: &ServerError) {
        let outcome = self.outcome();
        self.finish(Outcome {
            sqlstate: Some(error.sqlstate.clone()),
            error: Some(error.message.clone()),
            ..outcome
        });
    }

    pub(super) fn undone(&mut self, why: &str) {
        let outcome = self.outcome();
        self.finish(Outcome {
            error: Some(why.to_owned()),
            ..outcome
        });
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        match (self.running.take(), self.since, self.is_keeping) {
            (None, ..) => {}
            (Some(running), None, _) => {
                running.not_forwarded("the session ended before it was forwarded; it did not run");
            }
            (Some(running), Some(_), false) => {
                running.not_forwarded("the session ended before it was committed; it was rolled back");
            }
            // Its own guard says that the outcome is not known.
            (Some(running), Some(_), true) => drop(running),
        }
    }
}
