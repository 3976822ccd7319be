//! `holdpoint group`: which groups there are, and who is in them. A group is there while it has a member.

use clap::Subcommand;
use serde_json::json;

use crate::identity::{Group, Member};

use super::output::{print, table, visible};
use super::user::with_directory;
use super::{Failure, Global};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List groups with their members
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Does what the subcommand says.
pub(super) fn run(command: &Command, global: &Global) -> Result<(), Failure> {
    let Command::List { json } = command;
    let groups = with_directory(global, async |directory| Ok(directory.groups().await?))?;
    print(&if *json {
        as_json(&groups)
    } else {
        as_table(&groups)
    })
}

fn as_table(groups: &[Group]) -> String {
    if groups.is_empty() {
        return "No groups yet: holdpoint user groups NAME --add GROUP\n".to_owned();
    }
    let rows: Vec<Vec<String>> = groups
        .iter()
        .map(|group| {
            let members: Vec<_> = group.members.iter().map(with_state).collect();
            vec![visible(&group.name), members.join(", ")]
        })
        .collect();
    table(&["GROUP", "MEMBERS"], &rows)
}

fn with_state(member: &Member) -> String {
    let state = if member.disabled { " (disabled)" } else { "" };
    format!("{}{state}", visible(&member.name))
}

fn as_json(groups: &[Group]) -> String {
    let groups: Vec<_> = groups
        .iter()
        .map(|group| {
            let members = group.members.iter();
            let members: Vec<_> = members
                .map(|member| json!({ "name": member.name, "disabled": member.disabled }))
                .collect();
            json!({ "name": group.name, "members": members })
        })
        .collect();
    super::output::json(&json!(groups))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_shows_who_is_in_and_who_is_kept_out() {
        let member = |name: &str, disabled| Member {
            name: name.to_owned(),
            disabled,
        };
        let groups = [
            Group {
                name: "dba".to_owned(),
                members: vec![member("bob", false), member("carol", true)],
            },
            Group {
                name: "on\u{202e}call".to_owned(),
                members: vec![member("bob", false)],
            },
        ];
        assert_eq!(
            as_table(&groups),
            "GROUP           MEMBERS\ndba             bob, carol (disabled)\non\\u{202e}call  bob\n"
        );
        assert!(as_json(&groups).contains("\"disabled\": true"));
        assert!(as_table(&[]).contains("user groups"));
    }
}
