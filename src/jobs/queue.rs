//! The rows of the queue: put in, take out, end.
//!
//! States: waiting → running → succeeded, failed or canceled; running → waiting when the owner is gone.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Double, Jsonb, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use super::{Lease, QueueError};
use crate::db::schema::jobs;

/// The channel that is notified when a job is put in.
pub(super) const CHANNEL: &str = "weir_jobs";

/// What [`enqueue`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enqueued {
    New(i64),
    /// A job with this key is waiting or running already.
    AlreadyThere,
}

/// A job that was taken from the queue.
#[derive(Debug, Clone, QueryableByName)]
pub struct Claim {
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    #[diesel(sql_type = Text)]
    pub kind: String,
    #[diesel(sql_type = Jsonb)]
    pub args: Value,
    #[diesel(sql_type = BigInt)]
    pub fence: i64,
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
    diesel::sql_query("SELECT pg_notify($1, $2)")
        .bind::<Text, _>(CHANNEL)
        .bind::<Text, _>(kind)
        .execute(conn)
        .await?;
    Ok(Enqueued::New(id))
}

/// Takes a job that nobody has begun out of the queue. `false`: there was none with this key.
///
/// # Errors
/// [`QueueError::Query`] when the database fails.
pub async fn cancel_waiting(conn: &mut AsyncPgConnection, dedup_key: &str) -> Result<bool, QueueError> {
    let changed = diesel::update(jobs::table)
        .filter(jobs::dedup_key.eq(dedup_key).and(jobs::state.eq("waiting")))
        .set((jobs::state.eq("canceled"), jobs::finished_at.eq(diesel::dsl::now)))
        .execute(conn)
        .await?;
    Ok(changed > 0)
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
         RETURNING id, kind, args, fence",
    )
    .bind::<SqlUuid, _>(owner)
    .bind::<Double, _>(lease.as_secs_f64())
    .bind::<diesel::sql_types::Array<Text>, _>(kinds)
    .get_result(conn)
    .await
    .optional()?;
    Ok(claim)
}

/// Prolongs a lease. `false`: it belongs to somebody else now.
///
/// # Errors
/// [`QueueError::Query`] when the database fails.
pub(super) async fn renew(
    conn: &mut AsyncPgConnection,
    lease: &Lease,
    length: Duration,
) -> Result<bool, QueueError> {
    let changed = diesel::sql_query(
        "UPDATE jobs SET lease_until = now() + make_interval(secs => $1)
         WHERE id = $2 AND fence = $3 AND state = 'running'",
    )
    .bind::<Double, _>(length.as_secs_f64())
    .bind::<BigInt, _>(lease.job_id())
    .bind::<BigInt, _>(lease.fence())
    .execute(conn)
    .await?;
    Ok(changed == 1)
}

/// Writes the outcome of a job; a late owner changes nothing. `error` is `None` for success.
///
/// # Errors
/// [`QueueError::Query`] when the database fails.
pub(super) async fn finish(
    conn: &mut AsyncPgConnection,
    lease: &Lease,
    error: Option<&str>,
) -> Result<(), QueueError> {
    diesel::sql_query(
        "UPDATE jobs SET state = CASE WHEN $3::text IS NULL THEN 'succeeded' ELSE 'failed' END,
                last_error = coalesce($3, ''), finished_at = now(), owner = NULL, lease_until = NULL
         WHERE id = $1 AND fence = $2 AND state = 'running'",
    )
    .bind::<BigInt, _>(lease.job_id())
    .bind::<BigInt, _>(lease.fence())
    .bind::<Nullable<Text>, _>(error)
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives a job back, so that another worker begins it again.
///
/// # Errors
/// [`QueueError::Query`] when the database fails.
pub(super) async fn give_back(conn: &mut AsyncPgConnection, lease: &Lease) -> Result<(), QueueError> {
    diesel::sql_query(
        "UPDATE jobs SET state = 'waiting', owner = NULL, lease_until = NULL
         WHERE id = $1 AND fence = $2 AND state = 'running'",
    )
    .bind::<BigInt, _>(lease.job_id())
    .bind::<BigInt, _>(lease.fence())
    .execute(conn)
    .await?;
    Ok(())
}

/// Puts jobs back into the queue whose owner is dead or let the lease run out. Returns how many.
///
/// # Errors
/// [`QueueError::Query`] when the database fails.
pub async fn reclaim_abandoned(conn: &mut AsyncPgConnection) -> Result<usize, QueueError> {
    let abandoned = format!(
        "UPDATE jobs SET state = 'waiting', owner = NULL, lease_until = NULL
         WHERE state = 'running' AND (lease_until < now() OR NOT EXISTS
               (SELECT 1 FROM instances i WHERE i.id = jobs.owner AND {}))",
        super::instance::IS_ALIVE
    );
    Ok(diesel::sql_query(abandoned).execute(conn).await?)
}
