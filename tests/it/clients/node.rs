//! node-postgres, with its cursors and streams.

use super::{install, report};

#[tokio::test]
async fn node_postgres_does_the_same() {
    let Some(node) = report::or_skip("node-postgres", install::node().await) else {
        return;
    };
    report::same(&node.program("pg_program.cjs").prints_the_same().await);
}
