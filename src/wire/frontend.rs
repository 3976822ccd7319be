//! Bodies of a client's messages, borrowed from its bytes.

use super::{Fields, Malformed};

/// Query: the text without its NUL.
pub fn query(body: &[u8]) -> Result<&[u8], Malformed> {
    let mut fields = Fields::of(body);
    let text = fields.cstr()?;
    fields.end()?;
    Ok(text)
}

/// Parse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parse<'b> {
    /// The prepared statement's name; empty for the unnamed one.
    pub name: &'b [u8],
    /// The text.
    pub text: &'b [u8],
    /// The types' OIDs, four bytes each; zero leaves a type open.
    types: &'b [u8],
}

impl<'b> Parse<'b> {
    /// Reads a Parse message's body.
    pub fn read(body: &'b [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::of(body);
        let name = fields.cstr()?;
        let text = fields.cstr()?;
        let count = fields.count()?;
        let types = fields.bytes(count * 4)?;
        fields.end()?;
        Ok(Self { name, text, types })
    }

    /// The types of the parameters as far as they were given.
    pub fn types(&self) -> impl Iterator<Item = u32> + use<'b> {
        self.types
            .chunks_exact(4)
            .map(|c| u32::from_be_bytes([c[0], c[1], c[2], c[3]]))
    }
}

/// Bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bind<'b> {
    /// The portal's name.
    pub portal: &'b [u8],
    /// The prepared statement's name.
    pub statement: &'b [u8],
    formats: &'b [u8],
    /// The number of values.
    pub values: usize,
    value_bytes: &'b [u8],
}

impl<'b> Bind<'b> {
    /// Reads a Bind message's body.
    pub fn read(body: &'b [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::of(body);
        let portal = fields.cstr()?;
        let statement = fields.cstr()?;
        let format_count = fields.count()?;
        let formats = fields.bytes(format_count * 2)?;
        let (values, value_bytes) = read_values(&mut fields)?;
        let results = fields.count()?;
        fields.bytes(results * 2)?;
        fields.end()?;
        if format_count > 1 && format_count != values {
            return Err(Malformed("bind message has a wrong number of parameter formats"));
        }
        Ok(Self {
            portal,
            statement,
            formats,
            values,
            value_bytes,
        })
    }

    /// The names alone, from the head of a body that has not arrived in whole; `None` while they have not.
    #[must_use]
    pub fn names(head: &'b [u8]) -> Option<(&'b [u8], &'b [u8])> {
        let mut fields = Fields::of(head);
        Some((fields.cstr().ok()?, fields.cstr().ok()?))
    }

    /// The values in order: whether binary, and the bytes or NULL.
    pub fn values(&self) -> impl Iterator<Item = (bool, Option<&'b [u8]>)> + use<'b> {
        let mut fields = Fields::of(self.value_bytes);
        let formats = self.formats;
        (0..self.values).map(move |i| {
            let binary = match formats.len() / 2 {
                0 => false,
                1 => formats[1] == 1,
                _ => formats.get(i * 2 + 1) == Some(&1),
            };
            // `read` has checked the same bytes.
            (binary, read_value(&mut fields).unwrap_or_default())
        })
    }
}

/// FunctionCall, the fast path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionCall<'b> {
    /// The function, by the OID that it has in `pg_proc`.
    pub function: u32,
    /// Its arguments, laid out as a Bind's values are. The names are empty.
    pub arguments: Bind<'b>,
}

impl<'b> FunctionCall<'b> {
    /// Reads a FunctionCall message's body.
    pub fn read(body: &'b [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::of(body);
        let function = fields.i32()?.cast_unsigned();
        let format_count = fields.count()?;
        let formats = fields.bytes(format_count * 2)?;
        let (values, value_bytes) = read_values(&mut fields)?;
        // The result's format.
        fields.i16()?;
        fields.end()?;
        if format_count > 1 && format_count != values {
            return Err(Malformed(
                "function call message has a wrong number of argument formats",
            ));
        }
        let arguments = Bind {
            portal: b"",
            statement: b"",
            formats,
            values,
            value_bytes,
        };
        Ok(Self { function, arguments })
    }
}

/// A count, and so many values: how many, and their bytes.
fn read_values<'b>(fields: &mut Fields<'b>) -> Result<(usize, &'b [u8]), Malformed> {
    let values = fields.count()?;
    let start = fields.rest();
    for _ in 0..values {
        read_value(fields)?;
    }
    Ok((values, &start[..start.len() - fields.rest().len()]))
}

fn read_value<'b>(fields: &mut Fields<'b>) -> Result<Option<&'b [u8]>, Malformed> {
    match fields.i32()? {
        -1 => Ok(None),
        length => {
            let length = usize::try_from(length).map_err(|_| Malformed("a negative length"))?;
            fields.bytes(length).map(Some)
        }
    }
}

/// Execute: the portal's name, and after how many rows it is suspended (0: never).
pub fn execute(body: &[u8]) -> Result<(&[u8], u32), Malformed> {
    let mut fields = Fields::of(body);
    let portal = fields.cstr()?;
    // PostgreSQL takes a negative number for no limit.
    let rows = u32::try_from(fields.i32()?).unwrap_or(0);
    fields.end()?;
    Ok((portal, rows))
}

/// Whether Describe or Close speaks of a prepared statement or of a portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'b> {
    /// A prepared statement, by name.
    Statement(&'b [u8]),
    /// A portal, by name.
    Portal(&'b [u8]),
}

/// Describe or Close.
pub fn target(body: &[u8]) -> Result<Target<'_>, Malformed> {
    let mut fields = Fields::of(body);
    let kind = fields.u8()?;
    let name = fields.cstr()?;
    fields.end()?;
    match kind {
        b'S' => Ok(Target::Statement(name)),
        b'P' => Ok(Target::Portal(name)),
        _ => Err(Malformed("invalid DESCRIBE or CLOSE message subtype")),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn bind_body() -> Vec<u8> {
        let mut b = b"p\0s\0".to_vec();
        b.extend([0, 2, 0, 0, 0, 1]);
        b.extend([0, 2]);
        b.extend(3i32.to_be_bytes());
        b.extend(b"abc");
        b.extend((-1i32).to_be_bytes());
        b.extend([0, 0]);
        b
    }

    #[test]
    fn a_bind_gives_its_values() {
        let body = bind_body();
        let bind = Bind::read(&body).unwrap();
        assert_eq!((bind.portal, bind.statement), (&b"p"[..], &b"s"[..]));
        let values: Vec<_> = bind.values().collect();
        assert_eq!(values, [(false, Some(&b"abc"[..])), (true, None)]);
    }

    #[test]
    fn a_statement_may_have_65535_parameters() {
        let mut body = b"\0\0\xff\xff".to_vec();
        body.extend([0, 1].repeat(65_535));
        body.extend([0xff; 2]);
        body.extend([0xff; 4].repeat(65_535));
        body.extend([0, 0]);
        let bind = Bind::read(&body).unwrap();
        assert_eq!(
            bind.values().filter(|value| *value == (true, None)).count(),
            65_535
        );
        let parse = [b"\0\0\xff\xff".to_vec(), [0, 0, 0, 23].repeat(65_535)].concat();
        assert_eq!(Parse::read(&parse).unwrap().types().count(), 65_535);
    }

    #[test]
    fn no_cut_or_longer_body_is_taken() {
        let body = bind_body();
        for end in 0..body.len() {
            assert!(Bind::read(&body[..end]).is_err(), "cut at {end}");
        }
        let mut longer = body;
        longer.push(0);
        assert!(Bind::read(&longer).is_err());
    }

    #[test]
    fn a_function_call_gives_its_arguments() {
        let mut body = 964_u32.to_be_bytes().to_vec();
        body.extend(b"\0\x01\0\x01\0\x02\0\0\0\x04\0\0\0\x2a\xff\xff\xff\xff\0\x01");
        let call = FunctionCall::read(&body).unwrap();
        assert_eq!(call.function, 964);
        let arguments: Vec<_> = call.arguments.values().collect();
        assert_eq!(arguments, [(true, Some(&b"\0\0\0*"[..])), (true, None)]);
        for end in 0..body.len() {
            assert!(FunctionCall::read(&body[..end]).is_err(), "cut at {end}");
        }
        body.push(0);
        assert!(FunctionCall::read(&body).is_err());
    }

    #[test]
    fn a_query_is_one_string_and_nothing_behind_it() {
        assert_eq!(query(b"SELECT 1\0"), Ok(&b"SELECT 1"[..]));
        assert!(query(b"SELECT 1").is_err());
        assert!(query(b"SELECT 1\0DELETE FROM t\0").is_err());
    }

    #[test]
    fn a_parse_gives_its_types() {
        let body = b"s\0SELECT $1\0\0\x01\0\0\0\x17";
        let parse = Parse::read(body).unwrap();
        assert_eq!(parse.types().collect::<Vec<_>>(), [23]);
        assert!(Parse::read(b"s\0SELECT $1\0\xff\xff").is_err());
    }
}
