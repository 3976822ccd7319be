//! Judging what cannot be judged at once: a long text, or one that needs a newer catalogue.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;

use super::Fault;
use super::gate::{Judgement, is_unresolved};
use super::intake::Stop;
use super::relay::{Event, Session};
use crate::catalogue::{Snapshot, Upkeep};
use crate::model::Judged;
use crate::sql::{Judge, Meaning, Sight};

/// A text, and by what it is to be judged.
struct Judging {
    judge: Judge,
    text: Bytes,
    meaning: Meaning,
    /// Whom to ask for a newer catalogue.
    upkeep: Option<Arc<Upkeep>>,
    /// `sight` is not to be gone by any more.
    is_stale: bool,
    has_default_path: bool,
    sight: Option<Arc<Sight>>,
}

impl Judging {
    /// The judgement, and the catalogue that it is by, where that is another one now. Names that are not known
    /// are looked for in a newer catalogue once. Cancel-safe.
    async fn judge(mut self) -> (Arc<Judged>, Option<Snapshot>) {
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

impl Session {
    /// Has a long text judged on a thread of its own, the relay going on meanwhile.
    pub(super) async fn judge(&mut self, judgement: Judgement) -> Result<(), Fault> {
        self.intake.stop = Some(Stop::Deciding);
        let meaning = match &judgement.prepared {
            None => self.meaning_of(&judgement.text),
            Some((_, prepared)) => self.meaning_of_prepared(prepared),
        };
        let reported = self.meaning;
        let has_default_path = self.outlook.has_default_path();
        let judging = Judging {
            judge: self.shared.judge.clone(),
            text: judgement.text.clone(),
            meaning,
            upkeep: self.outlook.upkeep(),
            is_stale: self.outlook.is_stale(),
            has_default_path,
            sight: self.outlook.sight().cloned(),
        };
        let judged = judging.judge();
        tokio::pin!(judged);
        let (judged, snapshot) = loop {
            tokio::select! {
                judged = &mut judged => break judged,
                moved = poll_fn(|cx| self.poll_relay(cx)) => match moved? {
                    Event::Shutdown => return Err(self.told_to_end()),
                    Event::Skipped => {
                        self.intake.stop = None;
                        return Ok(());
                    }
                    Event::Stopped | Event::CancelRequested => {}
                },
            }
        };
        self.intake.stop = None;
        if let Some(snapshot) = snapshot {
            self.outlook.take(&snapshot);
        }
        // The meaning of texts may have changed while this one was judged, or that of names.
        if self.meaning != reported || self.outlook.has_default_path() != has_default_path {
            return Ok(());
        }
        let Judgement { text, prepared } = judgement;
        match prepared {
            Some((name, prepared)) => self.take_judgement(&name, &prepared, judged),
            None => self.keep_judgement(text, judged, true),
        }
        Ok(())
    }
}
