//! The database server itself stops, crashes or has no room, in the middle of a run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use weir::accounts::Role;
use weir::sync::runs::{self, Run, RunState, Trigger};

use crate::support::bench::{Bench, stored};
use crate::support::cluster::{Cluster, may_mount};
use crate::support::documents::{self, PRODUCT};
use crate::support::options::{change_options, use_upstream};
use crate::support::upstream::Upstream;
use crate::support::{PASSWORD, TestApp, TestDatabase};

/// A server on a database of this cluster, and a slow update source.
async fn app_on(cluster: &Cluster) -> (TestApp, Upstream) {
    let app = TestApp::start_on_database(Arc::new(TestDatabase::create_on(cluster).await)).await;
    let upstream = Upstream::start().await;
    upstream.limits(10, 10);
    upstream.publish(documents::categories());
    upstream.publish(documents::updates(PRODUCT, 0, 20));
    change_options(&app.db, |options| use_upstream(options, upstream.port())).await;
    app.synchronize().await;
    upstream.publish(documents::updates(PRODUCT, 100, 400));
    upstream.delay(Duration::from_millis(150));
    (app, upstream)
}

/// A run that has stored something and is not at its end.
async fn begun(db: &TestDatabase) -> i64 {
    let run_id = runs::request(&mut *db.conn().await, Trigger::Manual, "test").await.unwrap().run_id;
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let run = runs::get(&mut *db.conn().await, run_id).await.unwrap().unwrap();
        if run.revisions >= 10 {
            return run_id;
        }
        assert!(Instant::now() < until && run.state().is_active(), "{:?} {:?}", run.state(), run.error());
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

async fn ended(db: &TestDatabase, run_id: i64) -> Run {
    let until = Instant::now() + Duration::from_secs(90);
    loop {
        let run = runs::get(&mut *db.conn().await, run_id).await.unwrap().unwrap();
        if !run.state().is_active() {
            return run;
        }
        assert!(Instant::now() < until, "the run does not end");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Synchronizes with success. A run that goes on by itself may be cut off once more by what the outage left behind, and
/// then goes on again.
async fn goes_on(db: &TestDatabase) {
    for attempt in 0..3 {
        let requested = runs::request(&mut *db.conn().await, Trigger::Manual, "test").await.unwrap();
        let run = ended(db, requested.run_id).await;
        if run.state() != RunState::Interrupted {
            assert_eq!(run.state(), RunState::Succeeded, "attempt {attempt}: {:?}", run.error());
            return;
        }
    }
    panic!("interrupted again and again");
}

#[tokio::test(flavor = "multi_thread")]
async fn r014_a_server_that_stops_for_seconds_is_told_on_every_page_and_needs_no_restart() {
    let cluster = Cluster::start();
    let (app, upstream) = app_on(&cluster).await;
    let anna = app.sign_in_admin().await;
    let run_id = begun(&app.db).await;
    cluster.stop(Signal::SIGINT);
    // Together, because each page waits some seconds for a connection before it gives up.
    let (runs_page, updates, login, health) = tokio::join!(
        anna.get("/synchronizations"),
        anna.get("/updates"),
        anna.get("/login"),
        anna.get("/healthz")
    );
    for page in [runs_page, updates, login] {
        assert_eq!(page.status(), 503);
        assert!(page.body.contains("The database does not answer"), "{}", page.body);
    }
    assert!([200, 503].contains(&health.status()), "it answers: {}", health.status());
    tokio::time::sleep(Duration::from_secs(3)).await;
    cluster.start_again();
    upstream.delay(Duration::ZERO);
    let until = Instant::now() + Duration::from_secs(30);
    while anna.get("/synchronizations").await.status() != 200 {
        assert!(Instant::now() < until, "the pages do not come back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let run = ended(&app.db, run_id).await;
    if run.state() == RunState::Failed {
        let error = run.error().unwrap();
        assert_eq!(error.hop, "database", "{error:?}");
        assert!(error.message.contains("connection to the database was lost"), "{error:?}");
    }
    goes_on(&app.db).await;
    assert_eq!(stored(&app.db).await, upstream.keys());
}

#[tokio::test(flavor = "multi_thread")]
async fn r015_an_immediate_shutdown_inside_a_commit_leaves_the_batch_wholly_there_or_wholly_not() {
    let cluster = Cluster::start();
    let bench = Bench::idle_on(TestDatabase::create_on(&cluster).await).await;
    bench.work().await;
    bench.upstream.limits(10, 10);
    bench.upstream.publish(documents::categories());
    bench.succeed().await;
    bench.upstream.publish(documents::updates(PRODUCT, 0, 200));
    // The commit of a later batch takes very long: everything is written, and nothing is decided.
    let slow_commit = "CREATE SEQUENCE rows;
         CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF nextval('rows') = 60 THEN PERFORM pg_sleep(60); END IF; RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER linger AFTER INSERT ON documents DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION linger()";
    bench.db.client().await.batch_execute(slow_commit).await.unwrap();
    let run_id = bench.request().await.run_id;
    let watcher = bench.db.client().await;
    let commits =
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query ILIKE 'commit%'";
    let until = Instant::now() + Duration::from_secs(30);
    while watcher.query_one(commits, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        assert!(Instant::now() < until, "no batch commits");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let count = "SELECT (SELECT count(*) FROM revisions), (SELECT count(*) FROM documents)";
    let seen = watcher.query_one(count, &[]).await.unwrap();
    let before: [i64; 2] = [seen.get(0), seen.get(1)];
    cluster.stop(Signal::SIGQUIT);
    cluster.start_again();
    let client = bench.db.client().await;
    let seen = client.query_one(count, &[]).await.unwrap();
    assert_eq!([seen.get::<_, i64>(0), seen.get(1)], before, "what was committed, and no piece of the other");
    client.batch_execute("DROP TRIGGER linger ON documents").await.unwrap();
    let run = ended(&bench.db, run_id).await;
    assert!([RunState::Failed, RunState::Interrupted].contains(&run.state()), "{:?}", run.state());
    if let Some(error) = run.error() {
        assert_eq!(error.hop, "database", "{error:?}");
    }
    goes_on(&bench.db).await;
    assert_eq!(bench.stored().await, bench.upstream.keys());
}

#[tokio::test(flavor = "multi_thread")]
async fn r019_a_volume_that_fills_in_mid_run_is_named_and_everything_goes_on_with_room() {
    if !may_mount() {
        println!("no small volume can be made here; the test with an injected error stands in sync_database");
        return;
    }
    let cluster = Cluster::start_in_small_room(96 << 20);
    let (app, upstream) = app_on(&cluster).await;
    app.account("rita", Role::Reporter).await;
    let before = stored(&app.db).await;
    let client = app.db.client().await;
    client.batch_execute("CREATE TABLE filler (text text)").await.unwrap();
    client.batch_execute("ALTER TABLE filler ALTER text SET STORAGE PLAIN").await.unwrap();
    let run_id = begun(&app.db).await;
    for rows in [100_000, 100, 1] {
        // What a failed statement has taken stays taken.
        let fill = format!("INSERT INTO filler SELECT repeat('x', 7000) FROM generate_series(1, {rows})");
        while let Ok(()) = client.batch_execute(&fill).await {}
    }
    let run = ended(&app.db, run_id).await;
    let error = run.error().unwrap();
    assert_eq!(run.state(), RunState::Failed, "{error:?}");
    assert!(error.message.contains("disk of the database is full"), "{error:?}");
    assert!(error.advice.contains("Make room"), "{error:?}");
    assert_eq!(stored(&app.db).await, before, "nothing of it is visible");
    // Signing in works, or says why not.
    let visitor = app.visitor();
    assert_eq!(visitor.get("/login").await.status(), 200);
    assert_eq!(visitor.get("/healthz").await.status(), 200);
    for _ in 0..40 {
        // A new browser each time: one that is signed in gets no form.
        let answer = app.visitor().sign_in("rita", PASSWORD).await;
        if answer.status() != 303 {
            assert_eq!(answer.status(), 503);
            assert!(answer.body.contains("The disk of the database is full"), "{}", answer.body);
            break;
        }
    }
    client.batch_execute("DROP TABLE filler").await.unwrap();
    assert_eq!(app.visitor().sign_in("rita", PASSWORD).await.status(), 303);
    upstream.delay(Duration::ZERO);
    app.synchronize().await;
    assert_eq!(stored(&app.db).await, upstream.keys());
}
