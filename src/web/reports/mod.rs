//! Reports: what synchronizations brought, how the server is set up, and what changed between two points; each as a
//! page, to print, as CSV and as JSON.

mod changed;
mod differences;
mod settings_summary;
mod synchronization_results;

use askama::Template;
use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use rocket::{Route, get, routes};

use super::{PageError, Reply, Reporter, Shell};
use crate::reports::settings::SummaryError;

pub(super) fn routes() -> Vec<Route> {
    [
        routes![show_reports],
        synchronization_results::routes(),
        settings_summary::routes(),
        differences::routes(),
    ]
    .concat()
}

#[derive(Template)]
#[template(path = "reports/index.html")]
struct IndexPage {
    shell: Shell,
}

#[get("/reports")]
fn show_reports(reporter: Reporter) -> Result<Reply, PageError> {
    Reply::ok(&IndexPage { shell: reporter.shell })
}

impl From<SummaryError> for PageError {
    fn from(error: SummaryError) -> Self {
        match error {
            SummaryError::Database(error) => error.into(),
            SummaryError::Approvals(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

/// The first moment of a day on the wall clock of `zone`. A midnight that is left out is the hour after it.
fn start_of(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    let midnight = day.and_time(NaiveTime::MIN);
    let found = zone.from_local_datetime(&midnight).earliest();
    let found =
        found.or_else(|| zone.from_local_datetime(&(midnight + chrono::TimeDelta::hours(1))).earliest());
    found.map_or_else(|| midnight.and_utc(), |moment| moment.to_utc())
}

/// The day after; the last day of the calendar is its own.
fn day_after(day: NaiveDate) -> NaiveDate {
    day.checked_add_days(Days::new(1)).unwrap_or(day)
}

/// A day as typed; `None`: it is no day between the years 1970 and 9999.
fn typed_day(text: &str) -> Option<NaiveDate> {
    use chrono::Datelike;
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
        for bad in ["", "x", "2026-02-30", "1969-12-31", "+12026-01-01"] {
            assert_eq!(typed_day(bad), None, "{bad}");
        }
    }
}
