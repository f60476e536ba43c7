//! Ended jobs are kept for a while and then forgotten.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::QueueError;
use crate::db::schema::jobs;

/// Ended jobs are kept so long. Ours: a month of evidence.
pub const JOBS_KEPT: TimeDelta = TimeDelta::days(30);

/// Removes jobs that ended before `now` minus [`JOBS_KEPT`]. Returns how many.
///
/// # Errors
/// [`QueueError::Query`] when the database fails.
pub async fn remove_old_jobs(conn: &mut AsyncPgConnection, now: DateTime<Utc>) -> Result<usize, QueueError> {
    let old = jobs::table
        .filter(jobs::finished_at.lt(now - JOBS_KEPT))
        .filter(jobs::state.ne_all(["waiting", "running"]));
    Ok(diesel::delete(old).execute(conn).await?)
}
