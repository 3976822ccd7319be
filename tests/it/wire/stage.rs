//! Where a transcript is played: a way to a server, and a schema of the play's own behind it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use super::send::packet;
use crate::support::Proxy;
use crate::support::cluster::cluster;
use crate::support::database::Database;
use crate::support::people::{DATABASE, Person};
use crate::support::raw::{Message, Raw};

/// A way to a server.
#[derive(Debug, Clone)]
pub(super) struct Way {
    /// For people.
    pub(super) name: &'static str,
    address: SocketAddr,
    user: String,
    password: String,
    /// What clients call the database.
    database: String,
}

impl Way {
    /// To the server itself.
    pub(super) fn direct(database: &Database) -> Self {
        Self {
            name: "directly",
            address: ([127, 0, 0, 1], cluster().port).into(),
            user: "app_trust".to_owned(),
            password: String::new(),
            database: database.name.clone(),
        }
    }

    /// Through holdpoint.
    pub(super) fn through(proxy: &Proxy) -> Self {
        Self::to(proxy.address(), &proxy.alice, DATABASE)
    }

    /// Through holdpoint at `address`, to a database that it calls `database`.
    pub(super) fn to(address: SocketAddr, person: &Person, database: &str) -> Self {
        Self {
            name: "through holdpoint",
            address,
            user: person.name.to_owned(),
            password: person.password(),
            database: database.to_owned(),
        }
    }
}

/// A way, with a schema that is used for one play only.
#[derive(Debug)]
pub(super) struct Stage<'d> {
    pub(super) way: Way,
    database: &'d Database,
    schema: String,
}

impl<'d> Stage<'d> {
    pub(super) async fn set(way: &Way, database: &'d Database) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let schema = format!("play{}", COUNT.fetch_add(1, Ordering::Relaxed));
        database
            .run(&format!("CREATE SCHEMA {schema} AUTHORIZATION app_trust"))
            .await;
        Self {
            way: way.clone(),
            database,
            schema,
        }
    }

    /// What was made in it goes with it.
    pub(super) async fn clear(self) {
        let drop = format!(
            "SET client_min_messages = error; DROP SCHEMA {} CASCADE",
            self.schema
        );
        self.database.run(&drop).await;
    }

    /// A connection that is not logged in.
    pub(super) async fn connect(&self) -> Raw {
        Raw::connect(self.way.address).await
    }

    /// A connection that is ready for its first statement.
    pub(super) async fn log_in(&self) -> Raw {
        let mut raw = self.connect().await;
        let greeting = self.start_up(&mut raw, 0x0003_0000, &[]).await;
        let last = greeting.back().map(|message| message.tag);
        assert_eq!(last, Some(b'Z'), "{greeting:?}");
        raw
    }

    /// Sends a startup packet and answers for the password. Gives what comes, up to ReadyForQuery or an error.
    pub(super) async fn start_up(
        &self,
        raw: &mut Raw,
        version: u32,
        parameters: &[(String, Vec<u8>)],
    ) -> VecDeque<Message> {
        let options = format!("-c search_path={}", self.schema);
        let ours = [
            ("user", self.way.user.as_str()),
            ("database", &self.way.database),
            ("options", &options),
        ];
        let given = parameters.iter().map(|(name, value)| (name.as_str(), &value[..]));
        let is_given = |name: &str| parameters.iter().any(|(given, _)| given == name);
        let added = ours.iter().filter(|(name, _)| !is_given(name));
        let added = added.map(|(name, value)| (*name, value.as_bytes()));
        let mut rest = Vec::new();
        for (name, value) in added.chain(given) {
            rest.extend(name.as_bytes());
            rest.push(0);
            rest.extend(value);
            rest.push(0);
        }
        rest.push(0);
        raw.send(packet(version, &rest)).await;
        raw.authenticate(&self.way.password).await.into()
    }
}
