//! What is kept of a run: its calls, its pace, its states.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use weir::protocol::soap::Method;
use weir::sync::calls;
use weir::sync::runs::{self, RunState};
use weir::upstream::CallRecord;

use crate::support::TestApp;
use crate::support::TestDatabase;
use crate::support::bench::{Bench, Setup};
use crate::support::documents::{self, PRODUCT};
use crate::support::link::Link;
use crate::support::upstream::Trouble;

#[tokio::test(flavor = "multi_thread")]
async fn every_call_is_kept_with_its_operation_bytes_and_outcome() {
    let bench = Bench::start().await;
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 150));
    bench.upstream.trouble(Method::GetRevisionIdList, 1, Trouble::Html(503, "Busy"));
    let run = bench.succeed().await;
    let made = bench.upstream.take_calls();
    let mut conn = bench.db.conn().await;
    let kept = calls::of_run(&mut conn, run.id, 1_000).await.unwrap();
    assert_eq!((run.calls, kept.len()), (made.len() as i64, made.len()));
    assert_eq!(run.received, kept.iter().map(|call| call.bytes).sum::<i64>());
    let bad: Vec<_> = kept.iter().filter(|call| !call.outcome.is_empty()).collect();
    assert_eq!(bad.len(), 1);
    assert!(bad[0].operation == "GetRevisionIdList" && bad[0].outcome.contains("503"), "{bad:?}");
    let good = kept.iter().filter(|call| call.outcome.is_empty());
    assert!(good.clone().all(|call| call.bytes > 100), "{kept:?}");
    let summary = calls::summary(&mut conn, run.id).await.unwrap();
    assert_eq!(summary.first().map(|one| one.operation.as_str()), Some("GetAuthConfig"));
    let lists = summary.iter().find(|one| one.operation == "GetRevisionIdList").unwrap();
    assert_eq!((lists.calls, lists.failed), (3, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn r267_a_password_in_an_address_from_outside_is_kept_nowhere() {
    let bench = Bench::start().await;
    let to = "http://operator:geheim99@elsewhere.example/";
    bench.upstream.trouble(Method::GetAuthConfig, 9, Trouble::Redirect(302, to));
    let run = bench.synchronize().await;
    assert!(run.error().unwrap().message.contains("elsewhere.example"));
    let sql = "SELECT count(*) FROM (SELECT error::text AS text FROM sync_runs UNION ALL SELECT message FROM run_log
               UNION ALL SELECT outcome FROM run_calls UNION ALL SELECT last_error FROM jobs) t
               WHERE text LIKE '%geheim99%'";
    let row = bench.db.client().await.query_one(sql, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_writes_its_story_at_most_twice_a_second_and_tells_a_steady_pace() {
    let bench = Bench::idle().await;
    let link = Link::to(&bench.db).await;
    bench.work_with(Setup { database: link.url(), ..Setup::default() }).await;
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 480));
    bench.upstream.limits(8, 8);
    bench.upstream.delay(Duration::from_millis(700));
    let run_id = bench.request().await.run_id;
    let mut conn = bench.db.conn().await;
    let (begun, mut told) = (Instant::now(), None);
    let run = loop {
        let run = runs::get(&mut conn, run_id).await.unwrap().unwrap();
        if !run.state().is_active() {
            break run;
        }
        if let (Some(rate), Some(left)) = (run.rate, run.time_left()) {
            assert!(rate > 0.0 && run.done >= 40, "{} after {:?}", run.done, begun.elapsed());
            told = Some((rate, left));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let seconds = begun.elapsed().as_secs() + 1;
    let (rate, left) = told.expect("a pace while it went steadily");
    assert!((10.0..200.0).contains(&rate), "{rate} revisions a second");
    assert!(left < chrono::TimeDelta::seconds(40), "{left}");
    assert_eq!((run.state(), run.rate), (RunState::Succeeded, None), "{:?}", run.error());
    let is_story = |text: &str| text.contains("run_log") || text.contains("UPDATE \"sync_runs\"");
    let writes = link.take_statements().into_iter().filter(|text| is_story(text)).count() as u64;
    assert!(writes <= 2 * seconds + 6, "{writes} writes in {seconds} seconds");
}

#[tokio::test]
async fn the_database_allows_exactly_the_changes_of_state_that_the_type_allows() {
    let db = TestDatabase::create().await;
    let client = db.client().await;
    for state in RunState::ALL {
        for next in RunState::ALL {
            let insert = "INSERT INTO sync_runs (state, trigger, started_by) VALUES ($1, 'manual', 'test')";
            client.execute(insert, &[&state.as_str()]).await.unwrap();
            let changed = client.execute("UPDATE sync_runs SET state = $1", &[&next.as_str()]).await;
            assert_eq!(changed.is_ok(), state.may_become(next), "{state:?} to {next:?}: {changed:?}");
            client.execute("DELETE FROM sync_runs", &[]).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_ended_is_left_alone() {
    let bench = Bench::start().await;
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 5));
    let run = bench.succeed().await;
    assert!(!runs::stop(&mut *bench.db.conn().await, run.id, "test").await.unwrap());
    let again = runs::get(&mut *bench.db.conn().await, run.id).await.unwrap().unwrap();
    assert_eq!((again.state(), again.finished_at), (RunState::Succeeded, run.finished_at));
}

/// Panics once, in the middle of the documents.
fn fault(record: &CallRecord) {
    static DUE: AtomicBool = AtomicBool::new(true);
    if record.operation == "GetUpdateData" && DUE.swap(false, Ordering::Relaxed) {
        panic!("a fault inside");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r011_a_panic_inside_a_run_fails_it_with_a_number_and_the_next_one_works() {
    let bench = Bench::start_with(|setup| setup.probe = fault).await;
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 250));
    let run = bench.synchronize().await;
    let error = run.error().unwrap();
    assert_eq!(run.state(), RunState::Failed);
    assert!(error.message.contains("Quote ") && !error.message.contains("a fault inside"), "{error:?}");
    // Pages of the same process answer, and have the number.
    let app = bench.console().await;
    assert_eq!(app.visitor().get("/healthz").await.status(), 200);
    let page = app.sign_in_admin().await.get(&format!("/synchronizations/{}", run.id)).await;
    assert!(page.text("main").contains(&error.message), "{}", page.body);
    bench.succeed().await;
    assert_eq!(bench.stored().await, bench.upstream.keys());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_a_run_says_that_newer_options_wait() {
    // a worker would close a run that has no job
    let app = TestApp::start_with(|config| config.roles.worker = false).await;
    let sql = "INSERT INTO sync_runs (state, trigger, started_by, started_at, phase, done, total, rate, received, settings)
               VALUES ('running', 'manual', 'olga', now(), 'updates', 200, 1000, 40, 3100000,
                   (SELECT jsonb_build_object('options_version', version - 1) FROM sync_options))";
    app.db.client().await.execute(sql, &[]).await.unwrap();
    let rita = app.sign_in_as("rita", weir::accounts::Role::Reporter).await;
    let text = rita.get("/synchronizations/1").await.text("main");
    for words in [
        "The options were changed since this synchronization began; the next one uses them.",
        "2 of 3: getting update information",
        "200 of 1,000",
        "3.1 MB received, 40 a second, about 20 s left",
    ] {
        assert!(text.contains(words), "{words} is not in {text}");
    }
}
