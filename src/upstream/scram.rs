//! The client's side of SCRAM-SHA-256, with what is derived from the password kept.
//!
//! Deriving the keys takes thousands of hashes, by design; and they are the same as long as the server's salt is. So each
//! target computes them once. They are worth as much as the password, beside which they are kept, and never shown.
//!
//! Source: RFC 5802 and RFC 7677; PostgreSQL manual, "SASL Authentication"; `src/interfaces/libpq/fe-auth-scram.c`.

use std::fmt;
use std::io;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use pgwire::api::auth::sasl::scram::gen_salted_password;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// A server that wants more would keep the thread busy for seconds.
const MAX_ITERATIONS: u32 = 1_000_000;
/// Bytes of randomness in a nonce (`SCRAM_RAW_NONCE_LEN` in `src/include/common/scram-common.h`).
const NONCE: usize = 18;

/// What was derived last. A clone is empty: it may be for another password.
#[derive(Default)]
pub struct ScramKeys(Mutex<Option<Derived>>);

impl Clone for ScramKeys {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScramKeys(…)")
    }
}

#[derive(Clone)]
struct Derived {
    salt: Vec<u8>,
    iterations: u32,
    keys: Keys,
}

#[derive(Clone, Copy)]
struct Keys {
    client: [u8; 32],
    server: [u8; 32],
}

impl ScramKeys {
    fn of(&self, password: &str, salt: &[u8], iterations: u32) -> Keys {
        let kept = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(derived) = &*kept()
            && derived.salt == salt
            && derived.iterations == iterations
        {
            return derived.keys;
        }
        // Without the lock: others who need them meanwhile derive them themselves, and wait for nobody.
        // u32 fits into usize wherever this runs; were it not so, the server would refuse the proof.
        let salted = gen_salted_password(password, salt, usize::try_from(iterations).unwrap_or(1));
        let keys = Keys {
            client: hmac(&salted, b"Client Key"),
            server: hmac(&salted, b"Server Key"),
        };
        *kept() = Some(Derived {
            salt: salt.to_vec(),
            iterations,
            keys,
        });
        keys
    }
}

/// What the client says of channel binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Binding {
    /// It has none.
    Unsupported,
    /// It has it, and believes that the server does not.
    Unrequested,
    /// `tls-server-end-point`, with the hash of the server's certificate.
    EndPoint(Vec<u8>),
}

impl Binding {
    /// `gs2-header`, and the data behind it.
    fn parts(&self) -> (&'static str, &[u8]) {
        match self {
            Self::Unsupported => ("n,,", &[]),
            Self::Unrequested => ("y,,", &[]),
            Self::EndPoint(hash) => ("p=tls-server-end-point,,", hash),
        }
    }
}

/// One exchange.
pub(super) struct Exchange {
    binding: Binding,
    nonce: String,
    /// The signature with which the server shows that it knows the password, too.
    expected: Option<[u8; 32]>,
}

impl Exchange {
    pub(super) fn new(binding: Binding) -> Self {
        Self::with_nonce(binding, STANDARD.encode(rand::random::<[u8; NONCE]>()))
    }

    fn with_nonce(binding: Binding, nonce: String) -> Self {
        Self {
            binding,
            nonce,
            expected: None,
        }
    }

    /// `client-first-message`. PostgreSQL takes the user from the startup packet.
    pub(super) fn first(&self) -> String {
        format!("{}n=,r={}", self.binding.parts().0, self.nonce)
    }

    /// `client-final-message`, in answer to `server-first-message`.
    ///
    /// # Errors
    /// `InvalidData`: the server's message is malformed, or asks for too much.
    pub(super) fn answer(
        &mut self,
        challenge: &[u8],
        password: &str,
        kept: &ScramKeys,
    ) -> io::Result<String> {
        let challenge = text(challenge)?;
        let (nonce, salt, iterations) = read_challenge(challenge)?;
        if nonce.len() <= self.nonce.len() || !nonce.starts_with(&self.nonce) {
            return Err(invalid("the server's nonce does not begin with the client's"));
        }
        let keys = kept.of(password, &salt, iterations);
        let (header, data) = self.binding.parts();
        let binding = STANDARD.encode([header.as_bytes(), data].concat());
        let without_proof = format!("c={binding},r={nonce}");
        let said = format!("n=,r={},{challenge},{without_proof}", self.nonce);
        let stored: [u8; 32] = Sha256::digest(keys.client).into();
        let mut proof = hmac(&stored, said.as_bytes());
        for (byte, key) in proof.iter_mut().zip(keys.client) {
            *byte ^= key;
        }
        self.expected = Some(hmac(&keys.server, said.as_bytes()));
        Ok(format!("{without_proof},p={}", STANDARD.encode(proof)))
    }

    /// Whether `server-final-message` shows that the server knows the password.
    ///
    /// # Errors
    /// `InvalidData`: it does not.
    pub(super) fn finish(&mut self, last: &[u8]) -> io::Result<()> {
        let last = text(last)?;
        if let Some(error) = last.strip_prefix("e=") {
            return Err(invalid(format!("the server said: {error}")));
        }
        let signature = last
            .strip_prefix("v=")
            .and_then(|signature| STANDARD.decode(signature).ok());
        let (Some(expected), Some(signature)) = (self.expected.take(), signature) else {
            return Err(invalid("the server's last message is malformed"));
        };
        if bool::from(expected[..].ct_eq(&signature)) {
            Ok(())
        } else {
            Err(invalid("the server does not know the password"))
        }
    }
}

/// The nonce, the salt and the number of iterations; nothing else may stand there.
fn read_challenge(challenge: &str) -> io::Result<(&str, Vec<u8>, u32)> {
    let malformed = || invalid("the server's first message is malformed");
    let mut parts = challenge.split(',');
    let mut attribute = |prefix| parts.next().and_then(|part: &str| part.strip_prefix(prefix));
    let (Some(nonce), Some(salt), Some(iterations)) = (attribute("r="), attribute("s="), attribute("i="))
    else {
        return Err(malformed());
    };
    let salt = STANDARD.decode(salt).map_err(|_| malformed())?;
    let iterations: u32 = iterations.parse().map_err(|_| malformed())?;
    if salt.is_empty() || iterations == 0 || parts.next().is_some() {
        return Err(malformed());
    }
    if iterations > MAX_ITERATIONS {
        return Err(invalid(format!(
            "the server asks for {iterations} iterations: {MAX_ITERATIONS} is the limit"
        )));
    }
    Ok((nonce, salt, iterations))
}

fn text(message: &[u8]) -> io::Result<&str> {
    std::str::from_utf8(message).map_err(|_| invalid("a message of the server's is no text"))
}

fn invalid(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return [0; 32];
    };
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};

    use super::*;

    /// The keys of RFC 7677's example: its salt, its number of iterations, its password.
    #[test]
    fn keys_are_those_of_the_rfc() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let keys = ScramKeys::default().of("pencil", &salt, 4096);
        let said = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                    s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let signature = STANDARD.encode(hmac(&keys.server, said.as_bytes()));
        assert_eq!(signature, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    /// The other client, with the same nonces, says the same, and takes the same signature.
    #[test]
    fn it_says_what_another_client_says() {
        for (password, binding, theirs) in [
            ("pencil", Binding::Unsupported, ChannelBinding::unsupported()),
            ("Ⅸ\u{a0}x", Binding::Unrequested, ChannelBinding::unrequested()),
            (
                "\u{7}",
                Binding::EndPoint(vec![7; 32]),
                ChannelBinding::tls_server_end_point(vec![7; 32]),
            ),
        ] {
            let mut other = ScramSha256::new(password.as_bytes(), theirs);
            let first = String::from_utf8(other.message().to_vec()).unwrap();
            // A nonce may have "r=" in it, but no comma.
            let nonce = first.split_once(",r=").unwrap().1.to_owned();
            let challenge = format!("r={nonce}more,s=c2FsdA==,i=4096");
            other.update(challenge.as_bytes()).unwrap();

            let kept = ScramKeys::default();
            for _ in 0..2 {
                let mut exchange = Exchange::with_nonce(binding.clone(), nonce.clone());
                assert_eq!(exchange.first(), first);
                let answer = exchange.answer(challenge.as_bytes(), password, &kept).unwrap();
                assert_eq!(answer.as_bytes(), other.message(), "{password}");
                let signature = STANDARD.encode(exchange.expected.unwrap());
                exchange.finish(format!("v={signature}").as_bytes()).unwrap();
            }
        }
    }

    #[test]
    fn keys_are_kept_for_their_salt_alone_and_never_passed_on() {
        let kept = ScramKeys::default();
        let first = kept.of("one", b"salt", 10).client;
        // Were they not kept, another password would give others.
        assert_eq!(kept.of("another", b"salt", 10).client, first);
        assert_ne!(kept.of("another", b"other", 10).client, first);
        assert_ne!(
            kept.of("another", b"other", 11).client,
            kept.of("another", b"other", 10).client
        );
        assert_ne!(
            kept.clone().of("third", b"other", 10).client,
            kept.of("another", b"other", 10).client
        );
        assert_eq!(format!("{kept:?}"), "ScramKeys(…)");
    }

    #[test]
    fn what_a_server_may_not_say_is_refused() {
        for challenge in [
            "",
            "r=nonce,s=c2FsdA==,i=4096",
            "r=other-more,s=c2FsdA==,i=4096",
            "r=nonce-more,s=c2FsdA==",
            "r=nonce-more,s=,i=4096",
            "r=nonce-more,s=!,i=4096",
            "r=nonce-more,s=c2FsdA==,i=0",
            "r=nonce-more,s=c2FsdA==,i=-1",
            "r=nonce-more,s=c2FsdA==,i=1000001",
            "r=nonce-more,s=c2FsdA==,i=4096,x=1",
            "m=ext,r=nonce-more,s=c2FsdA==,i=4096",
        ] {
            let mut exchange = Exchange::with_nonce(Binding::Unsupported, "nonce".to_owned());
            let refused = exchange.answer(challenge.as_bytes(), "x", &ScramKeys::default());
            assert_eq!(
                refused.unwrap_err().kind(),
                io::ErrorKind::InvalidData,
                "{challenge}"
            );
        }
        let mut exchange = Exchange::with_nonce(Binding::Unsupported, "nonce".to_owned());
        exchange
            .answer(b"r=nonce-more,s=c2FsdA==,i=1", "x", &ScramKeys::default())
            .unwrap();
        let expected = exchange.expected;
        for last in ["e=invalid-proof", "v=", "v=AAAA", "x", ""] {
            exchange.expected = expected;
            assert!(exchange.finish(last.as_bytes()).is_err(), "{last}");
        }
        // Not twice either.
        assert!(exchange.finish(b"v=").is_err());
    }
}
