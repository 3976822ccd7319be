//! From the first byte to a session that is ready: opening packet, login, the server's side.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::handle::Entered;
use super::leg::Leg;
use super::relay::Session;
use super::{Fault, Shared, Who, login};
use crate::model::Effect;
use crate::sql::{Meaning, settings};
use crate::upstream::{self, Connected};
use crate::wire::backend::TransactionStatus;
use crate::wire::startup::{self as packet, MAX_STARTUP_PACKET, Opening, Startup};
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
    let startup = match first_startup(client).await? {
        Some(Opening::Startup(startup)) => startup,
        Some(Opening::Cancel { pid, secret }) => {
            shared.sessions.cancel(pid, &secret).await;
            return Ok(Opened::Nothing);
        }
        _ => return Ok(Opened::Nothing),
    };
    if shared.sessions.len() >= shared.limits.max_connections {
        return Err(Fault::TooManyConnections);
    }
    let database = check(&startup)?;
    negotiate(&startup, client);
    let user = startup.parameter("user").unwrap_or_default();
    let principal = login::authenticate(shared, client, user).await?;
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
    let connected = upstream::connect(target, passed_on(&startup))
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
        let policy = Arc::clone(
            &shared
                .policy
                .read()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        );
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
            outflow: super::outflow::Outflow::default(),
            inflight: super::inflight::Inflight::default(),
            names: super::names::Names::default(),
            portal_executes: Vec::new(),
            portal_names: None,
            cursors: super::cursors::Cursors::default(),
            runs: super::runs::Runs::default(),
            status: TransactionStatus::Idle,
            meaning: meaning_of(&connected.parameters),
            server_said_goodbye: false,
            busy: false,
            client_ended: false,
        };
        (session, entered)
    }
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

/// Reads opening packets until one is more than a question about encryption.
async fn first_startup(client: &mut Leg) -> Result<Option<Opening>, Fault> {
    // PostgreSQL takes each kind of question once.
    for _ in 0..3 {
        let Some(packet) = read_packet(client).await? else {
            return Ok(None);
        };
        let opening = packet::opening(&packet).map_err(|malformed| {
            refused(Report::fatal(sqlstate::PROTOCOL_VIOLATION, malformed.to_string()))
        })?;
        match opening {
            Opening::Ssl | Opening::GssEnc => {
                client.stream.write_all(b"N").await.map_err(Fault::client_io)?;
            }
            other => return Ok(Some(other)),
        }
    }
    Err(Fault::ClientProtocol("unsupported frontend protocol".to_owned()))
}

/// One packet without its length; exactly its bytes are read. `None`: the client went without one.
async fn read_packet(client: &mut Leg) -> Result<Option<Vec<u8>>, Fault> {
    let mut length = [0; 4];
    match client.stream.read_exact(&mut length).await {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(Fault::client_io(error)),
    }
    let length = u32::from_be_bytes(length) as usize;
    if !(8..=MAX_STARTUP_PACKET).contains(&length) {
        return Err(Fault::ClientProtocol(
            "invalid length of startup packet".to_owned(),
        ));
    }
    let mut packet = vec![0; length - 4];
    client
        .stream
        .read_exact(&mut packet)
        .await
        .map_err(Fault::client_io)?;
    Ok(Some(packet))
}

fn refused(report: Report) -> Fault {
    Fault::StartupRefused(Box::new(report))
}

/// Checks what the client asks for, and gives the name of its database.
fn check(startup: &Startup) -> Result<&str, Fault> {
    let Some(user) = startup.parameter("user").filter(|u| !u.is_empty()) else {
        return Err(refused(Report::fatal(
            sqlstate::INVALID_AUTHORIZATION,
            "no PostgreSQL user name specified in startup packet",
        )));
    };
    for (name, value) in &startup.parameters {
        check_parameter(name, value)?;
    }
    // As PostgreSQL: the user's name where no database is named.
    Ok(startup
        .parameter("database")
        .filter(|d| !d.is_empty())
        .unwrap_or(user))
}

fn check_parameter(name: &str, value: &str) -> Result<(), Fault> {
    match name {
        "user" | "database" => Ok(()),
        "replication" if matches!(value, "false" | "off" | "no" | "0") => Ok(()),
        "replication" => Err(refused(
            Report::fatal(
                sqlstate::FEATURE_NOT_SUPPORTED,
                "replication connections are not allowed",
            )
            .detail("A replication stream cannot be reviewed.")
            .hint("Connect replicas and backup tools to the database server directly."),
        )),
        "options" => check_options(value),
        name if name.starts_with("_pq_.") => Ok(()),
        name => check_setting(name, value),
    }
}

/// A setting at startup is what `SET` would be: only what touches this session alone passes.
fn check_setting(name: &str, value: &str) -> Result<(), Fault> {
    let lower = name.to_ascii_lowercase();
    if lower != "client_encoding" && settings::effect_of_assignment(&lower, value) != Effect::Session {
        return Err(refused(
            Report::fatal(
                sqlstate::INSUFFICIENT_PRIVILEGE,
                format!("parameter \"{name}\" cannot be set at connection start"),
            )
            .hint("Connect without it, and SET it in the session, where it can be reviewed."),
        ));
    }
    if lower == "client_encoding" && !settings::encoding_is_safe(value) {
        return Err(refused(
            Report::fatal(
                sqlstate::FEATURE_NOT_SUPPORTED,
                format!(
                    "client_encoding \"{value}\" is not supported: statements in it cannot be judged safely"
                ),
            )
            .hint("Use UTF8."),
        ));
    }
    Ok(())
}

/// `options`: switches as for the server's command line; `-c name=value` and `--name=value` alone are taken.
/// Source: PostgreSQL manual, "Connection Control Functions", `options`; `pg_split_opts` in
/// `src/backend/utils/init/postinit.c`.
fn check_options(options: &str) -> Result<(), Fault> {
    let mut words = split_options(options).into_iter();
    while let Some(word) = words.next() {
        let setting = match word.as_str() {
            "-c" | "--" => words.next(),
            _ => word
                .strip_prefix("--")
                .or_else(|| word.strip_prefix("-c"))
                .map(str::to_owned),
        };
        let pair = setting.as_deref().and_then(|s| s.split_once('='));
        let Some((name, value)) = pair else {
            return Err(refused(
                Report::fatal(
                    sqlstate::INSUFFICIENT_PRIVILEGE,
                    format!("option \"{word}\" cannot be given at connection start"),
                )
                .hint("Only -c name=value and --name=value are taken."),
            ));
        };
        check_setting(&name.replace('-', "_"), value)?;
    }
    Ok(())
}

/// Splits at white space; a backslash takes the next character as it is.
fn split_options(options: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut inside = false;
    let mut characters = options.chars();
    while let Some(c) = characters.next() {
        if c.is_ascii_whitespace() || c == '\u{b}' {
            if std::mem::take(&mut inside) {
                words.push(std::mem::take(&mut word));
            }
            continue;
        }
        inside = true;
        match c {
            '\\' => word.extend(characters.next()),
            c => word.push(c),
        }
    }
    if inside {
        words.push(word);
    }
    words
}

/// What a newer client asks for beyond protocol 3.0 is answered with what is known.
fn negotiate(startup: &Startup, client: &mut Leg) {
    let unknown: Vec<String> = startup
        .parameters
        .iter()
        .map(|(n, _)| n)
        .filter(|n| n.starts_with("_pq_."))
        .cloned()
        .collect();
    if startup.minor > 0 || !unknown.is_empty() {
        let mut out = BytesMut::new();
        reply::negotiate_protocol_version(&unknown, &mut out);
        client.out().extend_from_slice(&out);
    }
}

/// The parameters that go upstream, in their order.
fn passed_on(startup: &Startup) -> Vec<(&str, &str)> {
    startup
        .parameters
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| {
            !matches!(*name, "user" | "database" | "replication") && !name.starts_with("_pq_.")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_split_as_postgresql_splits_them() {
        assert_eq!(split_options("  -c a=b\t--c=d\\ e  "), ["-c", "a=b", "--c=d e"]);
        assert_eq!(split_options(""), [""; 0]);
    }

    #[test]
    fn options_take_settings_of_the_session_alone() {
        for good in [
            "",
            "-c statement_timeout=5s",
            "-cstatement_timeout=5s",
            "--statement-timeout=5s",
        ] {
            assert!(check_options(good).is_ok(), "{good}");
        }
        for bad in [
            "-d 5",
            "-c session_preload_libraries=x",
            "--session-preload-libraries=x",
            "-c role=postgres",
            "-c",
            "-c statement_timeout",
            "-csession_preload_libraries=x",
            "-c client_encoding=SJIS",
            "-S 5",
        ] {
            assert!(check_options(bad).is_err(), "{bad}");
        }
    }
}
