//! Who may open a session on which database, how they prove who they are, and as which role they act there.
//!
//! Pure: made from the configuration, asked at each login.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalogue::Upkeep;
use crate::model::Principal;
use crate::upstream::{Pool, Target};
use crate::wire::{Report, sqlstate};

/// A database that clients can name.
#[derive(Debug)]
pub struct Database {
    /// How its clients prove who they are.
    pub login: Login,
    /// Who may open a session, of those who can log in.
    pub access: Vec<Member>,
    /// Connections that outlive their sessions, by the role on the server; none where none do.
    pub pools: BTreeMap<String, Arc<Pool>>,
    /// What its names stand for; `None` where its catalogue is not asked.
    pub catalogue: Option<Arc<Upkeep>>,
    /// Where it is, as holdpoint's own role, as which its catalogue is asked.
    pub own: Arc<Target>,
    /// Whether the server is to refuse writes in what passes as a read.
    pub read_shield: bool,
    /// Whether nothing is held or denied here, and what would have become of it is recorded.
    pub observe: bool,
}

impl Database {
    /// Whether a user acts there as holdpoint's own role.
    pub(super) fn acts_by_default(&self, name: &str, principal: &Principal) -> bool {
        match &self.login {
            Login::Proxy(roles) => {
                target_of(roles, name, principal).is_ok_and(|target| target.user == self.own.user)
            }
            Login::Passthrough(_) => false,
        }
    }
}

/// How clients prove who they are.
#[derive(Debug)]
pub enum Login {
    /// To holdpoint, as one of its users; on the server they act as a role of holdpoint's.
    Proxy(Roles),
    /// To the server itself, as one of its roles. The target's own role is empty.
    Passthrough(Arc<Target>),
}

/// The roles that the users of one database act as.
#[derive(Debug)]
pub struct Roles {
    /// Tried from first to last.
    pub mapped: Vec<(Vec<Member>, Arc<Target>)>,
    /// For those whom none of these names. `None`: they may not come in.
    pub otherwise: Option<Arc<Target>>,
}

/// Whom an entry of a list names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Member {
    /// A user, by name.
    User(String),
    /// The members of a group.
    Group(String),
    /// Everybody.
    Everybody,
}

impl Member {
    fn covers(&self, principal: &Principal) -> bool {
        match self {
            Self::User(name) => *name == principal.name,
            Self::Group(name) => principal.is_member(name),
            Self::Everybody => true,
        }
    }
}

impl Roles {
    /// Where this user's sessions go.
    fn of(&self, principal: &Principal) -> Option<&Arc<Target>> {
        self.mapped
            .iter()
            .find(|(members, _)| members.iter().any(|member| member.covers(principal)))
            .map(|(_, target)| target)
            .or(self.otherwise.as_ref())
    }
}

impl Database {
    /// Holds that `principal`, who has logged in, may open a session here; `name` is the database's.
    ///
    /// # Errors
    /// The refusal, in the words of `CheckMyDatabase` in PostgreSQL's `src/backend/utils/init/postinit.c`.
    pub(super) fn admit(&self, name: &str, principal: &Principal) -> Result<(), Report> {
        if self.access.iter().any(|member| member.covers(principal)) {
            return Ok(());
        }
        Err(no_permission(name).detail(format!(
            "User \"{}\" is not among those whom [databases.{name}] access names.",
            principal.name
        )))
    }
}

/// Where `principal` goes on the database `name`.
///
/// # Errors
/// The refusal of those who have no role there.
pub(super) fn target_of<'r>(
    roles: &'r Roles,
    name: &str,
    principal: &Principal,
) -> Result<&'r Arc<Target>, Report> {
    roles.of(principal).ok_or_else(|| {
        no_permission(name).detail(format!(
            "None of [[databases.{name}.roles]] is for user \"{}\".",
            principal.name
        ))
    })
}

/// The database that a client has named, or the one that stands in for it while the client logs in: strangers
/// are not to learn which databases there are. One with holdpoint's own users if there is one, so that what
/// they are asked is the same everywhere; where all pass through, the first by name.
pub(super) fn stand_in(databases: &BTreeMap<String, Database>) -> Option<&Database> {
    databases
        .values()
        .find(|database| matches!(database.login, Login::Proxy(_)))
        .or_else(|| databases.values().next())
}

fn no_permission(database: &str) -> Report {
    Report::fatal(
        sqlstate::INSUFFICIENT_PRIVILEGE,
        format!("permission denied for database \"{database}\""),
    )
    .hint("Ask the operator of holdpoint.")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

    use super::*;
    use crate::upstream::{Address, Demands, Encryption, ScramKeys};

    fn principal(name: &str, groups: &[&str]) -> Principal {
        Principal {
            name: name.to_owned(),
            groups: groups.iter().map(ToString::to_string).collect(),
            admin: false,
        }
    }

    fn target(user: &str) -> Arc<Target> {
        Arc::new(Target {
            address: Address::Tcp("db".to_owned(), 5432),
            user: user.to_owned(),
            dbname: "shop".to_owned(),
            password: None,
            scram_keys: ScramKeys::default(),
            encryption: Encryption::Never,
            demands: Demands::default(),
            connect_timeout: Duration::from_secs(1),
        })
    }

    fn roles(otherwise: Option<&str>) -> Roles {
        Roles {
            mapped: vec![
                (vec![Member::User("alice".to_owned())], target("alice_rw")),
                (
                    vec![Member::Group("dba".to_owned()), Member::User("@ghost".to_owned())],
                    target("owner"),
                ),
                (vec![Member::Group("developers".to_owned())], target("reader")),
            ],
            otherwise: otherwise.map(target),
        }
    }

    #[test]
    fn the_first_entry_that_names_a_user_counts() {
        for (name, groups, role) in [
            ("alice", &["dba"][..], "alice_rw"),
            ("bob", &["dba", "developers"], "owner"),
            ("carol", &["developers"], "reader"),
            ("dba", &[], "app"),
            ("@dba", &[], "app"),
        ] {
            let roles = roles(Some("app"));
            let target = target_of(&roles, "shop", &principal(name, groups)).unwrap();
            assert_eq!(target.user, role, "{name}");
        }
    }

    #[test]
    fn who_has_no_role_may_not_come_in() {
        let refusal = target_of(&roles(None), "shop", &principal("dave", &[])).unwrap_err();
        assert_eq!(refusal.sqlstate, "42501");
        assert_eq!(refusal.message, "permission denied for database \"shop\"");
    }

    #[test]
    fn access_is_for_those_whom_it_names() {
        let database = |access| Database {
            login: Login::Proxy(roles(None)),
            access,
            pools: BTreeMap::new(),
            catalogue: None,
            own: target("own"),
            read_shield: true,
            observe: false,
        };
        let (alice, bob) = (principal("alice", &["developers"]), principal("bob", &["dba"]));
        assert!(database(vec![Member::Everybody]).admit("shop", &alice).is_ok());
        assert!(database(vec![]).admit("shop", &alice).is_err());
        let dbas = database(vec![Member::Group("dba".to_owned())]);
        assert!(dbas.admit("shop", &bob).is_ok());
        assert_eq!(dbas.admit("shop", &alice).unwrap_err().sqlstate, "42501");
    }

    #[test]
    fn a_stand_in_asks_for_holdpoints_own_users_if_any_database_does() {
        let through = || Database {
            login: Login::Passthrough(target("")),
            access: Vec::new(),
            pools: BTreeMap::new(),
            catalogue: None,
            own: target("own"),
            read_shield: true,
            observe: false,
        };
        let proxied = Database {
            login: Login::Proxy(roles(None)),
            access: Vec::new(),
            pools: BTreeMap::new(),
            catalogue: None,
            own: target("own"),
            read_shield: true,
            observe: false,
        };
        let mut databases = BTreeMap::from([("a".to_owned(), through()), ("b".to_owned(), through())]);
        assert!(matches!(
            stand_in(&databases).unwrap().login,
            Login::Passthrough(_)
        ));
        databases.insert("c".to_owned(), proxied);
        assert!(matches!(stand_in(&databases).unwrap().login, Login::Proxy(_)));
    }
}
