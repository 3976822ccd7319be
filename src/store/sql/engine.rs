//! What a database must offer for the store to be kept in it.
//!
//! Imports sqlx. Invariants: the SQL of the store is the same for every database, but for what is a [`Variant`]; no value is
//! ever part of a text; a request or a grant is read with all that belongs to it by one statement, from one state of the database.

use std::borrow::Cow;
use std::future::Future;

use sqlx::{Database, SqlStr};

/// A database with its own ways to begin.
pub trait Engine: Database<Connection: Connection<Row = <Self as Database>::Row>, Row: Columns> {
    /// Begins a transaction in which what is read cannot change before its end, and a savepoint `write` in it.
    const BEGIN: &'static str;

    /// Whether a transaction did not begin since somebody else is writing: the connection is as good as before.
    fn is_busy(error: &sqlx::Error) -> bool;
}

/// A text that is not the same for every database.
#[derive(Debug, Clone, Copy)]
pub struct Variant {
    /// For SQLite.
    pub(in crate::store) sqlite: &'static str,
    /// For PostgreSQL.
    pub(in crate::store) postgres: &'static str,
}

/// One text with a hint for SQLite in its middle. PostgreSQL needs none.
macro_rules! hinted {
    ($before:expr, $hint:literal, $after:literal) => {
        $crate::store::sql::engine::Variant {
            sqlite: concat!($before, " ", $hint, " ", $after),
            postgres: concat!($before, " ", $after),
        }
    };
}
pub(super) use hinted;

/// A change together with the event that tells of it, in one text, since each way to a database and back takes longer than what
/// is done there. `$condition` must say the same before and after the event is written, which is first in SQLite and second in
/// PostgreSQL; `$change` must change one row or none. The event's values are `$1` to `$5`, as in `audit::record`.
macro_rules! recorded {
    (update $table:literal set $set:literal where $condition:literal) => {
        $crate::store::sql::engine::Variant {
            sqlite: concat!(
                "INSERT INTO audit_events (at, kind, request_id, actor, detail) SELECT $1, $2, $3, $4, $5 \
                 FROM ", $table, " WHERE ", $condition, "; UPDATE ", $table, " SET ", $set, " WHERE ", $condition
            ),
            postgres: concat!(
                "WITH changed AS (UPDATE ", $table, " SET ", $set, " WHERE ", $condition, " RETURNING 1) \
                 INSERT INTO audit_events (at, kind, request_id, actor, detail) SELECT $1, $2, $3, $4, $5 FROM changed"
            ),
        }
    };
    (insert $insert:literal) => {
        $crate::store::sql::engine::Variant {
            sqlite: concat!(
                $insert, "; INSERT INTO audit_events (at, kind, request_id, actor, detail) VALUES ($1, $2, $3, $4, $5)"
            ),
            postgres: concat!(
                "WITH changed AS (", $insert, " RETURNING 1) \
                 INSERT INTO audit_events (at, kind, request_id, actor, detail) SELECT $1, $2, $3, $4, $5 FROM changed"
            ),
        }
    };
}
pub(super) use recorded;

/// A value for a placeholder.
#[derive(Debug, Clone)]
pub enum Value<'a> {
    /// A text, or NULL.
    Text(Option<Cow<'a, str>>),
    /// A whole number, or NULL.
    Integer(Option<i64>),
    /// Whether something is so.
    Flag(bool),
    /// Bytes.
    Bytes(Cow<'a, [u8]>),
}

/// Statements with their values.
pub(in crate::store) type Texts = Vec<(SqlStr, Vec<Value<'static>>)>;

/// Statements behind one another were stopped by an error.
#[derive(Debug)]
pub struct Stopped {
    /// What the database says.
    pub(in crate::store) error: sqlx::Error,
    /// What stands before the last of them may have run; else it has not, or not in full.
    pub(in crate::store) at_end: bool,
}

/// A connection.
pub trait Connection: Send {
    /// Its rows.
    type Row: Columns;

    /// The text for this database.
    fn variant(variant: &Variant) -> &'static str;

    /// Runs one or more statements without values.
    fn run(&mut self, sql: &'static str) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Runs a statement, in SQLite one or more; how many rows have changed.
    fn execute(
        &mut self,
        sql: SqlStr,
        values: Vec<Value<'_>>,
    ) -> impl Future<Output = Result<u64, sqlx::Error>> + Send;

    /// Runs statements and then `end`, one behind the other, up to the first that fails. Each but those of `end` is to change
    /// something: where the database tells, one that does not fails.
    fn execute_all(
        &mut self,
        all: Texts,
        end: &'static str,
    ) -> impl Future<Output = Result<(), Stopped>> + Send;

    /// Runs a statement; its rows.
    fn fetch(
        &mut self,
        sql: SqlStr,
        values: Vec<Value<'_>>,
    ) -> impl Future<Output = Result<Vec<Self::Row>, sqlx::Error>> + Send;

    /// As [`Self::fetch`], behind statements without values.
    fn fetch_behind(
        &mut self,
        first: &'static str,
        sql: SqlStr,
        values: Vec<Value<'_>>,
    ) -> impl Future<Output = Result<Vec<Self::Row>, Stopped>> + Send {
        async move {
            let stopped = |at_end| move |error| Stopped { error, at_end };
            self.run(first).await.map_err(stopped(false))?;
            self.fetch(sql, values).await.map_err(stopped(true))
        }
    }
}

/// The columns of a row, by name. NULL is `None`.
pub trait Columns: Send + Sync {
    /// A text.
    fn text(&self, name: &str) -> Result<Option<String>, sqlx::Error>;
    /// A whole number.
    fn integer(&self, name: &str) -> Result<Option<i64>, sqlx::Error>;
    /// Whether something is so.
    fn flag(&self, name: &str) -> Result<Option<bool>, sqlx::Error>;
    /// Bytes.
    fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, sqlx::Error>;
    /// A list of objects, made of rows by the database.
    fn list(&self, name: &str) -> Result<Vec<serde_json::Value>, sqlx::Error>;
}

/// Reads what the database has made.
pub(in crate::store) fn list_in(text: Option<&str>) -> Result<Vec<serde_json::Value>, sqlx::Error> {
    // An empty list is NULL in PostgreSQL.
    text.map_or(Ok(Vec::new()), |text| {
        serde_json::from_str(text).map_err(|error| sqlx::Error::Decode(error.into()))
    })
}

/// A statement of sqlx with these values.
macro_rules! bound {
    ($database:ty, $sql:expr, $values:expr) => {
        $values
            .into_iter()
            .fold(sqlx::query::<$database>($sql), |query, value| {
                use $crate::store::sql::Value;
                match value {
                    Value::Text(text) => query.bind(text),
                    Value::Integer(number) => query.bind(number),
                    Value::Flag(flag) => query.bind(flag),
                    Value::Bytes(bytes) => query.bind(bytes.into_owned()),
                }
            })
    };
}
pub(in crate::store) use bound;
