//! Identifiers of requests: short enough to read out on the telephone.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Crockford's base 32, lower case: no i, l, o, u.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters of an identifier: 12 × 5 = 60 random bits.
const LENGTH: usize = 12;

/// The identifier of a request or a grant: twelve characters of Crockford's base 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId([u8; LENGTH]);

impl RequestId {
    /// An identifier from 60 of the given random bits.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "five bits are wanted")]
    pub fn from_random(bits: u64) -> Self {
        let mut id = [0; LENGTH];
        for (i, c) in id.iter_mut().enumerate() {
            *c = ALPHABET[usize::from((bits >> (i * 5)) as u8 & 31)];
        }
        Self(id)
    }

    /// The identifier as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only ASCII of ALPHABET is ever stored.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is no request identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a request id (twelve letters and digits, as in k7f3m9q2x0ab)")]
pub struct InvalidRequestId;

impl FromStr for RequestId {
    type Err = InvalidRequestId;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let id: [u8; LENGTH] = s
            .to_ascii_lowercase()
            .as_bytes()
            .try_into()
            .map_err(|_| InvalidRequestId)?;
        if id.iter().all(|c| ALPHABET.contains(c)) {
            Ok(Self(id))
        } else {
            Err(InvalidRequestId)
        }
    }
}

impl Serialize for RequestId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for RequestId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text() {
        for bits in [0, 1, u64::MAX, 0x0123_4567_89ab_cdef] {
            let id = RequestId::from_random(bits);
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
        }
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in [
            "",
            "k7f3m9q2x0a",
            "k7f3m9q2x0abc",
            "k7f3m9q2x0ai",
            "../../../../.",
            "é7f3m9q2x0a",
        ] {
            assert_eq!(text.parse::<RequestId>(), Err(InvalidRequestId), "{text}");
        }
    }
}
