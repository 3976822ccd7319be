//! `[proxy.tls]`: encryption between clients and the proxy.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Deserialize;

use super::error::Section;
use super::value;

/// `[proxy.tls]`. The files are read where they are used, for they may change.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// The file of the server's certificate, and of those between it and a root.
    pub cert: Option<PathBuf>,
    /// The file of its private key; there is one exactly where there is a certificate.
    pub key: Option<PathBuf>,
    /// Whether sessions are encrypted; `require` only where there is a certificate.
    #[serde(deserialize_with = "value::word")]
    pub mode: TlsMode,
    /// The oldest version of TLS that is spoken.
    #[serde(deserialize_with = "value::word")]
    pub min_version: TlsVersion,
    /// The file of the roots of clients' certificates; there is one exactly where they are asked for.
    pub client_ca: Option<PathBuf>,
    /// Whether clients show a certificate; `require` only with the mode of that name.
    #[serde(deserialize_with = "value::word")]
    pub client_cert: ClientCert,
    /// What a client's certificate proves.
    #[serde(deserialize_with = "value::word")]
    pub client_auth: ClientAuth,
    /// Users by what their certificates name.
    pub users: BTreeMap<String, String>,
}

/// Whether sessions are encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsMode {
    /// None is, even where there is a certificate.
    Disable,
    /// Those whose client asks for it, where there is a certificate.
    #[default]
    Prefer,
    /// Every one; others are refused.
    Require,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsVersion {
    /// 1.2
    #[default]
    Tls12,
    /// 1.3
    Tls13,
}

/// Whether clients show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientCert {
    /// They are not asked.
    #[default]
    None,
    /// They may; one that is not valid is refused.
    Optional,
    /// They must.
    Require,
}

/// What a client's certificate proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientAuth {
    /// Nothing about the user: the password does.
    #[default]
    Password,
    /// The user, in place of the password.
    Cert,
    /// The user, beside the password.
    PasswordAndCert,
}

impl TlsConfig {
    /// The files of the certificate and of its key, where TLS is spoken at all.
    #[must_use]
    pub fn pair(&self) -> Option<(&Path, &Path)> {
        match (self.mode, &self.cert, &self.key) {
            (TlsMode::Prefer | TlsMode::Require, Some(cert), Some(key)) => Some((cert, key)),
            _ => None,
        }
    }

    /// Makes the paths start from the configuration file's folder.
    pub(super) fn resolve(&mut self, folder: &Path) {
        for path in [&mut self.cert, &mut self.key, &mut self.client_ca]
            .into_iter()
            .flatten()
        {
            *path = folder.join(&path);
        }
    }

    pub(super) fn validate(&self, section: &mut Section<'_, '_>) {
        let has_cert = self.cert.is_some();
        section.require(
            "key",
            !has_cert || self.key.is_some(),
            "is missing: `cert` needs its private key",
        );
        section.require(
            "cert",
            has_cert || self.key.is_none(),
            "is missing: `key` needs its certificate",
        );
        section.require(
            "mode",
            has_cert || self.mode != TlsMode::Require,
            "\"require\" needs a certificate: set `cert` and `key`",
        );
        if self.client_cert == ClientCert::None {
            section.require(
                "client_ca",
                self.client_ca.is_none(),
                "is of no use while clients are not asked for certificates: set client_cert to \
                 \"optional\" or \"require\"",
            );
            section.require(
                "client_auth",
                self.client_auth == ClientAuth::Password,
                "needs certificates of clients: set client_cert",
            );
        } else {
            section.require(
                "client_cert",
                has_cert && self.client_ca.is_some(),
                "needs `client_ca`, the roots of clients' certificates, and the `cert` and `key` of the proxy",
            );
        }
        // Without these, who comes without a certificate would be asked for less than who comes with one.
        section.require(
            "client_cert",
            self.client_cert != ClientCert::Require || self.mode == TlsMode::Require,
            "\"require\" needs mode = \"require\": without TLS there is no certificate",
        );
        section.require(
            "client_auth",
            self.client_auth != ClientAuth::PasswordAndCert || self.client_cert == ClientCert::Require,
            "\"password+cert\" needs client_cert = \"require\"",
        );
        section.require(
            "users",
            self.users.is_empty() || self.client_auth != ClientAuth::Password,
            "is of no use while certificates prove no user: set client_auth to \"cert\" or \"password+cert\"",
        );
        for (name, user) in &self.users {
            section.require(
                "users",
                !name.is_empty() && !user.is_empty(),
                "write \"the certificate's common name\" = \"the user\"",
            );
        }
    }
}

impl FromStr for TlsMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "disable" => Ok(Self::Disable),
            "prefer" => Ok(Self::Prefer),
            "require" => Ok(Self::Require),
            _ => Err(format!(
                "\"{text}\" is none of \"disable\", \"prefer\" and \"require\""
            )),
        }
    }
}

impl FromStr for TlsVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "1.2" => Ok(Self::Tls12),
            "1.3" => Ok(Self::Tls13),
            _ => Err(format!(
                "\"{text}\" is neither \"1.2\" nor \"1.3\"; older versions are not safe"
            )),
        }
    }
}

impl FromStr for ClientCert {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Self::None),
            "optional" => Ok(Self::Optional),
            "require" => Ok(Self::Require),
            _ => Err(format!(
                "\"{text}\" is none of \"none\", \"optional\" and \"require\""
            )),
        }
    }
}

impl FromStr for ClientAuth {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "password" => Ok(Self::Password),
            "cert" => Ok(Self::Cert),
            "password+cert" => Ok(Self::PasswordAndCert),
            _ => Err(format!(
                "\"{text}\" is none of \"password\", \"cert\" and \"password+cert\""
            )),
        }
    }
}
