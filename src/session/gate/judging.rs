//! Judging here and now, where the cache and the catalogue at hand will do; else saying what has to be waited for.

use std::sync::Arc;

use bytes::Bytes;

use super::Judgement;
use super::resolve::is_unresolved;
use crate::model::{Facts, Judged, NameOp};
use crate::session::lately::{AtHand, Scene};
use crate::session::names::Lookup;
use crate::session::relay::Session;

impl Session {
    /// The judgement of the frame's text; `None` where it takes a thread of its own, or a newer catalogue.
    pub(super) fn judge_now(&mut self, text: &[u8]) -> Option<Arc<Judged>> {
        let at_hand = self.intake.judged.take();
        let scene = self.scene();
        let is_current = |kept: &AtHand| kept.was_awaited || !self.outlook.is_stale();
        match at_hand {
            Some(kept) if kept.text == text && kept.scene == scene && is_current(&kept) => Some(kept.judged),
            _ => self.judge_inline(text),
        }
    }

    /// The frame with this text waits: what was made of it is kept until it is looked at again.
    pub(in crate::session) fn keep_judgement(&mut self, text: Bytes, judged: Arc<Judged>, was_awaited: bool) {
        self.intake.judged = Some(AtHand {
            text,
            scene: self.scene(),
            judged,
            was_awaited,
        });
    }

    fn scene(&self) -> Scene {
        Scene {
            meaning: self.meaning,
            sight: self.outlook.number(),
        }
    }

    fn judge_inline(&mut self, text: &[u8]) -> Option<Arc<Judged>> {
        if self.outlook.is_stale() {
            self.outlook.look_again();
            if self.outlook.is_stale() {
                return None;
            }
        }
        let scene = self.scene();
        if let Some(judged) = self.lately.find(text, scene) {
            return Some(judged);
        }
        let sight = self.outlook.sight().map(AsRef::as_ref);
        let judged = self.shared.judge.judge_inline_in(text, self.meaning, sight)?;
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
        if is_current || !self.outlook.is_asked() {
            return None;
        }
        let text = prepared.text().unwrap_or_default();
        match self.judge_inline(&text) {
            Some(judged) => {
                self.take_judgement(name, judged);
                None
            }
            None => Some(Judgement {
                text,
                name: Some(name.into()),
            }),
        }
    }

    /// What a name stands for was judged again.
    pub(in crate::session) fn take_judgement(&mut self, name: &[u8], judged: Arc<Judged>) {
        let types = match self.names.lookup(name, self.intake.segment) {
            Lookup::Known(prepared) => prepared.types(),
            Lookup::Missing | Lookup::Unanswered => Arc::default(),
        };
        let judged = self.with_types(judged, &types);
        self.names.rejudge(name, &judged, self.outlook.number());
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
        let mut doubt = Facts::unknown(format!("a parameter is of a type whose values are made by {why}"));
        doubt.commands.clear();
        let mut judged = Judged::clone(&judged);
        for statement in &mut judged.statements {
            statement.facts.absorb(&doubt);
        }
        Arc::new(judged)
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
