//! Authenticating to the server with whatever it asks for: trust, cleartext, MD5, SCRAM-SHA-256.
//!
//! The computations are `postgres-protocol`'s, the client side of the same exchanges in Rust's drivers.

use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use secrecy::{ExposeSecret, SecretString};

use super::ConnectError;
use crate::wire::Fields;

/// One authentication, from the server's first request to its Ok.
pub(super) struct Authentication<'a> {
    user: &'a str,
    password: Option<&'a SecretString>,
    scram: Option<ScramSha256>,
    scram_finished: bool,
}

/// What to do after a request of the server's.
pub(super) enum Answer {
    /// Send this as the body of a `p` message.
    Send(Vec<u8>),
    /// Nothing is to be sent.
    Nothing,
    /// The server is content.
    Done,
}

impl<'a> Authentication<'a> {
    pub(super) fn new(user: &'a str, password: Option<&'a SecretString>) -> Self {
        Self {
            user,
            password,
            scram: None,
            scram_finished: false,
        }
    }

    /// Answers an Authentication message (`R`).
    pub(super) fn answer(&mut self, body: &[u8]) -> Result<Answer, ConnectError> {
        let mut fields = Fields::of(body);
        match fields.i32()? {
            0 => self.done(),
            3 => {
                let mut password = self.password()?.as_bytes().to_vec();
                password.push(0);
                Ok(Answer::Send(password))
            }
            5 => {
                let salt = fields.bytes(4)?;
                let salt = [salt[0], salt[1], salt[2], salt[3]];
                let mut hash = md5_hash(self.user.as_bytes(), self.password()?.as_bytes(), salt).into_bytes();
                hash.push(0);
                Ok(Answer::Send(hash))
            }
            10 => self.sasl_first(fields),
            11 => {
                let scram = self
                    .scram
                    .as_mut()
                    .ok_or(ConnectError::Protocol("SASL out of turn"))?;
                scram.update(fields.rest()).map_err(ConnectError::Scram)?;
                Ok(Answer::Send(scram.message().to_vec()))
            }
            12 => {
                let scram = self
                    .scram
                    .as_mut()
                    .ok_or(ConnectError::Protocol("SASL out of turn"))?;
                scram.finish(fields.rest()).map_err(ConnectError::Scram)?;
                self.scram_finished = true;
                Ok(Answer::Nothing)
            }
            other => Err(ConnectError::UnsupportedAuthentication(other)),
        }
    }

    /// A server that began SCRAM must prove that it knows the password before it may be content.
    fn done(&self) -> Result<Answer, ConnectError> {
        if self.scram.is_some() && !self.scram_finished {
            return Err(ConnectError::Protocol("the server skipped the end of SCRAM"));
        }
        Ok(Answer::Done)
    }

    fn sasl_first(&mut self, mut fields: Fields<'_>) -> Result<Answer, ConnectError> {
        let mut offered = false;
        while let Ok(mechanism) = fields.cstr() {
            if mechanism.is_empty() {
                break;
            }
            offered |= mechanism == SCRAM_SHA_256.as_bytes();
        }
        if !offered {
            return Err(ConnectError::Protocol("the server offers no SCRAM-SHA-256"));
        }
        let scram = ScramSha256::new(self.password()?.as_bytes(), ChannelBinding::unsupported());
        let mut body = SCRAM_SHA_256.as_bytes().to_vec();
        body.push(0);
        let first = scram.message();
        body.extend(u32::try_from(first.len()).unwrap_or(u32::MAX).to_be_bytes());
        body.extend(first);
        self.scram = Some(scram);
        Ok(Answer::Send(body))
    }

    fn password(&self) -> Result<&'a str, ConnectError> {
        self.password
            .map(ExposeSecret::expose_secret)
            .ok_or(ConnectError::NoPassword)
    }
}
