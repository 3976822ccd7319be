//! The server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677; in PostgreSQL, "SASL Authentication" of the
//! protocol chapter and `backend/libpq/auth-scram.c`), without any I/O.
//!
//! Whatever the client sends, the answer is the next message or one and the same failure. Channel binding
//! is not offered. As in PostgreSQL, the name inside the messages is not looked at: the startup packet
//! has said who it is.

use std::fmt;

use pgwire::api::auth::sasl::scram::{ScramServerAuth, ScramServerAuthWaitingForClientFinal};

use super::Verifier;

/// No honest message of a client is longer, in bytes.
const MAX_MESSAGE: usize = 1024;
/// Clients send some 24 characters.
const MAX_NONCE: usize = 256;

/// One authentication, from the client's first message to the server's last.
///
/// [`Self::client_first`], then [`Self::client_final`], once each; any other order fails.
#[derive(Debug)]
pub struct ScramExchange {
    state: State,
}

enum State {
    ExpectClientFirst(Verifier),
    ExpectClientFinal(Box<ScramServerAuthWaitingForClientFinal>),
    Over,
}

/// The authentication failed. Its text is the same for every cause, fit for the client;
/// [`ScramError::reason`] is for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("password authentication failed")]
pub struct ScramError {
    reason: &'static str,
}

impl ScramError {
    /// What was wrong; holds nothing that the client sent.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        self.reason
    }
}

impl ScramExchange {
    /// An exchange that ends well only for whoever has the password behind the verifier.
    #[must_use]
    pub const fn new(verifier: Verifier) -> Self {
        Self {
            state: State::ExpectClientFirst(verifier),
        }
    }

    /// Takes `client-first-message` and gives `server-first-message`.
    ///
    /// # Errors
    /// It is malformed, asks for channel binding, or comes out of turn; the exchange is over then.
    pub fn client_first(&mut self, message: &[u8]) -> Result<Vec<u8>, ScramError> {
        let State::ExpectClientFirst(verifier) = std::mem::replace(&mut self.state, State::Over) else {
            return refuse("a message out of turn");
        };
        check_client_first(text_of(message)?)?;
        let Ok((answer, waiting)) =
            ScramServerAuth::new().on_client_first_message_with_secret(message, verifier.into_scram_secret())
        else {
            return refuse("a malformed client-first-message");
        };
        self.state = State::ExpectClientFinal(Box::new(waiting));
        Ok(answer.into_bytes())
    }

    /// Takes `client-final-message` and, where the proof is right, gives `server-final-message`.
    ///
    /// # Errors
    /// The proof is wrong, or the message is malformed or comes out of turn; the exchange is over then.
    pub fn client_final(&mut self, message: &[u8]) -> Result<Vec<u8>, ScramError> {
        let State::ExpectClientFinal(waiting) = std::mem::replace(&mut self.state, State::Over) else {
            return refuse("a message out of turn");
        };
        text_of(message)?;
        // The comparison inside is of two hashes of which the client can choose neither, so that
        // the time it takes says nothing about the key.
        waiting
            .on_client_final_message(message)
            .map(String::into_bytes)
            .or_else(|_| refuse("a wrong password or a malformed client-final-message"))
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ExpectClientFirst(_) => "ExpectClientFirst",
            Self::ExpectClientFinal(_) => "ExpectClientFinal",
            Self::Over => "Over",
        })
    }
}

fn text_of(message: &[u8]) -> Result<&str, ScramError> {
    if message.len() > MAX_MESSAGE {
        return refuse("a message that is too long");
    }
    match std::str::from_utf8(message) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => refuse("a message that is not text"),
    }
}

/// Checks what pgwire lets pass: the nonce, which the server echoes, is printable ASCII
/// (RFC 5802, section 7), is there and has a bound.
fn check_client_first(text: &str) -> Result<(), ScramError> {
    let nonce = text
        .split(',')
        .nth(3)
        .and_then(|part| part.strip_prefix("r="))
        .unwrap_or_default();
    if nonce.is_empty() || nonce.len() > MAX_NONCE || !nonce.bytes().all(|byte| byte.is_ascii_graphic()) {
        return refuse("a client-first-message without a proper nonce");
    }
    Ok(())
}

const fn refuse<T>(reason: &'static str) -> Result<T, ScramError> {
    Err(ScramError { reason })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::sync::LazyLock;

    use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
    use proptest::prelude::*;

    use super::*;

    static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| Verifier::of_password("pencil").unwrap());

    fn run(verifier: &Verifier, password: &str) -> Result<(), ScramError> {
        let mut client = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
        let mut server = ScramExchange::new(verifier.clone());
        let server_first = server.client_first(client.message())?;
        client.update(&server_first).unwrap();
        let server_final = server.client_final(client.message())?;
        // The client in turn checks that this server has the verifier.
        client.finish(&server_final).unwrap();
        Ok(())
    }

    #[test]
    fn a_client_with_the_password_gets_in() {
        assert_eq!(run(&VERIFIER, "pencil"), Ok(()));
        let unicode = Verifier::of_password("\u{2168}\u{ad}").unwrap();
        assert_eq!(run(&unicode, "IX"), Ok(()));
    }

    #[test]
    fn failures_look_alike() {
        let wrong = run(&VERIFIER, "pencils").unwrap_err();
        let unknown = run(&Verifier::mock("nobody", &[1; 32]), "pencil").unwrap_err();
        let malformed = ScramExchange::new(VERIFIER.clone())
            .client_first(b"n")
            .unwrap_err();
        assert_eq!(wrong, unknown);
        assert_eq!(wrong.to_string(), malformed.to_string());
    }

    #[test]
    fn the_challenge_of_an_unknown_user_stays_the_same() {
        let challenge = |verifier: Verifier| {
            let answer = ScramExchange::new(verifier).client_first(b"n,,n=,r=abc").unwrap();
            let answer = String::from_utf8(answer).unwrap();
            let (nonce, rest) = answer.split_once(',').unwrap();
            assert!(nonce.starts_with("r=abc"));
            rest.to_owned()
        };
        let first = challenge(Verifier::mock("nobody", &[1; 32]));
        assert_eq!(first, challenge(Verifier::mock("nobody", &[1; 32])));
        assert_eq!(first.len(), challenge(VERIFIER.clone()).len());
    }

    #[test]
    fn malformed_first_messages_are_refused() {
        let long_nonce = format!("n,,n=,r={}", "x".repeat(257));
        let long_name = format!("n,,n={},r=abc", "x".repeat(1024));
        for message in [
            &b""[..],
            b"n",
            b"n,",
            b"n,,",
            b"n,,n=",
            b"n,,n=,",
            b"n,,n=,r=",
            b"n,,n=,r=a b",
            b"n,,n=,r=\xc3\xa9",
            b"n,,n=,r=a\0b",
            b"n,,n=,r=\xff",
            b"x,,n=,r=abc",
            b"n,a=bob,n=,r=abc",
            b"n,,m=1,n=,r=abc",
            b"p=tls-server-end-point,,n=,r=abc",
            b"n,,r=abc,n=",
            long_nonce.as_bytes(),
            long_name.as_bytes(),
        ] {
            let mut server = ScramExchange::new(VERIFIER.clone());
            assert!(
                server.client_first(message).is_err(),
                "{}",
                String::from_utf8_lossy(message)
            );
            assert!(
                server.client_first(b"n,,n=,r=abc").is_err(),
                "the exchange is over"
            );
        }
    }

    #[test]
    fn a_proof_holds_once_and_in_its_turn() {
        let mut client = ScramSha256::new(b"pencil", ChannelBinding::unrequested());
        let mut server = ScramExchange::new(VERIFIER.clone());
        assert!(
            ScramExchange::new(VERIFIER.clone())
                .client_final(b"c=biws,r=abc,p=")
                .is_err()
        );
        client
            .update(&server.client_first(client.message()).unwrap())
            .unwrap();
        let proof = client.message().to_vec();
        server.client_final(&proof).unwrap();
        assert_eq!(
            server.client_final(&proof).unwrap_err().reason(),
            "a message out of turn"
        );
        let mut other = ScramExchange::new(VERIFIER.clone());
        other.client_first(b"n,,n=,r=abc").unwrap();
        assert!(other.client_final(&proof).is_err(), "the nonce is another");
    }

    proptest! {
        #[test]
        fn no_first_message_makes_it_panic(message in hostile("(n|y|p=x|),(a=x|),(n=|m=)x?,(r=|)[a-z,=]{0,9}")) {
            let _ = ScramExchange::new(VERIFIER.clone()).client_first(&message);
        }

        #[test]
        fn no_final_message_makes_it_panic_or_gets_in(
            message in hostile("(c=biws|c=|),(r=abc|r=|)[a-z]{0,3}(,p=[A-Za-z0-9+/é]{0,50}=?){0,2}"),
        ) {
            let mut server = ScramExchange::new(VERIFIER.clone());
            server.client_first(b"n,,n=,r=abc").unwrap();
            prop_assert!(server.client_final(&message).is_err());
        }

        #[test]
        fn a_changed_bit_of_the_proof_is_noticed(position in any::<prop::sample::Index>(), bit in 0_u32..8) {
            let mut client = ScramSha256::new(b"pencil", ChannelBinding::unsupported());
            let mut server = ScramExchange::new(VERIFIER.clone());
            client.update(&server.client_first(client.message()).unwrap()).unwrap();
            let mut message = client.message().to_vec();
            let position = position.index(message.len());
            message[position] ^= 1_u8 << bit;
            prop_assert!(server.client_final(&message).is_err());
        }
    }

    fn hostile(like: &'static str) -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            any::<String>().prop_map(String::into_bytes),
            like.prop_map(String::into_bytes),
        ]
    }
}
