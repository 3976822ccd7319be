#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::LazyLock;

use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use proptest::prelude::*;

use super::*;

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| Verifier::of_password("pencil").unwrap());

/// The hash of a certificate, as it might be.
const HASH: [u8; 32] = [7; 32];

fn bound() -> Channel {
    Channel::EndPoint(HASH.to_vec())
}

fn plain(verifier: &Verifier) -> ScramExchange {
    ScramExchange::new(verifier.clone(), Channel::Unbindable)
}

fn run(verifier: &Verifier, password: &str) -> Result<(), ScramError> {
    run_bound(
        verifier,
        password,
        Channel::Unbindable,
        ChannelBinding::unsupported(),
    )
}

fn run_bound(
    verifier: &Verifier,
    password: &str,
    channel: Channel,
    binding: ChannelBinding,
) -> Result<(), ScramError> {
    let mut client = ScramSha256::new(password.as_bytes(), binding);
    let mut server = ScramExchange::new(verifier.clone(), channel);
    let server_first = server.client_first(client.message())?;
    client.update(&server_first).unwrap();
    let server_final = server.client_final(client.message())?;
    // The client in turn checks that this server has the verifier.
    client.finish(&server_final).unwrap();
    Ok(())
}

#[test]
fn a_client_with_the_password_gets_in() {
    assert_eq!(run(&VERIFIER, "pencil"), Ok(()));
    let unicode = Verifier::of_password("\u{2168}\u{ad}").unwrap();
    assert_eq!(run(&unicode, "IX"), Ok(()));
}

#[test]
fn the_example_of_the_standard_runs_to_its_end() {
    // RFC 7677, section 3.
    let verifier = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$\
                    WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
    let mut server = plain(&verifier.parse().unwrap());
    let server_first = server
        .challenge(
            b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
            "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        )
        .unwrap();
    let expected = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    assert_eq!(String::from_utf8(server_first).unwrap(), expected);
    let server_final = server
        .client_final(
            b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
              p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        )
        .unwrap();
    assert_eq!(server_final, b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

#[test]
fn a_client_that_sees_the_servers_certificate_gets_in() {
    let sees = |hash: [u8; 32]| ChannelBinding::tls_server_end_point(hash.to_vec());
    assert_eq!(run_bound(&VERIFIER, "pencil", bound(), sees(HASH)), Ok(()));
    assert_eq!(
        run_bound(&VERIFIER, "pencils", bound(), sees(HASH)),
        Err(ScramError::Password)
    );
    // Somebody between the two has another certificate.
    assert_eq!(
        run_bound(&VERIFIER, "pencil", bound(), sees([8; 32])),
        Err(ScramError::Binding)
    );
}

#[test]
fn the_flag_must_be_what_the_mechanism_says() {
    let first = |channel: Channel, flag: &str| {
        ScramExchange::new(VERIFIER.clone(), channel)
            .client_first(format!("{flag},,n=,r=abc").as_bytes())
            .map(drop)
    };
    let is_malformed = |result| matches!(result, Err(ScramError::Malformed(_)));
    let end_point = "p=tls-server-end-point";
    for flag in ["n", "y"] {
        assert_eq!(first(Channel::Unbindable, flag), Ok(()));
        assert!(is_malformed(first(bound(), flag)), "{flag}");
    }
    assert_eq!(first(Channel::Unbound, "n"), Ok(()));
    // A client that could bind believes that the server cannot: somebody has hidden the offer.
    assert_eq!(first(Channel::Unbound, "y"), Err(ScramError::Downgrade));
    assert_eq!(first(bound(), end_point), Ok(()));
    for channel in [Channel::Unbindable, Channel::Unbound] {
        assert!(is_malformed(first(channel, end_point)));
    }
    for flag in [
        "p=tls-unique",
        "p=tls-exporter",
        "p=",
        "p",
        "P=tls-server-end-point",
        "x",
        "",
    ] {
        for channel in [Channel::Unbindable, Channel::Unbound, bound()] {
            assert!(is_malformed(first(channel, flag)), "{flag}");
        }
    }
}

#[test]
fn the_last_message_repeats_the_header_and_the_hash() {
    let right = [b"p=tls-server-end-point,,", &HASH[..]].concat();
    for binding in [
        &b"n,,"[..],
        b"y,,",
        b"",
        b"p=tls-server-end-point,,",
        &[b"p=tls-unique,,", &HASH[..]].concat(),
        &[&right[..], b"x"].concat(),
        &right[..right.len() - 1],
        &right,
    ] {
        let mut server = ScramExchange::new(VERIFIER.clone(), bound());
        let server_first = server.client_first(b"p=tls-server-end-point,,n=,r=abc").unwrap();
        let server_first = String::from_utf8(server_first).unwrap();
        let nonce = server_first.split(',').next().unwrap();
        let proof = STANDARD.encode([0; 32]);
        let message = format!("c={},{nonce},p={proof}", STANDARD.encode(binding));
        let expected = if binding == right {
            ScramError::Password
        } else {
            ScramError::Binding
        };
        assert_eq!(
            server.client_final(message.as_bytes()),
            Err(expected),
            "{binding:?}"
        );
    }
}

#[test]
fn failures_look_alike_whether_or_not_there_is_such_a_user() {
    let mock = Verifier::mock("nobody", &[1; 32]);
    assert_eq!(run(&VERIFIER, "pencils"), Err(ScramError::Password));
    assert_eq!(run(&mock, "pencil"), Err(ScramError::Password));
    for message in [&b"n"[..], b"y,,n=,r=", b"p=x,,n=,r=abc"] {
        assert_eq!(
            plain(&VERIFIER).client_first(message),
            plain(&mock).client_first(message)
        );
    }
}

#[test]
fn the_challenge_of_an_unknown_user_stays_the_same() {
    let challenge = |verifier: Verifier| {
        let answer = plain(&verifier).client_first(b"n,,n=,r=abc").unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (nonce, rest) = answer.split_once(',').unwrap();
        assert!(nonce.starts_with("r=abc"));
        rest.to_owned()
    };
    let first = challenge(Verifier::mock("nobody", &[1; 32]));
    assert_eq!(first, challenge(Verifier::mock("nobody", &[1; 32])));
    assert_eq!(first.len(), challenge(VERIFIER.clone()).len());
}

#[test]
fn malformed_first_messages_are_refused() {
    let long_nonce = format!("n,,n=,r={}", "x".repeat(257));
    let long_name = format!("n,,n={},r=abc", "x".repeat(1024));
    for message in [
        &b""[..],
        b"n",
        b"n,",
        b"n,,",
        b"n,,n=",
        b"n,,n=,",
        b"n,,n=,r=",
        b"n,,n=,r=a b",
        b"n,,n=,r=\xc3\xa9",
        b"n,,n=,r=a\0b",
        b"n,,n=,r=\xff",
        b"n,,n=,r=abc,",
        b"n,,n=,r=abc,x",
        b"n,,n=,r=abc,1=x",
        b"x,,n=,r=abc",
        b"n,a=bob,n=,r=abc",
        b"n,,m=1,n=,r=abc",
        b"p=tls-server-end-point,,n=,r=abc",
        b"n,,r=abc,n=",
        long_nonce.as_bytes(),
        long_name.as_bytes(),
    ] {
        let mut server = plain(&VERIFIER);
        assert!(
            server.client_first(message).is_err(),
            "{}",
            String::from_utf8_lossy(message)
        );
        assert!(
            server.client_first(b"n,,n=,r=abc").is_err(),
            "the exchange is over"
        );
    }
    // Extensions that may be ignored are.
    assert!(plain(&VERIFIER).client_first(b"n,,n=alice,r=abc,x=1,y=").is_ok());
}

#[test]
fn a_proof_holds_once_and_in_its_turn() {
    let mut client = ScramSha256::new(b"pencil", ChannelBinding::unrequested());
    let mut server = plain(&VERIFIER);
    assert!(plain(&VERIFIER).client_final(b"c=biws,r=abc,p=").is_err());
    client
        .update(&server.client_first(client.message()).unwrap())
        .unwrap();
    let proof = client.message().to_vec();
    server.client_final(&proof).unwrap();
    assert_eq!(server.client_final(&proof), OUT_OF_TURN);
    let mut other = plain(&VERIFIER);
    other.client_first(b"y,,n=,r=abc").unwrap();
    assert_eq!(
        other.client_final(&proof),
        malformed("the nonce does not match"),
        "the nonce is another"
    );
}

proptest! {
    #[test]
    fn no_first_message_makes_it_panic(message in hostile("(n|y|p=x|),(a=x|),(n=|m=)x?,(r=|)[a-z,=]{0,9}")) {
        let _ = plain(&VERIFIER).client_first(&message);
    }

    #[test]
    fn no_final_message_makes_it_panic_or_gets_in(
        message in hostile("(c=biws|c=|),(r=abc|r=|)[a-z]{0,3}(,p=[A-Za-z0-9+/é]{0,50}=?){0,2}"),
    ) {
        let mut server = plain(&VERIFIER);
        server.client_first(b"n,,n=,r=abc").unwrap();
        prop_assert!(server.client_final(&message).is_err());
    }

    #[test]
    fn a_changed_bit_of_the_proof_is_noticed(
        position in any::<prop::sample::Index>(),
        bit in 0_u32..8,
        is_bound in any::<bool>(),
    ) {
        let (channel, binding) = if is_bound {
            (bound(), ChannelBinding::tls_server_end_point(HASH.to_vec()))
        } else {
            (Channel::Unbound, ChannelBinding::unsupported())
        };
        let mut client = ScramSha256::new(b"pencil", binding);
        let mut server = ScramExchange::new(VERIFIER.clone(), channel);
        client.update(&server.client_first(client.message()).unwrap()).unwrap();
        let mut message = client.message().to_vec();
        let position = position.index(message.len());
        message[position] ^= 1_u8 << bit;
        prop_assert!(server.client_final(&message).is_err());
    }
}

fn hostile(like: &'static str) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..200),
        any::<String>().prop_map(String::into_bytes),
        like.prop_map(String::into_bytes),
    ]
}
