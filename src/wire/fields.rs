//! Reading a message's body, strictly.

/// A body that is not what its type says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

/// A cursor over a message's body. Every read is checked; [`Fields::end`] holds that all was consumed.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'b> {
    rest: &'b [u8],
}

impl<'b> Fields<'b> {
    /// A cursor at the start of `body`.
    #[must_use]
    pub const fn of(body: &'b [u8]) -> Self {
        Self { rest: body }
    }

    /// The bytes up to a NUL, which is consumed too.
    pub fn cstr(&mut self) -> Result<&'b [u8], Malformed> {
        let end = memchr::memchr(0, self.rest).ok_or(Malformed("a string does not end"))?;
        let text = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Ok(text)
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        self.bytes(1).map(|b| b[0])
    }

    /// A big-endian 16-bit integer.
    pub fn i16(&mut self) -> Result<i16, Malformed> {
        let b = self.bytes(2)?;
        Ok(i16::from_be_bytes([b[0], b[1]]))
    }

    /// A big-endian 32-bit integer.
    pub fn i32(&mut self) -> Result<i32, Malformed> {
        let b = self.bytes(4)?;
        Ok(i32::from_be_bytes([b[0], b[1], b[2], b[3]]))
    }

    /// A 16-bit count, up to 65 535: PostgreSQL reads it without a sign (`pq_getmsgint`), and takes as many
    /// parameters (`PQ_QUERY_PARAM_MAX_LIMIT` in `libpq-fe.h`).
    pub fn count(&mut self) -> Result<usize, Malformed> {
        Ok(self.i16()?.cast_unsigned().into())
    }

    /// Exactly `n` bytes.
    pub fn bytes(&mut self, n: usize) -> Result<&'b [u8], Malformed> {
        if self.rest.len() < n {
            return Err(Malformed("insufficient data left in message"));
        }
        let (head, rest) = self.rest.split_at(n);
        self.rest = rest;
        Ok(head)
    }

    /// What is left.
    #[must_use]
    pub const fn rest(&self) -> &'b [u8] {
        self.rest
    }

    /// Holds that nothing is left.
    pub const fn end(&self) -> Result<(), Malformed> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Malformed("invalid message format"))
        }
    }
}
