//! A client's session: startup, gate, hold, relay, to its end.
//!
//! Imports `wire`, `tls`, `store` (its errors), `audit`, `sql`, `policy`, `approval`, `identity`, `upstream`, `catalogue`, `model`. Invariants:
//! - one task serves both directions of a session, and all its state is in `relay::Session`;
//! - client bytes go upstream only through a permit (`approval::Permit`);
//! - what a client may see of a fault goes through [`Fault::report`] alone.

mod access;
mod audited;
mod cursors;
mod edit;
mod encryption;
mod fault;
mod gate;
mod handle;
mod hold;
mod inflight;
mod inquiry;
mod intake;
mod judging;
mod lately;
mod leg;
mod limited;
mod login;
mod names;
mod notices;
mod observe;
mod outflow;
mod outlook;
mod own;
mod parting;
mod passed;
mod policy;
mod recent;
mod relay;
mod review;
mod runs;
mod seats;
mod shield;
mod startup;
mod values;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::TcpStream;

use crate::approval::{Broker, Observer};
use crate::audit::AuditLog;
use crate::identity::Directory;
use crate::model::{Clock, CoarseClock, Principal, RequestId};
use crate::policy::{Policy, PolicyInForce, Subject};
use crate::sql::Judge;
use crate::wire::Stream;

pub use access::{Database, Login, Member, Roles};
pub use encryption::{CertificateRules, ClientTls, Proof};
pub(crate) use fault::Fault;
use handle::Counted;
pub use handle::Sessions;
use leg::Leg;
use parting::Parting;
use relay::Session;
pub use seats::Seats;
use startup::{Held, Opened};

/// What every session shares.
pub struct Shared {
    /// Judges texts.
    pub judge: Judge,
    /// The policy that new statements are decided by.
    pub policy: Arc<PolicyInForce>,
    /// Holds statements.
    pub broker: Broker,
    /// Counts what is let pass and observed.
    pub observer: Observer,
    /// Records what passes, where that is asked for.
    pub audit: Option<AuditLog>,
    /// Knows users.
    pub directory: Arc<Directory>,
    /// TLS for clients, where there is a certificate.
    pub tls: Option<ClientTls>,
    /// The databases that clients can name.
    pub databases: BTreeMap<String, Database>,
    /// The sessions there are.
    pub sessions: Arc<Sessions>,
    /// Places for them.
    pub seats: Arc<Seats>,
    /// Timing of holds.
    pub hold: HoldTiming,
    /// Bounds of a session.
    pub limits: Limits,
    /// The console's address as people reach it, without a slash at its end.
    pub public_url: String,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The time, coarsely, for every statement.
    pub ticks: Arc<CoarseClock>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    fn url_of(&self, id: RequestId) -> String {
        format!("{}/requests/{id}", self.public_url)
    }
}

/// Timing of holds.
#[derive(Debug, Clone, Copy)]
pub struct HoldTiming {
    /// How long a statement waits where its rule says nothing.
    pub timeout: Duration,
    /// How often the requester is reminded.
    pub notice_interval: Duration,
}

/// Bounds of a session.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of the largest message that is gathered to be judged.
    pub max_message: usize,
    /// Bytes of the client's that are buffered behind a held statement.
    pub hold_buffer: usize,
    /// From connecting to the end of the login.
    pub login_timeout: Duration,
    /// Sessions at a time.
    pub max_connections: usize,
}

/// Who a session belongs to.
#[derive(Debug, Clone)]
struct Who {
    principal: Arc<Principal>,
    /// The name of `[databases.NAME]`.
    database: String,
    application_name: String,
    client_addr: String,
    /// The address in it.
    client_ip: IpAddr,
}

impl Who {
    /// Who asks, as policy sees it; the time is read only if that is needed.
    fn subject(&self, policy: &Policy, clock: &dyn Clock) -> Subject<'_> {
        Subject {
            application_name: &self.application_name,
            client: Some(self.client_ip),
            at: if policy.asks_time() {
                clock.now()
            } else {
                Timestamp::UNIX_EPOCH
            },
            ..Subject::new(&self.database, &self.principal.name, &self.principal.groups)
        }
    }
}

/// Connections beyond `max_connections` that may be logging in, or bring a cancel request.
const LOGINS: usize = 100;

/// Serves one connection to its end, with what is to be dropped there. Never fails: what goes wrong is told to the client and
/// logged. To be dropped only when the process ends: a held statement is then withdrawn.
pub fn serve(
    shared: Arc<Shared>,
    stream: TcpStream,
    peer: SocketAddr,
    seat: impl Send,
) -> impl Future<Output = ()> + Send {
    // What it takes to log in and to part, a session need not carry along: nor what the first step was given.
    let opening = Box::pin(open(shared, stream, peer));
    async move {
        let _seat = seat;
        let (mut session, held, counted) = match opening.await {
            Ok(ready) => ready,
            Err(parting) => return Box::pin(parting.part(peer)).await,
        };
        let ended = relay_to_its_end(&mut session).await;
        drop(held);
        Box::pin(Parting::of(session, ended, counted).part(peer)).await;
    }
}

/// A session that begins.
type Ready = (Box<Session>, Held, Counted);

/// Opens a session, or says how the connection ends without one.
async fn open(shared: Arc<Shared>, stream: TcpStream, peer: SocketAddr) -> Result<Ready, Box<Parting>> {
    let (counted, connections) = shared.sessions.count();
    let mut client = Leg::new(Stream::accepted(stream));
    match log_in(&shared, &mut client, peer, connections).await {
        Ok(Opened::Session(login)) => {
            let (session, held) = login.into_session(&shared, client);
            Ok((session, held, counted))
        }
        opened => Err(Box::new(Parting::without_session(
            opened.map(drop),
            client,
            counted,
        ))),
    }
}

/// Logs a client in, within bounds.
async fn log_in(
    shared: &Arc<Shared>,
    client: &mut Leg,
    peer: SocketAddr,
    connections: usize,
) -> Result<Opened, Fault> {
    if connections > shared.limits.max_connections + LOGINS {
        return Err(Fault::TooManyConnections);
    }
    let opening = startup::open(shared, client, peer);
    let opened = crate::timer::timeout(shared.limits.login_timeout, opening).await;
    match opened.unwrap_or(Err(Fault::LoginTimeout))? {
        Opened::Cancel { pid, secret } => {
            shared.sessions.cancel(pid, &secret).await;
            Ok(Opened::Nothing)
        }
        opened => Ok(opened),
    }
}

async fn relay_to_its_end(session: &mut Session) -> Result<(), Fault> {
    std::future::poll_fn(|cx| {
        session.handle.register(cx.waker());
        Poll::Ready(())
    })
    .await;
    session.raise_ahead(false);
    let ended = session.run().await;
    if let Err(Fault::ReviewOver { .. }) = ended {
        // The server rolls back once its connection is closed: that waits for no client.
        Box::pin(session.cut_off()).await;
        return ended;
    }
    session
        .intake
        .forget_approval_at_the_end("the session ended before it was forwarded; it did not run");
    if let Err(Fault::ClientStalled) = ended {
        // Nor does this: it takes nothing.
        return ended;
    }
    // What the server said before it closed is the client's.
    let drained = std::future::poll_fn(|cx| session.client.poll_drain(cx));
    let _ = Box::pin(crate::timer::timeout(Duration::from_secs(5), drained)).await;
    match ended {
        Err(Fault::ServerGone) if session.handle.is_expelled() => Err(session.told_to_end()),
        // It said why, or was asked to.
        Err(Fault::ServerGone) if session.goodbye.is_some() || session.is_closing() => Ok(()),
        ended => ended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_future<F>(_: impl Fn(Arc<Shared>, TcpStream, SocketAddr, Box<()>) -> F) -> usize {
        size_of::<F>()
    }

    /// Each of ten thousand idle clients has one of these.
    #[test]
    fn a_session_is_small() {
        assert!(size_of::<Session>() <= 1632, "{}", size_of::<Session>());
        let whole = size_of_future(serve);
        assert!(whole <= 352, "{whole}");
    }
}
