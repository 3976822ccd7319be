//! Other proxies that share the store: what they change, and what one of them leaves behind.
//!
//! Invariants: a hint only makes this proxy look; and it looks without one, too, so a lost hint costs time and nothing else.
//! Whether another proxy lives is told by its beats, as this one has watched them by its own clock: clocks need not agree, nor what
//! is configured, since each beats by its own and says so; and while the store cannot be reached, nobody's time runs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::timer::{Instant, MissedTickBehavior};

use super::Broker;
use crate::model::{RequestId, StateKind};
use crate::store::{Beat, Hint, Hints, ProposalId, StoreError};

/// Beats of a proxy in the time after which it is taken for dead.
const BEATS: u32 = 6;
/// How often those that wait are looked for without a hint.
const LOOK: Duration = Duration::from_secs(5);
/// Between two tries to listen.
const RETRY: Duration = Duration::from_secs(1);
/// How long a look may take.
const LONGEST_LOOK: Duration = Duration::from_secs(30);
/// Requests that are asked for at once.
const AT_ONCE: usize = 1_000;

/// Follows what others change, for ever; ends at once where there are no others. Cancel-safe: to be dropped at shutdown.
/// `dead_after`: nothing is heard for so long only where the connection is dead, since each beat is told, too.
pub async fn follow_fellows(broker: Broker, dead_after: Duration) {
    let mut failing = false;
    loop {
        match broker.shared.store.hints().await {
            Ok(None) => return,
            Ok(Some(mut hints)) => {
                let error = listen(&broker, &mut *hints, dead_after, &mut failing).await;
                say(&mut failing, &error);
            }
            Err(error) => say(&mut failing, &error),
        }
        crate::timer::sleep(RETRY).await;
    }
}

/// Once for each outage.
fn say(failing: &mut bool, error: &StoreError) {
    if !*failing {
        tracing::error!(%error, "cannot listen to what other proxies decide");
    }
    *failing = true;
}

async fn listen(
    broker: &Broker,
    hints: &mut dyn Hints,
    dead_after: Duration,
    failing: &mut bool,
) -> StoreError {
    let mut looks = crate::timer::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    loop {
        // The first look is at once: there was no listening before.
        let done = tokio::select! {
            () = crate::timer::sleep_until(heard + dead_after) => {
                return StoreError::Unavailable {
                    doing: "heard",
                    source: "nothing comes through the connection, not even what this proxy says itself".into(),
                };
            }
            hint = hints.next() => {
                heard = Instant::now();
                match hint {
                Ok(Hint::Alive) => Ok(()),
                Ok(Hint::Changed(id)) => in_time(broker.look_at(id)).await,
                Ok(Hint::Proposed(asked)) => {
                    broker.answer_later(asked);
                    Ok(())
                }
                Ok(Hint::Answered(_)) => {
                    broker.shared.answers.notify_waiters();
                    Ok(())
                }
                Ok(Hint::Missed) => in_time(broker.look_at_all()).await,
                Err(error) => Err(error),
                }
            }
            _ = looks.tick() => in_time(broker.look_at_all()).await,
        };
        if let Err(error) = done {
            return error;
        }
        *failing = false;
    }
}

/// A look that hears nothing is an error: else hints would wait behind it.
async fn in_time(look: impl Future<Output = Result<(), StoreError>>) -> Result<(), StoreError> {
    crate::timer::timeout(LONGEST_LOOK, look)
        .await
        .unwrap_or_else(|_| {
            Err(StoreError::Unavailable {
                doing: "read",
                source: "it has not answered in time".into(),
            })
        })
}

/// Says that this proxy lives, and takes over from those that have not gone on for `dead_after`, or for what they say themselves
/// where that is longer, for ever; ends at once where there are no others. `console` is where people find it. Cancel-safe: to be dropped at shutdown.
pub async fn beat_on(broker: Broker, console: Arc<str>, dead_after: Duration) {
    if !broker.shared.store.is_shared() {
        return;
    }
    let mut ticks = crate::timer::interval(dead_after / BEATS);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut watch = Watch::new(dead_after);
    let mut failing = false;
    loop {
        ticks.tick().await;
        match beat(&broker, &console, &mut watch).await {
            Ok(()) => failing = false,
            Err(error) => {
                if !failing {
                    tracing::error!(%error, "cannot tell other proxies that this one lives");
                }
                failing = true;
                // The others could not, either.
                watch = Watch::new(dead_after);
            }
        }
    }
}

async fn beat(broker: &Broker, console: &str, watch: &mut Watch) -> Result<(), StoreError> {
    let store = &broker.shared.store;
    let now = Instant::now();
    let others = store.beat(console, watch.dead_after).await?;
    for dead in watch.dead(others, now) {
        if store.bury(&dead).await? {
            tracing::warn!(proxy.console = dead.console, "another proxy is gone");
        }
    }
    // Each time: whoever has buried one may have gone before this.
    let requests = broker.abandon_left_over().await?;
    if requests > 0 {
        tracing::warn!(
            requests,
            "settled as abandoned what a proxy that is gone left open"
        );
    }
    // What this round took is not time in which nobody looked.
    watch.looked = Some(Instant::now());
    Ok(())
}

/// What was seen of the others, and since when it has been the same.
#[derive(Debug)]
struct Watch {
    seen: HashMap<String, (i64, Instant)>,
    /// When this proxy looked last.
    looked: Option<Instant>,
    dead_after: Duration,
}

impl Watch {
    fn new(dead_after: Duration) -> Self {
        Self {
            seen: HashMap::new(),
            looked: None,
            dead_after,
        }
    }

    /// Those that have not gone on for too long.
    fn dead(&mut self, others: Vec<Beat>, now: Instant) -> Vec<Beat> {
        let mut before = std::mem::take(&mut self.seen);
        // Where this one could not look, the others could not beat.
        let was_away = self
            .looked
            .is_some_and(|looked| now.duration_since(looked) > self.dead_after / BEATS * 3);
        if was_away {
            before.clear();
        }
        self.looked = Some(now);
        let mut dead = Vec::new();
        for beat in others {
            let since = match before.get(&beat.proxy) {
                Some(&(beats, since)) if beats == beat.beats => since,
                _ => now,
            };
            self.seen.insert(beat.proxy.clone(), (beat.beats, since));
            // One that may be silent for longer beats more slowly, too.
            if now.duration_since(since) >= self.dead_after.max(beat.dead_after) {
                dead.push(beat);
            }
        }
        dead
    }
}

impl Broker {
    /// Somebody else has changed this: tells whoever waits for it here, and whoever looks on.
    async fn look_at(&self, id: RequestId) -> Result<(), StoreError> {
        if self.shared.waiters.is_waited_for(id)
            && let Some(request) = self.shared.store.request(id).await?
        {
            if self.tell_of_edit(&request) && request.state.kind() == StateKind::Pending {
                // Its review is the editor's own.
                self.changed(id);
            } else {
                self.announce(&request);
            }
        } else {
            self.changed(id);
        }
        Ok(())
    }

    /// Answers what another proxy asks about a session here. Off the path of the hints: the session may have to ask its server.
    fn answer_later(&self, asked: ProposalId) {
        let broker = self.clone();
        tokio::spawn(async move {
            if let Err(error) = broker.answer_proposal(asked).await {
                tracing::error!(%error, "cannot answer another proxy");
            }
        });
    }

    /// Looks at everything that is waited for here.
    async fn look_at_all(&self) -> Result<(), StoreError> {
        for some in self.shared.waiters.ids().chunks(AT_ONCE) {
            for id in self.shared.store.decided(some).await? {
                self.look_at(id).await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beat_of(proxy: &str, beats: i64) -> Beat {
        Beat {
            proxy: proxy.to_owned(),
            console: String::new(),
            beats,
            dead_after: Duration::ZERO,
        }
    }

    /// Of what the two are configured with, the longer counts.
    #[test]
    fn who_may_be_silent_for_longer_is_given_the_time() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut watch = Watch::new(Duration::from_secs(6));
        let slow = Beat {
            dead_after: Duration::from_mins(1),
            ..beat_of("slow", 1)
        };
        let quick = Beat {
            dead_after: Duration::from_secs(2),
            ..beat_of("quick", 1)
        };
        let mut looks = |from: u64, to: u64| -> Vec<Beat> {
            (from..=to)
                .flat_map(|second| watch.dead(vec![slow.clone(), quick.clone()], at(second)))
                .collect()
        };
        assert_eq!(looks(0, 5), []);
        assert_eq!(looks(6, 6), std::slice::from_ref(&quick));
        let others = looks(7, 59);
        assert!(others.iter().all(|one| *one == quick), "{others:?}");
        assert_eq!(looks(60, 60), [slow.clone(), quick.clone()]);
    }

    #[test]
    fn who_stands_still_for_long_is_dead() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut watch = Watch::new(Duration::from_secs(30));
        let both = |a, b| vec![beat_of("a", a), beat_of("b", b)];
        let mut looks = |from: u64, to: u64, b: i64| -> Vec<Beat> {
            (from..=to)
                .step_by(5)
                .flat_map(|second| watch.dead(both(i64::try_from(second).unwrap_or(0), b), at(second)))
                .collect()
        };
        assert_eq!(looks(0, 25, 7), []);
        assert_eq!(looks(30, 30, 7), [beat_of("b", 7)]);
        // One that comes back starts anew.
        assert_eq!(looks(35, 60, 8), []);
        assert_eq!(looks(65, 65, 8), [beat_of("b", 8)]);
        // One that was not there in between, too.
        assert_eq!(watch.dead(vec![beat_of("a", 66)], at(70)), []);
        let mut looks = |from: u64, to: u64| -> Vec<Beat> {
            (from..=to)
                .step_by(5)
                .flat_map(|second| watch.dead(both(i64::try_from(second).unwrap_or(0), 8), at(second)))
                .collect()
        };
        assert_eq!(looks(75, 100), []);
        assert_eq!(looks(105, 105), [beat_of("b", 8)]);
        // While this one cannot look, nobody's time runs.
        assert_eq!(looks(200, 225), []);
        assert_eq!(looks(230, 230), [beat_of("b", 8)]);
    }
}
