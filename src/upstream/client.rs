//! The calls of a synchronization, each with cookie, retries and limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::sync::Mutex;
use url::Url;

use super::connections::Connections;
use super::error::{UpstreamError, quote};
use super::limits::TransportLimits;
use super::pieces::pieces;
use super::retry::RetryPolicy;
use super::session::{Identity, PROTOCOL_VERSION, Session, authorization_url};
use super::target::Target;
use super::traffic::Traffic;
use super::transport::{Answer, Transport};
use crate::protocol::ProtocolError;
use crate::protocol::ids::{ConfigAnchor, DeploymentAnchor, RevisionKey, Sha1Digest, SyncAnchor};
use crate::protocol::server_sync::{
    AuthPlugIn, AuthorizationCookie, Cookie, DownloadFiles, GetAuthConfig, GetAuthorizationCookie,
    GetConfigData, GetConfigDataReply, GetCookie, GetDeployments, GetDeploymentsReply, GetRevisionIdList,
    GetRevisionIdListReply, GetUpdateData, GetUpdateDataReply, Reply, ReplyError, Request, RevisionFilter,
};
use crate::protocol::soap::{ErrorCode, Fault, Method, SoapVersion};

/// Sign-ins in a row without one accepted call, after which a refused cookie is an error.
pub const SIGN_INS_MAX: u32 = 3;

/// A conversation with one update source. Calls may run at the same time; they share the cookie.
pub struct UpstreamClient {
    transport: Transport,
    retry: RetryPolicy,
    identity: Identity,
    session: Mutex<Session>,
    /// Sign-ins since the last accepted call.
    restarts: AtomicU32,
    observer: Box<dyn Fn(CallRecord) + Send + Sync>,
    traffic: Arc<Traffic>,
}

/// One exchange with the source, for the log of a run.
#[derive(Debug, Clone)]
pub struct CallRecord {
    /// When it began.
    pub at: DateTime<Utc>,
    pub operation: &'static str,
    pub duration: Duration,
    /// Of the answer, unpacked; 0 when none came whole.
    pub bytes: usize,
    /// What went wrong, a sentence.
    pub outcome: Result<(), String>,
}

impl UpstreamClient {
    /// A client that has said nothing yet.
    ///
    /// # Errors
    /// [`UpstreamError::Settings`]; no packet is sent.
    pub fn new(
        target: Target,
        identity: Identity,
        limits: TransportLimits,
        retry: RetryPolicy,
    ) -> Result<Self, UpstreamError> {
        let transport = Transport::new(target, limits)?;
        let (session, restarts) = (Mutex::default(), AtomicU32::new(0));
        Ok(Self {
            transport,
            retry,
            identity,
            session,
            restarts,
            observer: Box::new(drop),
            traffic: Arc::default(),
        })
    }

    /// Tells `observer` of each exchange when it has ended, repetitions included.
    #[must_use]
    pub fn observed(mut self, observer: impl Fn(CallRecord) + Send + Sync + 'static) -> Self {
        self.observer = Box::new(observer);
        self
    }

    /// Counts what comes in `traffic`.
    #[must_use]
    pub fn counting_in(self, traffic: Arc<Traffic>) -> Self {
        Self { traffic, ..self }
    }

    /// Signs in, from the first step.
    ///
    /// # Errors
    /// Any [`UpstreamError`].
    pub async fn sign_in(&self) -> Result<(), UpstreamError> {
        let mut session = self.session.lock().await;
        self.authorize(&mut session).await
    }

    /// What to say about the clock of the source when it is far from ours; `None` before the first cookie.
    pub async fn clock_notice(&self) -> Option<String> {
        let clock = self.session.lock().await.clock;
        clock.filter(|clock| clock.is_far()).map(|clock| clock.words())
    }

    /// Limits, flags and languages of the source.
    ///
    /// # Errors
    /// Any [`UpstreamError`].
    pub async fn config_data(
        &self,
        config_anchor: Option<ConfigAnchor>,
    ) -> Result<GetConfigDataReply, UpstreamError> {
        self.with_cookie(|cookie| GetConfigData {
            cookie: Some(cookie),
            config_anchor: config_anchor.clone(),
        })
        .await
    }

    /// The revisions that `filter` selects.
    ///
    /// # Errors
    /// Any [`UpstreamError`].
    pub async fn revision_ids(
        &self,
        filter: RevisionFilter,
    ) -> Result<GetRevisionIdListReply, UpstreamError> {
        self.with_cookie(|cookie| GetRevisionIdList { cookie: Some(cookie), filter: filter.clone() }).await
    }

    /// Documents of revisions; the answer may hold fewer than asked.
    ///
    /// # Errors
    /// Any [`UpstreamError`]; one unknown id fails the whole call with `InternalServerError`.
    pub async fn update_data(&self, ids: &[RevisionKey]) -> Result<GetUpdateDataReply, UpstreamError> {
        self.with_cookie(|cookie| GetUpdateData { cookie: Some(cookie), update_ids: ids.to_vec() }).await
    }

    /// Groups, approvals and declines of a source that this server is a replica of.
    ///
    /// # Errors
    /// Any [`UpstreamError`].
    pub async fn deployments(
        &self,
        known: Option<DeploymentAnchor>,
        sync_anchor: SyncAnchor,
    ) -> Result<GetDeploymentsReply, UpstreamError> {
        self.with_cookie(|cookie| GetDeployments {
            cookie: Some(cookie),
            deployment_anchor: known.clone(),
            sync_anchor: sync_anchor.clone(),
        })
        .await
    }

    /// Asks the source to fetch files it does not have yet; they come later, or not.
    ///
    /// # Errors
    /// Any [`UpstreamError`]; `FileDigestsMissing` for files it has never heard of.
    pub async fn download_files(&self, digests: &[Sha1Digest]) -> Result<(), UpstreamError> {
        self.with_cookie(|cookie| DownloadFiles { cookie: Some(cookie), digests: digests.to_vec() })
            .await
            .map(drop)
    }

    /// Calls with the present cookie; signs in again and repeats the call when the server refuses it.
    async fn with_cookie<R>(&self, request: impl Fn(Cookie) -> R) -> Result<R::Reply, UpstreamError>
    where
        R: Request,
        R::Reply: Send + 'static,
    {
        loop {
            let (cookie, generation) = self.cookie().await?;
            match self.call(&self.service_url(R::METHOD), request(cookie)).await {
                Ok((reply, _)) => {
                    self.restarts.store(0, Ordering::Relaxed);
                    return Ok(reply);
                }
                Err(error) if error.fault_code() == Some(ErrorCode::InvalidCookie.as_str()) => {
                    self.restart(generation).await?;
                }
                Err(error) => {
                    if error.fault_code() == Some(ErrorCode::ServerChanged.as_str()) {
                        self.session.lock().await.forget();
                    }
                    return Err(error);
                }
            }
        }
    }

    async fn cookie(&self) -> Result<(Cookie, u64), UpstreamError> {
        let mut session = self.session.lock().await;
        if session.usable(Instant::now()).is_none() {
            if session.cookie.is_some() {
                self.renew(&mut session).await?;
            } else {
                self.authorize(&mut session).await?;
            }
        }
        match session.cookie.clone() {
            Some(cookie) => Ok((cookie, session.generation)),
            None => Err(self.rejected()),
        }
    }

    /// The server refused the cookie of `generation`: sign in again, unless another call already did.
    async fn restart(&self, generation: u64) -> Result<(), UpstreamError> {
        let mut session = self.session.lock().await;
        if session.generation != generation {
            return Ok(());
        }
        if self.restarts.fetch_add(1, Ordering::Relaxed) >= SIGN_INS_MAX {
            return Err(self.rejected());
        }
        tracing::info!(address = self.transport.target().shown(), "the cookie was refused, signing in again");
        self.authorize(&mut session).await
    }

    fn rejected(&self) -> UpstreamError {
        UpstreamError::CookieRejected { address: self.transport.target().shown(), restarts: SIGN_INS_MAX }
    }

    async fn renew(&self, session: &mut Session) -> Result<(), UpstreamError> {
        match self.get_cookie(session).await {
            Err(error) if error.fault_code() == Some(ErrorCode::InvalidAuthorizationCookie.as_str()) => {
                self.authorize(session).await
            }
            other => other,
        }
    }

    async fn authorize(&self, session: &mut Session) -> Result<(), UpstreamError> {
        for restarts in 0.. {
            session.forget();
            let (url, _) = self.authorization_service().await?;
            session.authorization = Some(self.authorization_cookie(&url).await?);
            match self.get_cookie(session).await {
                Err(error)
                    if restarts < SIGN_INS_MAX
                        && error.fault_code() == Some(ErrorCode::InvalidAuthorizationCookie.as_str()) => {}
                other => return other,
            }
        }
        Ok(())
    }

    /// Where to ask for the authorization, and the server's clock: the first call of a conversation.
    pub(super) async fn authorization_service(&self) -> Result<(Url, Option<DateTime<Utc>>), UpstreamError> {
        let (config, date) = self.call(&self.service_url(Method::GetAuthConfig), GetAuthConfig).await?;
        let plug_in = config.plug_ins.iter().find(|one| one.plug_in_id == AuthPlugIn::DSS_TARGETING);
        let target = self.transport.target();
        let plug_in = plug_in.ok_or_else(|| UpstreamError::Unreadable {
            operation: Method::GetAuthConfig.name(),
            address: target.shown(),
            reason: "it offers no sign-in that Weir knows".to_owned(),
        })?;
        Ok((authorization_url(&target.origin, &plug_in.service_url, &target.shown())?, date))
    }

    async fn authorization_cookie(&self, url: &Url) -> Result<AuthorizationCookie, UpstreamError> {
        let request = GetAuthorizationCookie {
            account_name: self.identity.name.clone(),
            account_guid: self.identity.server_id.to_string(),
        };
        Ok(self.call(url, request).await?.0.cookie)
    }

    /// The second and third call of a conversation: the authorization at `url`, then the cookie.
    pub(super) async fn first_cookie(&self, url: &Url) -> Result<Option<Cookie>, UpstreamError> {
        let mut session = self.session.lock().await;
        session.authorization = Some(self.authorization_cookie(url).await?);
        self.get_cookie(&mut session).await?;
        Ok(session.cookie.clone())
    }

    /// What the calls so far went over.
    pub(super) fn connections(&self) -> &Connections {
        self.transport.connections()
    }

    async fn get_cookie(&self, session: &mut Session) -> Result<(), UpstreamError> {
        let request = GetCookie {
            auth_cookies: session.authorization.iter().cloned().collect(),
            old_cookie: session.cookie.clone(),
            protocol_version: PROTOCOL_VERSION.to_owned(),
        };
        let (reply, date) = self.call(&self.service_url(Method::GetCookie), request).await?;
        session.keep(reply.cookie, date, Instant::now());
        Ok(())
    }

    fn service_url(&self, method: Method) -> Url {
        let mut url = self.transport.target().origin.clone();
        url.set_query(None);
        url.set_path(method.service().path());
        url
    }

    /// One call, repeated after errors that may pass.
    async fn call<R>(&self, url: &Url, request: R) -> Result<(R::Reply, Option<DateTime<Utc>>), UpstreamError>
    where
        R: Request,
        R::Reply: Send + 'static,
    {
        let body = request.to_bytes(SoapVersion::V11);
        let mut attempt = 1;
        loop {
            let error = match self.call_once::<R>(url, body.clone()).await {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            attempt += 1;
            let Some(asked) = error.retry().filter(|_| attempt <= self.retry.attempts_max) else {
                return Err(error);
            };
            let wait = self.retry.wait_before(attempt, asked, rand::random());
            tracing::info!(operation = R::METHOD.name(), %error, wait_ms = wait.as_millis() as u64, "asking again");
            tokio::time::sleep(wait).await;
        }
    }

    async fn call_once<R>(
        &self,
        url: &Url,
        body: Vec<u8>,
    ) -> Result<(R::Reply, Option<DateTime<Utc>>), UpstreamError>
    where
        R: Request,
        R::Reply: Send + 'static,
    {
        let (at, started, operation) = (Utc::now(), Instant::now(), R::METHOD.name());
        let mut bytes = 0;
        let result = self.exchange::<R>(url, body, &mut bytes).await;
        let duration = started.elapsed();
        tracing::debug!(
            operation,
            bytes,
            duration_ms = duration.as_millis() as u64,
            good = result.is_ok(),
            "called"
        );
        let outcome = result.as_ref().map(drop).map_err(ToString::to_string);
        (self.observer)(CallRecord { at, operation, duration, bytes, outcome });
        result
    }

    async fn exchange<R>(
        &self,
        url: &Url,
        body: Vec<u8>,
        bytes: &mut usize,
    ) -> Result<(R::Reply, Option<DateTime<Utc>>), UpstreamError>
    where
        R: Request,
        R::Reply: Send + 'static,
    {
        let operation = R::METHOD.name();
        let limits = self.transport.limits();
        let max_bytes = match R::METHOD {
            Method::GetUpdateData => limits.documents_max_bytes,
            _ => limits.answer_max_bytes,
        };
        let (sender, reader) = pieces();
        let parsing = tokio::task::spawn_blocking(move || R::Reply::from_reader(reader));
        let answer =
            self.transport.post(url, operation, &R::METHOD.action(), body, max_bytes, sender).await?;
        *bytes = answer.bytes;
        self.traffic.add(url, &self.transport.target().proxy_shown(), answer.bytes as u64);
        let Answer { date, retry_after, .. } = answer;
        match parsed(parsing.await) {
            Ok(reply) => Ok((reply, date)),
            Err(ReplyError::Fault(fault)) => {
                Err(fault_error(operation, self.transport.target().shown(), &fault, retry_after))
            }
            // An answer without a length that ends early looks complete to HTTP.
            Err(ReplyError::Unreadable(ProtocolError::CutShort)) => Err(UpstreamError::BrokeOff {
                operation,
                address: self.transport.target().shown(),
                reason: "the answer was cut off".to_owned(),
            }),
            Err(ReplyError::Unreadable(error)) => Err(UpstreamError::Unreadable {
                operation,
                address: self.transport.target().shown(),
                reason: quote(&error.to_string()),
            }),
        }
    }
}

/// A panic goes on here, where the run contains it.
fn parsed<R>(ended: Result<Result<R, ReplyError>, tokio::task::JoinError>) -> Result<R, ReplyError> {
    match ended {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(ReplyError::Unreadable(ProtocolError::CutShort)), // the runtime is ending
        },
    }
}

fn fault_error(
    operation: &'static str,
    address: String,
    fault: &Fault,
    retry_after: Option<std::time::Duration>,
) -> UpstreamError {
    let said = if fault.message.is_empty() && fault.code.is_none() { &fault.reason } else { &fault.message };
    let message = quote(said);
    match &fault.code {
        Some(ErrorCode::ServerBusy) => UpstreamError::Busy { operation, address, message, retry_after },
        Some(ErrorCode::IncompatibleProtocolVersion) => {
            UpstreamError::IncompatibleVersion { address, ours: PROTOCOL_VERSION, message }
        }
        code => UpstreamError::Fault {
            operation,
            address,
            code: code.as_ref().map(|code| quote(code.as_str())).unwrap_or_default(),
            message,
            fault_id: quote(&fault.id),
        },
    }
}
