//! What a real Squid refuses, and what is said of it.

use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use weir::protocol::soap::Method;
use weir::settings;
use weir::sync::RunError;
use weir::sync::runs::{self, RunState, Trigger};

use super::{go_through, sign_in, wrong_domain, wrong_password};
use crate::support::TestApp;
use crate::support::bench::Bench;
use crate::support::documents::{self, PRODUCT};
use crate::support::ntlm::Known;
use crate::support::options::{change_options, use_upstream};
use crate::support::process::free_port;
use crate::support::squid::{ACCOUNT, Squid};
use crate::support::tls::Authority;
use crate::support::upstream::Upstream;

/// Synchronizes, wants the proxy server to be the reason that it fails, and returns the story.
async fn refused(app: &TestApp) -> RunError {
    let requested = runs::request(&mut *app.db.conn().await, Trigger::Manual, "test").await.unwrap();
    for _ in 0..600 {
        let run = runs::get(&mut *app.db.conn().await, requested.run_id).await.unwrap().unwrap();
        if !run.state().is_active() {
            assert_eq!(run.state(), RunState::Failed);
            return by_proxy(run.error().unwrap());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the run did not end");
}

fn by_proxy(error: RunError) -> RunError {
    assert_eq!((error.hop.as_str(), error.code.as_str()), ("proxy", "ProxyError"), "{error:?}");
    assert!(error.message.contains("127.0.0.1:") && !error.advice.is_empty(), "{error:?}");
    error
}

async fn try_account(squid: &Squid, account: Option<&Known>, basic: bool) -> RunError {
    let (app, upstream) = (TestApp::start().await, Upstream::start().await);
    change_options(&app.db, |options| {
        use_upstream(options, upstream.port());
        go_through(options, squid.port);
        if let Some(account) = account {
            sign_in(options, &app, account, basic);
        }
    })
    .await;
    let error = refused(&app).await;
    assert!(upstream.take_calls().is_empty(), "nothing goes around the proxy server");
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn r120_a_wrong_account_is_tried_once_in_a_whole_run() {
    for (scheme, name, question) in [
        ("ntlm", "NTLM", "ntlm KK"),
        ("negotiate", "Negotiate", "negotiate KK"),
        ("basic", "Basic", "basic "),
    ] {
        for account in [wrong_password(), wrong_domain()] {
            let squid = Squid::start(&[scheme]).await;
            let error = try_account(&squid, Some(&account), true).await;
            let wanted =
                format!("The proxy server 127.0.0.1:{} rejected the credentials ({name}).", squid.port);
            assert_eq!(error.message, wanted);
            assert_eq!(squid.asked(question), 1, "{account:?}");
            assert!(!error.message.contains(account.password) && !error.advice.contains(account.password));
        }
    }
    for account in [wrong_password(), wrong_domain()] {
        let squid = Squid::start(&["digest"]).await;
        let error = try_account(&squid, Some(&account), false).await;
        assert!(error.message.ends_with("rejected the credentials (Digest)."), "{error:?}");
        let tries = squid.log().into_iter().filter(|one| one.scheme == "Digest").count();
        assert_eq!(tries, 1, "{account:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r119_s079_basic_that_is_not_allowed_is_never_sent() {
    let squid = Squid::start(&["basic"]).await;
    let error = try_account(&squid, Some(&ACCOUNT), false).await;
    let wanted = format!(
        "The proxy server 127.0.0.1:{} offers only basic authentication, which is switched off.",
        squid.port
    );
    assert_eq!(error.message, wanted);
    assert!(squid.schemes().is_empty() && squid.asked("basic") == 0, "{:?}", squid.log());
    assert!(!squid.log().is_empty(), "it was asked, without a sign-in");
}

#[tokio::test(flavor = "multi_thread")]
async fn s080_a_proxy_server_that_asks_is_not_one_that_refuses() {
    let squid = Squid::start(&["ntlm", "digest"]).await;
    let error = try_account(&squid, None, false).await;
    assert!(error.message.contains("asks for a user name and a password (NTLM, Digest)"), "{error:?}");
    assert!(squid.schemes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn r126_a_rule_of_the_proxy_server_is_named_for_requests_and_for_tunnels() {
    let bench = Bench::start().await;
    let squid = Squid::start_with(&[], "http_access deny all").await;
    for ssl in [false, true] {
        change_options(&bench.db, |options| {
            go_through(options, squid.port);
            options.source.ssl = ssl;
            options.source.ca = Authority::new("Test authority").pem;
        })
        .await;
        let error = by_proxy(bench.synchronize().await.error().unwrap());
        let words = format!("refused the connection to 127.0.0.1:{} by its rules", bench.upstream.port());
        assert!(error.message.contains(&words), "{error:?}");
        assert!(error.message.contains("ERROR: The requested URL could not be retrieved"), "{error:?}");
    }
    assert!(bench.upstream.take_calls().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn r126_what_the_proxy_server_cannot_reach_is_told_apart_from_itself() {
    let bench = Bench::start().await;
    let squid = Squid::start(&[]).await;
    for ssl in [false, true] {
        change_options(&bench.db, |options| {
            go_through(options, squid.port);
            options.source.port = free_port();
            options.source.ssl = ssl;
            options.source.ca = Authority::new("Test authority").pem;
        })
        .await;
        let error = by_proxy(bench.synchronize().await.error().unwrap());
        assert!(
            error.message.contains("did not open a connection to") && error.message.contains("status 503"),
            "{error:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r118_a_proxy_server_that_goes_in_mid_run_fails_it_and_nothing_goes_around() {
    let bench = Bench::start().await;
    let mut squid = Squid::start(&[]).await;
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 300));
    bench.upstream.delay(Duration::from_millis(300));
    change_options(&bench.db, |options| go_through(options, squid.port)).await;
    let run_id = bench.request().await.run_id;
    let mut seen = Vec::new();
    while !seen.contains(&Method::GetUpdateData) {
        seen.extend(bench.upstream.take_calls().iter().map(|call| call.method));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    squid.kill();
    tokio::time::sleep(Duration::from_millis(50)).await;
    bench.upstream.take_calls();
    let run = bench.ended(run_id).await;
    assert_eq!(run.state(), RunState::Failed);
    let error = run.error().unwrap();
    assert_eq!(error.code, "ProxyError", "{error:?}");
    assert!(error.message.contains(&format!("The proxy server 127.0.0.1:{}", squid.port)), "{error:?}");
    assert!(bench.upstream.take_calls().is_empty(), "nothing goes around");
    squid.restart().await;
    bench.upstream.delay(Duration::ZERO);
    bench.succeed().await;
    assert_eq!(bench.stored().await, bench.upstream.keys());
}

#[tokio::test(flavor = "multi_thread")]
async fn r118_names_ports_and_limits_of_connections_are_told_apart() {
    let bench = Bench::start().await;
    bench.upstream.publish(documents::categories());
    let through = async |server: &str, port: u16| {
        let server = server.to_owned();
        change_options(&bench.db, |options| {
            go_through(options, port);
            options.proxy.server = server;
        })
        .await;
    };
    through("127.0.0.1", free_port()).await;
    let error = by_proxy(bench.synchronize().await.error().unwrap());
    assert!(error.message.contains("cannot be reached: the connection was refused"), "{error:?}");

    through("no-such-proxy.invalid", 3128).await;
    let error = bench.synchronize().await.error().unwrap();
    assert_eq!(error.code, "ProxyError");
    assert_eq!(error.message, "The name of the proxy server no-such-proxy.invalid:3128 was not found.");

    // No second connection while there is one, and somebody else has it.
    let squid = Squid::start_with(&[], "client_ip_max_connections 0\n").await;
    through("127.0.0.1", squid.port).await;
    let held = loop {
        // The test's own look at the port may still be counted.
        let stream = TcpStream::connect(("127.0.0.1", squid.port)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        let mut byte = [0];
        match stream.try_read(&mut byte) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break stream,
            _ => {}
        }
    };
    let started = Instant::now();
    let error = by_proxy(bench.synchronize().await.error().unwrap());
    assert!(error.message.contains("closed the connection without an answer"), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(15));
    drop(held);
    assert!(bench.upstream.take_calls().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn r135_a_run_keeps_its_way_and_the_next_takes_the_new_one() {
    let bench = Bench::start().await;
    let (old, new) = (Squid::start(&[]).await, Squid::start(&[]).await);
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 100));
    bench.upstream.delay(Duration::from_millis(300));
    change_options(&bench.db, |options| go_through(options, old.port)).await;
    let run_id = bench.request().await.run_id;
    while bench.upstream.take_calls().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    change_options(&bench.db, |options| go_through(options, new.port)).await;
    let first = bench.ended(run_id).await;
    assert_eq!(first.proxy(), Some(format!("127.0.0.1:{}", old.port).as_str()));
    assert!(new.log().is_empty(), "the run that was under way stays with what it began with");
    assert!(first.has_older_options(settings::load(&mut *bench.db.conn().await).await.unwrap().version));
    bench.upstream.publish(documents::updates(PRODUCT, 1_000, 1));
    let second = bench.succeed().await;
    assert_eq!(second.proxy(), Some(format!("127.0.0.1:{}", new.port).as_str()));
    assert!(!new.log().is_empty());
}
