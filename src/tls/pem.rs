//! Certificates and keys in PEM files.

use std::path::{Path, PathBuf};

use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

/// Why a file of certificates or a key cannot be used. Shows the file's path and nothing of its content.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// It cannot be read, or is no PEM.
    #[error("{} cannot be read: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// It has none of what is looked for.
    #[error("{} holds no {what} in PEM form (-----BEGIN {label}-----)", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// What is looked for.
        what: &'static str,
        /// The label that it would have.
        label: &'static str,
    },
}

/// The certificates of a file, in their order; at least one.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path)
        .map_err(|error| unreadable(path, &error))?
        .collect();
    let found = found.map_err(|error| unreadable(path, &error))?;
    if found.is_empty() {
        return Err(PemError::Empty {
            path: path.to_owned(),
            what: "certificate",
            label: "CERTIFICATE",
        });
    }
    Ok(found)
}

/// The revocation lists of a file, in their order; at least one.
pub fn revocation_lists(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, PemError> {
    let found: Result<Vec<_>, _> = CertificateRevocationListDer::pem_file_iter(path)
        .map_err(|error| unreadable(path, &error))?
        .collect();
    let found = found.map_err(|error| unreadable(path, &error))?;
    if found.is_empty() {
        return Err(PemError::Empty {
            path: path.to_owned(),
            what: "revocation list",
            label: "X509 CRL",
        });
    }
    Ok(found)
}

/// The first private key of a file: PKCS#8, PKCS#1 or SEC1, not encrypted.
pub fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, PemError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| match error {
        pem::Error::NoItemsFound => PemError::Empty {
            path: path.to_owned(),
            what: "private key without a passphrase",
            label: "PRIVATE KEY",
        },
        error => unreadable(path, &error),
    })
}

fn unreadable(path: &Path, error: &pem::Error) -> PemError {
    let why = match error {
        pem::Error::Io(error) => error.to_string(),
        // What stands in the file stays there.
        _ => "it is not well-formed PEM".to_owned(),
    };
    PemError::Unreadable {
        path: path.to_owned(),
        why,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_is_no_pem_is_named_without_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.pem");
        assert!(
            certificates(&path)
                .unwrap_err()
                .to_string()
                .contains("No such file")
        );
        std::fs::write(&path, "hush").unwrap();
        for message in [
            certificates(&path).unwrap_err().to_string(),
            private_key(&path).unwrap_err().to_string(),
        ] {
            assert!(message.contains("holds no"), "{message}");
            assert!(!message.contains("hush"), "{message}");
        }
        std::fs::write(
            &path,
            "-----BEGIN PRIVATE KEY-----\nhush!\n-----END PRIVATE KEY-----\n",
        )
        .unwrap();
        let message = private_key(&path).unwrap_err().to_string();
        assert!(
            message.contains("well-formed") && !message.contains("hush"),
            "{message}"
        );
    }
}
