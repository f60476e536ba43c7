//! The schedule on a real database: the tick of a server, moments decided once, skipped, retried.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use weir::settings::{ScheduleMode, SourceKind};
use weir::sync::runs::{self, Trigger};
use weir::sync::schedule::{self, ATTEMPTS_MAX, DELAY_MAX, Outcome, Tick};

use crate::support::documents::{self, PRODUCT};
use crate::support::options::{change_options, daily, use_upstream};
use crate::support::upstream::Upstream;
use crate::support::{TestApp, TestDatabase};

/// Makes `moment` the next one.
async fn plan(db: &TestDatabase, moment: DateTime<Utc>) {
    let sql = "UPDATE schedule_due SET moment = $1, due_at = $1,
                      options_version = (SELECT version FROM sync_options)";
    assert_eq!(db.client().await.execute(sql, &[&moment]).await.unwrap(), 1);
}

async fn tick(db: &TestDatabase, now: DateTime<Utc>) -> Tick {
    schedule::tick(&mut *db.conn().await, now).await.unwrap()
}

/// Ends every run in this way, and with it its job.
async fn end_runs(db: &TestDatabase, state: &str, code: &str) {
    let sql = format!(
        "UPDATE jobs SET state = 'canceled', finished_at = now() WHERE state = 'waiting';
         UPDATE sync_runs SET state = 'running' WHERE state = 'queued';
         UPDATE sync_runs SET state = '{state}', finished_at = now(), error = '{{\"code\": \"{code}\"}}'
         WHERE state = 'running'"
    );
    db.client().await.batch_execute(&sql).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_starts_the_run_when_its_moment_comes() {
    let (app, upstream) = (TestApp::start().await, Upstream::start().await);
    upstream.publish(documents::categories());
    upstream.publish(documents::updates(PRODUCT, 0, 5));
    change_options(&app.db, |options| {
        use_upstream(options, upstream.port());
        daily(options);
    })
    .await;
    plan(&app.db, Utc::now() + TimeDelta::seconds(1)).await;
    let client = app.db.client().await;
    let sql = "SELECT count(*) FROM sync_runs WHERE trigger = 'schedule' AND state = 'succeeded'";
    for _ in 0..300 {
        if client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0), 1);
    let mut conn = app.db.conn().await;
    let moments = schedule::list_moments(&mut conn, 10).await.unwrap();
    assert_eq!(moments.iter().map(schedule::MomentRow::outcome).collect::<Vec<_>>(), [Outcome::Started]);
    let next = schedule::next_due(&mut conn).await.unwrap().unwrap();
    assert!(next > Utc::now() + TimeDelta::hours(10), "{next}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r150_twenty_looks_at_the_same_moment_start_one_run() {
    let db = TestDatabase::create().await;
    change_options(&db, daily).await;
    let now = Utc::now();
    plan(&db, now).await;
    let ticks = join_all((0..12).map(|_| tick(&db, now))).await;
    let started = ticks.iter().filter(|tick| matches!(tick, Tick::Started(_))).count();
    assert_eq!(started, 1, "{ticks:?}");
    assert_eq!(runs::list(&mut *db.conn().await, None, 10).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn s043_a_moment_during_a_run_is_recorded_as_skipped() {
    let db = TestDatabase::create().await;
    change_options(&db, daily).await;
    let mut conn = db.conn().await;
    let run_id = runs::request(&mut conn, Trigger::Manual, "ann").await.unwrap().run_id;
    plan(&db, Utc::now()).await;
    assert_eq!(tick(&db, Utc::now()).await, Tick::Skipped { run_id });
    let moments = schedule::list_moments(&mut conn, 10).await.unwrap();
    assert_eq!((moments[0].outcome(), moments[0].run_id), (Outcome::Skipped, Some(run_id)));
    let log = runs::log(&mut conn, run_id, 10).await.unwrap();
    assert!(log.iter().any(|line| line.message.contains("was skipped")));
    // It is not queued: the end of the run brings no other one.
    end_runs(&db, "succeeded", "").await;
    assert_eq!(tick(&db, Utc::now()).await, Tick::Nothing);
}

#[tokio::test(flavor = "multi_thread")]
async fn s042_several_missed_moments_are_caught_up_by_one_run() {
    let db = TestDatabase::create().await;
    change_options(&db, daily).await;
    plan(&db, Utc::now() - TimeDelta::days(3)).await;
    let Tick::Started(requested) = tick(&db, Utc::now()).await else { panic!("nothing was caught up") };
    end_runs(&db, "succeeded", "").await;
    assert_eq!(tick(&db, Utc::now()).await, Tick::Nothing);
    let mut conn = db.conn().await;
    let log = runs::log(&mut conn, requested.run_id, 10).await.unwrap();
    assert!(log[0].message.contains("had passed while Weir was not at work"), "{}", log[0].message);
    // Missed again, right after a success: there is nothing to catch up.
    plan(&db, Utc::now() - TimeDelta::minutes(20)).await;
    assert_eq!(tick(&db, Utc::now()).await, Tick::Passed);
}

#[tokio::test(flavor = "multi_thread")]
async fn s039_the_delay_for_microsoft_update_is_drawn_once_and_shown() {
    let db = TestDatabase::create().await;
    change_options(&db, |options| {
        daily(options);
        options.source.kind = SourceKind::MicrosoftUpdate;
    })
    .await;
    let now = Utc::now();
    let Tick::Planned(Some(due_at)) = tick(&db, now).await else { panic!("nothing was planned") };
    let moment: DateTime<Utc> =
        db.client().await.query_one("SELECT moment FROM schedule_due", &[]).await.unwrap().get(0);
    assert!((TimeDelta::zero()..=DELAY_MAX).contains(&(due_at - moment)), "{due_at} {moment}");
    for _ in 0..3 {
        assert_eq!(tick(&db, now).await, Tick::Nothing);
        let shown = schedule::next_due(&mut *db.conn().await).await.unwrap().unwrap();
        assert!((shown - due_at).abs() < TimeDelta::milliseconds(1), "{shown} {due_at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s046_an_unreachable_source_is_tried_again_twice_unless_somebody_starts_a_run() {
    let db = TestDatabase::create().await;
    change_options(&db, daily).await;
    plan(&db, Utc::now()).await;
    for attempt in 1..=ATTEMPTS_MAX {
        let now = Utc::now() + TimeDelta::minutes(if attempt == 1 { 0 } else { 16 });
        let Tick::Started(requested) = tick(&db, now).await else { panic!("attempt {attempt}") };
        let mut conn = db.conn().await;
        let log = runs::log(&mut conn, requested.run_id, 10).await.unwrap();
        assert_eq!(log[0].message.starts_with("Attempt"), attempt > 1, "{}", log[0].message);
        end_runs(&db, "failed", "UssCommunicationError").await;
        let retry = schedule::pending_retry(&mut conn).await.unwrap();
        assert_eq!(retry.map(|retry| retry.attempt), (attempt < ATTEMPTS_MAX).then_some(attempt + 1));
        assert_eq!(tick(&db, Utc::now()).await, Tick::Nothing, "not before a quarter of an hour");
    }
    assert_eq!(tick(&db, Utc::now() + TimeDelta::minutes(40)).await, Tick::Nothing);

    // The next moment fails too, and somebody starts a run by hand: that one replaces the further attempt.
    plan(&db, Utc::now()).await;
    assert!(matches!(tick(&db, Utc::now()).await, Tick::Started(_)));
    end_runs(&db, "failed", "UssNotFound").await;
    let mut conn = db.conn().await;
    assert!(schedule::pending_retry(&mut conn).await.unwrap().is_some());
    runs::request(&mut conn, Trigger::Manual, "ann").await.unwrap();
    end_runs(&db, "failed", "UssNotFound").await;
    assert_eq!(schedule::pending_retry(&mut conn).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn r031_a_fault_that_is_not_of_the_network_is_not_tried_again() {
    for error in ["NotApplicable", "IncompatibleProtocolVersion"] {
        let db = TestDatabase::create().await;
        change_options(&db, daily).await;
        plan(&db, Utc::now()).await;
        assert!(matches!(tick(&db, Utc::now()).await, Tick::Started(_)));
        end_runs(&db, "failed", error).await;
        assert_eq!(schedule::pending_retry(&mut *db.conn().await).await.unwrap(), None, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s040_manual_ends_the_schedule_and_a_change_in_mid_run_loses_nothing() {
    let db = TestDatabase::create().await;
    change_options(&db, daily).await;
    plan(&db, Utc::now()).await;
    let Tick::Started(requested) = tick(&db, Utc::now()).await else { panic!("nothing started") };
    change_options(&db, |options| options.schedule.per_day = 2).await;
    assert!(matches!(tick(&db, Utc::now()).await, Tick::Planned(Some(_))));
    let mut conn = db.conn().await;
    assert_eq!(runs::active(&mut conn).await.unwrap().map(|run| run.id), Some(requested.run_id));
    change_options(&db, |options| options.schedule.mode = ScheduleMode::Manual).await;
    assert_eq!(tick(&db, Utc::now()).await, Tick::Planned(None));
    assert_eq!(schedule::next_due(&mut conn).await.unwrap(), None);
    assert_eq!(tick(&db, Utc::now() + TimeDelta::days(9)).await, Tick::Nothing);
}
