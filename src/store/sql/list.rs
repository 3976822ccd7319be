//! Reading requests, with all that belongs to them.

use super::columns::{decider_columns, present_field, request_columns};
use super::engine::{Connection, Variant};
use super::query::{self, Builder};
use super::{not_read, row};
use crate::model::{HeldRequest, Principal, RequestId};
use crate::store::{RequestFilter, StoreError};

/// Requests with what people have said and changed, each as a list of objects, in no order; and with the groups that those who have
/// said something are in by now.
macro_rules! requests {
    ($columns:expr, $list:literal, $object:literal, $as_text:literal, $digest:literal) => {
        concat!(
            "SELECT ",
            $columns,
            ", (SELECT ",
            $list,
            "(",
            $object,
            "('id', id, 'reviewer', reviewer, \
             'group_names', group_names, 'verdict', verdict, 'comment', comment, 'at', at",
            present_field!("reviews"),
            "))",
            $as_text,
            " FROM reviews WHERE request_id = requests.id) AS reviews, \
             (SELECT ",
            $list,
            "(",
            $object,
            "('id', id, 'editor', editor, 'statement', statement, \
             'digest', ",
            $digest,
            ", 'command', command, 'effect', effect, 'comment', comment, \
             'reviews_before', reviews_before, 'at', at))",
            $as_text,
            " FROM edits WHERE request_id = requests.id) AS edits, \
             (SELECT ",
            $list,
            "(",
            $object,
            "('id', 0, 'reviewer', reviewer, \
             'group_names', group_names, 'verdict', verdict, 'comment', comment, 'at', at))",
            $as_text,
            " FROM followups WHERE request_id = requests.id) AS followups FROM requests WHERE "
        )
    };
}

macro_rules! variant {
    ($columns:expr, $condition:literal) => {
        Variant {
            sqlite: concat!(
                requests!($columns, "json_group_array", "json_object", "", "hex(digest)"),
                $condition
            ),
            postgres: concat!(
                requests!(
                    $columns,
                    "json_agg",
                    "json_build_object",
                    "::text",
                    "encode(digest, 'hex')"
                ),
                $condition
            ),
        }
    };
}

const REQUEST: Variant = variant!(
    request_columns!("requests.statement", "parameters", "false"),
    "id = $1"
);

/// For whoever decides on it.
const DECIDED: Variant = variant!(
    concat!(
        request_columns!("requests.statement", "parameters", "false"),
        decider_columns!()
    ),
    "id = $1"
);

/// As they are listed, many at once, where texts of tens of megabytes would be too much: a statement up to this many
/// characters, parameters only where they are no longer than that.
const LISTED: Variant = variant!(
    request_columns!(
        "substr(requests.statement, 1, 65536)",
        "CASE WHEN length(parameters) > 65536 THEN '[]' ELSE parameters END",
        "(length(requests.statement) > 65536 OR length(parameters) > 65536)"
    ),
    "true"
);

/// One request.
pub(super) async fn one(
    connection: &mut impl Connection,
    id: RequestId,
) -> Result<Option<HeldRequest>, StoreError> {
    let found = query::variant(&REQUEST)
        .bind(id.as_str())
        .fetch_optional(connection)
        .await
        .map_err(not_read)?;
    found.as_ref().map(row::request).transpose()
}

/// One request, and the groups that this person is in at the moment: none where they are disabled, or not there.
pub(super) async fn one_to_decide(
    connection: &mut impl Connection,
    id: RequestId,
    decider: &str,
) -> Result<Option<(HeldRequest, Vec<String>)>, StoreError> {
    let found = query::variant(&DECIDED)
        .bind(id.as_str())
        .bind(decider)
        .fetch_optional(connection)
        .await
        .map_err(not_read)?;
    found
        .map(|found| Ok((row::request(&found)?, row::present_groups(&found)?)))
        .transpose()
}

/// Requests by filter, newest first; those that are long are cut ([`HeldRequest::is_cut`]).
pub(super) async fn filtered(
    connection: &mut impl Connection,
    filter: &RequestFilter,
) -> Result<Vec<HeldRequest>, StoreError> {
    let mut query = Builder::of(connection, &LISTED);
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
    rows.iter().map(row::request).collect()
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
