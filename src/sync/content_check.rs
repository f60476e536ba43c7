//! The background job that verifies the content folder or cleans it up.

use std::sync::Arc;

use diesel_async::{AsyncConnection, AsyncPgConnection};
use serde::Deserialize;
use serde_json::json;

use super::context::SyncContext;
use super::{SyncError, files, runs};
use crate::accounts::audit;
use crate::content::checks::{self, Check, CheckKind, Figures};
use crate::content::{ContentError, Store, cleanup, verify};
use crate::db::PoolError;
use crate::jobs::{Job, JobError, Lease, QueueError};

/// Files removed in one transaction.
const BATCH: usize = 100;

/// A check that was asked for with [`checks::request`].
#[derive(Debug, Clone, Deserialize)]
pub struct ContentCheck {
    check_id: i64,
}

/// Why a check ended early.
#[derive(Debug, thiserror::Error)]
enum CheckError {
    #[error(transparent)]
    Content(#[from] ContentError),
    #[error("a synchronization is at work; clean up when it has ended")]
    Run,
    #[error(
        "{going} of {stored} files would be removed, which is more than one fifth of the store. Look at them again and \
         confirm it"
    )]
    Large { going: usize, stored: u64 },
    #[error("the database failed: {0}")]
    Query(#[from] diesel::result::Error),
    #[error("no connection to the database: {0}")]
    Pool(#[from] PoolError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error(transparent)]
    Sync(#[from] SyncError),
}

impl Job for ContentCheck {
    const KIND: &'static str = checks::JOB_KIND;
    type Context = SyncContext;

    async fn run(self, context: Arc<SyncContext>, lease: Lease) -> Result<(), JobError> {
        let failed = |error: CheckError| JobError::Failed(error.to_string());
        tokio::select! {
            done = carry_out(&context, self.check_id, &lease) => done.map_err(failed),
            () = lease.canceled().cancelled() => Err(JobError::Canceled),
            () = lease.lost().cancelled() => Err(JobError::Interrupted),
            () = lease.shutdown().cancelled() => Err(JobError::Interrupted),
        }
    }
}

/// Carries the check out and writes down what came of it, in its row and in the audit log.
async fn carry_out(context: &SyncContext, check_id: i64, lease: &Lease) -> Result<(), CheckError> {
    let mut conn = context.pool.get().await?;
    let Some(check) = checks::find(&mut conn, check_id).await? else { return Ok(()) };
    checks::begin(&mut conn, check_id).await?;
    drop(conn);
    let store = context.content.store.clone();
    let done = match check.kind() {
        CheckKind::Verify => verify::run(&context.pool, &store, &check).await.map_err(CheckError::from),
        CheckKind::CleanUp => clean_up(context, &store, &check, lease).await,
    };
    if done.is_ok() {
        // What is needed and not on the list, because it was forgotten or approved in the meantime, is wanted now.
        files::want(&mut *context.pool.get().await?, None).await?;
    }
    let error = done.as_ref().err().map(ToString::to_string).unwrap_or_default();
    let mut conn = context.pool.get().await?;
    conn.transaction(async |conn| {
        checks::finish(conn, check_id, &error).await?;
        let Some(check) = checks::find(conn, check_id).await? else { return Ok(()) };
        audit::record(conn, entry(&check)).await
    })
    .await?;
    done.map(drop)
}

fn entry(check: &Check) -> audit::Entry<'static> {
    let after = match check.kind() {
        CheckKind::Verify => json!({
            "files": check.done, "damaged": check.damaged, "missing": check.missing, "adopted": check.adopted,
            "error": check.error,
        }),
        CheckKind::CleanUp => json!({ "removed": check.removed, "bytes": check.bytes, "error": check.error }),
    };
    let action = match check.kind() {
        CheckKind::Verify => "content.verified",
        CheckKind::CleanUp => "content.cleaned-up",
    };
    audit::Entry { actor: "weir", action, after: Some(after), ..audit::Entry::default() }
}

async fn clean_up(
    context: &SyncContext,
    store: &Store,
    check: &Check,
    lease: &Lease,
) -> Result<Figures, CheckError> {
    let mut conn = context.pool.get().await?;
    refuse_during_run(&mut conn).await?;
    let plan = cleanup::plan(&mut conn, store).await?;
    if plan.is_large() && !check.confirmed {
        return Err(CheckError::Large { going: plan.items.len(), stored: plan.stored_files });
    }
    let mut figures = Figures { total: plan.items.len() as i64, ..Figures::default() };
    for batch in plan.items.chunks(BATCH) {
        let freed = conn
            .transaction(async |conn| {
                lease.hold(conn).await?;
                refuse_during_run(conn).await?;
                Ok::<_, CheckError>(cleanup::remove(conn, store, batch).await?)
            })
            .await?;
        figures.done += batch.len() as i64;
        figures.removed += batch.len() as i64;
        figures.bytes += i64::try_from(freed).unwrap_or(i64::MAX);
        checks::note(&mut conn, check.id, figures).await?;
    }
    Ok(figures)
}

async fn refuse_during_run(conn: &mut AsyncPgConnection) -> Result<(), CheckError> {
    match runs::active(conn).await? {
        Some(_) => Err(CheckError::Run),
        None => Ok(()),
    }
}
