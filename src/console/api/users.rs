//! `GET` and `POST /users`, `GET` and `PATCH /users/{name}`, `DELETE /users/{name}/tokens`, and `GET /me`.

use std::fmt::Write as _;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::super::ConsoleState;
use super::super::fault::{Fault, Problem};
use super::super::people;
use super::caller::{Admin, Caller};
use super::json_body::JsonBody;
use super::url_path::UrlPath;
use super::user_query::UserQuery;
use crate::identity::NewUser;
use crate::model::Principal;
use crate::store::{UserChange, UserFilter, UserRecord};

/// A user; the names of the fields are the API's. Never the verifier.
#[derive(Debug, Serialize)]
pub(super) struct UserBody {
    name: String,
    groups: Vec<String>,
    admin: bool,
    disabled: bool,
    created_at: Timestamp,
}

impl From<UserRecord> for UserBody {
    fn from(user: UserRecord) -> Self {
        Self {
            name: user.principal.name,
            groups: user.principal.groups,
            admin: user.principal.admin,
            disabled: user.disabled,
            created_at: user.created_at,
        }
    }
}

/// A page of users, by name.
#[derive(Debug, Serialize)]
pub(super) struct UserList {
    users: Vec<UserBody>,
    /// The value of `after` for the next page, if there is one.
    next: Option<String>,
}

/// The body of a new user. Its `Debug` form does not show the password.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Addition {
    name: String,
    groups: Vec<String>,
    admin: bool,
    #[serde(deserialize_with = "secret")]
    password: SecretString,
}

/// The body of a change; what it does not name stays as it is.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Change {
    groups: Option<Vec<String>>,
    admin: Option<bool>,
    disabled: Option<bool>,
}

/// How many tokens were revoked.
#[derive(Debug, Serialize)]
pub(super) struct Revoked {
    revoked: u64,
}

/// Who calls.
pub(super) async fn me(Caller(caller): Caller) -> Json<Principal> {
    Json(caller)
}

/// Lists users.
pub(super) async fn list(
    State(state): State<ConsoleState>,
    Admin(_): Admin,
    RawQuery(query): RawQuery,
) -> Result<Json<UserList>, Problem> {
    let query = UserQuery::parse(query.as_deref().unwrap_or_default())?;
    let page = query.limit as usize;
    let filter = UserFilter {
        group: query.group,
        disabled: query.disabled,
        after: query.after,
        // One more tells whether there is another page.
        limit: query.limit + 1,
    };
    let mut users = state.directory.users_by(&filter).await?;
    let has_more = users.len() > page;
    users.truncate(page);
    let last = users.last().filter(|_| has_more);
    let next = last.map(|user| user.principal.name.clone());
    Ok(Json(UserList {
        users: users.into_iter().map(UserBody::from).collect(),
        next,
    }))
}

/// Shows one user.
pub(super) async fn show(
    State(state): State<ConsoleState>,
    Admin(_): Admin,
    UrlPath(name): UrlPath<String>,
) -> Result<Json<UserBody>, Problem> {
    let user = state.directory.user(&name).await?;
    let user = user.ok_or_else(|| Fault::no_such_user(&name))?;
    Ok(Json(user.into()))
}

/// Adds a user.
pub(super) async fn add(
    State(state): State<ConsoleState>,
    Admin(by): Admin,
    JsonBody(body): JsonBody<Addition>,
) -> Result<impl IntoResponse, Problem> {
    let user = NewUser {
        name: &body.name,
        groups: &body.groups,
        admin: body.admin,
    };
    let added = people::add(&state, &by, user, &body.password).await?;
    let place = format!("/api/v1/users/{}", encoded(&added.principal.name));
    let location = [(header::LOCATION, place)];
    Ok((StatusCode::CREATED, location, Json(UserBody::from(added))))
}

/// Changes a user.
pub(super) async fn change(
    State(state): State<ConsoleState>,
    Admin(by): Admin,
    UrlPath(name): UrlPath<String>,
    JsonBody(body): JsonBody<Change>,
) -> Result<Json<UserBody>, Problem> {
    let change = UserChange {
        groups: body.groups,
        admin: body.admin,
        disabled: body.disabled,
        ..UserChange::default()
    };
    Ok(Json(people::change(&state, &by, &name, &change).await?.into()))
}

/// Revokes a user's tokens.
pub(super) async fn revoke_tokens(
    State(state): State<ConsoleState>,
    Admin(by): Admin,
    UrlPath(name): UrlPath<String>,
) -> Result<Json<Revoked>, Problem> {
    let revoked = people::revoke_tokens(&state, &by, &name).await?;
    Ok(Json(Revoked { revoked }))
}

/// A password. What serde says of a value that is no text shows the value, so it is not asked.
fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) => Ok(SecretString::from(text)),
        _ => Err(D::Error::custom("the password is no text")),
    }
}

/// A name as one part of a path.
fn encoded(name: &str) -> String {
    let mut path = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_part_of_a_path() {
        assert_eq!(encoded("bob-1_x.y~z"), "bob-1_x.y~z");
        assert_eq!(encoded("a/b c?d#%é"), "a%2Fb%20c%3Fd%23%25%C3%A9");
    }
}
