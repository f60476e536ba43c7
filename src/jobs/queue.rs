//! The rows of the queue: put in, take out, end. Every change of state is here; see [`super::JobState`].

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Double, Integer, Jsonb, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use super::channel::wake_workers;
use super::instance::IS_ALIVE;
use super::{JobState, Lease, QueueError};
use crate::db::schema::jobs;

/// Claims after which a job is given up whose worker disappeared each time: it may be what ends them.
const CLAIMS_MAX: i32 = 30;

/// What [`enqueue`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enqueued {
    New(i64),
    /// A job with this key is waiting or running already.
    AlreadyThere,
}

/// A job that was taken from the queue.
#[derive(Debug, Clone, QueryableByName)]
pub(super) struct Claim {
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = Jsonb)]
    pub args: Value,
    #[diesel(sql_type = BigInt)]
    pub fence: i64,
    #[diesel(sql_type = Integer)]
    pub attempts: i32,
}

/// Puts a job in, in the caller's transaction; workers hear of it when that commits.
///
/// # Errors
/// [`QueueError::Query`] when the database fails.
pub async fn enqueue(
    conn: &mut AsyncPgConnection,
    kind: &str,
    dedup_key: &str,
    args: Value,
) -> Result<Enqueued, QueueError> {
    let id: Option<i64> = diesel::insert_into(jobs::table)
        .values((jobs::kind.eq(kind), jobs::dedup_key.eq(dedup_key), jobs::args.eq(args)))
        .on_conflict_do_nothing()
        .returning(jobs::id)
        .get_result(conn)
        .await
        .optional()?;
    let Some(id) = id else { return Ok(Enqueued::AlreadyThere) };
    wake_workers(conn).await?;
    Ok(Enqueued::New(id))
}

/// Puts a job without arguments in, unless one of its kind was put in less than `every` ago.
///
/// # Errors
/// [`QueueError::Query`] when the database fails.
pub async fn enqueue_regularly(
    conn: &mut AsyncPgConnection,
    kind: &str,
    every: Duration,
) -> Result<Enqueued, QueueError> {
    let since = chrono::Utc::now() - every;
    let recent = jobs::table.filter(jobs::kind.eq(kind).and(jobs::created_at.gt(since)));
    if diesel::select(diesel::dsl::exists(recent)).get_result(conn).await? {
        return Ok(Enqueued::AlreadyThere);
    }
    enqueue(conn, kind, kind, Value::Object(serde_json::Map::new())).await
}

/// Takes a job that nobody has begun out of the queue. `false`: there was none with this key.
///
/// # Errors
/// [`QueueError::Query`] when the database fails.
pub async fn cancel_waiting(conn: &mut AsyncPgConnection, dedup_key: &str) -> Result<bool, QueueError> {
    let changed = diesel::update(jobs::table)
        .filter(jobs::dedup_key.eq(dedup_key).and(jobs::state.eq(JobState::Waiting.as_str())))
        .set((jobs::state.eq(JobState::Canceled.as_str()), jobs::finished_at.eq(diesel::dsl::now)))
        .execute(conn)
        .await?;
    Ok(changed > 0)
}

/// Cancels a job: at once when it waits; a running one is asked to end. `false`: it has ended already.
///
/// # Errors
/// [`QueueError::Query`] when the database fails.
pub async fn cancel(conn: &mut AsyncPgConnection, job_id: i64) -> Result<bool, QueueError> {
    let changed = diesel::sql_query(
        "UPDATE jobs SET cancel_requested = true,
                state = CASE state WHEN 'waiting' THEN 'canceled' ELSE state END,
                finished_at = CASE state WHEN 'waiting' THEN now() END
         WHERE id = $1 AND state IN ('waiting', 'running')",
    )
    .bind::<BigInt, _>(job_id)
    .execute(conn)
    .await?;
    Ok(changed > 0)
}

/// Puts a failed or canceled job in once more, as a new one. `None`: it is not one of these, or does not exist.
///
/// # Errors
/// [`QueueError::Query`] when the database fails.
pub async fn retry(conn: &mut AsyncPgConnection, job_id: i64) -> Result<Option<Enqueued>, QueueError> {
    let ended = [JobState::Failed.as_str(), JobState::Canceled.as_str()];
    let job: Option<(String, String, Value)> = jobs::table
        .find(job_id)
        .filter(jobs::state.eq_any(ended))
        .select((jobs::kind, jobs::dedup_key, jobs::args))
        .first(conn)
        .await
        .optional()?;
    let Some((kind, dedup_key, args)) = job else { return Ok(None) };
    Ok(Some(enqueue(conn, &kind, &dedup_key, args).await?))
}

/// Takes the oldest due job of one of `kinds`, skipping those another worker is just taking.
///
/// # Errors
/// [`QueueError::Query`] when the database fails.
pub(super) async fn claim(
    conn: &mut AsyncPgConnection,
    owner: Uuid,
    kinds: &[String],
    lease: Duration,
) -> Result<Option<Claim>, QueueError> {
    let claim = diesel::sql_query(
        "UPDATE jobs SET state = 'running', owner = $1, fence = fence + 1, attempts = attempts + 1,
                lease_until = now() + make_interval(secs => $2), started_at = now()
         WHERE id = (SELECT id FROM jobs WHERE state = 'waiting' AND run_after <= now() AND kind = ANY($3)
                     ORDER BY run_after, id LIMIT 1 FOR UPDATE SKIP LOCKED)
         RETURNING id, kind, args, fence, attempts",
    )
    .bind::<SqlUuid, _>(owner)
    .bind::<Double, _>(lease.as_secs_f64())
    .bind::<diesel::sql_types::Array<Text>, _>(kinds)
    .get_result(conn)
    .await
    .optional()?;
    Ok(claim)
}

/// What a renewal found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Renewed {
    Ours,
    /// Still ours, and somebody asked it to end.
    CancelRequested,
    /// It belongs to somebody else now.
    Lost,
}

/// Prolongs a lease.
///
/// # Errors
/// [`QueueError::Query`] when the database fails.
pub(super) async fn renew(
    conn: &mut AsyncPgConnection,
    lease: &Lease,
    length: Duration,
) -> Result<Renewed, QueueError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Bool)]
        cancel_requested: bool,
    }
    let row: Option<Row> = diesel::sql_query(
        "UPDATE jobs SET lease_until = now() + make_interval(secs => $1)
         WHERE id = $2 AND fence = $3 AND state = 'running' RETURNING cancel_requested",
    )
    .bind::<Double, _>(length.as_secs_f64())
    .bind::<BigInt, _>(lease.job_id())
    .bind::<BigInt, _>(lease.fence())
    .get_result(conn)
    .await
    .optional()?;
    Ok(match row {
        None => Renewed::Lost,
        Some(Row { cancel_requested: true }) => Renewed::CancelRequested,
        Some(_) => Renewed::Ours,
    })
}

/// Writes the end of a job; a late owner changes nothing. `error` is `None` for success.
///
/// # Errors
/// [`QueueError::Query`] when the database fails.
pub(super) async fn finish(
    conn: &mut AsyncPgConnection,
    lease: &Lease,
    end: JobState,
    error: Option<&str>,
) -> Result<(), QueueError> {
    diesel::sql_query(
        "UPDATE jobs SET state = $4, last_error = coalesce($3, ''), finished_at = now(), owner = NULL,
                lease_until = NULL
         WHERE id = $1 AND fence = $2 AND state = 'running'",
    )
    .bind::<BigInt, _>(lease.job_id())
    .bind::<BigInt, _>(lease.fence())
    .bind::<Nullable<Text>, _>(error)
    .bind::<Text, _>(end.as_str())
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives a job back: at once and as if it had not been begun, or after a `wait` with the error that caused it.
///
/// # Errors
/// [`QueueError::Query`] when the database fails.
pub(super) async fn give_back(
    conn: &mut AsyncPgConnection,
    lease: &Lease,
    wait: Option<(Duration, &str)>,
) -> Result<(), QueueError> {
    let (wait, error) = wait.map_or((0.0, None), |(wait, error)| (wait.as_secs_f64(), Some(error)));
    diesel::sql_query(
        "UPDATE jobs SET state = 'waiting', owner = NULL, lease_until = NULL,
                run_after = now() + make_interval(secs => $3), last_error = coalesce($4, last_error),
                attempts = attempts - CASE WHEN $4::text IS NULL THEN 1 ELSE 0 END
         WHERE id = $1 AND fence = $2 AND state = 'running'",
    )
    .bind::<BigInt, _>(lease.job_id())
    .bind::<BigInt, _>(lease.fence())
    .bind::<Double, _>(wait)
    .bind::<Nullable<Text>, _>(error)
    .execute(conn)
    .await?;
    wake_workers(conn).await?;
    Ok(())
}

/// Puts jobs back into the queue whose owner is dead or let the lease run out; ends those that nobody survives, and
/// those that were to be canceled. Returns how many.
///
/// # Errors
/// [`QueueError::Query`] when the database fails.
pub(super) async fn reclaim_abandoned(conn: &mut AsyncPgConnection) -> Result<usize, QueueError> {
    let abandoned = format!(
        "UPDATE jobs SET owner = NULL, lease_until = NULL,
                state = CASE WHEN cancel_requested THEN 'canceled' WHEN attempts >= $1 THEN 'failed'
                             ELSE 'waiting' END,
                finished_at = CASE WHEN cancel_requested OR attempts >= $1 THEN now() END,
                last_error = CASE WHEN attempts >= $1 THEN 'The process that worked on it ended each time.'
                                  ELSE last_error END
         WHERE state = 'running' AND (lease_until < now() OR NOT EXISTS
               (SELECT 1 FROM instances i WHERE i.id = jobs.owner AND {IS_ALIVE}))"
    );
    Ok(diesel::sql_query(abandoned).bind::<Integer, _>(CLAIMS_MAX).execute(conn).await?)
}
