//! The accept layer over real sockets, with a Rocket site of a few routes.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use rocket::futures::stream::{self, Stream};
use rocket::http::{Cookie, CookieJar, Status};
use rocket::response::stream::{Event, EventStream, TextStream};
use rocket::{Shutdown, get, post, routes};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::{Door, Limits, Listener, Serving, Site, quiet_config};

#[get("/hello")]
fn hello() -> &'static str {
    "hello"
}

#[get("/cookies")]
fn cookies(jar: &CookieJar<'_>) -> String {
    let seen = jar.get("a").map(Cookie::value).unwrap_or_default().to_owned();
    jar.add(("first", "1"));
    jar.add(("second", "2"));
    seen
}

#[get("/peer")]
fn peer(client: Option<std::net::IpAddr>, host: &rocket::http::uri::Host<'_>) -> String {
    format!("{client:?} {host}")
}

#[post("/length", data = "<body>")]
async fn length(body: Vec<u8>) -> String {
    body.len().to_string()
}

#[get("/slow")]
async fn slow() -> &'static str {
    sleep(Duration::from_millis(600)).await;
    "done"
}

#[get("/events")]
fn events(mut end: Shutdown) -> EventStream![] {
    EventStream! {
        yield Event::data("one");
        tokio::select! {
            () = sleep(Duration::from_secs(60)) => {}
            () = &mut end => {}
        }
        yield Event::data("two");
    }
}

#[get("/endless")]
fn endless() -> TextStream<impl Stream<Item = String>> {
    TextStream(stream::repeat("x".repeat(64 * 1024)))
}

#[get("/panic")]
fn panics() -> Status {
    panic!("a handler that panics, on purpose")
}

fn limits() -> Limits {
    Limits {
        header_time: Duration::from_millis(400),
        body_grace: Duration::from_millis(400),
        keep_alive: Duration::from_secs(2),
        write_stall: Duration::from_millis(800),
        body_bytes: |path| if path == "/length" { 1_000 } else { 0 },
        ..Limits::default()
    }
}

async fn start(limits: Limits) -> Serving {
    start_behind(limits, Door::default()).await
}

async fn start_behind(limits: Limits, door: Door) -> Serving {
    let routes = routes![hello, cookies, peer, length, slow, events, endless, panics];
    let site =
        Site::launch(rocket::custom(quiet_config(1_000)).mount("/", routes)).await.expect("the site starts");
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Listener::bind(anywhere).await.expect("a free port").serve(site, limits, door)
}

async fn connect(serving: &Serving) -> TcpStream {
    TcpStream::connect(serving.address()).await.expect("the listener accepts")
}

/// Sends `text` and reads until the server closes.
async fn exchange(serving: &Serving, text: &str) -> String {
    let mut stream = connect(serving).await;
    stream.write_all(text.as_bytes()).await.expect("the request is sent");
    read_all(stream).await
}

async fn read_all(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let read = timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
    let _ = read.expect("the server closes the connection in time"); // a reset counts as closed
    String::from_utf8_lossy(&answer).into_owned()
}

async fn read_until(stream: &mut TcpStream, wanted: &str) -> String {
    let mut seen = Vec::new();
    timeout(Duration::from_secs(5), async {
        while !String::from_utf8_lossy(&seen).contains(wanted) {
            assert_ne!(stream.read_buf(&mut seen).await.expect("readable"), 0, "closed before {wanted:?}");
        }
    })
    .await
    .expect("the text comes in time");
    String::from_utf8_lossy(&seen).into_owned()
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: weir.test\r\nConnection: close\r\n\r\n")
}

#[tokio::test]
async fn answers_keep_status_headers_length_and_body() {
    let serving = start(limits()).await;
    let answer = exchange(&serving, &get("/hello")).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.to_lowercase().contains("content-length: 5\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
    assert!(!answer.to_lowercase().contains("\r\nserver:"), "no banner: {answer}");
}

#[tokio::test]
async fn head_has_the_length_and_no_body() {
    let serving = start(limits()).await;
    let answer = exchange(&serving, &get("/hello").replace("GET", "HEAD")).await;
    assert!(answer.to_lowercase().contains("content-length: 5\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn cookies_come_in_and_each_set_cookie_goes_out() {
    let serving = start(limits()).await;
    let request = get("/cookies").replace("Connection", "Cookie: b=2; a=x%20y\r\nConnection");
    let answer = exchange(&serving, &request).await;
    assert!(answer.ends_with("x y"), "{answer}");
    assert_eq!(answer.to_lowercase().matches("set-cookie: ").count(), 2, "{answer}");
}

#[tokio::test]
async fn the_peer_is_the_peer_and_no_header_changes_it() {
    let serving = start(limits()).await;
    let request =
        get("/peer").replace("Connection", "X-Real-IP: 9.9.9.9\r\nX-Forwarded-For: 9.9.9.9\r\nConnection");
    let answer = exchange(&serving, &request).await;
    assert!(answer.ends_with("Some(127.0.0.1) weir.test"), "{answer}");
}

#[tokio::test]
async fn a_host_must_be_named_once() {
    let serving = start(limits()).await;
    let bad = [
        "GET /hello HTTP/1.1\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost:\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET http://evil.test/hello HTTP/1.1\r\nHost: weir.test\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: weir.test\r\n\r\n",
    ];
    for request in bad {
        let answer = exchange(&serving, request).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{request:?} gave {answer}");
        assert!(answer.contains("frame-ancestors 'none'"), "{answer}");
    }
    let fine = "GET http://weir.test/hello HTTP/1.1\r\nHost: weir.test\r\nConnection: close\r\n\r\n";
    assert!(exchange(&serving, fine).await.ends_with("hello"));
}

#[tokio::test]
async fn unreadable_addresses_methods_and_long_headers_are_refused() {
    let serving = start(limits()).await;
    assert!(exchange(&serving, &get("/a%zz|<>")).await.starts_with("HTTP/1.1 400 "));
    assert!(exchange(&serving, &get("/hello").replace("GET", "BREW")).await.starts_with("HTTP/1.1 501 "));
    let long =
        get("/hello").replace("Connection", &format!("X-Long: {}\r\nConnection", "x".repeat(64 * 1024)));
    assert!(exchange(&serving, &long).await.starts_with("HTTP/1.1 431 "));
    assert!(exchange(&serving, &get("/none")).await.starts_with("HTTP/1.1 404 "));
}

#[tokio::test]
async fn r220_a_body_over_the_limit_is_refused_announced_or_not() {
    let serving = start(limits()).await;
    let post = |more: &str| format!("POST /length HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{more}");
    let fits = exchange(&serving, &post(&format!("Content-Length: 1000\r\n\r\n{}", "x".repeat(1_000)))).await;
    assert!(fits.ends_with("1000"), "{fits}");
    let announced = exchange(&serving, &post("Content-Length: 1073741824\r\n\r\n")).await;
    assert!(announced.starts_with("HTTP/1.1 413 "), "{announced}");
    let chunk = format!("400\r\n{}\r\n", "x".repeat(0x400));
    let chunked = exchange(&serving, &post(&format!("Transfer-Encoding: chunked\r\n\r\n{chunk}"))).await;
    assert!(chunked.starts_with("HTTP/1.1 413 "), "{chunked}");
}

#[tokio::test]
async fn r220_who_is_still_sending_reads_why_it_was_refused() {
    let serving = start(Limits { linger: Duration::from_secs(5), linger_bytes: 9 << 20, ..limits() }).await;
    let mut peer = connect(&serving).await;
    peer.write_all(b"POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 8388608\r\n\r\n")
        .await
        .expect("sent");
    for _ in 0..128 {
        peer.write_all(&[b'x'; 64 * 1024]).await.expect("taken, although nobody reads it");
    }
    assert!(read_all(peer).await.starts_with("HTTP/1.1 413 "));
    let mut endless = connect(&serving).await;
    endless
        .write_all(b"POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 1073741824\r\n\r\n")
        .await
        .expect("sent");
    let mut sent = 0;
    while sent < 128 << 20 && endless.write_all(&[b'x'; 64 * 1024]).await.is_ok() {
        sent += 64 * 1024;
    }
    assert!((9 << 20..64 << 20).contains(&sent), "cut after a while: {sent}");
}

#[tokio::test]
async fn a_browser_reads_a_refusal_as_a_page_and_a_program_as_a_line() {
    let serving = start_behind(limits(), Door { base: "/weir".into(), ..Door::default() }).await;
    let post = |accept: &str| {
        format!("POST /weir/length HTTP/1.1\r\nHost: a\r\n{accept}Content-Length: 1073741824\r\n\r\n")
    };
    let page = exchange(&serving, &post("Accept: text/html,application/xhtml+xml;q=0.9\r\n")).await;
    assert!(page.starts_with("HTTP/1.1 413 "), "{page}");
    assert!(page.contains("content-type: text/html; charset=utf-8\r\n"), "{page}");
    for part in [
        "<html lang=\"en\">",
        "<h1>Too large</h1>",
        "Nothing was changed.",
        "send it again",
        "<a href=\"/weir/\">",
        "default-src 'none'",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let (head, body) = page.split_once("\r\n\r\n").expect("a body");
    assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
    for accept in ["", "Accept: */*\r\n", "Accept: application/json\r\n"] {
        let line = exchange(&serving, &post(accept)).await;
        assert!(line.contains("\r\n\r\nThe request is larger than this address takes.\nQuote "), "{line}");
    }
}

#[tokio::test]
async fn every_refusal_of_ours_says_that_it_is_no_other_type_and_not_to_be_kept() {
    let serving = start(limits()).await;
    for request in ["GET /hello HTTP/1.1\r\n\r\n", "BREW /hello HTTP/1.1\r\nHost: a\r\n\r\n"] {
        for accept in ["", "Accept: text/html\r\n"] {
            let answer = exchange(&serving, &request.replacen("\r\n", &format!("\r\n{accept}"), 1)).await;
            assert!(answer.contains("x-content-type-options: nosniff\r\n"), "{answer}");
            assert!(answer.contains("cache-control: no-store\r\n"), "{answer}");
        }
    }
    for raw in [super::refusal::SPEAK_TLS, super::refusal::NO_ROOM] {
        let text = String::from_utf8_lossy(raw);
        assert!(text.contains("x-content-type-options: nosniff\r\n"), "{text}");
        assert!(text.contains("cache-control: no-store\r\n"), "{text}");
    }
}

#[tokio::test]
async fn bodies_share_one_budget() {
    let serving = start(Limits { bodies_bytes: 100, ..limits() }).await;
    let request =
        format!("POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n{}", "x".repeat(500));
    assert!(exchange(&serving, &request).await.starts_with("HTTP/1.1 503 "));
}

#[tokio::test]
async fn r245_slow_headers_and_slow_bodies_end() {
    let serving = start(limits()).await;
    let silent = connect(&serving).await;
    let mut slow = connect(&serving).await;
    slow.write_all(b"GET /hello HTTP/1.1\r\nHost").await.expect("sent");
    assert_eq!(read_all(silent).await, "");
    assert_eq!(read_all(slow).await, "");
    let body = exchange(&serving, "POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\nxx").await;
    assert!(body.starts_with("HTTP/1.1 408 "), "{body}");
}

#[tokio::test]
async fn a_peer_that_takes_nothing_is_given_up() {
    let serving = start(limits()).await;
    let mut stream = connect(&serving).await;
    stream.write_all(get("/endless").as_bytes()).await.expect("sent");
    sleep(Duration::from_millis(2_500)).await;
    assert!(serving.stop(Duration::from_millis(100)).await, "nothing was left to cut");
}

#[tokio::test]
async fn a_kept_connection_serves_again_and_then_ends() {
    let serving = start(Limits { keep_alive: Duration::from_millis(1_500), ..limits() }).await;
    let mut stream = connect(&serving).await;
    let request = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
    for _ in 0..2 {
        stream.write_all(request.as_bytes()).await.expect("sent");
        read_until(&mut stream, "hello").await;
        sleep(Duration::from_millis(700)).await; // longer than the time for headers
    }
    assert_eq!(read_all(stream).await, "");
}

#[tokio::test]
async fn one_connection_too_many_closes_the_one_waiting_longest() {
    let serving =
        start(Limits { connections_per_peer: 2, header_time: Duration::from_secs(10), ..limits() }).await;
    let oldest = connect(&serving).await;
    sleep(Duration::from_millis(50)).await;
    let _second = connect(&serving).await;
    sleep(Duration::from_millis(50)).await;
    assert!(exchange(&serving, &get("/hello")).await.ends_with("hello"));
    assert_eq!(read_all(oldest).await, "");
}

#[tokio::test]
async fn connections_at_work_are_not_closed_for_new_ones() {
    let serving = start(Limits { connections: 1, ..limits() }).await;
    let mut busy = connect(&serving).await;
    busy.write_all(get("/slow").as_bytes()).await.expect("sent");
    sleep(Duration::from_millis(100)).await;
    assert!(exchange(&serving, &get("/hello")).await.starts_with("HTTP/1.1 503 "));
    assert!(read_all(busy).await.ends_with("done"));
}

#[tokio::test]
async fn events_are_sent_as_they_come_and_end_with_the_server() {
    let serving = start(limits()).await;
    let mut stream = connect(&serving).await;
    stream.write_all(get("/events").as_bytes()).await.expect("sent");
    let first = read_until(&mut stream, "one").await;
    assert!(first.to_lowercase().contains("content-type: text/event-stream"), "{first}");
    assert!(!first.contains("two"));
    assert!(serving.stop(Duration::from_secs(5)).await);
    assert!(read_all(stream).await.contains("two"));
}

#[tokio::test]
async fn stopping_lets_requests_finish_and_takes_no_more() {
    let serving = start(limits()).await;
    let address = serving.address();
    let mut busy = connect(&serving).await;
    let _silent = connect(&serving).await;
    busy.write_all(get("/slow").as_bytes()).await.expect("sent");
    sleep(Duration::from_millis(100)).await;
    let (in_time, answer) = tokio::join!(serving.stop(Duration::from_secs(5)), read_all(busy));
    assert!(in_time);
    assert!(answer.ends_with("done"), "{answer}");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn what_does_not_end_in_time_is_cut() {
    let serving = start(Limits { write_stall: Duration::from_secs(60), ..limits() }).await;
    let mut stream = connect(&serving).await;
    stream.write_all(get("/endless").as_bytes()).await.expect("sent");
    sleep(Duration::from_millis(200)).await;
    assert!(!serving.stop(Duration::from_millis(200)).await);
}

#[tokio::test]
async fn a_panic_is_one_failed_answer() {
    let serving = start(limits()).await;
    assert!(exchange(&serving, &get("/panic")).await.starts_with("HTTP/1.1 500 "));
    assert!(exchange(&serving, &get("/hello")).await.ends_with("hello"));
}

#[tokio::test]
async fn routes_that_collide_are_an_error_not_a_panic() {
    let rocket = rocket::custom(quiet_config(1_000)).mount("/", routes![hello]).mount("/", routes![hello]);
    assert!(Site::launch(rocket).await.is_err());
}

#[test]
fn nothing_is_taken_from_rockets_own_environment() {
    let config = rocket::custom(quiet_config(2_048)).figment().extract::<rocket::Config>().expect("readable");
    assert_eq!(config.ip_header, None);
    assert_eq!(config.ident.as_str(), None);
    assert_eq!(config.limits.get("form"), Some(2_048.into()));
}
