//! The composition root: makes everything from the configuration, runs it, and stops it.
//!
//! Imports everything but `cli`. Two kinds of threads: a control runtime (console, store, clocks) and the
//! data threads, each with a runtime of its own, on which sessions live.
//!
//! Invariants: the ports are bound before the store is touched, so that a second holdpoint by mistake
//! changes nothing; what an earlier run left open is settled before the first session; a stop ends
//! sessions, then waits until everything that must be recorded is.

mod expel;
mod last;
mod logging;
mod reload;
mod shared;
mod signals;
mod workers;

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt;
use secrecy::ExposeSecret as _;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::approval::{
    Broker, Observer, ObserverLimits, beat_on, follow_fellows, record_observed, sweep_expired,
};
use crate::audit::{AuditLog, AuditSettings, AuditWriter};
use crate::config::{AuditConfig, AuditOverflow, AuditStatements, Config, ObserveConfig, StoreUrl};
use crate::console::{self, ConsoleState};
use crate::identity::{Directory, SignInThrottle};
use crate::model::{Clock, CoarseClock, SystemClock};
use crate::policy::{Policy, PolicyError, PolicyInForce};
use crate::session::{ClientTls, Sessions, Shared};
use crate::store::{self, Store, StoreError};
use crate::tls::TlsError;
use crate::tls::client::ClientTlsError;
use crate::upstream::Pool;
use crate::wire;
use expel::Disabled;
use last::Last;
pub use shared::sight_of;
use signals::{Signals, Wish};
use workers::Workers;

/// How long running statements are given at a stop.
const GRACE: Duration = Duration::from_secs(10);
/// How often connections to servers are looked at that nobody uses.
const TEND_POOLS: Duration = Duration::from_secs(1);

/// Why the proxy does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address} for {what}: {source}{}", hint_of(.source))]
    Listen {
        /// `[proxy] listen` or `[console] listen`.
        what: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Another holdpoint serves with the same store.
    #[error("the store {} is in use by another holdpoint: one store serves one proxy", store.display())]
    StoreInUse {
        /// The database's file.
        store: PathBuf,
    },
    /// The file that guards the store cannot be locked.
    #[error("cannot lock {}: {source}", path.display())]
    Lock {
        /// The lock's file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What is configured for TLS to a database cannot be used.
    #[error("[databases.{database}] {source}")]
    UpstreamTls {
        /// The NAME of `[databases.NAME]`.
        database: String,
        /// Which key, and why.
        source: ClientTlsError,
    },
    /// What names in a database stand for cannot be learnt.
    #[error("[databases.{database}] the catalogue: {why}")]
    NoCatalogue {
        /// The NAME of `[databases.NAME]`.
        database: String,
        /// Why.
        why: &'static str,
    },
    /// What passes cannot be recorded.
    #[error("[audit] file {}: {source}", path.display())]
    Audit {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A thread or a runtime cannot be made.
    #[error("cannot start: {0}")]
    Start(#[source] io::Error),
    /// The policy is not fit.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A file of `[proxy.tls]` is not fit.
    #[error("[proxy.tls]: {0}")]
    Tls(#[from] TlsError),
    /// The store does not work.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn hint_of(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => " (another program listens there: stop it, or configure another port)",
        io::ErrorKind::PermissionDenied => " (ports below 1024 need a privilege)",
        _ => "",
    }
}

/// Runs the proxy and the console until SIGINT or SIGTERM. Policies are read again at SIGHUP, certificates also
/// when they have changed. Blocks; not to be called inside a runtime.
pub fn serve(config: &Config) -> Result<(), ServeError> {
    logging::start(&config.log);
    let policy = Policy::load(&config.policy.dir)?.with_default_timeout(config.hold.timeout);
    let tls = reload::client_tls(&config.proxy)?;
    let databases = shared::databases(config)?;
    let proxy = config
        .proxy
        .listen
        .iter()
        .map(|&address| listen("[proxy] listen", address))
        .collect::<Result<Vec<_>, _>>()?;
    let console = listen("[console] listen", config.console.listen)?;
    let control = Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("holdpoint-control")
        .enable_all()
        .build()
        .map_err(ServeError::Start)?;
    let files = Files {
        policy,
        tls,
        databases,
    };
    let served = control.block_on(run(config, files, Listeners { proxy, console }, &control));
    control.shutdown_timeout(Duration::from_secs(1));
    served
}

fn listen(what: &'static str, address: SocketAddr) -> Result<TcpListener, ServeError> {
    let failed = |source| ServeError::Listen {
        what,
        address,
        source,
    };
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    wire::prepare_listener(&listener).map_err(failed)?;
    Ok(listener)
}

/// What was read from files beside the configuration.
struct Files {
    policy: Policy,
    tls: Option<ClientTls>,
    databases: shared::Databases,
}

/// Where `serve` listens.
struct Listeners {
    proxy: Vec<TcpListener>,
    console: TcpListener,
}

async fn run(
    config: &Config,
    files: Files,
    listeners: Listeners,
    control: &Runtime,
) -> Result<(), ServeError> {
    let mut signals = Signals::listen().map_err(ServeError::Start)?;
    let (store, _lock) = open_store(&config.store.url).await?;
    let policy = Arc::new(PolicyInForce::new(files.policy));
    let mut parts = Parts::new(&store, policy, control, &config.observe).await?;
    let recording = open_audit(
        &config.audit,
        &config.store.url,
        config.proxy.workers.count().get(),
    )?;
    parts.audit = recording.as_ref().map(|(log, _)| log.clone());
    let console_address = listeners.console.local_addr().map_err(ServeError::Start)?;
    let public_url = config.console.public_url(console_address);
    // Before anything of this one could be taken for something that is left over.
    store.beat(&public_url, config.store.dead_after).await?;
    let left_over = parts.broker.abandon_left_over().await?;
    if left_over > 0 {
        tracing::warn!(
            requests = left_over,
            "settled as abandoned what an earlier run left open"
        );
    }

    let stopping = CancellationToken::new();
    let console = parts.console(config, &public_url, &stopping);
    let serving = serve_console(listeners.console, console, stopping.clone())?;
    let beating = tokio::spawn(beat_on(
        parts.broker.clone(),
        public_url.as_str().into(),
        config.store.dead_after,
    ));
    let recorder = tokio::spawn(record_observed(parts.observer.clone(), stopping.clone()));
    say_what_is_observed(config);

    let sessions = Arc::new(Sessions::default());
    for listener in &listeners.proxy {
        let address = listener.local_addr().map_err(ServeError::Start)?;
        tracing::info!(%address, "proxy listens");
    }
    tracing::info!(address = %console_address, url = %public_url, "console listens");
    let shared = Arc::new(shared::shared(
        config,
        files.tls,
        files.databases,
        &parts,
        Arc::clone(&sessions),
        public_url,
        control.handle(),
    ));
    let threads = config.proxy.workers.count().get();
    let rounds = parts.rounds(&sessions, config.store.dead_after).await?;
    let workers = Workers::start(&shared, listeners.proxy, threads).map_err(ServeError::Start)?;

    let keeper = tokio::spawn(tend_pools(Arc::clone(&shared)));
    until_stop(&mut signals, config, &shared).await;
    keeper.abort();
    pools(&shared).for_each(|pool| pool.close());
    end_sessions(workers, &sessions, &mut signals).await;
    stopping.cancel();
    rounds.iter().for_each(JoinHandle::abort);
    let last = Last {
        console: serving,
        broker: parts.broker,
        recorder,
        recording,
        beating,
        store,
    };
    last.writes().await;
    tracing::info!("stopped");
    Ok(())
}

/// The store, and the lock on its file, where it is one.
async fn open_store(url: &StoreUrl) -> Result<(Arc<dyn Store>, Option<File>), ServeError> {
    let lock = match url {
        StoreUrl::Sqlite(path) => Some(lock(path)?),
        StoreUrl::Postgres(_) => None,
    };
    let store = store::open(url.to_open().expose_secret()).await?;
    if let StoreUrl::Postgres(place) = url {
        tracing::info!(store = %place, "the store can be shared with other proxies");
    }
    Ok((store, lock))
}

/// The audit log of what passes, where there is to be one. As many threads as are said record in it.
fn open_audit(
    config: &AuditConfig,
    store: &StoreUrl,
    threads: usize,
) -> Result<Option<(AuditLog, AuditWriter)>, ServeError> {
    let Some(path) = config.file.clone() else {
        return Ok(None);
    };
    let settings = AuditSettings {
        path: path.clone(),
        never: store.files(),
        all: config.statements == AuditStatements::All,
        refuses: config.overflow == AuditOverflow::Refuse,
        max_queue: config.max_queue,
        max_file: (config.max_file > 0).then_some(config.max_file as u64),
        interval: config.interval,
    };
    let opened = settings.open(threads);
    let opened = opened.map_err(|source| ServeError::Audit {
        path: path.clone(),
        source,
    })?;
    tracing::info!(path = %path.display(), "what passes is recorded");
    Ok(Some(opened))
}

/// Nobody is to believe that a database is guarded which is not.
fn say_what_is_observed(config: &Config) {
    for (name, _) in config.databases.iter().filter(|(_, database)| database.observe) {
        tracing::warn!(database.name = %name, "this database is observed: nothing there is held or denied");
    }
}

/// Serves, and reads files again where that is asked for or they have changed, until a signal to stop.
async fn until_stop(signals: &mut Signals, config: &Config, shared: &Shared) {
    let mut watch = reload::Watch::new(&config.proxy);
    loop {
        tokio::select! {
            biased;
            wish = signals.next() => match wish {
                Wish::Stop => return,
                Wish::Reload => {
                    watch.look();
                    reload::reload(config, shared);
                    shared.audit.iter().for_each(AuditLog::reopen);
                }
            },
            () = watch.changed() => reload::certificates(&config.proxy, shared),
        }
    }
}

/// What the proxy and the console have in common.
struct Parts {
    broker: Broker,
    policy: Arc<PolicyInForce>,
    observer: Observer,
    audit: Option<AuditLog>,
    directory: Arc<Directory>,
    clock: Arc<dyn Clock>,
    ticks: Arc<CoarseClock>,
}

impl Parts {
    async fn new(
        store: &Arc<dyn Store>,
        policy: Arc<PolicyInForce>,
        control: &Runtime,
        observe: &ObserveConfig,
    ) -> Result<Self, StoreError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let secret = store.secret().await?;
        let broker = Broker::new(Arc::clone(store), Arc::clone(&clock), control.handle().clone());
        let limits = ObserverLimits {
            keep: observe.keep,
            max_rows: u64::try_from(observe.max_rows).unwrap_or(u64::MAX),
        };
        let observer = Observer::new(Arc::clone(store), Arc::clone(&clock), limits);
        let directory = Arc::new(Directory::new(Arc::clone(store), Arc::clone(&clock), secret));
        Ok(Self {
            broker,
            policy,
            observer,
            audit: None,
            directory,
            clock,
            ticks: Arc::default(),
        })
    }

    fn console(&self, config: &Config, public_url: &str, stopping: &CancellationToken) -> ConsoleState {
        ConsoleState {
            broker: Arc::new(self.broker.clone()),
            policy: Arc::clone(&self.policy),
            databases: config.databases.keys().cloned().collect(),
            directory: Arc::clone(&self.directory),
            throttle: Arc::new(SignInThrottle::new(Arc::clone(&self.clock))),
            clock: Arc::clone(&self.clock),
            secure_cookies: public_url.starts_with("https://"),
            public_url: public_url.to_owned(),
            shutdown: stopping.clone(),
        }
    }

    /// What goes on as long as there are sessions; to be dropped then. To be called before there are some.
    async fn rounds(
        &self,
        sessions: &Arc<Sessions>,
        dead_after: Duration,
    ) -> Result<[JoinHandle<()>; 4], StoreError> {
        let disabled = Disabled::watch(Arc::clone(&self.directory), Arc::clone(sessions)).await?;
        Ok([
            tokio::spawn(sweep_expired(self.broker.clone())),
            tokio::spawn(follow_fellows(self.broker.clone(), dead_after)),
            tokio::spawn(disabled.expel()),
            tokio::spawn(tick(Arc::clone(&self.ticks))),
        ])
    }
}

/// Lets what runs finish, within bounds, and ends the data threads.
async fn end_sessions(workers: Workers, sessions: &Sessions, signals: &mut Signals) {
    tracing::info!("stopping: no new sessions; running statements may finish");
    workers.stop_accepting();
    sessions.stop_all();
    tokio::select! {
        () = drained(sessions) => {}
        () = crate::timer::sleep(GRACE) => tracing::warn!(sessions = sessions.len(), "sessions are cut off"),
        () = signals.stop() => tracing::warn!(sessions = sessions.len(), "asked again: sessions are cut off"),
    }
    workers.stop().await;
}

/// The file that a name stands for, through symbolic links, whether or not it is there yet: one store has one lock.
fn resolved(store: &Path) -> PathBuf {
    let folder = || {
        let folder = store.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).canonicalize().ok()?;
        Some(folder.join(store.file_name()?))
    };
    store
        .canonicalize()
        .ok()
        .or_else(folder)
        .unwrap_or_else(|| store.to_owned())
}

/// Takes the store for this process alone: a second holdpoint on it would settle what this one holds.
/// The lock ends with the process; its file stays, and means nothing.
fn lock(store: &Path) -> Result<File, ServeError> {
    let mut path = resolved(store).into_os_string();
    path.push(".lock");
    let failed = |source| ServeError::Lock {
        path: path.clone().into(),
        source,
    };
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ServeError::StoreInUse {
            store: store.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

fn serve_console(
    listener: TcpListener,
    state: ConsoleState,
    stopping: CancellationToken,
) -> Result<JoinHandle<()>, ServeError> {
    let listener = tokio::net::TcpListener::from_std(listener).map_err(ServeError::Start)?;
    // Tapped, the listener's addresses are what the service is told.
    let listener = ListenerExt::tap_io(console::Seats::new(listener), |_| {});
    let service = console::router(state).into_make_service_with_connect_info::<SocketAddr>();
    Ok(tokio::spawn(async move {
        let serving = axum::serve(listener, service).with_graceful_shutdown(stopping.cancelled_owned());
        if let Err(error) = serving.await {
            tracing::error!(%error, "the console failed");
        }
    }))
}

/// Tells the coarse clock once a second how much time has passed.
async fn tick(ticks: Arc<CoarseClock>) {
    let start = crate::timer::Instant::now();
    let mut seconds = crate::timer::interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(crate::timer::MissedTickBehavior::Skip);
    loop {
        let now = seconds.tick().await;
        ticks.tick(u32::try_from((now - start).as_secs()).unwrap_or(u32::MAX));
    }
}

fn pools(shared: &Shared) -> impl Iterator<Item = &Arc<Pool>> {
    shared
        .databases
        .values()
        .flat_map(|database| database.pools.values())
}

/// Closes connections to servers that nobody uses any more, and keeps ready what is to be kept ready.
async fn tend_pools(shared: Arc<Shared>) {
    let mut tended = tokio::task::JoinSet::new();
    for pool in pools(&shared) {
        let pool = Arc::clone(pool);
        // Each by itself: a server that does not answer is not to keep the others waiting.
        tended.spawn(async move {
            let mut looks = crate::timer::interval(TEND_POOLS);
            looks.set_missed_tick_behavior(crate::timer::MissedTickBehavior::Delay);
            loop {
                looks.tick().await;
                pool.tend().await;
            }
        });
    }
    // Dropped, it ends them.
    while tended.join_next().await.is_some() {}
}

/// Waits until there is no session. Sessions leave by themselves; nobody waits for them but a stop.
async fn drained(sessions: &Sessions) {
    let mut looks = crate::timer::interval(Duration::from_millis(20));
    while !sessions.is_empty() {
        looks.tick().await;
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_store_has_one_lock_whatever_it_is_called() {
        let folder = tempfile::tempdir().unwrap();
        let (store, link) = (folder.path().join("store.db"), folder.path().join("link.db"));
        let held = lock(&store).unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("folder")).unwrap();
        let through = folder.path().join("folder/store.db");
        assert!(matches!(lock(&through), Err(ServeError::StoreInUse { .. })));
        File::create(&store).unwrap();
        std::os::unix::fs::symlink(&store, &link).unwrap();
        assert!(matches!(lock(&link), Err(ServeError::StoreInUse { .. })));
        drop(held);
        lock(&link).unwrap();
    }
}
