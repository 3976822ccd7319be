//! What is read from files at the start, and again at SIGHUP, while sessions go on.
//!
//! A part is replaced as a whole or not at all: what is wrong with a file is logged, and what was in force
//! stays. The configuration itself is read once.

use std::path::PathBuf;

use crate::config::{ClientAuth, ClientCert, ProxyConfig, TlsMode, TlsVersion};
use crate::session::{CertificateRules, ClientTls, Proof, Shared};
use crate::tls::{Acceptor, ServerFiles, TlsError, Version};

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

/// Reads again what can be replaced while sessions go on. Blocks for as long as it takes to read a few files.
pub(super) fn reload(proxy: &ProxyConfig, shared: &Shared) {
    let Some(tls) = &shared.tls else {
        tracing::info!(
            "asked to reload: there is nothing to be read again, since clients' TLS has no certificate"
        );
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
