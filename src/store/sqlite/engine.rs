//! What SQLite does for the store.

use std::borrow::Cow;

use sqlx::sqlite::{Sqlite, SqliteConnection, SqliteRow};
use sqlx::{Row as _, SqlStr};

use crate::store::sql::{Columns, Connection, Engine, Value, Variant, bound, list_in};

impl Engine for Sqlite {
    const BEGIN: &'static str = "BEGIN IMMEDIATE; SAVEPOINT write";

    fn is_busy(error: &sqlx::Error) -> bool {
        // Extended result codes carry the primary one in their low byte; 5 is SQLITE_BUSY.
        error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
            .and_then(|code: Cow<'_, str>| code.parse::<u32>().ok())
            .is_some_and(|code| code & 0xff == 5)
    }
}

impl Columns for SqliteRow {
    fn text(&self, name: &str) -> Result<Option<String>, sqlx::Error> {
        self.try_get(name)
    }

    fn integer(&self, name: &str) -> Result<Option<i64>, sqlx::Error> {
        self.try_get(name)
    }

    fn flag(&self, name: &str) -> Result<Option<bool>, sqlx::Error> {
        self.try_get(name)
    }

    fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, sqlx::Error> {
        self.try_get(name)
    }

    fn list(&self, name: &str) -> Result<Vec<serde_json::Value>, sqlx::Error> {
        list_in(self.try_get(name)?)
    }
}

impl Connection for SqliteConnection {
    type Row = SqliteRow;

    fn variant(variant: &Variant) -> &'static str {
        variant.sqlite
    }

    async fn run(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        sqlx::query(sql).execute(self).await.map(drop)
    }

    async fn execute(&mut self, sql: SqlStr, values: Vec<Value<'_>>) -> Result<u64, sqlx::Error> {
        let done = bound!(Sqlite, sql, values).execute(self).await?;
        Ok(done.rows_affected())
    }

    async fn fetch(&mut self, sql: SqlStr, values: Vec<Value<'_>>) -> Result<Vec<SqliteRow>, sqlx::Error> {
        bound!(Sqlite, sql, values).fetch_all(self).await
    }
}
