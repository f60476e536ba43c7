//! The calls of a synchronization, each with cookie, retries and limits.

mod sign_in;

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::sync::Mutex;
use url::Url;

use super::connections::Connections;
use super::error::{UpstreamError, quote};
use super::limits::TransportLimits;
use super::pieces::pieces;
use super::retry::RetryPolicy;
use super::session::{Identity, PROTOCOL_VERSION, Session};
use super::target::Target;
use super::traffic::Traffic;
use super::transport::{Answer, Transport};
use crate::protocol::ProtocolError;
use crate::protocol::ids::{ConfigAnchor, DeploymentAnchor, RevisionKey, Sha1Digest, SyncAnchor};
use crate::protocol::server_sync::{
    DownloadFiles, GetConfigData, GetConfigDataReply, GetDeployments, GetDeploymentsReply, GetRevisionIdList,
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

    /// What the calls so far went over.
    pub(super) fn connections(&self) -> &Connections {
        self.transport.connections()
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
