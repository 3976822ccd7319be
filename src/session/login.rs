//! The client's login, against the users that holdpoint keeps.

mod scram;

use std::future::poll_fn;
use std::sync::Arc;

use tokio::io::AsyncReadExt as _;

use super::encryption::Encryption;
use super::leg::Leg;
use super::{Fault, Shared};
use crate::model::Principal;
use crate::wire::frame::HEADER;
use crate::wire::{Header, reply};

/// Bytes of the largest message before the login's end (`PG_MAX_SASL_MESSAGE_LENGTH`, and its frame).
const MAX_MESSAGE: usize = 2048;

/// Logs a user in, up to AuthenticationOk. `is_certified`: the client's certificate has shown who it is, and no
/// password is asked for.
pub(super) async fn authenticate(
    shared: &Arc<Shared>,
    client: &mut Leg,
    user: &str,
    encryption: Option<&Encryption>,
    is_certified: bool,
) -> Result<Principal, Fault> {
    let credentials = shared.directory.credentials(user).await.map_err(Fault::Store)?;
    let principal = if is_certified {
        credentials
            .principal
            .ok_or_else(|| certified_stranger(user, encryption))?
    } else {
        scram::authenticate(client, user, credentials, encryption).await?
    };
    reply::authentication_ok(client.out());
    Ok(principal)
}

/// A certificate names somebody who is no user, or is disabled.
fn certified_stranger(user: &str, encryption: Option<&Encryption>) -> Fault {
    let subject = encryption.and_then(|encryption| encryption.client.as_ref());
    Fault::CertificateRefused {
        user: user.to_owned(),
        subject: subject.map(|subject| subject.name.clone()).unwrap_or_default(),
        reason: "no such user, or disabled".to_owned(),
    }
}

/// The client hears that the password was wrong; `reason` is for the log.
fn refused(user: &str, reason: &'static str) -> Fault {
    Fault::LoginRefused {
        user: user.to_owned(),
        reason,
    }
}

/// Sends what waits and reads the body of the `p` message that answers it; `what` names it as PostgreSQL
/// does ("SASL response", "password response").
async fn ask(client: &mut Leg, what: &str) -> Result<Vec<u8>, Fault> {
    poll_fn(|cx| client.poll_drain(cx))
        .await
        .map_err(Fault::client_io)?;
    let mut head = [0; HEADER];
    client
        .stream
        .read_exact(&mut head)
        .await
        .map_err(Fault::client_io)?;
    match Header::peek(&head).map_err(Fault::client_framing)? {
        Some(Header { tag: b'p', body }) if body <= MAX_MESSAGE => {
            let mut message = vec![0; body];
            client
                .stream
                .read_exact(&mut message)
                .await
                .map_err(Fault::client_io)?;
            Ok(message)
        }
        Some(Header { tag: b'X', .. }) => Err(Fault::ClientGone),
        Some(Header { tag: b'p', .. }) => Err(Fault::ClientProtocol("invalid message length".to_owned())),
        _ => Err(Fault::ClientProtocol(format!(
            "expected {what}, got another message"
        ))),
    }
}
