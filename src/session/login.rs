//! The client's login, against the users that holdpoint keeps; in `passthrough`, to the server itself.

pub(super) mod passthrough;
mod scram;

use std::future::poll_fn;
use std::sync::Arc;

use super::encryption::Encryption;
use super::leg::Leg;
use super::{Fault, Shared};
use crate::model::Principal;
use crate::wire::frame::HEADER;
use crate::wire::{FrameReader, ReadError, reply};

/// The largest message of an exchange, its length included (`PG_MAX_SASL_MESSAGE_LENGTH` in
/// `src/include/libpq/sasl.h`).
const MAX_SASL_MESSAGE: usize = 1024;

/// Logs a user in, up to AuthenticationOk. `is_certified`: the client's certificate has shown who it is, and no
/// password is asked for.
pub(super) async fn authenticate(
    shared: &Arc<Shared>,
    client: &mut Leg,
    user: &str,
    encryption: Option<&Encryption>,
    is_certified: bool,
) -> Result<Arc<Principal>, Fault> {
    let credentials = || async { shared.directory.credentials(user).await.map_err(Fault::Store) };
    let principal = if is_certified {
        let principal = credentials().await?.principal;
        principal.ok_or_else(|| certified_stranger(user, encryption))?
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
        user: user.into(),
        subject: subject.map_or("", |subject| subject.name.as_str()).into(),
        reason: "no such user, or disabled",
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
    drain(client).await?;
    let read = FrameReader::default()
        .read(&mut client.stream, MAX_SASL_MESSAGE)
        .await;
    let mut frame = answer(read, what)?;
    Ok(frame.split_off(HEADER))
}

/// Sends what waits.
async fn drain(client: &mut Leg) -> Result<(), Fault> {
    poll_fn(|cx| client.poll_drain(cx))
        .await
        .map_err(Fault::client_io)
}

/// The frame that was read, if it is an answer to what was asked (`CheckSASLAuth` in `auth-sasl.c`,
/// `recv_password_packet` in `auth.c`, both in `src/backend/libpq`).
fn answer(read: Result<(u8, Vec<u8>), ReadError>, what: &str) -> Result<Vec<u8>, Fault> {
    let unexpected = |tag| match tag {
        b'X' => Fault::ClientGone,
        tag => Fault::ClientProtocol(format!("expected {what}, got message type {tag}")),
    };
    match read {
        Ok((b'p', frame)) => Ok(frame),
        Err(ReadError::Length { tag: b'p' }) => Err(Fault::ClientFraming),
        Ok((tag, _)) | Err(ReadError::Length { tag }) => Err(unexpected(tag)),
        Err(ReadError::Io(error)) => Err(Fault::client_io(error)),
    }
}
