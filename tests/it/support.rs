//! What the tests are written with: a PostgreSQL, a holdpoint in front of it, people, and clients.

pub(crate) mod authority;
pub(crate) mod browser;
pub(crate) mod cluster;
mod command;
pub(crate) mod database;
pub(crate) mod driver;
pub(crate) mod front;
pub(crate) mod home;
mod log;
pub(crate) mod middle;
pub(crate) mod people;
pub(crate) mod poll;
pub(crate) mod proxy;
pub(crate) mod psql;
pub(crate) mod raw;
pub(crate) mod request;
pub(crate) mod server;
pub(crate) mod store;
pub(crate) mod tls;

pub(crate) use cluster::Role;
pub(crate) use command::finish;
pub(crate) use home::folder;
pub(crate) use poll::eventually;
pub(crate) use proxy::Proxy;
