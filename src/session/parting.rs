//! What is left of a connection once its session is over: the client's last word, and the connection to the server.
//!
//! Imports what `session` does. Invariants:
//! - a connection to the server goes to another session only where nothing of this one is left on it;
//! - definitions that a session was changing when it ended are looked at again once the server is done with that: it
//!   goes on with what it was sent, whoever has gone.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::handle::Counted;
use super::leg::Leg;
use super::relay::Session;
use super::{Fault, fault};
use crate::catalogue::Upkeep;
use crate::upstream::Lease;
use crate::wire::Stream;

/// For how long a server may be busy with definitions that nobody waits for, and the change is still noticed at once. Each
/// costs a connection, which the server has as well; in a pool, it counts.
const BUSY: Duration = Duration::from_hours(24);
/// As much is heard of it, bytes.
const SAID: usize = 64 * 1024;
/// A server that finds its client gone has rolled back after so long.
const ENDS: Duration = Duration::from_secs(5);

/// What is left.
pub(super) struct Parting {
    ended: Result<(), Fault>,
    client: Leg,
    /// The client stands in the middle of a message of the server's: nothing of ours can be said.
    is_amid: bool,
    /// The connection to the server, where another session can go on with it, and whether that finds the read shield up.
    left: Option<(Box<Lease>, Stream, bool)>,
    /// The connection to a server that changes definitions.
    changing: Option<Changing>,
    counted: Counted,
}

impl Parting {
    pub(super) fn of(mut session: Box<Session>, ended: Result<(), Fault>, counted: Counted) -> Self {
        Self {
            left: session.reusable_server(&ended),
            changing: session.changing_server(&ended),
            is_amid: !session.outflow.at_boundary(),
            client: session.client,
            ended,
            counted,
        }
    }

    pub(super) fn without_session(ended: Result<(), Fault>, client: Leg, counted: Counted) -> Self {
        Self {
            ended,
            client,
            is_amid: false,
            left: None,
            changing: None,
            counted,
        }
    }

    /// Tells the client why, if there is something to tell, and gives back what is a pool's.
    pub(super) async fn part(self, peer: SocketAddr) {
        if let Some(changing) = self.changing {
            tokio::spawn(changing.tell_when_done());
        }
        let mut client = self.client;
        match self.ended {
            Err(fault) if self.is_amid => return fault.log(peer),
            Ok(()) if self.is_amid => return,
            Err(fault) => fault::tell(fault, &mut client, peer).await,
            // TLS says that this is the end; a socket need not.
            Ok(()) if client.stream.is_tls() => fault::say_goodbye(&mut client).await,
            Ok(()) => {}
        }
        // The session is over; what follows is between us and the server.
        drop((client, self.counted));
        if let Some((lease, server, read_only)) = self.left {
            lease.give_back(server, read_only).await;
        }
    }
}

/// A connection to a server that may be changing definitions, with nobody there any more.
struct Changing {
    server: Leg,
    /// With it, it counts as long as it is there.
    lease: Option<Box<Lease>>,
    /// Who is to know when it is done.
    upkeep: Arc<Upkeep>,
}

impl Changing {
    /// Reads up to the connection's end, which comes when the server reads on. Where it has more to say than it takes to say
    /// that something is done, the connection is closed: it sees that with what it says next, and goes on no longer.
    async fn tell_when_done(mut self) {
        let done = async {
            // What was not written by now is nobody's any more: the server sees the end in its place.
            let _ = self.server.stream.shutdown().await;
            let mut rest = [0; 4096];
            let mut said = 0;
            while said < SAID {
                match self.server.stream.read(&mut rest).await {
                    Ok(0) | Err(_) => return true,
                    Ok(n) => said += n,
                }
            }
            false
        };
        let is_done = crate::timer::timeout(BUSY, done).await.unwrap_or(false);
        drop((self.server, self.lease));
        if !is_done {
            crate::timer::sleep(ENDS).await;
        }
        self.upkeep.outdated();
    }
}

impl Session {
    /// The connection to the server, where another session can go on with it.
    fn reusable_server(&mut self, ended: &Result<(), Fault>) -> Option<(Box<Lease>, Stream, bool)> {
        let is_over = matches!(ended, Ok(()) | Err(Fault::ClientGone)) && !self.is_closing();
        if !is_over || !self.is_reusable() {
            return None;
        }
        let mut lease = self.lease.take()?;
        lease.keep_default_path(self.outlook.default_path());
        let server = std::mem::replace(&mut self.server.stream, Stream::Closed);
        // Who comes next most likely begins as this one has ended.
        Some((lease, server, self.shield.is_up_by_default()))
    }

    /// The connection to the server, where it may be changing definitions.
    fn changing_server(&mut self, ended: &Result<(), Fault>) -> Option<Changing> {
        if !self.busy || matches!(ended, Err(Fault::ServerGone)) {
            return None;
        }
        let upkeep = self.outlook.awaits_change()?;
        let server = std::mem::replace(&mut self.server.stream, Stream::Closed);
        Some(Changing {
            server: Leg::new(server),
            lease: self.lease.take(),
            upkeep,
        })
    }
}
