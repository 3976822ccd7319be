//! How long a client may keep the server waiting in the middle of a step: what the server says meanwhile (notices, as a
//! trigger raises them) is the client's, and while it does not take that, the answer to the step is not read.

use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use crate::timer::{Instant, Sleep, sleep_until};

/// How long in all, in one step. A client that takes a little now and then has no more.
const TAKING: Duration = Duration::from_secs(5);

/// The time that a client has taken of it.
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// Up to the beginning of the wait at hand.
    taken: Duration,
    /// Since when it is waited for, and the end of that.
    waits: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl Patience {
    /// Whether there is none left. If the client is waited for now, the task is woken when there is not.
    pub(super) fn is_over(&mut self, cx: &mut Context<'_>, is_waited_for: bool) -> bool {
        if !is_waited_for {
            if let Some((since, _)) = self.waits.take() {
                self.taken += since.elapsed();
            }
            return false;
        }
        let left = TAKING.saturating_sub(self.taken);
        let (_, end) = self.waits.get_or_insert_with(|| {
            let now = Instant::now();
            (now, Box::pin(sleep_until(now + left)))
        });
        end.as_mut().poll(cx).is_ready()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::{Poll, Waker};

    use super::*;

    #[tokio::test]
    async fn it_is_that_of_all_waits_together() {
        let mut cx = Context::from_waker(Waker::noop());
        let mut patience = Patience::default();
        assert!(!patience.is_over(&mut cx, false));
        assert!(!patience.is_over(&mut cx, true));
        if let Some((since, _)) = &mut patience.waits {
            *since -= TAKING;
        }
        assert!(!patience.is_over(&mut cx, false), "it has taken what there was");
        let over = poll_fn(|cx| {
            if patience.is_over(cx, true) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        });
        over.await;
        assert!(!patience.is_over(&mut cx, false), "it is not waited for");
    }
}
