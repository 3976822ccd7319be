//! `holdpoint policy check`: what is wrong with the policies, by themselves and with the people there are.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::config::{Auth, Config};
use crate::model::nearest::nearest;
use crate::policy::{Mention, Named, Policy};
use crate::store::UserRecord;

use super::super::output::{print, visible};
use super::super::{Failure, Global};
use super::people::{self, People};
use super::{folder, surroundings};

/// Prints how many rules there are; fails with everything that is wrong.
pub(super) fn run(dir: Option<PathBuf>, no_store: bool, global: &Global) -> Result<(), Failure> {
    let (dir, policy) = if no_store {
        let dir = folder(dir, global)?;
        let policy = Policy::load(&dir)?;
        (dir, policy)
    } else {
        let (dir, config) = surroundings(dir, global)?;
        let policy = Policy::load(&dir)?;
        check_people(&policy, config.as_ref())?;
        (dir, policy)
    };
    print(&format!("{}: {}\n", dir.display(), summary(&policy)))
}

fn check_people(policy: &Policy, config: Option<&Config>) -> Result<(), Failure> {
    let users = match people::read(config)? {
        People::Known(users) => users,
        People::Unknown(why) => {
            eprintln!("holdpoint: users and groups that the policies name were not looked up: {why}");
            return Ok(());
        }
    };
    // Clients that sign in to the server itself are its roles, and need not be known here.
    let has_strangers =
        config.is_some_and(|config| config.databases.values().any(|d| d.auth == Auth::Passthrough));
    let strangers = strangers(policy, &users, has_strangers);
    if strangers.is_empty() {
        Ok(())
    } else {
        Err(Failure::Refused(strangers.join("\n")))
    }
}

/// A line for each name in the policy that is nobody's. Members who are disabled are none: they cannot approve.
fn strangers(policy: &Policy, users: &[UserRecord], has_strangers: bool) -> Vec<String> {
    let names: BTreeSet<&str> = users.iter().map(|user| user.principal.name.as_str()).collect();
    let groups: BTreeSet<&str> = users
        .iter()
        .filter(|user| !user.disabled)
        .flat_map(|user| user.principal.groups.iter().map(String::as_str))
        .collect();
    let line = |mention: Mention<'_>| {
        let (known, problem) = match mention.of {
            Named::User if has_strangers => return None,
            Named::User => (&names, "there is no user"),
            Named::Group => (&groups, "nobody who may sign in is a member of the group"),
        };
        if known.contains(mention.name) {
            return None;
        }
        let known: Vec<&str> = known.iter().copied().collect();
        let hint = nearest(mention.name, &known)
            .map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
        let Mention { name, key, place, .. } = mention;
        Some(visible(&format!("{place}: {key}: {problem} \"{name}\"{hint}")))
    };
    policy.mentions().filter_map(line).collect()
}

fn summary(policy: &Policy) -> String {
    let rules = policy.rules().len();
    let plural = if rules == 1 { "" } else { "s" };
    format!(
        "{rules} rule{plural}; approvals are asked of {}",
        visible(&policy.groups().join(", "))
    )
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use jiff::Timestamp;

    use super::*;
    use crate::model::Principal;

    fn user(name: &str, groups: &[&str], disabled: bool) -> UserRecord {
        UserRecord {
            principal: Principal {
                name: name.to_owned(),
                groups: groups.iter().map(|group| (*group).to_owned()).collect(),
                admin: false,
            },
            scram_verifier: String::new(),
            disabled,
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn names_that_are_nobody_s_are_told_with_their_place() {
        let policy = Policy::parse(
            r#"default_groups = ["dba"]
            [[rule]]
            name = "a"
            when = { users = ["alice", "bbo"], not_groups = ["oncall"] }
            then = { hold = { groups = ["dbas"] } }
            "#,
        )
        .unwrap();
        let users = [
            user("alice", &["dba"], false),
            user("bob", &["oncall"], true),
            user("carol", &[], false),
        ];
        let groups = [
            "policy.toml:3: not_groups: nobody who may sign in is a member of the group \"oncall\"",
            "policy.toml:3: hold: nobody who may sign in is a member of the group \"dbas\"; did you mean \"dba\"?",
        ];
        assert_eq!(strangers(&policy, &users, true), groups);
        let all = strangers(&policy, &users, false);
        assert_eq!(
            all[0],
            "policy.toml:3: users: there is no user \"bbo\"; did you mean \"bob\"?"
        );
        assert_eq!(all[1..], groups);
    }

    #[test]
    fn a_summary_says_how_many_rules_and_who_is_asked() {
        let policy = Policy::parse(
            r#"
            default_groups = ["security"]
            [[rule]]
            name = "writes"
            when = { effects = ["write"] }
            then = { hold = { groups = ["dba"] } }
            "#,
        )
        .unwrap();
        assert_eq!(summary(&policy), "1 rule; approvals are asked of dba, security");
    }
}
