//! What sessions share, from the configuration.

use std::sync::{Arc, RwLock};

use super::{Files, Parts};
use crate::config::{Config, DatabaseConfig, Host};
use crate::session::{HoldTiming, Limits, Sessions, Shared};
use crate::sql::{Judge, JudgeLimits};
use crate::upstream::{Address, Target};

pub(super) fn shared(
    config: &Config,
    files: Files,
    parts: &Parts,
    sessions: Arc<Sessions>,
    public_url: String,
) -> Shared {
    let databases = config
        .databases
        .iter()
        .map(|(name, database)| (name.clone(), Arc::new(target(database))));
    Shared {
        judge: Judge::new(JudgeLimits {
            max_text: config.judge.max_text,
            cache_bytes: config.judge.cache,
            parse_threads: config.judge.threads,
        }),
        policy: RwLock::new(Arc::new(files.policy)),
        broker: parts.broker.clone(),
        directory: Arc::clone(&parts.directory),
        tls: files.tls,
        databases: databases.collect(),
        sessions,
        hold: HoldTiming {
            timeout: config.hold.timeout,
            notice_interval: config.hold.notice_interval,
        },
        limits: Limits {
            max_message: config.proxy.max_message,
            hold_buffer: config.proxy.hold_buffer,
            login_timeout: config.proxy.login_timeout,
            max_connections: config.proxy.max_connections,
        },
        public_url,
        clock: Arc::clone(&parts.clock),
    }
}

fn target(database: &DatabaseConfig) -> Target {
    let upstream = &database.upstream;
    let address = match &upstream.host {
        Host::Tcp(host) => Address::Tcp(host.clone(), upstream.port),
        Host::Unix(folder) => Address::Unix(folder.join(format!(".s.PGSQL.{}", upstream.port))),
    };
    Target {
        address,
        user: upstream.user.clone(),
        dbname: upstream.dbname.clone(),
        password: upstream.password.clone(),
        connect_timeout: database.connect_timeout,
    }
}
