//! The work that nobody waits for: jobs from the queue, and the schedule that puts them there.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::upkeep::{self, Upkeep, UpkeepContext};
use crate::config::{self, Roles};
use crate::db::{DatabaseUrl, Pool};
use crate::jobs::{Instance, QueueError, Worker};
use crate::secret::SecretKey;
use crate::sync::{
    ContentCheck, ContentPlace, Download, MicrosoftUpdate, SyncContext, Synchronize, files, schedule,
};
use crate::upstream::{RetryPolicy, TransportLimits};

/// What background work needs.
pub struct BackgroundParts {
    pub pool: Pool,
    pub database: DatabaseUrl,
    pub secret: SecretKey,
    pub microsoft_update: config::MicrosoftUpdate,
    /// Without the worker's role the process is only registered, and leaves the work to others.
    pub roles: Roles,
    pub content: ContentPlace,
    /// Start runs at their time; a command that does one job leaves that to the servers.
    pub with_schedule: bool,
}

/// Why background work did not start.
#[derive(Debug, thiserror::Error)]
pub enum BackgroundError {
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error("the trust anchor {path} cannot be read")]
    TrustAnchor {
        path: String,
        #[source]
        source: std::io::Error,
    },
}

/// Background work under way.
pub struct Background {
    shutdown: CancellationToken,
    tasks: JoinSet<()>,
}

impl Background {
    /// Registers this process and starts to work.
    ///
    /// # Errors
    /// [`BackgroundError::Queue`] when the database does not answer, [`BackgroundError::TrustAnchor`] when the file
    /// of `WEIR_MICROSOFT_UPDATE_CA` cannot be read.
    pub async fn start(parts: BackgroundParts) -> Result<Self, BackgroundError> {
        let host_name = host_name();
        let context = SyncContext {
            pool: parts.pool.clone(),
            database: parts.database.clone(),
            secret: parts.secret,
            microsoft: microsoft_update(parts.microsoft_update)?,
            host_name: host_name.clone(),
            content: parts.content,
            limits: TransportLimits::default(),
            retry: RetryPolicy::default(),
            probe: |_| {},
        };
        let instance = Instance::register(parts.database, &host_name, &parts.roles.words()).await?;
        let shutdown = CancellationToken::new();
        let mut tasks = JoinSet::new();
        if !parts.roles.worker {
            let end = shutdown.clone();
            tasks.spawn(async move {
                end.cancelled().await;
                drop(instance);
            });
            return Ok(Self { shutdown, tasks });
        }
        let context = Arc::new(context);
        let worker = Worker::new(parts.pool.clone(), Arc::new(instance))
            .with::<Synchronize>(context.clone())
            .with::<Download>(context.clone())
            .with::<ContentCheck>(context)
            .with::<Upkeep>(Arc::new(UpkeepContext { pool: parts.pool.clone() }));
        tasks.spawn(worker.run(shutdown.clone()));
        tasks.spawn(files::keep(parts.pool.clone(), shutdown.clone()));
        if parts.with_schedule {
            tasks.spawn(upkeep::keep(parts.pool.clone(), shutdown.clone()));
            let (pool, end) = (parts.pool, shutdown.clone());
            tasks.spawn(async move {
                if let Err(error) = schedule::keep(pool, end).await {
                    tracing::error!(%error, "the schedule could not be started");
                }
            });
        }
        Ok(Self { shutdown, tasks })
    }

    /// Lets jobs under way give up and waits for them, for at most `within`. `true` when all ended in time.
    pub async fn stop(mut self, within: Duration) -> bool {
        self.shutdown.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        tokio::time::timeout(within, ended).await.is_ok()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// Where Microsoft Update is, with the trust anchor of its file.
pub(crate) fn microsoft_update(
    settings: config::MicrosoftUpdate,
) -> Result<MicrosoftUpdate, BackgroundError> {
    let read = |path: std::path::PathBuf| {
        std::fs::read_to_string(&path)
            .map_err(|source| BackgroundError::TrustAnchor { path: path.display().to_string(), source })
    };
    Ok(MicrosoftUpdate { url: settings.url, ca: settings.ca_file.map(read).transpose()? })
}

/// The name of this machine; empty when the system does not tell.
pub(crate) fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .unwrap_or_default()
}
