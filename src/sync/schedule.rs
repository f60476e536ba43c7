//! Starts runs at their time.
//!
//! The next moment is a row that is compared with the wall clock every few seconds, because timers do not count the
//! time a machine sleeps. Whoever moves the row on starts the run, so several processes start one run a moment.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use tokio::sync::Mutex;
use tokio_cron_scheduler::{Job as CronJob, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;

use super::SyncError;
use super::job::close_orphans;
use super::runs::{self, Requested, Trigger};
use crate::db::Pool;
use crate::db::schema::{run_log, schedule_due, sync_options};
use crate::settings::schedule::next_moment;
use crate::settings::{self, ScheduleMode};

/// How often the row is compared with the clock, in the scheduler's language.
const TICK: &str = "*/2 * * * * *";
/// Who started a scheduled run, as shown.
pub const STARTED_BY: &str = "schedule";

/// What a look at the clock led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tick {
    /// Nothing is due.
    Nothing,
    /// The row did not fit the options, and was drawn anew.
    Planned(Option<DateTime<Utc>>),
    /// A run was started.
    Started(Requested),
    /// A run was active at that moment; the moment is noted there and passed over.
    Skipped { run_id: i64 },
}

/// Compares the due moment with `now`, and starts a run when it has come. Safe to call from many processes.
///
/// # Errors
/// [`SyncError::Query`] and [`SyncError::Settings`] when the database fails.
pub async fn tick(conn: &mut AsyncPgConnection, now: DateTime<Utc>) -> Result<Tick, SyncError> {
    let (due_at, planned_for): (Option<DateTime<Utc>>, i64) =
        schedule_due::table.select((schedule_due::due_at, schedule_due::options_version)).first(conn).await?;
    let version: i64 = sync_options::table.select(sync_options::version).first(conn).await?;
    if version == planned_for && due_at.is_none_or(|due| due > now) {
        return Ok(Tick::Nothing);
    }
    conn.transaction(async |conn| tick_locked(conn, now).await).await
}

/// The same under the row's lock, where what was read cannot change.
async fn tick_locked(conn: &mut AsyncPgConnection, now: DateTime<Utc>) -> Result<Tick, SyncError> {
    let (due_at, planned_for): (Option<DateTime<Utc>>, i64) = schedule_due::table
        .select((schedule_due::due_at, schedule_due::options_version))
        .for_update()
        .first(conn)
        .await?;
    let options = settings::load(conn).await?;
    let next = match options.schedule.mode {
        ScheduleMode::Manual => None,
        ScheduleMode::Daily => next_moment(&options.schedule, now),
    };
    let is_due = options.version == planned_for && due_at.is_some_and(|due| due <= now);
    if options.version == planned_for && !is_due {
        return Ok(Tick::Nothing);
    }
    diesel::update(schedule_due::table)
        .set((schedule_due::due_at.eq(next), schedule_due::options_version.eq(options.version)))
        .execute(conn)
        .await?;
    if !is_due {
        return Ok(Tick::Planned(next));
    }
    if let Some(active) = runs::active(conn).await? {
        let text = "A scheduled synchronization was due while this one was at work, and was skipped.";
        diesel::insert_into(run_log::table)
            .values((run_log::run_id.eq(active.id), run_log::level.eq("notice"), run_log::message.eq(text)))
            .execute(conn)
            .await?;
        return Ok(Tick::Skipped { run_id: active.id });
    }
    Ok(Tick::Started(runs::request(conn, Trigger::Schedule, STARTED_BY).await?))
}

/// The next planned moment; `None` when synchronizing manually.
///
/// # Errors
/// [`SyncError::Query`] when the database fails.
pub async fn next_due(conn: &mut AsyncPgConnection) -> Result<Option<DateTime<Utc>>, SyncError> {
    let options = settings::load(conn).await?;
    if options.schedule.mode == ScheduleMode::Manual {
        return Ok(None);
    }
    let (due_at, planned_for): (Option<DateTime<Utc>>, i64) =
        schedule_due::table.select((schedule_due::due_at, schedule_due::options_version)).first(conn).await?;
    // Just saved, not looked at yet: the same function says what the row will hold.
    Ok(if planned_for == options.version { due_at } else { next_moment(&options.schedule, Utc::now()) })
}

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
    let closed = close_orphans(&mut conn).await?;
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
        Tick::Nothing => {}
    }
    Ok(())
}
