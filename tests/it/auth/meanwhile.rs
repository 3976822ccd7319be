//! A client that takes its time over its login begins as its user is at the end of it.

use super::members::INTERNS;
use crate::support::raw::{Frames, Raw};
use crate::support::{Proxy, finish};

/// Runs `holdpoint user …`.
fn user(proxy: &Proxy, arguments: &[&str], given: &str) {
    finish(proxy.command(&[&["user"], arguments].concat()), given);
}

#[tokio::test]
async fn a_login_that_a_change_has_overtaken_is_refused() {
    let proxy = Proxy::start().await;
    let password = proxy.alice.password();
    let changes: [(&[&str], &str); 2] = [
        (&["disable", "alice"], ""),
        (&["passwd", "alice", "--password-stdin"], "another secret\n"),
    ];
    for (change, given) in changes {
        user(&proxy, &["enable", "alice"], "");
        let mut raw = Raw::connect(proxy.address()).await;
        raw.start_up(&[("user", "alice"), ("database", "shop")]).await;
        let after = raw
            .authenticate_behind(&password, || user(&proxy, change, given))
            .await;
        let error = after.last().unwrap();
        assert_eq!((error.tag, error.code().as_str()), (b'E', "28P01"), "{change:?}");
    }
}

#[tokio::test]
async fn a_session_begins_with_the_groups_that_its_user_has_then() {
    let proxy = Proxy::with().policy(INTERNS).start().await;
    let mut raw = Raw::connect(proxy.address()).await;
    raw.start_up(&[("user", "alice"), ("database", "shop")]).await;
    let joins = || user(&proxy, &["groups", "alice", "--add", "interns"], "");
    let greeting = raw.authenticate_behind(&proxy.alice.password(), joins).await;
    assert_eq!(greeting.last().unwrap().tag, b'Z');
    raw.send(Frames::new().query("DELETE FROM items WHERE id = 99"))
        .await;
    let refused = &raw.ready().await[0];
    assert_eq!(refused.tag, b'E', "{refused:?}");
    assert!(
        refused.field(b'M').unwrap().contains("not as an intern"),
        "{refused:?}"
    );
}
