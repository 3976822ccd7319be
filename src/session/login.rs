//! The client's login: SCRAM-SHA-256 against the users that holdpoint keeps.
//!
//! Source: PostgreSQL manual, "SASL Authentication".

use std::future::poll_fn;
use std::sync::Arc;

use tokio::io::AsyncReadExt as _;

use super::leg::Leg;
use super::{Fault, Shared};
use crate::identity::ScramExchange;
use crate::model::Principal;
use crate::wire::frame::HEADER;
use crate::wire::{Fields, Header, Malformed, reply};

/// The one mechanism that is offered without TLS.
const MECHANISM: &str = "SCRAM-SHA-256";
/// Bytes of the largest message before the login's end (`PG_MAX_SASL_MESSAGE_LENGTH`, and its frame).
const MAX_MESSAGE: usize = 2048;

/// Logs a user in. An unknown or disabled user goes through the same exchange and fails at its end.
pub(super) async fn authenticate(
    shared: &Arc<Shared>,
    client: &mut Leg,
    user: &str,
) -> Result<Principal, Fault> {
    let refused = |reason| Fault::LoginRefused {
        user: user.to_owned(),
        reason,
    };
    let malformed = |error: Malformed| Fault::ClientProtocol(error.to_string());
    let credentials = shared.directory.credentials(user).await.map_err(Fault::Store)?;
    let mut exchange = ScramExchange::new(credentials.verifier);

    reply::authentication_sasl(&[MECHANISM], client.out());
    let message = ask(client).await?;
    let first = sasl_initial_response(&message).map_err(malformed)?;
    let answer = exchange.client_first(first).map_err(|e| refused(e.reason()))?;

    reply::authentication_sasl_continue(answer, client.out());
    let message = ask(client).await?;
    let answer = exchange.client_final(&message).map_err(|e| refused(e.reason()))?;
    let principal = credentials
        .principal
        .ok_or_else(|| refused("no such user, or disabled"))?;

    reply::authentication_sasl_final(answer, client.out());
    reply::authentication_ok(client.out());
    Ok(principal)
}

/// SASLInitialResponse: the client's first message in the mechanism.
fn sasl_initial_response(body: &[u8]) -> Result<&[u8], Malformed> {
    let mut fields = Fields::of(body);
    if fields.cstr()? != MECHANISM.as_bytes() {
        return Err(Malformed(
            "client selected an invalid SASL authentication mechanism",
        ));
    }
    let length = usize::try_from(fields.i32()?).map_err(|_| Malformed("malformed SCRAM message"))?;
    let first = fields.bytes(length)?;
    fields.end()?;
    Ok(first)
}

/// Sends what waits and reads the body of the `p` message that answers it.
async fn ask(client: &mut Leg) -> Result<Vec<u8>, Fault> {
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
        _ => Err(Fault::ClientProtocol(
            "expected SASL response, got another message".to_owned(),
        )),
    }
}
