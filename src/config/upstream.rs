//! The URL of a database behind the proxy: `postgres://role:password@host:5432/dbname?sslmode=prefer`.
//!
//! The form is libpq's (<https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS>),
//! less what is not supported, which is refused by name. What is about TLS is read by `upstream_tls`.
//! Invariant: no error shows the URL, which may hold a password.

use std::fmt;
use std::path::PathBuf;

use secrecy::SecretString;

use super::upstream_tls::{self, Written};

/// PostgreSQL's port where the URL says none.
const DEFAULT_PORT: u16 = 5432;
const FORM: &str = "write postgres://role@host:5432/dbname";

/// A server, and as whom to sign in there.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// Where it listens.
    pub host: Host,
    /// Its port; for a Unix socket, the number in the socket's name.
    pub port: u16,
    /// The role.
    pub user: String,
    /// The database.
    pub dbname: String,
    /// The role's password, if the server asks for one.
    pub password: Option<SecretString>,
    /// The parameters about TLS, as they stand in the URL.
    pub(super) tls: Written,
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A host's name or IP address (without brackets).
    Tcp(String),
    /// The folder of a Unix socket; the socket in it is `.s.PGSQL.PORT`.
    Unix(PathBuf),
}

impl fmt::Display for Upstream {
    /// For logs and errors: without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            host,
            port,
            user,
            dbname,
            password: _,
            tls: _,
        } = self;
        match host {
            Host::Tcp(host) if host.contains(':') => write!(f, "{user}@[{host}]:{port}/{dbname}"),
            Host::Tcp(host) => write!(f, "{user}@{host}:{port}/{dbname}"),
            Host::Unix(folder) => write!(f, "{user}@{}/.s.PGSQL.{port}/{dbname}", folder.display()),
        }
    }
}

impl Upstream {
    /// Reads a URL.
    ///
    /// # Errors
    /// A sentence that says what is wrong, and nothing of the URL that could be secret.
    pub fn parse(url: &str) -> Result<Self, String> {
        Self::read(url, split_user)
    }

    /// Reads a URL that names no role, since clients sign in as themselves; `user` is empty.
    ///
    /// # Errors
    /// As [`Self::parse`]; also: it names a role.
    pub fn parse_without_role(url: &str) -> Result<Self, String> {
        Self::read(url, no_user)
    }

    fn read(url: &str, split_user: SplitUser) -> Result<Self, String> {
        let rest = ["postgres://", "postgresql://"]
            .iter()
            .find_map(|scheme| url.strip_prefix(scheme))
            .ok_or_else(|| format!("is no PostgreSQL URL: {FORM}"))?;
        let (rest, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, dbname) = rest
            .split_once('/')
            .filter(|(_, dbname)| !dbname.is_empty())
            .ok_or_else(|| format!("names no database: {FORM}"))?;
        let (user, password, address) = split_user(authority)?;
        let (host, port) = split_port(address)?;
        let parameters = Parameters::parse(parameters)?;
        let host = match (decode("the host", host)?, parameters.host) {
            (host, None) => host,
            (host, Some(parameter)) if host.is_empty() => parameter,
            _ => return Err("names the host twice: before the database and in ?host=".to_owned()),
        };
        Ok(Self {
            host: Host::read(host)?,
            port,
            user,
            dbname: decode("the database's name", dbname)?,
            password,
            tls: parameters.tls,
        })
    }
}

impl Host {
    fn read(host: String) -> Result<Self, String> {
        if host.is_empty() {
            return Err(format!(
                "names no host: {FORM}, or ?host=/var/run/postgresql for a Unix socket"
            ));
        }
        if host.contains(',') {
            return Err("names several hosts: only one is supported".to_owned());
        }
        if host.starts_with('/') {
            return Ok(Self::Unix(PathBuf::from(host)));
        }
        if host.contains(|c: char| c.is_whitespace() || c.is_control() || "/@".contains(c)) {
            return Err("has a host's name that cannot be one".to_owned());
        }
        Ok(Self::Tcp(host))
    }
}

/// Splits what stands before the database into role, password and address.
type SplitUser = fn(&str) -> Result<(String, Option<SecretString>, &str), String>;

fn no_user(authority: &str) -> Result<(String, Option<SecretString>, &str), String> {
    if authority.contains('@') {
        return Err(
            "names a role, and with auth = \"passthrough\" clients sign in as themselves: write \
             postgres://host:5432/dbname"
                .to_owned(),
        );
    }
    Ok((String::new(), None, authority))
}

fn split_user(authority: &str) -> Result<(String, Option<SecretString>, &str), String> {
    let (user, address) = authority
        .split_once('@')
        .filter(|(user, _)| !user.is_empty() && !user.starts_with(':'))
        .ok_or_else(|| format!("names no role: {FORM}"))?;
    if address.contains('@') {
        return Err("has more than one @: within a name or a password it is written %40".to_owned());
    }
    let (user, password) = match user.split_once(':') {
        None => (user, None),
        Some((user, password)) => (user, Some(decode("the password", password)?)),
    };
    let password = password
        .filter(|password| !password.is_empty())
        .map(SecretString::from);
    Ok((decode("the role", user)?, password, address))
}

fn split_port(address: &str) -> Result<(&str, u16), String> {
    let (host, port) = if let Some(bracketed) = address.strip_prefix('[') {
        let (host, rest) = bracketed
            .split_once(']')
            .ok_or("has a [ without a ] around an IPv6 address")?;
        if host.parse::<std::net::Ipv6Addr>().is_err() {
            return Err("has something else than an IPv6 address in [ ]".to_owned());
        }
        let port = match rest.strip_prefix(':') {
            None if !rest.is_empty() => return Err(format!("has something after a ]: {FORM}")),
            port => port,
        };
        (host, port)
    } else {
        match address.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return Err("has more than one : in its host; an IPv6 address stands in [ ]".to_owned());
            }
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        }
    };
    match port {
        None | Some("") => Ok((host, DEFAULT_PORT)),
        Some(port) => port
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .map(|port| (host, port))
            .ok_or_else(|| "has a port that is no number from 1 to 65535".to_owned()),
    }
}

/// What may stand after the `?`.
#[derive(Default)]
struct Parameters {
    host: Option<String>,
    tls: Written,
}

impl Parameters {
    fn parse(text: &str) -> Result<Self, String> {
        let mut parameters = Self::default();
        for parameter in text.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let name = decode("a parameter's name", name)?;
            let value = decode("a parameter", value)?;
            if let Some(name) = upstream_tls::NAMES.into_iter().find(|known| *known == name) {
                parameters.tls.insert(name, value);
                continue;
            }
            match name.as_str() {
                "host" => parameters.host = Some(value),
                "password" | "connect_timeout" => {
                    return Err(format!(
                        "has the parameter \"{name}\": write it as a key beside `upstream`"
                    ));
                }
                // An unescaped ? within a password makes the rest of it look like a parameter.
                _ if name.contains(|c: char| !c.is_ascii_alphanumeric() && c != '_') => {
                    return Err(
                        "has something that is no parameter after a ?; in a password, ? is written %3F"
                            .to_owned(),
                    );
                }
                _ => {
                    return Err(format!(
                        "has the parameter \"{name}\", which is not supported; supported are host, {}",
                        upstream_tls::NAMES.join(", ")
                    ));
                }
            }
        }
        Ok(parameters)
    }
}

fn decode(what: &str, text: &str) -> Result<String, String> {
    percent_decode(text).map_err(|why| format!("{what} {why}"))
}

/// Decodes `%40` and the like.
///
/// # Errors
/// The end of a sentence that says what is wrong, without the text.
pub(super) fn percent_decode(text: &str) -> Result<String, &'static str> {
    const NOT_HEX: &str = "has a % that is not followed by two hexadecimal digits; a % itself is written %25";
    let mut bytes = Vec::with_capacity(text.len());
    let mut parts = text.split('%');
    bytes.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        let hex = part
            .get(..2)
            .filter(|hex| hex.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .ok_or(NOT_HEX)?;
        bytes.push(u8::from_str_radix(hex, 16).map_err(|_| NOT_HEX)?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    if bytes.contains(&0) {
        return Err("has a NUL (%00)");
    }
    String::from_utf8(bytes).map_err(|_| "is not UTF-8 once its % are decoded")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn urls_are_read() {
        // url, shown, password
        for (url, shown, password) in [
            ("postgres://app@db:6543/shop", "app@db:6543/shop", None),
            ("postgresql://app@db/shop", "app@db:5432/shop", None),
            (
                "postgres://app:s3%40cr%2Fet@db/shop",
                "app@db:5432/shop",
                Some("s3@cr/et"),
            ),
            ("postgres://app:a:b@db/shop", "app@db:5432/shop", Some("a:b")),
            ("postgres://app:@db/shop", "app@db:5432/shop", None),
            ("postgres://app@[::1]:5433/shop", "app@[::1]:5433/shop", None),
            ("postgres://app@[::1]/shop", "app@[::1]:5432/shop", None),
            (
                "postgres://a%20b@10.0.0.1:/my%20shop",
                "a b@10.0.0.1:5432/my shop",
                None,
            ),
            ("postgres://app@db/shop?sslmode=disable", "app@db:5432/shop", None),
            ("postgres://app@db/shop?sslmode=prefer&", "app@db:5432/shop", None),
            (
                "postgres://app@/shop?host=/var/run/postgresql",
                "app@/var/run/postgresql/.s.PGSQL.5432/shop",
                None,
            ),
            (
                "postgres://app@:5433/shop?host=%2Ftmp&sslmode=disable",
                "app@/tmp/.s.PGSQL.5433/shop",
                None,
            ),
            ("postgres://app@%2Ftmp/shop", "app@/tmp/.s.PGSQL.5432/shop", None),
            ("postgres://app@/shop?host=db", "app@db:5432/shop", None),
        ] {
            let upstream = Upstream::parse(url).unwrap();
            assert_eq!(upstream.to_string(), shown, "{url}");
            assert_eq!(
                upstream.password.as_ref().map(ExposeSecret::expose_secret),
                password,
                "{url}"
            );
        }
    }

    #[test]
    fn what_is_not_supported_is_refused_with_the_reason() {
        for (url, why) in [
            ("", "no PostgreSQL URL"),
            ("mysql://app@db/shop", "no PostgreSQL URL"),
            ("app@db/shop", "no PostgreSQL URL"),
            ("postgres://app@db", "no database"),
            ("postgres://app@db/", "no database"),
            ("postgres://db/shop", "no role"),
            ("postgres://@db/shop", "no role"),
            ("postgres://:pw@db/shop", "no role"),
            ("postgres://app@/shop", "no host"),
            ("postgres://app@db:0/shop", "a port"),
            ("postgres://app@db:65536/shop", "a port"),
            ("postgres://app@db:x/shop", "a port"),
            ("postgres://app@::1/shop", "IPv6"),
            ("postgres://app@[db]/shop", "IPv6"),
            ("postgres://app@[::1/shop", "IPv6"),
            ("postgres://app@[::1]x/shop", "after a ]"),
            ("postgres://app@one,two/shop", "several hosts"),
            ("postgres://app@d b/shop", "cannot be one"),
            ("postgres://app@db/shop?host=other", "host twice"),
            ("postgres://app:p@ss@db/shop", "more than one @"),
            ("postgres://app:100%@db/shop", "the password has a %"),
            ("postgres://app@db/%ff", "the database's name is not UTF-8"),
            ("postgres://app@db/a%00b", "NUL"),
            (
                "postgres://app@db/shop?target_session_attrs=any",
                "\"target_session_attrs\"",
            ),
            ("postgres://app@db/shop?password=x", "beside `upstream`"),
            ("postgres://app@db/shop?connect_timeout=3", "beside `upstream`"),
        ] {
            let message = Upstream::parse(url).unwrap_err();
            assert!(message.contains(why), "{url}: {message}");
        }
    }

    #[test]
    fn a_url_may_have_to_name_no_role() {
        let upstream = Upstream::parse_without_role("postgres://db:6543/shop").unwrap();
        assert_eq!((upstream.user.as_str(), upstream.port), ("", 6543));
        assert!(upstream.password.is_none());
        for url in [
            "postgres://app@db/shop",
            "postgres://app:hush@db/shop",
            "postgres://@db/shop",
        ] {
            let message = Upstream::parse_without_role(url).unwrap_err();
            assert!(
                message.starts_with("names a role") && !message.contains("hush"),
                "{message}"
            );
        }
    }

    #[test]
    fn what_is_about_tls_is_put_aside() {
        // The last one counts, as for libpq.
        let url = "postgres://app@db/shop?sslmode=require&sslrootcert=a%20b&sslmode=allow";
        let written = Upstream::parse(url).unwrap().tls;
        let expected = [("sslmode", "allow"), ("sslrootcert", "a b")];
        assert_eq!(written, expected.map(|(k, v)| (k, v.to_owned())).into());
    }

    #[test]
    fn nothing_shows_the_password() {
        let upstream = Upstream::parse("postgres://app:hush@db/shop").unwrap();
        assert!(!format!("{upstream:?} {upstream}").contains("hush"));
        for url in [
            "postgres://app:hush@db",
            "postgres://app:hush@db:x/shop",
            "postgres://app:hush@hush@db/shop",
            "postgres://app:hu/sh?hush@db/shop",
            "postgres://app:x@hu/sh?hush@db/shop",
            "postgres://app:hush%@db/shop",
            "postgres://app:hush@db/shop?nothing=hush",
        ] {
            let message = Upstream::parse(url).unwrap_err();
            assert!(!message.contains("hush"), "{url}: {message}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(url in "postgres://[a-z0-9:@/?%&=\\[\\],é]{0,40}|.*") {
            let _ = Upstream::parse(&url);
        }

        #[test]
        fn any_password_survives_its_encoding(password in "[^\0]{1,20}") {
            let encoded: Vec<String> = password.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let encoded = encoded.concat();
            let upstream = Upstream::parse(&format!("postgres://app:{encoded}@db/shop")).unwrap();
            let read = upstream.password.unwrap();
            prop_assert_eq!(read.expose_secret(), password.as_str());
        }
    }
}
