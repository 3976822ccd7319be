//! What sessions share, from the configuration.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::runtime::Handle;

use super::{Parts, ServeError};
use crate::catalogue::Upkeep;
use crate::config::{
    self, Auth, ChannelBinding, Config, DatabaseConfig, Host, RootCert, SslMode, Unmapped, UpstreamTls,
};
use crate::session::{
    ClientTls, Database, HoldTiming, Limits, Login, Member, Roles, Seats, Sessions, Shared,
};
use crate::sql::{Judge, JudgeLimits, Sight};
use crate::tls::client::{ClientSettings, ClientTlsError, Connector, Roots, Verification};
use crate::upstream::{
    self, Address, Demands, Encryption, Methods, Pool, PoolLimits, ScramKeys, Target, Tls,
};

/// The databases that clients can name, by name.
pub(super) type Databases = BTreeMap<String, Database>;

/// Makes the targets, once: certificates and keys are read here.
pub(super) fn databases(config: &Config) -> Result<Databases, ServeError> {
    let databases = config.databases.iter().map(|(name, config)| {
        let database = database(config).map_err(|source| ServeError::UpstreamTls {
            database: name.clone(),
            source,
        })?;
        Ok((name.clone(), database))
    });
    databases.collect()
}

pub(super) fn shared(
    config: &Config,
    tls: Option<ClientTls>,
    mut databases: Databases,
    parts: &Parts,
    sessions: Arc<Sessions>,
    public_url: String,
    control: &Handle,
) -> Shared {
    let judge = Judge::new(JudgeLimits {
        max_text: config.judge.max_text,
        cache_bytes: config.judge.cache,
        parse_threads: config.judge.threads,
    });
    for (name, database) in &mut databases {
        let interval = config.databases.get(name).and_then(|config| config.catalogue);
        database.catalogue = interval.map(|interval| {
            Upkeep::new(
                Arc::clone(&database.own),
                judge.clone(),
                control.clone(),
                interval,
            )
        });
    }
    Shared {
        judge,
        policy: Arc::clone(&parts.policy),
        broker: parts.broker.clone(),
        observer: parts.observer.clone(),
        audit: parts.audit.clone(),
        directory: Arc::clone(&parts.directory),
        tls,
        databases,
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
        ticks: Arc::clone(&parts.ticks),
    }
}

fn database(config: &DatabaseConfig) -> Result<Database, ClientTlsError> {
    let own = Arc::new(target(config)?);
    let login = match config.auth {
        Auth::Passthrough => Login::Passthrough(Arc::clone(&own)),
        Auth::Proxy => Login::Proxy(roles(config, &own)),
    };
    Ok(Database {
        pools: pools(config, &login),
        login,
        access: config.access.iter().map(member).collect(),
        catalogue: None,
        own,
        read_shield: config.read_shield,
        observe: config.observe,
    })
}

/// A pool for each role, where there are to be any.
fn pools(config: &DatabaseConfig, login: &Login) -> BTreeMap<String, Arc<Pool>> {
    let Login::Proxy(roles) = login else {
        return BTreeMap::new();
    };
    let limits = PoolLimits {
        max_idle: config.pool.max_idle,
        min_idle: config.pool.min_idle,
        max_connections: config.pool.max_connections,
        wait_timeout: config.pool.wait_timeout,
        idle_timeout: config.pool.idle_timeout,
        max_lifetime: config.pool.max_lifetime,
    };
    let targets = roles.mapped.iter().map(|(_, target)| target);
    targets
        .chain(&roles.otherwise)
        .filter(|_| config.pool.is_used())
        .map(|target| (target.user.clone(), Pool::new(Arc::clone(target), limits)))
        .collect()
}

/// What the names in a configured database stand for, asked of its server now, as the role of `upstream`.
///
/// # Errors
/// There is no such database, its catalogue is not asked, or its server does not answer (which is logged).
pub async fn sight_of(config: &Config, name: &str, judge: &Judge) -> Result<Arc<Sight>, ServeError> {
    let unknown = |why: &'static str| ServeError::NoCatalogue {
        database: name.to_owned(),
        why,
    };
    let interval = config
        .databases
        .get(name)
        .ok_or_else(|| unknown("there is no such database in the configuration"))?
        .catalogue
        .ok_or_else(|| unknown("its catalogue is not asked, says the configuration"))?;
    let databases = databases(config)?;
    let own = databases.get(name).map(|database| Arc::clone(&database.own));
    let own = own.ok_or_else(|| unknown("there is no such database in the configuration"))?;
    let upkeep = Upkeep::new(own, judge.clone(), Handle::current(), interval);
    let snapshot = upkeep.fresh().await;
    if upkeep.current().is_none() {
        return Err(unknown("its server did not tell"));
    }
    Ok(snapshot.sight(true))
}

/// Each role's target is made once.
fn roles(config: &DatabaseConfig, own: &Arc<Target>) -> Roles {
    let mapped = config.roles.iter().map(|entry| {
        let target = Target {
            user: entry.role.clone(),
            password: entry.password.clone(),
            scram_keys: ScramKeys::default(),
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

fn target(database: &DatabaseConfig) -> Result<Target, ClientTlsError> {
    let upstream = &database.upstream;
    let (address, encryption) = match &upstream.host {
        Host::Tcp(host) => (
            Address::Tcp(host.clone(), upstream.port),
            encryption(host, &database.tls)?,
        ),
        Host::Unix(folder) => (
            Address::Unix(folder.join(format!(".s.PGSQL.{}", upstream.port))),
            Encryption::Never,
        ),
    };
    Ok(Target {
        address,
        user: upstream.user.clone(),
        dbname: upstream.dbname.clone(),
        password: upstream.password.clone(),
        scram_keys: ScramKeys::default(),
        encryption,
        demands: demands(&database.tls),
        connect_timeout: database.connect_timeout,
    })
}

fn encryption(host: &str, config: &UpstreamTls) -> Result<Encryption, ClientTlsError> {
    if config.mode == SslMode::Disable {
        return Ok(Encryption::Never);
    }
    let roots = match &config.root {
        None => None,
        Some(RootCert::System) => Some(Roots::System),
        Some(RootCert::File(path)) => Some(Roots::File(path.clone())),
    };
    // Roots are there where the mode verifies, and only there; without, it would not verify less.
    let verification = match config.mode {
        SslMode::VerifyFull => Verification::ChainAndHost(roots.unwrap_or(Roots::System)),
        SslMode::VerifyCa => Verification::Chain(roots.unwrap_or(Roots::System)),
        SslMode::Disable | SslMode::Allow | SslMode::Prefer | SslMode::Require => Verification::Nothing,
    };
    let connector = Connector::new(
        host,
        &ClientSettings {
            verification,
            certificate: config.certificate.clone(),
            revoked: config.crl.clone(),
            only_tls13: config.only_tls13,
            sni: config.sni,
        },
    )?;
    let tls = Tls {
        connector,
        direct: config.direct,
    };
    Ok(match config.mode {
        SslMode::Disable => Encryption::Never,
        SslMode::Allow => Encryption::IfRefused(tls),
        SslMode::Prefer => Encryption::IfOffered(tls),
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => Encryption::Always(tls),
    })
}

fn demands(config: &UpstreamTls) -> Demands {
    Demands {
        channel_binding: match config.channel_binding {
            ChannelBinding::Disable => upstream::ChannelBinding::Disable,
            ChannelBinding::Prefer => upstream::ChannelBinding::Prefer,
            ChannelBinding::Require => upstream::ChannelBinding::Require,
        },
        methods: config.require_auth.map(|methods| Methods {
            none: methods.none,
            password: methods.password,
            md5: methods.md5,
            scram: methods.scram,
        }),
    }
}
