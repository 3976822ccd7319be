//! What the names in a session's texts stand for: the database's catalogue, as this session may go by it.
//!
//! Judging goes by a snapshot of the catalogue. It is not gone by any more once definitions have changed
//! ([`Outlook::is_stale`]): then a new one is waited for before anything else is judged. While the session itself
//! changes definitions in a transaction, nobody else sees them yet, and no catalogue says what they are: until
//! its end, nothing of the database's own is known here, except what acted before.

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::catalogue::{Snapshot, Upkeep};
use crate::model::{Defines, Effect, Facts, Judged};
use crate::sql::Sight;

/// What a startup packet moves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Moved {
    /// Where names are looked for, or perhaps.
    pub(super) path: bool,
    /// As whom the session acts, or perhaps.
    pub(super) role: bool,
}

/// How a session begins.
#[derive(Debug)]
pub(super) struct Begins<'a> {
    /// The search path is the one that sessions of its role begin with.
    pub(super) has_default_path: bool,
    /// What it has set from its beginning on.
    pub(super) moved: Moved,
    /// What is known of the connection's own defaults, where it has served a session before.
    pub(super) default_path: Option<&'a [Box<str>]>,
    /// [`Upkeep::paths`] before it was connected; 0 where no catalogue is kept.
    pub(super) paths: u32,
}

/// Where names are looked for by default.
#[derive(Debug)]
enum DefaultPath {
    /// As it was when the connection began.
    Known(Box<[Box<str>]>),
    /// Nothing was looked up yet. [`Upkeep::paths`] before the connection began: what is looked up after more of these may
    /// be another; `None`: so it was.
    Since(Option<u32>),
}

/// The names as one session sees them.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about the session"
)]
pub(super) struct Outlook {
    /// `None`: no catalogue is asked, and names are judged by themselves.
    upkeep: Option<Arc<Upkeep>>,
    sight: Option<Arc<Sight>>,
    /// That of the snapshot behind `sight`.
    version: u64,
    /// The search path is the one that sessions of its role begin with.
    has_default_path: bool,
    default_path: DefaultPath,
    /// Definitions are being changed in the transaction at hand.
    changing: bool,
    /// Grows with every text that may change what names stand for in this session.
    moves: NonZeroU32,
    /// The session has set a search path, or may have.
    has_set_path: bool,
    /// The session has taken another role, or may have.
    has_set_role: bool,
}

impl Outlook {
    /// With this catalogue, which is asked for when the first text is judged.
    pub(super) fn new(upkeep: Option<Arc<Upkeep>>, begins: &Begins<'_>) -> Self {
        let mut outlook = Self {
            upkeep,
            has_default_path: begins.has_default_path,
            default_path: begins
                .default_path
                .map_or(DefaultPath::Since(Some(begins.paths)), |path| {
                    DefaultPath::Known(path.into())
                }),
            sight: None,
            version: 0,
            changing: false,
            moves: NonZeroU32::MIN,
            has_set_path: begins.moved.path,
            has_set_role: begins.moved.role,
        };
        // The defaults that the session begins with are closer to these than to what is first looked up.
        if let Some(snapshot) = outlook.upkeep.as_ref().and_then(|upkeep| upkeep.current()) {
            outlook.note_default_path(&snapshot);
        }
        outlook
    }

    /// The search path that sessions began with when this one's connection did, as far as it is known.
    pub(super) fn default_path(&self) -> Option<&[Box<str>]> {
        match &self.default_path {
            DefaultPath::Known(path) => Some(path),
            DefaultPath::Since(_) => None,
        }
    }

    /// Whether it is lost with which search path the connection began: no other session is to go on with it.
    pub(super) fn has_lost_default_path(&self) -> bool {
        matches!(self.default_path, DefaultPath::Since(None))
    }

    /// A default that is another than when the session began is not its own.
    fn note_default_path(&mut self, snapshot: &Snapshot) {
        let Some(now) = snapshot.default_path() else {
            return;
        };
        match &self.default_path {
            DefaultPath::Known(then) => self.has_default_path &= **then == *now,
            DefaultPath::Since(_) if now.is_empty() || !self.has_default_path => {}
            DefaultPath::Since(paths) if *paths == self.upkeep.as_ref().map(|upkeep| upkeep.paths()) => {
                self.default_path = DefaultPath::Known(now.into());
            }
            DefaultPath::Since(_) => {
                self.has_default_path = false;
                self.default_path = DefaultPath::Since(None);
            }
        }
    }

    /// Goes by this catalogue from now on, or by none.
    pub(super) fn go_by(&mut self, upkeep: Option<Arc<Upkeep>>) {
        if upkeep.is_some() != self.upkeep.is_some() {
            self.upkeep = upkeep;
            // Nobody has watched for changes since it began.
            self.has_default_path &= self.default_path().is_some();
            self.sight = None;
            self.version = 0;
        }
    }

    /// Whether there is a catalogue to go by.
    pub(super) fn is_asked(&self) -> bool {
        self.upkeep.is_some()
    }

    /// Whether the search path is the one that sessions of its role begin with.
    pub(super) fn has_default_path(&self) -> bool {
        self.has_default_path
    }

    /// What to judge by; `None` where no catalogue is asked.
    pub(super) fn sight(&self) -> Option<&Arc<Sight>> {
        self.sight.as_ref()
    }

    /// The number of the sight; 0 where there is none.
    pub(super) fn number(&self) -> u64 {
        self.sight.as_ref().map_or(0, |sight| sight.number())
    }

    /// Whether what is known here is not to be gone by any more. A load and a comparison.
    pub(super) fn is_stale(&self) -> bool {
        !self.changing
            && self
                .upkeep
                .as_ref()
                .is_some_and(|upkeep| upkeep.version() != self.version)
    }

    /// Takes over the latest snapshot, if there is one; it may have been loaded for another session.
    pub(super) fn look_again(&mut self) {
        if let Some(snapshot) = self.upkeep.as_ref().and_then(|upkeep| upkeep.current()) {
            self.take(&snapshot);
        }
    }

    /// Whom to ask for a newer snapshot; `None` where that would say nothing new.
    pub(super) fn upkeep(&self) -> Option<Arc<Upkeep>> {
        self.upkeep.clone().filter(|_| !self.changing)
    }

    /// Takes over a snapshot.
    pub(super) fn take(&mut self, snapshot: &Snapshot) {
        if !self.changing {
            self.note_default_path(snapshot);
            self.version = snapshot.version;
            self.sight = Some(snapshot.sight(self.has_default_path));
        }
    }

    /// The search path may be another from now on: a name is any of that name.
    fn lose_path(&mut self) {
        if std::mem::take(&mut self.has_default_path) {
            // Taken anew with the next look.
            self.version = 0;
        }
    }

    /// How often names may have come to stand for something else by what the session itself has sent.
    pub(super) fn moves(&self) -> NonZeroU32 {
        self.moves
    }

    /// A text was cleared.
    pub(super) fn note(&mut self, judged: &Judged) {
        let is_definition = judged
            .statements
            .iter()
            .any(|statement| may_define(&statement.facts));
        let may_move = is_definition
            || judged
                .statements
                .iter()
                .any(|statement| statement.facts.sets.search_path);
        if may_move {
            self.moves = self.moves.checked_add(1).unwrap_or(NonZeroU32::MIN);
        }
        for statement in &judged.statements {
            let Facts { sets, effect, .. } = &statement.facts;
            if sets.search_path || *effect == Effect::Unknown {
                self.lose_path();
                self.has_set_path = true;
                self.has_set_role |= *effect >= Effect::Privilege;
            }
        }
        if let Some(upkeep) = &self.upkeep
            && is_definition
        {
            let before = self.sight.take().filter(|_| self.changing);
            let mut defined = before.map(|sight| sight.defined()).unwrap_or_default();
            for statement in &judged.statements {
                match may_define(&statement.facts) {
                    true if statement.facts.effect < Effect::Schema => defined = Defines::Anything,
                    true => defined.absorb(&statement.facts.defines),
                    false => {}
                }
            }
            self.changing = true;
            self.sight = Some(upkeep.last().in_doubt_of(defined));
        }
    }

    /// What people should know of this session's names: they may mean something else than they seem to.
    pub(super) fn signals(&self) -> impl Iterator<Item = String> {
        let path =
            "the session has, or may have, a search_path of its own: names without a schema depend on it";
        let role = "the session acts, or may act, as another role than it began with";
        let path = self.has_set_path.then_some(path);
        let role = self.has_set_role.then_some(role);
        path.into_iter().chain(role).map(str::to_owned)
    }

    /// Whom to tell once the server is done with definitions that are being changed; `None` where none are.
    pub(super) fn awaits_change(&self) -> Option<Arc<Upkeep>> {
        self.upkeep.clone().filter(|_| self.changing)
    }

    /// The transaction has ended: what it defined is there for all.
    pub(super) fn transaction_ended(&mut self) {
        if std::mem::take(&mut self.changing)
            && let Some(upkeep) = &self.upkeep
        {
            upkeep.outdated();
        }
    }
}

/// Whether a statement may change definitions. A transaction that was prepared may have changed any.
fn may_define(facts: &Facts) -> bool {
    facts.effect >= Effect::Schema || facts.commands.iter().any(|command| command == "COMMIT PREPARED")
}

impl Drop for Outlook {
    /// What was forwarded may still take effect.
    fn drop(&mut self) {
        self.transaction_ended();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{Judge, JudgeLimits, Meaning};

    #[test]
    fn what_was_prepared_may_have_defined_anything() {
        let judge = Judge::new(JudgeLimits::default());
        let meaning = Meaning {
            standard_conforming_strings: true,
            encoding_is_safe: true,
        };
        for (text, expected) in [
            ("COMMIT PREPARED 'a'", true),
            ("ROLLBACK PREPARED 'a'", false),
            ("CREATE TABLE t ()", true),
            ("DELETE FROM t", false),
            ("this is no SQL", true),
        ] {
            let judged = judge.judge_inline(text.as_bytes(), meaning);
            let is_definition = judged.map(|judged| may_define(&judged.joined_facts()));
            assert_eq!(is_definition, Some(expected), "{text}");
        }
    }
}
