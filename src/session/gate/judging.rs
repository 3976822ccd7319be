//! Judging here and now, where the cache and the catalogue at hand will do; else saying what has to be waited for.

use std::sync::Arc;

use bytes::Bytes;

use super::Judgement;
use super::resolve::{executes, is_unresolved};
use crate::model::{Effect, Facts, Judged, NameOp, Statement};
use crate::session::lately::{AtHand, Scene};
use crate::session::names::{Lookup, Prepared};
use crate::session::relay::Session;
use crate::sql::Meaning;

/// Why a prepared statement counts as unknown when it would have to be judged again.
const NOT_KEPT: &str = "its text was not kept, and what it does may have changed since it was prepared";

impl Session {
    /// The judgement of the frame's text; `None` where it takes a thread of its own, or a newer catalogue.
    pub(super) fn judge_now(&mut self, text: &[u8]) -> Option<Arc<Judged>> {
        let at_hand = self.intake.judged.take();
        let scene = self.scene(text);
        let is_current = |kept: &AtHand| kept.was_awaited || !self.outlook.is_stale();
        match at_hand {
            Some(kept) if kept.text == text && kept.scene == scene && is_current(&kept) => Some(kept.judged),
            _ => self.judge_inline(text),
        }
    }

    /// The frame with this text waits: what was made of it is kept until it is looked at again.
    pub(in crate::session) fn keep_judgement(&mut self, text: Bytes, judged: Arc<Judged>, was_awaited: bool) {
        self.intake.judged = Some(Box::new(AtHand {
            scene: self.scene(&text),
            text,
            judged,
            was_awaited,
        }));
    }

    fn scene(&self, text: &[u8]) -> Scene {
        Scene {
            meaning: self.meaning_of(text),
            sight: self.outlook.number(),
        }
    }

    /// What a text that comes now means. The server reports another encoding when it is ready, and not as soon as it reads
    /// by it: behind what may set one, only ASCII is certainly what it seems. Where one may ever have been set, anything that
    /// is on its way may bring it back, if only by failing.
    pub(in crate::session) fn meaning_of(&self, text: &[u8]) -> Meaning {
        let may_return = || self.was_unsafe && (self.busy || !self.inflight.is_empty());
        let is_certain = !(self.intake.has_doubtful_encoding || may_return()) || text.is_ascii();
        Meaning {
            encoding_is_safe: self.meaning.encoding_is_safe && is_certain,
            ..self.meaning
        }
    }

    /// What the text of a prepared statement means, which the server read when it was prepared.
    pub(in crate::session) fn meaning_of_prepared(&self, prepared: &Prepared) -> Meaning {
        Meaning {
            encoding_is_safe: prepared.is_certain(),
            ..self.meaning
        }
    }

    /// A text was cleared that does this: whether the encoding of what comes behind it is in doubt.
    pub(super) fn note_encoding(&mut self, does: &Judged) {
        let may_set = |statement: &Statement| {
            let facts = &statement.facts;
            facts.effect == Effect::Unknown || (facts.sets.encoding && facts.effect > Effect::Session)
        };
        let may_set = does.statements.iter().any(may_set);
        self.was_unsafe |= may_set;
        self.intake.has_doubtful_encoding |= may_set;
    }

    fn judge_inline(&mut self, text: &[u8]) -> Option<Arc<Judged>> {
        self.judge_as(text, self.meaning_of(text))
    }

    fn judge_as(&mut self, text: &[u8], meaning: Meaning) -> Option<Arc<Judged>> {
        if self.outlook.is_stale() {
            self.outlook.look_again();
            if self.outlook.is_stale() {
                return None;
            }
        }
        let scene = Scene {
            meaning,
            sight: self.outlook.number(),
        };
        if let Some(judged) = self.lately.find(text, scene) {
            return Some(judged);
        }
        let sight = self.outlook.sight().map(AsRef::as_ref);
        let judged = self.shared.judge.judge_inline_in(text, meaning, sight)?;
        if is_unresolved(&judged) {
            // The catalogue may be older than what is named.
            return self.outlook.upkeep().is_none().then_some(judged);
        }
        self.lately.note(&judged, scene);
        Some(judged)
    }

    /// Judges a prepared statement again if definitions have changed since it was; gives what that has to wait for.
    pub(super) fn rejudge(&mut self, name: &[u8]) -> Option<Judgement> {
        let Lookup::Known(prepared) = self.names.lookup(name, self.intake.segment) else {
            return None;
        };
        let is_current = !self.outlook.is_stale() && prepared.sight() == self.outlook.number();
        if is_current || !self.outlook.is_asked() || prepared.is_own() {
            return None;
        }
        let prepared = prepared.clone();
        let Some(text) = prepared.text() else {
            // It passed when nothing was asked about it, or there was no room.
            let unknown = Arc::new(Judged::unknown(NOT_KEPT));
            self.names
                .rejudge(name, &prepared, &unknown, self.outlook.number());
            return None;
        };
        match self.judge_as(&text, self.meaning_of_prepared(&prepared)) {
            Some(judged) => {
                self.take_judgement(name, &prepared, judged);
                None
            }
            None => Some(Judgement {
                text,
                prepared: Some((name.into(), prepared)),
            }),
        }
    }

    /// What a name stood for was judged again.
    pub(in crate::session) fn take_judgement(
        &mut self,
        name: &[u8],
        prepared: &Prepared,
        judged: Arc<Judged>,
    ) {
        let judged = self.with_types(judged, &prepared.types());
        self.names.rejudge(name, prepared, &judged, self.outlook.number());
    }

    /// A judgement of a text whose parameters have these types: making values of a type may run code (the CHECK of
    /// a domain), without a word of it in the text.
    pub(super) fn with_types(&self, judged: Arc<Judged>, types: &[u32]) -> Arc<Judged> {
        let why = self
            .outlook
            .sight()
            .and_then(|sight| types.iter().find_map(|oid| sight.why_type_acts(*oid)));
        let Some(why) = why else {
            return judged;
        };
        // A constant beside such a parameter is one of its type.
        let acts_when_read = self.outlook.sight().is_some_and(|sight| {
            let mut acting = types.iter().filter(|oid| sight.why_type_acts(**oid).is_some());
            acting.any(|oid| sight.has_parts(*oid))
        });
        let mut doubt = Facts::unknown(format!("a parameter is of a type whose values are made by {why}"));
        doubt.commands.clear();
        doubt.acts_when_read = acts_when_read;
        let mut judged = Judged::clone(&judged);
        for statement in &mut judged.statements {
            statement.facts.absorb(&doubt);
        }
        Arc::new(judged)
    }

    /// As [`Self::rejudge`], and for all that it executes by name.
    pub(super) fn rejudge_bound(&mut self, name: &[u8]) -> Option<Judgement> {
        if let Some(judgement) = self.rejudge(name) {
            return Some(judgement);
        }
        let judged = match self.names.lookup(name, self.intake.segment) {
            Lookup::Known(Prepared::Protocol { judged, .. }) if executes(judged) => Arc::clone(judged),
            _ => return None,
        };
        self.rejudge_executed(&judged)
    }

    /// As [`Self::rejudge`], for all that a text executes by name.
    pub(super) fn rejudge_executed(&mut self, judged: &Judged) -> Option<Judgement> {
        judged
            .statements
            .iter()
            .find_map(|statement| match &statement.name_op {
                Some(NameOp::Execute { name }) => self.rejudge(name.as_bytes()),
                _ => None,
            })
    }
}
