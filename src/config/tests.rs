#![expect(clippy::unwrap_used, reason = "tests")]

mod observe;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::*;

const DATABASE: &str = "[databases.shop]\nupstream = \"postgres://app@db/shop\"\n";

fn load(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let variables = variables
        .iter()
        .map(|(name, value)| (OsString::from(name), OsString::from(value)));
    Config::from_text(Path::new("etc/holdpoint.toml"), text, Path::new("etc"), variables)
}

/// A file without its database, variables, and the lines of the error.
type Fault<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [&'a str]);

/// The lines of the error.
fn problems(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let error = load(text, variables).unwrap_err();
    error.to_string().lines().map(str::to_owned).collect()
}

fn password(config: &Config) -> Option<&str> {
    config.databases["shop"]
        .upstream
        .password
        .as_ref()
        .map(ExposeSecret::expose_secret)
}

#[test]
fn one_database_is_enough() {
    let config = load(DATABASE, &[]).unwrap();
    assert_eq!(config.proxy, ProxyConfig::default());
    assert_eq!(config.databases["shop"].upstream.to_string(), "app@db:5432/shop");
}

#[test]
fn values_are_read_in_all_their_forms() {
    let text = format!(
        "[proxy]\nlisten = [\"127.0.0.1:1\", \"[::1]:1\"]\nworkers = 3\nmax_message = 1048576\n\
         login_timeout = \"1m30s\"\n[log]\nformat = \"json\"\nlevel = \"debug\"\n{DATABASE}"
    );
    let config = load(&text, &[]).unwrap();
    let listen: Vec<SocketAddr> = vec!["127.0.0.1:1".parse().unwrap(), "[::1]:1".parse().unwrap()];
    assert_eq!(config.proxy.listen, listen);
    assert_eq!(config.proxy.workers.count().get(), 3);
    assert_eq!(config.proxy.max_message, 1 << 20);
    assert_eq!(config.proxy.login_timeout, Duration::from_secs(90));
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.log.level, LogLevel::Debug);
}

#[test]
fn paths_start_from_the_file() {
    let config = load(DATABASE, &[]).unwrap();
    assert_eq!(config.store.url, StoreUrl::Sqlite("etc/holdpoint.db".into()));
    assert_eq!(config.policy.dir, Path::new("etc/policies"));
    let text = format!("[store]\nurl = \"sqlite:///var/h.db\"\n[policy]\ndir = \"/srv/p\"\n{DATABASE}");
    let config = load(&text, &[]).unwrap();
    assert_eq!(config.store.url, StoreUrl::Sqlite("/var/h.db".into()));
    assert_eq!(config.policy.dir, Path::new("/srv/p"));
}

#[test]
fn variables_override_the_file() {
    let text = format!("[proxy]\nlisten = \"127.0.0.1:1\"\nmax_connections = 5\n{DATABASE}");
    let config = load(
        &text,
        &[
            ("HOLDPOINT_CONFIG", "/elsewhere.toml"),
            ("HOLDPOINT_PROXY__LISTEN", "127.0.0.1:2, [::1]:2"),
            ("HOLDPOINT_PROXY__WORKERS", "2"),
            ("HOLDPOINT_JUDGE__CACHE", "2MiB"),
            ("HOLDPOINT_HOLD__TIMEOUT", "5m"),
            ("HOLDPOINT_DATABASES__SHOP__PASSWORD", "hush"),
            ("HOLDPOINT_DATABASES__LOGS__UPSTREAM", "postgres://app@db/logs"),
            ("holdpoint_proxy__listen", "not ours"),
            ("PATH", "/bin"),
        ],
    )
    .unwrap();
    let listen: Vec<SocketAddr> = vec!["127.0.0.1:2".parse().unwrap(), "[::1]:2".parse().unwrap()];
    assert_eq!(config.proxy.listen, listen);
    assert_eq!(config.proxy.max_connections, 5);
    assert_eq!(config.proxy.workers.count().get(), 2);
    assert_eq!(config.judge.cache, 2 << 20);
    assert_eq!(config.hold.timeout, Duration::from_mins(5));
    assert_eq!(password(&config), Some("hush"));
    assert_eq!(config.databases["logs"].upstream.dbname, "logs");
}

#[test]
fn variables_are_taken_as_they_are() {
    for value in [
        "12345",
        "true",
        "[1, 2]",
        "{a=b}",
        "\"quoted\"",
        " spaced ",
        "a,b",
        "0x10",
    ] {
        let config = load(DATABASE, &[("HOLDPOINT_DATABASES__SHOP__PASSWORD", value)]).unwrap();
        assert_eq!(password(&config), Some(value));
    }
}

#[test]
fn variables_of_other_programs_are_left_alone() {
    // What Kubernetes injects for services named holdpoint and holdpoint-console.
    for name in [
        "HOLDPOINT_PORT",
        "HOLDPOINT_SERVICE_HOST",
        "HOLDPOINT_PORT_6432_TCP_ADDR",
        "HOLDPOINT_CONSOLE_PORT",
        "HOLDPOINT_CONSOLE_SERVICE_HOST",
        "HOLDPOINT_PROXY_SERVICE_PORT",
        "HOLDPOINT_PROXY_TLS_SERVICE_PORT",
        "HOLDPOINT_TOKEN",
        "HOLDPOINT_URL",
    ] {
        assert!(load(DATABASE, &[(name, "x")]).is_ok(), "{name}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn every_fault_is_named_with_its_place() {
    let cases: &[Fault<'_>] = &[
        (
            "[proxy]\nlistn = \"x\"\n",
            &[],
            &["etc/holdpoint.toml:2: proxy.listn: unknown key; did you mean \"listen\"?"],
        ),
        (
            "[proxi]\n",
            &[],
            &["etc/holdpoint.toml:1: proxi: unknown key; did you mean \"proxy\"?"],
        ),
        (
            "colour = 1\n",
            &[],
            &[
                "etc/holdpoint.toml:1: colour: unknown key; known here: proxy, console, store, policy, hold, \
               log, judge, observe, audit, databases",
            ],
        ),
        (
            "\n[log]\nformat = \"jsn\"\nlevel = 3\n",
            &[],
            &[
                "etc/holdpoint.toml:3: log.format: \"jsn\" is none of text, json; did you mean \"json\"?",
                "etc/holdpoint.toml:4: log.level: \"3\" is none of error, warn, info, debug, trace",
            ],
        ),
        (
            "[hold]\ntimeout = 30\nnotice_interval = \"0s\"\n",
            &[],
            &[
                "etc/holdpoint.toml:2: hold.timeout: \"30\" is not a duration: a unit is expected after each \
               number (write \"45s\", \"30m\" or \"1h30m\")",
                "etc/holdpoint.toml:3: hold.notice_interval: must be at least 1s",
            ],
        ),
        (
            "[proxy]\nlisten = [\"127.0.0.1:1\", 5]\nmax_connections = -1\nhold_buffer = true\n",
            &[],
            &[
                "etc/holdpoint.toml:2: proxy.listen.1: expected a string, found a whole number",
                "etc/holdpoint.toml:3: proxy.max_connections: \"-1\" is no whole number in range",
                "etc/holdpoint.toml:4: proxy.hold_buffer: expected a size, as in \"64MiB\", found true or false",
            ],
        ),
        (
            "proxy = 5\n",
            &[],
            &["etc/holdpoint.toml:1: proxy: expected a table, found a whole number"],
        ),
        (
            "[databases.x]\nconnect_timeout = \"1s\"\n",
            &[],
            &[
                "etc/holdpoint.toml:1: databases.x.upstream: is missing: write upstream = \
               \"postgres://role@host:5432/dbname\"",
            ],
        ),
        (
            "[databases.x]\nupstream = \"postgres://a@b/c\"\npasword = \"hush\"\n",
            &[],
            &["etc/holdpoint.toml:3: databases.x.pasword: unknown key; did you mean \"password\"?"],
        ),
        (
            "[databases.x]\nupstream = \"postgres://a@b/c?sslmode=requir\"\n",
            &[],
            &[
                "etc/holdpoint.toml:2: databases.x.upstream: has an sslmode that is wrong: it must be one of \
               disable, allow, prefer, require, verify-ca, verify-full; did you mean require?",
            ],
        ),
        (
            "[databases.x]\nupstream = \"postgres://a@b/c?sslmode=allow\"\nsslmode = \"verify-full\"\n\
             sslsni = 256\nsslnegotiaton = 1\n",
            &[("HOLDPOINT_DATABASES__X__SSLKEY", "k.pem")],
            &[
                "etc/holdpoint.toml:3: databases.x.sslmode: stands in `upstream`, too; keep one of the two",
                "etc/holdpoint.toml:4: databases.x.sslsni: must be one of 1, 0",
                "etc/holdpoint.toml:5: databases.x.sslnegotiaton: unknown key; did you mean \"sslnegotiation\"?",
                "environment variable HOLDPOINT_DATABASES__X__SSLKEY: databases.x.sslkey: has no `sslcert` beside it",
            ],
        ),
        (
            "[store]\nurl = \"mysql://a@b/c\"\n",
            &[],
            &[
                "etc/holdpoint.toml:2: store.url: is for another database: write sqlite://PATH, or \
               postgres://ROLE@HOST/DATABASE",
            ],
        ),
        (
            "[console]\nlisten = \"127.0.0.1:6432\"\npublic_url = \"ftp://x\"\n",
            &[],
            &[
                "etc/holdpoint.toml:2: console.listen: 127.0.0.1:6432 is the proxy's address, too; take another port",
                "etc/holdpoint.toml:3: console.public_url: must begin with http:// or https://",
            ],
        ),
        (
            "[console]\npublic_url = \"https://ops.example.com/hold\"\n",
            &[],
            &[
                "etc/holdpoint.toml:2: console.public_url: must have no path: the console's pages stand at the root of \
               their host",
            ],
        ),
        (
            "",
            &[("HOLDPOINT_PROXY__LISTN", "x")],
            &[
                "environment variable HOLDPOINT_PROXY__LISTN: proxy.listn: unknown key; did you mean \"listen\"?",
            ],
        ),
        (
            "[judge]\nthreads = 2\n",
            &[("HOLDPOINT_JUDGE__THREADS", "0")],
            &["environment variable HOLDPOINT_JUDGE__THREADS: judge.threads: must be between 1 and 256"],
        ),
        (
            "[log]\nlevel = \"info\"\n",
            &[("HOLDPOINT_LOG__LEVEL__X", "1")],
            &["environment variable HOLDPOINT_LOG__LEVEL__X: log.level: expected a text, found a table"],
        ),
        (
            "",
            &[("HOLDPOINT_PROXY__", "1")],
            &[
                "environment variable HOLDPOINT_PROXY__: unknown; write HOLDPOINT_SECTION__KEY, with two \
               underscores between the levels",
            ],
        ),
        (
            "",
            &[
                ("HOLDPOINT_PROXY_LISTEN", "1"),
                ("HOLDPOINT_CONSOLE_PUBLIC_URL", "1"),
                ("HOLDPOINT_DATABASES_SHOP_PASSWORD", "1"),
                ("HOLDPOINT_PROXY_TLS_MODE", "require"),
            ],
            &[
                "environment variable HOLDPOINT_CONSOLE_PUBLIC_URL: unknown; did you mean \
               HOLDPOINT_CONSOLE__PUBLIC_URL?",
                "environment variable HOLDPOINT_DATABASES_SHOP_PASSWORD: unknown; did you mean \
               HOLDPOINT_DATABASES__SHOP__PASSWORD?",
                "environment variable HOLDPOINT_PROXY_LISTEN: unknown; did you mean HOLDPOINT_PROXY__LISTEN?",
                "environment variable HOLDPOINT_PROXY_TLS_MODE: unknown; did you mean \
               HOLDPOINT_PROXY__TLS__MODE?",
            ],
        ),
        (
            "[databases.Up]\nupstream = \"postgres://a@b/c\"\n",
            &[("HOLDPOINT_DATABASES__UP__PASSWORD", "hush")],
            &[
                "environment variable HOLDPOINT_DATABASES__UP__PASSWORD: databases.up.upstream: is missing. \
               Variables name databases in lower case: rename [databases.Up] to [databases.up], or set it in the \
               file",
            ],
        ),
    ];
    for (text, variables, expected) in cases {
        let text = format!("{text}{DATABASE}");
        assert_eq!(problems(&text, variables), *expected, "{text}");
    }
}

#[test]
fn a_database_is_needed() {
    for text in ["", "[databases]\n"] {
        assert!(problems(text, &[])[0].contains("databases: no database: write [databases.NAME]"));
    }
    let error = problems("databases = 1\n", &[]);
    assert_eq!(
        error,
        ["etc/holdpoint.toml:1: databases: expected tables: write [databases.NAME]"]
    );
}

#[test]
fn what_is_no_toml_is_named_without_the_text() {
    let error = problems("[databases.x]\npassword = \"hush\nupstream = 1\n", &[]);
    assert_eq!(error.len(), 1);
    assert!(
        error[0].starts_with("etc/holdpoint.toml:2: this is no TOML: "),
        "{error:?}"
    );
    assert!(!error[0].contains("hush"), "{error:?}");
}

#[test]
fn a_missing_file_is_named_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nowhere.toml");
    let error = Config::load_with(&path, []).unwrap_err().to_string();
    assert!(error.contains("nowhere.toml cannot be read: "), "{error}");
    assert!(error.contains("--config or HOLDPOINT_CONFIG"), "{error}");
}

#[test]
fn no_secret_is_shown() {
    let config = load(
        "[databases.shop]\nupstream = \"postgres://app@db/shop\"\npassword = \"hush\"\n",
        &[],
    )
    .unwrap();
    assert_eq!(password(&config), Some("hush"));
    assert!(!format!("{config:?}").contains("hush"));
    let error = problems(
        "[databases.x]\npassword = 90210\nupstream = \"postgres://a:90210@b\"\n",
        &[],
    );
    assert_eq!(error.len(), 2);
    assert!(!error.concat().contains("90210"), "{error:?}");
}

#[test]
fn a_password_stands_in_one_place_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("holdpoint.toml");
    std::fs::write(folder.path().join("good"), "from the file\r\n").unwrap();
    std::fs::write(folder.path().join("empty"), "\n").unwrap();
    let load = |keys: &str| {
        std::fs::write(&path, format!("[databases.shop]\n{keys}\n")).unwrap();
        Config::load_with(&path, [])
    };
    let url = "upstream = \"postgres://app@db/shop\"";
    let config = load(&format!("{url}\npassword_file = \"good\"")).unwrap();
    assert_eq!(password(&config), Some("from the file"));
    for (keys, why) in [
        (
            format!("{url}\npassword_file = \"good\"\npassword = \"x\""),
            "keep one of the two",
        ),
        (
            "upstream = \"postgres://app:x@db/shop\"\npassword = \"y\"".to_owned(),
            "there is another beside it",
        ),
        (
            "upstream = \"postgres://app:x@db/shop\"\npassword_file = \"good\"".to_owned(),
            "there is another beside it",
        ),
        (format!("{url}\npassword_file = \"empty\""), "is empty"),
        (format!("{url}\npassword_file = \"nowhere\""), "cannot be read"),
    ] {
        let error = load(&keys).unwrap_err().to_string();
        assert!(error.contains(why), "{keys}: {error}");
    }
}

#[test]
fn roles_and_access_are_read() {
    let text = format!(
        "{DATABASE}access = [\"alice\", \"@dba\"]\nunmapped = \"refuse\"\n\
         [[databases.shop.roles]]\nfor = \"alice, @dba\"\nrole = \"owner\"\npassword = \"hush\"\n\
         [[databases.shop.roles]]\nfor = [\"*\"]\nrole = \"reader\"\n"
    );
    let config = load(&text, &[]).unwrap();
    let shop = &config.databases["shop"];
    let named = [Member::User("alice".to_owned()), Member::Group("dba".to_owned())];
    assert_eq!(shop.access, named);
    assert_eq!((shop.auth, shop.unmapped), (Auth::Proxy, Unmapped::Refuse));
    let [owner, reader] = &shop.roles[..] else {
        panic!("{:?}", shop.roles)
    };
    assert_eq!((&owner.members[..], owner.role.as_str()), (&named[..], "owner"));
    assert_eq!(
        owner.password.as_ref().map(ExposeSecret::expose_secret),
        Some("hush")
    );
    assert_eq!(
        (&reader.members[..], reader.role.as_str()),
        (&[Member::Everybody][..], "reader")
    );
    assert!(!format!("{config:?}").contains("hush"));
    let config = load(DATABASE, &[("HOLDPOINT_DATABASES__SHOP__ACCESS", "alice, @dba")]).unwrap();
    assert_eq!(config.databases["shop"].access, named);
}

#[test]
fn clients_may_sign_in_by_themselves() {
    let text = "[databases.shop]\nupstream = \"postgres://db/shop\"\nauth = \"passthrough\"\n";
    let config = load(text, &[]).unwrap();
    let shop = &config.databases["shop"];
    assert_eq!((shop.auth, shop.upstream.user.as_str()), (Auth::Passthrough, ""));
    for (more, key, why) in [
        ("password = \"hush\"", "password", "has no meaning"),
        ("password_file = \"x\"", "password_file", "has no meaning"),
        ("unmapped = \"refuse\"", "unmapped", "has no meaning"),
        (
            "roles = [{ for = [\"*\"], role = \"x\" }]",
            "roles",
            "has no meaning",
        ),
        ("access = []", "access", "nobody could connect"),
        ("access = [\"@\"]", "access", "names nobody"),
    ] {
        let found = problems(&format!("{text}{more}\n"), &[]);
        let place = format!("etc/holdpoint.toml:4: databases.shop.{key}: ");
        assert!(
            found.iter().any(|p| p.starts_with(&place) && p.contains(why)),
            "{found:?}"
        );
        assert!(!found.concat().contains("hush"));
    }
    for (text, why) in [
        (
            "upstream = \"postgres://app@db/shop\"\nauth = \"passthrough\"",
            "names a role",
        ),
        ("upstream = \"postgres://db/shop\"", "names no role"),
        (
            "upstream = \"postgres://a@db/shop\"\nauth = \"ldap\"",
            "none of proxy, passthrough",
        ),
        (
            "upstream = \"postgres://a@db/shop\"\nunmapped = \"ask\"",
            "none of upstream, refuse",
        ),
    ] {
        let found = problems(&format!("[databases.shop]\n{text}\n"), &[]);
        assert!(found.len() == 1 && found[0].contains(why), "{found:?}");
    }
}

#[test]
fn what_is_wrong_with_a_role_is_named_with_its_place() {
    let entry = |keys: &str| {
        problems(
            &format!(
                "{DATABASE}[[databases.shop.roles]]\nfor = \"a\"\nrole = \"r\"\n[[databases.shop.roles]]\n{keys}\n"
            ),
            &[],
        )
    };
    let at = "databases.shop.roles.1";
    for (keys, expected) in [
        (
            "role = \"x\"",
            format!("etc/holdpoint.toml:6: {at}.for: is missing: write for = [\"alice\", \"@dba\"]"),
        ),
        (
            "for = \"a\"",
            format!("etc/holdpoint.toml:6: {at}.role: is missing: name the role of the server"),
        ),
        (
            "for = \"a\"\nrole = \"r\"\npassword = \"hush\"\npassword_file = \"f\"",
            format!(
                "etc/holdpoint.toml:10: {at}.password_file: there is a `password`, too; keep one of the two"
            ),
        ),
        (
            "fro = \"a\"",
            format!("etc/holdpoint.toml:7: {at}.fro: unknown key; did you mean \"for\"?"),
        ),
        (
            "for = 5",
            format!(
                "etc/holdpoint.toml:7: {at}.for: expected users and @groups, as in [\"alice\", \"@dba\"], found a whole number"
            ),
        ),
    ] {
        assert_eq!(entry(keys), [expected], "{keys}");
    }
    let found = entry("for = \"a\"\nrole = \"r\"\npassword_file = \"nowhere\"");
    assert!(
        found[0].contains("roles.1.password_file: etc/nowhere cannot be read"),
        "{found:?}"
    );
    let found = entry("for = \"a\"\nrole = \"r\"\npassword = 90210");
    assert!(found.len() == 1 && !found[0].contains("90210"), "{found:?}");
}

const TLS: &str = "[proxy.tls]\ncert = \"a.crt\"\nkey = \"/b.key\"\n";

#[test]
fn tls_is_there_where_there_is_a_certificate() {
    let tls = |lines: &str| load(&format!("{lines}{DATABASE}"), &[]).unwrap().proxy.tls;
    assert_eq!(tls("").pair(), None);
    assert_eq!(
        tls(TLS).pair(),
        Some((Path::new("etc/a.crt"), Path::new("/b.key")))
    );
    assert_eq!(tls(&format!("{TLS}mode = \"disable\"\n")).pair(), None);
    let clients = tls(&format!(
        "{TLS}mode = \"require\"\nmin_version = \"1.3\"\nclient_ca = \"ca.crt\"\nclient_cert = \"require\"\n\
         client_auth = \"password+cert\"\nusers = {{ \"CN=a b,O=C\" = \"alice\" }}\n"
    ));
    assert_eq!(clients.min_version, TlsVersion::Tls13);
    assert_eq!(clients.client_ca.as_deref(), Some(Path::new("etc/ca.crt")));
    assert_eq!(clients.client_auth, ClientAuth::PasswordAndCert);
    assert_eq!(clients.users["CN=a b,O=C"], "alice");
    let variables = [
        ("HOLDPOINT_PROXY__TLS__CERT", "/c.crt"),
        ("HOLDPOINT_PROXY__TLS__KEY", "/c.key"),
    ];
    let tls = load(DATABASE, &variables).unwrap().proxy.tls;
    assert_eq!(tls.pair(), Some((Path::new("/c.crt"), Path::new("/c.key"))));
}

#[test]
fn settings_of_tls_that_would_let_somebody_in_are_refused() {
    let ca = "client_ca = \"ca.crt\"\n";
    for (tls, key, why) in [
        ("[proxy.tls]\ncert = \"a.crt\"\n".to_owned(), "key", "is missing"),
        ("[proxy.tls]\nkey = \"a.key\"\n".to_owned(), "cert", "is missing"),
        (
            "[proxy.tls]\nmode = \"require\"\n".to_owned(),
            "mode",
            "needs a certificate",
        ),
        (format!("{TLS}mode = \"on\"\n"), "mode", "is none of"),
        (format!("{TLS}min_version = \"1.1\"\n"), "min_version", "not safe"),
        (format!("{TLS}{ca}"), "client_ca", "of no use"),
        (
            format!("{TLS}client_cert = \"optional\"\n"),
            "client_cert",
            "needs `client_ca`",
        ),
        (
            format!("{TLS}{ca}client_cert = \"require\"\n"),
            "client_cert",
            "needs mode",
        ),
        (
            format!("{TLS}client_auth = \"cert\"\n"),
            "client_auth",
            "set client_cert",
        ),
        (
            format!("{TLS}{ca}client_cert = \"optional\"\nclient_auth = \"password+cert\"\n"),
            "client_auth",
            "needs client_cert",
        ),
        (
            format!("{TLS}{ca}client_cert = \"optional\"\nusers = {{ a = \"b\" }}\n"),
            "users",
            "of no use",
        ),
    ] {
        let found = problems(&format!("{tls}{DATABASE}"), &[]);
        let is_there = |line: &String| line.contains(&format!("proxy.tls.{key}: ")) && line.contains(why);
        assert!(found.iter().any(is_there), "{tls}: {found:?}");
    }
    // Everything at once.
    let several = "[proxy.tls]\nmode = \"x\"\nmin_version = \"y\"\nca = \"z\"\n";
    assert_eq!(problems(&format!("{several}{DATABASE}"), &[]).len(), 3);
}
