//! Standing approvals: what is like an example runs, so often and no more.

use serde_json::json;

use super::grants::{post, ran};
use crate::support::Proxy;

#[tokio::test]
async fn what_differs_in_constants_alone_runs_so_often() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.psql().await;
    alice.types("DELETE FROM items WHERE id = 1;");
    let request = proxy.bob.pending_one().await;
    let body = json!({"request": request.id(), "length": "8h", "times": 2, "reason": "seen it"});
    let given = post(&proxy.bob, "/standing-approvals", body).await;
    assert_eq!(given["state"], "active");
    // The one that waits goes on waiting.
    assert!(proxy.bob.approve(&request).await.is_taken());
    assert!(alice.prompt().await.ends_with("DELETE 1\n"));

    let basis = json!({"kind": "standing_approval", "id": given["id"]});
    assert_eq!(
        alice.runs("delete from items  where id = 2; -- once more").await,
        "DELETE 1\n"
    );
    ran(&proxy, &basis, 1).await;
    // Another table, another condition, another command: these are others.
    for other in [
        "DELETE FROM items WHERE name = 'a';",
        "DELETE FROM items WHERE id > 3;",
        "UPDATE items SET name = 'a' WHERE id = 3;",
    ] {
        alice.types(other);
        proxy.bob.rejects_next("another one").await;
        assert!(alice.prompt().await.contains("another one"), "{other}");
    }
    // Somebody else's, too.
    let mut carol = proxy.carol.psql().await;
    carol.types("DELETE FROM items WHERE id = 3;");
    proxy.bob.rejects_next("hers").await;
    assert!(carol.prompt().await.contains("hers"));

    assert_eq!(alice.runs("DELETE FROM items WHERE id = 3;").await, "DELETE 1\n");
    ran(&proxy, &basis, 2).await;
    alice.types("DELETE FROM items WHERE id = 4;");
    proxy.bob.rejects_next("that was twice").await;
    assert!(alice.prompt().await.contains("that was twice"));
    assert_eq!(proxy.database.items().await, 7);
}
