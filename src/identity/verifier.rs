//! SCRAM-SHA-256 verifiers, in the form in which PostgreSQL keeps them in `pg_authid`:
//! `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`, the last three in base64.
//!
//! Making one and checking a password take some milliseconds of computing: off the runtime's threads.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use pgwire::api::auth::sasl::scram::gen_salted_password;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

const SCHEME: &str = "SCRAM-SHA-256";
/// PostgreSQL's default (`SCRAM_SHA_256_DEFAULT_ITERATIONS` in `common/scram-common.h`).
const ITERATIONS: u32 = 4096;
/// More would let one row of the store keep a core busy for seconds at every sign-in.
const MAX_ITERATIONS: u32 = 1_000_000;
/// PostgreSQL's (`SCRAM_DEFAULT_SALT_LEN`).
const SALT_LENGTH: usize = 16;

/// What the server keeps in place of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    iterations: u32,
    salt: Vec<u8>,
    stored_key: [u8; 32],
    server_key: [u8; 32],
}

/// A text that is no verifier. Says nothing of the text itself, which may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a SCRAM-SHA-256 verifier (SCRAM-SHA-256$iterations:salt$stored:server)")]
pub struct InvalidVerifier;

impl Verifier {
    /// A verifier for a password, with a random salt. The password is prepared as PostgreSQL does it:
    /// by `SASLprep` where that is possible, as it is where not.
    ///
    /// # Errors
    /// Never for a verifier that `postgres-protocol` makes.
    pub fn of_password(password: &str) -> Result<Self, InvalidVerifier> {
        postgres_protocol::password::scram_sha_256(password.as_bytes()).parse()
    }

    /// A verifier that no password matches, always the same for the same name and secret, and shaped
    /// like a real one: what an unknown user is measured against.
    #[must_use]
    pub fn mock(user: &str, secret: &[u8; 32]) -> Self {
        Self {
            iterations: ITERATIONS,
            salt: derive(secret, b"mock salt", user)[..SALT_LENGTH].to_vec(),
            stored_key: derive(secret, b"mock stored key", user),
            server_key: derive(secret, b"mock server key", user),
        }
    }

    /// Whether this is the verifier of that password.
    #[must_use]
    pub fn matches(&self, password: &str) -> bool {
        // u32 fits into usize wherever this runs; were it not so, nothing would match.
        let Ok(iterations) = usize::try_from(self.iterations) else {
            return false;
        };
        let salted = gen_salted_password(password, &self.salt, iterations);
        let client_key = hmac_sha_256(&salted, &[b"Client Key"]);
        let stored_key: [u8; 32] = Sha256::digest(client_key).into();
        let server_key = hmac_sha_256(&salted, &[b"Server Key"]);
        (stored_key.ct_eq(&self.stored_key) & server_key.ct_eq(&self.server_key)).into()
    }

    /// What the client is asked with: `s=` and `i=` of `server-first-message`.
    pub(super) fn challenge(&self) -> String {
        format!("s={},i={}", STANDARD.encode(&self.salt), self.iterations)
    }

    /// `ServerSignature` over what was said, where `proof` is the `ClientProof` of somebody who has the
    /// password (RFC 5802, section 3).
    pub(super) fn answer(&self, exchange: &[&[u8]], proof: &[u8; 32]) -> Option<[u8; 32]> {
        let mut client_key = hmac_sha_256(&self.stored_key, exchange);
        for (byte, proof) in client_key.iter_mut().zip(proof) {
            *byte ^= proof;
        }
        let stored_key: [u8; 32] = Sha256::digest(client_key).into();
        let is_right = bool::from(stored_key.ct_eq(&self.stored_key));
        is_right.then(|| hmac_sha_256(&self.server_key, exchange))
    }
}

impl FromStr for Verifier {
    type Err = InvalidVerifier;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('$');
        let (Some(SCHEME), Some(cost), Some(keys), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidVerifier);
        };
        let (iterations, salt) = cost.split_once(':').ok_or(InvalidVerifier)?;
        let (stored_key, server_key) = keys.split_once(':').ok_or(InvalidVerifier)?;
        let iterations = iterations
            .parse()
            .ok()
            .filter(|count| (1..=MAX_ITERATIONS).contains(count))
            .ok_or(InvalidVerifier)?;
        let salt = STANDARD.decode(salt).map_err(|_| InvalidVerifier)?;
        if salt.is_empty() {
            return Err(InvalidVerifier);
        }
        Ok(Self {
            iterations,
            salt,
            stored_key: key(stored_key)?,
            server_key: key(server_key)?,
        })
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{SCHEME}${}:{}${}:{}",
            self.iterations,
            STANDARD.encode(&self.salt),
            STANDARD.encode(self.stored_key),
            STANDARD.encode(self.server_key)
        )
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(redacted)")
    }
}

fn key(text: &str) -> Result<[u8; 32], InvalidVerifier> {
    STANDARD
        .decode(text)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(InvalidVerifier)
}

/// A value of its own for each purpose and name; the NUL keeps the two apart.
fn derive(secret: &[u8; 32], purpose: &[u8], user: &str) -> [u8; 32] {
    hmac_sha_256(secret, &[purpose, b"\0", user.as_bytes()])
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
fn hmac_sha_256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// For "pencil", with the salt and the round count of RFC 7677, section 3.
    const RFC_7677: &str = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$\
         WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

    #[test]
    fn the_example_of_the_standard_matches() {
        let verifier: Verifier = RFC_7677.parse().unwrap();
        assert!(verifier.matches("pencil"));
        assert!(!verifier.matches("pencil "));
        assert_eq!(verifier.to_string(), RFC_7677);
    }

    #[test]
    fn a_password_matches_its_verifier_alone() {
        let verifier = Verifier::of_password("hunter2").unwrap();
        assert!(verifier.matches("hunter2"));
        assert!(!verifier.matches("hunter3"));
        assert!(!verifier.matches(""));
        assert_ne!(
            verifier,
            Verifier::of_password("hunter2").unwrap(),
            "the salt is random"
        );
    }

    #[test]
    fn passwords_are_prepared_as_postgresql_does_it() {
        for (set, given) in [
            ("I\u{ad}X", "IX"),
            ("\u{2168}", "IX"),
            ("a\u{a0}b", "a b"),
            ("pa\u{30a}ss", "p\u{e5}ss"),
            // Prohibited characters: used as they are.
            ("bell\u{7}", "bell\u{7}"),
        ] {
            assert!(Verifier::of_password(set).unwrap().matches(given), "{set:?}");
        }
    }

    #[test]
    fn a_mock_is_stable_and_matches_nothing() {
        let mock = Verifier::mock("nobody", &[7; 32]);
        assert_eq!(mock, Verifier::mock("nobody", &[7; 32]));
        assert_ne!(mock.salt, Verifier::mock("nobody2", &[7; 32]).salt);
        assert_ne!(mock.salt, Verifier::mock("nobody", &[8; 32]).salt);
        assert!(!mock.matches("nobody"));
        let real = Verifier::of_password("x").unwrap();
        assert_eq!(
            (mock.iterations, mock.salt.len()),
            (real.iterations, real.salt.len())
        );
    }

    #[test]
    fn what_is_no_verifier_is_refused() {
        let key = STANDARD.encode([1; 32]);
        let short = STANDARD.encode([1; 31]);
        for text in [
            String::new(),
            "md5d41d8cd98f00b204e9800998ecf8427e".to_owned(),
            format!("SCRAM-SHA-1$4096:c2FsdA==${key}:{key}"),
            format!("SCRAM-SHA-256$0:c2FsdA==${key}:{key}"),
            format!("SCRAM-SHA-256$-1:c2FsdA==${key}:{key}"),
            format!("SCRAM-SHA-256$1000001:c2FsdA==${key}:{key}"),
            format!("SCRAM-SHA-256$4096:${key}:{key}"),
            format!("SCRAM-SHA-256$4096:c2FsdA${key}:{key}"),
            format!("SCRAM-SHA-256$4096:c2FsdA==${short}:{key}"),
            format!("SCRAM-SHA-256$4096:c2FsdA==${key}:{short}"),
            format!("SCRAM-SHA-256$4096:c2FsdA==${key}"),
            format!("SCRAM-SHA-256$4096:c2FsdA==${key}:{key}$"),
        ] {
            assert_eq!(text.parse::<Verifier>(), Err(InvalidVerifier), "{text}");
        }
    }

    #[test]
    fn its_debug_form_keeps_the_secret() {
        let verifier: Verifier = RFC_7677.parse().unwrap();
        assert_eq!(format!("{verifier:?}"), "Verifier(redacted)");
    }
}
