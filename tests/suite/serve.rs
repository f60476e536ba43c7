//! `weir serve` as a process: starting, stopping, being refused.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use weir::protocol::soap::Method;

use crate::support::documents::{self, PRODUCT};
use crate::support::options::{change_options, use_upstream};
use crate::support::process::{Process, free_port, output, weir};
use crate::support::upstream::Upstream;
use crate::support::{TestDatabase, Visitor};

#[tokio::test(flavor = "multi_thread")]
async fn it_serves_and_ends_well_on_either_signal() {
    let db = TestDatabase::create().await;
    let data = tempfile::tempdir().unwrap();
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut weir = Process::start(&db, data.path());
        weir.ready().await;
        for port in [weir.console, weir.services] {
            let answer = Visitor::new(&format!("http://127.0.0.1:{port}")).get("/healthz").await;
            assert_eq!((answer.status(), answer.body.trim()), (200, "ok"));
        }
        weir.signal(signal);
        assert_eq!(weir.end().await, Some(0), "{signal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_the_same_data_folder_is_refused() {
    let db = TestDatabase::create().await;
    let data = tempfile::tempdir().unwrap();
    let mut first = Process::start(&db, data.path());
    first.ready().await;
    let second = output(weir(&db, data.path(), &["serve"])).await;
    assert_eq!(second.status.code(), Some(2));
    let text = String::from_utf8_lossy(&second.stderr);
    assert!(text.contains("uses the data folder"), "{text}");
    assert_eq!(text.trim().lines().count(), 1, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_and_a_console_open_to_the_network_are_refused_in_one_sentence() {
    let db = TestDatabase::create().await;
    let data = tempfile::tempdir().unwrap();
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().port().to_string();
    let cases = [
        ("WEIR_CONSOLE_PORT", taken.as_str(), "cannot be listened on"),
        ("WEIR_CONSOLE_ADDRESS", "0.0.0.0", "WEIR_CONSOLE_INSECURE"),
    ];
    for (name, value, expected) in cases {
        let mut serve = weir(&db, data.path(), &["serve"]);
        serve.env("WEIR_SERVICES_PORT", free_port().to_string()).env(name, value);
        let refused = output(serve).await;
        let text = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{text}");
        assert!(text.contains(expected), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_in_mid_run_ends_in_time_and_the_next_start_continues() {
    let (db, upstream) = (TestDatabase::create().await, Upstream::start().await);
    upstream.publish(documents::categories());
    upstream.publish(documents::updates(PRODUCT, 0, 120));
    upstream.limits(10, 10);
    change_options(&db, |options| use_upstream(options, upstream.port())).await;
    let data = tempfile::tempdir().unwrap();
    let client = db.client().await;
    // In each phase: before the first document, and among them.
    for delay in [Duration::from_secs(60), Duration::from_millis(400)] {
        upstream.delay(delay);
        upstream.take_calls();
        let mut server = Process::start(&db, data.path());
        server.ready().await;
        let ask = "SELECT count(*) FROM sync_runs WHERE state = 'running'";
        if delay > Duration::from_secs(1) {
            let mut conn = db.conn().await;
            let trigger = weir::sync::runs::Trigger::Manual;
            weir::sync::runs::request(&mut conn, trigger, "test").await.unwrap();
        }
        let until = Instant::now() + Duration::from_secs(30);
        while client.query_one(ask, &[]).await.unwrap().get::<_, i64>(0) == 0 {
            assert!(Instant::now() < until, "no run began");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        let told = Instant::now();
        server.signal(Signal::SIGTERM);
        assert_eq!(server.end().await, Some(0));
        assert!(told.elapsed() < Duration::from_secs(30), "{:?}", told.elapsed());
        let row =
            client.query_one("SELECT state FROM sync_runs ORDER BY id DESC LIMIT 1", &[]).await.unwrap();
        assert_eq!(row.get::<_, &str>(0), "interrupted");
    }

    upstream.delay(Duration::ZERO);
    upstream.take_calls();
    let mut server = Process::start(&db, data.path());
    server.ready().await;
    let sql = "SELECT state, continues IS NOT NULL FROM sync_runs ORDER BY id DESC LIMIT 1";
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let row = client.query_one(sql, &[]).await.unwrap();
        assert!(row.get::<_, bool>(1), "the run is not marked as continued");
        if row.get::<_, &str>(0) == "succeeded" {
            break;
        }
        assert!(Instant::now() < until, "the run was not continued: {}", row.get::<_, &str>(0));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(upstream.take_calls().iter().any(|call| call.method == Method::GetRevisionIdList));
    let stored = client.query_one("SELECT count(*) FROM updates WHERE approvable", &[]).await.unwrap();
    assert_eq!(stored.get::<_, i64>(0), 120);
}
