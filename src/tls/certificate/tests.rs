#![expect(clippy::unwrap_used, reason = "tests")]

use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair, SignatureAlgorithm};
use x509_cert::der::Encode as _;
use x509_cert::der::asn1::{Any, BitString};
use x509_cert::spki::AlgorithmIdentifierOwned;

use super::*;

fn certificate(
    names: &[(DnType, DnValue)],
    algorithm: &'static SignatureAlgorithm,
) -> CertificateDer<'static> {
    let key = KeyPair::generate_for(algorithm).unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = DistinguishedName::new();
    for (kind, value) in names {
        params.distinguished_name.push(kind.clone(), value.clone());
    }
    params.self_signed(&key).unwrap().into()
}

fn named(names: &[(DnType, DnValue)]) -> Subject {
    subject(&certificate(names, &rcgen::PKCS_ECDSA_P256_SHA256)).unwrap()
}

fn utf8(text: &str) -> DnValue {
    DnValue::Utf8String(text.to_owned())
}

#[test]
fn a_subject_is_written_as_rfc_4514_has_it() {
    let alice = named(&[
        (DnType::OrganizationName, utf8("Example")),
        (DnType::CommonName, utf8("alice")),
    ]);
    assert_eq!(alice.name, "CN=alice,O=Example");
    assert_eq!(alice.common_name.as_deref(), Some("alice"));
    let printable = DnValue::PrintableString("build agent".try_into().unwrap());
    let agent = named(&[(DnType::CommonName, printable)]);
    assert_eq!(agent.common_name.as_deref(), Some("build agent"));
}

#[test]
fn no_value_passes_for_another_attribute() {
    let mallory = named(&[(DnType::CommonName, utf8("alice,O=Example"))]);
    assert_eq!(mallory.name, "CN=alice\\,O=Example");
    assert_eq!(mallory.common_name.as_deref(), Some("alice,O=Example"));
}

#[test]
fn a_name_that_does_not_show_is_none() {
    for text in ["alice\0", "alice\n", ""] {
        let hidden = named(&[(DnType::CommonName, utf8(text))]);
        assert_eq!(hidden.common_name, None, "{text:?}");
    }
    assert_eq!(named(&[(DnType::OrganizationName, utf8("x"))]).common_name, None);
    assert_eq!(subject(&CertificateDer::from(b"no certificate".to_vec())), None);
}

#[test]
fn of_two_common_names_none_counts() {
    let common_name = DnType::CommonName;
    let same = DnType::CustomDnType(vec![2, 5, 4, 3]);
    let two = named(&[(common_name, utf8("alice")), (same, utf8("bob"))]);
    assert_eq!(two.name, "CN=bob,CN=alice");
    assert_eq!(two.common_name, None);
}

#[test]
fn the_hash_is_that_of_the_signature() {
    let of = |algorithm| {
        let certificate = certificate(&[], algorithm);
        (server_end_point(&certificate), certificate)
    };
    let (hash, certificate) = of(&rcgen::PKCS_ECDSA_P256_SHA256);
    assert_eq!(hash, Some(Sha256::digest(&certificate).to_vec()));
    let (hash, certificate) = of(&rcgen::PKCS_ECDSA_P384_SHA384);
    assert_eq!(hash, Some(Sha384::digest(&certificate).to_vec()));
    // It has no such hash; a client could not compute one either.
    assert_eq!(of(&rcgen::PKCS_ED25519).0, None);
}

#[test]
fn every_signature_that_has_a_hash_is_known() {
    let pss = |hash: Option<&str>| {
        let hash = hash.map(|hash| {
            let algorithm = AlgorithmIdentifierOwned {
                oid: ObjectIdentifier::new_unwrap(hash),
                parameters: Some(Any::null()),
            };
            let algorithm = algorithm.to_der().unwrap();
            [&[0xa0, u8::try_from(algorithm.len()).unwrap()][..], &algorithm].concat()
        });
        // The salt's length comes behind it.
        let content = [hash.unwrap_or_default(), vec![0xa2, 3, 2, 1, 32]].concat();
        Any::new(der::Tag::Sequence, content).unwrap()
    };
    let pss_oid = "1.2.840.113549.1.1.10";
    for (oid, parameters, hash) in [
        ("1.2.840.113549.1.1.4", None, Some(Hash::Sha256)),
        ("1.2.840.113549.1.1.5", None, Some(Hash::Sha256)),
        ("1.2.840.113549.1.1.11", Some(Any::null()), Some(Hash::Sha256)),
        ("1.2.840.113549.1.1.12", Some(Any::null()), Some(Hash::Sha384)),
        ("1.2.840.113549.1.1.13", Some(Any::null()), Some(Hash::Sha512)),
        ("1.2.840.113549.1.1.14", Some(Any::null()), Some(Hash::Sha224)),
        ("1.2.840.10045.4.1", None, Some(Hash::Sha256)),
        ("1.2.840.10045.4.3.1", None, Some(Hash::Sha224)),
        ("1.2.840.10045.4.3.4", None, Some(Hash::Sha512)),
        (pss_oid, None, Some(Hash::Sha256)),
        (pss_oid, Some(pss(None)), Some(Hash::Sha256)),
        (pss_oid, Some(pss(Some("1.3.14.3.2.26"))), Some(Hash::Sha256)),
        (
            pss_oid,
            Some(pss(Some("2.16.840.1.101.3.4.2.3"))),
            Some(Hash::Sha512),
        ),
        // Ed448, and SHA3-256 with RSA.
        ("1.3.101.113", None, None),
        ("2.16.840.1.101.3.4.3.14", None, None),
    ] {
        let algorithm = AlgorithmIdentifierOwned {
            oid: ObjectIdentifier::new_unwrap(oid),
            parameters,
        };
        let parts = [
            vec![0x30, 0],
            algorithm.to_der().unwrap(),
            BitString::from_bytes(&[0]).unwrap().to_der().unwrap(),
        ]
        .concat();
        let certificate = Any::new(der::Tag::Sequence, parts).unwrap().to_der().unwrap();
        assert_eq!(hash_of_signature(&certificate), Ok(hash), "{oid}");
    }
    assert!(hash_of_signature(b"no certificate").is_err());
}
