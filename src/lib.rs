//! holdpoint: a PostgreSQL wire-protocol proxy that holds statements until a person approves them.
//!
//! The modules follow the way of a statement; `docs/ARCHITECTURE.md` walks through them.
//! Imports point one way: `model` imports nothing of ours, `wire` nothing of ours, `timer`, which all may import, neither;
//! `sql`, `policy`, `store`, `audit` import `model`; `approval` adds `policy` and `store`;
//! `upstream` adds `wire`; `catalogue` has `sql` and `upstream`; `session` all of these; `console` never sees `session` or `wire`;
//! `app` and `cli` put everything together. `tests/it/architecture.rs` holds this.

#![forbid(unsafe_code)]

pub mod app;
pub mod approval;
pub mod audit;
pub mod catalogue;
pub mod cli;
pub mod config;
pub mod console;
pub mod identity;
pub mod model;
pub mod policy;
pub mod session;
pub mod sql;
pub mod store;
pub mod timer;
pub mod tls;
pub mod upstream;
pub mod wire;
