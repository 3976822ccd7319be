//! Where policies name people: for those who know who there is.

use super::{Access, Action, Policy, Rule};

/// A user or a group that a policy names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mention<'a> {
    /// Which of the two.
    pub of: Named,
    /// The name.
    pub name: &'a str,
    /// The key that it stands under: `default_groups`, `users`, `groups`, `not_groups`, `break_glass`; `hold` and
    /// `approval` for those who approve.
    pub key: &'static str,
    /// The file, and the line of the rule or of `default_groups`, as in `default.toml:12`.
    pub place: &'a str,
}

/// What a name is the name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// A user.
    User,
    /// A group.
    Group,
}

impl Policy {
    /// Every user and group that it names, in the order of the rules, `default_groups` first.
    pub fn mentions(&self) -> impl Iterator<Item = Mention<'_>> {
        let defaults = self.default_asks.quorum.seats().iter().flatten();
        let defaults = defaults.map(|name| Mention {
            of: Named::Group,
            name,
            key: "default_groups",
            place: &self.default_place,
        });
        defaults
            .chain(self.rules.iter().flat_map(of_rule))
            .chain(self.access.iter().flat_map(of_access))
    }
}

fn of_access(access: &Access) -> Vec<Mention<'_>> {
    let lists = [
        (Named::User, "users", &access.users),
        (Named::Group, "groups", &access.groups),
        (Named::Group, "not_groups", &access.not_groups),
    ];
    let askers = lists
        .into_iter()
        .flat_map(|(of, key, names)| names.iter().flatten().map(move |name| (of, key, name)));
    let approvers = access.asks.quorum.seats().iter().flatten();
    askers
        .chain(approvers.map(|name| (Named::Group, "approval", name)))
        .map(|(of, key, name)| Mention {
            of,
            name,
            key,
            place: access.place(),
        })
        .collect()
}

fn of_rule(rule: &Rule) -> Vec<Mention<'_>> {
    let mut mentions = Vec::new();
    let lists = [
        (Named::User, "users", &rule.when.users),
        (Named::Group, "groups", &rule.when.groups),
        (Named::Group, "not_groups", &rule.when.not_groups),
    ];
    for (of, key, names) in lists {
        mentions.extend(names.iter().flatten().map(|name| Mention {
            of,
            name,
            key,
            place: rule.place(),
        }));
    }
    if let Action::Hold(asks) = rule.action() {
        let mut approvers: Vec<&String> = asks.quorum.seats().iter().flatten().collect();
        approvers.sort();
        approvers.dedup();
        let lists = [
            ("hold", approvers),
            ("break_glass", asks.break_glass.iter().collect()),
        ];
        for (key, groups) in lists {
            mentions.extend(groups.into_iter().map(|name| Mention {
                of: Named::Group,
                name,
                key,
                place: rule.place(),
            }));
        }
    }
    mentions
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn everybody_named_is_found_with_the_place() {
        let policy = Policy::parse(
            r#"
default_groups = ["dba"]
[[rule]]
name = "a"
when = { users = ["alice"], not_groups = ["interns"] }
then = { hold = { groups = ["owners"] } }
[[rule]]
name = "b"
when = { groups = ["developers"] }
then = "allow"
"#,
        )
        .unwrap();
        let mentions: Vec<_> = policy
            .mentions()
            .map(|m| (m.of, m.name, m.key, m.place))
            .collect();
        assert_eq!(
            mentions,
            [
                (Named::Group, "dba", "default_groups", "policy.toml:2"),
                (Named::User, "alice", "users", "policy.toml:4"),
                (Named::Group, "interns", "not_groups", "policy.toml:4"),
                (Named::Group, "owners", "hold", "policy.toml:4"),
                (Named::Group, "developers", "groups", "policy.toml:8"),
            ]
        );
    }
}
