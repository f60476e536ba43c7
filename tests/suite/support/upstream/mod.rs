//! A scripted update server: real HTTP, a catalogue in memory, a record of every call, and faults on demand.

mod microsoft;
mod trouble;
mod wire;

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;
use weir::protocol::ids::{ConfigAnchor, RevisionKey, SyncAnchor};
use weir::protocol::server_sync::*;
use weir::protocol::soap::{ErrorCode, Fault as SoapFault, Message, Method, SoapVersion};

use super::documents::Doc;
pub use trouble::Trouble;
use wire::Answer;

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
    /// Connections to be reset as soon as they are open.
    refused: usize,
    /// What cookies say of their end; `None`: in four hours.
    expiration: Option<String>,
    /// Cookies older than this are refused; how many were.
    cookie_life: Option<Duration>,
    over: usize,
    /// How far the clock of this server is off.
    clock_off: TimeDelta,
    /// Behaves as Microsoft Update does.
    microsoft: bool,
    /// A list with an anchor is refused.
    anchors_refused: bool,
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
            refused: 0,
            expiration: None,
            cookie_life: None,
            over: 0,
            clock_off: TimeDelta::zero(),
            microsoft: false,
            anchors_refused: false,
        };
        let address = listener.local_addr().unwrap();
        let upstream = Self { address, state: Arc::new(Mutex::new(state)) };
        let server = upstream.clone();
        tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                tokio::spawn(server.clone().serve(stream));
            }
        });
        upstream
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// From now on it behaves as Microsoft Update does; see [`microsoft`].
    pub fn be_microsoft(&self) {
        self.lock().microsoft = true;
    }

    /// Lists with an anchor are refused, as after a repair of the server's database.
    pub fn refuse_anchors(&self, refused: bool) {
        self.lock().anchors_refused = refused;
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

    /// Everything that was lost is there again.
    pub fn find_all(&self) {
        self.lock().dead.clear();
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

    /// The next connections are reset as soon as they are open.
    pub fn refuse(&self, connections: usize) {
        self.lock().refused = connections;
    }

    /// What cookies say of their end, and how far the clock is off.
    pub fn odd_clock(&self, expiration: Option<String>, off: TimeDelta) {
        let mut state = self.lock();
        (state.expiration, state.clock_off) = (expiration, off);
    }

    /// From now on cookies live so long, say so, and are refused afterwards.
    pub fn cookies_live(&self, life: Duration) {
        self.lock().cookie_life = Some(life);
    }

    /// How many calls came with a cookie that was over.
    pub fn calls_too_late(&self) -> usize {
        self.lock().over
    }

    async fn serve(self, mut stream: TcpStream) {
        let refused = {
            let mut state = self.lock();
            let refused = state.refused > 0;
            state.refused -= usize::from(refused);
            refused
        };
        if refused || self.converse(&mut stream).await.is_err() {
            let _ = stream.set_zero_linger(); // the close becomes a reset
        }
    }

    /// Answers the requests of one connection, until it is to be closed.
    async fn converse<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut S) -> io::Result<()> {
        let mut reader = BufReader::new(stream);
        while let Some(body) = wire::read_request(&mut reader).await? {
            let message = Message::open(&body).ok();
            let (good, trouble) = match message.and_then(|message| Some((message.method()?, message))) {
                None => (Answer::page(400, "not SOAP"), None),
                Some((method, message)) => {
                    let (good, delay) = self.lock().good_answer(method, message, &body);
                    if !delay.is_zero() {
                        tokio::time::sleep(delay).await;
                    }
                    let mut state = self.lock();
                    (good.with("date", wire::date(state.clock_off)), state.next_trouble(method))
                }
            };
            if !trouble::send(good, trouble, reader.get_mut()).await? {
                break;
            }
        }
        Ok(())
    }
}

impl State {
    fn next_trouble(&mut self, method: Method) -> Option<Trouble> {
        let place = self.troubles.iter().position(|(of, times, _)| *of == method && *times > 0)?;
        self.troubles[place].1 -= 1;
        Some(self.troubles[place].2.clone())
    }

    fn good_answer(&mut self, method: Method, message: Message<'_>, body: &[u8]) -> (Answer, Duration) {
        if self.microsoft && !microsoft::is_in_order(method, body) {
            return (fault("InvalidParameters", "order"), Duration::ZERO);
        }
        let (answer, delay) = self.plain_answer(method, message);
        (if self.microsoft { microsoft::dress(method, answer) } else { answer }, delay)
    }

    fn plain_answer(&mut self, method: Method, message: Message<'_>) -> (Answer, Duration) {
        let mut call = Call { method, filter: None, ids: Vec::new() };
        let mut delay = Duration::ZERO;
        let v11 = SoapVersion::V11;
        let answer = match method {
            Method::GetAuthConfig => Answer::soap(
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
                Answer::soap(200, GetAuthorizationCookieReply { cookie }.to_bytes(v11))
            }
            Method::GetCookie => {
                let hours = TimeDelta::hours(if self.microsoft { 1 } else { 4 });
                let life = self.cookie_life.map_or(hours, |life| TimeDelta::from_std(life).unwrap());
                let end = chrono::Utc::now() + self.clock_off + life;
                let expiration = self.expiration.clone().unwrap_or_else(|| weir::protocol::time::format(end));
                let mut encrypted_data = vec![9; 40];
                encrypted_data[..8].copy_from_slice(&chrono::Utc::now().timestamp_millis().to_le_bytes());
                let cookie = Cookie { expiration, encrypted_data };
                Answer::soap(200, GetCookieReply { cookie }.to_bytes(v11))
            }
            Method::GetConfigData => Answer::soap(200, self.config().to_bytes(v11)),
            Method::GetRevisionIdList => {
                let request = GetRevisionIdList::from_message(message).unwrap();
                let answer = match self.since(&request.filter) {
                    _ if self.is_over(request.cookie.as_ref()) => fault("InvalidCookie", ""),
                    Some(since) => Answer::soap(200, self.list(&request.filter, since).to_bytes(v11)),
                    None => fault("InvalidParameters", "filter"),
                };
                call.filter = Some(request.filter);
                answer
            }
            Method::GetUpdateData => {
                delay = self.delay;
                let request = GetUpdateData::from_message(message).unwrap();
                let answer = match self.is_over(request.cookie.as_ref()) {
                    true => fault("InvalidCookie", ""),
                    false => self.documents(&request.update_ids),
                };
                call.ids = request.update_ids;
                answer
            }
            _ => fault("InternalServerError", ""),
        };
        self.calls.push(call);
        (answer, delay)
    }

    fn is_over(&mut self, cookie: Option<&Cookie>) -> bool {
        let (Some(life), Some(cookie)) = (self.cookie_life, cookie) else { return false };
        let made = i64::from_le_bytes(cookie.encrypted_data[..8].try_into().unwrap());
        let is_over = chrono::Utc::now().timestamp_millis() - made > life.as_millis() as i64;
        self.over += usize::from(is_over);
        is_over
    }

    fn config(&self) -> GetConfigDataReply {
        if self.microsoft {
            return microsoft::config(self.clock);
        }
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

    /// The moment an anchor stands for; `None` for one that is not ours.
    fn since(&self, filter: &RevisionFilter) -> Option<u64> {
        match &filter.anchor {
            None => Some(0),
            Some(_) if self.anchors_refused => None,
            Some(anchor) if self.microsoft => microsoft::moment(anchor.as_str()),
            Some(anchor) => anchor.as_str().parse().ok(),
        }
    }

    fn list(&self, filter: &RevisionFilter, since: u64) -> GetRevisionIdListReply {
        let matches = |entries: &[IdAndDelta], ids: &[Uuid]| {
            let hit = entries.iter().find(|entry| ids.contains(&entry.id));
            hit.map(|entry| entry.delta)
        };
        let is_chosen = |changed: u64, document: &Doc| match (
            matches(&filter.categories, &document.products),
            matches(&filter.classifications, &document.classifications),
        ) {
            (Some(one), Some(other)) => changed > since || !(one && other),
            _ => false,
        };
        let listed = self.catalogue.iter().filter(|(changed, document)| {
            if document.is_category() != filter.get_config {
                return false;
            }
            if filter.get_config {
                return *changed > since;
            }
            // A part is listed with each bundle that names it.
            let bundles = self.catalogue.iter().filter(|(_, bundle)| bundle.names(document.key));
            let mut bundles = bundles.map(|(later, bundle)| (*changed.max(later), bundle));
            is_chosen(*changed, document)
                || document.is_part() && bundles.any(|(changed, bundle)| is_chosen(changed, bundle))
        });
        GetRevisionIdListReply {
            anchor: SyncAnchor::parse(if self.microsoft {
                microsoft::anchor(self.clock)
            } else {
                self.clock.to_string()
            })
            .unwrap(),
            new_revisions: listed.map(|(_, document)| document.key).collect(),
        }
    }

    fn documents(&self, asked: &[RevisionKey]) -> Answer {
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
        Answer::soap(200, reply.to_bytes(SoapVersion::V11))
    }
}

fn fault(code: &str, message: &str) -> Answer {
    let fault = SoapFault::new(ErrorCode::parse(code), message, Uuid::from_u128(0xfa11), "");
    Answer::soap(500, fault.to_bytes(SoapVersion::V11, "http://upstream.example/"))
}
