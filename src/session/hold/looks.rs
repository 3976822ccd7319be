//! Looking whether a client that waits has gone, where the relay cannot see it.
//!
//! The relay reads what a client sends while it waits, and so sees its end, except behind a full buffer; and a goodbye may stand
//! in what it has read. Both come with bytes: a client that sends nothing more, as nearly all do, costs no timer.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::ticks;
use crate::session::Fault;
use crate::session::relay::{Event, Session};
use crate::timer::Interval;

/// How often a client that has sent more is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// When to look at a client that waits.
pub(in crate::session) struct Looks {
    /// How much there was of what it has sent, when the wait began.
    sent: usize,
    /// Once it has sent more.
    ticks: Option<Interval>,
}

impl Looks {
    fn poll(&mut self, cx: &mut Context<'_>, sent: usize) -> Poll<()> {
        if sent == self.sent && self.ticks.is_none() {
            return Poll::Pending;
        }
        let ticks = self.ticks.get_or_insert_with(|| ticks(LOOK_INTERVAL));
        ready!(ticks.poll_tick(cx));
        Poll::Ready(())
    }
}

impl Session {
    /// For a wait that begins now.
    pub(in crate::session) fn looks(&self) -> Looks {
        Looks {
            sent: self.behind_cleared(),
            // It need not send more: nothing more is read, or it has said so already.
            ticks: (self.is_full() || self.says_goodbye()).then(|| ticks(LOOK_INTERVAL)),
        }
    }

    /// Moves bytes both ways until something else is to be done; fails once the client has gone. Cancel-safe.
    pub(in crate::session) async fn relay_waiting(&mut self, looks: &mut Looks) -> Result<Event, Fault> {
        loop {
            let moved = poll_fn(|cx| match self.poll_relay(cx) {
                Poll::Ready(moved) => Poll::Ready(Some(moved)),
                Poll::Pending => looks.poll(cx, self.behind_cleared()).map(|()| None),
            });
            match moved.await {
                Some(moved) => return moved,
                None => self.look_at_client().await?,
            }
        }
    }

    /// Looks whether the client has gone, or says goodbye, behind what it has sent already.
    async fn look_at_client(&self) -> Result<(), Fault> {
        if (self.is_full() && self.client.stream.is_read_closed().await) || self.says_goodbye() {
            return Err(Fault::ClientGone);
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.intake.buffer.len() >= self.limits.hold_buffer
    }

    /// How many bytes of the client's wait, what is held among them.
    fn behind_cleared(&self) -> usize {
        self.intake
            .buffer
            .len()
            .saturating_sub(self.intake.clearance.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timer::Instant;

    #[tokio::test]
    async fn a_client_that_sends_nothing_more_is_not_looked_at() {
        let mut looks = Looks {
            sent: 70,
            ticks: None,
        };
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(looks.poll(&mut cx, 70).is_pending());
        assert!(looks.ticks.is_none(), "it costs no timer");

        assert!(looks.poll(&mut cx, 75).is_pending());
        assert!(looks.ticks.is_some(), "it has sent more");
        // Although it may have been what was held that went.
        looks.ticks = Some(crate::timer::interval_at(Instant::now(), LOOK_INTERVAL));
        poll_fn(|cx| looks.poll(cx, 70)).await;
        assert!(looks.poll(&mut cx, 70).is_pending());
    }
}
