//! The answers to what stands in the place of a message of the client's, and to questions of our own.

use super::{Expect, Inflight};
use crate::model::NameOp;
use crate::session::inquiry::Inquiry;
use crate::wire::Report;

impl Inflight {
    /// The question of ours that the next reply answers.
    pub(in crate::session) fn inquiry(&mut self) -> Option<&mut Inquiry> {
        match self.front() {
            Some(Expect::Inquiry(inquiry)) => Some(inquiry),
            _ => None,
        }
    }

    /// It is answered.
    pub(in crate::session) fn inquiry_done(&mut self) -> Option<Box<Inquiry>> {
        self.segment_ended();
        match self.take_front() {
            Some(Expect::Inquiry(inquiry)) => Some(inquiry),
            _ => None,
        }
    }

    /// Whether the next reply ends a Pause in the place of the query that waits for it.
    pub(in crate::session) fn is_failed_pause(&mut self) -> bool {
        matches!(self.front(), Some(Expect::Pause { failed: true, .. }))
    }

    /// Whether the next ReadyForQuery is that of a query that was not forwarded: it has failed in a Pause, or the server has
    /// refused its text.
    pub(in crate::session) fn ends_query_at_hand(&mut self) -> bool {
        matches!(
            self.front(),
            Some(Expect::Pause { failed: true, .. } | Expect::Probe { accepted: false, .. })
        )
    }

    /// Whether the next reply is to a step of a statement that runs under a limit of rows.
    pub(in crate::session) fn is_limited_at_front(&self) -> bool {
        matches!(self.queue.front(), Some(Expect::Limited))
    }

    /// The step at the front, which must be there, is at its end.
    pub(in crate::session) fn limited_done(&mut self) {
        self.segment_ended();
        self.take_front();
    }

    /// EmptyQueryResponse: the tag with which holdpoint answers instead, where the empty text was put in the place of
    /// a statement of holdpoint's own.
    pub(in crate::session) fn own_tag(&mut self) -> Option<&'static str> {
        let Some(Expect::Execute { names, .. } | Expect::Query { names, .. }) = self.front() else {
            return None;
        };
        match names.as_ref()?.statements.first()?.name_op.as_ref()? {
            NameOp::Own { tag } => Some(tag),
            _ => None,
        }
    }

    /// CommandComplete: the error that the client has instead, where it is that of our own ROLLBACK.
    pub(in crate::session) fn rolled_back(&mut self) -> Option<Box<Report>> {
        let Some(Expect::RollBack { report, simple, .. }) = self.front() else {
            return None;
        };
        let report = std::mem::replace(report, Box::new(Report::notice("")));
        if !*simple {
            self.take_front();
        }
        Some(report)
    }
}
