//! What is known while somebody has a table locked, as a migration has that is open.

use super::{is_approved, is_held, passes, stage};
use crate::support::eventually;
use crate::support::raw::Frames;

/// A migration that somebody has open holds up no reads of other tables, and no view over its table passes unseen.
#[tokio::test]
async fn a_locked_table_holds_up_only_views_over_it() {
    let proxy = stage().await;
    let mut alice = proxy.alice.raw().await;
    proxy.database.run("BEGIN; LOCK TABLE items").await;
    let mut other = proxy.alice.raw().await;
    is_approved(&proxy, &mut other, "CREATE TABLE another (id int)").await;
    passes(&mut alice, "SELECT * FROM secrets").await;
    is_held(&proxy, &mut alice, Frames::new().query("SELECT * FROM honest")).await;
    proxy.database.run("ROLLBACK").await;
}

/// Nor is anything else held up by what the server would have to lock to write an expression out: a check, an index's
/// predicate, row security's with another table in it, the body of a function.
#[tokio::test]
async fn a_locked_table_holds_up_only_what_is_about_it() {
    let proxy = stage().await;
    let more = "CREATE TABLE checked (id int CHECK (id > 0)); CREATE TABLE unchecked (id int CHECK (id > 0));
        CREATE INDEX ON checked (id) WHERE id > 1; CREATE INDEX ON unchecked ((id + 1));
        CREATE TABLE guarded_rows (id int); ALTER TABLE guarded_rows ENABLE ROW LEVEL SECURITY;
        CREATE POLICY p ON guarded_rows USING (EXISTS (SELECT FROM checked c WHERE c.id = guarded_rows.id));
        CREATE FUNCTION of_checked() RETURNS bigint STABLE LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM checked; END;
        CREATE FUNCTION of_unchecked() RETURNS bigint STABLE LANGUAGE sql
            BEGIN ATOMIC SELECT count(*) FROM unchecked; END;
        CREATE VIEW over_checked AS SELECT id FROM checked; CREATE VIEW over_unchecked AS SELECT id FROM unchecked;
        CREATE VIEW changed AS SELECT 1 AS one; GRANT ALL ON ALL TABLES IN SCHEMA public TO app";
    proxy.database.run(more).await;
    let migration =
        "BEGIN; ALTER TABLE checked ADD COLUMN x int; CREATE OR REPLACE VIEW changed AS SELECT 2 AS one";
    proxy.database.run(migration).await;
    let mut alice = proxy.alice.raw().await;
    for sql in [
        "SELECT * FROM secrets, unchecked",
        "SELECT * FROM honest",
        "SELECT * FROM over_unchecked",
        "SELECT of_unchecked()",
    ] {
        passes(&mut alice, sql).await;
    }
    for sql in [
        "SELECT * FROM checked",
        "SELECT * FROM guarded_rows",
        "SELECT * FROM over_checked",
        "SELECT * FROM changed",
        "SELECT of_checked()",
    ] {
        is_held(&proxy, &mut alice, Frames::new().query(sql)).await;
    }
    proxy.database.run("ROLLBACK").await;
    // It is looked at again soon, and not after `catalogue_refresh` alone.
    eventually("what was locked is known", async || {
        alice
            .send(Frames::new().query("SELECT * FROM over_checked, changed, guarded_rows"))
            .await;
        tokio::select! {
            _ = alice.ready() => Some(()),
            request = proxy.bob.pending_one() => {
                proxy.bob.reject(&request, "no").await;
                alice.ready().await;
                None
            }
        }
    })
    .await;
}
