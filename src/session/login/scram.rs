//! SCRAM-SHA-256 against the verifiers that holdpoint keeps; through TLS also SCRAM-SHA-256-PLUS, which makes
//! sure that nobody between the two has ended the TLS and begun another.
//!
//! Source: PostgreSQL manual, "SASL Authentication"; `src/backend/libpq/auth-scram.c`.

use std::sync::Arc;

use super::super::Fault;
use super::super::encryption::Encryption;
use super::super::leg::Leg;
use super::{ask, refused};
use crate::identity::{Channel, Credentials, ScramError, ScramExchange};
use crate::model::Principal;
use crate::wire::{Fields, Malformed, Report, reply, sqlstate};

const SCRAM: &str = "SCRAM-SHA-256";
/// With channel binding.
const SCRAM_PLUS: &str = "SCRAM-SHA-256-PLUS";

/// Runs the exchange, up to the server's last message in it; AuthenticationOk is the caller's. An unknown
/// or disabled user goes through the same exchange and fails at its end. The credentials are fetched while the client
/// chooses its mechanism, which does not depend on them; and at the end once more, since a client takes the time that it
/// likes: a session begins as the user is then.
pub(super) async fn authenticate<F>(
    client: &mut Leg,
    user: &str,
    credentials: impl Fn() -> F,
    encryption: Option<&Encryption>,
) -> Result<Arc<Principal>, Fault>
where
    F: Future<Output = Result<Credentials, Fault>>,
{
    let failed = |error| failed(error, user);
    let end_point = encryption.and_then(|encryption| encryption.end_point.as_deref());
    let offered: &[&str] = match end_point {
        Some(_) => &[SCRAM_PLUS, SCRAM],
        None => &[SCRAM],
    };
    reply::authentication_sasl(offered, client.out());
    let (asked, message) = tokio::try_join!(credentials(), ask(client, "SASL response"))?;
    let (channel, first) = sasl_initial_response(&message, end_point)
        .map_err(|error: Malformed| Fault::ClientProtocol(error.to_string()))?;
    let mut exchange = ScramExchange::new(Arc::clone(&asked.verifier), channel);
    let answer = exchange.client_first(first).map_err(failed)?;

    reply::authentication_sasl_continue(answer, client.out());
    let message = ask(client, "SASL response").await?;
    let answer = exchange.client_final(&message).map_err(failed)?;
    let now = credentials().await?;
    let principal = now
        .principal
        .ok_or_else(|| refused(user, "no such user, or disabled"))?;
    if now.verifier != asked.verifier {
        return Err(refused(user, "the password was changed meanwhile"));
    }

    reply::authentication_sasl_final(answer, client.out());
    Ok(principal)
}

/// SASLInitialResponse: the mechanism that the client chose, and its first message in it.
fn sasl_initial_response<'a>(
    body: &'a [u8],
    end_point: Option<&[u8]>,
) -> Result<(Channel, &'a [u8]), Malformed> {
    let mut fields = Fields::of(body);
    let mechanism = fields.cstr()?;
    let channel = match end_point {
        None if mechanism == SCRAM.as_bytes() => Channel::Unbindable,
        Some(_) if mechanism == SCRAM.as_bytes() => Channel::Unbound,
        Some(hash) if mechanism == SCRAM_PLUS.as_bytes() => Channel::EndPoint(hash.to_vec()),
        _ => {
            return Err(Malformed(
                "client selected an invalid SASL authentication mechanism",
            ));
        }
    };
    let length = usize::try_from(fields.i32()?).map_err(|_| Malformed("malformed SCRAM message"))?;
    let first = fields.bytes(length)?;
    fields.end()?;
    Ok((channel, first))
}

/// What the client hears is what PostgreSQL would say.
fn failed(error: ScramError, user: &str) -> Fault {
    let report = match error {
        ScramError::Password => return refused(user, "a wrong password"),
        ScramError::Malformed(why) => {
            Report::fatal(sqlstate::PROTOCOL_VIOLATION, "malformed SCRAM message").detail(sentence(why))
        }
        ScramError::Downgrade => Report::fatal(sqlstate::INVALID_AUTHORIZATION, error.to_string()).detail(
            "The client supports SCRAM channel binding but thinks the server does not.  However, this server \
             does support channel binding.",
        ),
        ScramError::Binding => Report::fatal(sqlstate::INVALID_AUTHORIZATION, error.to_string()),
    };
    Fault::StartupRefused(Box::new(report))
}

/// A reason as a detail is written.
fn sentence(why: &str) -> String {
    let mut letters = why.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['.']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(mechanism: &str) -> Vec<u8> {
        [mechanism.as_bytes(), b"\0\0\0\0\x03n,,"].concat()
    }

    #[test]
    fn the_mechanism_is_one_that_was_offered() {
        let hash = [1; 32];
        for (mechanism, end_point, channel) in [
            (SCRAM, None, Some(Channel::Unbindable)),
            (SCRAM, Some(&hash[..]), Some(Channel::Unbound)),
            (SCRAM_PLUS, Some(&hash), Some(Channel::EndPoint(hash.to_vec()))),
            (SCRAM_PLUS, None, None),
            ("SCRAM-SHA-1", Some(&hash), None),
            ("SCRAM-SHA-256-", Some(&hash), None),
            ("scram-sha-256", None, None),
            ("", None, None),
        ] {
            let message = response(mechanism);
            let read = sasl_initial_response(&message, end_point).ok();
            assert_eq!(read, channel.map(|channel| (channel, &b"n,,"[..])), "{mechanism}");
        }
    }

    #[test]
    fn a_detail_is_a_sentence() {
        assert_eq!(sentence("it is not text"), "It is not text.");
        assert_eq!(sentence(""), ".");
    }
}
