//! From the first byte to a session that is ready: opening packet, login, the server's side.

mod negotiation;
mod opening;
mod parameters;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::access::{self, Login, Roles};
use super::encryption::Encryption;
use super::handle::Entered;
use super::leg::Leg;
use super::outlook::{Begins, Moved, Outlook};
use super::policy::Terms;
use super::relay::{self, Session};
use super::seats::{NoSeat, Seat};
use super::shield::Shield;
use super::{Fault, Shared, Who, login, observe};
use crate::identity::Standing;
use crate::model::Principal;
use crate::policy::{Policy, Subject};
use crate::sql::{Meaning, settings};
use crate::upstream::{self, Beginning, Connected, Lease, Target};
use crate::wire::backend::TransactionStatus;
use crate::wire::startup::{Opening, Startup};
use crate::wire::{Report, reply, sqlstate};
use negotiation::Spoken;

/// What came of an opening.
#[derive(Debug)]
pub(super) enum Opened {
    /// It was no session: a client that asked and went.
    Nothing,
    /// A cancel request. What it takes to carry it out counts for no login: dropped half way, it could still arrive.
    Cancel { pid: i32, secret: Vec<u8> },
    /// A session.
    Session(Box<LoggedIn>),
}

/// A client that is logged in, with its connection to the server.
#[derive(Debug)]
pub(super) struct LoggedIn {
    who: Who,
    policy: Arc<Policy>,
    policy_version: u64,
    outlook: Outlook,
    /// Whether what passes as a read is to be shielded.
    is_shielded: bool,
    observe: bool,
    own: super::own::OwnSettings,
    connected: Connected,
    held: Held,
}

/// What a session has while it lasts: its entry in the list of sessions, and its place.
#[derive(Debug)]
pub(super) struct Held {
    entered: Entered,
    _seat: Seat,
}

/// Whether it is known with which search path the connection began: one that has waited may have begun with another
/// than connections begin with now.
fn knows_its_path(connected: &Connected) -> bool {
    let lease = connected.lease.as_ref();
    lease.is_none_or(|lease| lease.is_fresh() || lease.default_path().is_some())
}

fn note_moved(moved: Moved, who: &Who) {
    if moved.path {
        tracing::info!(client.addr = %who.client_addr, user.name = %who.principal.name, database.name = %who.database,
            "a session begins with a search_path, or a role, of its own");
    }
}

/// Opens a session. The caller bounds the time.
pub(super) async fn open(shared: &Arc<Shared>, client: &mut Leg, peer: SocketAddr) -> Result<Opened, Fault> {
    let came = Instant::now();
    let Some(first) = opening::first_startup(client, shared.tls.as_ref()).await? else {
        return Ok(Opened::Nothing);
    };
    let startup = match first.opening {
        Opening::Startup(startup) => startup,
        Opening::Cancel { pid, secret } => return Ok(Opened::Cancel { pid, secret }),
        Opening::Unsupported { major, minor } => {
            negotiation::refuse(major, minor, client).await?;
            return Ok(Opened::Nothing);
        }
        Opening::Ssl | Opening::GssEnc => return Ok(Opened::Nothing),
    };
    let encryption = first.encryption.as_ref();
    if shared.seats.are_full() {
        return Err(Fault::TooManyConnections);
    }
    let spoken = negotiation::negotiate(&startup, client);
    let database = parameters::check(&startup)?;
    let user = startup.parameter("user").unwrap_or_default();
    let is_certified = look_at_encryption(shared, encryption, peer, (user, database))?;
    let (policy, policy_version) = shared.policy.in_force();
    let asked = Asked {
        database,
        user,
        spoken,
        encryption,
        is_certified,
        policy,
        policy_version,
        peer,
        observe: shared.databases.get(database).is_some_and(|d| d.observe),
        startup: &startup,
    };
    let database = shared
        .databases
        .get(asked.database)
        .or_else(|| access::stand_in(&shared.databases))
        .ok_or_else(|| no_such_database(asked.database))?;
    // Before it connects: what changes from now on, it may have begun with or not.
    let paths = database.catalogue.as_ref().map_or(0, |kept| kept.paths());
    let (principal, connected, seat) = match &database.login {
        Login::Proxy(roles) => asked.come_in(shared, client, roles).await?,
        Login::Passthrough(target) => asked.pass_through(shared, client, target).await?,
    };
    let who = asked.who(principal);
    let moved = parameters::moved(&startup);
    let terms = Terms::of(database, asked.observe, &asked.policy, &who, &*shared.clock);
    let has_default_path =
        !moved.path && knows_its_path(&connected) && database.acts_by_default(asked.database, &who.principal);
    note_moved(moved, &who);
    if asked.observe {
        observe::note_settings(shared, &who, &asked.policy, parameters::decided_on(&startup));
    }
    let entered = shared
        .sessions
        .enter(connected.cancel_key.clone(), spoken.secret_length());
    entered.handle.belongs_to(&who.principal, came);
    Ok(Opened::Session(Box::new(LoggedIn {
        who,
        policy: asked.policy,
        policy_version: asked.policy_version,
        outlook: Outlook::new(
            terms.catalogue,
            &Begins {
                has_default_path,
                moved,
                default_path: connected.lease.as_ref().and_then(|lease| lease.default_path()),
                paths,
            },
        ),
        is_shielded: terms.is_shielded,
        observe: asked.observe,
        own: parameters::own(&startup).unwrap_or_default(),
        connected,
        held: Held { entered, _seat: seat },
    })))
}

/// What a client asks for.
#[derive(Debug)]
struct Asked<'s> {
    database: &'s str,
    user: &'s str,
    /// The protocol that is spoken with it.
    spoken: Spoken,
    /// How its connection is encrypted.
    encryption: Option<&'s Encryption>,
    /// Its certificate has shown who it is: holdpoint asks for no password. (A server asks for what it wants.)
    is_certified: bool,
    startup: &'s Startup,
    /// The policy in force.
    policy: Arc<Policy>,
    /// Which one that is.
    policy_version: u64,
    peer: SocketAddr,
    /// The database is observed: nothing is refused for what policy says.
    observe: bool,
}

impl Asked<'_> {
    fn who(&self, principal: Arc<Principal>) -> Who {
        Who {
            principal,
            database: self.database.to_owned(),
            application_name: self
                .startup
                .parameter("application_name")
                .unwrap_or_default()
                .to_owned(),
            client_addr: self.peer.to_string(),
            client_ip: self.peer.ip().to_canonical(),
        }
    }
}

/// A session's owner, its connection to the server, and its place.
type CameIn = (Arc<Principal>, Connected, Seat);

impl Asked<'_> {
    /// A user of holdpoint's, with a role of holdpoint's on the server.
    async fn come_in(&self, shared: &Arc<Shared>, client: &mut Leg, roles: &Roles) -> Result<CameIn, Fault> {
        let principal =
            login::authenticate(shared, client, self.user, self.encryption, self.is_certified).await?;
        let seat = self.admit(shared, &principal)?;
        let target = access::target_of(roles, self.database, &principal).map_err(refused)?;
        self.judge(shared, &principal).map_err(refused)?;
        let minor = self.spoken.upstream_minor();
        let parameters = parameters::passed_on(self.startup);
        let pool = shared
            .databases
            .get(self.database)
            .and_then(|database| database.pools.get(&target.user));
        let connected = match pool {
            None => upstream::connect(target, minor, parameters).await,
            Some(pool) => pool.take(beginning(&principal, minor, &parameters)).await,
        };
        Ok((principal, connected.map_err(Fault::upstream)?, seat))
    }

    /// A role of the server's, which asks for its credentials itself. What holdpoint refuses it refuses once
    /// the server is content: strangers learn nothing. Until then the server hears nothing of the settings
    /// that are refused.
    async fn pass_through(
        &self,
        shared: &Arc<Shared>,
        client: &mut Leg,
        target: &Arc<Target>,
    ) -> Result<CameIn, Fault> {
        let admitted = match shared.directory.standing(self.user).await.map_err(Fault::Store)? {
            _ if self.user.len() > MAX_ROLE_NAME => Err(long_name(self.user)),
            Standing::Disabled => Err(disabled(self.user)),
            Standing::User(principal) | Standing::Stranger(principal) => {
                self.judge(shared, &principal).map(|()| principal)
            }
        };
        let given = if admitted.is_ok() && shared.databases.contains_key(self.database) {
            parameters::passed_on(self.startup)
        } else {
            Vec::new()
        };
        let mut server = upstream::connect_as(target, self.user, self.spoken.upstream_minor(), given)
            .await
            .map_err(Fault::upstream)?;
        login::passthrough::relay(client, &mut server, self.user).await?;
        let principal = Arc::new(admitted.map_err(refused)?);
        let seat = self.admit(shared, &principal)?;
        let connected = server.greet().await.map_err(Fault::passed_through)?;
        Ok((principal, connected, seat))
    }

    /// After the login, so that strangers do not learn which databases there are, nor who may what.
    fn admit(&self, shared: &Shared, principal: &Principal) -> Result<Seat, Fault> {
        shared
            .databases
            .get(self.database)
            .ok_or_else(|| no_such_database(self.database))?
            .admit(self.database, principal)
            .map_err(refused)?;
        shared.seats.take(&principal.name).map_err(|none| match none {
            NoSeat::InAll => Fault::TooManyConnections,
            NoSeat::ForUser => Fault::TooManyForUser {
                user: principal.name.clone(),
            },
        })
    }

    fn judge(&self, shared: &Shared, principal: &Principal) -> Result<(), Report> {
        if self.observe {
            return Ok(());
        }
        let subject = Subject {
            application_name: self.startup.parameter("application_name").unwrap_or_default(),
            client: Some(self.peer.ip().to_canonical()),
            at: shared.clock.now(),
            ..Subject::new(self.database, &principal.name, &principal.groups)
        };
        parameters::judge(self.startup, &self.policy, &subject)
    }
}

/// What a connection must have begun with that goes on with this session.
fn beginning(principal: &Principal, minor: u16, parameters: &[(&str, &str)]) -> Beginning {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Beginning {
        user: principal.name.clone(),
        minor,
        parameters: parameters.iter().map(owned).collect(),
    }
}

/// The longest name of a role, in bytes (`NAMEDATALEN` - 1). The server cuts a longer one off
/// (`ProcessStartupPacket` in `src/backend/tcop/backend_startup.c`), and would then take it for another.
const MAX_ROLE_NAME: usize = 63;

fn long_name(user: &str) -> Report {
    Report::fatal(
        sqlstate::INVALID_AUTHORIZATION,
        format!("role \"{user}\" does not exist"),
    )
    .detail("The name is longer than that of a role can be.")
}

fn disabled(user: &str) -> Report {
    Report::fatal(
        sqlstate::INVALID_AUTHORIZATION,
        format!("user \"{user}\" is disabled in holdpoint"),
    )
    .hint("Ask the operator of holdpoint.")
}

fn no_such_database(database: &str) -> Fault {
    refused(
        Report::fatal(
            sqlstate::INVALID_CATALOG_NAME,
            format!("database \"{database}\" does not exist"),
        )
        .hint("holdpoint knows databases by the NAME of [databases.NAME] in its configuration."),
    )
}

/// Room for BackendKeyData, with the longest secret there is, and ReadyForQuery, bytes.
const SAID_AFTER_GREETING: usize = 64;

impl LoggedIn {
    /// The session, ready for its first statement: what the server greeted with goes to the client, the
    /// server's cancel key replaced by one of our own. Boxed, and given back with that.
    pub(super) fn into_session(
        self: Box<Self>,
        shared: &Arc<Shared>,
        mut client: Leg,
    ) -> (Box<Session>, Held) {
        let Self {
            who,
            policy,
            policy_version,
            outlook,
            is_shielded,
            observe,
            own,
            connected,
            held,
        } = *self;
        let entered = &held.entered;
        let (meaning, is_utf8, read_only) = reported(&connected);
        let name = format!("_holdpoint_{:016x}", rand::random::<u64>());
        let is_up = connected.lease.as_ref().is_some_and(Lease::is_read_only);
        let shield = Shield::new(is_shielded, read_only, is_up, name.into());
        client
            .out()
            .reserve(connected.greeting.len() + SAID_AFTER_GREETING);
        client.out().extend_from_slice(&connected.greeting);
        reply::backend_key_data(entered.handle.pid, &entered.handle.secret, client.out());
        reply::ready_for_query(connected.status, client.out());
        tracing::debug!(user.name = %who.principal.name, database.name = %who.database,
            client.addr = %who.client_addr, "session begins");
        let session = Box::new(Session {
            shared: Arc::clone(shared),
            passed: super::passed::Passed::new(policy.asks_time()),
            lately: super::lately::Lately::default(),
            policy,
            policy_version,
            observe,
            limits: shared.limits,
            who,
            handle: Arc::clone(&entered.handle),
            client,
            server: Leg::new(connected.stream),
            lease: connected.lease.map(Box::new),
            intake: super::intake::Intake::default(),
            pause: super::intake::Pause::default(),
            outflow: super::outflow::Outflow::default(),
            inflight: super::inflight::Inflight::default(),
            names: super::names::Names::default(),
            portal_executes: Vec::new(),
            portal_names: None,
            named_portal_names: Vec::new(),
            unnamed: super::gate::BoundInTransaction::default(),
            cursors: super::cursors::Cursors::default(),
            runs: super::runs::Runs::default(),
            unused: Vec::new(),
            own,
            review: None,
            recent: super::recent::Recent::default(),
            asker: None,
            commit_portals: super::review::CommitPortals::default(),
            heard: None,
            status: TransactionStatus::Idle,
            meaning,
            was_unsafe: !meaning.encoding_is_safe,
            is_utf8,
            outlook,
            shield,
            portals: std::collections::HashMap::new(),
            transaction_since: None,
            goodbye: None,
            busy: false,
            client_ended: false,
        });
        (session, held)
    }
}

/// What texts mean under the settings that the server has reported, whether they are UTF-8, and the value of
/// `default_transaction_read_only`.
fn reported(connected: &Connected) -> (Meaning, bool, Option<&str>) {
    let [strings, encoding, read_only] = connected.reported([
        "standard_conforming_strings",
        "client_encoding",
        "default_transaction_read_only",
    ]);
    let meaning = Meaning {
        standard_conforming_strings: strings == Some("on"),
        encoding_is_safe: encoding.is_some_and(settings::encoding_is_safe),
    };
    (meaning, encoding == Some(relay::UTF8), read_only)
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
