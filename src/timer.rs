//! Timers, on whichever thread: those that a data thread sets are kept by another runtime.
//!
//! A runtime with timers asks for the time at each of its turns, whether one is set or not, and a statement that passes takes two
//! turns (docs/PERFORMANCE.md has what that costs). So the runtimes of the data threads have none. What is set there is kept by
//! the control runtime, whose threads wake the data thread once it is due; on any other thread this is `tokio::time`.
//!
//! Imports nothing of ours. Nothing else names `tokio::time`: on a data thread that would panic.

use std::cell::OnceCell;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Timeout;
pub use tokio::time::{Instant, Interval, MissedTickBehavior, Sleep};

thread_local! {
    /// Who keeps this thread's timers, where its own runtime has none.
    static KEEPER: OnceCell<Handle> = const { OnceCell::new() };
}

/// From now on, this runtime keeps the timers that are set on this thread: it must outlive them. The first one stays.
pub fn keep_with(keeper: Handle) {
    KEEPER.with(|kept| {
        let _ = kept.set(keeper);
    });
}

/// Sets something with the runtime that keeps this thread's timers; it may be waited for anywhere.
fn kept<T>(set: impl FnOnce() -> T) -> T {
    KEEPER.with(|keeper| {
        let _entered = keeper.get().map(Handle::enter);
        set()
    })
}

/// See [`tokio::time::sleep`]. Panics, as all of these do, on a thread without a runtime.
pub fn sleep(duration: Duration) -> Sleep {
    kept(|| tokio::time::sleep(duration))
}

/// See [`tokio::time::sleep_until`].
pub fn sleep_until(deadline: Instant) -> Sleep {
    kept(|| tokio::time::sleep_until(deadline))
}

/// See [`tokio::time::timeout`].
pub fn timeout<F: Future>(duration: Duration, future: F) -> Timeout<F> {
    kept(|| tokio::time::timeout(duration, future))
}

/// See [`tokio::time::interval`]: the first tick comes at once.
///
/// # Panics
/// With a period of zero.
#[must_use]
pub fn interval(period: Duration) -> Interval {
    kept(|| tokio::time::interval(period))
}

/// See [`tokio::time::interval_at`].
///
/// # Panics
/// With a period of zero.
#[must_use]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    kept(|| tokio::time::interval_at(start, period))
}

/// Somebody else's code, which sets timers by itself, for a thread whose runtime has none: also where it is dropped, which may
/// leave something to be done. As cancel-safe as what it is given. What it opens or spawns there belongs to the runtime that
/// keeps the timers.
pub fn for_others<F: Future>(work: F) -> ForOthers<F> {
    ForOthers(Some(Box::pin(work)))
}

/// See [`for_others`].
pub struct ForOthers<F>(Option<Pin<Box<F>>>);

impl<F: Future> Future for ForOthers<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        kept(|| match &mut self.0 {
            Some(work) => work.as_mut().poll(cx),
            // Only what is being dropped has none.
            None => Poll::Pending,
        })
    }
}

impl<F> Drop for ForOthers<F> {
    fn drop(&mut self) {
        kept(|| self.0 = None);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use tokio::runtime::{Builder, Runtime};

    const SOON: Duration = Duration::from_millis(5);

    fn without_timers() -> Runtime {
        Builder::new_current_thread().enable_io().build().unwrap()
    }

    /// As a connection does that goes back to its pool.
    struct LeavesWork(Option<tokio::sync::oneshot::Sender<()>>);

    impl Drop for LeavesWork {
        fn drop(&mut self) {
            let left = self.0.take().unwrap();
            tokio::spawn(async move {
                tokio::time::sleep(SOON).await;
                left.send(()).unwrap();
            });
        }
    }

    /// On a thread of its own: what keeps its timers is never changed.
    fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> std::thread::Result<T> {
        std::thread::spawn(work).join()
    }

    #[test]
    fn a_thread_without_timers_has_those_of_another_runtime() {
        let keeper = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let handle = keeper.handle().clone();
        let woken = on_a_thread(move || {
            keep_with(handle);
            without_timers().block_on(async {
                let begun = Instant::now();
                sleep(SOON).await;
                sleep_until(Instant::now() + SOON).await;
                assert!(timeout(SOON, std::future::pending::<()>()).await.is_err());
                assert_eq!(timeout(SOON, async { 1 }).await.unwrap(), 1);
                let mut ticks = interval_at(Instant::now() + SOON, SOON);
                ticks.tick().await;
                ticks.tick().await;
                interval(SOON).tick().await;
                for_others(async {
                    tokio::time::sleep(SOON).await;
                    tokio::time::sleep(SOON).await;
                })
                .await;
                let (left, ended) = tokio::sync::oneshot::channel();
                let mut stopped = for_others(async move {
                    let _leaves = LeavesWork(Some(left));
                    std::future::pending::<()>().await;
                });
                assert!(timeout(SOON, &mut stopped).await.is_err());
                drop(stopped);
                ended.await.unwrap();
                begun.elapsed()
            })
        });
        assert!(woken.unwrap() >= SOON * 8);
    }

    #[test]
    fn without_a_keeper_they_are_the_threads_own() {
        let none = on_a_thread(|| without_timers().block_on(async { sleep(SOON).await }));
        assert!(none.is_err(), "it has none");
        let own = Builder::new_current_thread().enable_time().build().unwrap();
        own.block_on(async { sleep(SOON).await });
    }
}
