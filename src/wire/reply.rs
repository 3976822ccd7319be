//! Messages that holdpoint itself sends, encoded by `pgwire`.

use std::borrow::Cow;

use bytes::{BufMut as _, Bytes, BytesMut};
use pgwire::messages::Message;
use pgwire::messages::data::{DataRow, FieldDescription, NoData, RowDescription};
use pgwire::messages::extendedquery::BindComplete;
use pgwire::messages::response::{
    CommandComplete, ErrorResponse, NoticeResponse, ReadyForQuery, TransactionStatus as Status,
};
use pgwire::messages::startup::{
    Authentication, BackendKeyData, NegotiateProtocolVersion, ParameterStatus, SecretKey,
};

use super::backend::TransactionStatus;
use super::sqlstate;

/// How grave a report is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Information; the statement goes on.
    Notice,
    /// Something to be minded; the statement goes on.
    Warning,
    /// The statement failed; the session goes on.
    Error,
    /// The session ends.
    Fatal,
}

impl Severity {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Notice => "NOTICE",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
        }
    }
}

/// An ErrorResponse or NoticeResponse worth reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How grave.
    pub severity: Severity,
    /// SQLSTATE.
    pub sqlstate: &'static str,
    /// The primary message: one sentence, lower case, no full stop, as PostgreSQL's.
    pub message: String,
    /// Whole sentences.
    pub detail: Option<String>,
    /// What to do.
    pub hint: Option<String>,
}

impl Report {
    /// A notice.
    #[must_use]
    pub fn notice(message: impl Into<String>) -> Self {
        Self::of(Severity::Notice, sqlstate::SUCCESSFUL_COMPLETION, message)
    }

    /// A warning.
    #[must_use]
    pub fn warning(message: impl Into<String>) -> Self {
        Self::of(Severity::Warning, sqlstate::WARNING, message)
    }

    /// An error.
    #[must_use]
    pub fn error(sqlstate: &'static str, message: impl Into<String>) -> Self {
        Self::of(Severity::Error, sqlstate, message)
    }

    /// A fatal error.
    #[must_use]
    pub fn fatal(sqlstate: &'static str, message: impl Into<String>) -> Self {
        Self::of(Severity::Fatal, sqlstate, message)
    }

    fn of(severity: Severity, sqlstate: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity,
            sqlstate,
            message: message.into(),
            detail: None,
            hint: None,
        }
    }

    /// With a DETAIL.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// With a HINT.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Appends the message's bytes.
    pub fn encode(&self, out: &mut BytesMut) {
        let severity = self.severity.as_str();
        let mut fields = vec![
            (b'S', severity.to_owned()),
            (b'V', severity.to_owned()),
            (b'C', self.sqlstate.to_owned()),
            (b'M', printable(&self.message).into_owned()),
        ];
        fields.extend(self.detail.as_deref().map(|d| (b'D', printable(d).into_owned())));
        fields.extend(self.hint.as_deref().map(|h| (b'H', printable(h).into_owned())));
        match self.severity {
            Severity::Notice | Severity::Warning => append(&NoticeResponse::new(fields), out),
            Severity::Error | Severity::Fatal => append(&ErrorResponse::new(fields), out),
        }
    }
}

/// Text from people goes into fields that end with a NUL and onto terminals: control characters
/// other than line breaks and tabs are replaced.
fn printable(text: &str) -> Cow<'_, str> {
    let bad = |c: char| c.is_control() && c != '\n' && c != '\t';
    if text.contains(bad) {
        Cow::Owned(text.replace(bad, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// AuthenticationOk.
pub fn authentication_ok(out: &mut BytesMut) {
    append(&Authentication::Ok, out);
}

/// AuthenticationSASL with the mechanisms offered.
pub fn authentication_sasl(mechanisms: &[&str], out: &mut BytesMut) {
    append(
        &Authentication::SASL(mechanisms.iter().map(|&m| m.to_owned()).collect()),
        out,
    );
}

/// AuthenticationSASLContinue.
pub fn authentication_sasl_continue(data: Vec<u8>, out: &mut BytesMut) {
    append(&Authentication::SASLContinue(Bytes::from(data)), out);
}

/// AuthenticationSASLFinal.
pub fn authentication_sasl_final(data: Vec<u8>, out: &mut BytesMut) {
    append(&Authentication::SASLFinal(Bytes::from(data)), out);
}

/// BackendKeyData. The secret has 4 bytes in protocol 3.0, and up to 256 in 3.2.
pub fn backend_key_data(pid: i32, secret: &[u8], out: &mut BytesMut) {
    let secret = SecretKey::Bytes(Bytes::copy_from_slice(secret));
    append(&BackendKeyData::new(pid, secret), out);
}

/// ParameterStatus.
pub fn parameter_status(name: &str, value: &str, out: &mut BytesMut) {
    append(&ParameterStatus::new(name.to_owned(), value.to_owned()), out);
}

/// NegotiateProtocolVersion: this minor version of protocol 3 is spoken, and these options are not known.
/// PostgreSQL sends the whole version here, major and minor (`SendNegotiateProtocolVersion` in
/// `src/backend/tcop/backend_startup.c`).
pub fn negotiate_protocol_version(minor: u16, unknown_options: &[String], out: &mut BytesMut) {
    let version = super::startup::version(minor).cast_signed();
    append(
        &NegotiateProtocolVersion::new(version, unknown_options.to_vec()),
        out,
    );
}

/// BindComplete.
pub fn bind_complete(out: &mut BytesMut) {
    append(&BindComplete::new(), out);
}

/// NoData.
pub fn no_data(out: &mut BytesMut) {
    append(&NoData::new(), out);
}

/// ErrorResponse with this body, which is a server's, of less than 4 GiB.
pub fn error_response(body: &[u8], out: &mut BytesMut) {
    out.put_u8(b'E');
    out.put_u32(u32::try_from(body.len() + 4).unwrap_or(u32::MAX));
    out.put_slice(body);
}

/// ReadyForQuery.
pub fn ready_for_query(status: TransactionStatus, out: &mut BytesMut) {
    let status = match status {
        TransactionStatus::Idle => Status::Idle,
        TransactionStatus::InTransaction => Status::Transaction,
        TransactionStatus::Failed => Status::Error,
    };
    append(&ReadyForQuery::new(status), out);
}

/// CommandComplete.
pub fn command_complete(tag: &str, out: &mut BytesMut) {
    append(&CommandComplete::new(tag.to_owned()), out);
}

/// RowDescription of one column of type text, and its only row.
pub fn one_text(column: &str, value: &str, out: &mut BytesMut) {
    const TEXT: u32 = 25;
    let field = FieldDescription::new(column.to_owned(), 0, 0, TEXT, -1, -1, 0);
    append(&RowDescription::new(vec![field]), out);
    let mut data = BytesMut::new();
    data.put_i32(i32::try_from(value.len()).unwrap_or_default());
    data.extend_from_slice(value.as_bytes());
    append(&DataRow::new(data, 1), out);
}

fn append(message: &impl Message, out: &mut BytesMut) {
    let start = out.len();
    if let Err(error) = message.encode(out) {
        // pgwire's encoders of these messages do not fail; half a message must never be sent.
        out.truncate(start);
        tracing::error!(%error, "cannot encode a message");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_reads_back() {
        let mut out = BytesMut::new();
        Report::error(sqlstate::INSUFFICIENT_PRIVILEGE, "rejected\0 by bob")
            .hint("ask")
            .encode(&mut out);
        let body = &out[5..];
        let error = super::super::backend::error_response(body);
        assert_eq!(error.sqlstate, "42501");
        assert_eq!(error.message, "rejected\u{fffd} by bob");
        assert_eq!(
            out.len(),
            1 + u32::from_be_bytes([out[1], out[2], out[3], out[4]]) as usize
        );
    }
}
