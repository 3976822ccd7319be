//! Whether two sessions can be told apart.

use super::reply::Reply;
use super::transcript::Transcript;

/// How far an error of holdpoint's own must be the server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Words {
    /// In everything but the place in the server's source.
    Same,
    /// In severity and SQLSTATE.
    Own,
}

/// Compares the replies, byte for byte but for what legitimately differs.
pub(super) fn told_apart(
    transcript: &Transcript,
    direct: &[Reply],
    through: &[Reply],
    words: Words,
) -> Result<(), String> {
    // Both have one for every line of the transcript.
    for (number, (direct, through)) in direct.iter().zip(through).enumerate() {
        if !is_same(direct, through, words) {
            return Err(format!(
                "{}: reply {} is not the same:\n  directly\n    {}\n  through holdpoint\n    {}",
                transcript.place(1),
                number + 1,
                direct.in_full(),
                through.in_full()
            ));
        }
    }
    Ok(())
}

fn is_same(direct: &Reply, through: &Reply, words: Words) -> bool {
    let own = through.is_own_error();
    if own && words == Words::Own {
        return direct.severity_and_code() == through.severity_and_code();
    }
    let (direct, through) = (direct.clone().comparable(), through.clone().comparable());
    if own {
        direct.without_source() == through.without_source()
    } else {
        direct == through
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::raw::Message;

    fn error(fields: &[u8]) -> Reply {
        let body = fields.to_vec();
        Reply::Message(Message { tag: b'E', body })
    }

    #[test]
    fn an_error_of_holdpoints_own_has_no_source_and_may_have_its_own_words() {
        let direct = error(b"VERROR\0C08P01\0Mbad\0Fx.c\0L1\0Rf\0\0");
        let own = error(b"VERROR\0C08P01\0Mbad\0\0");
        let other_words = error(b"VERROR\0C08P01\0Mworse\0\0");
        let other_code = error(b"VERROR\0C08P02\0Mbad\0\0");
        let relayed_otherwise = error(b"VERROR\0C08P01\0Mworse\0Fx.c\0L1\0Rf\0\0");
        for (through, same, own_words) in [
            (&direct, true, true),
            (&own, true, true),
            (&other_words, false, true),
            (&other_code, false, false),
            (&relayed_otherwise, false, false),
        ] {
            assert_eq!(is_same(&direct, through, Words::Same), same, "{through:?}");
            assert_eq!(is_same(&direct, through, Words::Own), own_words, "{through:?}");
        }
    }
}
