//! The first packet of a connection, which has no type byte.
//!
//! Source: PostgreSQL manual, "Message Formats": StartupMessage, SSLRequest, GSSENCRequest, CancelRequest;
//! `MAX_STARTUP_PACKET_LENGTH` in `src/include/libpq/pqcomm.h`.

use super::{Fields, Malformed};

/// The largest first packet, its length included (which PostgreSQL leaves out of its limit).
pub const MAX_STARTUP_PACKET: usize = 10_000 + 4;

const CANCEL_REQUEST: u32 = 80_877_102;
const SSL_REQUEST: u32 = 80_877_103;
const GSSENC_REQUEST: u32 = 80_877_104;

/// The newest minor version of protocol 3 that is known here (`PG_PROTOCOL_LATEST` in
/// `src/include/libpq/pqcomm.h`, PostgreSQL 18). Cancel keys may be longer with it; nothing else differs
/// from 3.0.
pub const LATEST_MINOR: u16 = 2;

/// Protocol 3.`minor` as a version number.
#[must_use]
pub const fn version(minor: u16) -> u32 {
    (3 << 16) | minor as u32
}

/// What a connection opens with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// SSLRequest.
    Ssl,
    /// GSSENCRequest.
    GssEnc,
    /// CancelRequest, for the session with this key.
    Cancel {
        /// The process id that the session was given.
        pid: i32,
        /// Its secret, of any length: a wrong one is as wrong as a wrong value.
        secret: Vec<u8>,
    },
    /// StartupMessage.
    Startup(Startup),
    /// StartupMessage, or something else, of a protocol that is not version 3.
    Unsupported {
        /// The major version.
        major: u16,
        /// The minor version.
        minor: u16,
    },
}

/// StartupMessage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Startup {
    /// The minor version of protocol 3 that the client asks for.
    pub minor: u16,
    /// Names and values in their order; text that is not UTF-8 is refused.
    pub parameters: Vec<(String, String)>,
}

impl Startup {
    /// The last value given for `name`, as PostgreSQL takes it.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .rfind(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }
}

/// Reads the packet behind its length field.
pub fn opening(packet: &[u8]) -> Result<Opening, Malformed> {
    let mut fields = Fields::of(packet);
    let code = fields.i32()?.cast_unsigned();
    match code {
        SSL_REQUEST => fields.end().map(|()| Opening::Ssl),
        GSSENC_REQUEST => fields.end().map(|()| Opening::GssEnc),
        CANCEL_REQUEST => {
            // One that is cut short names nobody, and gets no answer, as any other that is wrong.
            let pid = fields.i32().unwrap_or(0);
            Ok(Opening::Cancel {
                pid,
                secret: fields.rest().to_vec(),
            })
        }
        version if version >> 16 == 3 => startup(fields, version),
        version => Ok(Opening::Unsupported {
            major: (version >> 16) as u16,
            minor: (version & 0xffff) as u16,
        }),
    }
}

fn startup(mut fields: Fields<'_>, version: u32) -> Result<Opening, Malformed> {
    let text = |bytes: &[u8]| {
        String::from_utf8(bytes.to_vec()).map_err(|_| Malformed("a startup parameter is not UTF-8"))
    };
    let layout = |_| Malformed("invalid startup packet layout: expected terminator as last byte");
    let mut parameters = Vec::new();
    loop {
        let name = fields.cstr().map_err(layout)?;
        if name.is_empty() {
            break;
        }
        let value = fields.cstr().map_err(layout)?;
        parameters.push((text(name)?, text(value)?));
    }
    fields.end().map_err(layout)?;
    Ok(Opening::Startup(Startup {
        minor: (version & 0xffff) as u16,
        parameters,
    }))
}

/// SSLRequest.
#[must_use]
pub fn encode_ssl_request() -> [u8; 8] {
    let mut packet = [0, 0, 0, 8, 0, 0, 0, 0];
    packet[4..].copy_from_slice(&SSL_REQUEST.to_be_bytes());
    packet
}

/// A StartupMessage for protocol 3.`minor`, parameters in order. They hold no NUL: they came from
/// [`opening`] or from the configuration, which refuses it.
#[must_use]
pub fn encode_startup<'a>(minor: u16, parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
    let mut packet = vec![0, 0, 0, 0];
    packet.extend(version(minor).to_be_bytes());
    for (name, value) in parameters {
        packet.extend(name.bytes().filter(|&b| b != 0));
        packet.push(0);
        packet.extend(value.bytes().filter(|&b| b != 0));
        packet.push(0);
    }
    packet.push(0);
    set_length(&mut packet);
    packet
}

/// A CancelRequest.
#[must_use]
pub fn encode_cancel(pid: i32, secret: &[u8]) -> Vec<u8> {
    let mut packet = vec![0, 0, 0, 0];
    packet.extend(CANCEL_REQUEST.to_be_bytes());
    packet.extend(pid.to_be_bytes());
    packet.extend(secret);
    set_length(&mut packet);
    packet
}

fn set_length(packet: &mut [u8]) {
    let length = u32::try_from(packet.len()).unwrap_or(u32::MAX);
    packet[..4].copy_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_startup_survives_its_bytes() {
        let packet = encode_startup(2, [("user", "alice"), ("database", "shop"), ("user", "bob")]);
        assert_eq!(
            u32::from_be_bytes(*packet.first_chunk().unwrap()) as usize,
            packet.len()
        );
        let Opening::Startup(startup) = opening(&packet[4..]).unwrap() else {
            panic!("no startup")
        };
        assert_eq!(startup.minor, 2);
        assert_eq!(startup.parameter("user"), Some("bob"));
        assert_eq!(startup.parameter("database"), Some("shop"));
        assert_eq!(startup.parameter("options"), None);
    }

    #[test]
    fn a_cancel_survives_its_bytes() {
        let packet = encode_cancel(7, &[1, 2, 3, 4]);
        assert_eq!(
            opening(&packet[4..]),
            Ok(Opening::Cancel {
                pid: 7,
                secret: vec![1, 2, 3, 4]
            })
        );
    }

    #[test]
    fn other_protocols_are_named() {
        for (packet, major, minor) in [(b"\0\x04\0\0", 4, 0), (b"\0\x02\0\x01", 2, 1)] {
            assert_eq!(opening(packet), Ok(Opening::Unsupported { major, minor }));
        }
    }

    #[test]
    fn what_is_no_opening_is_refused() {
        for packet in [
            &b""[..],
            b"\0\x03",
            b"\0\x03\0\0user\0alice\0",
            b"\0\x03\0\0user\0alice\0\0x",
            b"\0\x03\0\0user\0\xff\0\0",
            b"\x04\xd2\x16\x2fx",
        ] {
            assert!(opening(packet).is_err(), "{packet:?}");
        }
    }
}
