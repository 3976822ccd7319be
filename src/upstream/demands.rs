//! What is demanded of the server's way to authenticate: libpq's `channel_binding` and `require_auth`.
//!
//! Source: PostgreSQL manual, "Parameter Key Words" (libpq); `check_expected_areq` and `pg_SASL_init` in
//! `src/interfaces/libpq/fe-auth.c`.

/// What is demanded.
#[derive(Debug, Clone, Copy, Default)]
pub struct Demands {
    /// Whether SCRAM is bound to the TLS connection.
    pub channel_binding: ChannelBinding,
    /// The methods that will do; `None`: any.
    pub methods: Option<Methods>,
}

/// Whether SCRAM is bound to the TLS connection, so that nobody in the middle can pass it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChannelBinding {
    /// No.
    Disable,
    /// Where the server can.
    #[default]
    Prefer,
    /// Else there is no session.
    Require,
}

/// Methods of authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "a set of four")]
pub struct Methods {
    /// None: the server takes the role at its word, or knows it otherwise (by a certificate).
    pub none: bool,
    /// The password itself.
    pub password: bool,
    /// Its MD5.
    pub md5: bool,
    /// SCRAM-SHA-256, with channel binding or without.
    pub scram: bool,
}
