//! Servers that are killed, ended or replaced in the middle of something.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use weir::protocol::soap::Method;
use weir::settings::{self, SourceKind};
use weir::sync::runs::{self, RunState, Trigger};

use crate::support::bench::Bench;
use crate::support::documents::{self, PRODUCT};
use crate::support::options::change_options;
use crate::support::process::{self, Process};
use crate::support::upstream::Call;
use crate::support::{TestApp, TestDatabase, Visitor};

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
async fn r002_a_kill_between_a_list_and_its_documents_leaves_the_old_anchor() {
    let bench = Bench::idle().await;
    let worker = bench.work_apart().await;
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 20));
    bench.succeed().await;
    let anchors = async || -> (Option<String>, Option<String>) {
        let sql = "SELECT category_anchor, update_anchor FROM sources";
        let row = bench.db.client().await.query_one(sql, &[]).await.unwrap();
        (row.get(0), row.get(1))
    };
    let before = anchors().await;
    bench.upstream.publish(documents::updates(PRODUCT, 100, 60));
    bench.upstream.delay(Duration::from_secs(20));
    bench.upstream.take_calls();
    bench.request().await;
    // Once documents are asked for, the list and its new anchor have come.
    let until = Instant::now() + Duration::from_secs(30);
    let mut seen = Vec::new();
    while !seen.iter().any(|call: &Call| call.method == Method::GetUpdateData) {
        assert!(Instant::now() < until);
        seen.extend(bench.upstream.take_calls());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    worker.kill();
    assert_eq!(anchors().await, before);
    bench.upstream.delay(Duration::ZERO);
    let _worker = bench.work_apart().await;
    let until = Instant::now() + Duration::from_secs(60);
    while bench.stored().await != bench.upstream.keys() {
        assert!(Instant::now() < until, "what was listed before the kill is lost");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_ne!(anchors().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn r004_kills_while_files_are_written_leave_no_file_that_is_not_whole() {
    let above = TestApp::with_sample(300, 8).await;
    let whole: BTreeMap<String, Vec<u8>> = files(&above.data_dir().join("content"));
    let (db, data) = (TestDatabase::create().await, tempfile::tempdir().unwrap());
    change_options(&db, |options| {
        options.source.kind = SourceKind::Upstream;
        options.source.server = "127.0.0.1".to_owned();
        options.source.port = above.services_port();
        options.files.deferred = false;
    })
    .await;
    let content = data.path().join("content");
    let mut server = Process::start(&db, data.path());
    server.ready().await;
    runs::request(&mut *db.conn().await, Trigger::Manual, "test").await.unwrap();
    let client = db.client().await;
    let count = "SELECT count(*) FILTER (WHERE state = 'stored'), count(*) FROM content_files";
    let mut kills = 0;
    let until = Instant::now() + Duration::from_secs(150);
    loop {
        let row = client.query_one(count, &[]).await.unwrap();
        let (stored, wanted): (i64, i64) = (row.get(0), row.get(1));
        if wanted > 0 && stored == wanted {
            break;
        }
        assert!(Instant::now() < until, "{stored} of {wanted} files after {kills} kills");
        tokio::time::sleep(Duration::from_millis(50 + 37 * (kills % 9))).await;
        if wanted > 0 && kills < 8 {
            server.kill();
            for (name, bytes) in files(&content) {
                assert_eq!(Some(&bytes), whole.get(&name), "{name} has its final name and is not whole");
            }
            server = Process::start(&db, data.path());
            server.ready().await;
            server.listening(server.services).await;
            kills += 1;
            // What is not whole is not served.
            let below = Visitor::new(&format!("http://127.0.0.1:{}", server.services));
            let missing = whole.iter().find(|(name, _)| !content.join(name).exists());
            let Some((name, bytes)) = missing else { continue };
            let answer = below.get(&format!("/Content/{name}")).await;
            let is_whole = || std::fs::read(content.join(name)).is_ok_and(|here| here == *bytes);
            assert!(answer.status() == 404 || is_whole(), "{name}: {}", answer.status());
        }
    }
    assert!(kills > 0, "no kill fell into the files");
    let here = files(&content);
    assert!(!here.is_empty() && here.iter().all(|(name, bytes)| whole.get(name) == Some(bytes)));
    let left = std::fs::read_dir(content.join(".partial")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "pieces of files are left");
}

/// Files under their final names, by folder and name.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for inner in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = inner.file_name().into_string().unwrap();
        if name.starts_with('.') {
            continue;
        }
        for file in std::fs::read_dir(inner.path()).into_iter().flatten().flatten() {
            let bytes = std::fs::read(file.path()).unwrap();
            found.insert(format!("{name}/{}", file.file_name().into_string().unwrap()), bytes);
        }
    }
    found
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
    let output = process::output(command).await;
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
