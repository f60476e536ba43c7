//! Points in time and spans as pages show them.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

/// One point in time, said three ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// For `<time datetime>`.
    pub machine: String,
    /// In the person's zone, with the zone's name: `22 Nov 2026, 03:00 Asia/Taipei`.
    pub shown: String,
    /// For the tooltip.
    pub utc: String,
}

impl Moment {
    /// `at`, for people in `zone`.
    pub fn new(at: DateTime<Utc>, zone: Tz) -> Self {
        Self {
            machine: at.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            shown: format!("{} {}", at.with_timezone(&zone).format("%-d %b %Y, %H:%M"), zone.name()),
            utc: at.format("%-d %b %Y, %H:%M:%S UTC").to_string(),
        }
    }
}

/// A span such as `41 s`, `3 min 58 s` or `2 h 5 min`; a negative one is `0 s`.
pub fn span(length: TimeDelta) -> String {
    let seconds = length.num_seconds().max(0);
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_spans_read_well() {
        let at = DateTime::parse_from_rfc3339("2026-11-21T19:00:00Z").unwrap().to_utc();
        assert_eq!(Moment::new(at, Tz::Asia__Taipei).shown, "22 Nov 2026, 03:00 Asia/Taipei");
        assert_eq!(span(TimeDelta::seconds(-4)), "0 s");
        assert_eq!(span(TimeDelta::seconds(238)), "3 min 58 s");
        assert_eq!(span(TimeDelta::seconds(7_512)), "2 h 5 min");
    }
}
