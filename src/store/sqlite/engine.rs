//! What SQLite does for the store.

use std::borrow::Cow;

use sqlx::sqlite::{Sqlite, SqliteConnection, SqliteRow};
use sqlx::{SqlSafeStr as _, SqlStr};

use crate::store::sql::{Connection, Engine, Several, Value, Variant, bound, columns_of};

impl Engine for Sqlite {
    const BEGIN: &'static str = "BEGIN IMMEDIATE; SAVEPOINT write";
    const BEGIN_READ: &'static str = "BEGIN";

    fn is_busy(error: &sqlx::Error) -> bool {
        // Extended result codes carry the primary one in their low byte; 5 is SQLITE_BUSY.
        error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
            .and_then(|code: Cow<'_, str>| code.parse::<u32>().ok())
            .is_some_and(|code| code & 0xff == 5)
    }
}

columns_of!(SqliteRow);

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

    /// In one text: each way to SQLite's thread and back takes longer than what is done there.
    async fn fetch_several(
        &mut self,
        sql: Several,
        values: Vec<Value<'_>>,
    ) -> Result<Vec<SqliteRow>, sqlx::Error> {
        self.fetch(sql.together.into_sql_str(), values).await
    }
}
