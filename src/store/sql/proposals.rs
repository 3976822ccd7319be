//! Questions of one proxy to another, which holds the session: whether a statement could run in the place of a held one.
//!
//! Only where the database is shared: SQLite has no such table.

use super::engine::Engine;
use super::query::query;
use super::{SqlStore, not_read, not_written, row};
use crate::model::RequestId;
use crate::store::{ProposalId, StoreError};

impl<E: Engine> SqlStore<E> {
    pub(in crate::store) async fn insert_proposal(
        &self,
        request: RequestId,
        statement: &str,
    ) -> Result<ProposalId, StoreError> {
        let mut tx = self.begin().await?;
        // Those that nobody has waited for to the end.
        query(
            "DELETE FROM proposals WHERE request_id NOT IN (SELECT id FROM requests WHERE state = 'pending')",
        )
        .execute(&mut *tx)
        .await
        .map_err(not_written)?;
        let asked = query("INSERT INTO proposals (request_id, statement) VALUES ($1, $2) RETURNING id")
            .bind(request.as_str())
            .bind(statement)
            .fetch_one(&mut *tx)
            .await
            .map_err(not_written)?;
        tx.commit().await?;
        row::column(&asked, "id")
    }

    pub(in crate::store) async fn read_proposal(
        &self,
        id: ProposalId,
    ) -> Result<Option<(RequestId, String)>, StoreError> {
        let found = query("SELECT request_id, statement FROM proposals WHERE id = $1 AND answer IS NULL")
            .bind(id)
            .fetch_optional(&mut *self.reader().await?)
            .await
            .map_err(not_read)?;
        found
            .map(|found| Ok((row::id(&found, "request_id")?, row::column(&found, "statement")?)))
            .transpose()
    }

    pub(in crate::store) async fn answer_proposal(
        &self,
        id: ProposalId,
        answer: &str,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        query("UPDATE proposals SET answer = $2 WHERE id = $1 AND answer IS NULL")
            .bind(id)
            .bind(answer)
            .execute(&mut *tx)
            .await
            .map_err(not_written)?;
        tx.commit().await
    }

    pub(in crate::store) async fn delete_answered(
        &self,
        id: ProposalId,
    ) -> Result<Option<String>, StoreError> {
        let found = query("SELECT answer FROM proposals WHERE id = $1 AND answer IS NOT NULL")
            .bind(id)
            .fetch_optional(&mut *self.reader().await?)
            .await
            .map_err(not_read)?;
        let Some(found) = found else { return Ok(None) };
        let mut tx = self.begin().await?;
        query("DELETE FROM proposals WHERE id = $1")
            .bind(id)
            .execute(&mut *tx)
            .await
            .map_err(not_written)?;
        tx.commit().await?;
        row::column(&found, "answer").map(Some)
    }
}
