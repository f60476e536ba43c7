//! Microsoft Update, as a stand-in with an authority of its own: TLS 1.2, its order of members, its anchors.
//!
//! The real service is not asked by any test.

use weir::protocol::soap::Method;
use weir::settings::SourceKind;
use weir::sync::MicrosoftUpdate;
use weir::sync::runs::{Run, RunState};

use crate::support::bench::{Bench, Setup, asked};
use crate::support::documents::{self, Doc, PRODUCT};
use crate::support::options::change_options;
use crate::support::process;
use crate::support::tls::{Authority, Identity, TlsFront};

/// A bench whose update source is Microsoft Update, behind a front that shows `identity`; `ca` is what
/// `WEIR_MICROSOFT_UPDATE_CA` would name.
async fn bench(identity: &Identity, ca: Option<String>) -> (Bench, TlsFront) {
    let bench = Bench::idle().await;
    bench.upstream.be_microsoft();
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 250));
    let front = TlsFront::start_with(identity, bench.upstream.port(), &[&rustls::version::TLS12]).await;
    let microsoft = MicrosoftUpdate { url: url(&front).parse().unwrap(), ca };
    bench.work_with(Setup { database: bench.db.url().clone(), microsoft, ..Setup::default() }).await;
    change_options(&bench.db, |options| options.source.kind = SourceKind::MicrosoftUpdate).await;
    (bench, front)
}

fn url(front: &TlsFront) -> String {
    format!("https://localhost:{}/", front.port)
}

#[tokio::test(flavor = "multi_thread")]
async fn p23_a_run_against_microsoft_update_is_complete_and_the_next_one_incremental() {
    let authority = Authority::new("Stand-in Root");
    let (bench, _front) = bench(&authority.issue(&["localhost"]), Some(authority.pem.clone())).await;
    let first = bench.succeed().await;
    assert_eq!((first.new, first.revisions), (250, 254));
    assert_eq!(bench.stored().await, bench.upstream.keys());
    let calls = bench.upstream.take_calls();
    assert!(calls.iter().all(|call| call.ids.len() <= 100), "its limit is 100 revisions in a request");
    assert!(calls.iter().all(|call| call.method != Method::DownloadFiles));

    let sql = "SELECT kind, facts->>'catalog_only', facts->>'protocol_version', update_anchor FROM sources";
    let row = bench.db.client().await.query_one(sql, &[]).await.unwrap();
    let facts: [&str; 3] = [row.get(0), row.get(1), row.get(2)];
    assert_eq!(facts, ["microsoft-update", "true", "1.21"]);
    let anchor: &str = row.get(3);
    assert!(!anchor.contains(',') && anchor.contains(':'), "a moment without a counter: {anchor}");

    bench.upstream.publish([Doc::update(PRODUCT, 900, 100), Doc::update(PRODUCT, 0, 101)]);
    let second = bench.succeed().await;
    assert_eq!((second.new, second.revised), (1, 1));
    let calls = bench.upstream.take_calls();
    assert_eq!(asked(&calls).len(), 2);
    let mut filters = calls.iter().filter_map(|call| call.filter.as_ref());
    assert!(filters.all(|filter| filter.anchor.is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn p28_its_cookies_of_an_hour_last_for_a_whole_run() {
    let authority = Authority::new("Stand-in Root");
    let (bench, _front) = bench(&authority.issue(&["localhost"]), Some(authority.pem.clone())).await;
    bench.succeed().await;
    let calls = bench.upstream.take_calls();
    let sign_ins = calls.iter().filter(|call| call.method == Method::GetCookie).count();
    assert_eq!(sign_ins, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn p53_only_the_named_root_is_trusted_and_only_for_the_right_name() {
    let (authority, other) = (Authority::new("Stand-in Root"), Authority::new("Public Root"));
    let cases = [
        // The pinned root of the real service does not vouch for the stand-in.
        (authority.issue(&["localhost"]), None),
        (other.issue(&["localhost"]), Some(authority.pem.clone())),
        (authority.issue(&["update.example"]), Some(authority.pem.clone())),
        (authority.issue_for(&["localhost"], 2020, 2021), Some(authority.pem.clone())),
    ];
    for (number, (identity, ca)) in cases.into_iter().enumerate() {
        let (bench, front) = bench(&identity, ca).await;
        let run = bench.synchronize().await;
        refused(&run, number);
        assert_eq!((front.bytes_inside(), bench.upstream.take_calls().len()), (0, 0), "case {number}");
    }
}

fn refused(run: &Run, number: usize) {
    let error = run.error().unwrap();
    assert_eq!((run.state(), error.hop.as_str()), (RunState::Failed, "TLS"), "case {number}: {error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_takes_address_and_root_from_its_environment() {
    let authority = Authority::new("Stand-in Root");
    let (bench, front) = bench(&authority.issue(&["localhost"]), None).await;
    bench.shut_down();
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("root.pem");
    std::fs::write(&file, &authority.pem).unwrap();
    let mut command = process::weir(&bench.db, data.path(), &["sync", "--wait", "--json"]);
    command.env("WEIR_MICROSOFT_UPDATE_URL", url(&front)).env("WEIR_MICROSOFT_UPDATE_CA", &file);
    let told = String::from_utf8(process::succeed(command).await.stdout).unwrap();
    assert!(told.contains("\"result\":\"succeeded\""), "{told}");
    assert_eq!(bench.stored().await, bench.upstream.keys());
}
