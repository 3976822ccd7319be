//! Sizes as people write them: `64MiB`, `512KiB`, `1048576`.

/// The units, largest first, with their bytes.
const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Reads a whole number with one of the units `B`, `KiB`, `MiB`, `GiB`, or without: bytes.
///
/// `MB` and the like are refused: half of the world reads them as 10⁶, the other half as 2²⁰.
///
/// # Errors
/// A sentence that says what is wrong.
pub(super) fn parse(text: &str) -> Result<u64, String> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let not_a_size = |why: &str| {
        format!("\"{text}\" is not a size: {why} (write \"64MiB\", \"512KiB\" or a number of bytes)")
    };
    if digits.is_empty() {
        return Err(not_a_size("a whole number is expected first"));
    }
    let unit = unit.trim_start();
    let bytes = match UNITS.iter().find(|(name, _)| *name == unit) {
        Some((_, bytes)) => *bytes,
        None if unit.is_empty() => 1,
        None => return Err(not_a_size("the units are B, KiB, MiB and GiB")),
    };
    digits
        .parse::<u64>()
        .ok()
        .and_then(|count| count.checked_mul(bytes))
        .ok_or_else(|| not_a_size("it is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        for (text, bytes) in [
            ("0", 0),
            ("1048576", 1 << 20),
            ("512B", 512),
            ("512KiB", 512 << 10),
            ("64MiB", 64 << 20),
            ("64 MiB", 64 << 20),
            ("2GiB", 2 << 30),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused_with_the_reason() {
        for (text, why) in [
            ("", "a whole number is expected first"),
            ("MiB", "a whole number is expected first"),
            ("-1", "a whole number is expected first"),
            ("64MB", "the units are B, KiB, MiB and GiB"),
            ("64mib", "the units are B, KiB, MiB and GiB"),
            ("1.5GiB", "the units are B, KiB, MiB and GiB"),
            ("99999999999999999999", "it is too large"),
            ("18446744073709551615GiB", "it is too large"),
        ] {
            assert!(parse(text).is_err_and(|message| message.contains(why)), "{text}");
        }
    }
}
