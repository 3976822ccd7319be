//! Real clients: psql and its kin, and drivers of several languages.
//!
//! Each has a program of its own that uses much of what the client can do and checks what it gets. It runs twice at
//! once, directly and through a holdpoint that lets everything pass, and must print the same. Another one has
//! statements held: it waits, gets its result, and gets a rejection as an error of its own kind.
//!
//! A client that cannot be had here is skipped, and the test says why. With `HOLDPOINT_EXPECT_CLIENTS`, which lists
//! names of clients or is `all`, that is a failure. The programs that are not Rust are in `tests/clients`.

mod install;
mod place;
mod program;
mod report;

mod dump;
mod held;
mod java;
mod large_objects;
mod node;
mod pgbench;
mod psql;
mod python;
mod rust_postgres;
mod rust_sqlx;
