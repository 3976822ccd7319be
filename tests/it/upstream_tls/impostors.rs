//! Servers that answer SSLRequest with something else than one byte, or with one and then no TLS.

use super::{Behind, in_front_of, outcome};
use crate::support::front::{Answer, Front};

#[tokio::test]
async fn an_answer_with_something_behind_it_is_no_answer() {
    let mut fronts = Vec::new();
    let mut databases = Vec::new();
    for mode in ["prefer", "require"] {
        for bytes in [
            // Plaintext that is to be taken for a part of the encrypted session.
            &b"SR\0\0\0\x08\0\0\0\0"[..],
            b"S\x16\x03\x03\0\x02\x01\x02",
            b"NR\0\0\0\x08\0\0\0\0",
            b"E\0\0\0\x14SFATAL\0Mtrust me\0\0",
            b"X",
            b"\0",
        ] {
            let front = Front::start(Answer::Bytes(bytes)).await;
            databases.push(
                Behind::as_role("app:app-secret")
                    .at("localhost", front.address.port())
                    .with("sslmode", mode),
            );
            fronts.push(front);
        }
    }
    let proxy = in_front_of(&databases).await;
    for (number, front) in fronts.iter().enumerate() {
        assert_eq!(outcome(&proxy, number).await, None, "{number}");
        assert_eq!(front.openings(), [], "{number}: nothing was sent in plaintext");
    }
    proxy
        .logs("unencrypted data behind its answer to SSLRequest")
        .await;
    proxy.logs("answered SSLRequest with an error").await;
    proxy.logs("neither S nor N").await;
    assert!(!proxy.log_text().contains("trust me"));
}
