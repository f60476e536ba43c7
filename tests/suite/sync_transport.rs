//! What can happen to the bytes between an update source and us.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use weir::protocol::soap::Method;
use weir::sync::RunError;
use weir::sync::runs::{self, RunState};

use crate::support::bench::{Bench, Setup};
use crate::support::documents::{self, PRODUCT};
use crate::support::options::change_options;
use crate::support::tls::{Authority, TlsFront};
use crate::support::upstream::Trouble;

async fn bench(change: impl FnOnce(&mut Setup)) -> Bench {
    let bench = Bench::start_with(change).await;
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 3));
    bench.succeed().await;
    bench
}

/// One run under this trouble, which must fail; the next one must not.
async fn failure(bench: &Bench, method: Method, trouble: Trouble) -> RunError {
    bench.upstream.publish(documents::updates(PRODUCT, bench.upstream.keys().len() as u128 * 10, 2));
    bench.upstream.trouble(method, 1_000, trouble.clone());
    let started = Instant::now();
    let run = bench.synchronize().await;
    assert_eq!(run.state(), RunState::Failed, "{trouble:?}");
    assert!(started.elapsed() < Duration::from_secs(10), "{trouble:?} took {:?}", started.elapsed());
    bench.upstream.no_more_trouble();
    let error = run.error().unwrap();
    assert_eq!(bench.succeed().await.new, 2);
    assert_eq!(bench.stored().await, bench.upstream.keys());
    error
}

/// One run under a trouble that comes once and passes.
async fn survives(bench: &Bench, method: Method, trouble: Trouble) {
    bench.upstream.publish(documents::updates(PRODUCT, bench.upstream.keys().len() as u128 * 10, 2));
    bench.upstream.trouble(method, 1, trouble.clone());
    let run = bench.synchronize().await;
    assert_eq!((run.state(), run.new), (RunState::Succeeded, 2), "{trouble:?} {:?}", run.error());
    bench.upstream.no_more_trouble();
    assert_eq!(bench.stored().await, bench.upstream.keys());
}

#[tokio::test(flavor = "multi_thread")]
async fn r054_an_answer_cut_at_every_twentieth_is_asked_for_again() {
    let bench = bench(|_| {}).await;
    for share in 0..20 {
        survives(&bench, Method::GetUpdateData, Trouble::CutAnywhere(share)).await;
    }
    for share in [0, 7, 19] {
        survives(&bench, Method::GetUpdateData, Trouble::Cut(share)).await;
        survives(&bench, Method::GetRevisionIdList, Trouble::Cut(share)).await;
    }
    let error = failure(&bench, Method::GetUpdateData, Trouble::CutAnywhere(13)).await;
    assert_eq!((error.hop.as_str(), error.code.as_str()), ("HTTP", "UssCommunicationError"));
}

#[tokio::test(flavor = "multi_thread")]
async fn r055_a_wrong_length_is_refused_and_asked_for_again() {
    let bench = bench(|_| {}).await;
    for by in [50, -50, 1, -1] {
        survives(&bench, Method::GetUpdateData, Trouble::Length(by)).await;
        survives(&bench, Method::GetRevisionIdList, Trouble::Length(by)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r056_a_gzip_bomb_ends_at_the_limit() {
    let bench = bench(|setup| {
        setup.limits.answer_max_bytes = 4 << 20;
        setup.limits.documents_max_bytes = 4 << 20;
    })
    .await;
    for method in [Method::GetRevisionIdList, Method::GetConfigData] {
        let error = failure(&bench, method, Trouble::GzipBomb).await;
        assert!(error.message.contains("larger than the limit of 4194304 bytes"), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r058_headers_that_drip_end_at_their_time_limit_and_block_nothing_else() {
    let bench = bench(|setup| setup.limits.headers = Duration::from_millis(700)).await;
    let error =
        failure(&bench, Method::GetRevisionIdList, Trouble::DripHeaders(Duration::from_millis(50))).await;
    assert!(error.message.contains("took longer than"), "{error:?}");
    let newest = "SELECT operation FROM run_calls WHERE outcome <> '' AND run_id =
                  (SELECT max(run_id) FROM run_calls WHERE outcome <> '')";
    let tries = bench.db.client().await.query(newest, &[]).await.unwrap();
    assert_eq!(tries.len(), 2, "asked again, and then given up");
    // One batch of documents drips for ever; the other workers bring theirs meanwhile.
    bench.upstream.limits(10, 10);
    bench.upstream.publish(documents::updates(PRODUCT, 50_000, 100));
    bench.upstream.trouble(Method::GetUpdateData, 1, Trouble::DripHeaders(Duration::from_millis(50)));
    assert_eq!(bench.succeed().await.new, 100);
    assert_eq!(bench.stored().await, bench.upstream.keys());
}

#[tokio::test(flavor = "multi_thread")]
async fn r059_content_that_drips_ends_by_the_lowest_rate() {
    let bench = bench(|setup| setup.limits.rate_window = Duration::from_secs(1)).await;
    let error =
        failure(&bench, Method::GetRevisionIdList, Trouble::DripBody(Duration::from_millis(20))).await;
    assert!(error.message.contains("too slowly"), "{error:?}");
    let newest = "SELECT count(*) FROM run_calls WHERE outcome <> '' AND run_id =
                  (SELECT max(run_id) FROM run_calls WHERE outcome <> '')";
    let tries: i64 = bench.db.client().await.query_one(newest, &[]).await.unwrap().get(0);
    assert_eq!(tries, 2, "asked again, and then given up");
}

#[tokio::test(flavor = "multi_thread")]
async fn r060_content_without_an_end_ends_at_the_limit() {
    let bench = bench(|setup| setup.limits.answer_max_bytes = 2 << 20).await;
    let error = failure(&bench, Method::GetRevisionIdList, Trouble::Endless).await;
    assert!(error.message.contains("larger than the limit"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r062_a_wrong_encoding_is_named() {
    let bench = bench(|_| {}).await;
    let spoiled: [fn(&str) -> Vec<u8>; 6] = [
        |text| text.replace("</", "\u{1}</").bytes().map(|b| if b == 1 { 0xff } else { b }).collect(),
        |text| [b"\xef\xbb\xbf\xed\xa0\x80", text.as_bytes()].concat(), // half of a pair
        |text| std::iter::once(0xfeff_u16).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect(),
        |text| text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        |text| text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        |text| text.replacen("utf-8", "utf-16", 1).into_bytes(),
    ];
    for (number, change) in spoiled.into_iter().enumerate() {
        let error = failure(&bench, Method::GetRevisionIdList, Trouble::Text(change)).await;
        assert_eq!(error.hop, "SOAP");
        assert!(error.message.contains("GetRevisionIdList"), "{error:?}");
        assert!(error.message.contains("encoding"), "{number}: {error:?}");
    }
    // A mark that belongs there, and a declaration that is missing, are no faults.
    survives(&bench, Method::GetRevisionIdList, Trouble::Text(|text| format!("\u{feff}{text}").into_bytes()))
        .await;
    let bare = |text: &str| text.split_once("?>").map_or(text, |(_, rest)| rest).as_bytes().to_vec();
    survives(&bench, Method::GetRevisionIdList, Trouble::Text(bare)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r063_a_page_in_place_of_an_answer_is_named_by_its_title() {
    let bench = bench(|_| {}).await;
    let error = failure(&bench, Method::GetConfigData, Trouble::Html(200, "Sign in <b>here</b>")).await;
    assert!(error.message.contains("text/html") && error.message.contains("Sign in <b>here"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r064_redirects_are_not_followed() {
    let bench = bench(|_| {}).await;
    for status in [301, 302, 307, 308] {
        for to in ["http://elsewhere.example/", "/ServerSyncWebService/ServerSyncWebService.asmx"] {
            bench.upstream.take_calls();
            let error = failure(&bench, Method::GetRevisionIdList, Trouble::Redirect(status, to)).await;
            assert!(error.message.contains(to) && error.message.contains("does not follow"), "{error:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r065_a_long_retry_after_can_be_stopped_and_rubbish_is_ignored() {
    let bench = bench(|_| {}).await;
    survives(&bench, Method::GetRevisionIdList, Trouble::RetryAfter("some day")).await;
    survives(&bench, Method::GetRevisionIdList, Trouble::RetryAfter("Wed, 21 Oct 2015 07:28:00 GMT")).await;
    bench.upstream.trouble(Method::GetRevisionIdList, 1, Trouble::RetryAfter("86400"));
    bench.upstream.take_calls();
    let run_id = bench.request().await.run_id;
    while bench.upstream.take_calls().iter().all(|call| call.method != Method::GetRevisionIdList) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(runs::stop(&mut *bench.db.conn().await, run_id, "test").await.unwrap());
    let asked_at = Instant::now();
    assert_eq!(bench.ended(run_id).await.state(), RunState::Canceled);
    assert!(asked_at.elapsed() < Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn r067_a_reset_at_any_moment_is_asked_again_and_counted_once() {
    let bench = bench(|_| {}).await;
    for method in [Method::GetAuthConfig, Method::GetCookie, Method::GetRevisionIdList, Method::GetUpdateData]
    {
        survives(&bench, method, Trouble::Reset).await;
        survives(&bench, method, Trouble::ResetInBody).await;
    }
    bench.upstream.refuse(1);
    bench.upstream.publish(documents::updates(PRODUCT, 90_000, 2));
    assert_eq!(bench.succeed().await.new, 2);
    bench.upstream.refuse(1_000);
    let error = bench.synchronize().await.error().unwrap();
    assert!(["TCP", "HTTP"].contains(&error.hop.as_str()), "{error:?}");
    bench.upstream.refuse(0);
    bench.succeed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r067_a_reset_in_the_handshake_is_asked_again_and_then_told() {
    let authority = Authority::new("Lab Root");
    let bench = Bench::start().await;
    bench.upstream.publish(documents::categories());
    bench.upstream.publish(documents::updates(PRODUCT, 0, 3));
    let front = TlsFront::start(&authority.issue(&["localhost"]), bench.upstream.port()).await;
    let cutter = Cutter::start(front.port).await;
    change_options(&bench.db, |options| {
        options.source.server = "localhost".to_owned();
        options.source.port = cutter.port;
        options.source.ssl = true;
        options.source.ca = authority.pem.clone();
    })
    .await;
    cutter.cut(1);
    assert_eq!(bench.succeed().await.new, 3);
    bench.upstream.publish(documents::updates(PRODUCT, 10, 2));
    cutter.cut(1_000);
    let error = bench.synchronize().await.error().unwrap();
    assert!(["TCP", "TLS", "HTTP"].contains(&error.hop.as_str()), "{error:?}");
    cutter.cut(0);
    assert_eq!(bench.succeed().await.new, 2);
    assert_eq!(bench.stored().await, bench.upstream.keys());
}

/// Passes connections on, but resets the first few after the greeting of the client has come.
struct Cutter {
    port: u16,
    due: Arc<AtomicUsize>,
}

impl Cutter {
    async fn start(to_port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let due = Arc::<AtomicUsize>::default();
        let left = due.clone();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let cut = left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok();
                tokio::spawn(async move {
                    if cut {
                        let _ = client.read(&mut [0; 64]).await;
                        let _ = client.set_zero_linger(); // the close becomes a reset
                        return;
                    }
                    let Ok(mut server) = TcpStream::connect(("127.0.0.1", to_port)).await else { return };
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Self { port, due }
    }

    fn cut(&self, connections: usize) {
        self.due.store(connections, Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r069_a_name_that_is_not_there_and_an_address_that_does_not_answer_are_told_apart() {
    let bench = bench(|_| {}).await;
    let closed = crate::support::process::free_port();
    bench.point_to(closed, &[(PRODUCT, false)]).await;
    let error = bench.synchronize().await.error().unwrap();
    assert_eq!((error.hop.as_str(), error.code.as_str()), ("TCP", "UssNotFound"));
    assert!(error.message.contains("refused"), "{error:?}");

    change_options(&bench.db, |options| options.source.server = "no-such-host.invalid".to_owned()).await;
    let error = bench.synchronize().await.error().unwrap();
    assert_eq!((error.hop.as_str(), error.code.as_str()), ("name lookup", "UssNotFound"));
    assert!(error.message.contains("no-such-host.invalid was not found"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r069_of_several_addresses_a_dead_one_does_not_matter_and_a_silent_one_ends_in_time() {
    let bench = bench(|setup| setup.limits.connect = Duration::from_secs(1)).await;
    // localhost is ::1 and 127.0.0.1 on most machines; only the second is listened on.
    bench.upstream.publish(documents::updates(PRODUCT, 40_000, 2));
    change_options(&bench.db, |options| options.source.server = "localhost".to_owned()).await;
    assert_eq!(bench.succeed().await.new, 2);
    // A full queue of connections takes no more: nobody answers, and the time limit ends it.
    let silent = Silent::start().await;
    bench.point_to(silent.port, &[(PRODUCT, false)]).await;
    let begun = Instant::now();
    let error = bench.synchronize().await.error().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert_eq!((error.hop.as_str(), error.code.as_str()), ("TCP", "UssNotFound"), "{error:?}");
    assert!(error.message.contains("no answer within 1 s"), "{error:?}");
}

/// A port whose queue is full.
struct Silent {
    port: u16,
    _listener: std::net::TcpListener,
    _queue: Vec<JoinHandle<std::io::Result<TcpStream>>>,
}

impl Silent {
    async fn start() -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap().into_std().unwrap();
        let address = listener.local_addr().unwrap();
        let queue = (0..8).map(|_| tokio::spawn(TcpStream::connect(address))).collect();
        tokio::time::sleep(Duration::from_millis(300)).await;
        Self { port: address.port(), _listener: listener, _queue: queue }
    }
}
