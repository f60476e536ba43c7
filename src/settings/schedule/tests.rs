//! Clock changes, spreading, and twenty years in zones with unusual rules.

use std::collections::BTreeMap;

use super::*;

fn daily(zone: &str, time: &str, per_day: u8) -> Schedule {
    Schedule {
        mode: ScheduleMode::Daily,
        time: NaiveTime::parse_from_str(time, "%H:%M").unwrap(),
        per_day,
        time_zone: zone.parse().unwrap(),
    }
}

fn utc(text: &str) -> DateTime<Utc> {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap().and_utc()
}

#[test]
fn manual_has_no_next_moment() {
    let schedule = Schedule { mode: ScheduleMode::Manual, ..daily("UTC", "03:00", 1) };
    assert_eq!(next_moment(&schedule, utc("2026-11-22 00:00")), None);
}

#[test]
fn the_next_moment_is_strictly_later() {
    // zone, wall-clock time, per day, after and expected in UTC; worked out minute by minute by another program
    let table = [
        ("UTC", "03:00", 1, "2026-11-22 02:59", "2026-11-22 03:00"),
        ("UTC", "03:00", 1, "2026-11-22 03:00", "2026-11-23 03:00"),
        ("Europe/Berlin", "03:00", 1, "2026-03-28 12:00", "2026-03-29 01:00"),
        ("Europe/Berlin", "02:00", 1, "2026-03-28 12:00", "2026-03-29 01:00"),
        ("Europe/Berlin", "02:30", 1, "2026-03-28 12:00", "2026-03-29 01:00"),
        ("Europe/Berlin", "02:59", 1, "2026-03-29 00:59", "2026-03-29 01:00"),
        ("Europe/Berlin", "02:30", 1, "2026-03-29 01:00", "2026-03-30 00:30"),
        ("Europe/Berlin", "02:30", 1, "2026-10-24 12:00", "2026-10-25 00:30"),
        ("Europe/Berlin", "02:30", 1, "2026-10-25 00:30", "2026-10-26 01:30"),
        ("Europe/Berlin", "03:00", 1, "2026-10-25 00:00", "2026-10-25 02:00"),
        ("Europe/Berlin", "02:00", 1, "2026-10-24 12:00", "2026-10-25 00:00"),
        ("Europe/Berlin", "01:59", 1, "2026-10-25 00:10", "2026-10-26 00:59"),
        ("America/New_York", "02:30", 1, "2026-03-08 05:00", "2026-03-08 07:00"),
        ("America/New_York", "01:30", 1, "2026-11-01 04:00", "2026-11-01 05:30"),
        ("America/New_York", "01:30", 1, "2026-11-01 05:30", "2026-11-02 06:30"),
        ("America/New_York", "03:00", 1, "2026-03-08 05:00", "2026-03-08 07:00"),
        ("America/New_York", "23:00", 1, "2026-10-31 12:00", "2026-11-01 03:00"),
        ("America/New_York", "00:00", 4, "2026-03-08 05:00", "2026-03-08 10:00"),
        ("America/New_York", "00:00", 4, "2026-11-01 04:00", "2026-11-01 11:00"),
        ("Australia/Lord_Howe", "02:15", 1, "2026-10-03 12:00", "2026-10-03 15:30"),
        ("Australia/Lord_Howe", "02:00", 1, "2026-10-03 12:00", "2026-10-03 15:30"),
        ("Australia/Lord_Howe", "02:30", 1, "2026-10-03 12:00", "2026-10-03 15:30"),
        ("Australia/Lord_Howe", "01:45", 1, "2026-04-04 12:00", "2026-04-04 14:45"),
        ("Australia/Lord_Howe", "01:45", 1, "2026-04-04 14:45", "2026-04-05 15:15"),
        ("Australia/Lord_Howe", "02:00", 1, "2026-04-04 12:00", "2026-04-04 15:30"),
        ("Asia/Taipei", "03:00", 1, "2026-11-22 12:00", "2026-11-22 19:00"),
        ("Asia/Taipei", "00:00", 1, "2026-11-22 15:59", "2026-11-22 16:00"),
        ("Asia/Taipei", "23:59", 1, "2026-11-22 15:59", "2026-11-23 15:59"),
        ("Asia/Taipei", "08:00", 7, "2026-11-22 00:00", "2026-11-22 03:25"),
        ("America/Sao_Paulo", "00:00", 1, "2018-11-03 12:00", "2018-11-04 03:00"),
        ("America/Sao_Paulo", "00:30", 1, "2018-11-03 12:00", "2018-11-04 03:00"),
        ("America/Sao_Paulo", "23:30", 1, "2018-02-17 12:00", "2018-02-18 01:30"),
        ("America/Sao_Paulo", "23:30", 1, "2018-02-18 01:30", "2018-02-19 02:30"),
        ("America/Sao_Paulo", "03:00", 1, "2026-11-22 00:00", "2026-11-22 06:00"),
        ("UTC", "00:00", 24, "2026-12-31 23:30", "2027-01-01 00:00"),
        ("UTC", "03:00", 5, "2026-11-22 03:00", "2026-11-22 07:48"),
        ("UTC", "03:00", 5, "2026-11-22 07:48", "2026-11-22 12:36"),
        ("UTC", "23:30", 7, "2026-11-22 23:30", "2026-11-23 02:55"),
        ("UTC", "00:00", 9, "2026-02-28 21:20", "2026-03-01 00:00"),
        ("UTC", "12:00", 11, "2028-02-28 23:59", "2028-02-29 01:05"),
        ("Europe/Berlin", "00:00", 24, "2026-03-29 00:00", "2026-03-29 01:00"),
        ("Europe/Berlin", "00:00", 24, "2026-10-25 00:00", "2026-10-25 02:00"),
        ("Europe/Berlin", "02:30", 5, "2026-03-28 23:00", "2026-03-29 01:00"),
        ("Europe/Berlin", "00:00", 7, "2026-10-24 21:00", "2026-10-24 22:00"),
    ];
    assert!(table.len() >= 40);
    for (zone, time, per_day, after, expected) in table {
        let next = next_moment(&daily(zone, time, per_day), utc(after));
        assert_eq!(next, Some(utc(expected)), "{zone} {time} x{per_day} after {after}");
    }
}

#[test]
fn times_of_a_day_are_spread_evenly() {
    let shown = |schedule: &Schedule| -> Vec<String> {
        times_of_day(schedule).iter().map(|time| time.format("%H:%M").to_string()).collect()
    };
    assert_eq!(shown(&daily("UTC", "03:00", 4)), ["03:00", "09:00", "15:00", "21:00"]);
    assert_eq!(shown(&daily("UTC", "23:30", 3)), ["23:30", "07:30", "15:30"]);
    assert_eq!(times_of_day(&daily("UTC", "00:00", 24)).len(), 24);
}

/// Zones with rules out of the ordinary; with `WEIR_TORTURE` every zone there is.
fn zones() -> Vec<Tz> {
    if std::env::var_os("WEIR_TORTURE").is_some() {
        return chrono_tz::TZ_VARIANTS.to_vec();
    }
    let some = ["Australia/Lord_Howe", "America/Santiago", "Asia/Beirut", "Europe/Berlin", "Africa/Cairo"];
    some.into_iter().map(|name| name.parse().unwrap()).collect()
}

#[test]
fn r138_one_run_for_each_local_day_in_twenty_years() {
    for zone in zones() {
        for time in ["00:30", "02:15"] {
            let schedule = Schedule { time_zone: zone, ..daily("UTC", time, 1) };
            let mut runs: BTreeMap<NaiveDate, u32> = BTreeMap::new();
            let mut at = utc("2020-01-01 12:00");
            while let Some(next) = next_moment(&schedule, at) {
                if next > utc("2040-01-01 12:00") {
                    break;
                }
                *runs.entry(next.with_timezone(&zone).date_naive()).or_default() += 1;
                at = next;
            }
            assert!(runs.values().all(|count| *count == 1), "{zone} {time}: twice on a day");
            assert!(runs.len() >= 7_304, "{zone} {time}: only {} days", runs.len());
        }
    }
}

#[test]
fn a_day_that_a_zone_skipped_has_no_run() {
    // Samoa had no 30 December 2011.
    let schedule = daily("Pacific/Apia", "03:00", 1);
    let moments = next_moments(&schedule, utc("2011-12-28 14:00"), 2);
    let days: Vec<String> = moments
        .iter()
        .map(|at| at.with_timezone(&schedule.time_zone).format("%d %H:%M").to_string())
        .collect();
    assert_eq!(days, ["29 03:00", "31 03:00"]);
}

#[test]
fn a_change_of_the_clock_that_meets_a_time_is_foretold() {
    let day = |text: &str| text.parse::<NaiveDate>().unwrap();
    let time = |text: &str| text.parse::<NaiveTime>().unwrap();
    let now = utc("2026-11-22 12:00");
    let spring =
        ClockChange::Skipped { day: day("2027-03-28"), time: time("02:30:00"), instead: time("03:00:00") };
    assert_eq!(next_clock_change(&daily("Europe/Berlin", "02:30", 1), now), Some(spring));
    let autumn = ClockChange::Twice { day: day("2027-10-31"), time: time("02:30:00") };
    assert_eq!(next_clock_change(&daily("Europe/Berlin", "02:30", 1), utc("2027-04-01 00:00")), Some(autumn));
    assert_eq!(next_clock_change(&daily("Europe/Berlin", "04:30", 1), now), None);
    assert_eq!(next_clock_change(&daily("Asia/Taipei", "02:30", 24), now), None);
}
