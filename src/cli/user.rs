//! `holdpoint user`: who may connect and decide. Works on the store itself, so that the first
//! user can be added before anything runs; a holdpoint that runs sees the change at the next sign-in.

use std::sync::Arc;

use clap::{Subcommand, ValueEnum};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::config::Config;
use crate::identity::{Directory, KNOWN_FOR, NewUser};
use crate::model::{Clock, SystemClock};
use crate::store::{self, Actor, UserChange, UserRecord};

use super::output::{print, table, visible};
use super::{Failure, Global, block_on, password};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a user
    Add {
        /// Name to sign in with, at the proxy and in the console
        name: String,
        /// Group the user is a member of; repeat it for several
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
        /// May see every request, and add and change users
        #[arg(long)]
        admin: bool,
        /// Read the password from standard input instead of asking for it
        #[arg(long)]
        password_stdin: bool,
    },
    /// Set another password; ends the user's sessions in the console
    Passwd {
        /// Name of the user
        name: String,
        /// Read the password from standard input instead of asking for it
        #[arg(long)]
        password_stdin: bool,
    },
    /// Add a user to groups, and take them out of others; alone, show the groups
    Groups {
        /// Name of the user
        name: String,
        /// Group to be a member of, too; repeat it for several
        #[arg(long = "add", value_name = "GROUP")]
        join: Vec<String>,
        /// Group to be a member of no longer; repeat it for several
        #[arg(long = "remove", value_name = "GROUP")]
        leave: Vec<String>,
    },
    /// Make a user an administrator, who sees every request and changes users; or no longer
    Admin {
        /// Name of the user
        name: String,
        /// Whether they are one
        #[arg(value_name = "on|off")]
        state: Switch,
    },
    /// List users
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Keep a user from signing in anywhere; ends their sessions in the console and revokes their tokens
    Disable {
        /// Name of the user
        name: String,
    },
    /// Let a disabled user sign in again
    Enable {
        /// Name of the user
        name: String,
    },
    /// Make a token for the API, and print it alone; it cannot be shown again
    Token {
        /// Name of the user
        name: String,
    },
    /// Revoke all tokens of a user
    RevokeTokens {
        /// Name of the user
        name: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Switch {
    On,
    Off,
}

/// Does what the subcommand says.
pub(super) fn run(command: Command, global: &Global) -> Result<(), Failure> {
    match command {
        Command::Add {
            name,
            groups,
            admin,
            password_stdin,
        } => add(global, &name, &groups, admin, password_stdin),
        Command::Passwd { name, password_stdin } => {
            let password = password::obtain(&name, password_stdin)?;
            with_changes(global, async |directory| {
                Ok(directory.set_password(&name, password.expose_secret()).await?)
            })?;
            print(&format!("changed the password of {}\n", visible(&name)))
        }
        Command::List { json } => {
            let users = with_directory(global, async |directory| Ok(directory.users().await?))?;
            print(&if json { as_json(&users) } else { as_table(&users) })
        }
        Command::Groups { name, join, leave } => groups(global, &name, join, leave),
        Command::Admin { name, state } => {
            let admin = state == Switch::On;
            change(global, &name, &UserChange::admin(admin))?;
            let what = if admin {
                "is an administrator"
            } else {
                "is no administrator"
            };
            print(&format!("{} {what} now\n", visible(&name)))
        }
        Command::Disable { name } => set_disabled(global, &name, true),
        Command::Enable { name } => set_disabled(global, &name, false),
        Command::Token { name } => {
            let token = with_directory(global, async |directory| Ok(directory.issue_token(&name).await?))?;
            print(&format!("{token}\n"))
        }
        Command::RevokeTokens { name } => {
            let revoked = with_directory(global, async |directory| {
                Ok(directory.revoke_tokens(Actor::CommandLine, &name).await?)
            })?;
            let tokens = if revoked == 1 { "token" } else { "tokens" };
            print(&format!("revoked {revoked} {tokens} of {}\n", visible(&name)))
        }
    }
}

fn add(
    global: &Global,
    name: &str,
    groups: &[String],
    admin: bool,
    password_stdin: bool,
) -> Result<(), Failure> {
    let password = password::obtain(name, password_stdin)?;
    with_changes(global, async |directory| {
        let user = NewUser { name, groups, admin };
        Ok(directory
            .add_user(Actor::CommandLine, user, password.expose_secret())
            .await?)
    })?;
    let groups = listed(groups);
    let admin = if admin { ", administrator" } else { "" };
    print(&format!(
        "added {} ({}{admin})\n",
        visible(name),
        visible(&groups)
    ))
}

fn groups(global: &Global, name: &str, join: Vec<String>, leave: Vec<String>) -> Result<(), Failure> {
    let wanted = UserChange {
        join,
        leave,
        ..UserChange::default()
    };
    let user = change(global, name, &wanted)?;
    print(&format!(
        "{}: {}\n",
        visible(name),
        visible(&listed(&user.principal.groups))
    ))
}

fn listed(groups: &[String]) -> String {
    match groups {
        [] => "no group".to_owned(),
        groups => groups.join(", "),
    }
}

fn change(global: &Global, name: &str, change: &UserChange) -> Result<UserRecord, Failure> {
    with_changes(global, async |directory| {
        Ok(directory.change_user(Actor::CommandLine, name, change).await?)
    })
}

fn set_disabled(global: &Global, name: &str, disabled: bool) -> Result<(), Failure> {
    change(global, name, &UserChange::disabled(disabled))?;
    let verb = if disabled { "disabled" } else { "enabled" };
    print(&format!("{verb} {}\n", visible(name)))
}

/// As [`with_directory`], for what counts at logins: what is said afterwards is so at each holdpoint that runs.
fn with_changes<T>(
    global: &Global,
    action: impl AsyncFnOnce(Directory) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let done = with_directory(global, action)?;
    std::thread::sleep(KNOWN_FOR);
    Ok(done)
}

/// Opens the configured store and runs `action` on the users in it.
pub(super) fn with_directory<T>(
    global: &Global,
    action: impl AsyncFnOnce(Directory) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let config = Config::load(&global.config_path())?;
    block_on(async {
        let store = store::open(config.store.url.to_open().expose_secret()).await?;
        let secret = store.secret().await?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let done = action(Directory::new(Arc::clone(&store), clock, secret)).await;
        store.close().await;
        done
    })
}

fn as_table(users: &[UserRecord]) -> String {
    if users.is_empty() {
        return "No users yet: holdpoint user add NAME --group GROUP\n".to_owned();
    }
    let rows: Vec<Vec<String>> = users
        .iter()
        .map(|user| {
            vec![
                visible(&user.principal.name),
                visible(&user.principal.groups.join(", ")),
                if user.principal.admin { "yes" } else { "" }.to_owned(),
                if user.disabled { "disabled" } else { "enabled" }.to_owned(),
                user.created_at.strftime("%Y-%m-%d").to_string(),
            ]
        })
        .collect();
    table(&["NAME", "GROUPS", "ADMIN", "STATE", "ADDED"], &rows)
}

/// Without the verifiers: nobody needs them outside the store.
fn as_json(users: &[UserRecord]) -> String {
    let users: Vec<_> = users
        .iter()
        .map(|user| {
            json!({
                "name": user.principal.name,
                "groups": user.principal.groups,
                "admin": user.principal.admin,
                "disabled": user.disabled,
                "created_at": user.created_at,
            })
        })
        .collect();
    super::output::json(&json!(users))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::Principal;

    fn bob() -> UserRecord {
        UserRecord {
            principal: Principal {
                name: "bob".into(),
                groups: vec!["dba".into(), "oncall".into()],
                admin: true,
            },
            scram_verifier: "SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy".into(),
            disabled: false,
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_list_shows_who_and_never_a_verifier() {
        let table = as_table(&[bob()]);
        assert_eq!(
            table,
            "NAME  GROUPS       ADMIN  STATE    ADDED\nbob   dba, oncall  yes    enabled  1970-01-01\n"
        );
        let json = as_json(&[bob()]);
        assert!(json.contains("\"groups\": [\n"), "{json}");
        assert!(!json.contains("SCRAM"), "{json}");
        assert!(as_table(&[]).contains("user add"));
    }
}
