//! Runs are kept for a while, their logs for a shorter one.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::SyncError;
use crate::db::schema::{run_calls, run_log, schedule_moments, sync_runs};

/// The lines of a run's log and its calls are kept so long. Ours: a quarter of a year.
pub const LOGS_KEPT: TimeDelta = TimeDelta::days(90);
/// Runs and what became of scheduled moments are kept so long. Ours: a year and a month to compare with.
pub const RUNS_KEPT: TimeDelta = TimeDelta::days(396);
/// So many runs are kept whatever their age.
const RUNS_KEPT_MIN: i64 = 50;

/// Removes what is older at `now` than [`LOGS_KEPT`] and [`RUNS_KEPT`]. Returns how many rows.
///
/// # Errors
/// [`SyncError::Query`] when the database fails.
pub async fn remove_old_runs(conn: &mut AsyncPgConnection, now: DateTime<Utc>) -> Result<usize, SyncError> {
    let lines = diesel::delete(run_log::table.filter(run_log::at.lt(now - LOGS_KEPT))).execute(conn).await?;
    let calls =
        diesel::delete(run_calls::table.filter(run_calls::at.lt(now - LOGS_KEPT))).execute(conn).await?;
    let oldest_kept: Option<i64> = sync_runs::table
        .select(sync_runs::id)
        .order(sync_runs::id.desc())
        .offset(RUNS_KEPT_MIN - 1)
        .first(conn)
        .await
        .optional()?;
    let runs = match oldest_kept {
        Some(oldest_kept) => {
            let old = sync_runs::table
                .filter(sync_runs::id.lt(oldest_kept))
                .filter(sync_runs::finished_at.lt(now - RUNS_KEPT));
            diesel::delete(old).execute(conn).await?
        }
        None => 0,
    };
    let old = schedule_moments::table.filter(schedule_moments::moment.lt(now - RUNS_KEPT));
    let moments = diesel::delete(old).execute(conn).await?;
    Ok(lines + calls + runs + moments)
}
