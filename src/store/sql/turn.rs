//! The connection that writes, as it is lent to those whose turn it is.
//!
//! A transaction begins with the first statement in it, on the same way to the database: whoever has a turn and asks nothing
//! has begun none.

use sqlx::SqlStr;
use sqlx::pool::PoolConnection;

use super::engine::{Connection, Engine, Stopped, Texts, Value, Variant};

/// A connection in a transaction, or before one.
pub(in crate::store) struct Turn<E: Engine> {
    connection: PoolConnection<E>,
    /// It is not in its transaction.
    is_before: bool,
    /// Why that did not begin.
    unbegun: Option<Unbegun>,
}

/// A transaction did not begin.
#[derive(Debug)]
pub(super) struct Unbegun {
    /// What the database says.
    pub(super) why: String,
    /// It is not known what state the connection is in. Else somebody else holds the lock for writers, and it is as good as before.
    pub(super) is_spoilt: bool,
}

impl<E: Engine> Turn<E> {
    pub(super) fn new(connection: PoolConnection<E>) -> Self {
        Self {
            connection,
            is_before: true,
            unbegun: None,
        }
    }

    /// Whether nothing was asked in it.
    pub(super) fn is_before(&self) -> bool {
        self.is_before
    }

    /// Why the transaction did not begin although it was asked to; told once.
    pub(super) fn take_unbegun(&mut self) -> Option<Unbegun> {
        self.unbegun.take()
    }

    /// It is not used again.
    pub(super) fn close_on_drop(&mut self) {
        self.connection.close_on_drop();
    }

    pub(super) fn into_connection(self) -> PoolConnection<E> {
        self.connection
    }

    /// The connection itself, in its transaction.
    pub(in crate::store) async fn begun(&mut self) -> Result<&mut E::Connection, sqlx::Error> {
        self.begin().await?;
        Ok(&mut self.connection)
    }

    async fn begin(&mut self) -> Result<(), sqlx::Error> {
        if std::mem::take(&mut self.is_before) {
            let begun = self.connection.run(E::BEGIN).await;
            return begun.inspect_err(|error| self.has_not_begun(error));
        }
        Ok(())
    }

    fn has_not_begun(&mut self, error: &sqlx::Error) {
        self.is_before = true;
        self.unbegun = Some(Unbegun {
            why: error.to_string(),
            is_spoilt: !E::is_busy(error),
        });
    }
}

impl<E: Engine> Connection for Turn<E> {
    type Row = E::Row;

    fn variant(variant: &Variant) -> &'static str {
        E::Connection::variant(variant)
    }

    async fn run(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        self.begin().await?;
        self.connection.run(sql).await
    }

    async fn execute(&mut self, sql: SqlStr, values: Vec<Value<'_>>) -> Result<u64, sqlx::Error> {
        // Not in one text: SQLite would count what the last change before has changed.
        self.begin().await?;
        self.connection.execute(sql, values).await
    }

    async fn execute_all(&mut self, all: Texts, end: &'static str) -> Result<(), Stopped> {
        let begun = self.begin().await;
        begun.map_err(|error| Stopped { error, at_end: false })?;
        self.connection.execute_all(all, end).await
    }

    async fn fetch(&mut self, sql: SqlStr, values: Vec<Value<'_>>) -> Result<Vec<E::Row>, sqlx::Error> {
        if !std::mem::take(&mut self.is_before) {
            return self.connection.fetch(sql, values).await;
        }
        let found = self.connection.fetch_behind(E::BEGIN, sql, values).await;
        found.map_err(|Stopped { error, at_end }| {
            if !at_end {
                self.has_not_begun(&error);
            }
            error
        })
    }
}
