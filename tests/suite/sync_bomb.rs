//! What a bomb costs the whole program, as the system counts it.

use std::time::{Duration, Instant};

use weir::protocol::soap::Method;
use weir::sync::runs::{self, RunState, Trigger};

use crate::support::TestDatabase;
use crate::support::documents::{self, PRODUCT};
use crate::support::options::{change_options, use_upstream};
use crate::support::process::Process;
use crate::support::upstream::{Trouble, Upstream};

/// The most memory that a process had, in MiB.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn r056_ten_gigabytes_of_gzip_cost_no_more_memory_than_the_limit_of_an_answer() {
    let (db, data, upstream) =
        (TestDatabase::create().await, tempfile::tempdir().unwrap(), Upstream::start().await);
    upstream.publish(documents::categories());
    upstream.publish(documents::updates(PRODUCT, 0, 5));
    change_options(&db, |options| use_upstream(options, upstream.port())).await;
    upstream.trouble(Method::GetRevisionIdList, 1_000, Trouble::GzipBomb);
    let mut server = Process::start(&db, data.path());
    server.ready().await;
    let run_id = runs::request(&mut *db.conn().await, Trigger::Manual, "test").await.unwrap().run_id;
    let until = Instant::now() + Duration::from_secs(60);
    let run = loop {
        let run = runs::get(&mut *db.conn().await, run_id).await.unwrap().unwrap();
        if !run.state().is_active() {
            break run;
        }
        assert!(Instant::now() < until, "the bomb does not end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let error = run.error().unwrap();
    assert_eq!(run.state(), RunState::Failed);
    assert!(error.message.contains("larger than the limit of 134217728 bytes"), "{error:?}");
    let peak = peak(server.id());
    println!("peak of the process: {peak} MiB");
    // 128 MiB of the answer, as much again while its buffer grows, and the program itself.
    assert!(peak < 400, "{peak} MiB");
    assert_eq!(server.visitor().get("/healthz").await.status(), 200);
}
