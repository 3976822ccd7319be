//! What is refused before it is parsed, because parsing would be wrong or would take too long.

/// The longest run of operator characters that is parsed. The scanner's time grows with the
/// square of such a run (400 kB of `/*` take minutes); the longest in honest texts is 8, and a
/// line of a comment rarely longer than 120.
const MAX_OPERATOR_RUN: usize = 300;

/// The most separators (commas, dots and semicolons, wherever they stand) in a text that is
/// parsed. A tree takes up to five kilobytes for each: `SELECT a,a,a…` of 1 MB would take 2.5 GB.
const MAX_SEPARATORS: usize = 200_000;

/// Texts with more separators than this take enough memory to be parsed one at a time.
const HEAVY_SEPARATORS: usize = 20_000;

/// The text, if it can be parsed; else why not.
pub(super) fn screen(text: &[u8], max_text: usize) -> Result<&str, Refusal> {
    if text.len() > max_text {
        return Err(Refusal::TooLong);
    }
    if text.contains(&0) {
        return Err(Refusal::Nul);
    }
    if separators(text) > MAX_SEPARATORS {
        return Err(Refusal::TooMany);
    }
    let text = str::from_utf8(text).map_err(|_| Refusal::NotUtf8)?;
    if has_long_operator(text.as_bytes()) {
        return Err(Refusal::LongOperator);
    }
    Ok(text)
}

/// Whether parsing the text takes much memory: up to a gigabyte.
pub(super) fn is_heavy(text: &[u8]) -> bool {
    text.len() > HEAVY_SEPARATORS && separators(text) > HEAVY_SEPARATORS
}

fn separators(text: &[u8]) -> usize {
    text.iter()
        .filter(|byte| matches!(byte, b',' | b'.' | b';'))
        .count()
}

/// Why a text is not parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("it is longer than texts that are judged")]
    TooLong,
    #[error("it holds a NUL byte, at which the server would stop reading")]
    Nul,
    #[error("it lists more than {MAX_SEPARATORS} things: split it")]
    TooMany,
    #[error("it is not valid UTF-8")]
    NotUtf8,
    #[error("it holds a run of more than {MAX_OPERATOR_RUN} operator characters")]
    LongOperator,
}

fn has_long_operator(text: &[u8]) -> bool {
    // Any run that is longer covers a position that is a multiple of the limit: look there first.
    (0..text.len()).step_by(MAX_OPERATOR_RUN).any(|at| {
        let run = |bytes: &mut dyn Iterator<Item = &u8>| bytes.take_while(|b| is_operator(**b)).count();
        is_operator(text[at])
            && run(&mut text[..at].iter().rev()) + run(&mut text[at..].iter()) > MAX_OPERATOR_RUN
    })
}

/// The characters of `op_chars` in PostgreSQL's `scan.l`.
const fn is_operator(byte: u8) -> bool {
    matches!(
        byte,
        b'~' | b'!'
            | b'@'
            | b'#'
            | b'^'
            | b'&'
            | b'|'
            | b'`'
            | b'?'
            | b'+'
            | b'-'
            | b'*'
            | b'/'
            | b'%'
            | b'<'
            | b'>'
            | b'='
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_parsed_is_refused() {
        assert_eq!(screen(b"SELECT 1", 8), Ok("SELECT 1"));
        assert_eq!(screen(b"SELECT 1", 7), Err(Refusal::TooLong));
        assert_eq!(screen(b"SELECT 1\0; DROP TABLE t", 100), Err(Refusal::Nul));
        assert_eq!(screen(b"SELECT '\xff'", 100), Err(Refusal::NotUtf8));
        assert_eq!(screen(b"", 0), Ok(""));
        let list = |n: usize| format!("SELECT 1{}", ",1".repeat(n));
        assert!(screen(list(MAX_SEPARATORS).as_bytes(), 1_000_000).is_ok());
        assert_eq!(
            screen(list(MAX_SEPARATORS + 1).as_bytes(), 1_000_000),
            Err(Refusal::TooMany)
        );
        assert!(
            is_heavy(list(HEAVY_SEPARATORS + 1).as_bytes()) && !is_heavy(list(HEAVY_SEPARATORS).as_bytes())
        );
    }

    #[test]
    fn runs_of_operator_characters_are_counted_wherever_they_stand() {
        for before in 0..(2 * MAX_OPERATOR_RUN) {
            let text = |n: usize| format!("{}{}x", "a".repeat(before), "/".repeat(n));
            assert!(!has_long_operator(text(MAX_OPERATOR_RUN).as_bytes()), "{before}");
            assert!(
                has_long_operator(text(MAX_OPERATOR_RUN + 1).as_bytes()),
                "{before}"
            );
        }
        assert!(!has_long_operator("+ ".repeat(10_000).as_bytes()));
    }
}
