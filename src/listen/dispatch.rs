//! Hands one request to Rocket, in process, and streams the answer back.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use rocket::http::uri::{Host, Origin};
use rocket::http::{Cookie, Header, Method};
use rocket::local::asynchronous::{Client, LocalResponse};
use rocket::{Build, Rocket};
use tokio::io::AsyncReadExt as _;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio_util::task::TaskTracker;

use super::ListenError;
use super::answer::Answer;
use super::arrival::{Arrival, Way};
use super::connections::Connection;
use super::refusal::Refusal;
use super::server::Door;

/// Bytes of an answer read from Rocket at a time; a smaller piece is sent as soon as it is there.
const CHUNK_BYTES: usize = 32 * 1024;

/// A Rocket instance that answers, and the requests it is working on.
#[derive(Clone)]
pub struct Site {
    client: Arc<Client>,
    pub(super) tasks: TaskTracker,
}

impl Site {
    /// Ignites `rocket`: its routes and fairings are checked here.
    ///
    /// # Errors
    /// [`ListenError::Assembly`] when routes collide or a fairing refuses.
    pub async fn launch(rocket: Rocket<Build>) -> Result<Self, ListenError> {
        let client = Client::untracked(rocket)
            .await
            .map_err(|error| ListenError::Assembly { reason: error.to_string() })?;
        Ok(Self { client: Arc::new(client), tasks: TaskTracker::new() })
    }

    /// Tells handlers that watch Rocket's `Shutdown` (event streams) to end.
    pub(super) fn end_streams(&self) {
        self.client.rocket().shutdown().notify();
    }

    /// Answers one request. The work goes on in its own task, so a peer that leaves early cuts no handler short.
    pub(super) async fn answer(
        &self,
        request: Incoming,
        connection: &Arc<Connection>,
    ) -> Result<Response<Answer>, Refusal> {
        let (head_sender, head) = oneshot::channel();
        let (chunk_sender, chunks) = mpsc::channel(2);
        let client = self.client.clone();
        self.tasks.spawn(async move {
            let (parts, body) = (request.parts, request.body);
            let mut local = client
                .req(request.method, request.origin)
                .remote(request.client)
                .cookies(cookies(&parts.headers))
                .body(body);
            local.set_host(request.host);
            local.inner().local_cache(|| request.arrival);
            for (name, value) in &parts.headers {
                if let Ok(value) = value.to_str() {
                    local.add_header(Header::new(name.as_str().to_owned(), value.to_owned()));
                }
            }
            let response = local.dispatch().await;
            drop(request.memory);
            if head_sender.send(head_of(&response)).is_ok() {
                pump(response, chunk_sender).await;
            }
        });
        let (status, headers) = head.await.map_err(|_| Refusal::Failed)??;
        let mut answer = Response::new(Answer::stream(chunks, connection.clone()));
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        Ok(answer)
    }
}

/// A request, read whole and checked.
pub struct Incoming {
    method: Method,
    origin: Origin<'static>,
    host: Host<'static>,
    parts: Parts,
    client: SocketAddr,
    arrival: Arrival,
    body: Vec<u8>,
    memory: Option<OwnedSemaphorePermit>,
}

impl Incoming {
    /// Checks what must be right before the body is read.
    ///
    /// # Errors
    /// [`Refusal::Method`], [`Refusal::Address`], [`Refusal::Host`], [`Refusal::OtherHost`], [`Refusal::NeedsTls`].
    pub fn check(mut parts: Parts, peer: SocketAddr, door: &Door) -> Result<Self, Refusal> {
        let method = Method::from_hyp(&parts.method).ok_or(Refusal::Method)?;
        let target = parts.uri.path_and_query().ok_or(Refusal::Address)?;
        let target = without_base(target.as_str(), &door.base);
        let origin = Origin::parse_owned(target).map_err(|_| Refusal::Address)?;
        let mut hosts = parts.headers.get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return Err(Refusal::Host);
        };
        let text = host.to_str().ok().filter(|text| !text.is_empty()).ok_or(Refusal::Host)?;
        if parts.uri.authority().is_some_and(|named| !named.as_str().eq_ignore_ascii_case(text)) {
            return Err(Refusal::Host);
        }
        let way = Way::of(&parts.headers, peer, door.tls.is_some(), &door.proxies);
        let text = way.host.unwrap_or_else(|| text.to_owned());
        let value = HeaderValue::from_str(&text).map_err(|_| Refusal::Host)?;
        let host = Host::parse_owned(text).map_err(|_| Refusal::Host)?;
        if !door.hosts.include(&host) {
            return Err(Refusal::OtherHost);
        }
        if !way.is_secure && !door.plain.admits(method, origin.path().as_str()) {
            return Err(Refusal::NeedsTls(door.secure_address(method, &host, &origin)));
        }
        parts.headers.insert(header::HOST, value);
        let arrival = Arrival { is_secure: way.is_secure, base: door.base.clone() };
        Ok(Self { method, origin, host, parts, client: way.client, arrival, body: Vec::new(), memory: None })
    }

    /// Our own path, without the query.
    pub fn path(&self) -> &str {
        self.origin.path().as_str()
    }

    /// Adds the body and the share of memory it holds.
    pub fn with_body(mut self, body: Vec<u8>, memory: Option<OwnedSemaphorePermit>) -> Self {
        self.body = body;
        self.memory = memory;
        self
    }
}

/// `/weir/updates` below the base `/weir` is our `/updates`; what a proxy has shortened already stays.
fn without_base(target: &str, base: &str) -> String {
    match target.strip_prefix(base) {
        Some(rest) if rest.starts_with('/') => rest.to_owned(),
        Some(rest) if rest.is_empty() || rest.starts_with('?') => format!("/{rest}"),
        _ => target.to_owned(),
    }
}

/// Reads cookies as Rocket's own server does: percent-decoded, unreadable ones left out.
fn cookies(headers: &HeaderMap) -> Vec<Cookie<'static>> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|one| Cookie::parse_encoded(one.trim().to_owned()).ok())
        .collect()
}

fn head_of(response: &LocalResponse<'_>) -> Result<(StatusCode, HeaderMap), Refusal> {
    let status = StatusCode::from_u16(response.status().code).map_err(|_| Refusal::Failed)?;
    let mut headers = HeaderMap::new();
    for one in response.headers().iter() {
        let name =
            header::HeaderName::try_from(one.name().as_str().as_bytes()).map_err(|_| Refusal::Failed)?;
        let value = HeaderValue::from_str(one.value()).map_err(|_| Refusal::Failed)?;
        headers.append(name, value);
    }
    if headers.contains_key(header::TRANSFER_ENCODING) {
        headers.remove(header::CONTENT_LENGTH);
    } else if let Some(size) = response.body().preset_size() {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
    }
    Ok((status, headers))
}

/// Sends the body on as it comes. Ends early when the peer is gone, also while nothing comes.
async fn pump(mut response: LocalResponse<'_>, chunks: mpsc::Sender<io::Result<Bytes>>) {
    loop {
        let mut buffer = BytesMut::with_capacity(CHUNK_BYTES);
        let read = tokio::select! {
            () = chunks.closed() => return,
            read = response.read_buf(&mut buffer) => read,
        };
        let next = match read {
            Ok(0) => return,
            Ok(_) => Ok(buffer.freeze()),
            Err(error) => {
                tracing::warn!(%error, "an answer broke off");
                Err(error)
            }
        };
        let last = next.is_err();
        if chunks.send(next).await.is_err() || last {
            return;
        }
    }
}

/// The Rocket configuration of both sites: nothing from the environment, no banner, no trust in `X-Real-IP`.
/// `form_bytes` bounds one form.
pub fn quiet_config(form_bytes: usize) -> rocket::Config {
    rocket::Config {
        ident: rocket::config::Ident::none(),
        ip_header: None,
        limits: rocket::data::Limits::default()
            .limit("form", form_bytes.into())
            .limit("data-form", form_bytes.into())
            .limit("string", form_bytes.into())
            .limit("bytes", form_bytes.into()),
        log_level: rocket::config::LogLevel::Critical,
        cli_colors: false,
        ..rocket::Config::release_default()
    }
}
