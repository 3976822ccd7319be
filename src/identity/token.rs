//! API tokens, cookies and form tokens: 256 random bits as text. Only their SHA-256 is stored;
//! with that much randomness a plain hash needs neither salt nor stretching.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Marks our tokens for people and for scanners that look for leaked secrets.
const PREFIX: &str = "hp_";
const BYTES: usize = 32;

/// A secret that its bearer shows: `hp_` and 43 characters of base64url.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// A new one, from the operating system's randomness.
    #[must_use]
    pub fn random() -> Self {
        let bits: [u8; BYTES] = rand::random();
        Self(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bits)))
    }

    /// What somebody presents as a token; `None` where it cannot be one of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bits = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        (bits.len() == BYTES).then(|| Self(text.to_owned()))
    }

    /// SHA-256 of its text: what the store keeps and looks up.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// The text, for its bearer.
    #[must_use]
    pub fn into_text(self) -> String {
        self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(redacted)")
    }
}

/// Whether two secrets are the same; the time it takes tells at most whether their lengths differ.
#[must_use]
pub fn is_same_secret(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_token_is_found_again_by_its_text() {
        let token = Token::random();
        let text = token.clone().into_text();
        assert_eq!(text.len(), 46);
        assert_eq!(Token::parse(&text).unwrap().hash(), token.hash());
        assert_ne!(Token::random().hash(), token.hash());
        assert!(!format!("{token:?}").contains(&text));
    }

    #[test]
    fn the_hash_is_sha_256_of_the_text() {
        let token = Token::parse("hp_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
        let expected: [u8; 32] = Sha256::digest("hp_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").into();
        assert_eq!(token.hash(), expected);
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for text in [
            "",
            "hp_",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "hp_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "hp_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "hp_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            "hp_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA+",
            // Bits that no encoder sets: the same token must not have two texts.
            "hp_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB",
            "HP_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ] {
            assert!(Token::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn secrets_compare() {
        assert!(is_same_secret("abc", "abc"));
        assert!(!is_same_secret("abc", "abd"));
        assert!(!is_same_secret("abc", "ab"));
        assert!(!is_same_secret("", "a"));
    }
}
