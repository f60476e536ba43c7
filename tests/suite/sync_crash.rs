//! Servers that are killed, ended or replaced in the middle of something.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use weir::settings;
use weir::sync::runs::{self, RunState, Trigger};

use crate::support::TestDatabase;
use crate::support::bench::Bench;
use crate::support::documents::{self, PRODUCT};
use crate::support::process::{self, Process};

/// A bench without a worker whose upstream server is so slow that a run takes some seconds.
async fn slow() -> Bench {
    let bench = Bench::idle().await;
    bench.upstream.limits(10, 10);
    bench.upstream.delay(Duration::from_millis(150));
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 400));
    bench
}

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

#[tokio::test(flavor = "multi_thread")]
async fn r006_options_saved_under_a_kill_are_all_old_or_all_new_with_one_audit_entry() {
    let db = TestDatabase::create().await;
    let data = tempfile::tempdir().unwrap();
    for (round, after_ms) in [20, 45, 70, 110, 160, 240].into_iter().enumerate() {
        let before = settings::load(&mut *db.conn().await).await.unwrap();
        let count = "SELECT count(*) FROM audit";
        let audited: i64 = db.client().await.query_one(count, &[]).await.unwrap().get(0);
        let (server, port) = (format!("host{round}.example"), 9_000 + round as u16);
        let (one, other) = (format!("source.server={server}"), format!("source.port={port}"));
        let args = ["options", "set", "source.kind=upstream", &one, &other];
        let mut child = process::weir(&db, data.path(), &args).spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(after_ms)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        let after = settings::load(&mut *db.conn().await).await.unwrap();
        let entries: i64 = db.client().await.query_one(count, &[]).await.unwrap().get(0);
        if after.version == before.version {
            assert_eq!((after, entries), (before, audited));
        } else {
            assert_eq!((after.source.server, after.source.port, entries), (server, port, audited + 1));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r007_a_kill_while_a_run_stops_leaves_no_run_that_never_ends() {
    let bench = slow().await;
    let data = tempfile::tempdir().unwrap();
    let mut server = Process::start(&bench.db, data.path());
    server.ready().await;
    let run_id = begun(&bench.db).await;
    assert!(runs::stop(&mut *bench.db.conn().await, run_id, "test").await.unwrap());
    server.kill();
    let mut server = Process::start(&bench.db, data.path());
    server.ready().await;
    let run = bench.ended(run_id).await;
    assert!([RunState::Canceled, RunState::Interrupted].contains(&run.state()), "{:?}", run.state());
    bench.upstream.delay(Duration::ZERO);
    let again = runs::request(&mut *bench.db.conn().await, Trigger::Manual, "test").await.unwrap();
    assert!(!again.joined);
    assert_eq!(bench.ended(again.run_id).await.state(), RunState::Succeeded);
    assert_eq!(bench.stored().await, bench.upstream.keys());
}

#[tokio::test(flavor = "multi_thread")]
async fn r008_an_orderly_end_in_mid_run_is_written_down_and_quick() {
    let bench = slow().await;
    let data = tempfile::tempdir().unwrap();
    let mut server = Process::start(&bench.db, data.path());
    server.ready().await;
    let run_id = begun(&bench.db).await;
    let asked_at = Instant::now();
    server.signal(Signal::SIGTERM);
    assert_eq!(server.end().await, Some(0));
    assert!(asked_at.elapsed() < Duration::from_secs(30));
    let run = runs::get(&mut *bench.db.conn().await, run_id).await.unwrap().unwrap();
    assert_eq!(run.state(), RunState::Interrupted);
    assert!(run.error().unwrap().message.contains("shut down"), "{:?}", run.error());
}

#[tokio::test(flavor = "multi_thread")]
async fn r012_ten_kills_right_after_the_start_leave_nothing_behind() {
    let db = TestDatabase::create().await;
    let data = tempfile::tempdir().unwrap();
    for round in 0..10 {
        let mut server = Process::start(&db, data.path());
        tokio::time::sleep(Duration::from_millis(60 + 140 * round)).await;
        server.kill();
    }
    let mut server = Process::start(&db, data.path());
    server.ready().await;
    assert_eq!(server.visitor().get("/healthz").await.status(), 200);
    let client = db.client().await;
    let rows =
        "SELECT (SELECT count(*) FROM jobs), (SELECT count(*) FROM sync_runs), (SELECT count(*) FROM audit)";
    let row = client.query_one(rows, &[]).await.unwrap();
    let left: [i64; 3] = [row.get(0), row.get(1), row.get(2)];
    assert!(left.iter().all(|count| *count <= 5), "{left:?}");
    let files = std::fs::read_dir(data.path()).unwrap().count();
    assert!(files <= 6, "{files} files");
}

#[tokio::test(flavor = "multi_thread")]
async fn r021_a_server_without_its_database_ends_with_a_named_reason() {
    let db = TestDatabase::create().await;
    let data = tempfile::tempdir().unwrap();
    let nobody = format!("host=127.0.0.1 port={} user=weir dbname=weir", process::free_port());
    let mut command = process::weir(&db, data.path(), &["serve"]);
    command.env("DATABASE_URL", nobody);
    let output = tokio::time::timeout(
        Duration::from_secs(60),
        tokio::task::spawn_blocking(move || command.output().unwrap()),
    );
    let output = output.await.unwrap().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("Could not reach the database"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_lost_its_lease_writes_nothing_more() {
    let bench = slow().await;
    bench.work().await;
    let run_id = begun(&bench.db).await;
    let client = bench.db.client().await;
    client.execute("UPDATE jobs SET fence = fence + 1 WHERE state = 'running'", &[]).await.unwrap();
    let count = "SELECT count(*) FROM revisions";
    let before: i64 = client.query_one(count, &[]).await.unwrap().get(0);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after: i64 = client.query_one(count, &[]).await.unwrap().get(0);
    assert_eq!(before, after, "it went on storing");
    let run = runs::get(&mut *bench.db.conn().await, run_id).await.unwrap().unwrap();
    assert!(run.state().is_active(), "the one that has the lease ends the run: {:?}", run.state());
    assert!(bench.stored().await.len() <= 4);
}
