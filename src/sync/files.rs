//! The background job that fetches wanted files, several at a time, until none is wanted.

mod board;
mod fetcher;
mod ledger;
mod problem;
mod queue;

use std::sync::Arc;
use std::time::Duration;

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::Deserialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::SyncError;
use super::context::SyncContext;
use crate::content::{chosen, wanted};
use crate::db::Pool;
use crate::db::schema::sync_options;
use crate::jobs::{Job, JobError, Lease, QueueError};
pub(super) use fetcher::content_root;

/// The job's kind in the queue; there is one at a time.
const JOB_KIND: &str = "download";
/// Between two looks at what is wanted while nobody fetches.
const LOOK_AFTER_EVERY: Duration = Duration::from_secs(3);

/// Fetches what is wanted. Repeating it is safe: unfinished files go on where they stopped.
#[derive(Debug, Clone, Deserialize)]
pub struct Download {}

/// Wants what the settings and approvals ask for, and sees to it that it is fetched. `run_id`: the run that brought
/// it. Call it in the transaction that changed something.
///
/// # Errors
/// The database's.
pub async fn want(conn: &mut AsyncPgConnection, run_id: Option<i64>) -> Result<(), QueueError> {
    if chosen::refresh(conn, run_id).await? > 0 {
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
            done = queue::fetch_all(&context) => done.map_err(failed),
            () = lease.canceled().cancelled() => Err(JobError::Canceled),
            () = lease.lost().cancelled() => Err(JobError::Interrupted),
            () = lease.shutdown().cancelled() => Err(JobError::Interrupted),
        }
    }
}
