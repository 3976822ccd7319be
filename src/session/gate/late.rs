//! Portals whose text's names are looked up only when they are executed.
//!
//! The server plans a query at its Bind, by the names as they are then; what a utility statement names (COPY, TRUNCATE, DROP, the
//! cursor of a FETCH), it looks up at each Execute (`PortalRunUtility` in `src/backend/tcop/pquery.c`). Such a portal was
//! judged, and perhaps approved, for what its names stood for at its Bind. Invariant: it is not executed once the session has
//! sent anything since by which they may stand for something else.

use std::num::NonZeroU32;

use super::Pass;
use super::resolve::{fetches, is_query};
use crate::model::{Effect, Judged};
use crate::session::relay::Session;

/// What [`Outlook::moves`](crate::session::outlook::Outlook::moves) was when such texts were bound.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Late {
    /// The one that was bound to the unnamed portal last, if it is one.
    last: Option<NonZeroU32>,
    /// The first one of this transaction that was bound to the unnamed portal: a Bind that failed may have left it there.
    unnamed: Option<NonZeroU32>,
    /// The first one of this transaction that was bound to a portal with a name. Drivers give names to queries alone.
    named: Option<NonZeroU32>,
}

impl Session {
    /// A text was bound to a portal.
    pub(super) fn note_late(&mut self, pass: &Pass) {
        let moves = is_late(&pass.judged).then(|| self.outlook.moves());
        let late = &mut self.unnamed.late;
        if pass.portal.as_deref().is_some_and(|portal| !portal.is_empty()) {
            late.named = late.named.or(moves);
        } else {
            late.last = moves;
            late.unnamed = late.unnamed.or(moves);
        }
    }

    /// Whether one of the portals with a name may run something else by now than at its Bind: a FETCH runs it, too.
    pub(super) fn is_some_portal_moved(&self) -> bool {
        self.unnamed
            .late
            .named
            .is_some_and(|moves| moves != self.outlook.moves())
    }

    /// Whether what a portal names may be something else than it was when it was bound. Where policy lets pass what is
    /// not known, that is nothing to refuse.
    pub(super) fn is_moved_since_bind(&self, portal: &[u8]) -> bool {
        let late = &self.unnamed.late;
        let bound = if !portal.is_empty() {
            late.named
        } else if self.is_bound_here() {
            late.last
        } else {
            late.unnamed
        };
        bound.is_some_and(|moves| moves != self.outlook.moves()) && !self.passes_unknown()
    }
}

/// Whether the server looks up its names only when it executes it. What concerns the session alone names nothing that
/// policy could be about, but for a cursor.
fn is_late(judged: &Judged) -> bool {
    judged.statements.iter().any(|statement| {
        fetches(statement) || (statement.facts.effect > Effect::Session && !is_query(statement))
    })
}
