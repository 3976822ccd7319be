//! Authenticating to the server with whatever it asks for: trust, cleartext, MD5, SCRAM-SHA-256.
//!
//! MD5 is `postgres-protocol`'s, as in Rust's drivers; SCRAM is in `scram`, which computes a password's keys once.
//! What libpq would not answer is not answered here: see [`Demands`].

use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{SCRAM_SHA_256, SCRAM_SHA_256_PLUS};
use secrecy::{ExposeSecret, SecretString};

use super::demands::{ChannelBinding, Demands, Methods};
use super::encryption::Encrypted;
use super::scram::{Binding, Exchange, ScramKeys};
use super::{ConnectError, Target};
use crate::wire::Fields;

/// One authentication, from the server's first request to its Ok.
pub(super) struct Authentication<'a> {
    user: &'a str,
    password: Option<&'a SecretString>,
    keys: &'a ScramKeys,
    demands: Demands,
    encrypted: Option<&'a Encrypted>,
    scram: Option<Exchange>,
    scram_finished: bool,
    /// SCRAM is bound to the connection.
    is_bound: bool,
    /// A password was sent, in whatever form.
    has_answered: bool,
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
    /// On a connection that is `encrypted`, or is not.
    pub(super) fn new(target: &'a Target, encrypted: Option<&'a Encrypted>) -> Self {
        Self {
            user: &target.user,
            password: target.password.as_ref(),
            keys: &target.scram_keys,
            demands: target.demands,
            encrypted,
            scram: None,
            scram_finished: false,
            is_bound: false,
            has_answered: false,
        }
    }

    /// Answers an Authentication message (`R`).
    pub(super) fn answer(&mut self, body: &[u8]) -> Result<Answer, ConnectError> {
        let mut fields = Fields::of(body);
        let request = fields.i32()?;
        if self.scram.is_some() && matches!(request, 3 | 5 | 10) {
            // A server that can go on has no need to begin again, and must not get the password in another form.
            return Err(ConnectError::Protocol(
                "it asked for a password again, after SCRAM",
            ));
        }
        match request {
            0 => self.done(),
            3 => {
                self.demand("a cleartext password", |methods| methods.password)?;
                self.demand_no_binding()?;
                let mut password = self.password()?.as_bytes().to_vec();
                password.push(0);
                self.has_answered = true;
                Ok(Answer::Send(password))
            }
            5 => {
                self.demand("an MD5 password", |methods| methods.md5)?;
                self.demand_no_binding()?;
                let salt = fields.bytes(4)?;
                let salt = [salt[0], salt[1], salt[2], salt[3]];
                let mut hash = md5_hash(self.user.as_bytes(), self.password()?.as_bytes(), salt).into_bytes();
                hash.push(0);
                self.has_answered = true;
                Ok(Answer::Send(hash))
            }
            10 => self.sasl_first(fields),
            11 => {
                let password = self.password()?;
                let scram = self
                    .scram
                    .as_mut()
                    .ok_or(ConnectError::Protocol("SASL out of turn"))?;
                let answer = scram.answer(fields.rest(), password, self.keys);
                Ok(Answer::Send(answer.map_err(ConnectError::Scram)?.into_bytes()))
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
        if !self.has_answered {
            self.demand("no authentication", |methods| methods.none)?;
        }
        if !self.is_bound {
            self.demand_no_binding()?;
        }
        Ok(Answer::Done)
    }

    fn sasl_first(&mut self, mut fields: Fields<'_>) -> Result<Answer, ConnectError> {
        self.demand("SCRAM", |methods| methods.scram)?;
        let (mut plain, mut plus) = (false, false);
        while let Ok(mechanism) = fields.cstr() {
            if mechanism.is_empty() {
                break;
            }
            plain |= mechanism == SCRAM_SHA_256.as_bytes();
            plus |= mechanism == SCRAM_SHA_256_PLUS.as_bytes();
        }
        let (mechanism, binding) = self.binding(plus)?;
        if mechanism == SCRAM_SHA_256 && !plain {
            return Err(ConnectError::Protocol("the server offers no SCRAM-SHA-256"));
        }
        self.is_bound = mechanism == SCRAM_SHA_256_PLUS;
        self.password()?;
        let scram = Exchange::new(binding);
        let mut body = mechanism.as_bytes().to_vec();
        body.push(0);
        let first = scram.first();
        body.extend(u32::try_from(first.len()).unwrap_or(u32::MAX).to_be_bytes());
        body.extend(first.into_bytes());
        self.scram = Some(scram);
        self.has_answered = true;
        Ok(Answer::Send(body))
    }

    /// Chooses between SCRAM with and without channel binding, and what the server is told of it: one that
    /// offers it, and hears that we believed it did not, knows that somebody took its offer away.
    fn binding(&self, offered: bool) -> Result<(&'static str, Binding), ConnectError> {
        let required = self.demands.channel_binding == ChannelBinding::Require;
        let wanted = self.demands.channel_binding != ChannelBinding::Disable;
        let Some(encrypted) = self.encrypted else {
            return if offered {
                // Somebody takes TLS away: the server would refuse.
                Err(ConnectError::Protocol(
                    "the server offered channel binding over a connection without TLS",
                ))
            } else if required {
                Err(ConnectError::NoChannelBinding("the connection is without TLS"))
            } else {
                Ok((SCRAM_SHA_256, Binding::Unsupported))
            };
        };
        match &encrypted.end_point {
            _ if !wanted => Ok((SCRAM_SHA_256, Binding::Unsupported)),
            Some(hash) if offered => Ok((SCRAM_SHA_256_PLUS, Binding::EndPoint(hash.clone()))),
            _ if required && offered => Err(ConnectError::NoChannelBinding(
                "the server's certificate has a signature for which it is not defined (Ed25519, for one)",
            )),
            _ if required => Err(ConnectError::NoChannelBinding("the server does not offer it")),
            None => Ok((SCRAM_SHA_256, Binding::Unsupported)),
            Some(_) => Ok((SCRAM_SHA_256, Binding::Unrequested)),
        }
    }

    fn demand(&self, method: &'static str, is_good: impl Fn(&Methods) -> bool) -> Result<(), ConnectError> {
        match &self.demands.methods {
            Some(methods) if !is_good(methods) => Err(ConnectError::ForbiddenAuthentication(method)),
            _ => Ok(()),
        }
    }

    /// Whether it may do without channel binding.
    fn demand_no_binding(&self) -> Result<(), ConnectError> {
        if self.demands.channel_binding == ChannelBinding::Require {
            return Err(ConnectError::NoChannelBinding("the server did not ask for SCRAM"));
        }
        Ok(())
    }

    fn password(&self) -> Result<&'a str, ConnectError> {
        self.password
            .map(ExposeSecret::expose_secret)
            .ok_or(ConnectError::NoPassword)
    }
}
