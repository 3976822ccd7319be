//! Days of the week and hours of the day, as the clocks of a place show them.
//!
//! A span that goes over midnight belongs to the day on which it begins: `fri` and `22:00-06:00` are the night
//! to Saturday. What the clock shows counts, also where it is put forward or back.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;

/// From Monday on, as a policy writes them.
const NAMES: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// Minutes of a whole day.
const DAY: i16 = 24 * 60;

/// When a rule is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Schedule {
    /// `None`: every day.
    pub(super) days: Option<Days>,
    /// `None`: all day.
    pub(super) hours: Option<Vec<Span>>,
    /// Whose clocks.
    pub(super) zone: TimeZone,
}

impl Schedule {
    /// Whether it is there at this moment. Does not allocate.
    pub(super) fn includes(&self, at: Timestamp) -> bool {
        let local = self.zone.to_datetime(at);
        let minute = i16::from(local.hour()) * 60 + i16::from(local.minute());
        let today = self.is_on(local.weekday());
        match &self.hours {
            None => today,
            Some(hours) => {
                let yesterday = self.is_on(local.weekday().previous());
                hours.iter().any(|span| {
                    today && span.has_on_its_day(minute) || yesterday && span.has_on_the_day_after(minute)
                })
            }
        }
    }

    fn is_on(&self, day: Weekday) -> bool {
        self.days.is_none_or(|days| days.contains(day))
    }

    /// What the clocks of the place show, as in `fri 22:15 in Europe/Berlin`.
    pub(super) fn local(&self, at: Timestamp) -> String {
        let local = self.zone.to_datetime(at);
        format!(
            "{} {:02}:{:02} in {}",
            name(local.weekday()),
            local.hour(),
            local.minute(),
            self.zone.iana_name().unwrap_or("UTC")
        )
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(days) = self.days {
            write!(f, "{days}")?;
        }
        if let Some(hours) = &self.hours {
            let hours: Vec<String> = hours.iter().map(ToString::to_string).collect();
            let gap = if self.days.is_some() { " at " } else { "" };
            write!(f, "{gap}{}", hours.join(", "))?;
        }
        Ok(())
    }
}

/// The time zone of a name of the IANA's database. The error is a sentence that names the text.
pub(super) fn time_zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name)
        .ok()
        .filter(|zone| !zone.is_unknown())
        .ok_or_else(|| {
            format!(
                "\"{name}\" is no time zone of this machine's tzdata: write the name of a place, as in \
                 \"Europe/Berlin\", or \"UTC\""
            )
        })
}

/// Days of the week, as a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Days(u8);

impl Days {
    /// Reads `mon`, `mon-fri`, or `sat-mon`, which goes over the end of the week.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let day = |word: &str| {
            NAMES
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(word))
                .map(|(_, day)| *day)
        };
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        let (Some(from), Some(to)) = (day(from), day(to)) else {
            return Err(format!(
                "\"{text}\" is no day: write mon, tue, wed, thu, fri, sat or sun, or \"mon-fri\""
            ));
        };
        let mut days = Self(bit(from));
        let mut last = from;
        while last != to {
            last = last.next();
            days.0 |= bit(last);
        }
        Ok(days)
    }

    fn contains(self, day: Weekday) -> bool {
        self.0 & bit(day) != 0
    }
}

impl FromIterator<Self> for Days {
    fn from_iter<T: IntoIterator<Item = Self>>(days: T) -> Self {
        Self(days.into_iter().fold(0, |all, days| all | days.0))
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = NAMES.iter().filter(|(_, day)| self.contains(*day));
        let names: Vec<&str> = days.map(|(name, _)| *name).collect();
        f.write_str(&names.join(", "))
    }
}

const fn bit(day: Weekday) -> u8 {
    1_u8 << day.to_monday_zero_offset()
}

fn name(day: Weekday) -> &'static str {
    NAMES
        .iter()
        .find(|(_, named)| *named == day)
        .map_or("?", |(name, _)| *name)
}

/// Hours of a day, in minutes since its midnight: from the first, up to the second and without it. Where the
/// second is not after the first, it is one of the next day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    from: i16,
    to: i16,
}

impl Span {
    /// Reads `08:00-18:00` or `22:00-06:00`; `24:00` is the end of the day.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let times = text
            .split_once('-')
            .and_then(|(from, to)| Some((minute(from)?, minute(to)?)));
        match times {
            Some((from, to)) if from == to => Err(format!(
                "\"{text}\" is no time at all: leave `hours` out where the whole day is meant"
            )),
            Some((from, to)) if from < DAY => Ok(Self { from, to }),
            _ => Err(format!(
                "\"{text}\" is no span of hours: write \"08:00-18:00\", or \"22:00-06:00\" for a night"
            )),
        }
    }

    fn goes_over_midnight(self) -> bool {
        self.to < self.from
    }

    fn has_on_its_day(self, minute: i16) -> bool {
        self.from <= minute && (minute < self.to || self.goes_over_midnight())
    }

    fn has_on_the_day_after(self, minute: i16) -> bool {
        self.goes_over_midnight() && minute < self.to
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (self.from, self.to);
        write!(
            f,
            "{:02}:{:02}-{:02}:{:02}",
            from / 60,
            from % 60,
            to / 60,
            to % 60
        )
    }
}

/// `hh:mm`, at most `24:00`.
fn minute(text: &str) -> Option<i16> {
    let (hours, minutes) = text.split_once(':')?;
    let two_digits = |digits: &str| {
        let is_number = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse::<i16>().ok()).flatten()
    };
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    let minute = hours * 60 + minutes;
    (minutes < 60 && minute <= DAY).then_some(minute)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// Days and hours.
    type Times = (&'static [&'static str], &'static [&'static str]);

    fn schedule(days: &[&str], hours: &[&str], zone: &str) -> Schedule {
        let days: Vec<Days> = days.iter().map(|text| Days::parse(text).unwrap()).collect();
        let hours: Vec<Span> = hours.iter().map(|text| Span::parse(text).unwrap()).collect();
        Schedule {
            days: (!days.is_empty()).then(|| days.into_iter().collect()),
            hours: (!hours.is_empty()).then_some(hours),
            zone: time_zone(zone).unwrap(),
        }
    }

    /// The first of January 2024 was a Monday.
    #[test]
    fn days_and_hours_are_those_of_the_place() {
        let office: Times = (&["mon-fri"], &["08:00-12:00", "13:00-18:00"]);
        let friday_night: Times = (&["fri"], &["22:00-06:00"]);
        let any_night: Times = (&[], &["22:00-06:00"]);
        let weekend: Times = (&["sat-sun"], &[]);
        let around_sunday: Times = (&["sat-mon"], &[]);
        let evening: Times = (&["mon"], &["18:00-24:00"]);
        let to_midnight: Times = (&["mon"], &["18:00-00:00"]);
        for ((days, hours), zone, at, expected) in [
            (office, "UTC", "2024-01-01T08:00:00Z", true),
            (office, "UTC", "2024-01-01T07:59:59Z", false),
            (office, "UTC", "2024-01-01T11:59:59Z", true),
            (office, "UTC", "2024-01-01T12:00:00Z", false),
            (office, "UTC", "2024-01-01T18:00:00Z", false),
            (office, "UTC", "2024-01-06T09:00:00Z", false),
            (office, "Europe/Berlin", "2024-01-01T07:00:00Z", true),
            (office, "Europe/Berlin", "2024-07-01T06:00:00Z", true),
            (office, "Europe/Berlin", "2024-01-01T06:59:00Z", false),
            (friday_night, "UTC", "2024-01-05T22:00:00Z", true),
            (friday_night, "UTC", "2024-01-06T05:59:00Z", true),
            (friday_night, "UTC", "2024-01-06T06:00:00Z", false),
            (friday_night, "UTC", "2024-01-05T05:00:00Z", false),
            (friday_night, "UTC", "2024-01-06T22:00:00Z", false),
            (any_night, "UTC", "2024-01-03T23:00:00Z", true),
            (any_night, "UTC", "2024-01-04T05:00:00Z", true),
            (any_night, "UTC", "2024-01-04T12:00:00Z", false),
            (weekend, "UTC", "2024-01-07T23:59:59Z", true),
            (weekend, "UTC", "2024-01-08T00:00:00Z", false),
            (weekend, "Pacific/Auckland", "2024-01-05T12:00:00Z", true),
            (around_sunday, "UTC", "2024-01-01T12:00:00Z", true),
            (around_sunday, "UTC", "2024-01-02T12:00:00Z", false),
            (evening, "UTC", "2024-01-01T23:59:59Z", true),
            (evening, "UTC", "2024-01-02T00:00:00Z", false),
            (to_midnight, "UTC", "2024-01-01T23:59:59Z", true),
            (to_midnight, "UTC", "2024-01-02T00:00:00Z", false),
        ] {
            let schedule = schedule(days, hours, zone);
            assert_eq!(
                schedule.includes(at.parse().unwrap()),
                expected,
                "{schedule} {zone} {at}"
            );
        }
    }

    #[test]
    fn it_is_written_as_it_is_read() {
        let night = schedule(
            &["fri-sat", "mon"],
            &["22:00-06:00", "12:00-13:30"],
            "Europe/Berlin",
        );
        assert_eq!(night.to_string(), "mon, fri, sat at 22:00-06:00, 12:00-13:30");
        assert_eq!(
            night.local("2024-01-05T21:15:00Z".parse().unwrap()),
            "fri 22:15 in Europe/Berlin"
        );
        assert_eq!(schedule(&[], &["00:00-24:00"], "utc").to_string(), "00:00-24:00");
    }

    #[test]
    fn what_is_no_day_no_span_and_no_zone_is_refused() {
        for text in ["", "monday", "mon-", "mon-fri-sun", "1", "mon - fri"] {
            assert!(Days::parse(text).is_err(), "{text}");
        }
        for text in [
            "",
            "08:00",
            "8:00-18:00",
            "08:00-18:60",
            "24:00-06:00",
            "08:00-24:01",
            "08:00-08:00",
            "-08:00",
            "+8:00-18:00",
            "08:00-18:00-20:00",
        ] {
            assert!(Span::parse(text).is_err(), "{text}");
        }
        for text in ["", "Berlin", "Etc/Unknown", "Europe/Nowhere"] {
            assert!(time_zone(text).is_err(), "{text}");
        }
    }
}
