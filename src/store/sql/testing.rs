//! What the schemas of both databases must do.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::SqlStore;
use super::engine::Engine;
use super::query::query;
use crate::model::StateKind;
use crate::store::Store;
use crate::store::contract::{bring_to, id};

/// The trigger and the model say the same about every pair of states.
pub(in crate::store) async fn transitions_are_those_of_the_model<E: Engine>(store: &SqlStore<E>)
where
    SqlStore<E>: Store,
{
    let mut number = 0;
    for from in StateKind::ALL {
        for to in StateKind::ALL {
            number += 1;
            bring_to(store, number, from).await;
            let mut connection = store.writer.acquire().await.unwrap();
            let changed = query(
                "UPDATE requests SET state = $2, \
                 note = CASE WHEN $2 IN ('withdrawn', 'abandoned', 'denied') THEN 'x' END, \
                 outcome = CASE WHEN $2 IN ('executed', 'failed') THEN '{}' END, \
                 settled_at = CASE WHEN $2 NOT IN ('pending', 'approved', 'running') THEN 1 END WHERE id = $1",
            )
            .bind(id(number).to_string())
            .bind(to.as_str())
            .execute(&mut *connection)
            .await;
            assert_eq!(
                changed.is_ok(),
                from.may_become(to),
                "{from:?} → {to:?}: {changed:?}"
            );
        }
    }
}
