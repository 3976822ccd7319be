//! What SQLite does for the store.

use std::borrow::Cow;

use sqlx::sqlite::{Sqlite, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Either, Row as _, SqlSafeStr as _, SqlStr};
use tokio_stream::StreamExt as _;

use crate::store::sql::{Columns, Connection, Engine, Stopped, Texts, Value, Variant, bound, list_in};

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

/// Appends a statement whose placeholders count from `$1` to a text that has so many of its own.
fn append(sql: &str, placeholders: usize, text: &mut String) {
    let mut parts = sql.split('$');
    text.push_str(parts.next().unwrap_or_default());
    for part in parts {
        text.push('$');
        let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, rest) = part.split_at(digits);
        match number.parse::<usize>() {
            Ok(number) => text.push_str(&(number + placeholders).to_string()),
            // It is none: a path in JSON.
            Err(_) => text.push_str(number),
        }
        text.push_str(rest);
    }
    text.push(';');
}

/// Whether as many statements have ended as there are in the text. A thread that has died says nothing, which is no success.
fn answered(ended: usize, sql: &str) -> Result<(), sqlx::Error> {
    if ended < sql.split(';').count() {
        return Err(sqlx::Error::WorkerCrashed);
    }
    Ok(())
}

/// One text of two.
fn behind(first: &'static str, sql: &SqlStr) -> SqlStr {
    // Of texts of ours alone.
    AssertSqlSafe([first, ";", sql.as_str()].concat()).into_sql_str()
}

impl Connection for SqliteConnection {
    type Row = SqliteRow;

    fn variant(variant: &Variant) -> &'static str {
        variant.sqlite
    }

    async fn run(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        let mut ended = 0;
        let mut steps = sqlx::Executor::fetch_many(self, sqlx::query(sql));
        while let Some(step) = steps.next().await {
            ended += usize::from(step?.is_left());
        }
        answered(ended, sql)
    }

    async fn execute(&mut self, sql: SqlStr, values: Vec<Value<'_>>) -> Result<u64, sqlx::Error> {
        let done = bound!(Sqlite, sql, values).execute(self).await?;
        Ok(done.rows_affected())
    }

    /// As one text: each way to the thread of a connection and back takes longer than what is done there.
    async fn execute_all(&mut self, all: Texts, end: &'static str) -> Result<(), Stopped> {
        let (mut text, mut values) = (String::new(), Vec::new());
        for (sql, its_values) in all {
            append(sql.as_str(), values.len(), &mut text);
            values.extend(its_values);
        }
        // The only row that there is says how far it has come.
        text.push_str("SELECT 1;");
        text.push_str(end);
        // Of texts of ours alone.
        let query = bound!(Sqlite, AssertSqlSafe(text), values);
        let (mut at_end, mut ended) = (false, 0_usize);
        let mut steps = sqlx::Executor::fetch_many(self, query);
        while let Some(step) = steps.next().await {
            match step.map_err(|error| Stopped { error, at_end })? {
                Either::Right(_) => at_end = true,
                Either::Left(_) if at_end => ended += 1,
                Either::Left(_) => {}
            }
        }
        // One more is the row's own.
        answered(ended.saturating_sub(1), end).map_err(|error| Stopped { error, at_end })
    }

    async fn fetch(&mut self, sql: SqlStr, values: Vec<Value<'_>>) -> Result<Vec<SqliteRow>, sqlx::Error> {
        bound!(Sqlite, sql, values).fetch_all(self).await
    }

    async fn fetch_behind(
        &mut self,
        first: &'static str,
        sql: SqlStr,
        values: Vec<Value<'_>>,
    ) -> Result<Vec<SqliteRow>, Stopped> {
        let found = self.fetch(behind(first, &sql), values).await;
        // What is behind the beginning has the lock that others have not.
        found.map_err(|error| Stopped {
            at_end: !Sqlite::is_busy(&error),
            error,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{answered, append};

    #[test]
    fn silence_is_no_success() {
        assert!(answered(0, "COMMIT").is_err());
        assert!(answered(1, "COMMIT").is_ok());
        assert!(answered(1, "ROLLBACK TO write; RELEASE write").is_err());
    }

    #[test]
    fn placeholders_count_on() {
        let mut text = String::new();
        append("SELECT $1, x ->> '$.a', $12", 0, &mut text);
        append("UPDATE t SET a = $2 WHERE b = $1", 12, &mut text);
        assert_eq!(
            text,
            "SELECT $1, x ->> '$.a', $12;UPDATE t SET a = $14 WHERE b = $13;"
        );
    }
}
