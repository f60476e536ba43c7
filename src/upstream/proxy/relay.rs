//! The proxy server that the HTTP library sees: a relay on the loopback interface, for this process only.
//!
//! Each relay makes up a password of its own and takes nothing without it, since what it passes on is signed in with
//! the administrator's account. It lives as long as the client it was made for.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHORIZATION};
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use subtle::ConstantTimeEq;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use zeroize::Zeroizing;

use super::answer::{Body, empty, is_own, refusal, strip};
use super::error::ProxyError;
use super::gate::Gate;
use super::line::{Asked, Line, seconds};
use super::scheme::Scheme;
use super::sign_in::SignIn;
use crate::upstream::{ProxyTarget, TransportLimits, UpstreamError};

/// Connections to the relay at a time.
const CONNECTIONS_MAX: usize = 64;
/// The longest request, which is kept whole, because a sign-in repeats it.
const REQUEST_MAX: usize = 16 << 20;
/// Failures that wait for somebody to ask why.
const FAILURES_MAX: usize = 64;
/// Marks the answers that the relay made up.
const MARK: HeaderName = HeaderName::from_static("weir-relay");
/// Who the HTTP library is for the relay.
const USER: &str = "weir";

/// A relay in front of one proxy server. Ends, with all its connections, when it is dropped.
pub(in crate::upstream) struct Relay {
    address: SocketAddr,
    password: Zeroizing<String>,
    shared: Arc<Shared>,
    _end: DropGuard,
}

/// What all connections of a relay know.
pub(super) struct Shared {
    pub target: ProxyTarget,
    /// Name and port of the proxy server, for messages.
    pub proxy: Arc<str>,
    pub gate: Gate,
    pub end: CancellationToken,
    limits: TransportLimits,
    /// What a client of the relay has to send.
    credential: Zeroizing<String>,
    mark: HeaderValue,
    scheme: Mutex<Option<Scheme>>,
    failures: Mutex<VecDeque<(Instant, ProxyError)>>,
}

impl Relay {
    /// Starts to listen. Call it inside the runtime.
    ///
    /// # Errors
    /// [`UpstreamError::Settings`] when this machine has no free port.
    pub fn start(target: ProxyTarget, limits: TransportLimits) -> Result<Self, UpstreamError> {
        let unable = |error: std::io::Error| UpstreamError::Settings {
            reason: format!("no relay to the proxy server can be started ({error})"),
        };
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(unable)?;
        listener.set_nonblocking(true).map_err(unable)?;
        let address = listener.local_addr().map_err(unable)?;
        let listener = TcpListener::from_std(listener).map_err(unable)?;
        let password = Zeroizing::new(hex::encode(rand::random::<[u8; 32]>()));
        let plain = Zeroizing::new(format!("{USER}:{}", *password));
        let mark = HeaderValue::try_from(hex::encode(rand::random::<[u8; 16]>()))
            .unwrap_or_else(|_| HeaderValue::from_static("relay"));
        let end = CancellationToken::new();
        let shared = Arc::new(Shared {
            proxy: target.shown().into(),
            gate: Gate::new(&target),
            target,
            end: end.clone(),
            limits,
            credential: Zeroizing::new(format!("Basic {}", BASE64.encode(plain.as_bytes()))),
            mark,
            scheme: Mutex::default(),
            failures: Mutex::default(),
        });
        tokio::spawn(listen(listener, shared.clone()));
        Ok(Self { address, password, shared, _end: end.drop_guard() })
    }

    /// The relay as the HTTP library's proxy server.
    ///
    /// # Errors
    /// The library's; never for an address as this one.
    pub fn as_proxy(&self) -> Result<reqwest::Proxy, reqwest::Error> {
        Ok(reqwest::Proxy::all(format!("http://{}", self.address))?.basic_auth(USER, &self.password))
    }

    /// Name and port of the proxy server.
    pub fn proxy(&self) -> &str {
        &self.shared.proxy
    }

    /// The scheme that the proxy server let requests pass with last.
    pub fn scheme(&self) -> Option<&'static str> {
        self.shared.scheme.lock().unwrap_or_else(PoisonError::into_inner).map(Scheme::name)
    }

    /// Why a request failed that was begun at `since`; `None` when it was not the proxy server.
    pub fn failure_since(&self, since: Instant) -> Option<ProxyError> {
        let failures = self.shared.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.iter().rev().find(|(at, _)| *at >= since).map(|(_, error)| error.clone())
    }

    /// Was this answer made up by the relay?
    pub fn is_failure(&self, headers: &HeaderMap) -> bool {
        headers.get(MARK).is_some_and(|mark| *mark == self.shared.mark)
    }
}

impl Shared {
    pub fn connect_limit(&self) -> Duration {
        // Shorter than the library's own, so that the reason is known when it gives up.
        self.limits.connect.mul_f32(0.9)
    }

    /// The sign-in of a new connection.
    pub fn sign_in(&self) -> SignIn {
        let known = *self.scheme.lock().unwrap_or_else(PoisonError::into_inner);
        let who = self.target.credentials.clone().map(Arc::new);
        SignIn::new(self.proxy.clone(), who, known)
    }

    /// The proxy server let a request pass with this scheme.
    pub fn note_scheme(&self, scheme: Option<Scheme>) {
        let mut known = self.scheme.lock().unwrap_or_else(PoisonError::into_inner);
        if scheme.is_some() && *known != scheme {
            *known = scheme;
            tracing::info!(
                proxy = &*self.proxy,
                scheme = scheme.map_or("none", Scheme::name),
                "signed in to the proxy server"
            );
        }
    }

    fn fail(&self, error: ProxyError) -> Response<Body> {
        tracing::debug!(%error, "the proxy server failed");
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() == FAILURES_MAX {
            failures.pop_front();
        }
        failures.push_back((Instant::now(), error));
        let mut response = empty(StatusCode::BAD_GATEWAY);
        response.headers_mut().insert(MARK, self.mark.clone());
        response
    }

    fn is_ours(&self, headers: &HeaderMap) -> bool {
        let sent = headers.get(PROXY_AUTHORIZATION).map_or(&[][..], HeaderValue::as_bytes);
        bool::from(sent.ct_eq(self.credential.as_bytes()))
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.end.cancelled() => return,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "the relay to the proxy server cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(place) = room.clone().try_acquire_owned() else { continue };
        let shared = shared.clone();
        tokio::spawn(async move {
            let _place = place;
            let end = shared.end.clone();
            tokio::select! {
                () = serve(stream, shared) => {}
                () = end.cancelled() => {}
            }
        });
    }
}

/// One connection of the HTTP library, which has a connection to the proxy server of its own.
async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let line = Arc::new(tokio::sync::Mutex::new(Line::new(shared.clone())));
    let service = service_fn(|request| {
        let (shared, line) = (shared.clone(), line.clone());
        async move { Ok::<_, Infallible>(answer(request, shared, line).await) }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(shared.limits.headers);
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).with_upgrades().await {
        tracing::debug!(%error, "a connection to the relay ended");
    }
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
    line: Arc<tokio::sync::Mutex<Line>>,
) -> Response<Body> {
    if !shared.is_ours(request.headers()) {
        tracing::warn!(
            "something on this machine tried to use the relay to the proxy server, and was refused"
        );
        return empty(StatusCode::FORBIDDEN);
    }
    if request.method() == Method::CONNECT {
        tunnel(request, shared).await
    } else {
        pass_on(request, &shared, &mut *line.lock().await).await
    }
}

/// A plain request: signed in on the connection that this client has to the proxy server.
async fn pass_on(request: Request<Incoming>, shared: &Shared, line: &mut Line) -> Response<Body> {
    let (mut head, body) = request.into_parts();
    let Some(address) = head.uri.authority().map(ToString::to_string) else {
        return empty(StatusCode::BAD_REQUEST);
    };
    strip(&mut head.headers);
    let Ok(body) = Limited::new(body, REQUEST_MAX).collect().await else {
        return empty(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let asked = Asked { method: head.method, uri: head.uri, headers: head.headers, body: body.to_bytes() };
    match timeout(shared.limits.headers, line.ask(&asked)).await {
        Ok(Ok(response)) if is_own(&response) => shared.fail(refusal(response, &shared.proxy, address).await),
        Ok(Ok(response)) => {
            let (mut head, body) = response.into_parts();
            strip(&mut head.headers);
            head.version = hyper::Version::HTTP_11;
            Response::from_parts(head, body.boxed())
        }
        Ok(Err(error)) => shared.fail(error),
        Err(_) => {
            let (proxy, limit_s) = (shared.proxy.to_string(), seconds(shared.limits.headers));
            shared.fail(ProxyError::Silent { proxy, limit_s })
        }
    }
}

/// A tunnel: signed in, and then bytes in both directions.
async fn tunnel(mut request: Request<Incoming>, shared: Arc<Shared>) -> Response<Body> {
    let ours = hyper::upgrade::on(&mut request);
    let address = request.uri().to_string();
    let mut headers = HeaderMap::new();
    if let Ok(host) = HeaderValue::try_from(&address) {
        headers.insert(HOST, host);
    }
    let asked = Asked { method: Method::CONNECT, uri: request.uri().clone(), headers, body: Bytes::new() };
    let limit = shared.connect_limit();
    match timeout(limit, open_tunnel(&asked, &shared, &address)).await {
        Ok(Ok(theirs)) => {
            tokio::spawn(splice(ours, theirs, shared.end.clone()));
            empty(StatusCode::OK)
        }
        Ok(Err(error)) => shared.fail(error),
        Err(_) => {
            let (proxy, limit_s) = (shared.proxy.to_string(), seconds(limit));
            shared.fail(ProxyError::Silent { proxy, limit_s })
        }
    }
}

async fn open_tunnel(asked: &Asked, shared: &Arc<Shared>, address: &str) -> Result<TcpStream, ProxyError> {
    let response = Line::new(shared.clone()).ask(asked).await?;
    if !response.status().is_success() {
        return Err(refusal(response, &shared.proxy, address.to_owned()).await);
    }
    let leftover = || ProxyError::Leftover { proxy: shared.proxy.to_string(), address: address.to_owned() };
    let upgraded = hyper::upgrade::on(response).await;
    let upgraded = upgraded.map_err(|_| ProxyError::BrokeOff { proxy: shared.proxy.to_string() })?;
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().map_err(|_| leftover())?;
    // The server at the other end does not speak first, so this is the proxy server's, and not for TLS to read.
    if parts.read_buf.is_empty() { Ok(parts.io.into_inner()) } else { Err(leftover()) }
}

async fn splice(ours: OnUpgrade, mut theirs: TcpStream, end: CancellationToken) {
    let copying = async {
        let Ok(ours) = ours.await else { return };
        let mut ours = TokioIo::<Upgraded>::new(ours);
        if let Err(error) = tokio::io::copy_bidirectional(&mut ours, &mut theirs).await {
            tracing::debug!(%error, "a tunnel through the proxy server ended");
        }
    };
    tokio::select! {
        () = copying => {}
        () = end.cancelled() => {}
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn nobody_else_on_this_machine_can_use_the_relay() {
        let proxy = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let target = ProxyTarget {
            server: "127.0.0.1".to_owned(),
            port: proxy.local_addr().unwrap().port(),
            credentials: None,
            is_patient: false,
        };
        let relay = Relay::start(target, TransportLimits::default()).unwrap();
        let wrong = BASE64.encode(format!("{USER}:{}", "0".repeat(64)));
        for line in [String::new(), format!("Proxy-Authorization: Basic {wrong}\r\n")] {
            for request in ["GET http://wsus.example/ HTTP/1.1", "CONNECT wsus.example:443 HTTP/1.1"] {
                let mut stream = TcpStream::connect(relay.address).await.unwrap();
                let text = format!("{request}\r\nHost: wsus.example\r\n{line}\r\n");
                stream.write_all(text.as_bytes()).await.unwrap();
                let mut answer = [0; 12];
                stream.read_exact(&mut answer).await.unwrap();
                assert_eq!(&answer, b"HTTP/1.1 403");
            }
        }
        let asked = timeout(Duration::from_millis(100), proxy.accept()).await;
        assert!(asked.is_err(), "the proxy server was not even connected to");

        let address = relay.address;
        drop(relay);
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(TcpStream::connect(address).await.is_err(), "it ends with its client");
    }
}
