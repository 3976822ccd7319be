//! Bodies of a server's messages, as far as the relay looks at them.

use super::{Fields, Malformed};

/// The transaction status that ReadyForQuery carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionStatus {
    /// Not in a transaction block.
    Idle,
    /// In a transaction block.
    InTransaction,
    /// In a failed transaction block: everything but its end is refused.
    Failed,
}

/// ReadyForQuery.
pub fn ready_for_query(body: &[u8]) -> Result<TransactionStatus, Malformed> {
    match body {
        b"I" => Ok(TransactionStatus::Idle),
        b"T" => Ok(TransactionStatus::InTransaction),
        b"E" => Ok(TransactionStatus::Failed),
        _ => Err(Malformed("ReadyForQuery with an unknown status")),
    }
}

/// ParameterStatus: name and value.
pub fn parameter_status(body: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let mut fields = Fields::of(body);
    Ok((fields.cstr()?, fields.cstr()?))
}

/// CommandComplete: the command tag.
pub fn command_tag(body: &[u8]) -> Result<&str, Malformed> {
    let tag = Fields::of(body).cstr()?;
    std::str::from_utf8(tag).map_err(|_| Malformed("a command tag that is no text"))
}

/// The number of rows in a command tag: its last word, if that is a number.
#[must_use]
pub fn rows_of(tag: &str) -> Option<u64> {
    tag.rsplit(' ').next()?.parse().ok()
}

/// What the relay keeps of an ErrorResponse.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerError {
    /// SQLSTATE.
    pub sqlstate: String,
    /// The primary message.
    pub message: String,
    /// ERROR, FATAL or PANIC, not localised where the server says so (field V).
    pub severity: String,
    /// The name of the function in the server that raised it; not localised.
    pub routine: String,
}

impl ServerError {
    /// Whether the server closes the session with it.
    #[must_use]
    pub fn ends_session(&self) -> bool {
        matches!(self.severity.as_str(), "FATAL" | "PANIC")
    }
}

/// ErrorResponse. For display and records: text that is not UTF-8 is shown with replacements.
#[must_use]
pub fn error_response(body: &[u8]) -> ServerError {
    let mut error = ServerError::default();
    let mut fields = Fields::of(body);
    while let Ok(code) = fields.u8() {
        let Ok(value) = fields.cstr() else { break };
        let text = String::from_utf8_lossy(value);
        match code {
            b'C' => error.sqlstate = text.into_owned(),
            b'M' => error.message = text.into_owned(),
            b'V' => error.severity = text.into_owned(),
            b'R' => error.routine = text.into_owned(),
            b'S' if error.severity.is_empty() => error.severity = text.into_owned(),
            _ => {}
        }
    }
    error
}

/// ParameterDescription: the OIDs of the parameters' types.
pub fn parameter_description(body: &[u8]) -> Result<Vec<u32>, Malformed> {
    let mut fields = Fields::of(body);
    let count = fields.count()?;
    let types = (0..count)
        .map(|_| fields.i32().map(i32::cast_unsigned))
        .collect::<Result<_, _>>()?;
    fields.end()?;
    Ok(types)
}

/// A column of a RowDescription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name, in the client's encoding.
    pub name: Vec<u8>,
    /// The OID of its type.
    pub oid: u32,
}

/// RowDescription: the columns' names and types.
pub fn row_description(body: &[u8]) -> Result<Vec<Column>, Malformed> {
    let mut fields = Fields::of(body);
    let count = fields.count()?;
    let columns = (0..count)
        .map(|_| {
            let name = fields.cstr()?.to_vec();
            // The table and the column that it is of.
            fields.bytes(6)?;
            let oid = fields.i32()?.cast_unsigned();
            // The type's size and modifier, and the format.
            fields.bytes(8)?;
            Ok(Column { name, oid })
        })
        .collect::<Result<_, Malformed>>()?;
    fields.end()?;
    Ok(columns)
}

/// BackendKeyData: process id and secret (4 bytes in protocol 3.0, up to 256 in 3.2).
pub fn backend_key(body: &[u8]) -> Result<(i32, &[u8]), Malformed> {
    let mut fields = Fields::of(body);
    let pid = fields.i32()?;
    let secret = fields.rest();
    if (4..=256).contains(&secret.len()) {
        Ok((pid, secret))
    } else {
        Err(Malformed("BackendKeyData with a bad key length"))
    }
}

/// NegotiateProtocolVersion, as it answers a request for protocol 3.`asked` without options: the minor
/// version that the server speaks. As `pqGetNegotiateProtocolVersion3` in
/// `src/interfaces/libpq/fe-protocol3.c`, a server may only go down, and never to 3.1, which there is not.
pub fn negotiated_minor(body: &[u8], asked: u16) -> Result<u16, Malformed> {
    let mut fields = Fields::of(body);
    let version = fields.i32()?.cast_unsigned();
    let options = fields.i32()?;
    fields.end()?;
    if options != 0 {
        return Err(Malformed(
            "the server refuses protocol options that were not asked for",
        ));
    }
    if version >> 16 != 3 {
        return Err(Malformed("the server goes to a protocol that is not version 3"));
    }
    match (version & 0xffff) as u16 {
        1 => Err(Malformed(
            "the server goes down to protocol 3.1, which there is not",
        )),
        minor if minor < asked => Ok(minor),
        _ => Err(Malformed("the server negotiates a protocol and does not go down")),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn rows_are_the_last_word_of_a_tag() {
        for (tag, rows) in [
            ("DELETE 3", Some(3)),
            ("INSERT 0 7", Some(7)),
            ("SELECT 100000", Some(100_000)),
            ("CREATE TABLE", None),
            ("", None),
        ] {
            assert_eq!(rows_of(tag), rows, "{tag}");
        }
    }

    #[test]
    fn a_server_may_go_down_and_no_other_way() {
        let message = |version: u32, options: u32| [version.to_be_bytes(), options.to_be_bytes()].concat();
        assert_eq!(negotiated_minor(&message(0x0003_0000, 0), 2), Ok(0));
        for (version, options, asked) in [
            (0x0003_0002, 0, 2),
            (0x0003_0003, 0, 2),
            (0x0003_0001, 0, 2),
            (0x0003_0000, 0, 0),
            (0x0002_0000, 0, 2),
            (0x0000_0000, 0, 2),
            (0x0003_0000, 1, 2),
        ] {
            let body = message(version, options);
            assert!(
                negotiated_minor(&body, asked).is_err(),
                "{version:x} {options} {asked}"
            );
        }
        assert!(negotiated_minor(b"\0\x03\0\0\0\0\0\0x", 2).is_err());
    }

    #[test]
    fn columns_have_names_and_types() {
        let column = |name: &str, oid: u8| {
            let table_and_place = [0, 0, 64, 1, 0, 1];
            let size_modifier_and_format = [0, 4, 255, 255, 255, 255, 0, 0];
            let oid = [0, 0, 0, oid];
            [
                name.as_bytes(),
                b"\0",
                &table_and_place,
                &oid,
                &size_modifier_and_format,
            ]
            .concat()
        };
        let body = [&[0, 2][..], &column("id", 23), &column("", 25)].concat();
        let columns = row_description(&body).unwrap();
        let told: Vec<_> = columns.iter().map(|c| (&c.name[..], c.oid)).collect();
        assert_eq!(told, [(&b"id"[..], 23), (b"", 25)]);
        assert_eq!(row_description(&[0, 0]), Ok(Vec::new()));
        for bad in [&body[..body.len() - 1], &[&body[..], b"x"].concat(), b"\0"] {
            assert!(row_description(bad).is_err());
        }
    }

    #[test]
    fn an_error_gives_state_and_message() {
        let error = error_response(b"SFEHLER\0VERROR\0C23505\0Mdoppelt\0\0");
        assert_eq!(error.sqlstate, "23505");
        assert_eq!(error.message, "doppelt");
        assert_eq!(error.severity, "ERROR");
        assert_eq!(error_response(b"C1"), ServerError::default());
    }
}
