//! Days that are typed: into a filter or a report, and what moments they begin and end with.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// The first moment of a day on the wall clock of `zone`. A midnight that is left out is the hour after it.
pub(super) fn start_of(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    let midnight = day.and_time(NaiveTime::MIN);
    let found = zone.from_local_datetime(&midnight).earliest();
    let found = found.or_else(|| {
        let later = midnight.checked_add_signed(TimeDelta::hours(1))?;
        zone.from_local_datetime(&later).earliest()
    });
    found.map_or_else(|| midnight.and_utc(), |moment| moment.to_utc())
}

/// The day after; the last day of the calendar is its own.
pub(super) fn day_after(day: NaiveDate) -> NaiveDate {
    day.checked_add_days(Days::new(1)).unwrap_or(day)
}

/// A day as typed; `None`: it is no day between the years 1970 and 9999.
pub(super) fn typed_day(text: &str) -> Option<NaiveDate> {
    let day: NaiveDate = text.trim().parse().ok()?;
    (1970..=9999).contains(&day.year()).then_some(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_on_the_wall_clock() {
        let start = |text: &str, zone| start_of(typed_day(text).unwrap(), zone).to_rfc3339();
        assert_eq!(start("2026-11-22", chrono_tz::Asia::Taipei), "2026-11-21T16:00:00+00:00");
        // Midnight of 6 September 2026 is left out in Santiago.
        assert_eq!(start("2026-09-06", chrono_tz::America::Santiago), "2026-09-06T04:00:00+00:00");
        for bad in ["", "x", "2026-02-30", "1969-12-31", "+12026-01-01", "-5000-01-01"] {
            assert_eq!(typed_day(bad), None, "{bad}");
        }
    }
}
