//! The clock work: looks at the schedule every few seconds.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use tokio::sync::Mutex;
use tokio_cron_scheduler::{Job as CronJob, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;

use super::{Tick, tick};
use crate::db::Pool;
use crate::sync::{SyncError, runs};

/// How often the row is compared with the clock, in the scheduler's language.
const TICK: &str = "*/2 * * * * *";

/// Ticks until `shutdown`.
///
/// # Errors
/// When the scheduler cannot be started.
pub async fn keep(pool: Pool, shutdown: CancellationToken) -> Result<(), JobSchedulerError> {
    let mut scheduler = JobScheduler::new().await?;
    // Ticks may overlap when the database is slow; the second one has nothing to add.
    let busy = Arc::new(Mutex::new(()));
    let job = CronJob::new_async(TICK, move |_, _| {
        let (pool, busy) = (pool.clone(), busy.clone());
        Box::pin(async move {
            let Ok(_only) = busy.try_lock() else { return };
            match tokio::time::timeout(Duration::from_secs(30), look(&pool)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the schedule could not be looked at"),
                Err(_) => tracing::warn!("the database did not answer the schedule in time"),
            }
        })
    })?;
    scheduler.add(job).await?;
    scheduler.start().await?;
    shutdown.cancelled().await;
    scheduler.shutdown().await
}

async fn look(pool: &Pool) -> Result<(), SyncError> {
    let mut conn = pool.get().await?;
    let closed = runs::close_orphans(&mut conn).await?;
    if closed > 0 {
        tracing::warn!(closed, "runs without a job were closed");
    }
    match tick(&mut conn, Utc::now()).await? {
        Tick::Started(requested) => {
            tracing::info!(run.id = requested.run_id, "a scheduled synchronization begins")
        }
        Tick::Skipped { run_id } => {
            tracing::info!(run.id = run_id, "a scheduled synchronization was skipped")
        }
        Tick::Planned(next) => tracing::info!(?next, "the schedule was planned"),
        Tick::Passed => tracing::info!("a missed synchronization needs no catching up"),
        Tick::Nothing => {}
    }
    Ok(())
}
