//! The end-to-end tests: the real holdpoint between real clients and a real PostgreSQL.
//!
//! One binary, so that it links once and its tests share one PostgreSQL, which they start themselves.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod support;

mod approval;
mod architecture;
mod attack;
mod auth;
mod clients;
mod console;
mod corpus;
mod hold;
mod judged;
mod regress;
mod relay;
mod shared;
mod tls;
mod upstream_tls;
mod wire;
