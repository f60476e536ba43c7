//! A whole synchronization with its files through a real Squid, with each way to sign in. Squid's log and the addresses
//! of the peers show that nothing went around it.

use std::collections::BTreeSet;

use weir::accounts::Role;
use weir::sync::runs;

use super::{go_through, sign_in};
use crate::files::{count, until};
use crate::support::TestApp;
use crate::support::squid::{ACCOUNT, Front, OUTGOING, Squid};
use crate::support::tls::{Authority, TlsFront};

/// What is offered, is Basic allowed, and what is to be used.
const WAYS: [(&[&str], bool, Option<&str>); 6] = [
    (&[], false, None),
    (&["basic"], true, Some("Basic")),
    (&["digest", "basic"], false, Some("Digest")),
    (&["ntlm"], false, Some("NTLM")),
    (&["negotiate"], false, Some("Negotiate")),
    (&["basic", "digest", "ntlm", "negotiate"], true, Some("NTLM")),
];

/// Everything came, and all of it this way.
async fn came_through(app: &TestApp, squid: &Squid, fronts: &[&Front], scheme: Option<&str>) {
    until("all files are here", async || count(app, "wanted").await == 0).await;
    assert!(count(app, "stored").await > 10 && count(app, "failed").await == 0);
    for front in fronts {
        let peers = front.peers();
        assert!(!peers.is_empty() && peers.iter().all(|peer| *peer == OUTGOING), "{scheme:?}: {peers:?}");
        assert!(!front.was_sent("proxy-authorization"), "the sign-in is for the proxy server only");
    }
    assert_eq!(squid.schemes(), scheme.into_iter().map(str::to_owned).collect::<BTreeSet<_>>());
    let log = squid.log();
    let files = log.iter().filter(|one| one.method == "GET" && one.status == 200).count() as i64;
    assert!(files >= count(app, "stored").await, "{files} files came through");
    if scheme.is_some() {
        let passed = log.iter().filter(|one| one.status == 200);
        assert!(passed.into_iter().all(|one| one.user.contains(ACCOUNT.user)), "{log:?}");
    }
    let written = squid.written();
    assert!(!written.contains("pa:ss") && !written.contains("FATAL"), "{written}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r132_plain_requests_and_files_go_through_with_each_scheme() {
    let above = TestApp::with_sample(60, 3).await;
    for (offered, basic, scheme) in WAYS {
        let (app, squid) = (TestApp::start().await, Squid::start(offered).await);
        let front = Front::to(above.services_port()).await;
        app.follow(&above, |options| {
            options.source.port = front.port;
            options.files.deferred = false;
            go_through(options, squid.port);
            if scheme.is_some() {
                sign_in(options, &app, &ACCOUNT, basic);
            }
        })
        .await;
        let run_id = app.synchronize().await;
        came_through(&app, &squid, &[&front], scheme).await;
        let run = runs::get(&mut *app.db.conn().await, run_id).await.unwrap().unwrap();
        assert_eq!(run.proxy(), Some(format!("127.0.0.1:{}", squid.port).as_str()));
        if scheme.is_none() {
            let page = app
                .sign_in_as("rita", Role::Reporter)
                .await
                .get(&format!("/synchronizations/{run_id}"))
                .await;
            assert!(
                page.text("main").contains(&format!("127.0.0.1:{}", squid.port)),
                "r135: the run shows its way"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r132_tunnels_go_through_with_each_scheme() {
    let above = TestApp::with_sample(60, 3).await;
    let authority = Authority::new("Test authority");
    for (offered, basic, scheme) in WAYS {
        let (app, squid) = (TestApp::start().await, Squid::start(offered).await);
        // Outside TLS the peers are seen, inside it what was sent.
        let inside = Front::to(above.services_port()).await;
        let tls = TlsFront::start(&authority.issue(&["127.0.0.1"]), inside.port).await;
        let (outside, files) = (Front::to(tls.port).await, Front::to(above.services_port()).await);
        app.follow(&above, |options| {
            options.source.port = outside.port;
            options.source.ssl = true;
            options.source.ca = authority.pem.clone();
            options.source.content_port = Some(files.port);
            options.files.deferred = false;
            go_through(options, squid.port);
            if scheme.is_some() {
                sign_in(options, &app, &ACCOUNT, basic);
            }
        })
        .await;
        app.synchronize().await;
        came_through(&app, &squid, &[&outside, &files], scheme).await;
        assert!(inside.was_sent("ServerSyncWebService") && !inside.was_sent("proxy-authorization"));
        let tunnels = squid.log();
        let mut tunnels = tunnels.iter().filter(|one| one.method == "CONNECT" && one.status == 200);
        assert!(tunnels.any(|one| one.target == format!("127.0.0.1:{}", outside.port)));
    }
}
