//! SIGHUP: the policies are read again, all or nothing.

use crate::support::Proxy;

const PASSES: &str = r#"
    default_groups = ["dba"]
    [[rule]]
    name = "everything passes"
    then = "allow"
"#;

const DENIES: &str = r#"
    default_groups = ["dba"]
    [[rule]]
    name = "no updates"
    when = { commands = ["UPDATE"] }
    then = { deny = { reason = "nothing changes today" } }
    [[rule]]
    name = "all else passes"
    then = "allow"
"#;

async fn is_denied(proxy: &Proxy) -> bool {
    let mut alice = proxy.alice.psql().await;
    let shown = alice.runs("UPDATE items SET name = 'new' WHERE id = 1;").await;
    shown.contains("nothing changes today")
}

#[tokio::test]
async fn a_new_policy_is_taken_and_a_wrong_one_is_not() {
    let proxy = Proxy::with().policy(PASSES).start().await;
    assert!(!is_denied(&proxy).await);
    proxy.rewrite_policy(DENIES);
    assert!(!is_denied(&proxy).await, "nobody has said that it is done");
    proxy.hang_up();
    proxy.logs("read the policies again").await;
    assert!(is_denied(&proxy).await);

    proxy.rewrite_policy("default_groups = []\n");
    proxy.hang_up();
    proxy.logs("`default_groups` is empty").await;
    proxy.logs("the policies from before stay in force").await;
    assert!(is_denied(&proxy).await);
}
