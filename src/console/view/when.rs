//! Points in time and lengths of time, for people.

use std::fmt;

use jiff::Timestamp;

/// A point in time: absolute and UTC in the markup, made relative by the script.
#[derive(Debug, Clone, Copy)]
pub(in crate::console) struct When {
    at: Timestamp,
    relative: Option<&'static str>,
}

impl When {
    /// Stays absolute.
    pub(in crate::console) fn at(at: Timestamp) -> Self {
        Self { at, relative: None }
    }

    /// Becomes "3 min ago".
    pub(in crate::console) fn ago(at: Timestamp) -> Self {
        Self {
            at,
            relative: Some("ago"),
        }
    }

    /// Becomes "in 3 min", counting down.
    pub(in crate::console) fn until(at: Timestamp) -> Self {
        Self {
            at,
            relative: Some("until"),
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = self.at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
        let people = self.at.strftime("%Y-%m-%d %H:%M:%S UTC");
        match self.relative {
            None => write!(f, r#"<time datetime="{machine}">{people}</time>"#),
            Some(relative) => {
                write!(
                    f,
                    r#"<time datetime="{machine}" data-relative="{relative}">{people}</time>"#
                )
            }
        }
    }
}

impl askama::filters::HtmlSafe for When {}

/// A duration in words.
pub(super) fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "tests")]

    use super::*;

    #[test]
    fn times_are_utc_and_machine_readable() {
        let at: Timestamp = "2026-03-01T12:30:05.25Z".parse().expect("a time");
        assert_eq!(
            When::until(at).to_string(),
            r#"<time datetime="2026-03-01T12:30:05.250Z" data-relative="until">2026-03-01 12:30:05 UTC</time>"#
        );
    }

    #[test]
    fn durations_read_well() {
        for (ms, words) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_250, "1.2 s"),
            (61_000, "1 min 1 s"),
        ] {
            assert_eq!(duration(ms), words);
        }
    }
}
