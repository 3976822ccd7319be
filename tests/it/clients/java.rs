//! pgjdbc, in each of its query modes.

use super::{install, report};

#[tokio::test]
async fn pgjdbc_does_the_same() {
    let Some(java) = report::or_skip("pgjdbc", install::java().await) else {
        return;
    };
    report::same(&java.program("Program").prints_the_same().await);
}
