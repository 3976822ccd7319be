//! What is read from files at the start, and again while sessions go on: the policies at SIGHUP, the certificates
//! also when their files have changed.
//!
//! A part is replaced as a whole or not at all: what is wrong with a file is logged, and what was in force
//! stays. The configuration itself is read once. Policies are not watched: whoever edits several files says when
//! they are done.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::{ClientAuth, ClientCert, Config, ProxyConfig, TlsMode, TlsVersion};
use crate::policy::{Policy, PolicyInForce};
use crate::session::{CertificateRules, ClientTls, Proof, Shared};
use crate::tls::{Acceptor, ServerFiles, TlsError, Version};

/// How often the files are looked at. Who renews a certificate need not know whom to signal.
const LOOK: Duration = Duration::from_mins(1);

/// Notices that the certificates' files have changed.
#[derive(Debug)]
pub(super) struct Watch {
    files: Vec<PathBuf>,
    seen: Vec<Option<Stamp>>,
}

/// By what a changed file is known: when, its size, and which one it is.
type Stamp = (i64, i64, u64, u64);

impl Watch {
    /// From now on.
    pub(super) fn new(proxy: &ProxyConfig) -> Self {
        let tls = &proxy.tls;
        let files = if tls.pair().is_some() {
            [&tls.cert, &tls.key, &tls.client_ca]
                .into_iter()
                .flatten()
                .cloned()
                .collect()
        } else {
            Vec::new()
        };
        let mut watch = Self {
            files,
            seen: Vec::new(),
        };
        watch.look();
        watch
    }

    /// Waits until a file is not what it was at the last look. Cancel-safe.
    pub(super) async fn changed(&mut self) {
        loop {
            crate::timer::sleep(LOOK).await;
            if self.look() {
                return;
            }
        }
    }

    /// Looks, and says whether anything has changed.
    pub(super) fn look(&mut self) -> bool {
        let now: Vec<Option<Stamp>> = self.files.iter().map(|file| stamp(file)).collect();
        let changed = now != self.seen;
        self.seen = now;
        changed
    }
}

/// `None`: there is no such file now.
fn stamp(file: &Path) -> Option<Stamp> {
    let of = std::fs::metadata(file).ok()?;
    Some((of.mtime(), of.mtime_nsec(), of.size(), of.ino()))
}

/// TLS for clients as the configuration has it; `None` where there is none.
pub(super) fn client_tls(proxy: &ProxyConfig) -> Result<Option<ClientTls>, TlsError> {
    let Some(acceptor) = acceptor(proxy)? else {
        return Ok(None);
    };
    let rules = CertificateRules {
        required: proxy.tls.client_cert == ClientCert::Require,
        proves: match proxy.tls.client_auth {
            ClientAuth::Password => Proof::Nothing,
            ClientAuth::PasswordAndCert => Proof::UserBesidePassword,
            ClientAuth::Cert => Proof::User,
        },
        users: proxy.tls.users.clone(),
    };
    let required = proxy.tls.mode == TlsMode::Require;
    Ok(Some(ClientTls::new(acceptor, required, rules)))
}

/// Reads again all that can be replaced while sessions go on. Blocks for as long as it takes to read a few files.
pub(super) fn reload(config: &Config, shared: &Shared) {
    certificates(&config.proxy, shared);
    policies(&config.policy.dir, config.hold.timeout, &shared.policy);
}

/// Reads the files of clients' TLS again. Blocks likewise.
pub(super) fn certificates(proxy: &ProxyConfig, shared: &Shared) {
    let Some(tls) = &shared.tls else {
        return;
    };
    match acceptor(proxy) {
        Ok(Some(acceptor)) => {
            tls.replace(acceptor);
            tracing::info!("reloaded: new connections get the certificate that is in the files now");
        }
        Ok(None) => {}
        Err(error) => tracing::error!(%error, "cannot reload: the certificate from before stays in force"),
    }
}

/// Reads the policy folder again, and puts its rules in the place of those in force if nothing is wrong with any.
fn policies(dir: &Path, timeout: Duration, in_force: &PolicyInForce) {
    match Policy::load(dir) {
        Ok(policy) => {
            let rules = policy.rules().len();
            in_force.replace(policy.with_default_timeout(timeout));
            tracing::info!(rules, "read the policies again");
        }
        Err(error) => {
            for problem in error.problems() {
                tracing::error!(%problem, "a policy cannot be used");
            }
            tracing::error!(
                problems = error.problems().len(),
                "cannot reload: the policies from before stay in force"
            );
        }
    }
}

fn acceptor(proxy: &ProxyConfig) -> Result<Option<Acceptor>, TlsError> {
    let Some((cert, key)) = proxy.tls.pair() else {
        return Ok(None);
    };
    let client_ca: Option<PathBuf> = proxy
        .tls
        .client_ca
        .clone()
        .filter(|_| proxy.tls.client_cert != ClientCert::None);
    let acceptor = Acceptor::load(&ServerFiles {
        cert: cert.to_owned(),
        key: key.to_owned(),
        client_ca,
        min_version: match proxy.tls.min_version {
            TlsVersion::Tls12 => Version::Tls12,
            TlsVersion::Tls13 => Version::Tls13,
        },
    })?;
    if !acceptor.can_bind() {
        tracing::warn!(
            certificate = %cert.display(),
            "clients cannot bind their logins to this certificate (SCRAM-SHA-256-PLUS): its signature has no \
             hash function for that"
        );
    }
    Ok(Some(acceptor))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_file_that_is_written_replaced_or_removed_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let mut proxy = ProxyConfig::default();
        assert!(!Watch::new(&proxy).look(), "there is nothing to watch");
        proxy.tls.cert = Some(at("cert"));
        proxy.tls.key = Some(at("key"));
        std::fs::write(at("cert"), "1").unwrap();
        let mut watch = Watch::new(&proxy);
        assert!(!watch.look());
        std::fs::write(at("key"), "1").unwrap();
        assert!(watch.look() && !watch.look());
        std::fs::write(at("cert"), "12").unwrap();
        assert!(watch.look() && !watch.look());
        // As a renewal does it: another file of the same size, under the same name.
        std::fs::write(at("new"), "34").unwrap();
        std::fs::rename(at("new"), at("cert")).unwrap();
        assert!(watch.look() && !watch.look());
        std::fs::remove_file(at("cert")).unwrap();
        assert!(watch.look() && !watch.look());
    }

    #[test]
    fn policies_are_replaced_as_a_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let rule = |name: &str| {
            format!("[[rule]]\nname = \"{name}\"\nwhen = {{ users = [\"{name}\"] }}\nthen = \"allow\"\n")
        };
        let in_force = PolicyInForce::new(Policy::parse("default_groups = [\"dba\"]\n").unwrap());
        let read = || policies(folder.path(), Duration::from_mins(1), &in_force);
        let rules = || in_force.in_force().0.rules().len();

        write("a.toml", "default_groups = [\"dba\"]\n");
        write("b.toml", &rule("alice"));
        read();
        assert_eq!(rules(), 1);
        write("a.toml", &format!("default_groups = [\"dba\"]\n{}", rule("bob")));
        write("b.toml", "[[rule]]\n");
        read();
        assert_eq!(rules(), 1, "half of what is there");
        write("b.toml", &rule("alice"));
        read();
        assert_eq!(rules(), 2);
        std::fs::remove_file(folder.path().join("a.toml")).unwrap();
        read();
        assert_eq!(rules(), 2, "nobody says the default groups");
    }
}
