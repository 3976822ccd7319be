//! What PostgreSQL does for the store.
//!
//! Invariant: no text goes to the server with a NUL in it, which PostgreSQL has no place for, and all read back as they were.

use std::borrow::Cow;
use std::time::Duration;

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Postgres, Row as _, SqlStr};

use crate::store::sql::{Columns, Connection, Engine, Stopped, Texts, Value, Variant, bound, list_in};

impl Engine for Postgres {
    /// The lock's number is of our choosing; it goes with the transaction. (`pg_advisory_xact_lock`, PostgreSQL's manual, 9.27.10.)
    const BEGIN: &'static str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
         SELECT pg_advisory_xact_lock(7526756211034517604); SAVEPOINT write";

    /// A transaction whose lock did not come in time has failed, and must end: the connection is not used on.
    fn is_busy(_: &sqlx::Error) -> bool {
        false
    }
}

impl Connection for PgConnection {
    type Row = PgRow;

    fn variant(variant: &Variant) -> &'static str {
        variant.postgres
    }

    async fn run(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        in_time(sqlx::raw_sql(sql).execute(self)).await.map(drop)
    }

    async fn execute(&mut self, sql: SqlStr, values: Vec<Value<'_>>) -> Result<u64, sqlx::Error> {
        let query = bound!(Postgres, sql, values.into_iter().map(without_nul));
        let done = in_time(query.execute(self)).await?;
        Ok(done.rows_affected())
    }

    async fn execute_all(&mut self, all: Texts, end: &'static str) -> Result<(), Stopped> {
        let stopped = |at_end| move |error| Stopped { error, at_end };
        for (sql, values) in all {
            if self.execute(sql, values).await.map_err(stopped(false))? == 0 {
                return Err(stopped(false)(sqlx::Error::RowNotFound));
            }
        }
        self.run(end).await.map_err(stopped(true))
    }

    async fn fetch(&mut self, sql: SqlStr, values: Vec<Value<'_>>) -> Result<Vec<PgRow>, sqlx::Error> {
        let query = bound!(Postgres, sql, values.into_iter().map(without_nul));
        in_time(query.fetch_all(self)).await
    }
}

impl Columns for PgRow {
    fn text(&self, name: &str) -> Result<Option<String>, sqlx::Error> {
        let text: Option<String> = self.try_get(name)?;
        Ok(text.map(|text| {
            if text.contains(SIGN) {
                with_nul(&text)
            } else {
                text
            }
        }))
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
        let mut list = list_in(self.try_get(name)?)?;
        for field in list.iter_mut().filter_map(serde_json::Value::as_object_mut) {
            for value in field.values_mut() {
                if let serde_json::Value::String(text) = value
                    && text.contains(SIGN)
                {
                    *text = with_nul(text);
                }
            }
        }
        Ok(list)
    }
}

/// So long a step may take: longer than the server itself gives it (`open.rs`). What takes longer is lost on its way.
const STEP: Duration = Duration::from_secs(15);

/// A connection through which nothing comes any more says nothing: it is not waited for without end.
pub(super) async fn in_time<T>(step: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    crate::timer::timeout(STEP, step).await.unwrap_or_else(|_| {
        let lost = std::io::Error::new(
            std::io::ErrorKind::TimedOut,
            "the database has not answered in time",
        );
        Err(sqlx::Error::Io(lost))
    })
}

/// Stands for a NUL with a `0` behind it, and for itself with itself behind it.
const SIGN: char = '\u{2400}';

fn without_nul(value: Value<'_>) -> Value<'_> {
    match value {
        Value::Text(Some(text)) if text.contains(['\0', SIGN]) => {
            let mut kept = String::with_capacity(text.len() + 8);
            for character in text.chars() {
                match character {
                    '\0' => kept.extend([SIGN, '0']),
                    SIGN => kept.extend([SIGN, SIGN]),
                    other => kept.push(other),
                }
            }
            Value::Text(Some(Cow::Owned(kept)))
        }
        other => other,
    }
}

fn with_nul(kept: &str) -> String {
    let mut text = String::with_capacity(kept.len());
    let mut characters = kept.chars();
    while let Some(character) = characters.next() {
        match character {
            SIGN => match characters.next() {
                Some('0') => text.push('\0'),
                other => text.extend(other),
            },
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_nul_reads_back() {
        for text in ["", "\0", "\0\0", "a\0b", "␀", "␀0", "\0␀\0 0␀␀", "0"] {
            let Value::Text(Some(kept)) = without_nul(text.into()) else {
                panic!("it is a text");
            };
            assert!(!kept.contains('\0'));
            assert_eq!(with_nul(&kept), text, "{kept}");
        }
    }
}
