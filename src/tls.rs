//! TLS: certificates, keys and roots from files, and the rustls configurations that are made of them.
//!
//! Imports nothing of ours. The home of `rustls`, beside `wire`, which carries its streams. Invariants: the
//! provider is `ring`, named wherever a configuration is made; a private key is never shown, in errors and
//! logs neither.

mod pem;

pub use pem::{PemError, certificates, private_key};
