//! Frames and their bodies.

use holdpoint::wire::frontend::{self, Bind, Parse, Target};
use holdpoint::wire::{Header, backend, frame};

/// A function that reads a header.
type Peek = fn(&[u8]) -> Result<Option<Header>, frame::FrameError>;

/// Takes the bytes for what a client sends, and for what a server sends.
///
/// # Panics
/// If what must hold does not.
pub fn check(bytes: &[u8]) {
    frames(bytes, Header::peek_frontend, frontend_body);
    frames(bytes, Header::peek, backend_body);
}

/// Goes from frame to frame. Each header must be the same however few or many bytes stand behind it, and a
/// body's reader must keep to the body.
fn frames(bytes: &[u8], peek: Peek, body: fn(u8, &[u8])) {
    let mut rest = bytes;
    loop {
        let whole = peek(rest);
        for end in 0..=rest.len().min(frame::HEADER + 1) {
            match peek(&rest[..end]) {
                Ok(None) => assert!(end < frame::HEADER, "{end} bytes hold a header"),
                early => assert_eq!(early, whole, "after {end} bytes"),
            }
        }
        let Ok(Some(header)) = whole else { return };
        assert_eq!(header.tag, rest[0]);
        assert_eq!(header.total(), frame::HEADER + header.body);
        // The length counts itself, but not the type.
        let length = rest[1..frame::HEADER]
            .iter()
            .fold(0, |sum, &byte| sum << 8 | usize::from(byte));
        assert_eq!(header.total(), 1 + length);
        let Some(frame) = rest.get(..header.total()) else {
            return;
        };
        body(header.tag, &frame[frame::HEADER..]);
        rest = &rest[header.total()..];
    }
}

/// What is read of a client's message is the whole of it, and says again what it said.
fn frontend_body(tag: u8, body: &[u8]) {
    match tag {
        b'Q' => exact(body, |body| frontend::query(body).is_ok()),
        b'P' => {
            exact(body, |body| Parse::read(body).is_ok());
            if let Ok(parse) = Parse::read(body) {
                assert_eq!(encode_parse(&parse), body);
            }
        }
        b'B' => {
            exact(body, |body| Bind::read(body).is_ok());
            if let Ok(bind) = Bind::read(body) {
                assert_eq!(Bind::names(body), Some((bind.portal, bind.statement)));
                let values: Vec<_> = bind.values().collect();
                assert_eq!(values.len(), bind.values);
                let again = encode_bind(&bind);
                let again = Bind::read(&again).expect("it was made of one that could be read");
                assert!(again.values().eq(values), "{bind:?}");
            }
        }
        b'D' | b'C' => {
            exact(body, |body| frontend::target(body).is_ok());
            if let Ok(target) = frontend::target(body) {
                let (kind, name) = match target {
                    Target::Statement(name) => (b'S', name),
                    Target::Portal(name) => (b'P', name),
                };
                assert_eq!([&[kind], name, b"\0"].concat(), body);
            }
        }
        b'E' => {
            exact(body, |body| frontend::execute(body).is_ok());
            if let Ok((portal, _)) = frontend::execute(body) {
                assert_eq!(portal.len() + 5, body.len());
            }
        }
        _ => {}
    }
}

/// Nothing that a server sends makes the relay panic.
fn backend_body(tag: u8, body: &[u8]) {
    match tag {
        b'Z' => exact(body, |body| backend::ready_for_query(body).is_ok()),
        b't' => exact(body, |body| backend::parameter_description(body).is_ok()),
        b'E' | b'N' => {
            let error = backend::error_response(body);
            assert!(error.message.len() <= body.len() * 3);
        }
        b'S' => {
            let _ = backend::parameter_status(body);
        }
        b'K' => {
            let _ = backend::backend_key(body);
        }
        b'C' => {
            if let Ok(tag) = backend::command_tag(body) {
                let _ = backend::rows_of(tag);
            }
        }
        _ => {}
    }
}

/// A body that can be read cannot be read without its last byte, nor with one more.
fn exact(body: &[u8], can_be_read: impl Fn(&[u8]) -> bool) {
    if !can_be_read(body) {
        return;
    }
    for byte in [0, b'x', 0xff] {
        let longer = [body, &[byte]].concat();
        assert!(!can_be_read(&longer), "one byte more than {body:?}");
    }
    // Long bodies only near their ends, or it takes for ever.
    for end in body.len().saturating_sub(64)..body.len() {
        assert!(!can_be_read(&body[..end]), "{end} bytes of {body:?}");
    }
}

fn encode_parse(parse: &Parse<'_>) -> Vec<u8> {
    let types: Vec<u32> = parse.types().collect();
    let mut body = [parse.name, b"\0", parse.text, b"\0"].concat();
    body.extend(count(types.len()));
    body.extend(types.iter().flat_map(|oid| oid.to_be_bytes()));
    body
}

/// With a format for each value, and one for all results.
fn encode_bind(bind: &Bind<'_>) -> Vec<u8> {
    let mut body = [bind.portal, b"\0", bind.statement, b"\0"].concat();
    body.extend(count(bind.values));
    for (is_binary, _) in bind.values() {
        body.extend([0, u8::from(is_binary)]);
    }
    body.extend(count(bind.values));
    for (_, value) in bind.values() {
        match value {
            None => body.extend([0xff; 4]),
            Some(value) => {
                let length = u32::try_from(value.len()).expect("it was read with such a length");
                body.extend(length.to_be_bytes());
                body.extend(value);
            }
        }
    }
    body.extend([0, 1, 0, 1]);
    body
}

fn count(number: usize) -> [u8; 2] {
    u16::try_from(number).expect("it was read as such").to_be_bytes()
}
