//! Times on the page: lists to choose from, and the next run in words.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};

use crate::settings::Schedule;
use crate::settings::schedule::{ClockChange, next_clock_change, next_moment};
use crate::web::form::Choice;

/// The next run, said three ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextRun {
    /// For `<time datetime>`.
    pub machine: String,
    /// In the schedule's zone, with the zone's name.
    pub local: String,
    pub utc: String,
    /// How long from now, such as `in 4 h 12 min`.
    pub distance: String,
    /// A day on which the clock changes at one of the times; empty: none within a year.
    pub clock: String,
}

/// The next run of a schedule; `None` when synchronizing manually.
pub fn next_run(schedule: &Schedule, now: DateTime<Utc>) -> Option<NextRun> {
    let next = next_moment(schedule, now)?;
    Some(NextRun {
        machine: next.format("%Y-%m-%dT%H:%MZ").to_string(),
        local: moment(next, schedule.time_zone),
        utc: next.format("%a %-d %b, %H:%M UTC").to_string(),
        distance: distance(next - now),
        clock: next_clock_change(schedule, now).map(clock_words).unwrap_or_default(),
    })
}

fn clock_words(change: ClockChange) -> String {
    match change {
        ClockChange::Skipped { day, time, instead } => format!(
            "On {} the clock goes forward and {} does not exist; that run starts at {}.",
            day.format("%a %-d %b %Y"),
            time.format("%H:%M"),
            instead.format("%H:%M")
        ),
        ClockChange::Twice { day, time } => format!(
            "On {} the clock goes back and {} comes twice; the run starts the first time.",
            day.format("%a %-d %b %Y"),
            time.format("%H:%M")
        ),
    }
}

/// A moment in a zone, with the zone's name: `Mon 23 Nov 2026, 03:00 Asia/Taipei`.
pub fn moment(at: DateTime<Utc>, zone: Tz) -> String {
    format!("{} {}", at.with_timezone(&zone).format("%a %-d %b %Y, %H:%M"), zone.name())
}

fn distance(left: TimeDelta) -> String {
    let minutes = left.num_minutes();
    match (minutes / 60, minutes % 60) {
        (0, 0) => "in less than a minute".to_owned(),
        (0, minutes) => format!("in {minutes} min"),
        (hours, 0) => format!("in {hours} h"),
        (hours, minutes) => format!("in {hours} h {minutes} min"),
    }
}

/// 00:00 to 23:30.
pub fn half_hours() -> Vec<String> {
    (0..48).map(|half| format!("{:02}:{:02}", half / 2, half % 2 * 30)).collect()
}

/// UTC and this server's own zone first, then all by name, each with its offset now. Made anew each quarter of an
/// hour, which is when an offset may change.
pub fn zones() -> Arc<[Choice]> {
    static MADE: Mutex<Option<(i64, Arc<[Choice]>)>> = Mutex::new(None);
    let quarter = Utc::now().timestamp() / (15 * 60);
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    match &*made {
        Some((when, zones)) if *when == quarter => Arc::clone(zones),
        _ => {
            let zones = zones_now();
            *made = Some((quarter, Arc::clone(&zones)));
            zones
        }
    }
}

fn zones_now() -> Arc<[Choice]> {
    let first = [Some(Tz::UTC), server_zone()];
    let mut passed = BTreeSet::new();
    let all = TZ_VARIANTS.iter().copied().filter(|zone| is_place(*zone));
    first
        .into_iter()
        .flatten()
        .chain(all)
        .filter(|zone| passed.insert(zone.name()))
        .map(|zone| Choice::new(zone.name(), format!("{} ({})", zone.name(), offset(zone))))
        .collect()
}

/// Zones named after places; the others are old aliases such as `GMT+0` or `EST5EDT`.
fn is_place(zone: Tz) -> bool {
    let areas = [
        "Africa/",
        "America/",
        "Antarctica/",
        "Arctic/",
        "Asia/",
        "Atlantic/",
        "Australia/",
        "Europe/",
        "Indian/",
        "Pacific/",
    ];
    areas.iter().any(|area| zone.name().starts_with(area))
}

fn server_zone() -> Option<Tz> {
    let link = std::fs::read_link("/etc/localtime").ok()?;
    let path = link.to_str()?;
    path.split_once("zoneinfo/")?.1.parse().ok()
}

fn offset(zone: Tz) -> String {
    let minutes = zone.offset_from_utc_datetime(&Utc::now().naive_utc()).fix().local_minus_utc() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("UTC{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::ScheduleMode;

    #[test]
    fn the_next_run_is_said_in_its_zone_and_in_utc() {
        let schedule = Schedule {
            mode: ScheduleMode::Daily,
            time: chrono::NaiveTime::from_hms_opt(3, 0, 0).unwrap(),
            per_day: 1,
            time_zone: chrono_tz::Asia::Taipei,
        };
        let now = Utc.with_ymd_and_hms(2026, 11, 22, 14, 48, 0).unwrap();
        let next = next_run(&schedule, now).unwrap();
        assert_eq!(next.local, "Mon 23 Nov 2026, 03:00 Asia/Taipei");
        assert_eq!(next.utc, "Sun 22 Nov, 19:00 UTC");
        assert_eq!(next.distance, "in 4 h 12 min");
        assert_eq!(next.clock, "");
        let berlin = Schedule { time_zone: chrono_tz::Europe::Berlin, ..schedule };
        let berlin = Schedule { time: chrono::NaiveTime::from_hms_opt(2, 15, 0).unwrap(), ..berlin };
        assert_eq!(
            next_run(&berlin, now).unwrap().clock,
            "On Sun 28 Mar 2027 the clock goes forward and 02:15 does not exist; that run starts at 03:00."
        );
    }

    #[test]
    fn every_zone_of_the_list_can_be_saved() {
        assert!(zones().iter().all(|one| one.value.parse::<Tz>().is_ok()));
        assert_eq!(half_hours().len(), 48);
    }
}
