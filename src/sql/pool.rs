//! A few threads with large stacks, for texts that are too long to be parsed where they arrive.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::STACK_SIZE;

/// Jobs that wait for a thread; who brings another waits.
const QUEUE: usize = 64;

type Job = Box<dyn FnOnce() + Send>;

/// The threads; they end when the last of its clones is dropped.
#[derive(Clone)]
pub(super) struct Pool {
    jobs: Sender<Job>,
}

impl Pool {
    /// That many threads, at least one. Threads that the system refuses are missing, with an
    /// error in the log; with none left, [`Self::run`] gives `None`.
    pub(super) fn new(threads: usize) -> Self {
        let (jobs, queue) = channel(QUEUE);
        let queue = Arc::new(Mutex::new(queue));
        for number in 0..threads.max(1) {
            let queue = Arc::clone(&queue);
            let started = thread::Builder::new()
                .name(format!("parse-{number}"))
                .stack_size(STACK_SIZE)
                .spawn(move || work(&queue));
            if let Err(error) = started {
                tracing::error!(%error, "a parse thread could not be started");
            }
        }
        Self { jobs }
    }

    /// Runs `job` on one of the threads, after those that wait. `None` if there is no thread or
    /// the job panicked. Cancel-safe: a job that was queued runs all the same.
    pub(super) async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (done, result) = tokio::sync::oneshot::channel();
        let job = Box::new(move || {
            // Nobody waits any more: the job's own effects are all that is left of it.
            let _ = done.send(job());
        });
        self.jobs.send(job).await.ok()?;
        result.await.ok()
    }
}

fn work(queue: &Mutex<Receiver<Job>>) {
    loop {
        // One idle thread waits in the channel, the others here.
        let job = queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .blocking_recv();
        let Some(job) = job else {
            return;
        };
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            tracing::error!("a job of a parse thread panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_takes_no_thread_with_it() {
        let pool = Pool::new(1);
        for _ in 0..3 {
            assert_eq!(pool.run(|| panic!("on purpose")).await, None::<()>);
        }
        assert_eq!(pool.run(|| 7).await, Some(7));
    }

    #[tokio::test]
    async fn more_jobs_than_the_queue_holds_are_all_done() {
        let pool = Pool::new(2);
        let jobs: Vec<_> = (0..4 * QUEUE)
            .map(|n| {
                let pool = pool.clone();
                tokio::spawn(async move { pool.run(move || n).await })
            })
            .collect();
        for (n, job) in jobs.into_iter().enumerate() {
            assert_eq!(job.await.ok().flatten(), Some(n));
        }
    }
}
