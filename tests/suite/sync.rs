//! Synchronizing from a scripted update server, end to end: wire, database, job.

use std::collections::BTreeSet;
use std::time::Duration;

use uuid::Uuid;
use weir::protocol::ids::RevisionKey;
use weir::protocol::soap::Method;
use weir::settings;
use weir::sync::runs::{self, RunState};

use crate::support::bench::{Bench, asked, counts};
use crate::support::documents::{self, Doc, FAMILY, OTHER_PRODUCT, PRODUCT};
use crate::support::upstream::Trouble;

#[tokio::test(flavor = "multi_thread")]
async fn the_second_run_brings_exactly_what_changed_and_the_third_nothing() {
    let bench = Bench::start().await;
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 1_000));
    let first = bench.succeed().await;
    assert_eq!(counts(&first), (1_000, 0, 0));
    assert_eq!(first.revisions, 1_004);
    assert_eq!(bench.stored().await, bench.upstream.keys());
    // Short answers are asked again for the rest only, so the first answer of each key is in the count.
    bench.upstream.limits(100, 100);
    bench.upstream.take_calls();

    bench.upstream.publish(documents::updates(PRODUCT, 1_000, 25));
    bench.upstream.publish((0..10).map(|number| Doc::update(PRODUCT, number, 101)));
    bench.upstream.publish((10..15).map(|number| Doc::update(PRODUCT, number, 101).expired()));
    let second = bench.succeed().await;
    assert_eq!(counts(&second), (25, 10, 5));
    assert_eq!(bench.stored().await, bench.upstream.keys());
    let calls = bench.upstream.take_calls();
    let asked = asked(&calls);
    assert_eq!(asked.len(), 40);
    assert!(asked.values().all(|times| *times == 1), "a document was asked for twice");
    let filters: Vec<_> = calls.iter().filter_map(|call| call.filter.as_ref()).collect();
    assert!(filters.iter().all(|filter| filter.anchor.is_some()));
    let entries = filters.iter().flat_map(|filter| filter.categories.iter().chain(&filter.classifications));
    assert!(entries.clone().count() == 2 && entries.clone().all(|entry| entry.delta));

    let third = bench.succeed().await;
    assert_eq!((counts(&third), third.revisions), ((0, 0, 0), 0));
    let calls = bench.upstream.take_calls();
    assert!(calls.iter().all(|call| call.method != Method::GetUpdateData));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newly_ticked_product_brings_its_back_catalogue() {
    let bench = Bench::start().await;
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 20));
    bench.upstream.publish(documents::updates(OTHER_PRODUCT, 100, 15));
    assert_eq!(bench.succeed().await.new, 20);
    bench.upstream.take_calls();
    bench.choose(&[(PRODUCT, false), (OTHER_PRODUCT, false)]).await;
    assert_eq!(bench.succeed().await.new, 15);
    let calls = bench.upstream.take_calls();
    let lists: Vec<_> =
        calls.iter().filter_map(|call| call.filter.as_ref()).filter(|f| !f.get_config).collect();
    assert_eq!(lists.len(), 2);
    assert!(lists[0].anchor.is_some() && lists[0].categories[0].id == PRODUCT);
    assert!(lists[1].anchor.is_none() && lists[1].categories[0].id == OTHER_PRODUCT);
    assert_eq!(asked(&calls).len(), 15);
    // Both are incremental from here on; unticking fetches nothing and keeps what is there.
    bench.choose(&[(OTHER_PRODUCT, false)]).await;
    bench.upstream.publish(documents::updates(PRODUCT, 50, 1));
    bench.upstream.publish(documents::updates(OTHER_PRODUCT, 150, 2));
    assert_eq!(bench.succeed().await.new, 2);
    assert_eq!(bench.stored().await.len(), 4 + 20 + 15 + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_under_a_ticked_family_comes_in_the_run_that_discovers_it() {
    let bench = Bench::start().await;
    bench.choose(&[(FAMILY, true)]).await;
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 3));
    assert_eq!(bench.succeed().await.new, 3);
    let late = Uuid::from_u128(0xd9);
    bench.upstream.publish([Doc::category(late, "Product", "Example OS 9", Some(FAMILY))]);
    bench.upstream.publish(documents::updates(late, 200, 4));
    assert_eq!(bench.succeed().await.new, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_expansion_ends_the_run_with_a_sentence() {
    let bench = Bench::start().await;
    bench.choose(&[(Uuid::from_u128(0x77), true)]).await;
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 3));
    let run = bench.synchronize().await;
    assert_eq!(run.state(), RunState::Failed);
    assert!(run.error().unwrap().message.starts_with("No product is selected"));
    let lists = bench.upstream.take_calls();
    assert!(lists.iter().filter_map(|call| call.filter.as_ref()).all(|filter| filter.get_config));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_trouble_gives_a_message_and_the_next_run_works() {
    let bench = Bench::start().await;
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 5));
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><x>&b;</x>";
    let troubles = [
        (Method::GetAuthConfig, Trouble::Html(200, "Router setup"), "HTTP", "Router setup"),
        (Method::GetAuthConfig, Trouble::Html(404, "Not here"), "HTTP", "404"),
        (
            Method::GetAuthConfig,
            Trouble::Redirect(302, "http://elsewhere.example/"),
            "HTTP",
            "elsewhere.example",
        ),
        (Method::GetCookie, Trouble::Fault("IncompatibleProtocolVersion"), "SOAP", "1.20"),
        (Method::GetConfigData, Trouble::Fault("InvalidCookie"), "cookie", "rejecting the cookie"),
        (Method::GetConfigData, Trouble::Fault("InvalidParameters"), "SOAP", "InvalidParameters"),
        (Method::GetRevisionIdList, Trouble::Fault("ServerBusy"), "SOAP", "busy"),
        (Method::GetRevisionIdList, Trouble::Fault("InternalServerError"), "SOAP", "InternalServerError"),
        (Method::GetRevisionIdList, Trouble::Fault("SomethingElse"), "SOAP", "SomethingElse"),
        (Method::GetRevisionIdList, Trouble::Xml(bomb), "SOAP", "document type"),
        (Method::GetRevisionIdList, Trouble::Xml("no xml at all"), "SOAP", "GetRevisionIdList"),
        (Method::GetRevisionIdList, Trouble::Cut(10), "HTTP", "cut off"),
        (Method::GetUpdateData, Trouble::Html(503, "Busy"), "HTTP", "503"),
        (Method::GetUpdateData, Trouble::Fault("InvalidParameters"), "SOAP", "GetUpdateData"),
    ];
    for (method, trouble, hop, words) in troubles {
        bench.upstream.trouble(method, 1_000, trouble.clone());
        let run = bench.synchronize().await;
        let error = run.error().unwrap_or_else(|| panic!("{method:?} {trouble:?}: {:?}", run.state()));
        assert_eq!(run.state(), RunState::Failed, "{method:?} {trouble:?}");
        assert_eq!(error.hop, hop, "{method:?} {trouble:?}: {error:?}");
        assert!(error.message.contains(words), "{method:?} {trouble:?}: {error:?}");
        assert!(!error.advice.is_empty() && !error.kept.is_empty() && !error.next.is_empty());
        bench.upstream.no_more_trouble();
    }
    assert_eq!(bench.succeed().await.new, 5);
    assert_eq!(bench.stored().await, bench.upstream.keys());
}

#[tokio::test(flavor = "multi_thread")]
async fn r027_a_refused_cookie_starts_the_sign_in_anew_and_the_same_batch_is_asked_again() {
    let bench = Bench::start().await;
    bench.upstream.limits(100, 100);
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 50));
    bench.upstream.trouble(Method::GetUpdateData, 1, Trouble::Fault("InvalidCookie"));
    bench.succeed().await;
    let calls = bench.upstream.take_calls();
    let methods: Vec<Method> = calls.iter().map(|call| call.method).collect();
    let refused = methods.iter().position(|method| *method == Method::GetUpdateData).unwrap();
    let steps =
        [Method::GetAuthConfig, Method::GetAuthorizationCookie, Method::GetCookie, Method::GetUpdateData];
    assert_eq!(methods[refused + 1..][..4], steps, "from the first step: {methods:?}");
    assert_eq!(calls[refused].ids, calls[refused + 4].ids, "the same batch");

    // With four workers in the middle of the documents, and in a list.
    bench.upstream.publish(documents::updates(PRODUCT, 100, 250));
    bench.upstream.trouble(Method::GetUpdateData, 2, Trouble::Fault("InvalidCookie"));
    bench.upstream.trouble(Method::GetRevisionIdList, 1, Trouble::Fault("InvalidCookie"));
    assert_eq!(bench.succeed().await.new, 250);
    assert_eq!(bench.stored().await, bench.upstream.keys());
}

#[tokio::test(flavor = "multi_thread")]
async fn r026_an_anchor_that_is_always_refused_leads_to_one_full_listing_and_a_notice() {
    let bench = Bench::start().await;
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 10));
    bench.succeed().await;
    bench.upstream.publish(documents::updates(PRODUCT, 10, 2));
    bench.upstream.take_calls();
    bench.upstream.refuse_anchors(true);
    let run = bench.succeed().await;
    assert_eq!((run.new, run.revisions, run.notices().len()), (2, 2, 1));
    let calls = bench.upstream.take_calls();
    assert_eq!(asked(&calls).len(), 2, "what is stored is not fetched again");
    let anchors: Vec<bool> =
        calls.iter().filter_map(|call| call.filter.as_ref()).map(|filter| filter.anchor.is_some()).collect();
    assert_eq!(anchors, [true, false, true, false], "each list once with its anchor and once without");
    bench.upstream.refuse_anchors(false);
    assert_eq!(bench.succeed().await.revisions, 0);
    assert_eq!(bench.stored().await, bench.upstream.keys());
}

#[tokio::test(flavor = "multi_thread")]
async fn p25_one_dead_revision_does_not_stop_the_others_and_is_asked_for_first_next_time() {
    let bench = Bench::start().await;
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 150));
    let dead = Doc::update(PRODUCT, 42, 100).key;
    bench.upstream.lose(dead);
    let bad = Doc::update(PRODUCT, 500, 100).with_text("<upd:Update>");
    let forged = Doc::update(PRODUCT, 502, 100).with_text(&match Doc::update(PRODUCT, 600, 100).blob() {
        weir::protocol::server_sync::UpdateBlob::Text(text) => text,
        other => panic!("{other:?}"),
    });
    bench.upstream.publish([bad.clone(), forged.clone()]);
    let run = bench.synchronize().await;
    assert_eq!(run.state(), RunState::SucceededWithProblems, "{:?}", run.error());
    assert_eq!((run.new, run.failed), (149, 3));
    bench.upstream.take_calls();
    let again = bench.synchronize().await;
    assert_eq!(again.state(), RunState::SucceededWithProblems);
    let asked: BTreeSet<_> = asked(&bench.upstream.take_calls()).into_keys().collect();
    assert_eq!(asked, [dead, bad.key, forged.key].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn r041_answers_without_progress_end_with_the_ids_owed() {
    let bench = Bench::start().await;
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 4));
    bench.succeed().await;
    bench.upstream.publish(documents::updates(PRODUCT, 10, 6));
    bench.upstream.trouble(Method::GetUpdateData, 1_000, Trouble::Nothing);
    let run = bench.synchronize().await;
    assert_eq!((run.state(), run.failed), (RunState::SucceededWithProblems, 6));
    bench.upstream.no_more_trouble();
    assert_eq!(bench.succeed().await.new, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn r048_a_batch_of_one_completes() {
    let bench = Bench::start().await;
    bench.upstream.limits(1, 1);
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 30));
    assert_eq!(bench.succeed().await.new, 30);
    let calls = bench.upstream.take_calls();
    assert!(calls.iter().all(|call| call.ids.len() <= 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn r149_many_requests_at_once_are_one_run() {
    let bench = Bench::start().await;
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 10));
    bench.upstream.delay(Duration::from_millis(300));
    let requests = futures_util::future::join_all((0..20).map(|_| bench.request())).await;
    let ids: BTreeSet<i64> = requests.iter().map(|one| one.run_id).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(requests.iter().filter(|one| !one.joined).count(), 1);
    assert!(requests.iter().all(|one| one.started_by == "test"));
    let run = bench.ended(requests[0].run_id).await;
    assert_eq!(run.state(), RunState::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_run_ends_within_two_seconds_and_the_next_goes_on() {
    let bench = Bench::start().await;
    bench.upstream.limits(10, 10);
    bench.upstream.delay(Duration::from_millis(200));
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 400));
    let run_id = bench.request().await.run_id;
    loop {
        let run = runs::get(&mut *bench.db.conn().await, run_id).await.unwrap().unwrap();
        assert!(run.state().is_active());
        if run.revisions >= 40 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(runs::stop(&mut *bench.db.conn().await, run_id, "test").await.unwrap());
    let asked_at = std::time::Instant::now();
    let run = bench.ended(run_id).await;
    assert!(asked_at.elapsed() < Duration::from_secs(2));
    assert_eq!(run.state(), RunState::Canceled);
    assert_eq!(run.error().unwrap().code, "UserCanceled");
    assert!(!runs::stop(&mut *bench.db.conn().await, run_id, "test").await.unwrap());
    bench.upstream.delay(Duration::ZERO);
    bench.upstream.take_calls();
    assert_eq!(bench.succeed().await.new, 400);
    assert!(asked(&bench.upstream.take_calls()).len() < 400, "what was stored was fetched again");
    assert_eq!(bench.stored().await, bench.upstream.keys());
}

#[tokio::test(flavor = "multi_thread")]
async fn r155_a_run_keeps_the_options_it_began_with_and_says_so() {
    let bench = Bench::start().await;
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 10));
    bench.upstream.publish(documents::updates(OTHER_PRODUCT, 100, 10));
    bench.upstream.delay(Duration::from_millis(700));
    let run_id = bench.request().await.run_id;
    let mut conn = bench.db.conn().await;
    for _ in 0..200 {
        if runs::get(&mut conn, run_id).await.unwrap().unwrap().phase().is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let version = settings::load(&mut conn).await.unwrap().version;
    assert!(!runs::get(&mut conn, run_id).await.unwrap().unwrap().has_older_options(version));
    bench.choose(&[(OTHER_PRODUCT, false)]).await;
    let version = settings::load(&mut conn).await.unwrap().version;
    assert!(runs::get(&mut conn, run_id).await.unwrap().unwrap().has_older_options(version));
    let run = bench.ended(run_id).await;
    assert_eq!((run.state(), run.new), (RunState::Succeeded, 10), "{:?}", run.error());
    let stored =
        |product: u128| RevisionKey { update_id: Uuid::from_u128(0xb000_0000 + product), revision: 100 };
    let keys = bench.stored().await;
    assert!(keys.contains(&stored(0)) && !keys.contains(&stored(100)));
    assert_eq!(bench.succeed().await.new, 10, "the next one uses the new options");
}
