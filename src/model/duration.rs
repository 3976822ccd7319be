//! Durations as people write them: `45s`, `30m`, `1h30m`, `2d`.
//!
//! Shared by the configuration and the policies, so that both read one notation.

use std::fmt::Write as _;
use std::time::Duration;

/// The units, largest first, with their milliseconds.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// The longest duration that is read: a year. It keeps every later sum of times in range.
pub const LONGEST: Duration = Duration::from_hours(365 * 24);

/// A text that is no duration, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not a duration: {why} (write \"45s\", \"30m\" or \"1h30m\")")]
pub struct InvalidDuration {
    text: String,
    why: &'static str,
}

/// Reads whole numbers with units (`d`, `h`, `m`, `s`, `ms`), the largest unit first, each at most
/// once, without spaces. At most [`LONGEST`]; zero is a duration.
pub fn parse(text: &str) -> Result<Duration, InvalidDuration> {
    sum_milliseconds(text)
        .map(Duration::from_millis)
        .map_err(|why| InvalidDuration {
            text: text.to_owned(),
            why,
        })
}

/// Writes a duration so that [`parse`] reads it back; what is finer than a millisecond is dropped.
#[must_use]
pub fn format(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, milliseconds) in UNITS {
        let count = rest / milliseconds;
        rest %= milliseconds;
        if count > 0 {
            // Writing to a String cannot fail.
            let _ = write!(text, "{count}{unit}");
        }
    }
    if text.is_empty() {
        text.push_str("0s");
    }
    text
}

fn sum_milliseconds(text: &str) -> Result<u64, &'static str> {
    const TOO_LONG: &str = "it is longer than a year";
    if text.is_empty() {
        return Err("it is empty");
    }
    let mut rest = text;
    let mut units = UNITS.as_slice();
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (digits, after) = split_where(rest, |c| !c.is_ascii_digit());
        if digits.is_empty() {
            return Err("a whole number is expected before each unit");
        }
        let (unit, after) = split_where(after, |c| !c.is_ascii_alphabetic());
        if unit.is_empty() {
            return Err("a unit is expected after each number");
        }
        if !UNITS.iter().any(|(name, _)| *name == unit) {
            return Err("the units are d, h, m, s and ms");
        }
        let Some(position) = units.iter().position(|(name, _)| *name == unit) else {
            return Err("the largest unit comes first, and each unit once");
        };
        let count: u64 = digits.parse().map_err(|_| TOO_LONG)?;
        total = count
            .checked_mul(units[position].1)
            .and_then(|milliseconds| total.checked_add(milliseconds))
            .filter(|sum| u128::from(*sum) <= LONGEST.as_millis())
            .ok_or(TOO_LONG)?;
        units = &units[position + 1..];
        rest = after;
    }
    Ok(total)
}

fn split_where(text: &str, at: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(at).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, seconds) in [
            ("0s", 0),
            ("45s", 45),
            ("30m", 1_800),
            ("1h30m", 5_400),
            ("90m", 5_400),
            ("2d", 172_800),
            ("1d2h3m4s", 93_784),
            ("365d", 31_536_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse("1s250ms"), Ok(Duration::from_millis(1_250)));
    }

    #[test]
    fn what_is_no_duration_is_refused_with_the_reason() {
        for (text, why) in [
            ("", "it is empty"),
            ("30", "a unit is expected after each number"),
            ("m", "a whole number is expected before each unit"),
            ("-5m", "a whole number is expected before each unit"),
            ("1.5h", "a unit is expected after each number"),
            ("30 m", "a unit is expected after each number"),
            ("30min", "the units are d, h, m, s and ms"),
            ("30M", "the units are d, h, m, s and ms"),
            ("٣s", "a whole number is expected before each unit"),
            ("30m1h", "the largest unit comes first, and each unit once"),
            ("1m1m", "the largest unit comes first, and each unit once"),
            ("366d", "it is longer than a year"),
            ("99999999999999999999s", "it is longer than a year"),
            ("18446744073709551615d", "it is longer than a year"),
        ] {
            assert_eq!(parse(text).unwrap_err().why, why, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(milliseconds in 0_u64..=31_536_000_000) {
            let duration = Duration::from_millis(milliseconds);
            prop_assert_eq!(parse(&format(duration)), Ok(duration));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[0-9dhms .-]{0,24}|.*") {
            let _ = parse(&text);
        }
    }
}
