//! SCRAM-SHA-256 against the verifiers that holdpoint keeps.
//!
//! Source: PostgreSQL manual, "SASL Authentication".

use super::super::Fault;
use super::super::leg::Leg;
use super::{ask, refused};
use crate::identity::{Credentials, ScramExchange};
use crate::model::Principal;
use crate::wire::{Fields, Malformed, reply};

/// The one mechanism that is offered without TLS.
const MECHANISM: &str = "SCRAM-SHA-256";

/// Runs the exchange, up to the server's last message in it; AuthenticationOk is the caller's. An unknown
/// or disabled user goes through the same exchange and fails at its end.
pub(super) async fn authenticate(
    client: &mut Leg,
    user: &str,
    credentials: Credentials,
) -> Result<Principal, Fault> {
    let malformed = |error: Malformed| Fault::ClientProtocol(error.to_string());
    let mut exchange = ScramExchange::new(credentials.verifier);

    reply::authentication_sasl(&[MECHANISM], client.out());
    let message = ask(client, "SASL response").await?;
    let first = sasl_initial_response(&message).map_err(malformed)?;
    let answer = exchange
        .client_first(first)
        .map_err(|e| refused(user, e.reason()))?;

    reply::authentication_sasl_continue(answer, client.out());
    let message = ask(client, "SASL response").await?;
    let answer = exchange
        .client_final(&message)
        .map_err(|e| refused(user, e.reason()))?;
    let principal = credentials
        .principal
        .ok_or_else(|| refused(user, "no such user, or disabled"))?;

    reply::authentication_sasl_final(answer, client.out());
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
