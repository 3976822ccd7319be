//! What changing a setting of the session does. Imports `model` alone.
//!
//! For `SET`, `set_config()` and for the settings of a startup packet (its own parameters and
//! those in `options`). Names are compared as the server does, without regard to case. A name
//! that is not known to be harmless is refused: an allow-list, so that a new server's new
//! setting is held rather than passed.

use std::collections::HashSet;
use std::sync::LazyLock;

use crate::model::{Effect, Sets};

static SESSION: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    include_str!("lists/settings_session.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect()
});

/// The least effect of setting `name`, to whatever value.
///
/// `Session` for what touches this session alone, `Privilege` for what changes as whom it acts,
/// `Unknown` for names with a dot (an extension's, or an application's own that row level
/// security may rest on), `Server` for any other. `client_encoding` is `Unknown` here, since
/// only some encodings can be judged: ask [`effect_of_assignment`] where the value is known.
#[must_use]
pub fn effect_of_setting(name: &str) -> Effect {
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "role" | "session_authorization" | "createrole_self_grant" => Effect::Privilege,
        "client_encoding" => Effect::Unknown,
        name if SESSION.contains(name) => Effect::Session,
        name if name.contains('.') => Effect::Unknown,
        _ => Effect::Server,
    }
}

/// The effect of setting `name` to `value`, as in [`effect_of_setting`], but knowing the value:
/// a safe `client_encoding` is `Session`; a `search_path` that puts another schema before
/// `pg_catalog`, whose objects could then stand in for PostgreSQL's own, is `Unknown`.
#[must_use]
pub fn effect_of_assignment(name: &str, value: &str) -> Effect {
    match name.to_ascii_lowercase().as_str() {
        "client_encoding" if encoding_is_safe(value) => Effect::Session,
        "search_path" if hides_pg_catalog(value.split(',')) => Effect::Unknown,
        name => effect_of_setting(name),
    }
}

/// What else a change of this setting (`*`: of any) may change.
pub(super) fn sets_of(setting: &str) -> Sets {
    let name = setting.to_ascii_lowercase();
    Sets {
        // `$user` in a search path is the role.
        search_path: matches!(
            name.as_str(),
            "*" | "search_path" | "role" | "session_authorization"
        ),
        read_only: matches!(
            name.as_str(),
            "*" | "transaction_read_only"
                | "default_transaction_read_only"
                // Not to be set in a subtransaction.
                | "transaction_isolation"
                | "transaction_deferrable"
        ),
        with_hold: false,
        seed: matches!(name.as_str(), "*" | "seed"),
        encoding: matches!(name.as_str(), "*" | "client_encoding"),
    }
}

/// Whether texts in this encoding mean to the server what they mean read as UTF-8, as far as
/// their structure goes: no byte of a multi-byte character is ASCII. That is so for all
/// encodings that PostgreSQL also takes for a database, and not for SJIS, BIG5, GBK, GB18030,
/// JOHAB, `SHIFT_JIS_2004` and UHC. Names are compared as the server does: letters and digits
/// alone, without regard to case.
#[must_use]
pub fn encoding_is_safe(client_encoding: &str) -> bool {
    const SAFE: &[&str] = &[
        "abc",
        "alt",
        "euccn",
        "eucjis2004",
        "eucjp",
        "euckr",
        "euctw",
        "iso88591",
        "iso885910",
        "iso885913",
        "iso885914",
        "iso885915",
        "iso885916",
        "iso88592",
        "iso88593",
        "iso88594",
        "iso88595",
        "iso88596",
        "iso88597",
        "iso88598",
        "iso88599",
        "koi8",
        "koi8r",
        "koi8u",
        "latin1",
        "latin10",
        "latin2",
        "latin3",
        "latin4",
        "latin5",
        "latin6",
        "latin7",
        "latin8",
        "latin9",
        "muleinternal",
        "sqlascii",
        "tcvn",
        "tcvn5712",
        "unicode",
        "utf8",
        "vscii",
        "win",
        "win1250",
        "win1251",
        "win1252",
        "win1253",
        "win1254",
        "win1255",
        "win1256",
        "win1257",
        "win1258",
        "win866",
        "win874",
        "windows1250",
        "windows1251",
        "windows1252",
        "windows1253",
        "windows1254",
        "windows1255",
        "windows1256",
        "windows1257",
        "windows1258",
        "windows866",
        "windows874",
    ];
    let name: String = client_encoding
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    SAFE.contains(&name.as_str())
}

/// Whether a search path names `pg_catalog` after another schema. Where it does not name it,
/// the server searches it first.
pub(super) fn hides_pg_catalog<'a>(path: impl IntoIterator<Item = &'a str>) -> bool {
    path.into_iter().skip(1).any(|schema| {
        schema
            .trim_matches(|c: char| c.is_ascii_whitespace() || matches!(c, '\x0b' | '"'))
            .eq_ignore_ascii_case("pg_catalog")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_placed_by_name() {
        for (name, effect) in [
            ("application_name", Effect::Session),
            ("TimeZone", Effect::Session),
            ("DateStyle", Effect::Session),
            ("work_mem", Effect::Session),
            ("role", Effect::Privilege),
            ("ROLE", Effect::Privilege),
            ("session_authorization", Effect::Privilege),
            ("client_encoding", Effect::Unknown),
            ("session_replication_role", Effect::Server),
            ("local_preload_libraries", Effect::Server),
            ("log_statement", Effect::Server),
            ("a_setting_of_postgresql_30", Effect::Server),
            ("app.tenant", Effect::Unknown),
            ("", Effect::Server),
        ] {
            assert_eq!(effect_of_setting(name), effect, "{name}");
        }
    }

    #[test]
    fn values_count_where_they_matter() {
        for (name, value, effect) in [
            ("client_encoding", "UTF8", Effect::Session),
            ("Client_Encoding", "utf-8", Effect::Session),
            ("client_encoding", "SJIS", Effect::Unknown),
            ("client_encoding", "", Effect::Unknown),
            ("search_path", "public, app", Effect::Session),
            ("search_path", "pg_catalog, public", Effect::Session),
            ("search_path", "public, pg_catalog", Effect::Unknown),
            ("SEARCH_PATH", "public,\"pg_catalog\"", Effect::Unknown),
            ("search_path", "public,\x0bPG_Catalog\n", Effect::Unknown),
            ("search_path", "", Effect::Session),
            ("role", "none", Effect::Privilege),
        ] {
            assert_eq!(effect_of_assignment(name, value), effect, "{name}={value}");
        }
    }

    #[test]
    fn encodings_whose_characters_hold_ascii_are_not_safe() {
        for name in [
            "UTF8",
            "utf-8",
            "Unicode",
            "LATIN1",
            "iso-8859-15",
            "SQL_ASCII",
            "EUC_JP",
            "WIN1252",
            "KOI8R",
        ] {
            assert!(encoding_is_safe(name), "{name}");
        }
        for name in [
            "SJIS",
            "Shift_JIS",
            "mskanji",
            "windows932",
            "BIG5",
            "windows950",
            "GBK",
            "windows936",
            "GB18030",
            "JOHAB",
            "UHC",
            "windows949",
            "SHIFT_JIS_2004",
            "shiftjis2004",
            "",
            "utf7",
            "utf16",
        ] {
            assert!(!encoding_is_safe(name), "{name}");
        }
    }
}
