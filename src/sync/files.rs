//! The background job that fetches wanted files, several at a time, until none is wanted.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::Deserialize;
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::bandwidth::Bandwidth;
use super::context::SyncContext;
use super::hosts::allowed_host;
use super::{SyncError, destinations};
use crate::content::limits;
use crate::content::wanted::{self, Failure, Wanted};
use crate::content::{Partial, Store, StoreError};
use crate::db::Pool;
use crate::db::schema::{server_identity, sources, sync_options, sync_runs};
use crate::jobs::{Job, JobError, Lease, QueueError};
use crate::settings::{self, SourceKind, SyncOptions};
use crate::upstream::{ContentClient, ContentError, Identity, Traffic, UpstreamClient, UpstreamError};

/// The job's kind in the queue; there is one at a time.
const JOB_KIND: &str = "download";
/// Due files that are looked at for a free place; those of a busy host wait.
const DUE_MAX: i64 = 64;
/// A part of a file that is worth a request of its own: this many bytes, or this share of a small file.
const PART_MIN_BYTES: u64 = 64 * 1024;
const PARTS_MAX: u64 = 1_000;
/// Files whose hosts are counted in one statement.
const UNCOUNTED_MAX: usize = 100;
/// Between two looks at the settings and at what is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Between two looks at what is wanted while nobody fetches.
const LOOK_AFTER_EVERY: Duration = Duration::from_secs(3);
/// Between two looks at a full disk.
const FULL_WAIT: Duration = Duration::from_secs(10);

/// Fetches what is wanted. Repeating it is safe: unfinished files go on where they stopped.
#[derive(Debug, Clone, Deserialize)]
pub struct Download {}

/// Wants what the settings and approvals ask for, and sees to it that it is fetched. `run_id`: the run that brought
/// it. Call it in the transaction that changed something.
///
/// # Errors
/// The database's.
pub async fn want(conn: &mut AsyncPgConnection, run_id: Option<i64>) -> Result<(), QueueError> {
    if wanted::refresh(conn, run_id).await? > 0 {
        fetch_soon(conn).await?;
    }
    Ok(())
}

/// Puts the download job into the queue unless it is there.
async fn fetch_soon(conn: &mut AsyncPgConnection) -> Result<(), QueueError> {
    crate::jobs::enqueue(conn, JOB_KIND, JOB_KIND, json!({})).await?;
    Ok(())
}

/// Keeps the list of wanted files true to the settings, and sees to it that somebody fetches them: after a restart,
/// after other choices were saved, and when a file was added while the job was just ending. Ends with `shutdown`.
pub async fn keep(pool: Pool, shutdown: CancellationToken) {
    let mut seen = None;
    while !shutdown.is_cancelled() {
        if let Err(error) = look_after(&pool, &mut seen).await {
            tracing::warn!(%error, "the list of wanted files cannot be looked after, trying again");
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(LOOK_AFTER_EVERY) => {}
        }
    }
}

/// `seen` is the version of the options that the list was last brought in line with.
async fn look_after(pool: &Pool, seen: &mut Option<i64>) -> Result<(), SyncError> {
    let mut conn = pool.get().await?;
    let version: i64 = sync_options::table.select(sync_options::version).first(&mut conn).await?;
    if *seen != Some(version) {
        want(&mut conn, None).await?;
        *seen = Some(version);
    }
    if wanted::next_try(&mut conn).await?.is_some_and(|next| next <= chrono::Utc::now()) {
        fetch_soon(&mut conn).await?;
    }
    Ok(())
}

impl Job for Download {
    const KIND: &'static str = JOB_KIND;
    type Context = SyncContext;

    async fn run(self, context: Arc<SyncContext>, lease: Lease) -> Result<(), JobError> {
        let failed = |error: SyncError| JobError::Failed(error.to_string());
        tokio::select! {
            done = fetch_all(&context) => done.map_err(failed),
            () = lease.canceled().cancelled() => Err(JobError::Canceled),
            () = lease.lost().cancelled() => Err(JobError::Interrupted),
            () = lease.shutdown().cancelled() => Err(JobError::Interrupted),
        }
    }
}

/// Where files come from, and by which way, as long as the options stay as they are.
struct Fetcher {
    /// Of the options and of the limits it was made from.
    versions: (i64, i64),
    shared: Arc<Shared>,
    client: ContentClient,
    store: Store,
    /// `http://host:port/Content/`; `None` when files come from the addresses in the documents only.
    content_root: Option<Url>,
    /// The source itself, to be asked for what it does not have yet.
    source: Option<UpstreamClient>,
    /// The source, and what the configuration adds.
    hosts: Vec<String>,
    /// Name and port of the proxy server; empty: directly.
    proxy: String,
}

/// What all files under way share.
#[derive(Default)]
struct Shared {
    bandwidth: Bandwidth,
    /// Bytes of files under way that had not come when they were begun.
    promised: AtomicU64,
}

/// Room on the disk that a file counts on, given back with this value.
struct Promise<'a>(&'a AtomicU64, u64);

impl<'a> Promise<'a> {
    /// Counts on `bytes`; the second value is what all count on together.
    fn make(promised: &'a AtomicU64, bytes: u64) -> (Self, u64) {
        let before = promised.fetch_add(bytes, Ordering::SeqCst);
        (Self(promised, bytes), before.saturating_add(bytes))
    }
}

impl Drop for Promise<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Ordering::SeqCst);
    }
}

/// Files of one run that were fetched and are not counted in the database yet.
#[derive(Default)]
struct Uncounted {
    files: usize,
    traffic: HashMap<i64, Traffic>,
}

impl Uncounted {
    /// Counts a file; writes when there are many.
    async fn add(&mut self, pool: &Pool, run_id: i64, fetcher: &Fetcher, file: &Wanted) {
        let Ok(url) = fetcher.address(file) else { return };
        self.traffic.entry(run_id).or_default().add(&url, &fetcher.proxy, file.facts.size);
        self.files += 1;
        if self.files >= UNCOUNTED_MAX {
            self.write_down(pool).await;
        }
    }

    async fn write_down(&mut self, pool: &Pool) {
        self.files = 0;
        for (run_id, traffic) in self.traffic.drain() {
            destinations::write_down(pool, run_id, &traffic).await;
        }
    }
}

async fn fetch_all(context: &SyncContext) -> Result<(), SyncError> {
    let shared = Arc::<Shared>::default();
    let mut fetcher = Arc::new(fetcher(context, shared.clone()).await?);
    let mut uncounted = Uncounted::default();
    let mut running: JoinSet<(Wanted, Outcome)> = JoinSet::new();
    let mut busy: HashMap<tokio::task::Id, (i32, String)> = HashMap::new();
    wanted::forget_begun(&mut *context.pool.get().await?).await?;
    loop {
        let mut conn = context.pool.get().await?;
        let limits = limits::load(&mut conn).await?;
        let (version, zone): (i64, String) = sync_options::table
            .select((sync_options::version, sync_options::schedule_time_zone))
            .first(&mut conn)
            .await?;
        shared.bandwidth.set(limits.rate_at(time_of_day(&zone)));
        if (version, limits.version) != fetcher.versions {
            // What is under way ends as it began; what begins now goes the new way.
            drop(conn);
            fetcher = Arc::new(self::fetcher(context, shared.clone()).await?);
            continue;
        }
        let is_ready = fetcher.is_ready(&mut conn).await?;
        let held: Vec<i32> = busy.values().map(|(row, _)| *row).collect();
        let due = match usize::from(limits.workers) > held.len() {
            true if is_ready => wanted::due(&mut conn, &held, DUE_MAX).await?,
            _ => Vec::new(),
        };
        for file in due {
            let host = fetcher.host(&file);
            let of_host = busy.values().filter(|(_, other)| *other == host).count();
            if busy.len() >= usize::from(limits.workers) || of_host >= usize::from(limits.per_host) {
                continue;
            }
            let (fetcher, row) = (fetcher.clone(), file.file_row);
            wanted::note_begun(&mut conn, row, fetcher.store.partial_len(&file.facts.sha1).await).await?;
            let handle = running.spawn(async move {
                let mut restarted = false;
                let result = fetcher.fetch(&file, &mut restarted).await;
                (file, Outcome { result, restarted })
            });
            busy.insert(handle.id(), (row, host));
        }
        if running.is_empty() {
            uncounted.write_down(&context.pool).await;
            if wanted::next_try(&mut conn).await?.is_none() {
                return Ok(());
            }
            drop(conn);
            tokio::time::sleep(if is_ready { LOOK_EVERY } else { FULL_WAIT }).await;
            continue;
        }
        drop(conn);
        let ended = tokio::select! {
            ended = running.join_next_with_id() => ended,
            () = tokio::time::sleep(LOOK_EVERY) => None,
        };
        match ended {
            Some(Ok((id, (file, outcome)))) => {
                busy.remove(&id);
                if let Some(run_id) = write_down(context, &file, outcome).await? {
                    uncounted.add(&context.pool, run_id, &fetcher, &file).await;
                }
            }
            Some(Err(error)) => {
                busy.remove(&error.id());
                tracing::error!(%error, "fetching a file panicked");
            }
            None => {}
        }
    }
}

/// The time of day in the schedule's zone; in UTC when that is unknown.
fn time_of_day(zone: &str) -> chrono::NaiveTime {
    let zone: chrono_tz::Tz = zone.parse().unwrap_or(chrono_tz::UTC);
    chrono::Utc::now().with_timezone(&zone).time()
}

/// The answer is the run that a stored file was wanted by.
async fn write_down(
    context: &SyncContext,
    file: &Wanted,
    outcome: Outcome,
) -> Result<Option<i64>, SyncError> {
    let mut conn = context.pool.get().await?;
    if outcome.restarted {
        wanted::note_restart(&mut conn, file.file_row).await?;
    }
    let Err(problem) = outcome.result else {
        let run_id = wanted::note_stored(&mut conn, file.file_row).await?;
        if let Some(run_id) = run_id {
            let bytes = i64::try_from(file.facts.size).unwrap_or(i64::MAX);
            diesel::update(sync_runs::table.find(run_id))
                .set((
                    sync_runs::files.eq(sync_runs::files + 1),
                    sync_runs::bytes.eq(sync_runs::bytes + bytes),
                ))
                .execute(&mut conn)
                .await?;
        }
        return Ok(run_id);
    };
    tracing::warn!(file = %file.facts.sha1, problem = %problem, "a file was not fetched");
    let wait = problem.retry_after();
    wanted::note_failure(&mut conn, file, &problem.to_string(), problem.kind(), wait).await?;
    Ok(None)
}

/// How a try ended.
struct Outcome {
    result: Result<(), Problem>,
    /// It had to begin again, because only whole files are sent.
    restarted: bool,
}

/// Why a file could not be fetched now.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Content(#[from] ContentError),
    #[error("The update source does not have the file yet. It is asked again.")]
    NotThereYet,
    #[error(
        "The update source does not know this file. Select its product there, or decline the update here."
    )]
    Unknown,
    #[error("The address of the file leads to {host}, which is not among the hosts files may come from.")]
    Host { host: String },
    #[error("The update source names no address for this file.")]
    NoAddress,
}

impl Problem {
    /// How long the source asks to be left alone.
    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Content(ContentError::Status { retry_after, .. }) => *retry_after,
            _ => None,
        }
    }

    fn kind(&self) -> Failure {
        match self {
            // A folder that cannot be written is no fault of the file.
            Self::NotThereYet
            | Self::Store(StoreError::Full { .. } | StoreError::Io(_) | StoreError::Strange { .. }) => {
                Failure::Waiting
            }
            // Until a person has done something about it, each file would only use up its tries.
            Self::Content(ContentError::Upstream(UpstreamError::Proxy(error))) if error.is_sign_in() => {
                Failure::Waiting
            }
            Self::Host { .. } | Self::NoAddress | Self::Unknown => Failure::Final,
            Self::Store(_) | Self::Content(_) => Failure::Passing,
        }
    }
}

impl Fetcher {
    /// Whether the content folder takes files now. While it does not, nothing is fetched and no try is used up.
    async fn is_ready(&self, conn: &mut AsyncPgConnection) -> Result<bool, SyncError> {
        let known = wanted::some_stored(conn).await?;
        let ready = match self.store.make_ready(&known).await {
            Ok(()) => self.store.make_sure_of_room(0).await,
            Err(error) => Err(error),
        };
        if let Err(error) = &ready {
            tracing::warn!(%error, "no file can be fetched now");
        }
        Ok(ready.is_ok())
    }

    /// `restarted` is set when the beginning that was here was of no use.
    async fn fetch(&self, file: &Wanted, restarted: &mut bool) -> Result<(), Problem> {
        let facts = &file.facts;
        if self.store.has_right(facts).await? {
            return Ok(());
        }
        let mut partial = self.store.open_partial(facts).await?;
        let part_min = PART_MIN_BYTES.min(facts.size / PARTS_MAX + 1);
        while partial.len() < facts.size {
            let (_promise, all) = Promise::make(&self.shared.promised, facts.size - partial.len());
            self.store.make_sure_of_room(all).await?;
            let before = partial.len();
            match self.receive(file, &mut partial, restarted).await {
                Ok(()) => break,
                // A way that breaks off again and again still leads there, in parts that are worth their requests.
                Err(Problem::Content(ContentError::Broken { .. } | ContentError::Silent { .. }))
                    if !*restarted && partial.len() >= before + part_min => {}
                Err(problem) => return Err(problem),
            }
        }
        Ok(partial.complete().await?)
    }

    /// Receives the rest of a file, to its end or as far as it comes.
    async fn receive(
        &self,
        file: &Wanted,
        partial: &mut Partial,
        restarted: &mut bool,
    ) -> Result<(), Problem> {
        let url = self.address(file)?;
        let mut answer = match self.client.get(&url, partial.len(), file.facts.size).await {
            Ok(answer) => answer,
            Err(ContentError::Status { status: 404, .. }) if self.content_root.is_some() => {
                return Err(self.ask_for(file).await);
            }
            Err(error) => {
                // Whatever is wrong with the beginning we have, the next try is a whole one.
                if matches!(&error, ContentError::OtherPart { .. } | ContentError::Status { status: 416, .. })
                {
                    partial.start_over().await?;
                }
                return Err(error.into());
            }
        };
        if answer.from != partial.len() {
            *restarted = true;
            partial.start_over().await?;
        }
        while let Some(bytes) = answer.next().await? {
            self.shared.bandwidth.take(bytes.len()).await;
            partial.add(&bytes).await?;
        }
        Ok(())
    }

    /// The source does not have the file: it is asked, once, to fetch it.
    async fn ask_for(&self, file: &Wanted) -> Problem {
        let Some(source) = &self.source else { return Problem::NotThereYet };
        if file.last_error == Problem::NotThereYet.to_string() {
            return Problem::NotThereYet;
        }
        match source.download_files(&[file.facts.sha1]).await {
            Ok(()) => Problem::NotThereYet,
            Err(error) if error.fault_code() == Some("FileDigestsMissing") => Problem::Unknown,
            Err(error) => ContentError::from(error).into(),
        }
    }

    /// Where a file comes from; empty when it has no usable address.
    fn host(&self, file: &Wanted) -> String {
        let url = self.address(file).ok();
        url.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
    }

    fn address(&self, file: &Wanted) -> Result<Url, Problem> {
        if let Some(root) = &self.content_root {
            return root.join(&file.facts.place()).map_err(|_| Problem::NoAddress);
        }
        let url = Url::parse(&file.mu_url).map_err(|_| Problem::NoAddress)?;
        let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
        if !matches!(url.scheme(), "http" | "https") || !allowed_host(&host, &self.hosts) {
            return Err(Problem::Host { host });
        }
        Ok(url)
    }
}

async fn fetcher(context: &SyncContext, shared: Arc<Shared>) -> Result<Fetcher, SyncError> {
    let mut conn = context.pool.get().await?;
    let limits = limits::load(&mut conn).await?;
    let options = settings::load(&mut conn).await?;
    let (identity, mut target) = context.target(&options)?;
    if let Some(proxy) = &mut target.proxy {
        proxy.is_patient = true;
    }
    let facts: Option<serde_json::Value> = sources::table
        .filter(sources::kind.eq(identity.kind))
        .filter(sources::host.eq(&identity.host))
        .filter(sources::port.eq(identity.port))
        .filter(sources::ssl.eq(identity.ssl))
        .select(sources::facts)
        .first(&mut conn)
        .await
        .optional()?;
    let catalog_only = facts.is_some_and(|facts| facts["catalog_only"].as_bool().unwrap_or(false));
    let from_addresses = catalog_only
        || (options.files.from_microsoft && !options.replica)
        || options.source.kind == SourceKind::MicrosoftUpdate;
    let content_root = if from_addresses { None } else { Some(content_root(&options)?) };
    let mut hosts = context.content.hosts.clone();
    hosts.push(identity.host);
    let source = match &content_root {
        None => None,
        Some(_) => {
            let server_id =
                server_identity::table.select(server_identity::server_id).first(&mut conn).await?;
            let name = Identity::new(server_id, &context.host_name);
            Some(UpstreamClient::new(target.clone(), name, context.limits, context.retry)?)
        }
    };
    let proxy = target.proxy_shown();
    let client = ContentClient::new(target, context.limits)?;
    let store = Store::new(&context.content.folder).with_reserve(limits.reserve);
    let versions = (options.version, limits.version);
    Ok(Fetcher { versions, shared, client, source, store, content_root, hosts, proxy })
}

/// Files come over plain HTTP, which is safe by their digests.
pub(super) fn content_root(options: &SyncOptions) -> Result<Url, SyncError> {
    let source = &options.source;
    let text = format!("http://{}:{}/Content/", source.server, source.content_port());
    Url::parse(&text).map_err(|_| SyncError::Unusable(format!("{} is not a server name.", source.server)))
}
