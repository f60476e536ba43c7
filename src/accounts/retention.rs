//! Sessions that are over, and audit entries that are older than anybody asks for.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::sessions::{AGE_MAX, IDLE_MAX};
use crate::db::schema::{audit, sessions};

/// Entries of the audit log are kept so long. Ours: two years and a month.
pub const AUDIT_KEPT: TimeDelta = TimeDelta::days(761);

/// Removes sessions that are over at `now`, and audit entries older than [`AUDIT_KEPT`]. Returns how many rows.
///
/// # Errors
/// The database's.
pub async fn remove_old_entries(conn: &mut AsyncPgConnection, now: DateTime<Utc>) -> QueryResult<usize> {
    let over = sessions::created_at.lt(now - AGE_MAX).or(sessions::last_used_at.lt(now - IDLE_MAX));
    let ended = diesel::delete(sessions::table.filter(over)).execute(conn).await?;
    let old = audit::table.filter(audit::at.lt(now - AUDIT_KEPT));
    Ok(ended + diesel::delete(old).execute(conn).await?)
}
