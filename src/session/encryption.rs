//! TLS between a client and holdpoint, and what a client's certificate proves.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::Fault;
use crate::tls::{Acceptor, Subject};

/// TLS for clients. There is one only where there is a certificate.
#[derive(Debug)]
pub struct ClientTls {
    acceptor: RwLock<Acceptor>,
    /// Whether a session without TLS is refused.
    pub required: bool,
    /// What is asked of clients' certificates.
    pub certificates: CertificateRules,
}

/// What is asked of clients' certificates.
#[derive(Debug, Clone, Default)]
pub struct CertificateRules {
    /// Whether a client must show one.
    pub required: bool,
    /// What one proves.
    pub proves: Proof,
    /// Users by the common name, or by the whole subject (`CN=…,O=…`), that is theirs. Where it is empty, the
    /// common name is the user.
    pub users: BTreeMap<String, String>,
}

/// What a certificate proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Proof {
    /// That its holder may connect; who it is, the password says (`clientcert=verify-ca`).
    #[default]
    Nothing,
    /// That, and the user must be the one that it names (`clientcert=verify-full`).
    UserBesidePassword,
    /// Who the user is: no password is asked for (`cert` in pg_hba.conf).
    User,
}

/// A client's TLS, as its login sees it.
#[derive(Debug, Clone, Default)]
pub(super) struct Encryption {
    /// What the login can be bound to.
    pub(super) end_point: Option<Arc<[u8]>>,
    /// Whom the client's certificate names.
    pub(super) client: Option<Subject>,
}

impl ClientTls {
    /// TLS with that certificate, until another is given.
    #[must_use]
    pub fn new(acceptor: Acceptor, required: bool, certificates: CertificateRules) -> Self {
        Self {
            acceptor: RwLock::new(acceptor),
            required,
            certificates,
        }
    }

    /// For handshakes from now on; connections that there are keep what they began with.
    pub fn replace(&self, acceptor: Acceptor) {
        *self.acceptor.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
    }

    pub(super) fn acceptor(&self) -> Acceptor {
        self.acceptor
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl CertificateRules {
    /// Whether the client's certificate stands in place of `user`'s password. Without one, or without TLS,
    /// it does not, and where one is required that is an error (`ClientAuthentication` and `CheckCertAuth` in
    /// `src/backend/libpq/auth.c`).
    pub(super) fn check(&self, encryption: Option<&Encryption>, user: &str) -> Result<bool, Fault> {
        let Some(subject) = encryption.and_then(|encryption| encryption.client.as_ref()) else {
            return if self.required {
                Err(Fault::NoCertificate)
            } else {
                Ok(false)
            };
        };
        let refused = |reason| Fault::CertificateRefused {
            user: user.into(),
            subject: subject.name.as_str().into(),
            reason,
        };
        if self.proves == Proof::Nothing {
            return Ok(false);
        }
        match self.user_of(subject) {
            Some(named) if named == user => Ok(self.proves == Proof::User),
            Some(_) => Err(refused("it is another user's")),
            None => Err(refused("it names no user")),
        }
    }

    /// Whose certificate it is. A name with `=` is a whole subject and nothing else: a common name that looks
    /// like one is none.
    fn user_of<'a>(&'a self, subject: &'a Subject) -> Option<&'a str> {
        let common_name = subject.common_name.as_deref();
        if self.users.is_empty() {
            return common_name;
        }
        let by_subject = self.users.get(&subject.name);
        let by_common_name = || self.users.get(common_name.filter(|name| !name.contains('='))?);
        by_subject.or_else(by_common_name).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn shows(name: &str, common_name: Option<&str>) -> Encryption {
        Encryption {
            end_point: None,
            client: Some(Subject {
                name: name.to_owned(),
                common_name: common_name.map(str::to_owned),
            }),
        }
    }

    fn rules(required: bool, proves: Proof, users: &[(&str, &str)]) -> CertificateRules {
        let users = users
            .iter()
            .map(|(name, user)| ((*name).to_owned(), (*user).to_owned()));
        CertificateRules {
            required,
            proves,
            users: users.collect(),
        }
    }

    fn is_refused(result: &Result<bool, Fault>) -> bool {
        matches!(result, Err(Fault::CertificateRefused { .. }))
    }

    #[test]
    fn a_certificate_that_is_required_is_missed_with_and_without_tls() {
        for proves in [Proof::Nothing, Proof::UserBesidePassword, Proof::User] {
            let rules = rules(true, proves, &[]);
            for none in [None, Some(&Encryption::default())] {
                assert!(matches!(rules.check(none, "alice"), Err(Fault::NoCertificate)));
            }
        }
    }

    #[test]
    fn who_shows_none_where_none_is_required_is_asked_for_a_password() {
        let rules = rules(false, Proof::User, &[]);
        assert!(!rules.check(None, "alice").unwrap());
        assert!(!rules.check(Some(&Encryption::default()), "alice").unwrap());
    }

    #[test]
    fn the_common_name_is_the_user() {
        let alice = shows("CN=alice,O=Example", Some("alice"));
        let nameless = shows("O=Example", None);
        let any = rules(true, Proof::Nothing, &[]);
        assert!(!any.check(Some(&alice), "bob").unwrap());
        assert!(!any.check(Some(&nameless), "bob").unwrap());
        for (proves, instead) in [(Proof::UserBesidePassword, false), (Proof::User, true)] {
            for required in [false, true] {
                let rules = rules(required, proves, &[]);
                assert_eq!(rules.check(Some(&alice), "alice").unwrap(), instead);
                for other in ["bob", "Alice", "alice ", ""] {
                    assert!(is_refused(&rules.check(Some(&alice), other)), "{other}");
                }
                assert!(is_refused(&rules.check(Some(&nameless), "alice")));
            }
        }
    }

    #[test]
    fn with_a_table_of_users_nothing_else_names_one() {
        let rules = rules(
            true,
            Proof::User,
            &[("build agent", "ci"), ("CN=alice,O=Example", "alice")],
        );
        let alice = shows("CN=alice,O=Example", Some("alice"));
        assert!(rules.check(Some(&alice), "alice").unwrap());
        let agent = shows("CN=build agent", Some("build agent"));
        assert!(rules.check(Some(&agent), "ci").unwrap());
        assert!(is_refused(&rules.check(Some(&agent), "build agent")));
        // Of another organisation; and one whose common name only looks like alice's subject.
        let other = shows("CN=alice,O=Other", Some("alice"));
        assert!(is_refused(&rules.check(Some(&other), "alice")));
        let like = shows("CN=CN\\=alice\\,O\\=Example", Some("CN=alice,O=Example"));
        assert!(is_refused(&rules.check(Some(&like), "alice")));
    }
}
