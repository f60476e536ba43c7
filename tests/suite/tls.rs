//! TLS to the update source: what is accepted, and in which words everything else is refused.

use std::time::Duration;

use weir::protocol::soap::Method;
use weir::sync::RunError;
use weir::sync::runs::RunState;

use crate::support::TestApp;
use crate::support::bench::{Bench, Setup};
use crate::support::documents::{self, PRODUCT};
use crate::support::old_tls::OldServer;
use crate::support::options::change_options;
use crate::support::tls::{Authority, Identity, TlsFront};
use crate::support::upstream::Trouble;

async fn bench() -> Bench {
    let bench = Bench::start_with(|setup: &mut Setup| setup.limits.connect = Duration::from_secs(3)).await;
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 3));
    bench
}

/// Points the bench at `server:port` over TLS, trusting `ca` besides the public authorities.
async fn use_tls(bench: &Bench, server: &str, port: u16, ca: &str) {
    change_options(&bench.db, |options| {
        options.source.server = server.to_owned();
        options.source.port = port;
        options.source.ssl = true;
        options.source.ca = ca.to_owned();
    })
    .await;
}

/// The error of a run over `identity`, which must have sent nothing inside TLS.
async fn refusal(bench: &Bench, server: &str, identity: &Identity, ca: &str) -> RunError {
    let front = TlsFront::start(identity, bench.upstream.port()).await;
    use_tls(bench, server, front.port, ca).await;
    bench.upstream.take_calls();
    let run = bench.synchronize().await;
    assert_eq!(run.state(), RunState::Failed);
    assert_eq!(front.connections(), 1, "what would be refused again is not tried again");
    assert_eq!(front.bytes_inside(), 0, "nothing is sent after a refused handshake");
    assert!(bench.upstream.take_calls().is_empty());
    let error = run.error().unwrap();
    assert_eq!((error.hop.as_str(), error.code.as_str()), ("TLS", "UssCommunicationError"), "{error:?}");
    error
}

fn says(error: &RunError, words: &[&str]) {
    for word in words {
        assert!(error.message.contains(word), "{word:?} is not in {:?}", error.message);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r072_each_fault_of_a_certificate_is_named_with_its_names_and_dates() {
    let (bench, lab) = (bench().await, Authority::new("Laboratory CA"));

    let wrong = lab.issue(&["wsus01.example", "10.9.8.7"]);
    let error = refusal(&bench, "localhost", &wrong, &lab.pem).await;
    says(&error, &["is for wsus01.example, 10.9.8.7, not for localhost", "issued by Laboratory CA"]);
    assert!(error.advice.contains("alternative name"), "{error:?}");

    let old = lab.issue_for(&["localhost"], 2020, 2021);
    let error = refusal(&bench, "localhost", &old, &lab.pem).await;
    says(&error, &["has expired", "for localhost", "valid from 1 January 2020 to 1 January 2021"]);

    let early = lab.issue_for(&["localhost"], 2080, 2090);
    let error = refusal(&bench, "localhost", &early, &lab.pem).await;
    says(&error, &["not valid yet", "1 January 2080 to 1 January 2090"]);
    assert!(error.advice.contains("clock"), "{error:?}");

    let itself = Identity::self_signed(&["localhost"]);
    let error = refusal(&bench, "localhost", &itself, "").await;
    says(&error, &["self-signed", "for localhost, issued by localhost", "1 January 2099"]);

    let foreign = Authority::new("Somebody Else").issue(&["localhost"]);
    let error = refusal(&bench, "localhost", &foreign, &lab.pem).await;
    says(&error, &["an authority that Weir does not trust", "issued by Somebody Else"]);
    assert!(error.advice.contains("Certificates to trust"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_self_signed_certificate_that_was_put_in_is_trusted() {
    let bench = bench().await;
    let itself = Identity::self_signed(&["localhost"]);
    let front = TlsFront::start(&itself, bench.upstream.port()).await;
    use_tls(&bench, "localhost", front.port, &itself.pem).await;
    bench.succeed().await;
    assert!(front.bytes_inside() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn r073_an_authority_of_our_own_works_and_its_removal_counts_at_once() {
    let (bench, lab) = (bench().await, Authority::new("Laboratory CA"));
    let front = TlsFront::start(&lab.issue(&["127.0.0.1"]), bench.upstream.port()).await;
    use_tls(&bench, "127.0.0.1", front.port, &lab.pem).await;
    bench.succeed().await;
    assert_eq!(bench.stored().await, bench.upstream.keys());

    use_tls(&bench, "127.0.0.1", front.port, "").await;
    let inside = front.bytes_inside();
    let error = bench.synchronize().await.error().unwrap();
    says(&error, &["an authority that Weir does not trust", "issued by Laboratory CA"]);
    assert_eq!(front.bytes_inside(), inside);
}

#[tokio::test(flavor = "multi_thread")]
async fn r075_clear_text_on_the_port_for_ssl_is_named_and_never_spoken() {
    let bench = bench().await;
    use_tls(&bench, "127.0.0.1", bench.upstream.port(), "").await;
    let error = bench.synchronize().await.error().unwrap();
    // It waits for the end of a line, so a time-out may come first.
    assert!(["TLS", "TCP"].contains(&error.hop.as_str()), "{error:?}");
    assert!(bench.upstream.take_calls().is_empty(), "no call came in clear text");

    let weir = TestApp::start().await;
    use_tls(&bench, "127.0.0.1", weir.services_port(), "").await;
    let error = bench.synchronize().await.error().unwrap();
    says(&error, &["does not speak TLS on this port, but answers in clear text"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_on_the_port_for_clear_text_is_named() {
    let (bench, lab) = (bench().await, Authority::new("Laboratory CA"));
    let front = TlsFront::start(&lab.issue(&["127.0.0.1"]), bench.upstream.port()).await;
    bench.point_to(front.port, &[(PRODUCT, false)]).await;
    let error = bench.synchronize().await.error().unwrap();
    says(&error, &["did not answer GetAuthConfig in HTTP"]);
    assert!(error.advice.contains("tick Use SSL"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_tls_1_1_only_is_refused_by_name() {
    let (bench, lab) = (bench().await, Authority::new("Laboratory CA"));
    let server = OldServer::start(&lab.issue(&["127.0.0.1"])).await;
    use_tls(&bench, "127.0.0.1", server.port, &lab.pem).await;
    let error = bench.synchronize().await.error().unwrap();
    says(&error, &["only TLS versions older than 1.2"]);
    assert!(error.advice.contains("TLS 1.2"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_authentication_is_named_as_unsupported() {
    let bench = bench().await;
    bench.upstream.trouble(Method::GetAuthConfig, 9, Trouble::SignIn(&["Negotiate", "NTLM"]));
    let error = bench.synchronize().await.error().unwrap();
    says(&error, &["wants a sign-in", "Negotiate, NTLM", "does not support"]);
    assert_eq!(error.code, "DssAuthenticationError");
    assert!(error.advice.contains("anonymous access"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s087_a_whole_synchronization_with_files_goes_over_tls() {
    let (above, app) = (TestApp::with_sample(60, 3).await, TestApp::start().await);
    let lab = Authority::new("Laboratory CA");
    let front = TlsFront::start(&lab.issue(&["localhost"]), above.services_port()).await;
    app.follow(&above, |options| {
        options.source.server = "localhost".to_owned();
        options.source.port = front.port;
        options.source.ssl = true;
        options.source.ca = lab.pem.clone();
        options.source.content_port = Some(above.services_port());
        options.files.deferred = false;
    })
    .await;
    let run_id = app.synchronize().await;
    let sql = "SELECT count(*) FILTER (WHERE state = 'wanted'), count(*) FILTER (WHERE state = 'stored')
        FROM content_files";
    for _ in 0..400 {
        let row = app.db.client().await.query_one(sql, &[]).await.unwrap();
        let (wanted, stored): (i64, i64) = (row.get(0), row.get(1));
        if wanted == 0 && stored > 0 {
            assert!(front.bytes_inside() > 0);
            let run = weir::sync::runs::get(&mut *app.db.conn().await, run_id).await.unwrap().unwrap();
            assert_eq!(run.files, stored);
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not all files came");
}
