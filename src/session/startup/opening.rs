//! The packets before a session: questions about encryption, a cancel request, or StartupMessage.
//!
//! Source: PostgreSQL manual, "Message Flow", "SSL Session Encryption"; `ProcessSSLStartup` and
//! `ProcessStartupPacket` in `src/backend/tcop/backend_startup.c`.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::super::Fault;
use super::super::encryption::{ClientTls, Encryption};
use super::super::leg::Leg;
use super::refused;
use crate::tls::Asked;
use crate::wire::startup::{self as packet, MAX_STARTUP_PACKET, Opening};
use crate::wire::{Report, Stream, sqlstate};

/// The first byte of TLS: a handshake record. No startup packet is as long as it would say.
const TLS_RECORD: u8 = 0x16;
/// Bytes of the length at the head of a packet.
const LENGTH: usize = 4;

/// What a connection opened with.
#[derive(Debug)]
pub(super) struct Opened {
    /// A cancel request or StartupMessage.
    pub(super) opening: Opening,
    /// The TLS that it came through.
    pub(super) encryption: Option<Encryption>,
}

/// Reads opening packets until one is more than a question about encryption. `None`: the client asked and
/// went.
pub(super) async fn first_startup(
    client: &mut Leg,
    tls: Option<&ClientTls>,
) -> Result<Option<Opened>, Fault> {
    let mut encryption = None;
    // PostgreSQL takes each kind of question once, and none inside the TLS that was asked for.
    let (mut may_ask_tls, mut may_ask_gss) = (true, true);
    let mut ahead = first_bytes(client).await?;
    if ahead.first() == Some(&TLS_RECORD) {
        let Some(tls) = tls else {
            tracing::info!("a client begins with TLS, but [proxy.tls] has no certificate");
            return Ok(None);
        };
        encryption = Some(secure(client, tls, Asked::Directly).await?);
        ahead.clear();
    }
    loop {
        let Some(packet) = read_packet(client, &std::mem::take(&mut ahead)).await? else {
            return Ok(None);
        };
        let opening = packet::opening(&packet[LENGTH..]).map_err(|malformed| {
            refused(Report::fatal(sqlstate::PROTOCOL_VIOLATION, malformed.to_string()))
        })?;
        match opening {
            Opening::Ssl if may_ask_tls => {
                may_ask_tls = false;
                let tls = tls.filter(|_| encryption.is_none());
                let answer = if tls.is_some() { b"S" } else { b"N" };
                answer_question(client, answer, "SSL").await?;
                if let Some(tls) = tls {
                    encryption = Some(secure(client, tls, Asked::First).await?);
                    may_ask_gss = false;
                }
            }
            Opening::GssEnc if may_ask_gss => {
                may_ask_gss = false;
                answer_question(client, b"N", "GSSAPI encryption").await?;
            }
            Opening::Ssl | Opening::GssEnc => {
                return Err(refused(Report::fatal(
                    sqlstate::FEATURE_NOT_SUPPORTED,
                    format!(
                        "unsupported frontend protocol 1234.{}: server supports 3.0 to 3.2",
                        if opening == Opening::Ssl { 5679 } else { 5680 }
                    ),
                )));
            }
            opening => return Ok(Some(Opened { opening, encryption })),
        }
    }
}

/// Answers a question about encryption. Whoever asks has to wait for the answer: what came with the question
/// may be somebody else's, who cannot read what is encrypted but would speak first inside it (CVE-2021-23214).
/// What comes later in the clear, the handshake takes for TLS and fails on.
async fn answer_question(client: &mut Leg, answer: &[u8; 1], what: &str) -> Result<(), Fault> {
    if let Stream::Plain(socket) = &client.stream
        && socket.has_arrived().await
    {
        return Err(refused(
            Report::fatal(
                sqlstate::PROTOCOL_VIOLATION,
                format!("received unencrypted data after {what} request"),
            )
            .detail(
                "This could be either a client-software bug or evidence of an attempted man-in-the-middle attack.",
            ),
        ));
    }
    client.stream.write_all(answer).await.map_err(Fault::client_io)?;
    // Inside TLS the answer would wait for more.
    client.stream.flush().await.map_err(Fault::client_io)
}

/// The handshake. The client's connection is TLS then, or closed.
async fn secure(client: &mut Leg, tls: &ClientTls, asked: Asked) -> Result<Encryption, Fault> {
    let Some(socket) = client.stream.take_plain() else {
        return Err(Fault::ClientGone);
    };
    let secured = tls
        .acceptor()
        .accept(socket, asked)
        .await
        .map_err(Fault::Handshake)?;
    client.stream = Stream::Tls(Box::new(secured.stream));
    Ok(Encryption {
        end_point: secured.end_point,
        client: secured.client,
    })
}

/// The first bytes, of a packet's length if they are that, left unread.
async fn first_bytes(client: &Leg) -> Result<Vec<u8>, Fault> {
    let mut ahead = vec![0; LENGTH];
    let arrived = match client.stream.socket() {
        Some(socket) => socket.peek(&mut ahead).await.map_err(Fault::client_io)?,
        None => 0,
    };
    ahead.truncate(arrived);
    Ok(ahead)
}

/// One packet, its length included; exactly its bytes are read. `ahead`: what is known to stand at its head, unread. `None`:
/// the client went without one.
async fn read_packet(client: &mut Leg, ahead: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
    let mut packet = vec![0; LENGTH];
    // What is known is read with the rest, at once.
    let (length, read) = if let Ok(length) = <[u8; LENGTH]>::try_from(ahead) {
        (length, 0)
    } else {
        match client.stream.read_exact(&mut packet).await {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(Fault::client_io(error)),
        }
        ([packet[0], packet[1], packet[2], packet[3]], LENGTH)
    };
    let length = u32::from_be_bytes(length) as usize;
    if !(8..=MAX_STARTUP_PACKET).contains(&length) {
        return Err(Fault::ClientFraming);
    }
    packet.resize(length, 0);
    client
        .stream
        .read_exact(&mut packet[read..])
        .await
        .map_err(Fault::client_io)?;
    Ok(Some(packet))
}
