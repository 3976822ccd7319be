//! The first packet of a connection.

use holdpoint::wire::startup::{Opening, encode_cancel, encode_startup, opening};

/// Takes the bytes for a packet behind its length.
///
/// # Panics
/// If what must hold does not.
pub fn check(packet: &[u8]) {
    let Ok(read) = opening(packet) else { return };
    for end in 0..packet.len() {
        let shorter = opening(&packet[..end]);
        // The secret of a cancel request has no end of its own; of other protocols no more is known.
        assert!(
            shorter.is_err() || matches!(shorter, Ok(Opening::Cancel { .. } | Opening::Unsupported { .. })),
            "{end} bytes of {packet:?}"
        );
    }
    match read {
        Opening::Ssl | Opening::GssEnc => assert_eq!(packet.len(), 4),
        Opening::Unsupported { major, .. } => assert_ne!(major, 3),
        Opening::Cancel { pid, secret } => {
            // One that is cut short names nobody.
            if packet.len() >= 8 {
                assert_eq!(&encode_cancel(pid, &secret)[4..], packet);
            } else {
                assert_eq!(pid, 0);
            }
        }
        Opening::Startup(startup) => {
            let pairs = startup.parameters.iter().map(|(n, v)| (n.as_str(), v.as_str()));
            let again = encode_startup(startup.minor, pairs);
            assert_eq!(again.len(), packet.len() + 4);
            assert_eq!(again[4..], *packet);
            let length = u32::try_from(again.len()).expect("a small packet").to_be_bytes();
            assert_eq!(again[..4], length);
            let Ok(Opening::Startup(second)) = opening(&again[4..]) else {
                panic!("{again:?} cannot be read");
            };
            assert_eq!(second, startup);
            for (name, _) in &startup.parameters {
                assert!(startup.parameter(name).is_some());
            }
        }
    }
}
