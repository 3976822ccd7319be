//! `[databases.NAME]`: the databases behind the proxy.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::error::{Problems, Section};
use super::pool::PoolConfig;
use super::roles::{Auth, Member, RawRole, RoleConfig, Unmapped};
use super::upstream::{Host, Upstream};
use super::upstream_tls::{UpstreamTls, Written};
use super::value;

/// The longest password that is read from a file, in bytes.
const LONGEST_PASSWORD: u64 = 4096;

/// `[databases.NAME]`
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// The server, and as whom to sign in there.
    pub upstream: Upstream,
    /// How the connection is encrypted and authenticated.
    pub tls: UpstreamTls,
    /// How long connecting and signing in may take; at least 100 ms.
    pub connect_timeout: Duration,
    /// How clients sign in.
    pub auth: Auth,
    /// Who may connect; never empty.
    pub access: Vec<Member>,
    /// As which roles users act; the first entry that is for a user counts. Empty with `Auth::Passthrough`.
    pub roles: Vec<RoleConfig>,
    /// What becomes of users for whom no entry is.
    pub unmapped: Unmapped,
    /// How old what is known of the server's catalogue may get; at least 1 s. `None`: it is not asked, which is
    /// always so with `Auth::Passthrough`, where there is no role to ask as.
    pub catalogue: Option<Duration>,
    /// Connections that outlive their sessions; none with `Auth::Passthrough`.
    pub pool: PoolConfig,
    /// Whether the server is to refuse writes in what passes as a read.
    pub read_shield: bool,
    /// Whether nothing is held or denied there, and what would have been is recorded.
    pub observe: bool,
}

/// `[databases.NAME]` as written.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawDatabase {
    upstream: Option<String>,
    #[serde(deserialize_with = "value::secret")]
    password: Option<SecretString>,
    password_file: Option<PathBuf>,
    #[serde(deserialize_with = "value::duration")]
    pub(super) connect_timeout: Duration,
    #[serde(deserialize_with = "value::word")]
    pub(super) auth: Auth,
    #[serde(deserialize_with = "value::members")]
    pub(super) access: Vec<Member>,
    pub(super) roles: Vec<RawRole>,
    #[serde(deserialize_with = "value::word")]
    pub(super) unmapped: Unmapped,
    catalogue: Option<bool>,
    #[serde(deserialize_with = "value::duration")]
    catalogue_refresh: Duration,
    pool: PoolConfig,
    #[serde(deserialize_with = "value::flag")]
    read_shield: bool,
    #[serde(deserialize_with = "value::flag")]
    pub(super) observe: bool,
    sslmode: Option<String>,
    sslrootcert: Option<String>,
    sslcert: Option<String>,
    sslkey: Option<String>,
    sslcrl: Option<String>,
    sslnegotiation: Option<String>,
    ssl_min_protocol_version: Option<String>,
    /// TOML has numbers; libpq writes 0 and 1.
    #[serde(deserialize_with = "value::text")]
    sslsni: Option<String>,
    channel_binding: Option<String>,
    require_auth: Option<String>,
}

impl Default for RawDatabase {
    fn default() -> Self {
        Self {
            upstream: None,
            password: None,
            password_file: None,
            connect_timeout: Duration::from_secs(10),
            auth: Auth::Proxy,
            access: vec![Member::Everybody],
            roles: Vec::new(),
            unmapped: Unmapped::Upstream,
            catalogue: None,
            catalogue_refresh: Duration::from_mins(1),
            pool: PoolConfig::default(),
            read_shield: true,
            observe: false,
            sslmode: None,
            sslrootcert: None,
            sslcert: None,
            sslkey: None,
            sslcrl: None,
            sslnegotiation: None,
            ssl_min_protocol_version: None,
            sslsni: None,
            channel_binding: None,
            require_auth: None,
        }
    }
}

impl RawDatabase {
    /// Checks it and reads its password; `None` where something is wrong, which is then among the
    /// problems. `names` are those of all databases.
    pub(super) fn resolve(
        self,
        name: &str,
        names: &[String],
        folder: &Path,
        problems: &mut Problems<'_>,
    ) -> Option<DatabaseConfig> {
        self.pool.validate(name, problems);
        let mut section = problems.database(name);
        self.check_times(&mut section);
        section.require(
            "access",
            !self.access.is_empty(),
            "is empty: nobody could connect; write [\"*\"] for everybody",
        );
        let Some(url) = &self.upstream else {
            section.fail("upstream", missing_upstream(name, names));
            return None;
        };
        let parsed = match self.auth {
            Auth::Proxy => Upstream::parse(url),
            Auth::Passthrough => Upstream::parse_without_role(url),
        };
        let mut upstream = match parsed {
            Ok(upstream) => upstream,
            Err(message) => {
                section.fail("upstream", message);
                return None;
            }
        };
        section.require(
            "upstream",
            is_good_name(name),
            "the database's name is empty, or has spaces at its ends",
        );
        let tls = self.read_tls(&upstream, folder, &mut section);
        if self.auth == Auth::Passthrough {
            self.check_passthrough(&mut section);
        }
        if self.password.is_some() && self.password_file.is_some() {
            section.fail("password_file", "there is a `password`, too; keep one of the two");
        }
        let given = self.password.or_else(|| {
            let read = read_password(&folder.join(self.password_file.as_ref()?));
            read.map_err(|message| section.fail("password_file", message))
                .ok()
        });
        if given.is_some() && upstream.password.is_some() {
            section.fail(
                "upstream",
                "has a password, and there is another beside it; keep one of the two",
            );
        }
        upstream.password = given.or(upstream.password);
        let catalogue = self.catalogue.unwrap_or(self.auth == Auth::Proxy);
        let roles = self.roles.into_iter().enumerate();
        Some(DatabaseConfig {
            upstream,
            tls: tls?,
            connect_timeout: self.connect_timeout,
            auth: self.auth,
            access: self.access,
            roles: roles
                .map(|(index, role)| role.resolve(name, index, folder, problems))
                .collect(),
            unmapped: self.unmapped,
            catalogue: catalogue.then_some(self.catalogue_refresh),
            pool: self.pool,
            read_shield: self.read_shield,
            observe: self.observe,
        })
    }

    fn check_times(&self, section: &mut Section<'_, '_>) {
        section.require(
            "connect_timeout",
            self.connect_timeout >= Duration::from_millis(100),
            "must be at least 100ms",
        );
        section.require(
            "catalogue_refresh",
            self.catalogue_refresh >= Duration::from_secs(1),
            "must be at least 1s",
        );
    }

    /// Where clients sign in to the server by themselves, holdpoint has no roles and no passwords.
    fn check_passthrough(&self, section: &mut Section<'_, '_>) {
        for (key, is_there) in [
            ("password", self.password.is_some()),
            ("password_file", self.password_file.is_some()),
            ("roles", !self.roles.is_empty()),
            ("unmapped", self.unmapped != Unmapped::Upstream),
            ("catalogue", self.catalogue == Some(true)),
            ("pool", self.pool.is_used()),
        ] {
            section.require(
                key,
                !is_there,
                "has no meaning with auth = \"passthrough\": clients sign in to the server as themselves",
            );
        }
    }
}

impl RawDatabase {
    /// Puts together what stands in the URL and beside it.
    fn read_tls(
        &self,
        upstream: &Upstream,
        folder: &Path,
        section: &mut Section<'_, '_>,
    ) -> Option<UpstreamTls> {
        let mut written: Written = upstream.tls.clone();
        let beside = [
            ("sslmode", &self.sslmode),
            ("sslrootcert", &self.sslrootcert),
            ("sslcert", &self.sslcert),
            ("sslkey", &self.sslkey),
            ("sslcrl", &self.sslcrl),
            ("sslnegotiation", &self.sslnegotiation),
            ("ssl_min_protocol_version", &self.ssl_min_protocol_version),
            ("sslsni", &self.sslsni),
            ("channel_binding", &self.channel_binding),
            ("require_auth", &self.require_auth),
        ];
        for (name, value) in beside {
            let Some(value) = value else { continue };
            if written.insert(name, value.clone()).is_some() {
                section.fail(name, "stands in `upstream`, too; keep one of the two");
            }
        }
        let is_unix = matches!(upstream.host, Host::Unix(_));
        match UpstreamTls::read(&written, is_unix, folder) {
            Ok(tls) => Some(tls),
            Err(wrong) => {
                for (name, why) in wrong {
                    if upstream.tls.contains_key(name) {
                        section.fail("upstream", format!("has an {name} that is wrong: it {why}"));
                    } else {
                        section.fail(name, why);
                    }
                }
                None
            }
        }
    }
}

fn is_good_name(name: &str) -> bool {
    name.trim() == name && !name.is_empty() && !name.contains(char::is_control)
}

/// A variable for `Shop` makes a second database, `shop`: say so.
fn missing_upstream(name: &str, names: &[String]) -> String {
    let twin = names
        .iter()
        .find(|other| *other != name && other.to_lowercase() == name);
    match twin {
        Some(twin) => format!(
            "is missing. Variables name databases in lower case: rename [databases.{twin}] to \
             [databases.{name}], or set it in the file"
        ),
        None => "is missing: write upstream = \"postgres://role@host:5432/dbname\"".to_owned(),
    }
}

/// The password in a file.
///
/// # Errors
/// A sentence that says what is wrong with the file.
pub(super) fn read_password(path: &Path) -> Result<SecretString, String> {
    match read_bounded(path) {
        Ok(password) if password.expose_secret().is_empty() => Err(format!("{} is empty", path.display())),
        Ok(password) => Ok(password),
        Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
    }
}

/// The file's text without the line end that editors add.
fn read_bounded(path: &Path) -> io::Result<SecretString> {
    let mut text = String::new();
    let length = File::open(path)?
        .take(LONGEST_PASSWORD + 1)
        .read_to_string(&mut text)?;
    if length as u64 > LONGEST_PASSWORD {
        return Err(io::Error::other(
            "it is longer than a password can be (4096 bytes)",
        ));
    }
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(SecretString::from(line.strip_suffix('\r').unwrap_or(line)))
}
