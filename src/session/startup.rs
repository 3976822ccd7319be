//! From the first byte to a session that is ready: opening packet, login, the server's side.

mod negotiation;
mod opening;
mod parameters;

use std::net::SocketAddr;
use std::sync::Arc;

use super::encryption::Encryption;
use super::handle::Entered;
use super::leg::Leg;
use super::relay::Session;
use super::{Fault, Shared, Who, login};
use crate::policy::{Policy, Subject};
use crate::sql::{Meaning, settings};
use crate::upstream::{self, Connected};
use crate::wire::backend::TransactionStatus;
use crate::wire::startup::Opening;
use crate::wire::{Report, reply, sqlstate};

/// What came of an opening.
#[derive(Debug)]
pub(super) enum Opened {
    /// It was no session: a cancel request, or a client that asked and went.
    Nothing,
    /// A session.
    Session(Box<LoggedIn>),
}

/// A client that is logged in, with its connection to the server.
#[derive(Debug)]
pub(super) struct LoggedIn {
    who: Who,
    connected: Connected,
    entered: Entered,
}

/// Opens a session. The caller bounds the time.
pub(super) async fn open(shared: &Arc<Shared>, client: &mut Leg, peer: SocketAddr) -> Result<Opened, Fault> {
    let Some(first) = opening::first_startup(client, shared.tls.as_ref()).await? else {
        return Ok(Opened::Nothing);
    };
    let startup = match first.opening {
        Opening::Startup(startup) => startup,
        Opening::Cancel { pid, secret } => {
            shared.sessions.cancel(pid, &secret).await;
            return Ok(Opened::Nothing);
        }
        Opening::Ssl | Opening::GssEnc => return Ok(Opened::Nothing),
    };
    let encryption = first.encryption.as_ref();
    if shared.sessions.len() >= shared.limits.max_connections {
        return Err(Fault::TooManyConnections);
    }
    let asked = parameters::check(&startup)?;
    let database = asked.database;
    negotiation::negotiate(&startup, client);
    let user = startup.parameter("user").unwrap_or_default();
    let is_certified = look_at_encryption(shared, encryption, peer, (user, database))?;
    let principal = login::authenticate(shared, client, user, encryption, is_certified).await?;
    // After the login, so that strangers do not learn which databases there are.
    let target = shared.databases.get(database).ok_or_else(|| {
        refused(
            Report::fatal(
                sqlstate::INVALID_CATALOG_NAME,
                format!("database \"{database}\" does not exist"),
            )
            .hint("holdpoint knows databases by the NAME of [databases.NAME] in its configuration."),
        )
    })?;
    let subject = Subject {
        database,
        user: &principal.name,
        groups: &principal.groups,
    };
    asked.decide(&policy_of(shared), &subject)?;
    let connected = upstream::connect(target, parameters::passed_on(&startup))
        .await
        .map_err(Fault::Upstream)?;
    let who = Who {
        principal,
        database: database.to_owned(),
        application_name: startup
            .parameter("application_name")
            .unwrap_or_default()
            .to_owned(),
        client_addr: peer.to_string(),
    };
    let entered = shared.sessions.enter(connected.cancel_key.clone());
    Ok(Opened::Session(Box::new(LoggedIn {
        who,
        connected,
        entered,
    })))
}

impl LoggedIn {
    /// The session, ready for its first statement: what the server greeted with goes to the client, the
    /// server's cancel key replaced by one of our own.
    pub(super) fn into_session(self, shared: &Arc<Shared>, mut client: Leg) -> (Session, Entered) {
        let Self {
            who,
            connected,
            entered,
        } = self;
        let policy = policy_of(shared);
        client.out().extend_from_slice(&connected.greeting);
        reply::backend_key_data(entered.handle.pid, entered.handle.secret, client.out());
        reply::ready_for_query(connected.status, client.out());
        tracing::debug!(user.name = %who.principal.name, database.name = %who.database,
            client.addr = %who.client_addr, "session begins");
        let session = Session {
            shared: Arc::clone(shared),
            policy,
            limits: shared.limits,
            who,
            handle: Arc::clone(&entered.handle),
            client,
            server: Leg::new(connected.stream),
            intake: super::intake::Intake::default(),
            pause: super::intake::Pause::default(),
            outflow: super::outflow::Outflow::default(),
            inflight: super::inflight::Inflight::default(),
            names: super::names::Names::default(),
            portal_executes: Vec::new(),
            portal_names: None,
            cursors: super::cursors::Cursors::default(),
            runs: super::runs::Runs::default(),
            status: TransactionStatus::Idle,
            meaning: meaning_of(&connected.parameters),
            transaction_since: None,
            goodbye: None,
            busy: false,
            client_ended: false,
        };
        (session, entered)
    }
}

/// The policy in force now.
fn policy_of(shared: &Shared) -> Arc<Policy> {
    let policy = shared.policy.read();
    Arc::clone(&policy.unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// What texts mean under the settings that the server has reported.
fn meaning_of(parameters: &[(String, String)]) -> Meaning {
    let reported = |name: &str| {
        parameters
            .iter()
            .rfind(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    };
    Meaning {
        standard_conforming_strings: reported("standard_conforming_strings") == Some("on"),
        encoding_is_safe: reported("client_encoding").is_some_and(settings::encoding_is_safe),
    }
}

/// What must be so before any way of logging in: TLS, and a certificate, where they are required. Gives whether
/// the client's certificate stands in place of a password.
fn look_at_encryption(
    shared: &Shared,
    encryption: Option<&Encryption>,
    peer: SocketAddr,
    (user, database): (&str, &str),
) -> Result<bool, Fault> {
    let Some(tls) = &shared.tls else {
        return Ok(false);
    };
    if tls.required && encryption.is_none() {
        return Err(refused(unencrypted(peer, user, database)));
    }
    tls.certificates.check(encryption, user)
}

/// As `pg_hba.conf` with nothing but `hostssl` lines would have it.
fn unencrypted(peer: SocketAddr, user: &str, database: &str) -> Report {
    Report::fatal(
        sqlstate::INVALID_AUTHORIZATION,
        format!(
            "no access for host \"{}\", user \"{user}\", database \"{database}\", no encryption",
            peer.ip()
        ),
    )
    .hint("holdpoint takes connections with TLS only: connect with sslmode=require, or a stricter one.")
}

fn refused(report: Report) -> Fault {
    Fault::StartupRefused(Box::new(report))
}
