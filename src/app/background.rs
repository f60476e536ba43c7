//! The work nobody waits for: jobs from the queue, and the schedule.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{AppConfig, AppError};
use crate::db::Pool;
use crate::jobs::{Instance, Worker};
use crate::sync::{self, MicrosoftUpdate, SyncContext, Synchronize};

/// How long to wait before a schedule that could not start is tried again.
const SCHEDULE_WAIT: Duration = Duration::from_secs(30);

/// Background work that can be told to end.
pub struct Background {
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

impl Background {
    /// Registers this process and starts to work.
    ///
    /// # Errors
    /// [`AppError::Queue`] when the process cannot be registered, [`AppError::Certificate`].
    pub async fn start(config: &AppConfig, pool: &Pool) -> Result<Self, AppError> {
        let context = Arc::new(sync_context(config, pool).await?);
        let instance = Arc::new(Instance::register(config.database.clone(), &host_name()).await?);
        let worker = Worker::new(pool.clone(), instance).with::<Synchronize>(context);
        let (shutdown, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(worker.run(shutdown.clone()));
        tasks.spawn(keep_schedule(pool.clone(), shutdown.clone()));
        Ok(Self { shutdown, tasks })
    }

    /// Tells all work to end and waits; `false` when something did not end within the time.
    pub async fn stop(self, within: Duration) -> bool {
        self.shutdown.cancel();
        self.tasks.close();
        tokio::time::timeout(within, self.tasks.wait()).await.is_ok()
    }
}

/// What a synchronization needs, put together from the configuration. Also for commands that run one themselves.
///
/// # Errors
/// [`AppError::Certificate`] when the trust anchor for Microsoft Update cannot be read.
pub async fn sync_context(config: &AppConfig, pool: &Pool) -> Result<SyncContext, AppError> {
    let ca = match &config.microsoft_update.ca_file {
        Some(path) => {
            let unreadable = |source| AppError::Certificate { path: path.clone(), source };
            Some(tokio::fs::read_to_string(path).await.map_err(unreadable)?)
        }
        None => None,
    };
    Ok(SyncContext {
        pool: pool.clone(),
        database: config.database.clone(),
        secret: config.secret.as_ref().clone(),
        microsoft: MicrosoftUpdate { url: config.microsoft_update.url.clone(), ca },
        host_name: host_name(),
        limits: crate::upstream::TransportLimits::default(),
        retry: crate::upstream::RetryPolicy::default(),
    })
}

async fn keep_schedule(pool: Pool, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        match sync::schedule::keep(pool.clone(), shutdown.clone()).await {
            Ok(()) => return,
            Err(error) => tracing::error!(%error, "the schedule could not start, trying again"),
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(SCHEDULE_WAIT) => {}
        }
    }
}

/// The name of this computer, as other servers are told it.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "weir".to_owned() } else { name.to_owned() }
}
