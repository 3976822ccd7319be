//! The connection to the server: encrypted, verified and authenticated as libpq would have it, and the
//! protocol that is spoken on it.

mod authentication;
mod cancel;
mod certificates;
mod impostors;
mod modes;
mod protocol;

use std::fmt::Write as _;

use tokio_postgres::Error;

use crate::support::Proxy;
use crate::support::cluster::cluster;
use crate::support::driver::{Driver, config};

/// A database of holdpoint's configuration, behind which is the database `postgres`.
#[derive(Debug, Clone)]
struct Behind {
    /// Role and password, as in a URL.
    role: &'static str,
    host: &'static str,
    port: u16,
    /// libpq's parameters, as keys of the configuration.
    parameters: Vec<(&'static str, String)>,
    /// Keys whose values are no texts.
    words: Vec<(&'static str, &'static str)>,
}

impl Behind {
    /// As this role on the real server.
    fn as_role(role: &'static str) -> Self {
        Self {
            role,
            host: "127.0.0.1",
            port: cluster().port,
            parameters: Vec::new(),
            words: Vec::new(),
        }
    }

    fn at(mut self, host: &'static str, port: u16) -> Self {
        self.host = host;
        self.port = port;
        self
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "what is given is mostly made for it"
    )]
    fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.parameters.push((name, value.to_string()));
        self
    }

    /// A key whose value is no text.
    fn with_word(mut self, name: &'static str, value: &'static str) -> Self {
        self.words.push((name, value));
        self
    }

    fn table(&self, name: &str) -> String {
        let Self { role, host, port, .. } = self;
        let mut table =
            format!("[databases.{name}]\nupstream = \"postgres://{role}@{host}:{port}/postgres\"\n");
        for (key, value) in &self.parameters {
            writeln!(table, "{key} = '{value}'").unwrap();
        }
        for (key, value) in &self.words {
            writeln!(table, "{key} = {value}").unwrap();
        }
        table
    }
}

/// A holdpoint in front of these: `d0`, `d1`, and so on.
async fn in_front_of(databases: &[Behind]) -> Proxy {
    let tables: Vec<String> = databases
        .iter()
        .enumerate()
        .map(|(number, database)| database.table(&format!("d{number}")))
        .collect();
    Proxy::with().databases(&tables.concat()).start().await
}

/// Alice, connected to the database of that number.
async fn alice(proxy: &Proxy, number: usize) -> Result<Driver, Error> {
    let mut config = config(proxy.address(), "alice", &proxy.alice.password());
    config.dbname(format!("d{number}"));
    Driver::connect_with(&config).await
}

/// Whether the connection that ends at the real server is encrypted, as the server sees it.
async fn is_encrypted(alice: &Driver) -> bool {
    let query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    match alice.value(query).await.unwrap().as_str() {
        "t" => true,
        "f" => false,
        other => panic!("neither: {other}"),
    }
}

/// How a session came about: `Some(true)` over TLS, `Some(false)` without, `None` not at all.
async fn outcome(proxy: &Proxy, number: usize) -> Option<bool> {
    match alice(proxy, number).await {
        Ok(alice) => Some(is_encrypted(&alice).await),
        Err(error) => {
            let refused = error.as_db_error().expect("holdpoint says it");
            assert_eq!(refused.code().code(), "08001", "{refused:?}");
            None
        }
    }
}
