//! Protocol versions: what a client that asks for more than there is gets told.
//!
//! As PostgreSQL 18 does it (`ProcessStartupPacket` in `src/backend/tcop/backend_startup.c`): a client that asks
//! for 3.0, 3.1 or 3.2 gets it without a word; one that asks for more is told 3.2; and names of `_pq_.`
//! options are sent back, for none is known. 3.1 was never used, and is as 3.0.
//!
//! What a client is told here does not depend on the server behind, which is connected to only after the
//! login, too late for this message. It need not: 3.2 differs from 3.0 in the length of cancel keys alone,
//! and the client's key is holdpoint's own. So a client speaks 3.2 also with a server that knows only 3.0,
//! and towards the server each session asks for what its client may use.

use std::future::poll_fn;

use super::super::Fault;
use super::super::leg::Leg;
use super::refused;
use crate::wire::startup::{LATEST_MINOR, Startup};
use crate::wire::{Report, reply, sqlstate};

/// Bytes of a cancel key's secret in protocol 3.2 (`MAX_CANCEL_KEY_LENGTH` in
/// `src/include/storage/procsignal.h`).
const LONG_SECRET: usize = 32;
/// Bytes of a cancel key's secret before.
const SHORT_SECRET: usize = 4;

/// What is spoken with a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spoken {
    /// The minor version of protocol 3.
    minor: u16,
}

impl Spoken {
    /// The minor version to ask the server for: what the client could speak with it.
    pub(super) fn upstream_minor(self) -> u16 {
        if self.has_long_keys() { LATEST_MINOR } else { 0 }
    }

    /// The length of the secret that the client is given.
    pub(super) fn secret_length(self) -> usize {
        if self.has_long_keys() {
            LONG_SECRET
        } else {
            SHORT_SECRET
        }
    }

    fn has_long_keys(self) -> bool {
        self.minor >= 2
    }
}

/// What a newer client asks for beyond what is known is answered with what is known.
pub(super) fn negotiate(startup: &Startup, client: &mut Leg) -> Spoken {
    let unknown: Vec<String> = startup
        .parameters
        .iter()
        .map(|(n, _)| n)
        .filter(|n| n.starts_with("_pq_."))
        .cloned()
        .collect();
    let minor = startup.minor.min(LATEST_MINOR);
    if startup.minor > LATEST_MINOR || !unknown.is_empty() {
        reply::negotiate_protocol_version(minor, &unknown, client.out());
    }
    Spoken { minor }
}

/// Refuses a protocol that is not version 3; the error, where the client can read one.
pub(super) async fn refuse(major: u16, minor: u16, client: &mut Leg) -> Result<(), Fault> {
    let message =
        format!("unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.{LATEST_MINOR}");
    if major >= 3 {
        return Err(refused(Report::fatal(sqlstate::FEATURE_NOT_SUPPORTED, message)));
    }
    // Before version 3, an error was a text without length and fields (`send_message_to_frontend` in
    // `src/backend/utils/error/elog.c`).
    tracing::info!("startup refused: {message}");
    client
        .out()
        .extend_from_slice(format!("EFATAL:  {message}\n\0").as_bytes());
    poll_fn(|cx| client.poll_drain(cx))
        .await
        .map_err(Fault::client_io)
}
