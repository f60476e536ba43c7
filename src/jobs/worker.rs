//! Takes jobs from the queue and runs them, a few at a time.

use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::queue::{Claim, Renewed, claim, finish, give_back, reclaim_abandoned, renew};
use super::{Instance, JobError, JobState, Lease, QueueError};
use crate::db::Pool;

/// One kind of background work. Its fields are the job's arguments.
///
/// `run` may be repeated safely: it compares what should be with what is.
pub trait Job: DeserializeOwned + Send + 'static {
    /// The kind in the queue.
    const KIND: &'static str;
    /// How long a worker may be silent before another takes over; renewed while running.
    const LEASE: Duration = Duration::from_secs(30);
    /// How often it is begun at most when it ends with [`JobError::Later`].
    const ATTEMPTS_MAX: u32 = 5;
    /// What the job works with; the queue never looks inside.
    type Context: Send + Sync + 'static;

    /// Does the work.
    fn run(
        self,
        context: Arc<Self::Context>,
        lease: Lease,
    ) -> impl Future<Output = Result<(), JobError>> + Send;
}

type Running = Pin<Box<dyn Future<Output = Result<(), JobError>> + Send>>;
type Handler = dyn Fn(serde_json::Value, Lease) -> Running + Send + Sync;

/// Wait after the first attempt that ended with [`JobError::Later`]; doubled each time.
const FIRST_WAIT: Duration = Duration::from_secs(30);
const WAIT_MAX: Duration = Duration::from_secs(3_600);

struct Kind {
    lease: Duration,
    attempts_max: u32,
    handler: Box<Handler>,
}

/// The loop that claims and runs jobs for one process.
pub struct Worker {
    pool: Pool,
    instance: Arc<Instance>,
    kinds: HashMap<String, Arc<Kind>>,
    jobs_max: usize,
}

impl Worker {
    /// A worker for this instance that can do nothing yet; see [`Worker::with`].
    pub fn new(pool: Pool, instance: Arc<Instance>) -> Self {
        Self { pool, instance, kinds: HashMap::new(), jobs_max: 4 }
    }

    /// Teaches the worker one kind of job.
    #[must_use]
    pub fn with<J: Job>(mut self, context: Arc<J::Context>) -> Self {
        let handler = move |args: serde_json::Value, lease: Lease| {
            let context = context.clone();
            let running: Running = Box::pin(async move {
                let job: J = serde_json::from_value(args).map_err(QueueError::from)?;
                job.run(context, lease).await
            });
            running
        };
        let kind = Kind { lease: J::LEASE, attempts_max: J::ATTEMPTS_MAX, handler: Box::new(handler) };
        self.kinds.insert(J::KIND.to_owned(), Arc::new(kind));
        self
    }

    /// Works until `shutdown`, then waits for its jobs to give up (they hear of it through their lease).
    pub async fn run(self, shutdown: CancellationToken) {
        let mut running = JoinSet::new();
        let kinds: Vec<String> = self.kinds.keys().cloned().collect();
        while !shutdown.is_cancelled() {
            if let Err(error) = self.fill(&mut running, &kinds, &shutdown).await {
                tracing::warn!(%error, "the job queue cannot be read, trying again");
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = self.instance.new_job.notified() => {}
                Some(_) = running.join_next() => {}
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
        }
        while running.join_next().await.is_some() {}
    }

    async fn fill(
        &self,
        running: &mut JoinSet<()>,
        kinds: &[String],
        shutdown: &CancellationToken,
    ) -> Result<(), QueueError> {
        while running.try_join_next().is_some() {}
        let mut conn = self.pool.get().await.map_err(|error| QueueError::Pool(error.to_string()))?;
        let count = reclaim_abandoned(&mut conn).await?;
        if count > 0 {
            tracing::info!(count, "took over jobs of a process that is gone");
        }
        while running.len() < self.jobs_max {
            // The kind decides the lease; the longest is right for the moment between claim and first renewal.
            let lease = self.kinds.values().map(|kind| kind.lease).max().unwrap_or_default();
            let Some(claim) = claim(&mut conn, self.instance.id(), kinds, lease).await? else { break };
            let Some(kind) = self.kinds.get(&claim.kind).cloned() else { break };
            let lease = Lease::new(claim.id, claim.fence, shutdown.clone());
            running.spawn(work(self.pool.clone(), kind, claim, lease));
        }
        Ok(())
    }
}

/// Runs one job beside its heartbeat, and writes the outcome.
async fn work(pool: Pool, kind: Arc<Kind>, claim: Claim, lease: Lease) {
    let heart = tokio::spawn(beat(pool.clone(), lease.clone(), kind.lease));
    let job = AssertUnwindSafe((kind.handler)(claim.args, lease.clone())).catch_unwind();
    let outcome = job.await.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string);
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        tracing::error!(job.id = claim.id, job.kind = claim.kind, panic = text, "a job panicked");
        Err(JobError::Failed("an internal fault; the log has the details".to_owned()))
    });
    heart.abort();
    let end = End::of(outcome, claim.attempts, kind.attempts_max);
    for attempt in 1..=5_u64 {
        match record(&pool, &lease, &end).await {
            Ok(()) => return,
            Err(error) => tracing::warn!(job.id = claim.id, %error, "the end of a job could not be written"),
        }
        tokio::time::sleep(Duration::from_secs(attempt)).await;
    }
}

/// What becomes of a job after its work.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Ended(JobState, Option<String>),
    GivenBack(Option<(Duration, String)>),
}

impl End {
    /// `attempts`: how often the job was begun, this time included.
    fn of(outcome: Result<(), JobError>, attempts: i32, attempts_max: u32) -> Self {
        let begun = u32::try_from(attempts).unwrap_or(1);
        match outcome {
            Ok(()) => Self::Ended(JobState::Succeeded, None),
            Err(JobError::Interrupted) => Self::GivenBack(None),
            Err(JobError::Canceled) => Self::Ended(JobState::Canceled, None),
            Err(JobError::Later(text)) if begun < attempts_max => {
                let doublings = begun.saturating_sub(1).min(16);
                Self::GivenBack(Some((FIRST_WAIT.saturating_mul(1 << doublings).min(WAIT_MAX), text)))
            }
            Err(error) => Self::Ended(JobState::Failed, Some(error.to_string())),
        }
    }
}

async fn record(pool: &Pool, lease: &Lease, end: &End) -> Result<(), QueueError> {
    let mut conn = pool.get().await.map_err(|error| QueueError::Pool(error.to_string()))?;
    match end {
        End::Ended(state, error) => finish(&mut conn, lease, *state, error.as_deref()).await,
        End::GivenBack(wait) => {
            let wait = wait.as_ref().map(|(wait, error)| (*wait, error.as_str()));
            give_back(&mut conn, lease, wait).await
        }
    }
}

/// Renews the lease until it is lost, and passes on the wish that the job end.
async fn beat(pool: Pool, lease: Lease, length: Duration) {
    let mut renewed_at = tokio::time::Instant::now();
    while renewed_at.elapsed() < length {
        tokio::time::sleep(length / 6).await;
        let renewed = match pool.get().await {
            Ok(mut conn) => renew(&mut conn, &lease, length).await,
            Err(error) => {
                tracing::warn!(job.id = lease.job_id(), %error, "a lease could not be renewed");
                continue;
            }
        };
        match renewed {
            Ok(Renewed::Lost) => break,
            Ok(found) => {
                renewed_at = tokio::time::Instant::now();
                if found == Renewed::CancelRequested {
                    lease.canceled().cancel();
                }
            }
            Err(error) => tracing::warn!(job.id = lease.job_id(), %error, "a lease could not be renewed"),
        }
    }
    tracing::warn!(job.id = lease.job_id(), "a lease was lost");
    lease.lost().cancel();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_may_work_later_waits_longer_each_time_and_then_fails() {
        let later = || Err(JobError::Later("no room".to_owned()));
        let wait = |attempts| match End::of(later(), attempts, 3) {
            End::GivenBack(Some((wait, _))) => Some(wait),
            _ => None,
        };
        assert_eq!(wait(1), Some(Duration::from_secs(30)));
        assert_eq!(wait(2), Some(Duration::from_secs(60)));
        assert_eq!(End::of(later(), 3, 3), End::Ended(JobState::Failed, Some("no room".to_owned())));
    }

    #[test]
    fn a_shutdown_gives_back_and_a_failure_ends() {
        assert_eq!(End::of(Err(JobError::Interrupted), 9, 3), End::GivenBack(None));
        assert_eq!(End::of(Err(JobError::Canceled), 1, 3), End::Ended(JobState::Canceled, None));
        let failed = End::of(Err(JobError::Failed("broken".to_owned())), 1, 3);
        assert_eq!(failed, End::Ended(JobState::Failed, Some("broken".to_owned())));
    }
}
