//! Protocol versions: what a client that asks for more than there is gets told.

use bytes::BytesMut;

use super::super::leg::Leg;
use crate::wire::reply;
use crate::wire::startup::Startup;

/// What a newer client asks for beyond protocol 3.0 is answered with what is known.
pub(super) fn negotiate(startup: &Startup, client: &mut Leg) {
    let unknown: Vec<String> = startup
        .parameters
        .iter()
        .map(|(n, _)| n)
        .filter(|n| n.starts_with("_pq_."))
        .cloned()
        .collect();
    if startup.minor > 0 || !unknown.is_empty() {
        let mut out = BytesMut::new();
        reply::negotiate_protocol_version(&unknown, &mut out);
        client.out().extend_from_slice(&out);
    }
}
