//! What is looked at inside a certificate. Whether it is to be trusted is rustls' business.

use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha224, Sha256, Sha384, Sha512};
use x509_cert::Certificate;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::asn1::{AnyRef, BitStringRef, ContextSpecific, ObjectIdentifier};
use x509_cert::der::oid::db::{rfc4519, rfc5912};
use x509_cert::der::{self, Decode as _, Reader as _, SliceReader, TagNumber};
use x509_cert::spki::AlgorithmIdentifierRef;

/// Whom a certificate names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The whole of it, as RFC 4514 writes it: `CN=alice,O=Example`. What its values hold is escaped, so
    /// that no value can pass for another attribute.
    pub name: String,
    /// The common name, where there is exactly one, and it shows.
    pub common_name: Option<String>,
}

/// The subject of a certificate; `None` where the certificate cannot be read.
#[must_use]
pub fn subject(certificate: &CertificateDer<'_>) -> Option<Subject> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let subject = &certificate.tbs_certificate.subject;
    let mut common_names = subject
        .0
        .iter()
        .flat_map(|names| names.0.iter())
        .filter(|attribute| attribute.oid == rfc4519::COMMON_NAME);
    let common_name = match (common_names.next(), common_names.next()) {
        (Some(only), None) => text_of(only),
        _ => None,
    };
    Some(Subject {
        name: subject.to_string(),
        common_name,
    })
}

/// An attribute's value, where it is text that shows.
fn text_of(attribute: &AttributeTypeAndValue) -> Option<String> {
    let value = &attribute.value;
    let text = value
        .decode_as::<der::asn1::Utf8StringRef<'_>>()
        .map(|text| text.as_str())
        .or_else(|_| {
            value
                .decode_as::<der::asn1::PrintableStringRef<'_>>()
                .map(|text| text.as_str())
        })
        .or_else(|_| {
            value
                .decode_as::<der::asn1::Ia5StringRef<'_>>()
                .map(|text| text.as_str())
        })
        .ok()?;
    (!text.is_empty() && !text.contains(char::is_control)).then(|| text.to_owned())
}

/// What the channel binding `tls-server-end-point` binds to: the certificate's hash, by the hash function of
/// its signature; SHA-256 in place of MD5 and SHA-1 (RFC 5929, section 4.1; `be_tls_get_certificate_hash` in
/// `src/backend/libpq/be-secure-openssl.c`). `None` where the signature has no such function, as Ed25519: then
/// nothing can be bound.
#[must_use]
pub fn server_end_point(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    Some(match hash_of_signature(certificate).ok()?? {
        Hash::Sha224 => Sha224::digest(certificate).to_vec(),
        Hash::Sha256 => Sha256::digest(certificate).to_vec(),
        Hash::Sha384 => Sha384::digest(certificate).to_vec(),
        Hash::Sha512 => Sha512::digest(certificate).to_vec(),
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hash {
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// Reads no more of the certificate than it must: `SEQUENCE { tbsCertificate, signatureAlgorithm, signature }`.
fn hash_of_signature(certificate: &[u8]) -> der::Result<Option<Hash>> {
    let mut reader = SliceReader::new(certificate)?;
    let algorithm = reader.sequence(|reader| {
        AnyRef::decode(reader)?;
        let algorithm = AlgorithmIdentifierRef::decode(reader)?;
        BitStringRef::decode(reader)?;
        Ok(algorithm)
    })?;
    if algorithm.oid != rfc5912::ID_RSASSA_PSS {
        return Ok(hash_in(algorithm.oid));
    }
    // RFC 4055, section 3.1: `SEQUENCE { [0] hash DEFAULT sha1, … }`.
    let Some(parameters) = algorithm.parameters else {
        return Ok(Some(Hash::Sha256));
    };
    let hash = parameters.sequence(|reader| {
        let hash = ContextSpecific::<AlgorithmIdentifierRef<'_>>::decode_explicit(reader, TagNumber::N0)?;
        while !reader.is_finished() {
            AnyRef::decode(reader)?;
        }
        Ok(hash)
    })?;
    Ok(hash.map_or(Some(Hash::Sha256), |hash| hash_in(hash.value.oid)))
}

/// ecdsa-with-SHA1 (RFC 3279).
const ECDSA_WITH_SHA_1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.1");

/// The hash function that a signature algorithm uses, or that it is.
fn hash_in(algorithm: ObjectIdentifier) -> Option<Hash> {
    use rfc5912 as is;
    let of = |algorithms: &[ObjectIdentifier]| algorithms.contains(&algorithm);
    if of(&[
        is::MD_5_WITH_RSA_ENCRYPTION,
        is::SHA_1_WITH_RSA_ENCRYPTION,
        is::DSA_WITH_SHA_1,
        ECDSA_WITH_SHA_1,
        is::ID_MD_5,
        is::ID_SHA_1,
        is::SHA_256_WITH_RSA_ENCRYPTION,
        is::ECDSA_WITH_SHA_256,
        is::DSA_WITH_SHA_256,
        is::ID_SHA_256,
    ]) {
        Some(Hash::Sha256)
    } else if of(&[
        is::SHA_384_WITH_RSA_ENCRYPTION,
        is::ECDSA_WITH_SHA_384,
        is::ID_SHA_384,
    ]) {
        Some(Hash::Sha384)
    } else if of(&[
        is::SHA_512_WITH_RSA_ENCRYPTION,
        is::ECDSA_WITH_SHA_512,
        is::ID_SHA_512,
    ]) {
        Some(Hash::Sha512)
    } else if of(&[
        is::SHA_224_WITH_RSA_ENCRYPTION,
        is::ECDSA_WITH_SHA_224,
        is::DSA_WITH_SHA_224,
        is::ID_SHA_224,
    ]) {
        Some(Hash::Sha224)
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
