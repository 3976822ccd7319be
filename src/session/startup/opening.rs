//! The packets before a session: questions about encryption, a cancel request, or StartupMessage.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::super::Fault;
use super::super::leg::Leg;
use super::refused;
use crate::wire::startup::{self as packet, MAX_STARTUP_PACKET, Opening};
use crate::wire::{Report, sqlstate};

/// Reads opening packets until one is more than a question about encryption.
pub(super) async fn first_startup(client: &mut Leg) -> Result<Option<Opening>, Fault> {
    // PostgreSQL takes each kind of question once.
    for _ in 0..3 {
        let Some(packet) = read_packet(client).await? else {
            return Ok(None);
        };
        let opening = packet::opening(&packet).map_err(|malformed| {
            refused(Report::fatal(sqlstate::PROTOCOL_VIOLATION, malformed.to_string()))
        })?;
        match opening {
            Opening::Ssl | Opening::GssEnc => {
                client.stream.write_all(b"N").await.map_err(Fault::client_io)?;
            }
            other => return Ok(Some(other)),
        }
    }
    Err(Fault::ClientProtocol("unsupported frontend protocol".to_owned()))
}

/// One packet without its length; exactly its bytes are read. `None`: the client went without one.
async fn read_packet(client: &mut Leg) -> Result<Option<Vec<u8>>, Fault> {
    let mut length = [0; 4];
    match client.stream.read_exact(&mut length).await {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(Fault::client_io(error)),
    }
    let length = u32::from_be_bytes(length) as usize;
    if !(8..=MAX_STARTUP_PACKET).contains(&length) {
        return Err(Fault::ClientProtocol(
            "invalid length of startup packet".to_owned(),
        ));
    }
    let mut packet = vec![0; length - 4];
    client
        .stream
        .read_exact(&mut packet)
        .await
        .map_err(Fault::client_io)?;
    Ok(Some(packet))
}
