//! The right to work on a job, for a while.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tokio_util::sync::CancellationToken;

use super::QueueError;
use crate::db::schema::jobs;

/// Held by the one worker that may write for a job. Clones share the signals.
#[derive(Debug, Clone)]
pub struct Lease {
    job_id: i64,
    fence: i64,
    lost: CancellationToken,
    canceled: CancellationToken,
    shutdown: CancellationToken,
}

impl Lease {
    pub(super) fn new(job_id: i64, fence: i64, shutdown: CancellationToken) -> Self {
        let (lost, canceled) = (CancellationToken::new(), CancellationToken::new());
        Self { job_id, fence, lost, canceled, shutdown }
    }

    /// The row of the job.
    pub fn job_id(&self) -> i64 {
        self.job_id
    }

    /// The number that only the present owner knows.
    pub fn fence(&self) -> i64 {
        self.fence
    }

    /// Triggers when another worker has the job, or the database was away longer than the lease.
    pub fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    /// Triggers when somebody asked this job to end.
    pub fn canceled(&self) -> &CancellationToken {
        &self.canceled
    }

    /// Triggers when this process should end.
    pub fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }

    /// Proves, inside the caller's transaction, that the job is still ours, and keeps it ours until the commit.
    ///
    /// # Errors
    /// [`QueueError::LeaseLost`] when it is not; [`QueueError::Query`] when the database fails.
    pub async fn hold(&self, conn: &mut AsyncPgConnection) -> Result<(), QueueError> {
        let row: Option<i64> = jobs::table
            .filter(jobs::id.eq(self.job_id).and(jobs::fence.eq(self.fence)).and(jobs::state.eq("running")))
            .select(jobs::id)
            .for_share()
            .first(conn)
            .await
            .optional()?;
        row.map(|_| ()).ok_or(QueueError::LeaseLost { job_id: self.job_id })
    }

    /// The same proof for transactions outside of Diesel: a statement that finds a row while the job is ours, and
    /// its two parameters.
    pub fn proof(&self) -> (&'static str, [i64; 2]) {
        let sql = "SELECT id FROM jobs WHERE id = $1 AND fence = $2 AND state = 'running' FOR SHARE";
        (sql, [self.job_id, self.fence])
    }

    /// Gives the job other arguments, in the caller's transaction; who takes it over sees these.
    ///
    /// # Errors
    /// [`QueueError::LeaseLost`] when the job is not ours; [`QueueError::Query`] when the database fails.
    pub async fn set_args(
        &self,
        conn: &mut AsyncPgConnection,
        args: serde_json::Value,
    ) -> Result<(), QueueError> {
        let mine = jobs::id.eq(self.job_id).and(jobs::fence.eq(self.fence)).and(jobs::state.eq("running"));
        let changed = diesel::update(jobs::table).filter(mine).set(jobs::args.eq(args)).execute(conn).await?;
        if changed == 1 { Ok(()) } else { Err(QueueError::LeaseLost { job_id: self.job_id }) }
    }
}
