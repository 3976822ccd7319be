//! Who may use a database, how they sign in, and as which role they act there.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use secrecy::SecretString;
use serde::Deserialize;

use super::database::read_password;
use super::error::Problems;
use super::value;

/// How the clients of a database sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// To holdpoint, as its users; on the server they act as a role of holdpoint's.
    Proxy,
    /// To the server itself, as its roles.
    Passthrough,
}

impl FromStr for Auth {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "proxy" => Ok(Self::Proxy),
            "passthrough" => Ok(Self::Passthrough),
            _ => Err(format!("\"{text}\" is none of proxy, passthrough")),
        }
    }
}

/// What becomes of users for whom no entry of `roles` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmapped {
    /// They act as the role in `upstream`.
    Upstream,
    /// They may not come in.
    Refuse,
}

impl FromStr for Unmapped {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "upstream" => Ok(Self::Upstream),
            "refuse" => Ok(Self::Refuse),
            _ => Err(format!("\"{text}\" is none of upstream, refuse")),
        }
    }
}

/// Whom an entry of a list names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Member {
    /// `"alice"`: a user.
    User(String),
    /// `"@dba"`: the members of a group.
    Group(String),
    /// `"*"`: everybody.
    Everybody,
}

impl FromStr for Member {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.strip_prefix('@').unwrap_or(text);
        if name.is_empty() || name.trim() != name || name.contains(char::is_control) {
            return Err(format!(
                "\"{}\" names nobody: write \"alice\" for a user, \"@dba\" for a group, \"*\" for everybody",
                text.escape_debug()
            ));
        }
        Ok(match text {
            "*" => Self::Everybody,
            _ if text.starts_with('@') => Self::Group(name.to_owned()),
            _ => Self::User(name.to_owned()),
        })
    }
}

/// An entry of `[[databases.NAME.roles]]`.
#[derive(Debug, Clone)]
pub struct RoleConfig {
    /// Whom it is for; never empty.
    pub members: Vec<Member>,
    /// The role that they act as.
    pub role: String,
    /// Its password, if the server asks for one.
    pub password: Option<SecretString>,
}

/// An entry as written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawRole {
    #[serde(rename = "for", deserialize_with = "value::members")]
    members: Vec<Member>,
    role: String,
    #[serde(deserialize_with = "value::secret")]
    password: Option<SecretString>,
    password_file: Option<PathBuf>,
}

impl RawRole {
    /// Checks it and reads its password. What is wrong is then among the problems.
    pub(super) fn resolve(
        self,
        database: &str,
        index: usize,
        folder: &Path,
        problems: &mut Problems<'_>,
    ) -> RoleConfig {
        let index = index.to_string();
        let mut fail = |key: &str, message: String| {
            problems.add(&["databases", database, "roles", &index, key], message);
        };
        if self.members.is_empty() {
            fail("for", "is missing: write for = [\"alice\", \"@dba\"]".to_owned());
        }
        if self.role.is_empty() {
            fail("role", "is missing: name the role of the server".to_owned());
        } else if self.role.contains('\0') {
            fail("role", "has a NUL".to_owned());
        }
        if self.password.is_some() && self.password_file.is_some() {
            fail(
                "password_file",
                "there is a `password`, too; keep one of the two".to_owned(),
            );
        }
        let password = self.password.or_else(|| {
            let read = read_password(&folder.join(self.password_file.as_ref()?));
            read.map_err(|message| fail("password_file", message)).ok()
        });
        RoleConfig {
            members: self.members,
            role: self.role,
            password,
        }
    }
}
