//! `GET /groups`, `GET /groups/{name}`, and `PUT` and `DELETE /groups/{name}/members/{user}`.
//! A group is there while it has a member.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::super::ConsoleState;
use super::super::fault::{Fault, Problem};
use super::super::people;
use super::caller::Admin;
use super::url_path::UrlPath;
use super::users::UserBody;
use crate::identity::{Group, Member};
use crate::store::UserChange;

/// All groups, by name.
#[derive(Debug, Serialize)]
pub(super) struct GroupList {
    groups: Vec<GroupBody>,
}

/// A group; the names of the fields are the API's.
#[derive(Debug, Serialize)]
pub(super) struct GroupBody {
    name: String,
    members: Vec<MemberBody>,
}

#[derive(Debug, Serialize)]
struct MemberBody {
    name: String,
    disabled: bool,
}

impl From<Group> for GroupBody {
    fn from(group: Group) -> Self {
        let members = group.members.into_iter();
        Self {
            name: group.name,
            members: members
                .map(|Member { name, disabled }| MemberBody { name, disabled })
                .collect(),
        }
    }
}

/// Lists groups with their members.
pub(super) async fn list(
    State(state): State<ConsoleState>,
    Admin(_): Admin,
) -> Result<Json<GroupList>, Problem> {
    let groups = state.directory.groups().await?;
    Ok(Json(GroupList {
        groups: groups.into_iter().map(GroupBody::from).collect(),
    }))
}

/// Shows one group.
pub(super) async fn show(
    State(state): State<ConsoleState>,
    Admin(_): Admin,
    UrlPath(name): UrlPath<String>,
) -> Result<Json<GroupBody>, Problem> {
    let groups = state.directory.groups().await?;
    let found = groups.into_iter().find(|group| group.name == name);
    let group = found.ok_or_else(|| Fault::no_such_group(&name))?;
    Ok(Json(group.into()))
}

/// Makes a user a member; the user as changed.
pub(super) async fn join(
    State(state): State<ConsoleState>,
    Admin(by): Admin,
    UrlPath((group, user)): UrlPath<(String, String)>,
) -> Result<Json<UserBody>, Problem> {
    let change = UserChange {
        join: vec![group],
        ..UserChange::default()
    };
    Ok(Json(people::change(&state, &by, &user, &change).await?.into()))
}

/// Makes a user a member no longer; the user as changed.
pub(super) async fn leave(
    State(state): State<ConsoleState>,
    Admin(by): Admin,
    UrlPath((group, user)): UrlPath<(String, String)>,
) -> Result<Json<UserBody>, Problem> {
    let change = UserChange {
        leave: vec![group],
        ..UserChange::default()
    };
    Ok(Json(people::change(&state, &by, &user, &change).await?.into()))
}
