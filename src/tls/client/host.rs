//! Whether a certificate names a host.
//!
//! By its subjectAltName; where that has no entry of the host's kind (name or address), by its Common Name,
//! which libpq goes on honouring: certificates made by the recipes in PostgreSQL's own manual have nothing
//! else. Source: `pgtls_verify_peer_name_matches_certificate_guts` in
//! `src/interfaces/libpq/fe-secure-openssl.c`, `wildcard_certificate_match` in `fe-secure-common.c`.

use rustls::pki_types::{CertificateDer, ServerName};
use webpki::EndEntityCert;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::der::asn1::{PrintableStringRef, TeletexStringRef, Utf8StringRef};
use x509_cert::der::oid::db::rfc4519::COMMON_NAME;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// Holds that the certificate (DER) is for `host`.
pub(super) fn verify(certificate: &CertificateDer<'_>, host: &ServerName<'_>) -> Result<(), webpki::Error> {
    let by_alternative =
        EndEntityCert::try_from(certificate).and_then(|parsed| parsed.verify_is_valid_for_subject_name(host));
    match by_alternative {
        Err(_) if Certificate::from_der(certificate).is_ok_and(|parsed| is_common_name(&parsed, host)) => {
            Ok(())
        }
        result => result,
    }
}

fn is_common_name(certificate: &Certificate, host: &ServerName<'_>) -> bool {
    match certificate.tbs_certificate.get::<SubjectAltName>() {
        Ok(None) => {}
        Ok(Some((_, names))) if !names.0.iter().any(|name| is_kind_of(name, host)) => {}
        // Names of the host's kind are there, and none is the host's; or they cannot be read.
        _ => return false,
    }
    let Some(name) = common_name(certificate) else {
        return false;
    };
    match host {
        ServerName::DnsName(host) => matches(&name, host.as_ref()),
        ServerName::IpAddress(address) => name == std::net::IpAddr::from(*address).to_string(),
        _ => false,
    }
}

fn is_kind_of(name: &GeneralName, host: &ServerName<'_>) -> bool {
    match host {
        ServerName::IpAddress(_) => matches!(name, GeneralName::IpAddress(_)),
        _ => matches!(name, GeneralName::DnsName(_)),
    }
}

/// The first Common Name of the subject.
fn common_name(certificate: &Certificate) -> Option<String> {
    let parts = certificate.tbs_certificate.subject.0.iter();
    let value = parts
        .flat_map(|part| part.0.iter())
        .find(|attribute| attribute.oid == COMMON_NAME)
        .map(|attribute| &attribute.value)?;
    let utf8 = Utf8StringRef::try_from(value).map(|text| text.as_str().to_owned());
    let printable = || PrintableStringRef::try_from(value).map(|text| text.as_str().to_owned());
    let teletex = || TeletexStringRef::try_from(value).map(|text| text.as_str().to_owned());
    utf8.or_else(|_| printable()).or_else(|_| teletex()).ok()
}

/// A name in a certificate may begin with `*.`, which stands for one label.
fn matches(pattern: &str, host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    if pattern.eq_ignore_ascii_case(host) {
        return !pattern.contains('*');
    }
    let Some(suffix) = pattern.strip_prefix("*.") else {
        return false;
    };
    let rest = host
        .split_once('.')
        .filter(|(label, _)| !label.is_empty())
        .map(|(_, rest)| rest);
    !suffix.is_empty() && rest.is_some_and(|rest| rest.eq_ignore_ascii_case(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_stands_for_one_label() {
        for (pattern, host, expected) in [
            ("db.example.com", "DB.example.com", true),
            ("db.example.com", "db.example.com.", true),
            ("*.example.com", "db.example.com", true),
            ("*.example.com", "a.db.example.com", false),
            ("*.example.com", "example.com", false),
            ("*.example.com", ".example.com", false),
            ("*", "db", false),
            ("*.", "db.", false),
            ("d*.example.com", "db.example.com", false),
            ("other.example.com", "db.example.com", false),
        ] {
            assert_eq!(matches(pattern, host), expected, "{pattern} {host}");
        }
    }
}
