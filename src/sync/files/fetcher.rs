//! One file on its way from its source into the store.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use url::Url;

use super::problem::Problem;
use crate::content::wanted::{self, Wanted};
use crate::content::{FileFacts, Partial, Store, StoreError, Whole, limits};
use crate::db::schema::{server_identity, sources};
use crate::settings::{self, SourceKind, SyncOptions};
use crate::sync::SyncError;
use crate::sync::bandwidth::Bandwidth;
use crate::sync::context::SyncContext;
use crate::sync::hosts::allowed_host;
use crate::upstream::{ContentClient, ContentError, Identity, UpstreamClient};

/// A part of a file that is worth a request of its own: this many bytes, or this share of a small file.
const PART_MIN_BYTES: u64 = 64 * 1024;
const PARTS_MAX: u64 = 1_000;

/// Where files come from, and by which way, as long as the options stay as they are.
pub(super) struct Fetcher {
    /// Of the options and of the limits it was made from.
    pub versions: (i64, i64),
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
    pub proxy: String,
}

/// What all files under way share.
#[derive(Default)]
pub(super) struct Shared {
    pub bandwidth: Bandwidth,
    room: Mutex<Room>,
}

/// What the disk of the store still takes, in bytes.
#[derive(Default)]
struct Room {
    /// Of files under way, what had not come when they were begun.
    promised: u64,
    /// Free over the reserve at the last look, without what was promised then and since.
    left: u64,
}

/// Room on the disk that a file counts on, given back with this value.
struct Promise<'a> {
    shared: &'a Shared,
    bytes: u64,
    /// What all count on together.
    all: u64,
    /// There was room for it at the last look, so that the disk need not be asked.
    has_room: bool,
}

impl Shared {
    fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what is free over the reserve now.
    fn note_room(&self, free: u64) {
        let mut room = self.room();
        room.left = free.saturating_sub(room.promised);
    }

    /// Counts on `bytes`.
    fn promise(&self, bytes: u64) -> Promise<'_> {
        let mut room = self.room();
        room.promised = room.promised.saturating_add(bytes);
        let has_room = bytes <= room.left;
        room.left = room.left.saturating_sub(bytes);
        Promise { shared: self, bytes, all: room.promised, has_room }
    }
}

impl Drop for Promise<'_> {
    fn drop(&mut self) {
        let mut room = self.shared.room();
        room.promised = room.promised.saturating_sub(self.bytes);
    }
}

impl Fetcher {
    /// Whether the content folder takes files now. While it does not, nothing is fetched and no try is used up.
    pub async fn is_ready(&self, conn: &mut AsyncPgConnection) -> Result<bool, SyncError> {
        let ready = match self.store.is_ours().await {
            Ok(is_ours) => {
                let known = if is_ours { Vec::new() } else { wanted::some_stored(conn).await? };
                self.make_ready(&known).await
            }
            Err(error) => Err(error),
        };
        match &ready {
            Ok(room) => self.shared.note_room(*room),
            Err(error) => {
                self.shared.note_room(0);
                tracing::warn!(%error, "no file can be fetched now");
            }
        }
        Ok(ready.is_ok())
    }

    /// Sees to it that the store takes files. The answer is the room there is.
    async fn make_ready(&self, known: &[FileFacts]) -> Result<u64, StoreError> {
        self.store.make_ready(known).await?;
        self.store.make_sure_of_room(0).await
    }

    /// Gives files their final names, all together; one answer each.
    pub async fn keep(&self, files: Vec<Whole>) -> Vec<Result<(), StoreError>> {
        self.store.keep(files).await
    }

    /// `here` is told what of the file is here at first; `restarted` is set when that was of no use. `None`: the file is
    /// in the store for good; otherwise it is to be kept.
    pub async fn fetch(
        &self,
        file: &Wanted,
        here: &AtomicU64,
        restarted: &mut bool,
    ) -> Result<Option<Whole>, Problem> {
        let facts = &file.facts;
        let Some(mut partial) = self.store.begin(facts).await? else { return Ok(None) };
        here.store(partial.len(), Ordering::Relaxed);
        let part_min = PART_MIN_BYTES.min(facts.size / PARTS_MAX + 1);
        while partial.len() < facts.size {
            let promise = self.shared.promise(facts.size - partial.len());
            if !promise.has_room {
                self.store.make_sure_of_room(promise.all).await?;
            }
            let before = partial.len();
            match self.receive(file, &mut partial, restarted).await {
                Ok(()) => break,
                // A way that breaks off again and again still leads there, in parts that are worth their requests.
                Err(Problem::Content(ContentError::Broken { .. } | ContentError::Silent { .. }))
                    if !*restarted && partial.len() >= before + part_min => {}
                Err(problem) => return Err(problem),
            }
        }
        Ok(partial.finish().await?)
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
            partial.add(bytes).await?;
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
    pub fn host(&self, file: &Wanted) -> String {
        let url = self.address(file).ok();
        url.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
    }

    pub fn address(&self, file: &Wanted) -> Result<Url, Problem> {
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

/// The way that the settings ask for now.
///
/// # Errors
/// The database's; [`SyncError::Unusable`] when the settings make no address.
pub(super) async fn fetcher(context: &SyncContext, shared: Arc<Shared>) -> Result<Fetcher, SyncError> {
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
    let store = context.content.store.with_reserve(limits.reserve);
    let versions = (options.version, limits.version);
    Ok(Fetcher { versions, shared, client, source, store, content_root, hosts, proxy })
}

/// Files come over plain HTTP, which is safe by their digests.
pub(in crate::sync) fn content_root(options: &SyncOptions) -> Result<Url, SyncError> {
    let source = &options.source;
    let text = format!("http://{}:{}/Content/", source.server, source.content_port());
    Url::parse(&text).map_err(|_| SyncError::Unusable(format!("{} is not a server name.", source.server)))
}
