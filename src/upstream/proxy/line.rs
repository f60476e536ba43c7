//! One connection to the proxy server, and a request on it with as many rounds as its sign-in takes.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HeaderMap, PROXY_AUTHORIZATION};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::answer::{closes, drain};
use super::challenge::Challenge;
use super::error::ProxyError;
use super::relay::Shared;
use super::sign_in::SignIn;
use crate::upstream::error::quote;

/// Rounds of one request; a sign-in takes three, and a second chance three more.
const ROUNDS_MAX: usize = 8;
/// The header of one answer, in bytes.
const HEADER_MAX: usize = 64 * 1024;
/// Fields of one answer's header.
const FIELDS_MAX: usize = 100;

/// One request, kept whole, because a sign-in repeats it.
pub(super) struct Asked {
    pub method: Method,
    /// With scheme and host, or host and port for CONNECT.
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// The way of one of the relay's clients to the proxy server.
pub(super) struct Line {
    shared: Arc<Shared>,
    sender: Option<SendRequest<Full<Bytes>>>,
    sign_in: SignIn,
}

/// How a request failed before an answer came.
enum Lost {
    /// The connection had ended before; nothing of the request arrived.
    Before,
    During(hyper::Error),
}

impl Line {
    pub fn new(shared: Arc<Shared>) -> Self {
        let sign_in = shared.sign_in();
        Self { shared, sender: None, sign_in }
    }

    /// The first answer that is no 407.
    ///
    /// # Errors
    /// [`ProxyError`], after at most one try to sign in.
    pub async fn ask(&mut self, asked: &Asked) -> Result<Response<Incoming>, ProxyError> {
        let shared = self.shared.clone();
        let _turn = shared.gate.enter().await?;
        let result = self.rounds(asked).await;
        match &result {
            Ok(_) => {
                shared.note_scheme(self.sign_in.scheme());
                shared.gate.passed();
            }
            Err(error) if error.is_sign_in() => shared.gate.refused(error),
            Err(_) => {}
        }
        result
    }

    async fn rounds(&mut self, asked: &Asked) -> Result<Response<Incoming>, ProxyError> {
        let mut was_idle = self.sender.is_some();
        for _ in 0..ROUNDS_MAX {
            let response = match self.send(asked).await? {
                Ok(response) => response,
                // A connection that was kept may end at any time; a new one gets the same request once.
                Err(Lost::Before) if was_idle => {
                    was_idle = false;
                    self.hang_up()?;
                    continue;
                }
                Err(Lost::During(error))
                    if was_idle && !error.is_parse() && !error.is_body_write_aborted() =>
                {
                    was_idle = false;
                    self.hang_up()?;
                    continue;
                }
                Err(Lost::During(error)) if is_nonsense(&error) => {
                    let (proxy, reason) = (self.shared.proxy.to_string(), quote(&error.to_string()));
                    return Err(ProxyError::NotHttp { proxy, reason });
                }
                Err(_) => return Err(self.sign_in.lost()),
            };
            was_idle = false;
            if response.status() != StatusCode::PROXY_AUTHENTICATION_REQUIRED {
                let info = response.headers().get("proxy-authentication-info");
                self.sign_in.accepted(info.map(|value| value.as_bytes()));
                return Ok(response);
            }
            let offers = Challenge::all(response.headers());
            let ends = closes(&response);
            let (_, whole) = drain(response.into_body()).await;
            self.sign_in.challenged(&offers)?;
            if ends || !whole {
                self.hang_up()?;
            }
        }
        Err(self.sign_in.lost())
    }

    /// One request, over the connection there is or a new one.
    async fn send(&mut self, asked: &Asked) -> Result<Result<Response<Incoming>, Lost>, ProxyError> {
        if self.sender.as_ref().is_some_and(SendRequest::is_closed) {
            self.hang_up()?;
        }
        let mut sender = match self.sender.take() {
            Some(sender) => sender,
            None => self.shared.connect().await?,
        };
        let mut request = Request::new(Full::new(asked.body.clone()));
        *request.method_mut() = asked.method.clone();
        *request.uri_mut() = asked.uri.clone();
        *request.headers_mut() = asked.headers.clone();
        if let Some(value) = self.sign_in.header(asked.method.as_str(), &asked.uri.to_string())? {
            request.headers_mut().insert(PROXY_AUTHORIZATION, value);
        }
        if sender.ready().await.is_err() {
            return Ok(Err(Lost::Before));
        }
        let answer = sender.send_request(request).await;
        self.sender = Some(sender);
        Ok(answer.map_err(Lost::During))
    }

    /// Gives the connection up.
    fn hang_up(&mut self) -> Result<(), ProxyError> {
        self.sender = None;
        self.sign_in.reconnected()
    }
}

/// Was what came no HTTP, or beyond the limits?
fn is_nonsense(error: &hyper::Error) -> bool {
    error.is_parse() || error.is_parse_too_large() || error.is_parse_status()
}

impl Shared {
    /// A new connection to the proxy server, and to nowhere else.
    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, ProxyError> {
        let limit = self.connect_limit();
        let unreachable = |reason: String| ProxyError::Unreachable { proxy: self.proxy.to_string(), reason };
        let opening = async {
            let host = self.target.server.trim_start_matches('[').trim_end_matches(']');
            let addresses: Vec<_> = match tokio::net::lookup_host((host, self.target.port)).await {
                Ok(found) => found.collect(),
                Err(error) => {
                    tracing::debug!(%error, "the name of the proxy server was not found");
                    Vec::new()
                }
            };
            if addresses.is_empty() {
                return Err(ProxyError::NameNotFound { proxy: self.proxy.to_string() });
            }
            TcpStream::connect(&addresses[..]).await.map_err(|error| unreachable(words(&error)))
        };
        let stream = match timeout(limit, opening).await {
            Ok(result) => result?,
            Err(_) => return Err(unreachable(format!("no answer within {} s", seconds(limit)))),
        };
        let _ = stream.set_nodelay(true);
        let mut builder = http1::Builder::new();
        builder.max_buf_size(HEADER_MAX).max_headers(FIELDS_MAX);
        let shaken = builder.handshake(TokioIo::new(stream)).await;
        let (sender, connection) = shaken.map_err(|error| unreachable(quote(&error.to_string())))?;
        let end = self.end.clone();
        tokio::spawn(async move {
            tokio::select! {
                result = connection.with_upgrades() => {
                    if let Err(error) = result {
                        tracing::debug!(%error, cause = ?error.source().map(ToString::to_string), "a connection to the proxy server ended");
                    }
                }
                () = end.cancelled() => {}
            }
        });
        Ok(sender)
    }
}

/// Whole seconds, at least one.
pub(super) fn seconds(limit: Duration) -> u64 {
    (limit.as_millis().div_ceil(1_000) as u64).max(1)
}

fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "the connection was refused".to_owned(),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            "there is no way to that address".to_owned()
        }
        io::ErrorKind::ConnectionReset => "the connection was closed at once".to_owned(),
        io::ErrorKind::TimedOut => "it does not answer".to_owned(),
        _ => quote(&error.to_string()),
    }
}
