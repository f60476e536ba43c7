//! A scripted update server: real HTTP, a catalogue in memory, a record of every call, and faults on demand.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request as HttpRequest, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use uuid::Uuid;
use weir::protocol::ids::{ConfigAnchor, RevisionKey, SyncAnchor};
use weir::protocol::server_sync::*;
use weir::protocol::soap::{ErrorCode, Fault as SoapFault, Message, Method, SoapVersion};

use super::documents::Doc;

/// What to do instead of answering properly.
#[derive(Debug, Clone)]
pub enum Trouble {
    /// A SOAP fault with this code.
    Fault(&'static str),
    /// A page with this status.
    Html(u16, &'static str),
    /// The proper answer, cut after this share of its length (of 20).
    Cut(usize),
    /// Text under `text/xml` in place of an answer.
    Xml(&'static str),
    /// No answer for this long.
    Stall(Duration),
    /// A redirect to this address.
    Redirect(&'static str),
    /// The proper answer, with an empty list of documents.
    Nothing,
}

/// One call as it was received.
#[derive(Debug, Clone)]
pub struct Call {
    pub method: Method,
    /// Of GetRevisionIdList.
    pub filter: Option<RevisionFilter>,
    /// Of GetUpdateData.
    pub ids: Vec<RevisionKey>,
}

struct State {
    catalogue: Vec<(u64, Doc)>,
    clock: u64,
    calls: Vec<Call>,
    /// For which operation, how often, what.
    troubles: Vec<(Method, usize, Trouble)>,
    batch_max: i32,
    /// Documents in one answer at most.
    answer_max: usize,
    dead: BTreeSet<RevisionKey>,
    delay: Duration,
}

/// The server. Ends with the test's runtime.
#[derive(Clone)]
pub struct Upstream {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Upstream {
    /// An update server without any update.
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let state = State {
            catalogue: Vec::new(),
            clock: 1,
            calls: Vec::new(),
            troubles: Vec::new(),
            batch_max: 100,
            answer_max: 80,
            dead: BTreeSet::new(),
            delay: Duration::ZERO,
        };
        let address = listener.local_addr().unwrap();
        let upstream = Self { address, state: Arc::new(Mutex::new(state)) };
        let server = upstream.clone();
        tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                let server = server.clone();
                tokio::spawn(async move {
                    let answer = service_fn(move |request| server.clone().answer(request));
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), answer)
                        .await;
                });
            }
        });
        upstream
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Puts documents into the catalogue; they count as changed now.
    pub fn publish(&self, documents: impl IntoIterator<Item = Doc>) {
        let mut state = self.lock();
        state.clock += 1;
        let now = state.clock;
        state.catalogue.extend(documents.into_iter().map(|document| (now, document)));
    }

    /// The next `times` calls of `method` go wrong like this.
    pub fn trouble(&self, method: Method, times: usize, trouble: Trouble) {
        self.lock().troubles.push((method, times, trouble));
    }

    pub fn no_more_trouble(&self) {
        self.lock().troubles.clear();
    }

    /// This revision is listed, but asking for it fails the whole call.
    pub fn lose(&self, key: RevisionKey) {
        self.lock().dead.insert(key);
    }

    pub fn limits(&self, batch_max: i32, answer_max: usize) {
        let mut state = self.lock();
        (state.batch_max, state.answer_max) = (batch_max, answer_max);
    }

    /// Waits this long before each document answer.
    pub fn delay(&self, delay: Duration) {
        self.lock().delay = delay;
    }

    /// The calls since the last time this was asked.
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.lock().calls)
    }

    /// Every revision in the catalogue.
    pub fn keys(&self) -> BTreeSet<RevisionKey> {
        self.lock().catalogue.iter().map(|(_, document)| document.key).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    async fn answer(self, request: HttpRequest<Incoming>) -> Result<Response<Full<Bytes>>, std::io::Error> {
        let body = request.into_body().collect().await.map_err(std::io::Error::other)?.to_bytes();
        let Ok(message) = Message::open(&body) else { return Ok(page(400, "not SOAP")) };
        let Some(method) = message.method() else { return Ok(page(404, "no such operation")) };
        let (good, delay) = self.lock().good_answer(method, message);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let trouble = self.lock().next_trouble(method);
        match trouble {
            None => Ok(good),
            Some(Trouble::Stall(time)) => {
                tokio::time::sleep(time).await;
                Ok(good)
            }
            Some(Trouble::Fault(code)) => Ok(fault(code, "")),
            Some(Trouble::Html(status, text)) => Ok(page(status, text)),
            Some(Trouble::Xml(text)) => Ok(soap(200, text.as_bytes().to_vec())),
            Some(Trouble::Redirect(to)) => {
                let mut answer = page(302, "");
                answer.headers_mut().insert("location", to.parse().unwrap());
                Ok(answer)
            }
            Some(Trouble::Nothing) => Ok(soap(200, GetUpdateDataReply::default().to_bytes(SoapVersion::V11))),
            Some(Trouble::Cut(share)) => {
                let whole =
                    good.into_body().collect().await.unwrap_or_else(|never: Infallible| match never {});
                let whole = whole.to_bytes();
                let mut answer = soap(200, whole[..whole.len() * share / 20].to_vec());
                // No length: the connection's end is the answer's end, so only the content can tell.
                answer.headers_mut().insert("connection", "close".parse().unwrap());
                Ok(answer)
            }
        }
    }
}

impl State {
    fn next_trouble(&mut self, method: Method) -> Option<Trouble> {
        let place = self.troubles.iter().position(|(of, times, _)| *of == method && *times > 0)?;
        self.troubles[place].1 -= 1;
        Some(self.troubles[place].2.clone())
    }

    fn good_answer(&mut self, method: Method, message: Message<'_>) -> (Response<Full<Bytes>>, Duration) {
        let mut call = Call { method, filter: None, ids: Vec::new() };
        let mut delay = Duration::ZERO;
        let v11 = SoapVersion::V11;
        let answer = match method {
            Method::GetAuthConfig => soap(
                200,
                GetAuthConfigReply {
                    plug_ins: vec![AuthPlugIn {
                        plug_in_id: AuthPlugIn::DSS_TARGETING.to_owned(),
                        service_url: AuthPlugIn::SERVICE_URL.to_owned(),
                    }],
                }
                .to_bytes(v11),
            ),
            Method::GetAuthorizationCookie => {
                let cookie =
                    AuthorizationCookie { plug_in_id: "DssTargeting".to_owned(), cookie_data: vec![7; 40] };
                soap(200, GetAuthorizationCookieReply { cookie }.to_bytes(v11))
            }
            Method::GetCookie => {
                let expiration =
                    weir::protocol::time::format(chrono::Utc::now() + chrono::TimeDelta::hours(4));
                let cookie = Cookie { expiration, encrypted_data: vec![9; 40] };
                soap(200, GetCookieReply { cookie }.to_bytes(v11))
            }
            Method::GetConfigData => soap(200, self.config().to_bytes(v11)),
            Method::GetRevisionIdList => {
                let request = GetRevisionIdList::from_message(message).unwrap();
                let reply = self.list(&request.filter);
                call.filter = Some(request.filter);
                soap(200, reply.to_bytes(v11))
            }
            Method::GetUpdateData => {
                delay = self.delay;
                let request = GetUpdateData::from_message(message).unwrap();
                let answer = self.documents(&request.update_ids);
                call.ids = request.update_ids;
                answer
            }
            _ => fault("InternalServerError", ""),
        };
        self.calls.push(call);
        (answer, delay)
    }

    fn config(&self) -> GetConfigDataReply {
        GetConfigDataReply {
            catalog_only_sync: false,
            lazy_sync: true,
            server_hosts_psf_files: false,
            computer_ids_max: 0,
            driver_sets_max: 0,
            hardware_ids_max: 0,
            updates_max: self.batch_max,
            new_config_anchor: ConfigAnchor::parse(format!("1,{}", self.clock)).unwrap(),
            protocol_version: Some("1.20".to_owned()),
            languages: vec![Language {
                id: 0,
                short_name: "all".to_owned(),
                long_name: "all".to_owned(),
                enabled: true,
            }],
            decryption_updates_max: 100,
        }
    }

    fn list(&self, filter: &RevisionFilter) -> GetRevisionIdListReply {
        let since: u64 = filter.anchor.as_ref().map_or(0, |anchor| anchor.as_str().parse().unwrap());
        let matches = |entries: &[IdAndDelta], ids: &[Uuid]| {
            let hit = entries.iter().find(|entry| ids.contains(&entry.id));
            hit.map(|entry| entry.delta)
        };
        let listed = self.catalogue.iter().filter(|(changed, document)| {
            if document.is_category() != filter.get_config {
                return false;
            }
            let is_newer = *changed > since;
            if filter.get_config {
                return is_newer;
            }
            match (
                matches(&filter.categories, &document.products),
                matches(&filter.classifications, &document.classifications),
            ) {
                (Some(one), Some(other)) => is_newer || !(one && other),
                _ => false,
            }
        });
        GetRevisionIdListReply {
            anchor: SyncAnchor::parse(self.clock.to_string()).unwrap(),
            new_revisions: listed.map(|(_, document)| document.key).collect(),
        }
    }

    fn documents(&self, asked: &[RevisionKey]) -> Response<Full<Bytes>> {
        if asked.len() > self.batch_max.clamp(1, 100) as usize && self.batch_max > 0 {
            return fault("InvalidParameters", "updateIds");
        }
        let find = |key: &RevisionKey| self.catalogue.iter().find(|(_, document)| document.key == *key);
        if asked.iter().any(|key| self.dead.contains(key) || find(key).is_none()) {
            return fault("InternalServerError", "");
        }
        let updates = asked.iter().take(self.answer_max).filter_map(find).map(|(_, document)| UpdateData {
            key: document.key,
            blob: document.blob(),
            file_digests: Vec::new(),
        });
        let reply = GetUpdateDataReply { updates: updates.collect(), file_urls: Vec::new() };
        soap(200, reply.to_bytes(SoapVersion::V11))
    }
}

fn soap(status: u16, body: Vec<u8>) -> Response<Full<Bytes>> {
    let builder = Response::builder().status(status).header("content-type", "text/xml; charset=utf-8");
    builder.body(Full::new(body.into())).unwrap()
}

fn page(status: u16, title: &str) -> Response<Full<Bytes>> {
    let body = format!("<html><head><title>{title}</title></head><body>{title}</body></html>");
    let builder = Response::builder().status(status).header("content-type", "text/html; charset=utf-8");
    builder.body(Full::new(body.into())).unwrap()
}

fn fault(code: &str, message: &str) -> Response<Full<Bytes>> {
    let fault = SoapFault::new(ErrorCode::parse(code), message, Uuid::from_u128(0xfa11), "");
    soap(500, fault.to_bytes(SoapVersion::V11, "http://upstream.example/"))
}
