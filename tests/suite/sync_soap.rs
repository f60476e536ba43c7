//! Faults of an update source, and answers that are not what the protocol says.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use uuid::Uuid;
use weir::protocol::ids::RevisionKey;
use weir::protocol::soap::{ErrorCode, Fault, Method, SoapVersion};
use weir::sync::RunError;
use weir::sync::runs::{self, Run, RunState};

use crate::support::bench::{Bench, asked};
use crate::support::documents::{self, Doc, PRODUCT};
use crate::support::upstream::{Call, Trouble};

/// A bench whose upstream server has the categories and `count` updates.
async fn with_updates(count: u128) -> Bench {
    let bench = Bench::start().await;
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, count));
    bench
}

fn failure(run: &Run) -> RunError {
    assert_eq!(run.state(), RunState::Failed, "{:?}", run.error());
    run.error().unwrap()
}

fn calls_of(calls: &[Call], method: Method) -> usize {
    calls.iter().filter(|call| call.method == method).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn r025_invalid_parameters_of_each_operation_name_it() {
    let bench = with_updates(3).await;
    for method in [
        Method::GetAuthConfig,
        Method::GetAuthorizationCookie,
        Method::GetCookie,
        Method::GetConfigData,
        Method::GetRevisionIdList,
        Method::GetUpdateData,
    ] {
        bench.upstream.trouble(method, 1_000, Trouble::Says("InvalidParameters", "parameters.Odd"));
        let error = failure(&bench.synchronize().await);
        for part in [method.name(), "InvalidParameters", "parameters.Odd", "fa11"] {
            assert!(error.message.contains(part), "{part} is not in {error:?}");
        }
        assert_eq!((error.code.as_str(), error.hop.as_str()), ("UssOtherError", "SOAP"));
        bench.upstream.no_more_trouble();
    }
    assert_eq!(bench.succeed().await.new, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn r028_a_cookie_refused_for_ever_ends_after_three_more_sign_ins() {
    let bench = with_updates(500).await;
    bench.upstream.trouble(Method::GetUpdateData, 100_000, Trouble::Fault("InvalidCookie"));
    let error = failure(&bench.synchronize().await);
    assert!(error.message.contains("keeps rejecting the cookie"), "{error:?}");
    assert_eq!(error.code, "DssAuthenticationError");
    assert_eq!(calls_of(&bench.upstream.take_calls(), Method::GetAuthConfig), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn r030_an_internal_error_stops_the_run_and_keeps_what_the_last_commit_had() {
    let bench = with_updates(20).await;
    bench.succeed().await;
    let before = bench.stored().await;
    bench.upstream.publish(documents::updates(PRODUCT, 20, 5));
    for method in [Method::GetRevisionIdList, Method::GetConfigData] {
        bench.upstream.trouble(method, 1_000, Trouble::Fault("InternalServerError"));
        assert_eq!(failure(&bench.synchronize().await).code, "UssInternalError");
        bench.upstream.no_more_trouble();
        assert_eq!(bench.stored().await, before);
    }
    bench.upstream.take_calls();
    assert_eq!(bench.succeed().await.new, 5);
    let calls = bench.upstream.take_calls();
    assert_eq!(asked(&calls).len(), 5);
    assert!(calls.iter().filter_map(|call| call.filter.as_ref()).all(|filter| filter.anchor.is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn r031_an_incompatible_version_stops_at_once_with_both_versions() {
    let bench = with_updates(1).await;
    let said = Trouble::Says("IncompatibleProtocolVersion", "this server speaks 1.8");
    bench.upstream.trouble(Method::GetCookie, 1_000, said);
    let error = failure(&bench.synchronize().await);
    assert!(error.message.contains("1.20") && error.message.contains("1.8"), "{error:?}");
    assert_eq!(error.code, "IncompatibleProtocolVersion");
    assert_eq!(calls_of(&bench.upstream.take_calls(), Method::GetCookie), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn r033_a_busy_server_is_asked_again_and_then_everything_is_there() {
    let bench = Bench::start_with(|setup| setup.retry.attempts_max = 4).await;
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 10));
    for method in [Method::GetCookie, Method::GetRevisionIdList, Method::GetUpdateData] {
        bench.upstream.trouble(method, 3, Trouble::Fault("ServerBusy"));
    }
    bench.upstream.trouble(Method::GetConfigData, 1, Trouble::RetryAfter("1"));
    let started = Instant::now();
    assert_eq!(bench.succeed().await.new, 10);
    assert!(started.elapsed() >= Duration::from_secs(1), "Retry-After was not waited for");
    assert_eq!(bench.stored().await, bench.upstream.keys());
    // Busy for ever: a few calls, and an end.
    bench.upstream.trouble(Method::GetConfigData, 1_000, Trouble::Fault("ServerBusy"));
    bench.upstream.take_calls();
    assert_eq!(failure(&bench.synchronize().await).code, "UssBusy");
    assert_eq!(calls_of(&bench.upstream.take_calls(), Method::GetConfigData), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn r033_a_wait_for_a_busy_server_can_be_stopped() {
    let bench = Bench::start_with(|setup| setup.retry.first_wait = Duration::from_secs(600)).await;
    bench.upstream.trouble(Method::GetConfigData, 1_000, Trouble::Fault("ServerBusy"));
    let run_id = bench.request().await.run_id;
    let until = Instant::now() + Duration::from_secs(20);
    while calls_of(&bench.upstream.take_calls(), Method::GetConfigData) == 0 {
        assert!(Instant::now() < until, "nothing is asked");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(runs::stop(&mut *bench.db.conn().await, run_id, "test").await.unwrap());
    let asked_at = Instant::now();
    assert_eq!(bench.ended(run_id).await.state(), RunState::Canceled);
    assert!(asked_at.elapsed() < Duration::from_secs(3), "{:?}", asked_at.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn r036_faults_without_a_known_code_are_not_repeated() {
    let bench = with_updates(1).await;
    let app = bench.console().await;
    let visitor = app.sign_in_admin().await;
    let faults = [
        "<ErrorCode/><Message>strange &lt;script&gt;alert(1)&lt;/script&gt;</Message>",
        "<ErrorCode>OutOfPaper</ErrorCode><Message>strange</Message>",
        "<ErrorCode>serverbusy</ErrorCode><Message>strange</Message>",
        "<ErrorCode>INVALIDCOOKIE</ErrorCode><Message>strange</Message>",
    ];
    for detail in faults {
        let text = format!(
            "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><s:Fault>\
             <faultcode>s:Client</faultcode><faultstring>odd</faultstring><detail>{detail}</detail>\
             </s:Fault></s:Body></s:Envelope>"
        );
        bench.upstream.trouble(Method::GetRevisionIdList, 1_000, Trouble::Exactly(500, text.into_bytes()));
        let run = bench.synchronize().await;
        let error = failure(&run);
        assert!(error.message.contains("strange"), "{error:?}");
        let page = visitor.get(&format!("/synchronizations/{}", run.id)).await;
        assert!(page.text("main").contains(&error.message), "{}", page.body);
        assert!(!page.has("main script:not([src])"), "{}", page.body);
        bench.upstream.no_more_trouble();
        assert_eq!(calls_of(&bench.upstream.take_calls(), Method::GetRevisionIdList), 1, "{detail}");
    }
    let long: &'static str = Box::leak("x".repeat(20_000).into_boxed_str());
    bench.upstream.trouble(Method::GetRevisionIdList, 1_000, Trouble::Says("Odd", long));
    assert!(failure(&bench.synchronize().await).message.len() < 1_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn r037_all_four_shapes_of_a_fault_lead_to_the_same_decision() {
    let bench = with_updates(1).await;
    bench.succeed().await;
    let fault = Fault::new(ErrorCode::InvalidCookie, "", Uuid::nil(), "");
    let old = fault.to_bytes(SoapVersion::V11, "http://upstream.example/");
    let new = String::from_utf8(fault.to_bytes(SoapVersion::V12, "http://upstream.example/")).unwrap();
    let new = new.replace("soap:Detail", "Detail").into_bytes();
    for text in [old, new] {
        for status in [500, 200] {
            bench.upstream.take_calls();
            bench.upstream.trouble(Method::GetConfigData, 1, Trouble::Exactly(status, text.clone()));
            bench.succeed().await;
            assert_eq!(calls_of(&bench.upstream.take_calls(), Method::GetAuthConfig), 2);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r039_a_list_in_any_order_with_repetitions_gives_the_same_catalogue() {
    let bench = with_updates(150).await;
    let jumble = Trouble::List(|keys| {
        let first = keys.clone();
        keys.reverse();
        keys.extend(first.iter().cycle().take(500).copied());
    });
    bench.upstream.trouble(Method::GetRevisionIdList, 2, jumble);
    assert_eq!(bench.succeed().await.new, 150);
    assert_eq!(bench.stored().await, bench.upstream.keys());
}

#[tokio::test(flavor = "multi_thread")]
async fn r042_documents_not_asked_for_are_ignored_and_of_two_the_first_counts() {
    let bench = with_updates(10).await;
    bench.upstream.trouble(
        Method::GetUpdateData,
        1_000,
        Trouble::Documents(|documents| {
            let mut unasked = documents[0].clone();
            unasked.key = RevisionKey { update_id: Uuid::from_u128(0xbad), revision: 7 };
            let mut other = documents[0].clone();
            other.blob = weir::protocol::server_sync::UpdateBlob::Text("<other/>".to_owned());
            documents.insert(0, unasked);
            documents.push(other);
        }),
    );
    let run = bench.succeed().await;
    assert_eq!(run.new, 10);
    assert_eq!(bench.stored().await, bench.upstream.keys());
    let log = runs::log(&mut *bench.db.conn().await, run.id, 500).await.unwrap();
    assert!(log.iter().any(|line| line.message.contains("without having been asked for")));
    assert!(log.iter().any(|line| line.message.contains("twice and different")));
}

#[tokio::test(flavor = "multi_thread")]
async fn r043_a_document_of_another_identity_is_quarantined_and_the_others_are_stored() {
    let bench = with_updates(20).await;
    bench.upstream.trouble(
        Method::GetUpdateData,
        1_000,
        Trouble::Documents(|documents| {
            let of = |number: u128| Doc::update(PRODUCT, number, 100);
            for item in documents.iter_mut().filter(|item| item.key == of(4).key) {
                item.blob = of(6).blob();
            }
        }),
    );
    let run = bench.synchronize().await;
    assert_eq!((run.state(), run.new, run.failed), (RunState::SucceededWithProblems, 19, 1));
    let log = runs::log(&mut *bench.db.conn().await, run.id, 500).await.unwrap();
    assert!(log.iter().any(|line| line.message.contains("its document says it is")), "{log:?}");
    bench.upstream.no_more_trouble();
    assert_eq!(bench.succeed().await.new, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn r044_a_lower_revision_never_replaces_a_higher_one() {
    let bench = with_updates(3).await;
    bench.succeed().await;
    bench.upstream.publish([Doc::update(PRODUCT, 1, 99)]);
    let run = bench.succeed().await;
    let current = "SELECT r.revision_number FROM updates u JOIN update_ids i ON i.id = u.update_row
         JOIN revisions r ON r.id = u.revision_row WHERE i.update_id = $1";
    let id = Doc::update(PRODUCT, 1, 99).key.update_id;
    let row = bench.db.client().await.query_one(current, &[&id]).await.unwrap();
    assert_eq!(row.get::<_, i32>(0), 100);
    assert_eq!((run.new, run.revised), (0, 0));
    let log = runs::log(&mut *bench.db.conn().await, run.id, 500).await.unwrap();
    assert!(log.iter().any(|line| line.message.contains("a newer revision is stored")), "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r048_strange_batch_limits_still_complete() {
    let bench = with_updates(3).await;
    bench.succeed().await;
    for (number, batch_max) in [0, -1, 1, i32::MAX].into_iter().enumerate() {
        bench.upstream.limits(batch_max, 100);
        bench.upstream.publish(documents::updates(PRODUCT, 1_000 * (number as u128 + 1), 5));
        let run = bench.succeed().await;
        assert_eq!(run.new, 5, "{batch_max}");
        let log = runs::log(&mut *bench.db.conn().await, run.id, 500).await.unwrap();
        let warned = log.iter().any(|line| line.message.contains(&format!("allows {batch_max} revisions")));
        assert_eq!(warned, batch_max != 1, "{log:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r049_odd_ends_of_cookies_lead_to_no_endless_sign_in() {
    let bench = with_updates(200).await;
    for end in ["2001-01-01T00:00:00Z", "", "9999-12-31T23:59:59.9999999"] {
        bench.upstream.odd_clock(Some(end.to_owned()), TimeDelta::zero());
        bench.upstream.take_calls();
        bench.succeed().await;
        assert_eq!(calls_of(&bench.upstream.take_calls(), Method::GetCookie), 1, "{end}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r050_a_clock_that_is_six_hours_off_does_not_matter_and_is_pointed_out() {
    let bench = with_updates(200).await;
    for (hours, words) in
        [(6, "360 min behind that of the source"), (-6, "360 min ahead of that of the source")]
    {
        bench.upstream.odd_clock(None, TimeDelta::hours(hours));
        bench.upstream.take_calls();
        let notices = bench.succeed().await.notices();
        let about = |minutes: &str| notices.iter().any(|notice| notice.contains(minutes));
        assert!(about(words) || about(&words.replace("360", "359")), "{notices:?}");
        assert_eq!(calls_of(&bench.upstream.take_calls(), Method::GetCookie), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r051_a_short_cookie_is_renewed_before_its_end_each_time() {
    let bench = with_updates(600).await;
    bench.upstream.limits(4, 4);
    bench.upstream.delay(Duration::from_millis(300));
    bench.upstream.cookies_live(Duration::from_secs(5));
    assert_eq!(bench.succeed().await.new, 600);
    assert_eq!(bench.stored().await, bench.upstream.keys());
    let calls = bench.upstream.take_calls();
    let (cookies, sign_ins) = (calls_of(&calls, Method::GetCookie), calls_of(&calls, Method::GetAuthConfig));
    assert!((3..=8).contains(&cookies), "{cookies} cookies");
    assert_eq!((sign_ins, bench.upstream.calls_too_late()), (1, 0), "a renewal is no sign-in");
    assert!(asked(&calls).values().all(|times| *times == 1), "a batch was asked for twice");
}
