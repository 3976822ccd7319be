//! Statements with their values.

use std::borrow::Cow;

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use super::engine::{Connection, Texts, Value, Variant};

/// A statement whose placeholders, `$1` and so on, have got values.
#[derive(Debug)]
pub(super) struct Query<'a, S = SqlStr> {
    sql: S,
    values: Vec<Value<'a>>,
}

/// A statement without values so far.
pub(super) fn query<'a>(sql: impl SqlSafeStr) -> Query<'a> {
    Query {
        sql: sql.into_sql_str(),
        values: Vec::new(),
    }
}

/// The same for a text that differs from database to database.
pub(super) fn variant<'a>(sql: &Variant) -> Query<'a, Variant> {
    Query {
        sql: *sql,
        values: Vec::new(),
    }
}

impl<'a, S> Query<'a, S> {
    /// Gives the next placeholder its value.
    pub(super) fn bind(mut self, value: impl Into<Value<'a>>) -> Self {
        self.values.push(value.into());
        self
    }
}

impl Query<'_> {
    /// Runs it; how many rows it has changed.
    pub(super) async fn execute(self, connection: &mut impl Connection) -> Result<u64, sqlx::Error> {
        connection.execute(self.sql, self.values).await
    }

    /// Runs it; its rows.
    pub(super) async fn fetch_all<C: Connection>(
        self,
        connection: &mut C,
    ) -> Result<Vec<C::Row>, sqlx::Error> {
        connection.fetch(self.sql, self.values).await
    }

    /// Runs it; its first row.
    pub(super) async fn fetch_optional<C: Connection>(
        self,
        connection: &mut C,
    ) -> Result<Option<C::Row>, sqlx::Error> {
        Ok(self.fetch_all(connection).await?.into_iter().next())
    }

    /// Runs it; its first row, which must be there.
    pub(super) async fn fetch_one<C: Connection>(self, connection: &mut C) -> Result<C::Row, sqlx::Error> {
        self.fetch_optional(connection)
            .await?
            .ok_or(sqlx::Error::RowNotFound)
    }
}

impl Query<'_, Variant> {
    /// As above.
    pub(super) async fn execute<C: Connection>(self, connection: &mut C) -> Result<u64, sqlx::Error> {
        let sql = C::variant(&self.sql).into_sql_str();
        connection.execute(sql, self.values).await
    }

    /// As above.
    pub(super) async fn fetch_all<C: Connection>(
        self,
        connection: &mut C,
    ) -> Result<Vec<C::Row>, sqlx::Error> {
        let sql = C::variant(&self.sql).into_sql_str();
        connection.fetch(sql, self.values).await
    }

    /// As above.
    pub(super) async fn fetch_optional<C: Connection>(
        self,
        connection: &mut C,
    ) -> Result<Option<C::Row>, sqlx::Error> {
        Ok(self.fetch_all(connection).await?.into_iter().next())
    }
}

/// What is to be run behind one another, with the texts for this database.
pub(super) fn texts<C: Connection>(all: Vec<Query<'static, Variant>>) -> Texts {
    let all = all.into_iter();
    all.map(|one| (C::variant(&one.sql).into_sql_str(), one.values))
        .collect()
}

impl<S> Query<'_, S> {
    /// With values of its own.
    pub(super) fn into_owned(self) -> Query<'static, S> {
        Query {
            sql: self.sql,
            values: self.values.into_iter().map(Value::into_owned).collect(),
        }
    }
}

impl Value<'_> {
    fn into_owned(self) -> Value<'static> {
        match self {
            Self::Text(text) => Value::Text(text.map(|text| Cow::Owned(text.into_owned()))),
            Self::Integer(number) => Value::Integer(number),
            Self::Flag(flag) => Value::Flag(flag),
            Self::Bytes(bytes) => Value::Bytes(Cow::Owned(bytes.into_owned())),
        }
    }
}

/// A statement that is put together.
#[derive(Debug)]
pub(super) struct Builder<'a> {
    sql: String,
    values: Vec<Value<'a>>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(start: &'static str) -> Self {
        Self {
            sql: start.to_owned(),
            values: Vec::new(),
        }
    }

    /// With the text for the database of this connection.
    pub(super) fn of<C: Connection>(_: &C, start: &Variant) -> Self {
        Self::new(C::variant(start))
    }

    /// Goes on with this.
    pub(super) fn push(&mut self, sql: &'static str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    /// Goes on with a placeholder for this.
    pub(super) fn push_bind(&mut self, value: impl Into<Value<'a>>) -> &mut Self {
        self.values.push(value.into());
        self.sql.push('$');
        self.sql.push_str(&self.values.len().to_string());
        self
    }

    /// Goes on with placeholders for these, in parentheses.
    pub(super) fn push_list(&mut self, values: impl IntoIterator<Item = &'static str>) -> &mut Self {
        let mut between = "(";
        for value in values {
            self.push(between).push_bind(value);
            between = ", ";
        }
        self.push(")")
    }

    /// The statement.
    pub(super) fn build(self) -> Query<'a> {
        Query {
            // Of texts of ours alone.
            sql: AssertSqlSafe(self.sql).into_sql_str(),
            values: self.values,
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Some(Cow::Borrowed(text)))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Some(Cow::Owned(text)))
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::Text(text.map(Cow::Borrowed))
    }
}

impl From<Option<String>> for Value<'_> {
    fn from(text: Option<String>) -> Self {
        Self::Text(text.map(Cow::Owned))
    }
}

impl<'a> From<&'a Option<String>> for Value<'a> {
    fn from(text: &'a Option<String>) -> Self {
        Self::from(text.as_deref())
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Integer(Some(number))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(number: Option<i64>) -> Self {
        Self::Integer(number)
    }
}

impl From<Option<u32>> for Value<'_> {
    fn from(number: Option<u32>) -> Self {
        Self::Integer(number.map(i64::from))
    }
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(Cow::Borrowed(bytes))
    }
}
