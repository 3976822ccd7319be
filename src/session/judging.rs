//! Judging what cannot be judged at once: a long text, or one that needs a newer catalogue.

use std::future::poll_fn;
use std::pin::pin;
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
    /// Waits for what a statement has to wait for before it is known whether it runs, the relay going on meanwhile; then the
    /// frame at hand is looked at again. `None`: there is nothing to wait for any more, as where `work` gives that because a
    /// cancel request has come for the statement.
    async fn relay_until<T>(&mut self, work: impl Future<Output = Option<T>>) -> Result<Option<T>, Fault> {
        self.intake.stop = Some(Stop::Deciding);
        let mut work = pin!(work);
        let mut is_holding = false;
        let given = loop {
            let moved = poll_fn(|cx| {
                let moved = self.poll_relay(cx);
                // Ctrl-C is for this statement as soon as none before it runs.
                if !is_holding && !self.busy {
                    is_holding = true;
                    self.handle.set_holding(true);
                }
                moved
            });
            tokio::select! {
                given = &mut work => {
                    self.intake.is_cancelled |= given.is_none();
                    break given;
                }
                moved = moved => match moved? {
                    Event::Shutdown => return Err(self.told_to_end()),
                    Event::Skipped => break None,
                    Event::CancelRequested => {
                        self.intake.is_cancelled = true;
                        break None;
                    }
                    Event::Stopped => {}
                },
            }
        };
        self.intake.is_cancelled |= self.handle.end_holding();
        self.intake.stop = None;
        Ok(given.filter(|_| !self.intake.is_cancelled))
    }

    /// Has a long text judged on a thread of its own, the relay going on meanwhile.
    pub(super) async fn judge(&mut self, judgement: Judgement) -> Result<(), Fault> {
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
        let handle = Arc::clone(&self.handle);
        let judged = async {
            let judged = judging.judge().await;
            // A request that has come in this very moment is for this statement as well.
            (!handle.ends_wait().await).then_some(judged)
        };
        let Some((judged, snapshot)) = self.relay_until(judged).await? else {
            return Ok(());
        };
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
