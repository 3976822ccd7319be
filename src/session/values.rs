//! Bound values as text for people. Display only: what runs are the client's bytes.
//!
//! Source: PostgreSQL's `pg_type.dat` for the OIDs, the types' `*_send` functions for the binary forms.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp, civil};

use crate::model::Parameter;
use crate::wire::frontend::Bind;

/// At most this many characters of a value are shown.
const SHOWN: usize = 8 * 1024;

/// The values of a Bind, decoded as far as their types are known.
pub(super) fn parameters(bind: &Bind<'_>, types: &[u32]) -> Vec<Parameter> {
    bind.values()
        .enumerate()
        .map(|(i, (binary, value))| {
            let oid = types.get(i).copied().unwrap_or(0);
            let value = value.map(|bytes| shorten(if binary { decode(oid, bytes) } else { text(bytes) }));
            Parameter {
                value,
                r#type: type_name(oid).map(str::to_owned),
            }
        })
        .collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn shorten(mut value: String) -> String {
    if let Some((cut, _)) = value.char_indices().nth(SHOWN) {
        let left = value.len() - cut;
        value.truncate(cut);
        let _ = write!(value, "… ({left} more bytes)");
    }
    value
}

fn decode(oid: u32, bytes: &[u8]) -> String {
    known(oid, bytes).unwrap_or_else(|| hexadecimal(bytes))
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut out = String::from("\\x");
    for byte in bytes.iter().take(SHOWN / 2) {
        // Writing to a String does not fail.
        let _ = write!(out, "{byte:02x}");
    }
    if bytes.len() > SHOWN / 2 {
        let _ = write!(out, "… ({} bytes in all)", bytes.len());
    }
    out
}

/// The value, where its type is known here and its bytes fit it.
fn known(oid: u32, bytes: &[u8]) -> Option<String> {
    Some(match oid {
        16 => (*bytes == [1]).to_string(),
        20 => i64::from_be_bytes(bytes.try_into().ok()?).to_string(),
        21 => i16::from_be_bytes(bytes.try_into().ok()?).to_string(),
        23 => i32::from_be_bytes(bytes.try_into().ok()?).to_string(),
        26 => u32::from_be_bytes(bytes.try_into().ok()?).to_string(),
        700 => f32::from_be_bytes(bytes.try_into().ok()?).to_string(),
        701 => f64::from_be_bytes(bytes.try_into().ok()?).to_string(),
        18 | 19 | 25 | 114 | 142 | 705 | 1042 | 1043 => std::str::from_utf8(bytes).ok()?.to_owned(),
        3802 => std::str::from_utf8(bytes.strip_prefix(&[1])?).ok()?.to_owned(),
        2950 => uuid::Uuid::from_slice(bytes).ok()?.to_string(),
        1082 => date(i32::from_be_bytes(bytes.try_into().ok()?))?,
        1114 => civil_time(i64::from_be_bytes(bytes.try_into().ok()?))?,
        1184 => instant(i64::from_be_bytes(bytes.try_into().ok()?))?,
        1700 => numeric(bytes)?,
        _ => return None,
    })
}

/// Days since 2000-01-01; the extremes are infinities.
fn date(days: i32) -> Option<String> {
    match days {
        i32::MAX => Some("infinity".to_owned()),
        i32::MIN => Some("-infinity".to_owned()),
        days => Some(
            civil::date(2000, 1, 1)
                .checked_add(jiff::Span::new().try_days(days).ok()?)
                .ok()?
                .to_string(),
        ),
    }
}

/// Microseconds since 2000-01-01, without a time zone.
fn civil_time(micros: i64) -> Option<String> {
    let epoch = civil::date(2000, 1, 1).at(0, 0, 0, 0);
    match micros {
        i64::MAX => Some("infinity".to_owned()),
        i64::MIN => Some("-infinity".to_owned()),
        micros => Some(
            epoch
                .checked_add(SignedDuration::from_micros(micros))
                .ok()?
                .to_string(),
        ),
    }
}

/// Microseconds since 2000-01-01 UTC.
fn instant(micros: i64) -> Option<String> {
    const EPOCH_SECONDS: i64 = 946_684_800;
    match micros {
        i64::MAX => Some("infinity".to_owned()),
        i64::MIN => Some("-infinity".to_owned()),
        micros => {
            let epoch = Timestamp::from_second(EPOCH_SECONDS).ok()?;
            Some(
                epoch
                    .checked_add(SignedDuration::from_micros(micros))
                    .ok()?
                    .to_string(),
            )
        }
    }
}

/// Base-10000 digits with weight, sign and scale (`numeric_send`).
fn numeric(bytes: &[u8]) -> Option<String> {
    let mut words = bytes.chunks_exact(2).map(|c| i16::from_be_bytes([c[0], c[1]]));
    let count = usize::try_from(words.next()?).ok()?;
    let (weight, sign, scale) = (words.next()?, words.next()?, usize::try_from(words.next()?).ok()?);
    let digits: Vec<i16> = words.collect();
    match sign.cast_unsigned() {
        0x0000 | 0x4000 => {}
        0xc000 => return Some("NaN".to_owned()),
        0xd000 => return Some("Infinity".to_owned()),
        0xf000 => return Some("-Infinity".to_owned()),
        _ => return None,
    }
    if digits.len() != count || !digits.iter().all(|d| (0..10_000).contains(d)) || scale > SHOWN {
        return None;
    }
    let digit = |place: i32| {
        usize::try_from(i32::from(weight) - place)
            .ok()
            .and_then(|i| digits.get(i))
            .copied()
            .unwrap_or(0)
    };
    let mut out = String::from(if sign == 0 { "" } else { "-" });
    let mut whole = String::new();
    for place in (0..=i32::from(weight).max(0)).rev() {
        let _ = write!(whole, "{:04}", digit(place));
    }
    let whole = whole.trim_start_matches('0');
    out.push_str(if whole.is_empty() { "0" } else { whole });
    if scale > 0 {
        let mut fraction = String::new();
        let mut place = -1;
        while fraction.len() < scale {
            let _ = write!(fraction, "{:04}", digit(place));
            place -= 1;
        }
        fraction.truncate(scale);
        out.push('.');
        out.push_str(&fraction);
    }
    Some(out)
}

/// Names of the types decoded here and of their arrays.
fn type_name(oid: u32) -> Option<&'static str> {
    Some(match oid {
        16 => "bool",
        17 => "bytea",
        18 => "char",
        19 => "name",
        20 => "int8",
        21 => "int2",
        23 => "int4",
        25 => "text",
        26 => "oid",
        114 => "json",
        142 => "xml",
        700 => "float4",
        701 => "float8",
        705 => "unknown",
        1000 => "bool[]",
        1005 => "int2[]",
        1007 => "int4[]",
        1009 => "text[]",
        1015 => "varchar[]",
        1016 => "int8[]",
        1042 => "bpchar",
        1043 => "varchar",
        1082 => "date",
        1083 => "time",
        1114 => "timestamp",
        1184 => "timestamptz",
        1186 => "interval",
        1266 => "timetz",
        1700 => "numeric",
        2950 => "uuid",
        2951 => "uuid[]",
        3802 => "jsonb",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_values_read_as_their_text() {
        let numeric_12345_678: &[u8] = &[0, 3, 0, 1, 0, 0, 0, 3, 0, 1, 0x09, 0x29, 0x1a, 0x7c];
        let cases: [(u32, &[u8], &str); 13] = [
            (16, &[1], "true"),
            (20, &(-7_i64).to_be_bytes(), "-7"),
            (21, &7_i16.to_be_bytes(), "7"),
            (23, &i32::MIN.to_be_bytes(), "-2147483648"),
            (701, &1.5_f64.to_be_bytes(), "1.5"),
            (25, "grün".as_bytes(), "grün"),
            (3802, b"\x01{}", "{}"),
            (1082, &366_i32.to_be_bytes(), "2001-01-01"),
            (1114, &1_500_000_i64.to_be_bytes(), "2000-01-01T00:00:01.5"),
            (1184, &0_i64.to_be_bytes(), "2000-01-01T00:00:00Z"),
            (1700, numeric_12345_678, "12345.678"),
            (17, &[0xde, 0xad], "\\xdead"),
            (23, &[1], "\\x01"),
        ];
        for (oid, bytes, expected) in cases {
            assert_eq!(decode(oid, bytes), expected, "oid {oid}");
        }
    }

    #[test]
    fn small_and_negative_numerics() {
        // 0.05 and -0.0001: no digits left of the point.
        assert_eq!(
            numeric(&[0, 1, 0xff, 0xff, 0, 0, 0, 2, 0x01, 0xf4]).as_deref(),
            Some("0.05")
        );
        assert_eq!(
            numeric(&[0, 1, 0xff, 0xff, 0x40, 0, 0, 4, 0, 1]).as_deref(),
            Some("-0.0001")
        );
        assert_eq!(numeric(&[0, 0, 0, 0, 0, 0, 0, 0]).as_deref(), Some("0"));
        assert_eq!(numeric(&[0, 0, 0, 0, 0xc0, 0, 0, 0]).as_deref(), Some("NaN"));
        assert_eq!(numeric(&[0, 9, 0, 0]), None);
    }

    #[test]
    fn long_values_are_cut_and_say_so() {
        let shown = shorten("é".repeat(SHOWN + 1));
        assert!(
            shown.ends_with("… (2 more bytes)"),
            "{}",
            &shown[shown.len() - 30..]
        );
    }
}
