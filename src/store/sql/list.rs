//! Reading requests, with their reviews, from one state of the database.

use std::collections::HashMap;

use super::engine::{Connection, Several, several};
use super::query::{self, Builder};
use super::{not_read, row};
use crate::model::{HeldRequest, Principal, RequestId};
use crate::store::{RequestFilter, StoreError};

/// A request with all that belongs to it, in one question: each way to SQLite's thread and back takes longer than
/// what is done there.
const ONE: Several = several!(
    "SELECT 'request' AS part, * FROM requests WHERE id = $1",
    "SELECT 'review' AS part, * FROM reviews WHERE request_id = $1 ORDER BY id",
    "SELECT 'edit' AS part, * FROM edits WHERE request_id = $1 ORDER BY id",
    "SELECT 'followup' AS part, * FROM followups WHERE request_id = $1",
);

/// One request. To be called in a transaction, or its reviews may be newer than its state.
pub(super) async fn one(
    connection: &mut impl Connection,
    id: RequestId,
) -> Result<Option<HeldRequest>, StoreError> {
    let rows = query::several(&ONE)
        .bind(id.as_str())
        .fetch_all(connection)
        .await
        .map_err(not_read)?;
    let (mut request, mut reviews, mut edits, mut followup) = (None, Vec::new(), Vec::new(), None);
    for found in &rows {
        match row::column::<String>(found, "part")?.as_str() {
            "request" => request = Some(found),
            "review" => reviews.push(row::review(found)?),
            "edit" => edits.push(row::edit(found)?),
            _ => followup = Some(row::review(found)?),
        }
    }
    request
        .map(|found| row::request(found, reviews, edits, followup))
        .transpose()
}

/// Requests by filter, newest first. To be called in a transaction, likewise.
pub(super) async fn filtered(
    connection: &mut impl Connection,
    filter: &RequestFilter,
) -> Result<Vec<HeldRequest>, StoreError> {
    let mut query = Builder::new("SELECT * FROM requests WHERE true");
    one_of(
        &mut query,
        "state",
        filter.states.iter().map(|state| state.as_str()),
    );
    one_of(
        &mut query,
        "effect",
        filter.effects.iter().map(|effect| effect.as_str()),
    );
    asked(&mut query, filter);
    if filter.to_review {
        query.push(
            " AND basis = '{\"kind\":\"break_glass\"}' \
             AND NOT EXISTS (SELECT 1 FROM followups WHERE request_id = requests.id)",
        );
    }
    if let Some(person) = filter.visible_to.as_ref().filter(|person| !person.admin) {
        visible_to(&mut query, person)?;
    }
    if let Some(before) = filter.before {
        older_than(&mut query, connection, before).await?;
    }
    query.push(" ORDER BY created_at DESC, id DESC LIMIT ");
    query.push_bind(i64::from(filter.limit));
    let rows = query
        .build()
        .fetch_all(&mut *connection)
        .await
        .map_err(not_read)?;
    let mut reviews = by_request(connection, &rows, ("reviews", "id"), row::review).await?;
    let mut edits = by_request(connection, &rows, ("edits", "id"), row::edit).await?;
    let mut followups = by_request(connection, &rows, ("followups", "request_id"), row::review).await?;
    rows.iter()
        .map(|found| {
            let id: String = row::column(found, "id")?;
            let followup = followups.remove(&id).and_then(|mut said| said.pop());
            row::request(
                found,
                reviews.remove(&id).unwrap_or_default(),
                edits.remove(&id).unwrap_or_default(),
                followup,
            )
        })
        .collect()
}

/// Restricts a column to these values; with none, nothing is restricted.
fn one_of(
    query: &mut Builder<'_>,
    column: &'static str,
    values: impl ExactSizeIterator<Item = &'static str>,
) {
    if values.len() == 0 {
        return;
    }
    query.push(" AND ");
    query.push(column);
    query.push(" IN ").push_list(values);
}

/// Who asked, where, and when.
fn asked(query: &mut Builder<'_>, filter: &RequestFilter) {
    let texts = [
        (" AND user_name = ", &filter.user),
        (" AND database_name = ", &filter.database),
    ];
    for (condition, value) in texts {
        if let Some(value) = value {
            query.push(condition);
            query.push_bind(value.clone());
        }
    }
    if let Some(shape) = filter.shape {
        query.push(" AND shape = ");
        query.push_bind(shape.to_string());
    }
    let times = [
        (" AND created_at >= ", filter.since),
        (" AND created_at < ", filter.until),
    ];
    for (condition, time) in times {
        if let Some(time) = time {
            query.push(condition);
            query.push_bind(time.as_microsecond());
        }
    }
}

fn visible_to(query: &mut Builder<'_>, person: &Principal) -> Result<(), StoreError> {
    query.push(" AND (user_name = ");
    query.push_bind(person.name.clone());
    query.push(
        " OR EXISTS (SELECT 1 FROM json_each(requests.group_names) AS named \
         WHERE named.value IN (SELECT value FROM json_each(",
    );
    query.push_bind(row::to_json(&person.groups)?);
    query.push("))))");
    Ok(())
}

async fn older_than(
    query: &mut Builder<'_>,
    connection: &mut impl Connection,
    id: RequestId,
) -> Result<(), StoreError> {
    let found = query::query("SELECT created_at FROM requests WHERE id = $1")
        .bind(id.as_str())
        .fetch_optional(connection)
        .await
        .map_err(not_read)?;
    let found = found.ok_or_else(|| StoreError::NotFound(format!("request {id}")))?;
    let created_at: i64 = row::column(&found, "created_at")?;
    query.push(" AND (created_at, id) < (");
    query.push_bind(created_at);
    query.push(", ");
    query.push_bind(id.to_string());
    query.push(")");
    Ok(())
}

/// What a table has of all these requests, by request, oldest first.
async fn by_request<T, C: Connection>(
    connection: &mut C,
    requests: &[C::Row],
    (table, order): (&'static str, &'static str),
    read: impl Fn(&C::Row) -> Result<T, StoreError>,
) -> Result<HashMap<String, Vec<T>>, StoreError> {
    let ids = requests
        .iter()
        .map(|found| row::column::<String>(found, "id"))
        .collect::<Result<Vec<_>, _>>()?;
    let mut query = Builder::new("SELECT * FROM ");
    query.push(table);
    query.push(" WHERE request_id IN (SELECT value FROM json_each(");
    query.push_bind(row::to_json(&ids)?);
    query.push(")) ORDER BY ").push(order);
    let rows = query.build().fetch_all(connection).await.map_err(not_read)?;
    let mut found_by: HashMap<String, Vec<T>> = HashMap::new();
    for found in &rows {
        let request: String = row::column(found, "request_id")?;
        found_by.entry(request).or_default().push(read(found)?);
    }
    Ok(found_by)
}
