//! Killing the program in the middle of a synchronization loses nothing and stores nothing twice.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use weir::sample::{self, Catalogue, Target};

use crate::support::process::{self, Process};
use crate::support::{TestApp, TestDatabase};

/// Moments after the start of `weir sync` at which it is killed: from before the first call to
/// the middle of the documents. Fixed, so that a failure can be seen again.
const KILLED_AFTER_MS: [u64; 5] = [250, 600, 900, 1_300, 450];

#[tokio::test(flavor = "multi_thread")]
async fn r001_five_kills_in_a_run_leave_the_catalogue_that_one_run_gives() {
    let upstream = TestApp::start().await;
    let content = upstream.data_dir().join("content");
    let target = Target { pool: upstream.db.pool(), url: upstream.db.url(), content_dir: &content };
    sample::fill(target, Catalogue::generate(600, 5)).await.unwrap();
    let port = upstream.services_port();

    let undisturbed = Server::create(port).await;
    assert_eq!(undisturbed.synchronize().await["result"], "succeeded");
    let expected = undisturbed.ids().await;
    assert!(expected.lines().count() > 300, "the sample is too small to be killed in");

    let killed = Server::create(port).await;
    for after in KILLED_AFTER_MS {
        let mut child = killed.weir(&["sync", "--wait"]).spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(after)).await;
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let last = killed.synchronize().await;
    assert_eq!(last["result"], "succeeded", "{last}");
    assert_eq!(killed.ids().await, expected);

    killed.has_no_leftovers().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r001_five_kills_of_the_server_end_in_the_same_catalogue_by_themselves() {
    let upstream = TestApp::start().await;
    let content = upstream.data_dir().join("content");
    let target = Target { pool: upstream.db.pool(), url: upstream.db.url(), content_dir: &content };
    sample::fill(target, Catalogue::generate(600, 6)).await.unwrap();
    let port = upstream.services_port();
    let undisturbed = Server::create(port).await;
    assert_eq!(undisturbed.synchronize().await["result"], "succeeded");

    let killed = Server::create(port).await;
    let mut server = Process::start(&killed.db, killed.data.path());
    server.ready().await;
    let trigger = weir::sync::runs::Trigger::Manual;
    weir::sync::runs::request(&mut *killed.db.conn().await, trigger, "test").await.unwrap();
    for after in KILLED_AFTER_MS {
        tokio::time::sleep(Duration::from_millis(after)).await;
        server.kill();
        server = Process::start(&killed.db, killed.data.path());
        server.ready().await;
    }
    let client = killed.db.client().await;
    let newest = "SELECT state FROM sync_runs ORDER BY id DESC LIMIT 1";
    let until = Instant::now() + Duration::from_secs(90);
    loop {
        let state: String = client.query_one(newest, &[]).await.unwrap().get(0);
        if state == "succeeded" {
            break;
        }
        assert!(Instant::now() < until, "the run is {state} and goes nowhere");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(killed.ids().await, undisturbed.ids().await);
    killed.has_no_leftovers().await;
}

/// A downstream server that is only commands on a database and a folder.
struct Server {
    db: TestDatabase,
    data: tempfile::TempDir,
}

impl Server {
    async fn create(upstream_port: u16) -> Self {
        let server = Self { db: TestDatabase::create().await, data: tempfile::tempdir().unwrap() };
        let port = format!("source.port={upstream_port}");
        server.run(&["options", "set", "source.kind=upstream", "source.server=127.0.0.1", &port]).await;
        server
    }

    fn weir(&self, args: &[&str]) -> Command {
        process::weir(&self.db, self.data.path(), args)
    }

    async fn run(&self, args: &[&str]) -> std::process::Output {
        process::succeed(self.weir(args)).await
    }

    /// One synchronization; what its last line says.
    async fn synchronize(&self) -> Value {
        let output = self.run(&["sync", "--wait", "--json"]).await;
        let told = String::from_utf8(output.stdout).unwrap();
        serde_json::from_str(told.lines().last().unwrap()).unwrap()
    }

    async fn ids(&self) -> String {
        String::from_utf8(self.run(&["catalog", "ids"]).await.stdout).unwrap()
    }

    /// No run is shown as at work, nothing is stored invisibly, nothing is owed.
    async fn has_no_leftovers(&self) {
        let client = self.db.client().await;
        let sql = "SELECT (SELECT count(*) FROM sync_runs WHERE state IN ('queued', 'running', 'stopping')),
                          (SELECT count(*) FROM unpublished_revisions),
                          (SELECT count(*) FROM owed_revisions)";
        let row = client.query_one(sql, &[]).await.unwrap();
        let left: [i64; 3] = [row.get(0), row.get(1), row.get(2)];
        assert_eq!(left, [0, 0, 0], "(runs at work, invisible revisions, owed revisions)");
    }
}
