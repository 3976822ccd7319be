//! Dates, times and intervals, in ISO style; instants in UTC.
//!
//! PostgreSQL's calendar goes from 4713 BC to 5874897 AD, more than those of date libraries do, so the civil
//! arithmetic is here.
//!
//! Source: `src/backend/utils/adt/datetime.c`, `date.c`, `timestamp.c`; `src/include/datatype/timestamp.h`.

use std::fmt::Write as _;

use crate::wire::{Fields, Malformed};

use super::decode::i64;
use super::out::Out;

const DAY: i64 = 86_400_000_000;
const HOUR: i64 = 3_600_000_000;
const MINUTE: i64 = 60_000_000;
const SECOND: i64 = 1_000_000;

/// The days that exist, counted from 2000-01-01: from the first of the Julian days to `DATE_END_JULIAN`.
const DATES: std::ops::Range<i32> = -2_451_545..2_145_031_949;
/// The microseconds that exist, counted from 2000-01-01 (`MIN_TIMESTAMP`, `END_TIMESTAMP`).
const TIMESTAMPS: std::ops::Range<i64> = -211_813_488_000_000_000..9_223_371_331_200_000_000;
/// The seconds that a time zone may be away from UTC (`TZDISP_LIMIT`), exclusive.
const ZONE_LIMIT: u32 = 16 * 3600;

/// Days since 2000-01-01; the extremes are infinities.
pub(super) fn date(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    match fields.i32()? {
        i32::MAX => out.push_str("infinity"),
        i32::MIN => out.push_str("-infinity"),
        days if DATES.contains(&days) => {
            let era = write_day(days.into(), out);
            out.push_str(era);
        }
        _ => return Err(Malformed("a date out of range")),
    }
    Ok(())
}

/// Microseconds since 2000-01-01, without a time zone.
pub(super) fn timestamp(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    instant(fields, "", out)
}

/// Microseconds since 2000-01-01 UTC.
pub(super) fn timestamptz(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    instant(fields, "+00", out)
}

fn instant(fields: &mut Fields<'_>, zone: &str, out: &mut Out) -> Result<(), Malformed> {
    match i64(fields)? {
        i64::MAX => out.push_str("infinity"),
        i64::MIN => out.push_str("-infinity"),
        micros if TIMESTAMPS.contains(&micros) => {
            let era = write_day(micros.div_euclid(DAY), out);
            out.push(' ');
            write_clock(micros.rem_euclid(DAY), out);
            out.push_str(zone);
            out.push_str(era);
        }
        _ => return Err(Malformed("a timestamp out of range")),
    }
    Ok(())
}

/// Microseconds since midnight; 24:00:00 is one of them.
pub(super) fn time(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    let micros = i64(fields)?;
    if !(0..=DAY).contains(&micros) {
        return Err(Malformed("a time out of range"));
    }
    write_clock(micros, out);
    Ok(())
}

/// As `time`, and how many seconds its zone is west of UTC.
pub(super) fn timetz(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    time(fields, out)?;
    let west = fields.i32()?;
    let away = west.unsigned_abs();
    if away >= ZONE_LIMIT {
        return Err(Malformed("a time zone out of range"));
    }
    let sign = if west > 0 { '-' } else { '+' };
    let _ = write!(out, "{sign}{:02}", away / 3600);
    if !away.is_multiple_of(3600) {
        let _ = write!(out, ":{:02}", away / 60 % 60);
    }
    if !away.is_multiple_of(60) {
        let _ = write!(out, ":{:02}", away % 60);
    }
    Ok(())
}

/// Microseconds, days and months, each with a sign of its own.
pub(super) fn interval(fields: &mut Fields<'_>, out: &mut Out) -> Result<(), Malformed> {
    let (micros, days, months) = (i64(fields)?, fields.i32()?, fields.i32()?);
    match (micros, days, months) {
        // From version 17; before, these were the longest intervals there were.
        (i64::MAX, i32::MAX, i32::MAX) => out.push_str("infinity"),
        (i64::MIN, i32::MIN, i32::MIN) => out.push_str("-infinity"),
        _ => write_interval(micros, days, months, out),
    }
    Ok(())
}

/// In PostgreSQL's own style: `1 year 2 mons -3 days +04:05:06`.
fn write_interval(micros: i64, days: i32, months: i32, out: &mut Out) {
    let (mut is_first, mut after_negative) = (true, false);
    for (number, unit) in [(months / 12, "year"), (months % 12, "mon"), (days, "day")] {
        if number != 0 {
            let space = if is_first { "" } else { " " };
            let plus = if after_negative && number > 0 { "+" } else { "" };
            let plural = if number == 1 { "" } else { "s" };
            let _ = write!(out, "{space}{plus}{number} {unit}{plural}");
            (is_first, after_negative) = (false, number < 0);
        }
    }
    if is_first || micros != 0 {
        let space = if is_first { "" } else { " " };
        let sign = match (micros < 0, after_negative) {
            (true, _) => "-",
            (false, true) => "+",
            (false, false) => "",
        };
        out.push_str(space);
        out.push_str(sign);
        let micros = micros.unsigned_abs();
        let hour = HOUR.unsigned_abs();
        // The hours may be many; what is left of them is less than one.
        write_hours(micros / hour, i64::try_from(micros % hour).unwrap_or(0), out);
    }
}

/// Writes a day that is counted from 2000-01-01, and gives the era that stands at the very end.
fn write_day(days: i64, out: &mut Out) -> &'static str {
    let (year, month, day) = civil(days);
    let (shown, era) = if year > 0 { (year, "") } else { (1 - year, " BC") };
    let _ = write!(out, "{shown:04}-{month:02}-{day:02}");
    era
}

/// Year, month and day in the Gregorian calendar; the year before 1 is 0.
fn civil(days: i64) -> (i64, i64, i64) {
    // Counted from 0000-03-01: leap days are then the last of their years, and 400 years the same as any other.
    const MARCH_OF_YEAR_0: i64 = 730_425;
    const FOUR_CENTURIES: i64 = 146_097;
    let days = days + MARCH_OF_YEAR_0;
    let (cycle, day) = (days.div_euclid(FOUR_CENTURIES), days.rem_euclid(FOUR_CENTURIES));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (year + cycle * 400 + i64::from(month <= 2), month, day)
}

fn write_clock(micros: i64, out: &mut Out) {
    write_hours((micros / HOUR).unsigned_abs(), micros % HOUR, out);
}

/// Hours, and the microseconds of the last of them.
fn write_hours(hours: u64, micros: i64, out: &mut Out) {
    let (minute, second) = (micros / MINUTE, micros % MINUTE / SECOND);
    let _ = write!(out, "{hours:02}:{minute:02}:{second:02}");
    let fraction = micros % SECOND;
    if fraction != 0 {
        out.push_str(format!(".{fraction:06}").trim_end_matches('0'));
    }
}
