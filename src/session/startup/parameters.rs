//! What StartupMessage may ask for, and what of it goes to the server.

use super::super::Fault;
use super::super::outlook::Moved;
use super::super::own::OwnSettings;
use super::refused;
use crate::model::{Decision, Effect, Facts, HoldTerms, Judged};
use crate::policy::{Policy, Subject};
use crate::sql;
use crate::wire::reply::Severity;
use crate::wire::startup::Startup;
use crate::wire::{Report, sqlstate};

/// The parameters that go upstream, in their order.
pub(super) fn passed_on(startup: &Startup) -> Vec<(&str, &str)> {
    startup
        .parameters
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| {
            !matches!(*name, "user" | "database" | "replication")
                && !name.starts_with("_pq_.")
                && own_name(name).is_none()
        })
        .collect()
}

/// Checks what can be said before anybody has logged in, and gives the name of the database.
pub(super) fn check(startup: &Startup) -> Result<&str, Fault> {
    let Some(user) = startup.parameter("user").filter(|u| !u.is_empty()) else {
        return Err(refused(Report::fatal(
            sqlstate::INVALID_AUTHORIZATION,
            "no PostgreSQL user name specified in startup packet",
        )));
    };
    // As PostgreSQL: the user's name where no database is named.
    let database = startup
        .parameter("database")
        .filter(|d| !d.is_empty())
        .unwrap_or(user);
    // They are shown to people, in logs and requests.
    if [user, database]
        .iter()
        .any(|name| name.contains(char::is_control))
    {
        return Err(refused(Report::fatal(
            sqlstate::INVALID_AUTHORIZATION,
            "a control character in the name of the user or the database",
        )));
    }
    if startup
        .parameters
        .iter()
        .any(|(name, value)| name == "replication" && !matches!(value.as_str(), "false" | "off" | "no" | "0"))
    {
        return Err(refused(
            Report::fatal(
                sqlstate::FEATURE_NOT_SUPPORTED,
                "replication connections are not allowed",
            )
            .detail("A replication stream cannot be reviewed.")
            .hint("Connect replicas and backup tools to the database server directly."),
        ));
    }
    Ok(database)
}

/// Judges each setting as the `SET` that it stands for: it is given if it touches this session alone, or if
/// policy lets it pass. Nobody can be asked, for a client that connects does not wait.
///
/// # Errors
/// What the client hears about the first that is not given.
pub(super) fn judge(startup: &Startup, policy: &Policy, subject: &Subject<'_>) -> Result<(), Report> {
    own(startup)?;
    for setting in settings_of(startup) {
        if setting.own().is_some() {
            continue;
        }
        for facts in setting.facts() {
            // As it always was: every driver sets some of these.
            if facts.effect == Effect::Session {
                continue;
            }
            match policy.decide_facts(subject, &facts) {
                Decision::Allow | Decision::Observe { .. } => {}
                Decision::Hold(terms) => return Err(setting.held(&terms)),
                Decision::Deny { rule, reason } => return Err(setting.denied(&rule, &reason)),
            }
        }
    }
    Ok(())
}

/// What policy is asked about in [`judge`]: the settings that do not touch this session alone, each as the SET
/// that it stands for.
pub(super) fn decided_on(startup: &Startup) -> impl Iterator<Item = (String, Judged)> {
    let others = settings_of(startup)
        .into_iter()
        .filter(|setting| setting.own().is_none());
    others.filter_map(|setting| {
        let mut facts = setting.facts();
        facts.retain(|facts| facts.effect != Effect::Session);
        (!facts.is_empty()).then(|| (setting.as_sql(), Judged::from_facts(facts)))
    })
}

/// What it sets of holdpoint's own settings. (The server is told of those in `options`, and makes nothing of them.)
///
/// # Errors
/// What the client hears about one that there is not.
pub(super) fn own(startup: &Startup) -> Result<OwnSettings, Report> {
    let mut own = OwnSettings::default();
    for setting in settings_of(startup) {
        if let Some((name, value)) = setting.own() {
            own.set(&name, Some(value)).map_err(|report| Report {
                severity: Severity::Fatal,
                ..report
            })?;
        }
    }
    Ok(own)
}

/// The name of a setting of holdpoint's own, without the prefix that they all have.
fn own_name(name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    name.strip_prefix(sql::OWN_PREFIX).map(str::to_owned)
}

/// Whether names will mean something else than they would without the startup packet, and the session act as somebody else.
pub(super) fn moved(startup: &Startup) -> Moved {
    let mut moved = Moved::default();
    for setting in settings_of(startup) {
        for facts in setting.facts() {
            let is_path = facts.sets.search_path || matches!(setting, Setting::Switch(_));
            moved.path |= is_path;
            moved.role |= is_path && facts.effect >= Effect::Privilege;
        }
    }
    moved
}

/// A part of what a startup packet sets.
#[derive(Debug, PartialEq, Eq)]
enum Setting {
    /// A name and its value.
    Assigned(String, String),
    /// A switch of `options` that is no assignment: `-d 5` and the like, which PostgreSQL knows for its
    /// command line.
    Switch(String),
}

/// All that a startup packet sets, in its order.
fn settings_of(startup: &Startup) -> Vec<Setting> {
    let mut settings = Vec::new();
    for (name, value) in &startup.parameters {
        match name.as_str() {
            "user" | "database" | "replication" => {}
            "options" => read_options(value, &mut settings),
            name if name.starts_with("_pq_.") => {}
            name => settings.push(Setting::Assigned(name.to_owned(), value.clone())),
        }
    }
    settings
}

impl Setting {
    /// One of holdpoint's own, with its value.
    fn own(&self) -> Option<(String, &str)> {
        match self {
            Self::Assigned(name, value) => Some((own_name(name)?, value)),
            Self::Switch(_) => None,
        }
    }

    fn facts(&self) -> Vec<Facts> {
        match self {
            Self::Assigned(name, value) => vec![sql::judge_startup_setting(name, value)],
            // It could be anything that a SET could be: policy must let all of it pass.
            Self::Switch(_) => [Effect::Privilege, Effect::Server, Effect::Unknown]
                .map(|effect| Facts {
                    effect,
                    commands: vec!["SET".to_owned()],
                    ..Facts::unknown("it is a switch of the server's command line")
                })
                .into(),
        }
    }

    fn as_sql(&self) -> String {
        match self {
            Self::Assigned(name, value) => {
                format!(
                    "-- at connection start\nSET {name} TO '{}'",
                    value.replace('\'', "''")
                )
            }
            Self::Switch(switch) => format!("-- at connection start: the option \"{switch}\""),
        }
    }

    fn held(&self, terms: &HoldTerms) -> Report {
        let report = match self {
            Self::Assigned(name, value) if name.eq_ignore_ascii_case("client_encoding") => Report::fatal(
                sqlstate::FEATURE_NOT_SUPPORTED,
                format!(
                    "client_encoding \"{value}\" is not supported: statements in it cannot be judged safely"
                ),
            )
            .hint("Use UTF8."),
            Self::Assigned(name, _) => Report::fatal(
                sqlstate::INSUFFICIENT_PRIVILEGE,
                format!("parameter \"{name}\" cannot be set at connection start"),
            )
            .hint("Connect without it, and SET it in the session, where it can be reviewed."),
            Self::Switch(switch) => Report::fatal(
                sqlstate::INSUFFICIENT_PRIVILEGE,
                format!("option \"{switch}\" cannot be given at connection start"),
            )
            .hint("Only -c name=value and --name=value are understood."),
        };
        let rules: Vec<&str> = terms.rules.iter().map(AsRef::as_ref).collect();
        report.detail(format!("Rule \"{}\" holds it.", rules.join("\", \"")))
    }

    fn denied(&self, rule: &str, reason: &str) -> Report {
        let what = match self {
            Self::Assigned(name, _) => format!("parameter \"{name}\""),
            Self::Switch(switch) => format!("option \"{switch}\""),
        };
        Report::fatal(
            sqlstate::INSUFFICIENT_PRIVILEGE,
            format!("denied by policy: {reason}"),
        )
        .detail(format!("Rule \"{rule}\", for {what} at connection start."))
        .hint("Connect without it.")
    }
}

/// `options`: switches as for the server's command line. `-c name=value` and `--name=value` are assignments.
/// Source: PostgreSQL manual, "Connection Control Functions", `options`; `pg_split_opts` in
/// `src/backend/utils/init/postinit.c`, `process_postgres_switches` in `src/backend/tcop/postgres.c`.
fn read_options(options: &str, settings: &mut Vec<Setting>) {
    // What counts as white space beyond ASCII is the server's locale's to say.
    if !options.is_ascii() {
        settings.push(Setting::Switch(options.to_owned()));
    }
    let mut words = split_options(options).into_iter();
    while let Some(word) = words.next() {
        let assignment = match word.as_str() {
            "-c" => words.next(),
            _ => word
                .strip_prefix("--")
                .or_else(|| word.strip_prefix("-c"))
                .map(str::to_owned),
        };
        settings.push(match assignment.as_deref().and_then(|a| a.split_once('=')) {
            Some((name, value)) => Setting::Assigned(name.replace('-', "_"), value.to_owned()),
            None => Setting::Switch(word),
        });
    }
}

/// Splits at white space; a backslash takes the next character as it is.
fn split_options(options: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut inside = false;
    let mut characters = options.chars();
    while let Some(c) = characters.next() {
        if c.is_ascii_whitespace() || c == '\u{b}' {
            if std::mem::take(&mut inside) {
                words.push(std::mem::take(&mut word));
            }
            continue;
        }
        inside = true;
        match c {
            '\\' => word.extend(characters.next()),
            c => word.push(c),
        }
    }
    if inside {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn options_split_as_postgresql_splits_them() {
        assert_eq!(split_options("  -c a=b\t--c=d\\ e  "), ["-c", "a=b", "--c=d e"]);
        assert_eq!(split_options(""), [""; 0]);
    }

    fn startup(parameters: &[(&str, &str)]) -> Startup {
        Startup {
            minor: 0,
            parameters: parameters
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        }
    }

    fn judged(policy: &str, parameters: &[(&str, &str)]) -> Result<(), Report> {
        let policy = Policy::parse(policy).unwrap();
        let subject = Subject::new("shop", "alice", &[]);
        judge(&startup(parameters), &policy, &subject)
    }

    const READS_PASS: &str = r#"
        default_groups = ["dba"]
        [[rule]]
        name = "no roles"
        when = { effects = ["privilege"] }
        then = { deny = { reason = "stay who you are" } }
        [[rule]]
        name = "reads pass"
        when = { effects = ["session", "read"] }
        then = "allow"
    "#;
    const ALL_PASSES: &str = r#"
        default_groups = ["dba"]
        [[rule]]
        name = "all"
        when = { effects = ["session", "read", "write", "schema", "privilege", "server", "unknown"] }
        then = "allow"
    "#;
    /// Not even a SET is let pass.
    const NOTHING_PASSES: &str = r#"
        default_groups = ["dba"]
        [[rule]]
        name = "nothing"
        when = { effects = ["session"] }
        then = { deny = { reason = "no" } }
    "#;

    #[test]
    fn options_are_read_as_postgresql_reads_them() {
        let read = |options: &str| {
            let mut settings = Vec::new();
            read_options(options, &mut settings);
            settings
        };
        let assigned = |name: &str, value: &str| Setting::Assigned(name.to_owned(), value.to_owned());
        let switch = |word: &str| Setting::Switch(word.to_owned());
        for (options, expected) in [
            ("", vec![]),
            ("-c work_mem=1MB", vec![assigned("work_mem", "1MB")]),
            ("-cwork-mem=", vec![assigned("work_mem", "")]),
            ("--work-mem=a=b", vec![assigned("work_mem", "a=b")]),
            ("-d 5", vec![switch("-d"), switch("5")]),
            ("-ecrole=x", vec![switch("-ecrole=x")]),
            ("-c", vec![switch("-c")]),
            ("-c work_mem", vec![switch("-c")]),
            ("-- -crole=x", vec![switch("--"), assigned("role", "x")]),
            ("role=x", vec![switch("role=x")]),
        ] {
            assert_eq!(read(options), expected, "{options}");
        }
    }

    #[test]
    fn what_touches_the_session_alone_is_given_under_every_policy() {
        let parameters = [
            ("user", "alice"),
            ("application_name", "x"),
            ("client_encoding", "UTF8"),
            ("options", "-c statement_timeout=5s --search-path=other"),
            ("_pq_.unknown", "x"),
        ];
        for policy in [READS_PASS, ALL_PASSES, NOTHING_PASSES] {
            assert_eq!(judged(policy, &parameters), Ok(()), "{policy}");
        }
    }

    #[test]
    fn the_rest_is_judged_as_the_set_that_it_stands_for() {
        for (name, value, denied, code) in [
            ("role", "postgres", true, "42501"),
            ("ROLE", "none", true, "42501"),
            ("session_authorization", "postgres", true, "42501"),
            ("options", "-c role=postgres", true, "42501"),
            ("options", "--session-authorization=postgres", true, "42501"),
            ("options", "-d 5", true, "42501"),
            ("session_preload_libraries", "x", false, "42501"),
            ("log_statement", "none", false, "42501"),
            ("app.tenant", "1", false, "42501"),
            ("search_path", "public, pg_catalog", false, "42501"),
            ("client_encoding", "SJIS", false, "0A000"),
        ] {
            let refusal = judged(READS_PASS, &[(name, value)]).unwrap_err();
            assert_eq!(refusal.sqlstate, code, "{name}={value}");
            let says_so = refusal.message == "denied by policy: stay who you are";
            assert_eq!(says_so, denied, "{name}={value}: {refusal:?}");
            assert_eq!(judged(ALL_PASSES, &[(name, value)]), Ok(()), "{name}={value}");
        }
    }

    #[test]
    fn what_policy_is_asked_about_is_shown_as_sql() {
        let startup = startup(&[
            ("user", "alice"),
            ("application_name", "x"),
            ("role", "o'neill"),
            ("options", "-d"),
        ]);
        let decided: Vec<(String, usize)> = decided_on(&startup)
            .map(|(text, judged)| (text, judged.statements.len()))
            .collect();
        let expected = [
            ("-- at connection start\nSET role TO 'o''neill'".to_owned(), 1),
            ("-- at connection start: the option \"-d\"".to_owned(), 3),
        ];
        assert_eq!(decided, expected);
    }

    #[test]
    fn a_switch_passes_where_everything_does() {
        let without = |effect: &str| ALL_PASSES.replace(&format!("\"{effect}\""), "\"read\"");
        for effect in ["privilege", "server", "unknown"] {
            assert!(
                judged(&without(effect), &[("options", "-d 5")]).is_err(),
                "{effect}"
            );
        }
        assert!(judged(ALL_PASSES, &[("options", "-d 5 -e")]).is_ok());
    }

    #[test]
    fn what_moves_names_is_seen() {
        for (name, value, path, role) in [
            ("options", "-c Search_Path=x", true, false),
            ("search_path", "x", true, false),
            ("role", "x", true, true),
            ("options", "-cSESSION_AUTHORIZATION=x", true, true),
            ("options", "-ecrole=x", true, true),
            ("application_name", "search_path", false, false),
            ("work_mem", "1GB", false, false),
        ] {
            let expected = Moved { path, role };
            assert_eq!(moved(&startup(&[(name, value)])), expected, "{name}={value}");
        }
    }
}
