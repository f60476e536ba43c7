//! Upkeep: once a day old rows are removed, each by the module that owns them, and the database's statistics are
//! brought up to date. No step is left to a person.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::accounts;
use crate::content;
use crate::db::Pool;
use crate::jobs::{self, Job, JobError, Lease, QueueError};
use crate::sync;

/// Between two upkeeps.
const EVERY: Duration = Duration::from_secs(24 * 3_600);
/// Between two looks at whether one is due.
const LOOK_EVERY: Duration = Duration::from_secs(600);

/// The job. It has no arguments.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Upkeep {}

/// What it works with.
pub struct UpkeepContext {
    pub pool: Pool,
}

impl Job for Upkeep {
    const KIND: &'static str = "retention";
    type Context = UpkeepContext;

    async fn run(self, context: Arc<UpkeepContext>, lease: Lease) -> Result<(), JobError> {
        tokio::select! {
            done = keep_up(&context.pool) => done.map_err(JobError::Later),
            () = lease.canceled().cancelled() => Err(JobError::Canceled),
            () = lease.lost().cancelled() => Err(JobError::Interrupted),
            () = lease.shutdown().cancelled() => Err(JobError::Interrupted),
        }
    }
}

async fn keep_up(pool: &Pool) -> Result<(), String> {
    fn text(error: impl std::fmt::Display) -> String {
        error.to_string()
    }
    let mut conn = pool.get().await.map_err(text)?;
    let now = Utc::now();
    let runs = sync::retention::remove_old_runs(&mut conn, now).await.map_err(text)?;
    let jobs = jobs::retention::remove_old_jobs(&mut conn, now).await.map_err(text)?;
    let entries = accounts::retention::remove_old_entries(&mut conn, now).await.map_err(text)?;
    let checks = content::checks::remove_old(&mut conn, now).await.map_err(text)?;
    diesel::sql_query("ANALYZE").execute(&mut conn).await.map_err(text)?;
    tracing::info!(runs, jobs, entries, checks, "old rows were removed");
    Ok(())
}

/// Puts the job in when it is due, until `shutdown`.
pub async fn keep(pool: Pool, shutdown: CancellationToken) {
    loop {
        if let Err(error) = look(&pool).await {
            tracing::warn!(%error, "upkeep could not be planned");
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

async fn look(pool: &Pool) -> Result<(), QueueError> {
    let mut conn = pool.get().await.map_err(|error| QueueError::Pool(error.to_string()))?;
    enqueue_if_due(&mut conn).await
}

async fn enqueue_if_due(conn: &mut AsyncPgConnection) -> Result<(), QueueError> {
    jobs::enqueue_regularly(conn, Upkeep::KIND, EVERY).await.map(drop)
}
