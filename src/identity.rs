//! Who somebody is: passwords, SCRAM, tokens, browser sessions.
//!
//! Imports `model` and `store`. SCRAM and the hashing live here and nowhere else. Invariants:
//! - neither the content nor the time of an answer tells whether a user exists or is disabled;
//! - only verifiers and hashes are kept; a password, token or cookie is never stored and never logged;
//! - the slow password hash runs on blocking threads, a few at a time.

pub mod directory;
pub mod names;
pub mod scram;
pub mod throttle;
pub mod token;
pub mod verifier;

#[cfg(test)]
mod test_clock;

pub use directory::{
    Credentials, Directory, DirectoryError, Group, KNOWN_FOR, Member, NewUser, NewWebSession, Standing,
};
pub use names::InvalidInput;
pub use scram::{Channel, ScramError, ScramExchange};
pub use throttle::{SignInThrottle, Throttled};
pub use token::Token;
pub use verifier::{InvalidVerifier, Verifier};
