//! Every promise about a held statement, with real psql and with tokio-postgres.

mod announced;
mod approved;
mod decisions;
mod gone;
mod observed;
mod recorded;
mod refused;
mod reloaded;
mod server;
mod stopping;
mod store_down;
mod transactions;
mod values;
mod withdrawn;
