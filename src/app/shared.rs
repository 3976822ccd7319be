//! What sessions share, from the configuration.

use std::sync::{Arc, RwLock};

use super::{Files, Parts};
use crate::config::{self, Auth, Config, DatabaseConfig, Host, Unmapped};
use crate::session::{Database, HoldTiming, Limits, Login, Member, Roles, Seats, Sessions, Shared};
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
        .map(|(name, config)| (name.clone(), database(config)));
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
        seats: Arc::new(Seats::new(
            config.proxy.max_connections,
            config.proxy.max_connections_per_user,
        )),
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

fn database(config: &DatabaseConfig) -> Database {
    let own = Arc::new(target(config));
    let login = match config.auth {
        Auth::Passthrough => Login::Passthrough(own),
        Auth::Proxy => Login::Proxy(roles(config, &own)),
    };
    Database {
        login,
        access: config.access.iter().map(member).collect(),
    }
}

/// Each role's target is made once.
fn roles(config: &DatabaseConfig, own: &Arc<Target>) -> Roles {
    let mapped = config.roles.iter().map(|entry| {
        let target = Target {
            user: entry.role.clone(),
            password: entry.password.clone(),
            ..Target::clone(own)
        };
        (entry.members.iter().map(member).collect(), Arc::new(target))
    });
    Roles {
        mapped: mapped.collect(),
        otherwise: match config.unmapped {
            Unmapped::Upstream => Some(Arc::clone(own)),
            Unmapped::Refuse => None,
        },
    }
}

fn member(member: &config::Member) -> Member {
    match member {
        config::Member::User(name) => Member::User(name.clone()),
        config::Member::Group(name) => Member::Group(name.clone()),
        config::Member::Everybody => Member::Everybody,
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
