//! A login that the server itself decides on: its questions and the client's answers pass as they are.
//!
//! Nothing but `p` messages goes upstream, one for each question, and none is looked at further than SCRAM's
//! first letter. Passwords are never logged and live no longer than their message. What the operator demands of
//! the server's questions (`require_auth`) is looked at before the client hears them: it is the client's password
//! that a false server would ask for. And a server that asks nothing has let in holdpoint, by its address or
//! certificate; for whom, it does not know. Unless the operator has said that this will do, nobody is let in.
//!
//! Source: PostgreSQL manual, "Message Flow", "Start-up", and "SASL Authentication".

use super::super::Fault;
use super::super::leg::Leg;
use super::{MAX_SASL_MESSAGE, answer, drain, refused};
use crate::upstream::{ConnectError, Methods, Pending};
use crate::wire::frame::HEADER;
use crate::wire::{Fields, FrameReader, Malformed, ReadError, Report, reply, sqlstate};

/// The one mechanism that passes. With channel binding (`SCRAM-SHA-256-PLUS`) the client proves which TLS
/// connection it is on, and it is never on the server's own.
const MECHANISM: &str = "SCRAM-SHA-256";
/// The largest password message, its length included (`PG_MAX_AUTH_TOKEN_LENGTH` in `src/include/libpq/auth.h`).
const MAX_PASSWORD_MESSAGE: usize = 65_535;

/// What an Authentication message of the server's asks for.
#[derive(Debug, PartialEq, Eq)]
enum Question {
    /// Nothing: the client is who it says it is.
    Done,
    /// Nothing: it is the last message of an exchange.
    Told,
    /// A password, as it is.
    Password,
    /// A password, hashed.
    Md5,
    /// The first message of an exchange.
    Sasl {
        /// The server would take one with channel binding, too.
        binding: bool,
        /// The list is as the client may see it.
        verbatim: bool,
    },
    /// The next message of an exchange.
    SaslContinue,
}

/// Relays a login, up to AuthenticationOk, which then waits in `client` to be sent.
pub(in super::super) async fn relay(client: &mut Leg, server: &mut Pending, user: &str) -> Result<(), Fault> {
    let demanded = server.demands().methods;
    let mut is_asked = false;
    loop {
        let (tag, frame) = server.receive().await.map_err(Fault::upstream)?;
        if tag != b'R' {
            said(tag, frame, client)?;
            // A server that talks without end fills no memory of ours.
            drain(client).await?;
            continue;
        }
        let question = Question::read(&frame[HEADER..])?;
        question.will_do(is_asked, demanded, user)?;
        is_asked = true;
        match &question {
            Question::Sasl { verbatim: false, .. } => reply::authentication_sasl(&[MECHANISM], client.out()),
            _ => client.out().extend_from_slice(&frame),
        }
        match question {
            Question::Done => return Ok(()),
            Question::Told => {}
            question => {
                let message = ask(client, server, &question, user).await?;
                server.send(&message).await.map_err(Fault::upstream)?;
            }
        }
    }
}

/// What the server says beside its questions.
fn said(tag: u8, frame: Vec<u8>, client: &mut Leg) -> Result<(), Fault> {
    match tag {
        b'E' => Err(Fault::passed_through(ConnectError::refused(frame))),
        b'N' => {
            client.out().extend_from_slice(&frame);
            Ok(())
        }
        // The client's own wishes for the protocol were answered before.
        b'v' => Ok(()),
        _ => Err(Fault::upstream(ConnectError::Protocol(
            "an unexpected message during authentication",
        ))),
    }
}

/// Sends what waits, and gives the client's answer. The server may lose its patience meanwhile.
async fn ask(
    client: &mut Leg,
    server: &mut Pending,
    question: &Question,
    user: &str,
) -> Result<Vec<u8>, Fault> {
    let (what, limit) = match question {
        Question::Password | Question::Md5 => ("password response", MAX_PASSWORD_MESSAGE),
        _ => ("SASL response", MAX_SASL_MESSAGE),
    };
    let mut reader = FrameReader::default();
    let read = loop {
        drain(client).await?;
        tokio::select! {
            biased;
            read = reader.read(&mut client.stream, limit) => break read,
            received = server.receive() => {
                let (tag, frame) = received.map_err(Fault::upstream)?;
                said(tag, frame, client)?;
            }
        }
    };
    if limit == MAX_SASL_MESSAGE && matches!(read, Err(ReadError::Length { tag: b'p' })) {
        return Err(refused(user, "a message that is too long"));
    }
    let message = answer(read, what)?;
    if matches!(question, Question::Sasl { binding: true, .. }) && missed_binding(&message[HEADER..]) {
        return Err(Fault::StartupRefused(Box::new(cannot_bind())));
    }
    Ok(message)
}

impl Question {
    fn read(body: &[u8]) -> Result<Self, Fault> {
        let broken = |malformed: Malformed| Fault::upstream(malformed.into());
        let mut fields = Fields::of(body);
        match fields.i32().map_err(broken)? {
            0 => Ok(Self::Done),
            3 => Ok(Self::Password),
            5 => Ok(Self::Md5),
            10 => Self::of_mechanisms(fields)
                .map_err(broken)?
                .ok_or_else(|| unsupported("SASL")),
            11 => Ok(Self::SaslContinue),
            12 => Ok(Self::Told),
            2 => Err(unsupported("Kerberos V5")),
            7 | 8 => Err(unsupported("GSSAPI")),
            9 => Err(unsupported("SSPI")),
            _ => Err(unsupported("an unknown way")),
        }
    }

    /// Refuses what `require_auth` does not have. `is_asked`: it is not the first.
    fn will_do(&self, is_asked: bool, demanded: Option<Methods>, user: &str) -> Result<(), Fault> {
        let (is_good, method) = match self {
            Self::Done if !is_asked => (demanded.is_some_and(|methods| methods.none), "nothing"),
            Self::Password => (
                demanded.is_none_or(|methods| methods.password),
                "a cleartext password",
            ),
            Self::Md5 => (demanded.is_none_or(|methods| methods.md5), "an MD5 password"),
            Self::Sasl { .. } => (demanded.is_none_or(|methods| methods.scram), "SCRAM"),
            Self::Done | Self::Told | Self::SaslContinue => return Ok(()),
        };
        if is_good {
            return Ok(());
        }
        tracing::warn!(user.name = ?user, method, "a login is refused: require_auth does not have what the server asks for");
        Err(Fault::StartupRefused(Box::new(
            Report::fatal(
                sqlstate::INVALID_AUTHORIZATION,
                format!("the server asks for {method}, which holdpoint does not let pass"),
            )
            .hint("Tell the operator of holdpoint: require_auth of the database says what may be asked for."),
        )))
    }

    /// `None`: there is none that passes.
    fn of_mechanisms(mut fields: Fields<'_>) -> Result<Option<Self>, Malformed> {
        let (mut offered, mut binding, mut others) = (false, false, false);
        loop {
            match fields.cstr()? {
                b"" => break,
                mechanism if mechanism == MECHANISM.as_bytes() => offered = true,
                b"SCRAM-SHA-256-PLUS" => binding = true,
                _ => others = true,
            }
        }
        fields.end()?;
        Ok(offered.then_some(Self::Sasl {
            binding,
            verbatim: !binding && !others,
        }))
    }
}

/// Whether the client could have bound the channel and believes that the server cannot (`y` in RFC 5802,
/// section 6): a server that can takes this for an attack.
fn missed_binding(body: &[u8]) -> bool {
    let mut fields = Fields::of(body);
    fields.cstr().is_ok() && fields.i32().is_ok() && fields.rest().first() == Some(&b'y')
}

fn cannot_bind() -> Report {
    Report::fatal(
        sqlstate::INVALID_AUTHORIZATION,
        "SCRAM cannot pass through holdpoint while TLS is used on both of its sides",
    )
    .detail(
        "The server takes the missing channel binding for an attack, since TLS does not end at the client.",
    )
    .hint("Connect with channel_binding=disable.")
}

fn unsupported(method: &str) -> Fault {
    Fault::StartupRefused(Box::new(
        Report::fatal(
            sqlstate::FEATURE_NOT_SUPPORTED,
            format!("the server asks for authentication by {method}, which cannot pass through holdpoint"),
        )
        .hint(
            "Have pg_hba.conf ask holdpoint's host for scram-sha-256, or use auth = \"proxy\" for this database.",
        ),
    ))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn request(kind: i32, rest: &[u8]) -> Vec<u8> {
        [&kind.to_be_bytes()[..], rest].concat()
    }

    #[test]
    fn questions_are_understood() {
        let sasl = |binding, verbatim| Question::Sasl { binding, verbatim };
        for (kind, rest, question) in [
            (0, &b""[..], Question::Done),
            (3, b"", Question::Password),
            (5, b"salt", Question::Md5),
            (10, b"SCRAM-SHA-256\0\0", sasl(false, true)),
            (10, b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0", sasl(true, false)),
            (10, b"OAUTHBEARER\0SCRAM-SHA-256\0\0", sasl(false, false)),
            (11, b"r=x", Question::SaslContinue),
            (12, b"v=x", Question::Told),
        ] {
            assert_eq!(Question::read(&request(kind, rest)).unwrap(), question);
        }
    }

    #[test]
    fn what_the_operator_does_not_demand_is_not_asked() {
        let sasl = Question::Sasl {
            binding: false,
            verbatim: true,
        };
        let scram = Methods {
            scram: true,
            ..Methods::default()
        };
        let none = Methods {
            none: true,
            ..Methods::default()
        };
        for (question, is_asked, demanded, good) in [
            (&sasl, false, None, true),
            (&sasl, false, Some(scram), true),
            (&sasl, false, Some(none), false),
            (&Question::Password, false, None, true),
            (&Question::Password, false, Some(scram), false),
            (&Question::Md5, false, Some(scram), false),
            // A server that asks nothing knows nobody.
            (&Question::Done, false, None, false),
            (&Question::Done, false, Some(scram), false),
            (&Question::Done, false, Some(none), true),
            (&Question::Done, true, Some(scram), true),
        ] {
            let refused = question.will_do(is_asked, demanded, "alice").is_err();
            assert_eq!(!refused, good, "{question:?} {is_asked} {demanded:?}");
        }
    }

    #[test]
    fn what_cannot_pass_is_named() {
        for (kind, rest, name) in [
            (2, &b""[..], "Kerberos"),
            (7, b"", "GSSAPI"),
            (9, b"", "SSPI"),
            (10, b"SCRAM-SHA-256-PLUS\0\0", "SASL"),
            (10, b"OAUTHBEARER\0\0", "SASL"),
            (6, b"", "an unknown way"),
            (-1, b"", "an unknown way"),
        ] {
            match Question::read(&request(kind, rest)).unwrap_err() {
                Fault::StartupRefused(report) => assert!(report.message.contains(name), "{report:?}"),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn broken_questions_are_not_guessed_at() {
        for body in [
            &b""[..],
            b"\0\0\0",
            b"\0\0\0\x0a",
            b"\0\0\0\x0aSCRAM-SHA-256",
            b"\0\0\0\x0aSCRAM-SHA-256\0",
            b"\0\0\0\x0aSCRAM-SHA-256\0\0x",
        ] {
            assert!(
                matches!(Question::read(body), Err(Fault::Upstream(_))),
                "{body:?}"
            );
        }
    }

    #[test]
    fn a_client_that_missed_the_binding_is_noticed() {
        let first = |gs2: &str| [b"SCRAM-SHA-256\0\0\0\0\x0a", gs2.as_bytes(), b",,n=,r=x"].concat();
        assert!(missed_binding(&first("y")));
        assert!(!missed_binding(&first("n")));
        assert!(!missed_binding(b"SCRAM-SHA-256\0"));
        assert!(!missed_binding(b""));
    }
}
