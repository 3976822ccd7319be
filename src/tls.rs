//! TLS: certificates, keys and roots from files, and the rustls configurations that are made of them.
//!
//! Imports nothing of ours. The home of `rustls`, beside `wire`, which carries its streams, and of
//! `x509_cert`. Invariants: the provider is `ring`, named wherever a configuration is made; a private key is
//! never shown, in errors and logs neither.

mod certificate;
pub mod client;
mod pem;
mod server;

pub use certificate::{Subject, server_end_point, subject};
pub use pem::{PemError, certificates, private_key, revocation_lists};
pub use server::{Acceptor, Asked, Secured, ServerFiles, TlsError, Version};
