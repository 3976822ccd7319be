//! What a database must offer for the store to be kept in it.
//!
//! Imports sqlx. Invariants: the SQL of the store is the same for every database, but for what is a [`Variant`]; no value is
//! ever part of a text.

use std::borrow::Cow;
use std::future::Future;

use sqlx::{Database, SqlStr};

/// A database with its own ways to begin.
pub trait Engine: Database<Connection: Connection<Row = <Self as Database>::Row>, Row: Columns> {
    /// Begins a transaction in which what is read cannot change before its end, and a savepoint `write` in it.
    const BEGIN: &'static str;
    /// Begins a transaction whose reads all see one state of the database.
    const BEGIN_READ: &'static str;

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

/// Questions that are asked together.
#[derive(Debug, Clone, Copy)]
pub struct Several {
    /// All of them in one text.
    pub(in crate::store) together: &'static str,
    /// One after the other.
    pub(in crate::store) each: &'static [&'static str],
}

/// One text with a hint for SQLite in its middle. PostgreSQL needs none.
macro_rules! hinted {
    ($before:literal, $hint:literal, $after:literal) => {
        $crate::store::sql::engine::Variant {
            sqlite: concat!($before, " ", $hint, " ", $after),
            postgres: concat!($before, " ", $after),
        }
    };
}
pub(super) use hinted;

/// Questions that are asked together.
macro_rules! several {
    ($($each:literal),* $(,)?) => {
        $crate::store::sql::engine::Several { together: concat!($($each, ";"),*), each: &[$($each),*] }
    };
}
pub(super) use several;

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
    Bytes(&'a [u8]),
}

/// A connection.
pub trait Connection: Send {
    /// Its rows.
    type Row: Columns;

    /// The text for this database.
    fn variant(variant: &Variant) -> &'static str;

    /// Runs one or more statements without values.
    fn run(&mut self, sql: &'static str) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Runs a statement; how many rows it has changed.
    fn execute(
        &mut self,
        sql: SqlStr,
        values: Vec<Value<'_>>,
    ) -> impl Future<Output = Result<u64, sqlx::Error>> + Send;

    /// Runs a statement; its rows.
    fn fetch(
        &mut self,
        sql: SqlStr,
        values: Vec<Value<'_>>,
    ) -> impl Future<Output = Result<Vec<Self::Row>, sqlx::Error>> + Send;

    /// Runs several statements with the same values; the rows of all of them.
    fn fetch_several(
        &mut self,
        sql: Several,
        values: Vec<Value<'_>>,
    ) -> impl Future<Output = Result<Vec<Self::Row>, sqlx::Error>> + Send;
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
}

/// Implements [`Columns`], and what of [`Connection`] reads the same for every database.
macro_rules! columns_of {
    ($row:ty) => {
        impl $crate::store::sql::Columns for $row {
            fn text(&self, name: &str) -> Result<Option<String>, sqlx::Error> {
                sqlx::Row::try_get(self, name)
            }

            fn integer(&self, name: &str) -> Result<Option<i64>, sqlx::Error> {
                sqlx::Row::try_get(self, name)
            }

            fn flag(&self, name: &str) -> Result<Option<bool>, sqlx::Error> {
                sqlx::Row::try_get(self, name)
            }

            fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, sqlx::Error> {
                sqlx::Row::try_get(self, name)
            }
        }
    };
}
pub(in crate::store) use columns_of;

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
                    Value::Bytes(bytes) => query.bind(bytes),
                }
            })
    };
}
pub(in crate::store) use bound;
