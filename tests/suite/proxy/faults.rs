//! Proxy servers that misbehave, scripted byte by byte: each has its own sentence, and soon.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use url::Url;
use uuid::Uuid;
use weir::upstream::{
    Hop, Identity, ProxyCredentials, ProxyTarget, RetryPolicy, Target, TransportLimits, Trust,
    UpstreamClient, UpstreamError,
};
use zeroize::Zeroizing;

use crate::support::squid::ACCOUNT;
use crate::support::upstream::Upstream;

/// What the proxy server does with one request.
#[derive(Clone)]
enum Does {
    Answer(&'static str),
    Bytes(Vec<u8>),
    /// Nothing, and keeps the connection.
    Waits,
    Closes,
    /// Hands the request on, once, and closes the connection after the answer without having said so.
    Forwards(u16),
}

/// A proxy server that goes through its answers one by one, over as many connections as it takes.
struct Scripted {
    port: u16,
    /// The Proxy-Authorization of each request, or nothing.
    signed: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    async fn start(script: Vec<Does>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let signed = Arc::<Mutex<Vec<String>>>::default();
        let notes = signed.clone();
        tokio::spawn(async move {
            let mut script = script.into_iter();
            let mut held = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream = BufReader::new(stream);
                while let Some(request) = read(&mut stream, &notes).await {
                    match script.next() {
                        Some(Does::Answer(text)) => {
                            if stream.write_all(text.as_bytes()).await.is_err() || text.contains("close\r\n")
                            {
                                break;
                            }
                        }
                        Some(Does::Bytes(bytes)) => drop(stream.write_all(&bytes).await),
                        Some(Does::Waits) => {
                            held.push(stream);
                            break;
                        }
                        Some(Does::Forwards(port)) => {
                            forward(&mut stream, &request, port).await;
                            break;
                        }
                        Some(Does::Closes) | None => break,
                    }
                }
            }
        });
        Self { port, signed }
    }

    fn signed(&self) -> Vec<String> {
        self.signed.lock().unwrap().clone()
    }
}

/// One request, whole.
async fn read(stream: &mut BufReader<TcpStream>, notes: &Mutex<Vec<String>>) -> Option<String> {
    let (mut text, mut signed, mut length) = (String::new(), String::new(), 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        text.push_str(&line);
        let Some((name, value)) = line.trim().split_once(": ") else {
            if line == "\r\n" {
                break;
            }
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "proxy-authorization" => signed = value.to_owned(),
            "content-length" => length = value.parse().unwrap(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    text.push_str(&String::from_utf8(body).unwrap());
    notes.lock().unwrap().push(signed);
    Some(text)
}

async fn forward(stream: &mut BufReader<TcpStream>, request: &str, port: u16) {
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    let origin = request.replacen(&format!("http://127.0.0.1:{port}"), "", 1);
    server.write_all(origin.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // The scripted upstream server keeps its connections, so the end of the answer is the end of the envelope.
    while !answer.ends_with(b"Envelope>") {
        let mut buffer = [0; 4096];
        let count = server.read(&mut buffer).await.unwrap();
        answer.extend_from_slice(&buffer[..count]);
        if count == 0 {
            break;
        }
    }
    stream.write_all(&answer).await.unwrap();
}

fn client(proxy: u16, origin: &str, credentials: bool) -> UpstreamClient {
    let credentials = credentials.then(|| ProxyCredentials {
        user: ACCOUNT.user.to_owned(),
        domain: ACCOUNT.domain.to_owned(),
        password: Zeroizing::new(ACCOUNT.password.to_owned()),
        basic_allowed: false,
    });
    let server = "127.0.0.1".to_owned();
    let target = Target {
        origin: Url::parse(origin).unwrap(),
        trust: Trust::System,
        proxy: Some(ProxyTarget { server, port: proxy, credentials, is_patient: false }),
    };
    let short = Duration::from_secs(2);
    let limits =
        TransportLimits { connect: short, headers: short, idle: short, ..TransportLimits::default() };
    let retry = RetryPolicy { attempts_max: 1, ..RetryPolicy::default() };
    UpstreamClient::new(target, Identity::new(Uuid::nil(), "test"), limits, retry).unwrap()
}

/// The failure of a first call, which must be the proxy server's and come soon.
async fn failure(script: Vec<Does>, origin: &str, credentials: bool) -> String {
    let proxy = Scripted::start(script).await;
    let started = Instant::now();
    let error = client(proxy.port, origin, credentials).sign_in().await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(5), "{error} took {:?}", started.elapsed());
    assert_eq!((error.hop(), error.code()), (Hop::Proxy, "ProxyError"), "{error:?}");
    assert!(error.to_string().contains(&format!("127.0.0.1:{}", proxy.port)), "{error}");
    error.to_string()
}

const PLAIN: &str = "http://wsus.example:8530/";
const SECURE: &str = "https://wsus.example:8531/";
const NTLM: &str = "HTTP/1.1 407 Sign in\r\nProxy-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n";
const NTLM_CLOSE: &str =
    "HTTP/1.1 407 Sign in\r\nProxy-Authenticate: NTLM\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// A second message of an old server, without target information.
const SECOND: &str = "HTTP/1.1 407 Sign in\r\nProxy-Authenticate: NTLM \
    TlRMTVNTUAACAAAAAAAAAAAAAAABAAAACQkJCQkJCQk=\r\nContent-Length: 4\r\n\r\npage";
const DIGEST: &str = "HTTP/1.1 407 Sign in\r\nProxy-Authenticate: Digest realm=\"r\", nonce=\"n1\", \
    qop=\"auth\", algorithm=SHA-256\r\nContent-Length: 0\r\n\r\n";
const STALE: &str = "HTTP/1.1 407 Sign in\r\nProxy-Authenticate: Digest realm=\"r\", nonce=\"n2\", \
    qop=\"auth\", algorithm=SHA-256, stale=true\r\nContent-Length: 0\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn r118_each_way_to_fail_before_an_answer_has_its_own_words() {
    use Does::*;
    for origin in [PLAIN, SECURE] {
        for rubbish in ["SSH-2.0-OpenSSH_9.2\r\n", "HTTP/9.9 what\r\n\r\n", "\u{16}\u{3}\u{1}\u{2}"] {
            let text = failure(vec![Answer(rubbish), Closes], origin, false).await;
            assert!(
                text.contains("is not a proxy server") || text.contains("closed the connection"),
                "{text}"
            );
        }
        let many = format!("HTTP/1.1 200 OK\r\n{}", "x: y\r\n".repeat(20_000));
        let text = failure(vec![Bytes(many.into_bytes())], origin, false).await;
        assert!(text.contains("is not a proxy server"), "{text}");
        let text = failure(vec![Closes], origin, false).await;
        assert!(text.contains("closed the connection without an answer"), "{text}");
        let text = failure(vec![Answer(NTLM)], origin, false).await;
        assert!(text.contains("asks for a user name and a password (NTLM)"), "{text}");
    }
    let text = failure(vec![Waits], SECURE, false).await;
    assert!(text.contains("gave no answer within 2 s"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r126_answers_to_connect_are_shown_and_nothing_leaks_into_tls() {
    use Does::*;
    let page = "HTTP/1.1 403 No\r\nContent-Type: text/html\r\nContent-Length: 38\r\n\r\n\
        <html><title>Policy 7</title>No</html>";
    let text = failure(vec![Answer(page)], SECURE, false).await;
    assert!(
        text.contains("refused the connection to wsus.example:8531 by its rules (\"Policy 7\")"),
        "{text}"
    );
    let text = failure(vec![Answer("HTTP/1.1 502 Bad\r\nConnection: close\r\n\r\n")], SECURE, false).await;
    assert!(text.contains("answered with HTTP status 502"), "{text}");
    let text =
        failure(vec![Answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")], SECURE, false).await;
    assert!(text.contains("sent something of its own into the connection"), "{text}");
    // After a 407 that ends its connection, the sign-in begins on a new one.
    let text = failure(vec![Answer(NTLM_CLOSE), Answer(NTLM)], SECURE, true).await;
    assert!(text.contains("did not answer the first message"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r126_a_page_in_place_of_an_answer_names_the_proxy_server() {
    let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 37\r\n\r\n\
        <title>Welcome to the hotel</title>Hi";
    let proxy = Scripted::start(vec![Does::Answer(page)]).await;
    let error = client(proxy.port, PLAIN, false).sign_in().await.unwrap_err();
    assert!(matches!(error, UpstreamError::NotSoap { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(&format!("through the proxy server 127.0.0.1:{}", proxy.port)), "{text}");
    assert!(text.contains("Welcome to the hotel"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r122_ntlm_that_breaks_off_is_bounded_and_each_place_named() {
    use Does::*;
    let malformed =
        "HTTP/1.1 407 Sign in\r\nProxy-Authenticate: NTLM TlRMTVNTUAACAAAA\r\nContent-Length: 0\r\n\r\n";
    let second_close = SECOND.replace("Content-Length: 4", "Connection: close\r\nContent-Length: 4");
    for origin in [PLAIN, SECURE] {
        for (script, words) in [
            (vec![Answer(NTLM), Closes], "closed the connection after the first message"),
            (vec![Answer(NTLM), Answer(NTLM)], "did not answer the first message"),
            (vec![Answer(NTLM), Answer(malformed)], "cut off or points outside itself"),
            (
                vec![Answer(NTLM), Bytes(second_close.clone().into_bytes())],
                "between the second and the third",
            ),
            (vec![Answer(NTLM), Answer(SECOND), Closes], "closed the connection after the third message"),
            (vec![Answer(NTLM), Answer(SECOND), Answer(NTLM)], "rejected the credentials (NTLM)"),
        ] {
            let text = failure(script, origin, true).await;
            assert!(text.contains(words), "{words:?} is not in {text:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r121_digest_with_sha_256_is_tried_once_and_once_more_when_stale() {
    use Does::*;
    for origin in [PLAIN, SECURE] {
        let proxy = Scripted::start(vec![Answer(DIGEST), Answer(STALE), Answer(STALE), Answer(STALE)]).await;
        let error = client(proxy.port, origin, true).sign_in().await.unwrap_err();
        assert!(error.to_string().contains("calls each nonce stale"), "{error}");
        let signed = proxy.signed();
        assert_eq!(signed.len(), 3, "{signed:?}");
        assert!(
            signed[0].is_empty() && signed[1].contains("nonce=\"n1\"") && signed[2].contains("nonce=\"n2\"")
        );
        assert!(
            signed[1].contains("algorithm=SHA-256") && signed[1].contains("username=\"CORP\\\\svc-weir\"")
        );
        let text = failure(vec![Answer(DIGEST), Answer(DIGEST)], origin, true).await;
        assert!(text.contains("rejected the credentials (Digest)"), "{text}");
    }
    let odd = "HTTP/1.1 407 Sign in\r\nProxy-Authenticate: Digest nonce=\"n\"\r\nContent-Length: 0\r\n\r\n";
    let text = failure(vec![Answer(odd)], PLAIN, true).await;
    assert!(text.contains("it names no realm"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r129_connections_that_end_between_requests_are_opened_again() {
    let upstream = Upstream::start().await;
    let port = upstream.port();
    let proxy = Scripted::start(vec![Does::Forwards(port); 3]).await;
    let client = client(proxy.port, &format!("http://127.0.0.1:{port}/"), false);
    client.sign_in().await.unwrap();
    assert_eq!(upstream.take_calls().len(), 3);
    assert!(proxy.signed().iter().all(String::is_empty), "what signs in to the relay stays there");
}
