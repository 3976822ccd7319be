//! What comes back, as one line for people, and as bytes without what differs from session to session.
//!
//! Source: PostgreSQL manual, "Message Formats" and "Error and Notice Message Fields".

use std::fmt::Write as _;

use super::types::type_name;
use super::words::shown;
use crate::support::raw::Message;

/// More columns than this are not listed.
const COLUMNS_SHOWN: usize = 12;

/// What a client can get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    Message(Message),
    /// The answer to a question about encryption.
    Byte(u8),
    /// What a login brings, up to ReadyForQuery or an error.
    Greeting(Vec<Message>),
    Closed,
}

impl Reply {
    /// As a transcript has it behind `<`.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Message(message) => readable(message)
                .unwrap_or_else(|| format!("Frame {} {}", shown(&[message.tag]), shown(&message.body))),
            Self::Byte(byte) => format!("byte {}", *byte as char),
            Self::Greeting(_) => "greeting".to_owned(),
            Self::Closed => "closed".to_owned(),
        }
    }

    /// All that there is, for finding a difference.
    pub(super) fn in_full(&self) -> String {
        let full = |message: &Message| format!("{} {}", message.tag as char, message.body.escape_ascii());
        match self {
            Self::Message(message) => full(message),
            Self::Greeting(messages) => messages.iter().map(full).collect::<Vec<_>>().join("\n    "),
            other => other.shown(),
        }
    }

    /// Without what legitimately differs between two sessions, or between two ways to the same server.
    pub(super) fn comparable(self) -> Self {
        match self {
            Self::Message(message) => Self::Message(comparable(message)),
            Self::Greeting(messages) => Self::Greeting(messages.into_iter().map(comparable).collect()),
            other => other,
        }
    }

    /// Without the place in the server's source where an error arose: an error that is not the server's
    /// has none.
    pub(super) fn without_source(self) -> Self {
        match self {
            Self::Message(message) => Self::Message(message.without_source()),
            other => other,
        }
    }

    /// Whether it is an error that is not the server's, which would say where in its source it arose.
    pub(super) fn is_own_error(&self) -> bool {
        matches!(self, Self::Message(m) if m.tag == b'E' && m.field(b'R').is_none())
    }

    /// The severity and the SQLSTATE of an error.
    pub(super) fn severity_and_code(&self) -> Option<[Option<String>; 2]> {
        match self {
            Self::Message(m) if m.tag == b'E' => Some([m.field(b'V'), m.field(b'C')]),
            _ => None,
        }
    }

    /// How many bytes it took.
    pub(super) fn len(&self) -> usize {
        let size = |message: &Message| message.body.len() + 5;
        match self {
            Self::Message(message) => size(message),
            Self::Greeting(messages) => messages.iter().map(size).sum(),
            Self::Byte(_) => 1,
            Self::Closed => 0,
        }
    }
}

/// The names that may stand behind `<`.
pub(super) const NAMES: &[&str] = &[
    "AuthenticationOk",
    "BackendKeyData",
    "BindComplete",
    "CloseComplete",
    "CommandComplete",
    "CopyData",
    "CopyDone",
    "CopyInResponse",
    "CopyOutResponse",
    "DataRow",
    "EmptyQueryResponse",
    "ErrorResponse",
    "Frame",
    "FunctionCallResponse",
    "NegotiateProtocolVersion",
    "NoData",
    "NoticeResponse",
    "NotificationResponse",
    "ParameterDescription",
    "ParameterStatus",
    "ParseComplete",
    "PortalSuspended",
    "ReadyForQuery",
    "RowDescription",
    "byte",
    "closed",
    "greeting",
];

fn comparable(mut message: Message) -> Message {
    match message.tag {
        // Process id and secret.
        b'K' => message.body.fill(0),
        // The process id of who notified.
        b'A' => message.body.iter_mut().take(4).for_each(|byte| *byte = 0),
        // The numbers of tables.
        b'T' => without_tables(&mut message.body),
        // The schema, whose name is a play's own: newer servers report it.
        b'S' if message.body.starts_with(b"search_path\0") => message.body.truncate(12),
        b'E' | b'N' => {
            let fields = message.body.split(|&byte| byte == 0);
            let kept = fields.filter(|field| field.first() != Some(&b's'));
            message.body = kept.collect::<Vec<_>>().join(&0);
        }
        _ => {}
    }
    message
}

fn without_tables(body: &mut [u8]) {
    let mut at = 2;
    while at < body.len() {
        at += body[at..].iter().position(|&byte| byte == 0).unwrap_or(0) + 1;
        if let Some(table) = body.get_mut(at..at + 4) {
            let is_one = table != [0; 4];
            table.copy_from_slice(&u32::from(is_one).to_be_bytes());
        }
        at += 18;
    }
}

/// `None`: the body is not what its type says.
fn readable(message: &Message) -> Option<String> {
    let mut body = Reader(&message.body);
    let line = match message.tag {
        b'R' if message.body == [0; 4] => body.int().map(|_| "AuthenticationOk".to_owned()),
        b'K' => {
            body.int()?;
            Some(format!("BackendKeyData {}-byte secret", body.rest().len()))
        }
        b'Z' => Some(format!("ReadyForQuery {}", body.byte()? as char)),
        b'C' => Some(format!("CommandComplete {}", shown(body.text()?))),
        b'd' => Some(format!("CopyData {}", shown(body.rest()))),
        b'S' => Some(format!(
            "ParameterStatus {}={}",
            String::from_utf8_lossy(body.text()?),
            shown(body.text()?)
        )),
        b'A' => {
            body.int()?;
            Some(format!(
                "NotificationResponse {} {}",
                String::from_utf8_lossy(body.text()?),
                shown(body.text()?)
            ))
        }
        b'E' => report("ErrorResponse", &mut body),
        b'N' => report("NoticeResponse", &mut body),
        b'T' => row_description(&mut body),
        b't' => parameter_description(&mut body),
        b'D' => data_row(&mut body),
        b'G' => copy("CopyInResponse", &mut body),
        b'H' => copy("CopyOutResponse", &mut body),
        b'V' => Some(format!("FunctionCallResponse {}", body.value()?)),
        b'v' => negotiation(&mut body),
        tag => without_body(tag).map(str::to_owned),
    };
    line.filter(|_| body.0.is_empty())
}

fn without_body(tag: u8) -> Option<&'static str> {
    Some(match tag {
        b'1' => "ParseComplete",
        b'2' => "BindComplete",
        b'3' => "CloseComplete",
        b'n' => "NoData",
        b's' => "PortalSuspended",
        b'I' => "EmptyQueryResponse",
        b'c' => "CopyDone",
        _ => return None,
    })
}

/// The fields of an error or a notice that people look at, in the order of the manual.
const FIELDS: &[(u8, &str)] = &[
    (b'D', "detail"),
    (b'H', "hint"),
    (b'P', "position"),
    (b'p', "internal_position"),
    (b'q', "internal_query"),
    (b'W', "where"),
    (b't', "table"),
    (b'c', "column"),
    (b'd', "type"),
    (b'n', "constraint"),
];

fn report(name: &str, body: &mut Reader<'_>) -> Option<String> {
    let mut fields = Vec::new();
    loop {
        match body.byte()? {
            0 => break,
            kind => fields.push((kind, body.text()?)),
        }
    }
    let field = |wanted: u8| {
        let found = fields.iter().find(|(kind, _)| *kind == wanted);
        found.map(|(_, text)| *text)
    };
    let word = |wanted: u8| field(wanted).map(String::from_utf8_lossy);
    let mut line = format!("{name} {} {} {}", word(b'V')?, word(b'C')?, shown(field(b'M')?));
    for (kind, name) in FIELDS {
        if let Some(text) = field(*kind) {
            let is_number = text.iter().all(u8::is_ascii_digit);
            let text = if is_number {
                String::from_utf8_lossy(text).into_owned()
            } else {
                shown(text)
            };
            let _ = write!(line, " {name}={text}");
        }
    }
    Some(line)
}

fn row_description(body: &mut Reader<'_>) -> Option<String> {
    let mut columns = Vec::new();
    for _ in 0..body.count()? {
        columns.push(column(body)?);
    }
    Some(format!("RowDescription{}", listed(&columns)))
}

/// `name:type`, `(n)` for a modifier, `[n]` for the number in its table, `/binary` for the format.
fn column(body: &mut Reader<'_>) -> Option<String> {
    let name = body.text()?;
    let table = body.int()?;
    let number = body.count()?;
    let oid = body.int()?.cast_unsigned();
    let _size = body.count()?;
    let modifier = body.int()?;
    let format = body.count()?;
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'?');
    let mut column = if !name.is_empty() && name.iter().all(is_word) {
        String::from_utf8_lossy(name).into_owned()
    } else {
        shown(name)
    };
    let _ = write!(column, ":{}", type_name(oid));
    if modifier != -1 {
        let _ = write!(column, "({modifier})");
    }
    if table != 0 || number != 0 {
        let _ = write!(column, "[{number}]");
    }
    if format != 0 {
        column.push_str(if format == 1 { "/binary" } else { "/unknown" });
    }
    Some(column)
}

fn parameter_description(body: &mut Reader<'_>) -> Option<String> {
    let mut types = Vec::new();
    for _ in 0..body.count()? {
        types.push(type_name(body.int()?.cast_unsigned()));
    }
    Some(format!("ParameterDescription{}", listed(&types)))
}

fn data_row(body: &mut Reader<'_>) -> Option<String> {
    let mut values = Vec::new();
    for _ in 0..body.count()? {
        values.push(body.value()?);
    }
    Some(format!("DataRow{}", listed(&values)))
}

fn listed(columns: &[String]) -> String {
    let mut line = String::new();
    let all = columns.len() <= COLUMNS_SHOWN;
    let shown = if all { columns } else { &columns[..3] };
    for column in shown {
        let _ = write!(line, " {column}");
    }
    if !all {
        let _ = write!(line, " … {} columns", columns.len());
    }
    line
}

fn copy(name: &str, body: &mut Reader<'_>) -> Option<String> {
    let format = |number: u16| if number == 0 { "text" } else { "binary" };
    let whole = body.byte()?;
    let mut line = format!("{name} {} columns", format(whole.into()));
    let mut columns = Vec::new();
    for _ in 0..body.count()? {
        columns.push(format(body.count()?).to_owned());
    }
    line.push_str(&listed(&columns));
    Some(line)
}

fn negotiation(body: &mut Reader<'_>) -> Option<String> {
    // PostgreSQL 14 sends the minor version alone, as its manual says; others the whole version.
    let version = body.int()?;
    let mut line = format!("NegotiateProtocolVersion {}.{}", version >> 16, version & 0xffff);
    for _ in 0..body.int()? {
        let _ = write!(line, " {}", shown(body.text()?));
    }
    Some(line)
}

/// Reads a body from its beginning; `None` where it ends too early.
struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }

    fn count(&mut self) -> Option<u16> {
        let bytes = self.take(2)?.try_into().ok()?;
        Some(u16::from_be_bytes(bytes))
    }

    fn int(&mut self) -> Option<i32> {
        let bytes = self.take(4)?.try_into().ok()?;
        Some(i32::from_be_bytes(bytes))
    }

    fn text(&mut self) -> Option<&'b [u8]> {
        let end = self.0.iter().position(|&byte| byte == 0)?;
        let text = self.take(end)?;
        self.take(1)?;
        Some(text)
    }

    fn value(&mut self) -> Option<String> {
        let length = self.int()?;
        if length == -1 {
            return Some("NULL".to_owned());
        }
        self.take(usize::try_from(length).ok()?).map(shown)
    }

    fn rest(&mut self) -> &'b [u8] {
        std::mem::take(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(tag: u8, body: &[u8]) -> Reply {
        Reply::Message(Message {
            tag,
            body: body.to_vec(),
        })
    }

    #[test]
    fn replies_read_as_the_manual_names_them() {
        for (tag, body, line) in [
            (b'Z', &b"I"[..], "ReadyForQuery I"),
            (b'C', b"SELECT 1\0", "CommandComplete \"SELECT 1\""),
            (b'1', b"", "ParseComplete"),
            (
                b'D',
                b"\0\x03\0\0\0\x01a\xff\xff\xff\xff\0\0\0\x01\0",
                "DataRow \"a\" NULL \\x00",
            ),
            (
                b'T',
                b"\0\x02a\0\0\0\x40\0\0\x01\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0b c\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\0\0\0\x08\0\x01",
                "RowDescription a:int4[1] \"b c\":text(8)/binary",
            ),
            (b't', b"\0\x01\0\0\0\x17", "ParameterDescription int4"),
            (
                b'E',
                b"SERROR\0VERROR\0C42P01\0Mgone\0P15\0Fx.c\0L1\0Rf\0\0",
                "ErrorResponse ERROR 42P01 \"gone\" position=15",
            ),
            (b'G', b"\0\0\x02\0\0\0\0", "CopyInResponse text columns text text"),
            (b'A', b"\0\0\0\x07c\0x\0", "NotificationResponse c \"x\""),
            (b'S', b"TimeZone\0UTC\0", "ParameterStatus TimeZone=\"UTC\""),
            // What is not as it should be is shown as it is.
            (b'1', b"x", "Frame \"1\" \"x\""),
            (b'Z', b"", "Frame \"Z\" \"\""),
            (b'D', b"\0\x01", "Frame \"D\" \\x0001"),
        ] {
            assert_eq!(message(tag, body).shown(), line);
        }
    }

    #[test]
    fn only_what_may_differ_is_left_out_of_the_comparison() {
        let same = |tag, a: &[u8], b: &[u8]| message(tag, a).comparable() == message(tag, b).comparable();
        assert!(same(b'K', b"\0\0\0\x01abcd", b"\0\0\0\x02efgh"));
        assert!(!same(b'K', b"\0\0\0\x01abcd", b"\0\0\0\x01abcde"));
        assert!(same(b'A', b"\0\0\0\x01c\0x\0", b"\0\0\0\x02c\0x\0"));
        assert!(!same(b'A', b"\0\0\0\x01c\0x\0", b"\0\0\0\x01c\0y\0"));
        let column = |table: u8, number: u8| {
            let mut body = b"\0\x01a\0\0\0\0".to_vec();
            body.extend([table, 0, number]);
            body.extend(b"\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0");
            body
        };
        assert!(same(b'T', &column(1, 1), &column(2, 1)));
        assert!(!same(b'T', &column(0, 1), &column(2, 1)));
        assert!(!same(b'T', &column(1, 1), &column(1, 2)));
        assert!(same(b'S', b"search_path\0play1\0", b"search_path\0play12\0"));
        assert!(!same(b'S', b"TimeZone\0GMT\0", b"TimeZone\0UTC\0"));
        assert!(same(b'E', b"Mx\0sw1\0\0", b"Mx\0sw2\0\0"));
        assert!(!same(b'E', b"Mx\0Rf\0\0", b"Mx\0Rg\0\0"));
    }
}
