//! The data threads: each a single-threaded runtime on which its sessions live.
//!
//! A session never changes its thread, so its wake-ups cross none. The first worker accepts; each
//! connection goes to the worker with the fewest sessions.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::session::{self, Shared};
use crate::sql::STACK_SIZE;
use crate::timer;

/// After an error such as "too many open files": how long nothing is accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The worker that accepts.
const ACCEPTING: usize = 0;

/// A connection on its way to its worker.
enum Assigned {
    /// It stays with the one that accepted it, whose runtime it is known to.
    Here(TcpStream, SocketAddr),
    /// It goes to another.
    There(std::net::TcpStream, SocketAddr),
}

impl Assigned {
    /// Known to the runtime of this thread.
    fn arrive(self) -> (io::Result<TcpStream>, SocketAddr) {
        match self {
            Self::Here(stream, peer) => (Ok(stream), peer),
            Self::There(stream, peer) => (TcpStream::from_std(stream), peer),
        }
    }
}

/// The running threads.
#[derive(Debug)]
pub(super) struct Workers {
    threads: Vec<JoinHandle<()>>,
    accepting: CancellationToken,
    running: CancellationToken,
}

/// A worker as the accepting one sees it.
#[derive(Clone)]
struct Seat {
    load: Arc<AtomicUsize>,
    assign: mpsc::UnboundedSender<Assigned>,
}

impl Workers {
    /// Starts `count` threads that serve the listeners (non-blocking ones). Their timers are kept by the runtime that this is called
    /// in, which is to end after them.
    pub(super) fn start(shared: &Arc<Shared>, listeners: Vec<TcpListener>, count: usize) -> io::Result<Self> {
        let accepting = CancellationToken::new();
        let running = CancellationToken::new();
        // Where one cannot be started, those that were end.
        let guard = running.clone().drop_guard();
        let (seats, inboxes): (Vec<_>, Vec<_>) = (0..count.max(1))
            .map(|_| {
                let (assign, inbox) = mpsc::unbounded_channel();
                (
                    Seat {
                        load: Arc::default(),
                        assign,
                    },
                    inbox,
                )
            })
            .unzip();
        let mut listeners = Some(listeners);
        let mut threads = Vec::new();
        for (number, inbox) in inboxes.into_iter().enumerate() {
            let worker = Worker {
                shared: Arc::clone(shared),
                load: Arc::clone(&seats[number].load),
                inbox,
                listeners: listeners.take().unwrap_or_default(),
                seats: seats.clone(),
                accepting: accepting.clone(),
                running: running.clone(),
            };
            threads.push(worker.spawn(number)?);
        }
        guard.disarm();
        Ok(Self {
            threads,
            accepting,
            running,
        })
    }

    /// No more connections.
    pub(super) fn stop_accepting(&self) {
        self.accepting.cancel();
    }

    /// Ends the threads; sessions that are left are dropped.
    pub(super) async fn stop(self) {
        self.running.cancel();
        let joined = tokio::task::spawn_blocking(move || {
            for thread in self.threads {
                if thread.join().is_err() {
                    tracing::error!("a data thread had panicked");
                }
            }
        });
        // The joining itself does not fail.
        let _ = joined.await;
    }
}

struct Worker {
    shared: Arc<Shared>,
    load: Arc<AtomicUsize>,
    inbox: mpsc::UnboundedReceiver<Assigned>,
    /// Only the first worker has any.
    listeners: Vec<TcpListener>,
    seats: Vec<Seat>,
    accepting: CancellationToken,
    running: CancellationToken,
}

impl Worker {
    fn spawn(self, number: usize) -> io::Result<JoinHandle<()>> {
        // Without timers: see `timer`.
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let keeper = Handle::current();
        std::thread::Builder::new()
            .name(format!("holdpoint-data-{number}"))
            // Short texts are parsed on this thread; untouched pages cost nothing.
            .stack_size(STACK_SIZE + 1024 * 1024)
            .spawn(move || {
                timer::keep_with(keeper);
                // What the runtime is entered with is polled at each of its turns; this is cheap to poll.
                let work = runtime.spawn(self.work());
                if let Err(error) = runtime.block_on(work) {
                    std::panic::resume_unwind(error.into_panic());
                }
            })
    }

    async fn work(mut self) {
        for listener in std::mem::take(&mut self.listeners) {
            match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => {
                    tokio::spawn(accept(listener, self.seats.clone(), self.accepting.clone()));
                }
                Err(error) => tracing::error!(%error, "cannot accept connections"),
            }
        }
        loop {
            let assigned = tokio::select! {
                biased;
                () = self.running.cancelled() => return,
                Some(assigned) = self.inbox.recv() => assigned,
                else => return,
            };
            let shared = Arc::clone(&self.shared);
            let seat = Taken(Arc::clone(&self.load));
            match assigned.arrive() {
                (Ok(stream), peer) => {
                    tokio::spawn(session::serve(shared, stream, peer, seat));
                }
                (Err(error), peer) => {
                    tracing::warn!(%error, client.addr = %peer, "a connection is lost");
                }
            }
        }
    }
}

/// A place that a session has at its worker, counted when it was assigned.
struct Taken(Arc<AtomicUsize>);

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn accept(listener: tokio::net::TcpListener, seats: Vec<Seat>, accepting: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = accepting.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let places = seats.iter().enumerate();
        let Some((worker, seat)) = places.min_by_key(|(_, seat)| seat.load.load(Ordering::Relaxed)) else {
            return;
        };
        let assigned = accepted.and_then(|(stream, peer)| {
            Ok(if worker == ACCEPTING {
                Assigned::Here(stream, peer)
            } else {
                Assigned::There(stream.into_std()?, peer)
            })
        });
        match assigned {
            Ok(assigned) => {
                seat.load.fetch_add(1, Ordering::Relaxed);
                // A worker that has ended takes nothing more; the connection closes.
                let _ = seat.assign.send(assigned);
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                crate::timer::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
