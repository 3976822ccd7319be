//! How the connection to a database is encrypted and authenticated: libpq's parameters, by their own names.
//!
//! Each is a parameter of the URL or a key beside it. Source: PostgreSQL manual, "Parameter Key Words" and "SSL
//! Support" (libpq). Other than libpq, nothing is looked for in a home directory, and what cannot have
//! an effect is refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::model::nearest::nearest;

/// The parameters' names.
pub(super) const NAMES: [&str; 10] = [
    "channel_binding",
    "require_auth",
    "ssl_min_protocol_version",
    "sslcert",
    "sslcrl",
    "sslkey",
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "sslsni",
];

/// The parameters as written, by name.
pub(super) type Written = BTreeMap<&'static str, String>;

/// How a connection to the server is encrypted and authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamTls {
    /// When TLS is used, and what of the server's certificate is verified. Without effect on a Unix socket.
    pub mode: SslMode,
    /// Who may sign the server's certificate; there with `VerifyCa` and `VerifyFull`, and only then.
    pub root: Option<RootCert>,
    /// The certificate to show to the server, and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// A file of revocation lists.
    pub crl: Option<PathBuf>,
    /// TLS begins at once, without SSLRequest.
    pub direct: bool,
    /// TLS 1.2 is not enough.
    pub only_tls13: bool,
    /// The server is told its name before the connection is encrypted.
    pub sni: bool,
    /// Whether SCRAM is bound to the TLS connection.
    pub channel_binding: ChannelBinding,
    /// The ways to authenticate that the server may ask for; `None`: any.
    pub require_auth: Option<RequireAuth>,
}

/// `sslmode`
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SslMode {
    /// Never TLS.
    Disable,
    /// TLS if the server refuses a connection without.
    Allow,
    /// TLS if the server has it.
    Prefer,
    /// Always TLS, with whatever certificate.
    Require,
    /// Always TLS, with a certificate that is trusted.
    VerifyCa,
    /// Always TLS, with a certificate that is trusted and for this host.
    VerifyFull,
}

/// `sslrootcert`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootCert {
    /// Those whom the operating system trusts.
    System,
    /// The certificates in a file.
    File(PathBuf),
}

/// `channel_binding`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelBinding {
    /// Not used.
    Disable,
    /// Used where the server has it.
    Prefer,
    /// Used, or there is no session.
    Require,
}

/// `require_auth`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a set of four")]
pub struct RequireAuth {
    /// `none`
    pub none: bool,
    /// `password`
    pub password: bool,
    /// `md5`
    pub md5: bool,
    /// `scram-sha-256`
    pub scram: bool,
}

impl Default for UpstreamTls {
    fn default() -> Self {
        Self {
            mode: SslMode::Prefer,
            root: None,
            certificate: None,
            crl: None,
            direct: false,
            only_tls13: false,
            sni: true,
            channel_binding: ChannelBinding::Prefer,
            require_auth: None,
        }
    }
}

/// What is wrong, and with which of [`NAMES`].
type Wrong = (&'static str, String);

impl UpstreamTls {
    /// Reads what is written. Files are named from `folder`, and not opened.
    ///
    /// # Errors
    /// All that is wrong. Nothing of a value is shown: a URL's password may have got into it.
    pub(super) fn read(written: &Written, is_unix: bool, folder: &Path) -> Result<Self, Vec<Wrong>> {
        let mut wrong = Vec::new();
        let tls = Self::read_each(written, folder, &mut wrong);
        if wrong.is_empty() {
            tls.check(is_unix, &mut wrong);
        }
        if wrong.is_empty() { Ok(tls) } else { Err(wrong) }
    }

    fn read_each(written: &Written, folder: &Path, wrong: &mut Vec<Wrong>) -> Self {
        let path = |name| written.get(name).map(|path| folder.join(path));
        let root = match written.get("sslrootcert").map(String::as_str) {
            None => None,
            Some("system") => Some(RootCert::System),
            Some(file) => Some(RootCert::File(folder.join(file))),
        };
        let default_mode = match root {
            Some(RootCert::System) => SslMode::VerifyFull,
            _ => SslMode::Prefer,
        };
        let mut mode = one_of(written, "sslmode", default_mode, &SSL_MODES, wrong);
        if mode == SslMode::Require && root.is_some() {
            // As libpq has it, for the sake of those who expect a root to be used once they name it.
            mode = SslMode::VerifyCa;
        }
        let certificate = match (path("sslcert"), path("sslkey")) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => {
                wrong.push(("sslcert", "has no `sslkey` beside it".to_owned()));
                None
            }
            (None, Some(_)) => {
                wrong.push(("sslkey", "has no `sslcert` beside it".to_owned()));
                None
            }
        };
        let require_auth = written
            .get("require_auth")
            .and_then(|list| match RequireAuth::parse(list) {
                Ok(methods) => Some(methods),
                Err(why) => {
                    wrong.push(("require_auth", why));
                    None
                }
            });
        Self {
            mode,
            root,
            certificate,
            crl: path("sslcrl"),
            direct: one_of(
                written,
                "sslnegotiation",
                false,
                &[("postgres", false), ("direct", true)],
                wrong,
            ),
            only_tls13: one_of(written, "ssl_min_protocol_version", false, &VERSIONS, wrong),
            sni: one_of(written, "sslsni", true, &[("1", true), ("0", false)], wrong),
            channel_binding: one_of(
                written,
                "channel_binding",
                ChannelBinding::Prefer,
                &CHANNEL_BINDINGS,
                wrong,
            ),
            require_auth,
        }
    }

    /// What does not go together.
    fn check(&self, is_unix: bool, wrong: &mut Vec<Wrong>) {
        let mut fail = |name, why: &str| wrong.push((name, why.to_owned()));
        let can_be_encrypted = !is_unix && self.mode != SslMode::Disable;
        if self.channel_binding == ChannelBinding::Require && !can_be_encrypted {
            fail(
                "channel_binding",
                "needs TLS: over a Unix socket, and with sslmode=disable, nothing can be required",
            );
        }
        let verifies = self.mode >= SslMode::VerifyCa;
        match &self.root {
            None if verifies => fail(
                "sslmode",
                "needs an `sslrootcert` to verify the server's certificate with: the file of the certificate \
                 that signed it, or system for those whom the operating system trusts",
            ),
            Some(RootCert::System) if self.mode != SslMode::VerifyFull => fail(
                "sslmode",
                "is too weak for sslrootcert=system, where anybody can have a certificate signed: use \
                 verify-full",
            ),
            Some(_) if !verifies => fail(
                "sslrootcert",
                "would not be used: it needs sslmode verify-full or verify-ca",
            ),
            _ => {}
        }
        if self.crl.is_some() && !verifies {
            fail(
                "sslcrl",
                "would not be used: it needs sslmode verify-full or verify-ca",
            );
        }
        if self.direct && self.mode < SslMode::Require && !is_unix {
            fail(
                "sslnegotiation",
                "is direct, which needs sslmode require, verify-ca or verify-full",
            );
        }
    }
}

const SSL_MODES: [(&str, SslMode); 6] = [
    ("disable", SslMode::Disable),
    ("allow", SslMode::Allow),
    ("prefer", SslMode::Prefer),
    ("require", SslMode::Require),
    ("verify-ca", SslMode::VerifyCa),
    ("verify-full", SslMode::VerifyFull),
];

const CHANNEL_BINDINGS: [(&str, ChannelBinding); 3] = [
    ("disable", ChannelBinding::Disable),
    ("prefer", ChannelBinding::Prefer),
    ("require", ChannelBinding::Require),
];

/// Older versions are not spoken here at all, so that asking for them would be in vain.
const VERSIONS: [(&str, bool); 2] = [("TLSv1.2", false), ("TLSv1.3", true)];

fn one_of<T: Copy>(
    written: &Written,
    name: &'static str,
    default: T,
    choices: &[(&str, T)],
    wrong: &mut Vec<Wrong>,
) -> T {
    let Some(value) = written.get(name) else {
        return default;
    };
    if let Some((_, choice)) = choices.iter().find(|(word, _)| word == value) {
        return *choice;
    }
    let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
    let hint = nearest(value, &words).map_or_else(String::new, |near| format!("; did you mean {near}?"));
    wrong.push((name, format!("must be one of {}{hint}", words.join(", "))));
    default
}

impl RequireAuth {
    /// A list of methods, or, each with a `!`, of those that will not do.
    fn parse(list: &str) -> Result<Self, String> {
        const METHODS: [&str; 7] = ["password", "md5", "scram-sha-256", "none", "gss", "sspi", "oauth"];
        let words: Vec<&str> = list.split(',').map(str::trim).collect();
        let negated = words.iter().filter(|word| word.starts_with('!')).count();
        if negated != 0 && negated != words.len() {
            return Err("names both what will do and, with a !, what will not: do one of the two".to_owned());
        }
        let names: Vec<&str> = words
            .iter()
            .map(|word| word.strip_prefix('!').unwrap_or(word))
            .collect();
        if !names.iter().all(|name| METHODS.contains(name)) {
            return Err(format!("must be a list of {}", METHODS.join(", ")));
        }
        let is_good = |name| names.contains(&name) == (negated == 0);
        let methods = Self {
            none: is_good("none"),
            password: is_good("password"),
            md5: is_good("md5"),
            scram: is_good("scram-sha-256"),
        };
        if !(methods.none || methods.password || methods.md5 || methods.scram) {
            return Err(
                "leaves no method that is supported: password, md5, scram-sha-256 and none are".to_owned(),
            );
        }
        Ok(methods)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn read_for(parameters: &str, is_unix: bool) -> Result<UpstreamTls, Vec<Wrong>> {
        let mut written = Written::new();
        for parameter in parameters.split_whitespace() {
            let (name, value) = parameter.split_once('=').unwrap();
            let name = NAMES.iter().find(|known| **known == name).unwrap();
            written.insert(name, value.to_owned());
        }
        UpstreamTls::read(&written, is_unix, Path::new("/etc/holdpoint"))
    }

    fn read(parameters: &str) -> Result<UpstreamTls, Vec<Wrong>> {
        read_for(parameters, false)
    }

    #[test]
    fn modes_are_those_of_libpq() {
        for (parameters, mode) in [
            ("", SslMode::Prefer),
            ("sslmode=disable", SslMode::Disable),
            ("sslmode=allow", SslMode::Allow),
            ("sslmode=require", SslMode::Require),
            ("sslmode=require sslrootcert=ca.pem", SslMode::VerifyCa),
            ("sslmode=verify-ca sslrootcert=ca.pem", SslMode::VerifyCa),
            ("sslmode=verify-full sslrootcert=ca.pem", SslMode::VerifyFull),
            ("sslrootcert=system", SslMode::VerifyFull),
            ("sslmode=verify-full sslrootcert=system", SslMode::VerifyFull),
        ] {
            assert_eq!(read(parameters).unwrap().mode, mode, "{parameters}");
        }
        let tls = read("sslmode=require sslcert=c.pem sslkey=/k.pem sslrootcert=ca.pem").unwrap();
        assert_eq!(tls.root, Some(RootCert::File("/etc/holdpoint/ca.pem".into())));
        let certificate = ("/etc/holdpoint/c.pem".into(), "/k.pem".into());
        assert_eq!(tls.certificate, Some(certificate));
        assert!(read("sslmode=require sslnegotiation=direct").unwrap().direct);
        assert!(read("ssl_min_protocol_version=TLSv1.3").unwrap().only_tls13);
        assert!(!read("sslsni=0").unwrap().sni);
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for (parameters, name, why) in [
            ("sslmode=sometimes", "sslmode", "must be one of disable, allow"),
            ("sslmode=verify_full", "sslmode", "did you mean verify-full?"),
            ("sslmode=verify-ca", "sslmode", "needs an `sslrootcert`"),
            ("sslmode=verify-full", "sslmode", "needs an `sslrootcert`"),
            ("sslmode=require sslrootcert=system", "sslmode", "use verify-full"),
            ("sslmode=prefer sslrootcert=system", "sslmode", "use verify-full"),
            ("sslrootcert=ca.pem", "sslrootcert", "would not be used"),
            (
                "sslmode=disable sslrootcert=ca.pem",
                "sslrootcert",
                "would not be used",
            ),
            ("sslmode=require sslcrl=crl.pem", "sslcrl", "would not be used"),
            ("sslcert=c.pem", "sslcert", "no `sslkey`"),
            ("sslkey=k.pem", "sslkey", "no `sslcert`"),
            ("sslnegotiation=direct", "sslnegotiation", "needs sslmode require"),
            (
                "sslnegotiation=indirect",
                "sslnegotiation",
                "one of postgres, direct",
            ),
            (
                "ssl_min_protocol_version=TLSv1",
                "ssl_min_protocol_version",
                "one of TLSv1.2, TLSv1.3",
            ),
            ("sslsni=yes", "sslsni", "one of 1, 0"),
            (
                "channel_binding=maybe",
                "channel_binding",
                "one of disable, prefer, require",
            ),
            (
                "channel_binding=require sslmode=disable",
                "channel_binding",
                "needs TLS",
            ),
            ("require_auth=scram", "require_auth", "must be a list of"),
            ("require_auth=", "require_auth", "must be a list of"),
            ("require_auth=!md5,password", "require_auth", "do one of the two"),
            ("require_auth=gss", "require_auth", "leaves no method"),
        ] {
            let wrong = read(parameters).unwrap_err();
            assert_eq!(wrong.len(), 1, "{parameters}: {wrong:?}");
            assert_eq!(wrong[0].0, name, "{parameters}: {wrong:?}");
            assert!(wrong[0].1.contains(why), "{parameters}: {wrong:?}");
        }
    }

    #[test]
    fn a_unix_socket_is_never_encrypted() {
        assert!(read_for("sslmode=require sslnegotiation=direct", true).is_ok());
        assert_eq!(
            read_for("channel_binding=require", true).unwrap_err()[0].0,
            "channel_binding"
        );
    }

    #[test]
    fn methods_are_named_or_ruled_out() {
        for (list, none, password, md5, scram) in [
            ("scram-sha-256", false, false, false, true),
            ("scram-sha-256,none", true, false, false, true),
            ("!password", true, false, true, true),
            ("!password,!md5,!none", false, false, false, true),
            ("password,md5,gss", false, true, true, false),
        ] {
            let expected = RequireAuth {
                none,
                password,
                md5,
                scram,
            };
            assert_eq!(RequireAuth::parse(list).unwrap(), expected, "{list}");
        }
    }
}
