//! A week with an injected clock: sleep, steps back and forward, runs in the way, a source that cannot be reached.

use chrono::{DateTime, NaiveDateTime, NaiveTime, TimeDelta, Utc};

use super::super::facts::Unreached;
use super::*;
use crate::settings::{Schedule, ScheduleMode};

fn at(text: &str) -> DateTime<Utc> {
    NaiveDateTime::parse_from_str(&format!("2026-11-{text}"), "%Y-%m-%d %H:%M").unwrap().and_utc()
}

/// A server without a database: decisions change its facts as rows would.
struct Server {
    facts: Facts,
    delay: TimeDelta,
    reachable: bool,
    run_length: TimeDelta,
    run: Option<(DateTime<Utc>, Moment)>,
    runs: i64,
    story: Vec<String>,
}

impl Server {
    fn daily(time: &str, per_day: u8) -> Self {
        let schedule = Schedule {
            mode: ScheduleMode::Daily,
            time: NaiveTime::parse_from_str(time, "%H:%M").unwrap(),
            per_day,
            time_zone: chrono_tz::Tz::UTC,
        };
        let facts = Facts {
            schedule,
            version: 1,
            planned_for: 0,
            planned: None,
            is_delayed: false,
            last_decided: None,
            last_success: None,
            active_run: None,
            unreached: None,
        };
        Self {
            facts,
            delay: TimeDelta::zero(),
            reachable: true,
            run_length: TimeDelta::minutes(10),
            run: None,
            runs: 0,
            story: Vec::new(),
        }
    }

    /// The wall clock goes from `from` to `to`, a minute at a time, both included.
    fn awake(&mut self, from: &str, to: &str) {
        let (mut now, to) = (at(from), at(to));
        while now <= to {
            self.look(now);
            now += TimeDelta::minutes(1);
        }
    }

    fn look(&mut self, now: DateTime<Utc>) {
        if let Some((ends_at, moment)) = self.run
            && ends_at <= now
        {
            self.run = None;
            self.facts.active_run = None;
            if self.reachable {
                self.facts.last_success = Some(ends_at - self.run_length);
            } else {
                let Moment { moment, attempt, .. } = moment;
                self.facts.unreached = Some(Unreached { moment, attempt, ended_at: ends_at });
            }
        }
        for _ in 0..5 {
            let decision = decide(&self.facts, now);
            match decision {
                Decision::Wait => return,
                Decision::Plan => self.plan(None, now),
                Decision::Begin { moment, late } => {
                    self.plan(Some(moment.moment), now);
                    self.begin(moment, now, if late { "late" } else { "started" });
                }
                Decision::Retry(moment) => self.begin(moment, now, "again"),
                Decision::Skip { moment, .. } => {
                    self.plan(Some(moment.moment), now);
                    self.tell("skipped", now);
                }
                Decision::Pass(moment) => {
                    self.plan(Some(moment.moment), now);
                    self.tell("passed", now);
                }
            }
        }
        panic!("no end of decisions at {now}");
    }

    fn plan(&mut self, decided: Option<DateTime<Utc>>, now: DateTime<Utc>) {
        let next = self.facts.next_after(decided, now);
        self.facts.planned = next.map(|moment| (moment, moment + self.delay));
        self.facts.planned_for = self.facts.version;
        self.facts.last_decided =
            self.facts.last_decided.filter(|moment| *moment <= now + TimeDelta::days(1));
        self.facts.last_decided = self.facts.last_decided.max(decided);
    }

    fn begin(&mut self, moment: Moment, now: DateTime<Utc>, word: &str) {
        self.runs += 1;
        self.facts.active_run = Some(self.runs);
        self.facts.unreached = None;
        self.run = Some((now + self.run_length, moment));
        self.tell(word, now);
    }

    fn tell(&mut self, word: &str, now: DateTime<Utc>) {
        self.story.push(format!("{} {word}", now.format("%d %H:%M")));
    }
}

#[test]
fn a_week_with_sleep_a_step_back_and_a_step_forward() {
    let mut server = Server::daily("03:00", 1);
    server.awake("16 12:00", "17 22:00");
    server.awake("18 03:20", "19 03:05"); // slept over the moment
    server.awake("19 02:55", "19 20:00"); // set back by ten minutes over the moment
    server.awake("22 10:00", "23 01:00"); // slept for three days
    server.awake("23 05:00", "24 04:00"); // set forward by four hours over the moment
    assert_eq!(
        server.story,
        [
            "17 03:00 started",
            "18 03:20 late",
            "19 03:00 started",
            "22 10:00 late",
            "23 05:00 passed",
            "24 03:00 started"
        ]
    );
}

#[test]
fn r140_a_restart_around_the_moment_gives_one_run() {
    for restart in ["17 02:59", "17 03:00", "17 03:01"] {
        let mut server = Server::daily("03:00", 1);
        server.awake("16 12:00", restart);
        server.run = None; // the process and its run are gone; the rows stay
        server.facts.active_run = None;
        server.awake(restart, "17 12:00");
        assert_eq!(server.story, ["17 03:00 started"], "restart at {restart}");
    }
}

#[test]
fn r144_a_time_that_has_just_passed_starts_nothing_today() {
    let mut server = Server::daily("03:00", 1);
    server.awake("16 12:00", "16 15:00");
    server.facts.schedule.time = NaiveTime::from_hms_opt(14, 58, 0).unwrap();
    server.facts.version = 2;
    server.awake("16 15:00", "17 14:57");
    assert!(server.story.is_empty());
    server.awake("17 14:58", "17 15:00");
    assert_eq!(server.story, ["17 14:58 started"]);
}

#[test]
fn r143_a_moment_during_a_run_is_skipped_and_the_one_after_is_not() {
    let mut server = Server::daily("00:00", 24);
    server.run_length = TimeDelta::minutes(90);
    server.awake("16 00:30", "16 03:30");
    assert_eq!(server.story, ["16 01:00 started", "16 02:00 skipped", "16 03:00 started"]);
}

#[test]
fn r147_an_unreachable_source_is_tried_twice_more_and_then_the_next_day() {
    let mut server = Server::daily("03:00", 1);
    server.reachable = false;
    server.awake("16 12:00", "17 12:00");
    assert_eq!(server.story, ["17 03:00 started", "17 03:25 again", "17 03:50 again"]);
    server.reachable = true;
    server.awake("17 12:00", "18 12:00");
    assert_eq!(server.story[3..], ["18 03:00 started"]);
}

#[test]
fn another_attempt_that_succeeds_is_the_last_one() {
    let mut server = Server::daily("03:00", 1);
    server.reachable = false;
    server.awake("16 12:00", "17 03:12");
    assert_eq!(server.facts.retry().map(|retry| retry.due_at), Some(at("17 03:25")));
    server.reachable = true;
    server.awake("17 03:13", "18 02:00");
    assert_eq!(server.story, ["17 03:00 started", "17 03:25 again"]);
}

#[test]
fn nothing_is_tried_again_after_the_change_to_manual() {
    let mut server = Server::daily("03:00", 1);
    server.reachable = false;
    server.awake("16 12:00", "17 03:12");
    server.facts.schedule.mode = ScheduleMode::Manual;
    server.facts.version = 2;
    server.awake("17 03:13", "18 12:00");
    assert_eq!(server.story, ["17 03:00 started"]);
}

#[test]
fn s039_the_random_delay_moves_the_start_and_not_the_schedule() {
    let mut server = Server::daily("03:00", 1);
    server.delay = TimeDelta::minutes(27);
    server.awake("16 12:00", "18 12:00");
    assert_eq!(server.story, ["17 03:27 started", "18 03:27 started"]);
}

#[test]
fn a_plan_of_a_clock_that_was_years_ahead_is_drawn_anew() {
    let mut server = Server::daily("03:00", 1);
    server.awake("16 12:00", "16 12:01");
    server.look(at("16 12:00") + TimeDelta::days(900));
    server.story.clear();
    server.run = None;
    server.facts.active_run = None;
    server.facts.last_success = None;
    server.awake("16 12:02", "18 12:00"); // the moment of the 17th was decided by the clock that was wrong
    assert_eq!(server.story, ["18 03:00 started"]);
}
