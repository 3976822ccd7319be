//! `/people`: users and groups, for administrators, and the forms that change them.

use askama::Template;
use askama_web::WebTemplate;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use secrecy::SecretString;
use serde::Deserialize;

use super::super::ConsoleState;
use super::super::fault::Fault;
use super::super::people::{self, admins_only};
use super::super::view::Person;
use super::FaultPage;
use super::form::SignedForm;
use super::frame::{FaultTemplate, Frame, Place};
use super::local_path::local_path;
use super::people_query::PeopleQuery;
use super::visitor::Visitor;
use crate::identity::NewUser;
use crate::store::{UserChange, UserFilter};

const PER_PAGE: u32 = 100;

#[derive(Template, WebTemplate)]
#[template(path = "people.html")]
struct PeoplePage {
    frame: Frame,
    csrf: String,
    people: Vec<Person>,
    groups: Vec<GroupChip>,
    /// Whether the list is of everybody.
    is_whole: bool,
    only_disabled: bool,
    is_later_page: bool,
    /// The address of this list, to come back to.
    here: String,
    /// The address of its next page.
    more: Option<String>,
    /// Why the last form changed nothing.
    fault: Option<String>,
    draft: Draft,
}

/// A group as the list is filtered by it.
struct GroupChip {
    name: String,
    address: String,
    members: usize,
    is_chosen: bool,
}

/// A new user as far as it was filled in; never the password.
#[derive(Default)]
struct Draft {
    name: String,
    groups: String,
    admin: bool,
}

/// The fields of the form that adds somebody.
#[derive(Deserialize)]
pub(super) struct Addition {
    #[serde(default)]
    name: String,
    /// One to a line.
    #[serde(default)]
    groups: String,
    /// Sent where it is ticked.
    admin: Option<String>,
    password: SecretField,
    #[serde(default)]
    next: String,
}

/// A field that no `Debug` form shows.
#[derive(Deserialize)]
#[serde(from = "String")]
struct SecretField(SecretString);

impl From<String> for SecretField {
    fn from(text: String) -> Self {
        Self(SecretString::from(text))
    }
}

/// The fields of the forms at each user; each form has some.
#[derive(Debug, Deserialize)]
pub(super) struct Change {
    user: String,
    join: Option<String>,
    leave: Option<String>,
    admin: Option<Switch>,
    disabled: Option<Switch>,
    #[serde(default)]
    next: String,
}

/// What a button switches something to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Switch {
    On,
    Off,
}

/// The form that revokes somebody's tokens.
#[derive(Debug, Deserialize)]
pub(super) struct Revocation {
    user: String,
    #[serde(default)]
    next: String,
}

/// The page.
pub(super) async fn page(
    State(state): State<ConsoleState>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, FaultPage> {
    let query = query.unwrap_or_default();
    Ok(load(&state, &visitor, &query, None, Draft::default()).await?)
}

/// Adds a user.
pub(super) async fn add(
    State(state): State<ConsoleState>,
    SignedForm { visitor, fields }: SignedForm<Addition>,
) -> Result<Response, FaultPage> {
    let lines = fields.groups.lines().map(str::trim);
    let groups: Vec<String> = lines.filter(|line| !line.is_empty()).map(str::to_owned).collect();
    let user = NewUser {
        name: fields.name.trim(),
        groups: &groups,
        admin: fields.admin.is_some(),
    };
    let SecretField(password) = &fields.password;
    let done = people::add(&state, &visitor.principal, user, password).await;
    let draft = Draft {
        admin: user.admin,
        name: fields.name,
        groups: fields.groups,
    };
    back(&state, &visitor, &fields.next, done.map(drop), draft).await
}

/// Changes a user's groups or rights.
pub(super) async fn change(
    State(state): State<ConsoleState>,
    SignedForm { visitor, fields }: SignedForm<Change>,
) -> Result<Response, FaultPage> {
    let change = UserChange {
        groups: None,
        // People type blanks around a name; no name has any there.
        join: fields.join.iter().map(|group| group.trim().to_owned()).collect(),
        leave: fields.leave.into_iter().collect(),
        admin: fields.admin.map(|switch| switch == Switch::On),
        disabled: fields.disabled.map(|switch| switch == Switch::On),
    };
    let done = people::change(&state, &visitor.principal, &fields.user, &change).await;
    back(&state, &visitor, &fields.next, done.map(drop), Draft::default()).await
}

/// Revokes a user's tokens.
pub(super) async fn revoke_tokens(
    State(state): State<ConsoleState>,
    SignedForm { visitor, fields }: SignedForm<Revocation>,
) -> Result<Response, FaultPage> {
    let done = people::revoke_tokens(&state, &visitor.principal, &fields.user).await;
    back(&state, &visitor, &fields.next, done.map(drop), Draft::default()).await
}

/// Back to the list that the form was on; where nothing was changed, with the reason and the form as it was.
async fn back(
    state: &ConsoleState,
    visitor: &Visitor,
    next: &str,
    done: Result<(), Fault>,
    draft: Draft,
) -> Result<Response, FaultPage> {
    let list = Some(local_path(next)).filter(|path| *path == "/people" || path.starts_with("/people?"));
    let list = list.unwrap_or("/people");
    let Err(fault) = done else {
        return Ok(Redirect::to(list).into_response());
    };
    if fault.status().is_client_error() && admins_only(&visitor.principal).is_ok() {
        let query = list.split_once('?').map_or("", |(_, query)| query);
        let why = fault.detail().to_owned();
        let page = load(state, visitor, query, Some(why), draft).await?;
        return Ok(fault.respond(page));
    }
    Ok(fault.respond(FaultTemplate::of(&fault, None)))
}

async fn load(
    state: &ConsoleState,
    visitor: &Visitor,
    query: &str,
    fault: Option<String>,
    draft: Draft,
) -> Result<PeoplePage, Fault> {
    admins_only(&visitor.principal)?;
    let query = PeopleQuery::parse(query)?;
    let filter = UserFilter {
        group: query.group.clone(),
        disabled: query.only_disabled.then_some(true),
        after: query.after.clone(),
        limit: PER_PAGE + 1,
    };
    let mut users = state.directory.users_by(&filter).await?;
    let has_more = users.len() > PER_PAGE as usize;
    users.truncate(PER_PAGE as usize);
    let last = users.last().filter(|_| has_more);
    let groups = state.directory.groups().await?;
    let chips = groups.into_iter().map(|group| GroupChip {
        address: PeopleQuery::of_group(&group.name).address(),
        members: group.members.len(),
        is_chosen: query.group.as_ref() == Some(&group.name),
        name: group.name,
    });
    Ok(PeoplePage {
        frame: Frame::of(visitor, Place::People, state),
        csrf: visitor.session.csrf.clone(),
        groups: chips.collect(),
        is_whole: query.group.is_none() && !query.only_disabled,
        only_disabled: query.only_disabled,
        is_later_page: query.after.is_some(),
        here: query.address(),
        more: last.map(|user| query.behind(&user.principal.name).address()),
        people: users
            .into_iter()
            .map(|user| Person::of(user, &visitor.principal))
            .collect(),
        fault,
        draft,
    })
}
