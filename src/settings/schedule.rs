//! When the next scheduled synchronization starts. Pure: page, scheduler and tests use this one
//! function.
//!
//! The chosen time is wall-clock time of a zone. A time that does not exist on the day the clock
//! goes forward becomes the next minute that exists; a time that occurs twice counts once, the
//! first time. Two moments of a day that fall together count once.

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono::{MappedLocalTime, Timelike};
use chrono_tz::Tz;

use super::options::{Schedule, ScheduleMode};

/// Minutes of a day; also how far the search for an existing minute goes (no zone has skipped more
/// than one day).
const DAY_MIN: u32 = 1_440;

/// The first moment after `after` at which a run is due; `None` when synchronizing manually.
#[must_use]
pub fn next_moment(schedule: &Schedule, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if schedule.mode == ScheduleMode::Manual {
        return None;
    }
    let today = after.with_timezone(&schedule.time_zone).date_naive();
    // A moment can be moved into the next day by a gap, so the search starts a day early.
    let first = today.checked_sub_days(Days::new(1))?;
    first
        .iter_days()
        .take(5)
        .find_map(|day| moments_of(schedule, day).into_iter().filter(|moment| *moment > after).min())
}

/// The next moment of each of the coming days, for tests and previews: at most `count`.
#[must_use]
pub fn next_moments(schedule: &Schedule, after: DateTime<Utc>, count: usize) -> Vec<DateTime<Utc>> {
    std::iter::successors(next_moment(schedule, after), |last| next_moment(schedule, *last))
        .take(count)
        .collect()
}

/// The wall-clock times of a day, the first run's own first, spread evenly and in whole minutes.
#[must_use]
pub fn times_of_day(schedule: &Schedule) -> Vec<NaiveTime> {
    let first = schedule.time.hour() * 60 + schedule.time.minute();
    let per_day = u32::from(schedule.per_day.clamp(1, Schedule::PER_DAY_MAX));
    (0..per_day)
        .filter_map(|nth| {
            let minute = (first + nth * DAY_MIN / per_day) % DAY_MIN;
            NaiveTime::from_hms_opt(minute / 60, minute % 60, 0)
        })
        .collect()
}

/// What a change of the clock does to one of the times of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockChange {
    /// The time does not exist on that day; the run starts at `instead`.
    Skipped { day: NaiveDate, time: NaiveTime, instead: NaiveTime },
    /// The time comes twice on that day; the first one counts.
    Twice { day: NaiveDate, time: NaiveTime },
}

/// The first day of the coming year on which a change of the clock meets a time of the schedule.
#[must_use]
pub fn next_clock_change(schedule: &Schedule, after: DateTime<Utc>) -> Option<ClockChange> {
    const DAYS: usize = 366;
    if schedule.mode == ScheduleMode::Manual {
        return None;
    }
    let zone = schedule.time_zone;
    let times = times_of_day(schedule);
    after.with_timezone(&zone).date_naive().iter_days().take(DAYS).find_map(|day| {
        times.iter().find_map(|&time| match zone.from_local_datetime(&day.and_time(time)) {
            MappedLocalTime::Single(_) => None,
            MappedLocalTime::Ambiguous(..) => Some(ClockChange::Twice { day, time }),
            MappedLocalTime::None => {
                let instead = existing(zone, day.and_time(time))?.with_timezone(&zone).time();
                Some(ClockChange::Skipped { day, time, instead })
            }
        })
    })
}

fn moments_of(schedule: &Schedule, day: NaiveDate) -> Vec<DateTime<Utc>> {
    let zone = schedule.time_zone;
    let day_exists = existing(zone, day.and_time(NaiveTime::MIN))
        .is_some_and(|moment| moment.with_timezone(&zone).date_naive() == day);
    if !day_exists {
        return Vec::new();
    }
    times_of_day(schedule).into_iter().filter_map(|time| existing(zone, day.and_time(time))).collect()
}

/// The moment of a wall-clock minute, or of the next minute that exists.
fn existing(zone: Tz, wall: NaiveDateTime) -> Option<DateTime<Utc>> {
    (0..=i64::from(DAY_MIN)).find_map(|minutes| {
        match zone.from_local_datetime(&(wall + TimeDelta::minutes(minutes))) {
            MappedLocalTime::Single(moment) => Some(moment.to_utc()),
            MappedLocalTime::Ambiguous(first, second) => Some(first.min(second).to_utc()),
            MappedLocalTime::None => None,
        }
    })
}

#[cfg(test)]
mod tests;
