//! Portals whose text's names are looked up only when they are executed.
//!
//! The server plans a query at its Bind, by the names as they are then; what a utility statement names (COPY, TRUNCATE, DROP, the
//! cursor of a FETCH), it looks up at each Execute (`PortalRunUtility` in `src/backend/tcop/pquery.c`). Such a portal was
//! judged, and perhaps approved, for what its names stood for at its Bind. Invariant: it is not executed once the session has
//! sent anything since by which they may stand for something else.

use std::collections::HashMap;
use std::num::NonZeroU32;

use super::Pass;
use super::resolve::{fetches, is_query};
use crate::model::{Effect, Judged, Statement};
use crate::session::names::cut;
use crate::session::relay::Session;

/// So many portals with names are told apart in a transaction; more are taken for one.
const MOST: usize = 1000;

/// How things stood when a text was bound.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    /// [`Outlook::moves`](crate::session::outlook::Outlook::moves), where it names anything but cursors.
    moves: Option<NonZeroU32>,
    /// [`Cursors::news`](crate::session::cursors::Cursors::news), where it fetches.
    news: Option<NonZeroU32>,
}

impl Mark {
    fn is_none(self) -> bool {
        self.moves.is_none() && self.news.is_none()
    }

    /// The earlier of both.
    fn or(self, later: Self) -> Self {
        Self {
            moves: self.moves.or(later.moves),
            news: self.news.or(later.news),
        }
    }
}

/// What was bound to one portal.
#[derive(Debug, Clone, Copy, Default)]
struct Bound {
    /// The last of these texts, if it is one of those that this is about; and the segment of its Bind.
    last: Mark,
    segment: u64,
    /// The first of this transaction that is: a Bind that failed may have left it there.
    first: Mark,
}

impl Bound {
    fn note(&mut self, mark: Mark, segment: u64) {
        self.last = mark;
        self.segment = segment;
        self.first = self.first.or(mark);
    }

    /// What an Execute in this segment may run. If the last Bind of the segment has failed, the server skips that.
    fn at(&self, segment: u64) -> Mark {
        if self.segment == segment {
            self.last
        } else {
            self.first
        }
    }
}

/// The portals of a transaction.
#[derive(Debug, Default)]
#[expect(
    clippy::box_collection,
    reason = "each session has room for it, and few ever have one"
)]
pub(super) struct Late {
    /// The unnamed one comes first; the others once there is anything to know of them.
    unnamed: Bound,
    named: Option<Box<HashMap<Box<[u8]>, Bound>>>,
}

impl Session {
    /// A text was bound to a portal.
    pub(super) fn note_late(&mut self, pass: &Pass) {
        let mark = self.mark(&pass.judged);
        let segment = self.intake.segment;
        let portal = cut(pass.portal.as_deref().unwrap_or_default());
        let late = &mut self.unnamed.late;
        if portal.is_empty() {
            late.unnamed.note(mark, segment);
            return;
        }
        if late.named.is_none() && mark.is_none() {
            return;
        }
        let named = late.named.get_or_insert_default();
        if let Some(bound) = named.get_mut(portal) {
            bound.note(mark, segment);
        } else if !mark.is_none() {
            // Under the empty name, all for which there is no room.
            let portal: &[u8] = if named.len() < MOST { portal } else { b"" };
            named.entry(portal.into()).or_default().note(mark, segment);
        }
    }

    fn mark(&self, judged: &Judged) -> Mark {
        let all = &judged.statements;
        Mark {
            moves: all.iter().any(is_late).then(|| self.outlook.moves()),
            news: all.iter().any(fetches).then(|| self.cursors.news()),
        }
    }

    fn is_outdated(&self, mark: Mark) -> bool {
        mark.moves.is_some_and(|moves| moves != self.outlook.moves())
            || mark.news.is_some_and(|news| news != self.cursors.news())
    }

    /// Whether anything was bound that makes a FETCH from a portal more than it seems.
    pub(super) fn has_late_portals(&self) -> bool {
        self.unnamed.late.named.is_some()
    }

    /// Whether a portal with this name may run something else by now than at its Bind: a FETCH runs it, too.
    pub(super) fn is_portal_moved(&self, portal: &[u8]) -> bool {
        let Some(named) = &self.unnamed.late.named else {
            return false;
        };
        let found = [named.get(cut(portal)), named.get(&b""[..])];
        let segment = self.intake.segment;
        found
            .into_iter()
            .flatten()
            .any(|bound| self.is_outdated(bound.at(segment)))
    }

    /// Whether what a portal names may be something else than it was when it was bound. Where policy lets pass what is
    /// not known, that is nothing to refuse.
    pub(super) fn is_moved_since_bind(&self, portal: &[u8]) -> bool {
        let is_moved = if portal.is_empty() {
            self.is_outdated(self.unnamed.late.unnamed.at(self.intake.segment))
        } else {
            self.is_portal_moved(portal)
        };
        is_moved && !self.passes_unknown()
    }
}

/// Whether the server looks up its names only when it executes it. What concerns the session alone names nothing that
/// policy could be about, but for a cursor.
fn is_late(statement: &Statement) -> bool {
    let makes_table = |command: &String| command == "SELECT INTO";
    (statement.facts.effect > Effect::Session && !is_query(statement))
        || statement.facts.commands.iter().any(makes_table)
}
