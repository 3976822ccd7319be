//! The server's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677; in PostgreSQL, "SASL
//! Authentication" of the protocol chapter and `src/backend/libpq/auth-scram.c`), without any I/O.
//!
//! Whatever the client sends, the answer is the next message or a failure that does not depend on whether
//! there is such a user. As in PostgreSQL, the name inside the messages is not looked at: the startup packet
//! has said who it is. The one channel binding is `tls-server-end-point` (RFC 5929).

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Verifier;

/// No honest message of a client is longer, in bytes.
const MAX_MESSAGE: usize = 1024;
/// Clients send some 24 characters.
const MAX_NONCE: usize = 256;
/// Random bytes in the server's part of the nonce (`SCRAM_RAW_NONCE_LEN` in `src/include/common/scram-common.h`).
const NONCE: usize = 18;
/// What the client's messages call the one binding there is.
const END_POINT: &str = "tls-server-end-point";

/// What the exchange is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Channel {
    /// Nothing could be: SCRAM-SHA-256-PLUS was not offered.
    Unbindable,
    /// Nothing, though SCRAM-SHA-256-PLUS was offered: the client chose SCRAM-SHA-256.
    Unbound,
    /// The server's certificate, by its hash: the client chose SCRAM-SHA-256-PLUS.
    EndPoint(Vec<u8>),
}

/// One authentication, from the client's first message to the server's last.
///
/// [`Self::client_first`], then [`Self::client_final`], once each; any other order fails.
#[derive(Debug)]
pub struct ScramExchange {
    state: State,
}

enum State {
    ExpectClientFirst(Arc<Verifier>, Channel),
    ExpectClientFinal(Box<Challenged>),
    Over,
}

/// What the client's last message is measured against.
struct Challenged {
    verifier: Arc<Verifier>,
    /// What `c=` must be.
    binding: String,
    nonce: String,
    client_first_bare: String,
    server_first: String,
}

/// The authentication failed. None of it holds anything that the client sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// The password is wrong; so it is for a user that there is not.
    #[error("password authentication failed")]
    Password,
    /// A message is none, or comes out of turn.
    #[error("malformed SCRAM message: {0}")]
    Malformed(&'static str),
    /// The client does not know that the server can bind the channel: somebody between the two hid it.
    #[error("SCRAM channel binding negotiation error")]
    Downgrade,
    /// The client sees another certificate than the server's.
    #[error("SCRAM channel binding check failed")]
    Binding,
}

impl ScramExchange {
    /// An exchange that ends well only for whoever has the password behind the verifier.
    #[must_use]
    pub fn new(verifier: impl Into<Arc<Verifier>>, channel: Channel) -> Self {
        Self {
            state: State::ExpectClientFirst(verifier.into(), channel),
        }
    }

    /// Takes `client-first-message` and gives `server-first-message`.
    ///
    /// # Errors
    /// It is malformed, contradicts the mechanism that was chosen, or comes out of turn; the exchange is over
    /// then.
    pub fn client_first(&mut self, message: &[u8]) -> Result<Vec<u8>, ScramError> {
        self.challenge(message, &STANDARD.encode(rand::random::<[u8; NONCE]>()))
    }

    fn challenge(&mut self, message: &[u8], nonce: &str) -> Result<Vec<u8>, ScramError> {
        let State::ExpectClientFirst(verifier, channel) = std::mem::replace(&mut self.state, State::Over)
        else {
            return OUT_OF_TURN;
        };
        let first = ClientFirst::read(text_of(message)?)?;
        let binding = binding(&channel, first.flag)?;
        let nonce = format!("{}{nonce}", first.nonce);
        let server_first = format!("r={nonce},{}", verifier.challenge());
        let answer = server_first.clone().into_bytes();
        self.state = State::ExpectClientFinal(Box::new(Challenged {
            verifier,
            binding,
            nonce,
            client_first_bare: first.bare.to_owned(),
            server_first,
        }));
        Ok(answer)
    }

    /// Takes `client-final-message` and, where the proof is right, gives `server-final-message`.
    ///
    /// # Errors
    /// The proof or the binding is wrong, or the message is malformed or comes out of turn; the exchange is
    /// over then.
    pub fn client_final(&mut self, message: &[u8]) -> Result<Vec<u8>, ScramError> {
        let State::ExpectClientFinal(challenged) = std::mem::replace(&mut self.state, State::Over) else {
            return OUT_OF_TURN;
        };
        challenged.judge(&ClientFinal::read(text_of(message)?)?)
    }
}

impl Challenged {
    fn judge(&self, last: &ClientFinal<'_>) -> Result<Vec<u8>, ScramError> {
        if last.binding != self.binding {
            return Err(ScramError::Binding);
        }
        if last.nonce != self.nonce {
            return malformed("the nonce does not match");
        }
        let exchange = [
            self.client_first_bare.as_bytes(),
            b",",
            self.server_first.as_bytes(),
            b",",
            last.without_proof.as_bytes(),
        ];
        let signature = self
            .verifier
            .answer(&exchange, &last.proof)
            .ok_or(ScramError::Password)?;
        Ok(format!("v={}", STANDARD.encode(signature)).into_bytes())
    }
}

/// What `c=` must be in the client's last message: the first one's header, and what the channel is bound to.
/// The header's flag must be what the mechanism says (`read_client_first_message` in `auth-scram.c`).
fn binding(channel: &Channel, flag: &str) -> Result<String, ScramError> {
    match (flag, channel) {
        ("n", Channel::Unbindable | Channel::Unbound) | ("y", Channel::Unbindable) => {
            Ok(STANDARD.encode(format!("{flag},,")))
        }
        ("y", Channel::Unbound) => Err(ScramError::Downgrade),
        ("n" | "y", Channel::EndPoint(_)) => malformed(
            "the client selected SCRAM-SHA-256-PLUS, but its message does not include channel binding data",
        ),
        (flag, channel) => match (flag.strip_prefix("p="), channel) {
            (Some(END_POINT), Channel::EndPoint(hash)) => {
                Ok(STANDARD.encode([format!("{flag},,").as_bytes(), hash].concat()))
            }
            (Some(_), Channel::EndPoint(_)) => malformed("an unsupported channel binding type"),
            (Some(_), _) => malformed(
                "the client selected SCRAM-SHA-256 without channel binding, but its message includes it",
            ),
            (None, _) => malformed("an unexpected channel-binding flag"),
        },
    }
}

/// `client-first-message`: `flag,,n=name,r=nonce[,extensions]`.
struct ClientFirst<'a> {
    flag: &'a str,
    bare: &'a str,
    nonce: &'a str,
}

impl<'a> ClientFirst<'a> {
    fn read(text: &'a str) -> Result<Self, ScramError> {
        let Some((flag, rest)) = text.split_once(',') else {
            return malformed("no channel-binding flag");
        };
        let Some(("", bare)) = rest.split_once(',') else {
            return malformed("an authorization identity, which is not supported");
        };
        let mut attributes = bare.split(',');
        match attributes.next().unwrap_or_default() {
            name if name.starts_with("n=") => {}
            name if name.starts_with("m=") => return malformed("an extension that is not supported"),
            _ => return malformed("no user name in its place"),
        }
        let nonce = attributes.next().and_then(|nonce| nonce.strip_prefix("r="));
        let Some(nonce) = nonce.filter(|nonce| is_nonce(nonce)) else {
            return malformed("no proper nonce in its place");
        };
        if !attributes.all(is_attribute) {
            return malformed("something that is no attribute");
        }
        Ok(Self { flag, bare, nonce })
    }
}

/// `client-final-message`: `c=binding,r=nonce[,extensions],p=proof`.
struct ClientFinal<'a> {
    binding: &'a str,
    nonce: &'a str,
    without_proof: &'a str,
    proof: [u8; 32],
}

impl<'a> ClientFinal<'a> {
    fn read(text: &'a str) -> Result<Self, ScramError> {
        let Some((without_proof, proof)) = text.rsplit_once(",p=") else {
            return malformed("no proof at its end");
        };
        let proof = STANDARD
            .decode(proof)
            .ok()
            .and_then(|proof| proof.try_into().ok());
        let Some(proof) = proof else {
            return malformed("a malformed proof");
        };
        let mut attributes = without_proof.split(',');
        let mut next = |name| {
            attributes
                .next()
                .and_then(|attribute| attribute.strip_prefix(name))
        };
        let (Some(binding), Some(nonce)) = (next("c="), next("r=")) else {
            return malformed("no channel binding, or no nonce, in its place");
        };
        if !attributes.all(|attribute| is_attribute(attribute) && !attribute.starts_with('p')) {
            return malformed("something that is no attribute");
        }
        Ok(Self {
            binding,
            nonce,
            without_proof,
            proof,
        })
    }
}

/// The server echoes it: printable ASCII (RFC 5802, section 7), with a bound. The comma ended it.
fn is_nonce(text: &str) -> bool {
    (1..=MAX_NONCE).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A letter, `=`, and a value.
fn is_attribute(text: &str) -> bool {
    matches!(text.as_bytes(), [letter, b'=', ..] if letter.is_ascii_alphabetic())
}

fn text_of(message: &[u8]) -> Result<&str, ScramError> {
    if message.len() > MAX_MESSAGE {
        return malformed("it is too long");
    }
    match std::str::from_utf8(message) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => malformed("it is not text"),
    }
}

const fn malformed<T>(why: &'static str) -> Result<T, ScramError> {
    Err(ScramError::Malformed(why))
}

const OUT_OF_TURN: Result<Vec<u8>, ScramError> = malformed("it comes out of turn");

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ExpectClientFirst(..) => "ExpectClientFirst",
            Self::ExpectClientFinal(_) => "ExpectClientFinal",
            Self::Over => "Over",
        })
    }
}

#[cfg(test)]
mod tests;
