//! Messages that holdpoint itself sends to a server, as a client of it.
//!
//! Names and texts hold no NUL: whoever brings one has read it from a message, where a NUL ends it, or has made it.
//!
//! Source: PostgreSQL manual, "Message Formats".

use bytes::BufMut;

/// Sync: the end of a segment.
pub const SYNC: &[u8] = b"S\0\0\0\x04";
/// Flush: asks the server to send what it has answered so far, and has no answer of its own.
pub const FLUSH: &[u8] = b"H\0\0\0\x04";
/// Terminate: the end of the connection.
pub const TERMINATE: &[u8] = b"X\0\0\0\x04";

/// Query: a text of statements.
pub fn query(text: &[u8], out: &mut impl BufMut) {
    message(b'Q', &[text, b"\0"], out);
}

/// Parse: the name, empty for none, is to stand for this text. `types` has the OIDs of its parameters, as far as they are
/// given; of more than 65,535 of them, what is said is not what was meant, and the server refuses it.
pub fn parse(name: &[u8], text: &[u8], types: &[u32], out: &mut impl BufMut) {
    let count = u16::try_from(types.len()).unwrap_or(u16::MAX).to_be_bytes();
    let oids: Vec<u8> = types.iter().flat_map(|oid| oid.to_be_bytes()).collect();
    message(b'P', &[name, b"\0", text, b"\0", &count, &oids], out);
}

/// Bind: a statement without parameters to a portal, its columns as text.
pub fn bind(portal: &[u8], statement: &[u8], out: &mut impl BufMut) {
    bind_with(portal, statement, b"\0\0\0\0\0\0", out);
}

/// Bind: of these names, with the rest of another Bind.
pub fn bind_with(portal: &[u8], statement: &[u8], rest: &[u8], out: &mut impl BufMut) {
    message(b'B', &[portal, b"\0", statement, b"\0", rest], out);
}

/// Execute: all rows of a portal.
pub fn execute(portal: &[u8], out: &mut impl BufMut) {
    message(b'E', &[portal, b"\0\0\0\0\0"], out);
}

/// Describe: the parameters and columns of a statement.
pub fn describe_statement(name: &[u8], out: &mut impl BufMut) {
    message(b'D', &[b"S", name, b"\0"], out);
}

/// Close: a statement; an error where there is none it is not.
pub fn close_statement(name: &[u8], out: &mut impl BufMut) {
    message(b'C', &[b"S", name, b"\0"], out);
}

/// Close: a portal.
pub fn close_portal(name: &[u8], out: &mut impl BufMut) {
    message(b'C', &[b"P", name, b"\0"], out);
}

/// A message whose body is these parts, one after the other. Of more than 4 GiB, which nobody can send us, its length would be
/// one that the server refuses.
fn message(tag: u8, parts: &[&[u8]], out: &mut impl BufMut) {
    let length = 4 + parts.iter().map(|part| part.len()).sum::<usize>();
    out.put_u8(tag);
    out.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    for part in parts {
        out.put_slice(part);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::wire::Header;
    use crate::wire::frame::HEADER;
    use crate::wire::frontend::{self, Target};

    /// The body of the one message there, read as a server would.
    fn body(tag: u8, make: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        make(&mut out);
        let header = Header::peek_frontend(&out).unwrap().unwrap();
        assert_eq!((header.tag, header.total()), (tag, out.len()));
        out.split_off(HEADER)
    }

    #[test]
    fn what_is_sent_is_what_is_read() {
        assert_eq!(body(b'Q', |out| query(b"SELECT 1", out)), b"SELECT 1\0");
        let parsed = body(b'P', |out| parse(b"s", b"SELECT $1", &[23, 25], out));
        let parsed = frontend::Parse::read(&parsed).unwrap();
        assert_eq!((parsed.name, parsed.text), (&b"s"[..], &b"SELECT $1"[..]));
        assert_eq!(parsed.types().collect::<Vec<_>>(), [23, 25]);
        let bound = body(b'B', |out| bind(b"p", b"s", out));
        let bound = frontend::Bind::read(&bound).unwrap();
        assert_eq!((bound.portal, bound.statement), (&b"p"[..], &b"s"[..]));
        let executed = body(b'E', |out| execute(b"p", out));
        assert_eq!(frontend::execute(&executed).unwrap(), (&b"p"[..], 0));
        for (tag, make, is_statement) in [
            (b'D', describe_statement as fn(&[u8], &mut Vec<u8>), true),
            (b'C', close_statement, true),
            (b'C', close_portal, false),
        ] {
            let target = body(tag, |out| make(b"n", out));
            match frontend::target(&target).unwrap() {
                Target::Statement(name) => assert!(is_statement && name == b"n"),
                Target::Portal(name) => assert!(!is_statement && name == b"n"),
            }
        }
    }

    #[test]
    fn what_has_no_body_is_whole() {
        for (message, tag) in [(SYNC, b'S'), (FLUSH, b'H'), (TERMINATE, b'X')] {
            let header = Header::peek_frontend(message).unwrap().unwrap();
            assert_eq!((header.tag, header.total()), (tag, message.len()));
        }
    }
}
