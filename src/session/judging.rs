//! Judging what cannot be judged at once: a long text, or one that needs a newer catalogue.

use std::sync::Arc;

use bytes::Bytes;

use super::gate::is_unresolved;
use crate::catalogue::{Snapshot, Upkeep};
use crate::model::Judged;
use crate::sql::{Judge, Meaning, Sight};

/// A text, and by what it is to be judged.
pub(super) struct Judging {
    pub(super) judge: Judge,
    pub(super) text: Bytes,
    pub(super) meaning: Meaning,
    /// Whom to ask for a newer catalogue.
    pub(super) upkeep: Option<Arc<Upkeep>>,
    /// `sight` is not to be gone by any more.
    pub(super) is_stale: bool,
    pub(super) has_default_path: bool,
    pub(super) sight: Option<Arc<Sight>>,
}

impl Judging {
    /// The judgement, and the catalogue that it is by, where that is another one now. Names that are not known
    /// are looked for in a newer catalogue once. Cancel-safe.
    pub(super) async fn judge(mut self) -> (Arc<Judged>, Option<Snapshot>) {
        let mut snapshot = None;
        if self.is_stale {
            snapshot = self.fresh().await;
        }
        let mut judged = self.once().await;
        if snapshot.is_none() && is_unresolved(&judged) {
            snapshot = self.fresh().await;
            if snapshot.is_some() {
                judged = self.once().await;
            }
        }
        (judged, snapshot)
    }

    async fn once(&self) -> Arc<Judged> {
        self.judge
            .judge_in(self.text.clone(), self.meaning, self.sight.clone())
            .await
    }

    async fn fresh(&mut self) -> Option<Snapshot> {
        let snapshot = self.upkeep.as_ref()?.fresh().await;
        self.sight = Some(snapshot.sight(self.has_default_path));
        Some(snapshot)
    }
}
